//! What JavaScript workers did, taken over: the ledger that comes of it, and what follows.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::blueprint::{RunId, sanitize};

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn graph(nodes: &Value, edges: &Value) -> Graph {
    let blueprint = json!({"id": "b", "nodes": nodes, "edges": edges});
    Graph::new(Arc::new(sanitize(blueprint).unwrap()))
}

fn diamond() -> Graph {
    let nodes: Vec<Value> =
        ["a", "b", "c", "d"].iter().map(|id| json!({"id": id, "uses": "x"})).collect();
    let edges: Vec<Value> = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
        .iter()
        .map(|(source, target)| json!({"source": source, "target": target}))
        .collect();
    graph(&nodes.into(), &edges.into())
}

fn left_by_others(outputs: &[&str]) -> RunDocument {
    let mut document = RunDocument::new(Head::unadopted(None, None, Timestamp::default()));
    for node in outputs {
        document.apply(&Op::Set(output_key(node).into(), Arc::new(json!(1))));
    }
    document
}

fn taken_over(graph: &Graph, document: RunDocument) -> RunDocument {
    let run = RunId::from("r");
    Planner::new(graph, &run, document, NOW).taking_over().document().clone()
}

fn states(document: &RunDocument) -> Vec<(&str, NodeState)> {
    document.entries().map(|(node, entry)| (node.as_str(), entry.state)).collect()
}

fn completed(node: &str) -> Event {
    Event::Completed {
        work: Work { node: node.into(), iteration: 1, generation: 0 },
        record: ExecutionRecord {
            by: "worker:w#1".to_owned(),
            started_at: NOW,
            attempts: 1,
            tries: Vec::new(),
        },
        completion: Completion { output: Some(Arc::new(json!(2))), ..Completion::default() },
    }
}

#[test]
fn the_ledger_of_a_run_that_others_began() {
    let graph = diamond();
    let document = taken_over(&graph, left_by_others(&["a", "b"]));
    let expected =
        [("a", NodeState::Completed), ("b", NodeState::Completed), ("c", NodeState::Ready)];
    let known: Vec<_> =
        states(&document).into_iter().filter(|(_, state)| *state != NodeState::Pending).collect();
    assert_eq!(known, expected);
    assert_eq!(document.head().blueprint().map(|id| &**id), Some("b"));
    let entry = document.entry("c").unwrap();
    assert_eq!(entry.enqueued_at, Some(NOW), "a neighbour has sent its message");
    assert_eq!(document.get("_inputs.c").map(|value| (**value).clone()), Some(json!(1)));
}

#[test]
fn what_was_taken_over_is_not_taken_over_again() {
    let graph = diamond();
    let once = taken_over(&graph, left_by_others(&["a", "b"]));
    let run = RunId::from("r");
    let again = Planner::new(&graph, &run, once.clone(), NOW + std::time::Duration::from_secs(5));
    let again = again.taking_over().document().clone();
    assert_eq!(states(&once), states(&again));
    assert_eq!(again.entry("c").unwrap().enqueued_at, Some(NOW));
}

#[test]
fn a_join_that_a_result_of_ours_completes_is_sent_and_one_that_theirs_do_is_not() {
    let graph = diamond();
    let run = RunId::from("r");
    let mut planner = Planner::new(&graph, &run, left_by_others(&["a", "b"]), NOW).taking_over();
    let Verdict::Applied(effects) = planner.apply(&completed("c"), Continuation::Enqueue) else {
        panic!("it is ready")
    };
    let ready: Vec<&str> = effects.ready.iter().map(|work| work.node.as_str()).collect();
    assert_eq!(ready, ["d"]);
    let (document, _) = planner.finish("commit").unwrap();
    assert_eq!(document.head().rev, 1);

    let document = taken_over(&graph, left_by_others(&["a", "b", "c"]));
    assert_eq!(document.state("d"), NodeState::Ready);
    let mut planner = Planner::new(&graph, &run, document, NOW).taking_over();
    assert_eq!(planner.apply(&completed("c"), Continuation::Enqueue), Verdict::Stale);
}

#[test]
fn outputs_of_later_turns_and_of_failed_nodes_prove_nothing() {
    let graph = diamond();
    let head = Head { rev: 1, ..Head::unadopted(None, None, Timestamp::default()) };
    for entry in [
        Entry { state: NodeState::Ready, iteration: 2, ..Entry::default() },
        Entry { state: NodeState::Ready, generation: 1, ..Entry::default() },
        Entry { state: NodeState::Failed, ..Entry::default() },
    ] {
        let mut document = RunDocument::new(head.clone());
        document.apply(&Op::Set(output_key("a").into(), Arc::new(json!(1))));
        assert_eq!(document.foreign_outputs().count(), 1);
        document.apply(&Op::Node("a".into(), Arc::new(entry.clone())));
        assert_eq!(document.foreign_outputs().count(), 0, "{entry:?}");
        assert_eq!(taken_over(&graph, document).state("a"), entry.state);
    }
}

#[test]
fn outputs_in_any_order_are_counted_for_what_they_are() {
    let mut document = left_by_others(&["a"]);
    let entry = Entry { state: NodeState::Completed, has_output: true, ..Entry::default() };
    document.apply(&Op::Node("a".into(), Arc::new(entry)));
    assert_eq!(document.foreign_outputs().count(), 0);
    document.apply(&Op::RemoveNode("a".into()));
    assert_eq!(document.foreign_outputs().count(), 1);
    document.apply(&Op::Remove(output_key("a").into()));
    assert_eq!(document.foreign_outputs().count(), 0);
    document.apply(&Op::Node("a".into(), Arc::default()));
    document.apply(&Op::Set(output_key("a").into(), Arc::new(json!(1))));
    assert_eq!(document.foreign_outputs().count(), 1);
}

#[test]
fn a_long_run_is_taken_over_whole() {
    let ids: Vec<String> = (0..10_000).map(|number| format!("n{number:05}")).collect();
    let nodes: Vec<Value> = ids.iter().map(|id| json!({"id": id, "uses": "x"})).collect();
    let edges: Vec<Value> =
        ids.windows(2).map(|pair| json!({"source": pair[1], "target": pair[0]})).collect();
    let graph = graph(&nodes.into(), &edges.into());
    // All but the last two; each id is before that of its predecessor.
    let outputs: Vec<&str> = ids[2..].iter().map(String::as_str).collect();
    let document = taken_over(&graph, left_by_others(&outputs));
    assert_eq!(document.completed(), 9_998);
    assert_eq!(document.ready().map(|node| &**node).collect::<Vec<_>>(), ["n00001"]);
    assert_eq!(document.status(), RunStatus::Running);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(taken_over(&graph, left_by_others(&all)).status(), RunStatus::Completed);
}

#[test]
fn several_messages_behind_one_choice_need_not_agree() {
    // A neighbour that got the same message twice took the chosen edge, and then the default one.
    let nodes: Vec<Value> =
        ["c", "x", "y", "z"].iter().map(|id| json!({"id": id, "uses": "x"})).collect();
    let edges = json!([
        {"source": "c", "target": "x", "action": "x"}, {"source": "c", "target": "y"},
        {"source": "c", "target": "z", "action": "z"},
    ]);
    let graph = graph(&nodes.into(), &edges);
    let run = RunId::from("r");
    let document = taken_over(&graph, left_by_others(&["c", "x", "y"]));
    assert_eq!(document.entry("c").unwrap().routes, ["x".into()]);
    assert_eq!(document.state("y"), NodeState::Completed, "it has run all the same");
    assert_eq!(document.undecided().count(), 0);
    assert_eq!(document.status(), RunStatus::Completed);
    let mut planner = Planner::new(&graph, &run, document, NOW).taking_over();
    let late = Event::Reached { node: "z".into() };
    assert_eq!(planner.apply(&late, Continuation::Enqueue), Verdict::Stale);
}
