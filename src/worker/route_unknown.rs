//! Nodes of which nobody knows where they led to.

use crate::{blueprint::NodeId, engine::RunDocument};

/// A node that a JavaScript worker ran: those do not record actions, and its edges have some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "node \"{node}\" was run by a JavaScript worker, which did not record its action: whether it took its edge to \
     {} is unknown, and no message for it came",
    or(.targets)
)]
pub struct RouteUnknown {
    /// The node.
    pub node: NodeId,
    /// The nodes that its edges lead to.
    pub targets: Vec<NodeId>,
}

fn or(nodes: &[NodeId]) -> String {
    let nodes: Vec<_> = nodes.iter().map(|node| format!("\"{node}\"")).collect();
    nodes.join(" or ")
}

impl RouteUnknown {
    /// Those of a run.
    pub(crate) fn of(document: &RunDocument) -> impl Iterator<Item = Self> {
        document.undecided().filter_map(|node| {
            let targets = document.entry(node)?.undecided.clone();
            Some(Self { node: node.clone(), targets })
        })
    }
}
