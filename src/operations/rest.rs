//! Whether a run moves by itself, and if not, what would have it move.

use std::collections::BTreeMap;

use super::{OperationError, Operations};
use crate::{
    blueprint::{NodeId, RunId},
    engine::{Awaits, NodeState, RunDocument, RunStatus, Timestamp},
    worker::session::Freshness,
};

/// Whether a run moves, from that which takes least patience to that which takes most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// Workers have something to do in it.
    Moving,
    /// It goes on by itself at this time at the latest.
    Timer(Timestamp),
    /// Only an answer can help.
    Answer,
    /// It has ended.
    Ended,
}

/// How a run stands, at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Its status.
    pub status: RunStatus,
    /// Whether it moves, its child runs taken into account.
    pub rest: Rest,
    /// Where its nodes stand. Nodes that were not reached are left out.
    pub nodes: BTreeMap<NodeId, NodeState>,
}

impl Operations {
    /// How a run stands, without its values.
    pub async fn glance(&self, run: &RunId) -> Result<Glance, OperationError> {
        let document = self.read(run).await?;
        let nodes = document.entries().map(|(node, entry)| (node.clone(), entry.state)).collect();
        let status = document.status();
        Ok(Glance { status, rest: self.rest(document).await?, nodes })
    }

    /// Looks through a run and the child runs it waits for.
    async fn rest(&self, document: RunDocument) -> Result<Rest, OperationError> {
        if document.status().is_final() {
            return Ok(Rest::Ended);
        }
        let mut soonest = Rest::Answer;
        let mut open = vec![document];
        while let Some(document) = open.pop() {
            if document.status() != RunStatus::Awaiting {
                return Ok(Rest::Moving);
            }
            for node in document.awaiting() {
                let Some(entry) = document.entry(node) else { continue };
                match (&entry.awaits, entry.due_at) {
                    (Some(Awaits::Timer), Some(due)) => soonest = soonest.min(Rest::Timer(due)),
                    (Some(Awaits::Child { run: child, .. }), _) => {
                        let child = self.core.session(child).document(Freshness::Now).await?;
                        // One that is not there yet is being started; one that has ended is about
                        // to tell.
                        match child.filter(|child| !child.status().is_final()) {
                            Some(child) => open.push(child),
                            None => return Ok(Rest::Moving),
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(soonest)
    }
}
