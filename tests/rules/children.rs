//! Rule 14: parents and children.

use flowcraft_tui::{
    blueprint::RunId,
    engine::{Awaits, RunStatus},
    nodes::{NodeError, NodeOutput},
};
use serde_json::{Value, json};

use crate::stage::{Stage, blueprint, pass, state};

/// A parent whose subflow has these nodes, and `config`.
fn family(child: &Value, config: &Value) -> Stage {
    Stage::new(vec![
        blueprint(
            "parent",
            &json!([["sf", "subflow", {"blueprintId": "child"}, config], ["b", "echo"]]),
            &json!([["sf", "b"]]),
        ),
        blueprint("child", child, &json!([])),
    ])
}

async fn cancel(stage: &Stage, run: &RunId) {
    let plan = stage.operations.plan_cancel(run).await.unwrap();
    stage.operations.apply(&plan).await.unwrap();
}

/// The child run that the parent's node waits for.
async fn child(stage: &Stage, run: &RunId) -> RunId {
    match stage.document(run).await.entry("sf").unwrap().awaits.clone() {
        Some(Awaits::Child { run, .. }) => run,
        other => panic!("{other:?}"),
    }
}

async fn status(stage: &Stage, run: &RunId) -> RunStatus {
    stage.operations.view(run).await.unwrap().status
}

#[tokio::test(start_paused = true)]
async fn rule_14_the_end_of_another_child_is_ignored() {
    let mut stage = family(&json!([["w", "wait"]]), &json!({}));
    let run = stage.play(&json!({})).await.run;
    let first = child(&stage, &run).await;
    stage.requeue(&run, &["sf"]).await;
    stage.settled(&run).await;
    let second = child(&stage, &run).await;
    assert_ne!(first, second, "requeueing the node starts a fresh child");
    pass(60).await;
    assert_eq!(status(&stage, &first).await, RunStatus::Cancelled, "the old one is stopped");
    assert_eq!(status(&stage, &run).await, RunStatus::Awaiting, "its end is ignored");
    // Even if it is brought back to life and completes.
    stage.requeue(&first, &["w"]).await;
    stage.settled(&first).await;
    stage.answer(&first, "w", None, Some(json!("old"))).await.unwrap();
    assert_eq!(stage.settled(&first).await.status, RunStatus::Completed);
    pass(60).await;
    assert_eq!(status(&stage, &run).await, RunStatus::Awaiting);
    stage.answer(&second, "w", None, Some(json!("new"))).await.unwrap();
    let view = stage.ended(&run).await;
    assert_eq!((view.status, &view.outputs["b"]), (RunStatus::Completed, &json!("new")));
}

#[tokio::test(start_paused = true)]
async fn rule_14_cancelling_goes_down() {
    let mut stage = family(&json!([["a", "busy", {"ms": 600_000}]]), &json!({}));
    stage.worker("w");
    let run = stage.start().await;
    pass(5).await;
    let child = child(&stage, &run).await;
    cancel(&stage, &run).await;
    pass(60).await;
    assert_eq!(status(&stage, &run).await, RunStatus::Cancelled);
    assert_eq!(status(&stage, &child).await, RunStatus::Cancelled);
    assert_eq!(stage.count("b"), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_cancelled_child_fails_its_node_without_retries() {
    let mut stage = family(&json!([["w", "wait"]]), &json!({"maxRetries": 3}));
    let run = stage.play(&json!({})).await.run;
    cancel(&stage, &child(&stage, &run).await).await;
    let view = stage.ended(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert!(view.errors[0].message.contains("was cancelled"), "{:?}", view.errors);
    assert_eq!(stage.document(&run).await.entry("sf").unwrap().children, 1);
}

/// A node that fails until it has been started `times` times.
fn fails_at_first(stage: Stage, times: usize) -> Stage {
    let starts = stage.starts.clone();
    stage.with_fn("flaky", move |_| {
        let count = starts.lock().unwrap().iter().filter(|start| start.node == "x").count();
        if count <= times {
            Err(NodeError::ordinary("not yet"))
        } else {
            Ok(NodeOutput::value(count))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_failed_child_is_tried_again_as_a_fresh_run() {
    let mut stage = fails_at_first(family(&json!([["x", "flaky"]]), &json!({"maxRetries": 3})), 2);
    let view = stage.play(&json!({})).await;
    assert_eq!((view.status, &view.outputs["b"]), (RunStatus::Completed, &json!(3)));
    let runs: std::collections::BTreeSet<RunId> =
        stage.starts.lock().unwrap().iter().map(|start| start.run.clone()).collect();
    assert_eq!(runs.len(), 4, "three children and the parent: {runs:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_14_requeueing_a_failed_child_opens_its_parents_node_again() {
    let mut stage = fails_at_first(family(&json!([["x", "flaky"]]), &json!({})), 1);
    let run = stage.play(&json!({})).await.run;
    let view = stage.ended(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    let child = child(&stage, &run).await;
    stage.requeue(&child, &["x"]).await;
    let view = stage.ended(&run).await;
    assert_eq!((view.status, &view.outputs["b"]), (RunStatus::Completed, &json!(2)));
    assert_eq!(state(&view, "sf"), "completed");
    assert_eq!(status(&stage, &child).await, RunStatus::Completed);
    pass(30).await;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Completed));
}
