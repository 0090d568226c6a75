//! A7 to A23, A33 and A38: loops, batches, joins, fallbacks, routing.

use flowcraft_tui::{
    engine::{NodeState, RunStatus},
    nodes::{DynamicSpec, NodeOutput},
    operations::NodeStanding,
};
use serde_json::{Value, json};

use crate::stage::{Stage, outputs, state};

#[tokio::test(start_paused = true)]
async fn a7_a_loop_entered_through_its_controller_makes_all_its_passes() {
    let mut stage = Stage::of(
        &json!([
            ["init", "set-ctx", {"key": "more", "value": true}],
            ["loop", "loop-controller", {"condition": "more"}, {"joinStrategy": "any"}],
            ["body", "incr-check", {"key": "n", "flag": "more", "limit": 3}],
            ["done", "get-ctx", {"key": "n"}],
        ]),
        &json!([
            ["init", "loop"],
            ["loop", "body", {"action": "continue"}],
            ["body", "loop"],
            ["loop", "done", {"action": "break"}],
        ]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("body"), 3);
    assert_eq!(view.outputs["done"], 3);
}

#[tokio::test(start_paused = true)]
async fn a8_a_loop_entered_into_an_any_body_makes_all_its_passes() {
    let mut stage = Stage::of(
        &json!([
            ["init", "noop"],
            ["body", "incr-check", {"key": "n", "flag": "more", "limit": 3}, {"joinStrategy": "any"}],
            ["loop", "loop-controller", {"condition": "more"}, {"joinStrategy": "any"}],
            ["done", "get-ctx", {"key": "n"}],
        ]),
        &json!([
            ["init", "body"],
            ["body", "loop"],
            ["loop", "body", {"action": "continue"}],
            ["loop", "done", {"action": "break"}],
        ]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("body"), 3);
    assert_eq!(view.outputs["done"], 3);
}

fn batch(items: usize) -> Stage {
    let items: Vec<usize> = (1..=items).collect();
    Stage::of(
        &json!([
            ["src", "const", {"value": items}],
            ["sc", "batch-scatter", {"workerUsesKey": "double", "gatherNodeId": "ga"}, {}, "src"],
            ["ga", "batch-gather", {"gatherNodeId": "ga", "outputKey": "results"}],
            ["total", "sum", {}, {}, "results"],
        ]),
        &json!([["src", "sc"], ["sc", "ga"], ["ga", "total"]]),
    )
}

#[tokio::test(start_paused = true)]
async fn a9_a_batch_runs_its_workers_and_gathers_after_the_last() {
    let mut stage = batch(3);
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["ga"], json!([2, 4, 6]));
    assert_eq!(view.outputs["total"], 12);
}

#[tokio::test(start_paused = true)]
async fn a10_a_batch_may_have_more_items_than_a_patch_has_operations() {
    let mut stage = batch(40);
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.errors);
    assert_eq!(view.outputs["total"], 40 * 41);
}

#[tokio::test(start_paused = true)]
async fn a11_a_run_ends_though_a_branch_was_not_taken() {
    let mut stage = Stage::of(
        &json!([["a", "emit-action", {"action": "left"}], ["l", "noop"], ["r", "noop"]]),
        &json!([["a", "l", {"action": "left"}], ["a", "r", {"action": "right"}]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("l"), stage.count("r")), (1, 0));
    assert_eq!(state(&view, "r"), "skipped");
}

#[tokio::test(start_paused = true)]
async fn a12_conditional_branches_into_an_all_join_end_the_run_without_it() {
    let mut stage = Stage::of(
        &json!([
            ["a", "const", {"value": {"ok": true, "no": false}}],
            ["l", "noop"], ["r", "noop"], ["j", "noop"],
        ]),
        &json!([
            ["a", "l", {"condition": "result.output.ok"}],
            ["a", "r", {"condition": "result.output.no"}],
            ["l", "j"], ["r", "j"],
        ]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("l"), stage.count("r"), stage.count("j")), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a13_two_edges_between_two_nodes_count_as_one_predecessor() {
    let mut stage = Stage::of(
        &json!([["a", "emit-action", {"action": "one"}], ["b", "noop"]]),
        &json!([["a", "b", {"action": "one"}], ["a", "b", {"action": "two"}]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("b"), 1);
}

#[tokio::test(start_paused = true)]
async fn a14_the_outputs_of_a_failed_node_and_its_fallback_are_both_recorded() {
    let mut stage = Stage::of(
        &json!([
            ["a", "const", {"value": 1}],
            ["b", "fail", {}, {"fallback": "f"}],
            ["f", "const", {"value": "instead"}],
            ["c", "echo"],
        ]),
        &json!([["a", "b"], ["b", "c"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a": 1, "b": null, "c": "instead", "f": "instead"}));
}

#[tokio::test(start_paused = true)]
async fn a15_a_fallback_follows_its_own_edges_and_the_inherited_ones() {
    let mut stage = Stage::of(
        &json!([
            ["b", "fail", {}, {"fallback": "f"}],
            ["f", "const", {"value": 2}], ["d", "echo"], ["e", "echo"],
        ]),
        &json!([["b", "d"], ["f", "e"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("d"), stage.count("e")), (1, 1));
}

fn unused_fallback() -> Stage {
    Stage::of(
        &json!([
            ["b", "const", {"value": 1}, {"fallback": "f"}],
            ["f", "const", {"value": 2}], ["c", "echo"],
        ]),
        &json!([["b", "c"]]),
    )
}

#[tokio::test(start_paused = true)]
async fn a16_a_fallback_that_is_not_needed_does_not_hold_the_run() {
    let mut stage = unused_fallback();
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(state(&view, "f"), "skipped");
}

#[tokio::test(start_paused = true)]
async fn a17_a_fallback_is_no_start_node() {
    let mut stage = unused_fallback();
    let run = stage.start().await;
    // A client that sends a message for every node without incoming edges, as the README did.
    stage.send(stage.plain_job(&run, "f").encode()).await;
    stage.worker("w");
    stage.settled(&run).await;
    crate::stage::pass(60).await;
    assert_eq!(stage.count("f"), 0);
    assert_eq!(stage.depth(flowcraft_tui::cluster::Lane::Jobs).await, 0);
}

/// Sources `p0`, `p1`, ... that take different times, into the `any` join `j`.
fn any_join(sources: usize) -> Stage {
    let mut nodes = vec![json!(["j", "noop", {}, {"joinStrategy": "any"}])];
    let mut edges = Vec::new();
    for number in 0..sources {
        let id = format!("p{number}");
        nodes.push(json!([id, "busy", {"ms": 100 * number}]));
        edges.push(json!([id, "j"]));
    }
    Stage::of(&Value::Array(nodes), &Value::Array(edges))
}

#[tokio::test(start_paused = true)]
async fn a18_an_any_join_of_two_runs_once() {
    let mut stage = any_join(2);
    stage.worker("w2");
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
}

#[tokio::test(start_paused = true)]
async fn a19_an_any_join_of_three_ignores_the_losers() {
    let mut stage = any_join(3);
    stage.worker("w2");
    let view = stage.play(&json!({})).await;
    crate::stage::pass(60).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
    let run = view.run;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Completed));
    assert_eq!(stage.operations.view(&run).await.unwrap().status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a20_a_terminal_node_without_an_output_completes_the_run() {
    let mut stage =
        Stage::of(&json!([["a", "const", {"value": 1}], ["z", "noop"]]), &json!([["a", "z"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(state(&view, "z"), "completed");
    assert!(!view.outputs.contains_key("z"));
    assert!(stage.document(&view.run).await.output("z").is_none());
}

#[tokio::test(start_paused = true)]
async fn a21_a_condition_sees_the_outputs_by_their_nodes_ids() {
    let mut stage = Stage::of(
        &json!([["a", "const", {"value": {"ok": true}}], ["b", "noop"], ["c", "noop"]]),
        &json!([["a", "b", {"condition": "a.ok"}], ["a", "c", {"condition": "a.missing"}]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("b"), stage.count("c")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a22_transforms_and_nodes_see_the_outputs_by_their_nodes_ids() {
    let mut stage = Stage::of(
        &json!([
            ["a", "const", {"value": {"v": 7}}], ["b", "echo"], ["c", "get-ctx", {"key": "a"}],
        ]),
        &json!([["a", "b", {"transform": "context.a.v"}], ["b", "c"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.outputs["b"], 7);
    assert_eq!(view.outputs["c"], json!({"v": 7}));
}

#[tokio::test(start_paused = true)]
async fn a23_an_action_that_matches_nothing_starts_the_successors() {
    let mut stage = Stage::of(
        &json!([["a", "emit-action", {"action": "odd"}], ["b", "noop"], ["c", "noop"]]),
        &json!([["a", "b", {"action": "left"}], ["a", "c", {"action": "right"}]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("b"), stage.count("c")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a33_dynamic_nodes_of_any_node_run() {
    let stage = Stage::of(&json!([["a", "adds"], ["z", "noop"]]), &json!([["a", "z"]]));
    let mut stage = stage.with_fn("adds", |_| {
        let dynamic_nodes = (1..=3)
            .map(|n| DynamicSpec {
                id: format!("more-{n}").into(),
                uses: "add".to_owned(),
                params: json!({"n": n}).as_object().cloned().unwrap(),
                inputs: Some("a".into()),
                config: serde_json::Map::new(),
            })
            .collect();
        Ok(NodeOutput { dynamic_nodes, ..NodeOutput::value(10) })
    });
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a": 10, "more-1": 11, "more-2": 12, "more-3": 13}));
}

#[tokio::test(start_paused = true)]
async fn a38_a_plain_cycle_and_an_edge_to_nowhere_end() {
    let mut stage = Stage::of(
        &json!([["a", "noop"], ["b", "noop"], ["x", "noop"]]),
        &json!([["a", "b"], ["b", "a"], ["x", "ghost"], ["ghost", "b"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("x"), 1);
    // Nobody enters the cycle: it has no entry beside the start node.
    let idle = NodeStanding::Recorded(NodeState::Skipped);
    assert!(
        view.nodes.iter().filter(|line| line.id.as_str() != "x").all(|line| line.state == idle)
    );

    let mut stage =
        Stage::of(&json!([["a", "noop"], ["b", "noop"]]), &json!([["a", "b"], ["b", "a"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}
