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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;
    use crate::blueprint::sanitize;

    fn blueprint(nodes: &[&str], edges: &[&str]) -> Blueprint {
        let nodes: Vec<_> = nodes.iter().map(|id| json!({ "id": id, "uses": "x" })).collect();
        let ends = |edge: &&str| {
            let (source, target) = edge.split_once(' ').unwrap();
            json!({ "source": source, "target": target })
        };
        let edges: Vec<_> = edges.iter().map(ends).collect();
        sanitize(json!({ "id": "b", "nodes": nodes, "edges": edges })).unwrap()
    }

    fn cycles(nodes: &[&str], edges: &[&str]) -> Vec<String> {
        let analysis = analyze(&blueprint(nodes, edges));
        assert_eq!(analysis.is_dag, analysis.cycles.is_empty());
        assert_eq!(analysis.cycle_count, analysis.cycles.len());
        let text =
            |cycle: &Vec<NodeId>| cycle.iter().map(NodeId::as_str).collect::<Vec<_>>().join(",");
        analysis.cycles.iter().map(text).collect()
    }

    fn starts(blueprint: &Blueprint) -> Vec<String> {
        start_nodes(blueprint).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ends_are_listed_in_the_order_of_the_nodes() {
        let analysis = analyze(&blueprint(&["c", "b", "a"], &["b a", "gone c"]));
        assert_eq!(
            serde_json::to_value(&analysis).unwrap(),
            json!({
                "cycles": [], "cycleCount": 0,
                "startNodeIds": ["b"], "terminalNodeIds": ["c", "a"],
                "nodeCount": 3, "edgeCount": 2, "isDag": true,
            })
        );
    }

    #[test]
    fn a_cycle_goes_from_the_node_that_is_re_entered_to_itself() {
        assert_eq!(cycles(&["a", "b", "c"], &["a b", "b c", "c b"]), ["b,c,b"]);
        assert_eq!(cycles(&["a"], &["a a"]), ["a,a"]);
        assert_eq!(cycles(&["a", "b"], &["a b", "a b", "b a", "b a"]), ["a,b,a"]);
        assert_eq!(cycles(&["a", "b", "c"], &["a b", "b a", "b c", "c a"]), ["a,b,a", "a,b,c,a"]);
        assert_eq!(cycles(&["a", "b", "c", "d"], &["a b", "a c", "b d", "c d"]), [""; 0]);
    }

    #[test]
    fn a_run_starts_with_what_nothing_leads_to() {
        let mut blueprint = blueprint(&["a", "b", "f", "g"], &["a b", "gone g"]);
        blueprint.nodes[1].config.fallback = Some("f".into());
        assert_eq!(starts(&blueprint), ["a"]);
        // As in the original, the fallback is among the nodes without an incoming edge.
        assert_eq!(analyze(&blueprint).start_node_ids, ["a".into(), "f".into()]);
    }

    #[test]
    fn a_run_of_cycles_starts_at_their_entry_points() {
        let mut blueprint =
            blueprint(&["a", "b", "c", "d", "e"], &["a b", "b c", "c a", "d e", "e d"]);
        assert_eq!(starts(&blueprint), ["a", "d"]);
        let listed = json!(["c", "e", "b", "gone", 3]);
        blueprint.metadata = [("cycleEntryPoints".to_owned(), listed)].into_iter().collect();
        assert_eq!(starts(&blueprint), ["b", "e"]);
        blueprint.metadata = [("cycleEntryPoints".to_owned(), Value::Null)].into_iter().collect();
        assert_eq!(starts(&blueprint), ["a", "d"]);
    }

    #[test]
    fn entry_points_outside_a_cycle_do_not_count_for_it() {
        // Found from a: the cycles b,c,b and a,b,c,a.
        let mut blueprint = blueprint(&["a", "b", "c"], &["a b", "b c", "c b", "c a"]);
        blueprint.metadata = [("cycleEntryPoints".to_owned(), json!(["a"]))].into_iter().collect();
        assert_eq!(starts(&blueprint), ["b", "a"]);
    }

    #[test]
    fn cycles_beyond_the_limit_are_counted() {
        let ids: Vec<String> = (0..2_000).map(|number| format!("n{number}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let forth = ids.windows(2).map(|pair| format!("{} {}", pair[0], pair[1]));
        let back = ids.iter().map(|id| format!("{id} n0"));
        let edges: Vec<String> = forth.chain(back).collect();
        let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
        let analysis = analyze(&blueprint(&ids, &edges));
        assert_eq!(analysis.cycle_count, 2_000);
        let listed: usize = analysis.cycles.iter().map(Vec::len).sum();
        assert!(listed <= LISTED_MEMBERS && listed > LISTED_MEMBERS / 2, "{listed}");
    }
}
