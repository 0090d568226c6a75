//! Which unfinished work a completed node led to: a message that comes again takes it up, in case the
//! worker that had it first died before it could.

use std::collections::HashSet;

use super::{
    document::RunDocument,
    draft::Work,
    graph::Graph,
    ledger::{Entry, NodeState},
};
use crate::blueprint::NodeId;

/// The ready and waiting nodes that can be reached from `node` over recorded routes.
pub fn reachable_work(graph: &Graph, document: &RunDocument, node: &NodeId) -> Vec<Work> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![node.clone()];
    if document.entry(node).is_none() {
        // A node that was created while running, and removed by its loop: whatever is ready may be
        // what it led to.
        open.extend(document.ready().cloned());
    }
    // A member that its loop has reset leads back to the loop.
    if let Some(place) = graph.place(node) {
        open.extend(place.loops.iter().cloned());
    }
    while let Some(node) = open.pop() {
        if !seen.insert(node.clone()) {
            continue;
        }
        let Some(entry) = document.entry(&node) else { continue };
        if matches!(entry.state, NodeState::Ready | NodeState::Awaiting) {
            found.push(Work {
                node: node.clone(),
                iteration: entry.iteration,
                generation: entry.generation,
            });
        }
        open.extend(leads_to(entry));
    }
    found.sort_by(|a, b| a.node.cmp(&b.node));
    found
}

fn leads_to(entry: &Entry) -> impl Iterator<Item = NodeId> {
    entry
        .routes
        .iter()
        .chain(&entry.created)
        .chain(&entry.woke)
        .chain(entry.fallback.as_ref().map(|fallback| &fallback.node))
        .cloned()
}
