//! Workers that die between a commit and the messages that follow from it.

use std::time::Duration;

use flowcraft_tui::{
    engine::{NodeState, RunDocument, RunStatus},
    worker::WorkerConfig,
};
use serde_json::json;

use super::{config, ended, once, run_worker, stage_of, start};
use crate::{
    stage::{Stage, state},
    tampered::dies_as,
};

/// Has a worker die once it has made the commit that fits. Its messages and leases are free soon.
pub(super) async fn dies_after(
    stage: &mut Stage,
    fits: impl Fn(&RunDocument) -> bool + Send + 'static,
) {
    let config = WorkerConfig { lease: Duration::from_secs(2), ..config("dying") };
    dies_as(stage, config, fits).await;
}

/// C12
#[tokio::test]
async fn a_worker_may_die_between_completing_an_all_join_and_running_it() {
    let nodes = json!([
        ["b", "const", {"value": 1}], ["c", "busy", {"ms": 300}], ["j", "noop"], ["z", "noop"],
    ]);
    let edges = json!([["b", "j"], ["c", "j"], ["j", "z"]]);
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    let run = start(&stage, &json!({})).await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    assert_eq!(stage.count("j"), 0);
    run_worker(&mut stage, "w");
    let view = ended(&stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["b", "c", "j", "z"]));
}

/// C13
#[tokio::test]
async fn a_worker_may_die_between_firing_an_any_join_and_running_it() {
    let nodes = json!([
        ["b", "const", {"value": 1}], ["c", "busy", {"ms": 4_000}],
        ["j", "noop", {}, {"joinStrategy": "any"}], ["z", "noop"],
    ]);
    let edges = json!([["b", "j"], ["c", "j"], ["j", "z"]]);
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    let run = start(&stage, &json!({})).await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    assert_eq!(stage.count("j"), 0);
    run_worker(&mut stage, "w");
    let view = ended(&stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("b"), stage.count("j"), stage.count("z")), (1, 1, 1));
    assert_eq!(state(&view, "c"), "completed");
}

/// C15
#[tokio::test]
async fn a_redelivery_follows_the_action_that_was_recorded() {
    let nodes = json!([["a", "emit-action", {"action": "left"}], ["l", "noop"], ["r", "noop"]]);
    let edges = json!([["a", "l", {"action": "left"}], ["a", "r"]]);
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    let run = start(&stage, &json!({})).await;
    dies_after(&mut stage, |after| after.state("a") == NodeState::Completed).await;
    assert_eq!(stage.counts(), once(&["a"]));
    run_worker(&mut stage, "w");
    let view = ended(&stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["a", "l"]));
    assert_eq!(state(&view, "r"), "skipped");
}
