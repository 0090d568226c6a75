//! The runs that a run's subflows started, as far as its ledger tells.

use crate::{
    blueprint::{NodeId, RunId},
    engine::{Awaits, Entry, RunDocument, RunStatus, child_run_id},
};

/// The most child runs that are named of one node: the latest.
const OF_A_NODE: usize = 50;

/// A run that a node started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildRun {
    /// The node.
    pub node: NodeId,
    /// The run.
    pub run: RunId,
    /// Its status, as far as the parent heard of it; of one that is over, its own status item knows
    /// more.
    pub status: Option<RunStatus>,
    /// Whether there surely is such a run. Of an earlier iteration the ledger does not say whether
    /// it got as far.
    pub certain: bool,
}

/// The child runs of a run, the latest of each node first.
pub(super) fn children(run: &RunId, document: &RunDocument) -> Vec<ChildRun> {
    document.entries().flat_map(|(node, entry)| of_node(run, node, entry)).collect()
}

fn of_node(run: &RunId, node: &NodeId, entry: &Entry) -> Vec<ChildRun> {
    let awaited = match &entry.awaits {
        Some(Awaits::Child { run, status }) => Some((run.clone(), *status)),
        _ => None,
    };
    let mut children: Vec<ChildRun> = awaited
        .into_iter()
        .map(|(run, status)| ChildRun {
            node: node.clone(),
            run,
            status: Some(status),
            certain: true,
        })
        .collect();
    if entry.children == 0 {
        return children;
    }
    let earlier = (1..entry.iteration).rev().map(|iteration| (iteration, 1));
    let numbers = (1..=entry.children).rev().map(|child| (entry.iteration, child));
    for (iteration, child) in numbers.chain(earlier) {
        if children.len() >= OF_A_NODE {
            break;
        }
        let numbered = Entry { iteration, children: child, ..Entry::default() };
        let id = child_run_id(run, node, &numbered);
        if children.iter().all(|known| known.run != id) {
            children.push(ChildRun {
                node: node.clone(),
                run: id,
                status: None,
                certain: iteration == entry.iteration,
            });
        }
    }
    children
}
