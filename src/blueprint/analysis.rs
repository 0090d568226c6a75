//! What can be said about a blueprint's shape.

use serde::Serialize;

use super::{
    graph::{Graph, Walk},
    id::NodeId,
    model::Blueprint,
};

/// How many node ids the listed cycles may have together. A dense graph has so many cycles that
/// listing all of them would take more memory than there is.
const LISTED_MEMBERS: usize = 100_000;

/// The shape of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// The cycles that a depth-first walk meets, each from the node that is re-entered to that node
    /// again (A, B, A). At most 100,000 ids are listed; `cycle_count` counts on.
    pub cycles: Vec<Vec<NodeId>>,
    /// How many cycles the walk met.
    pub cycle_count: usize,
    /// The nodes without an incoming edge, fallbacks among them. See [`start_nodes`] for the nodes
    /// that a run starts with.
    pub start_node_ids: Vec<NodeId>,
    /// The nodes without an outgoing edge.
    pub terminal_node_ids: Vec<NodeId>,
    /// How many nodes there are.
    pub node_count: usize,
    /// How many edges there are.
    pub edge_count: usize,
    /// Whether there is no cycle.
    pub is_dag: bool,
}

/// Looks at a blueprint's shape. Nodes are listed in the order in which they are written. The cost
/// grows with the number of nodes and edges.
pub fn analyze(blueprint: &Blueprint) -> Analysis {
    let graph = Graph::new(blueprint);
    let id = |node: usize| graph.nodes[node].id.clone();
    let mut cycles = Vec::new();
    let mut cycle_count = 0;
    let mut members = 0;
    graph.walk(&mut |event| {
        if let Walk::Cycle { path, from } = event {
            cycle_count += 1;
            let length = path.len() - from + 1;
            if members + length <= LISTED_MEMBERS {
                members += length;
                cycles.push(path[from..].iter().chain([&path[from]]).map(|n| id(*n)).collect());
            }
        }
    });
    let those_without = |edges: &[Vec<usize>]| {
        edges.iter().enumerate().filter(|(_, edges)| edges.is_empty()).map(|(n, _)| id(n)).collect()
    };
    Analysis {
        cycles,
        cycle_count,
        start_node_ids: those_without(&graph.incoming),
        terminal_node_ids: those_without(&graph.outgoing),
        node_count: blueprint.nodes.len(),
        edge_count: blueprint.edges.len(),
        is_dag: cycle_count == 0,
    }
}

/// The nodes that a run starts with: those without an incoming edge that are nobody's fallback. If
/// there is none, the entry points of cycles: per cycle its first member that
/// `metadata.cycleEntryPoints` lists, else its first node.
pub fn start_nodes(blueprint: &Blueprint) -> Vec<NodeId> {
    let graph = Graph::new(blueprint);
    graph.start_set().into_iter().map(|node| graph.nodes[node].id.clone()).collect()
}
