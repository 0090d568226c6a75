//! D-2 to D-7: what the reconciler must leave alone, and what it must mend.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Key, Lane, Neighbours},
    engine::{NodeState, RunStatus},
    worker::{ReconcilerConfig, WorkerConfig},
};
use serde_json::json;

use crate::{
    stage::{Stage, alone, pass},
    tampered::dies_after,
};

/// A worker that takes every run for stalled that has not moved for a second.
fn eager(name: &str) -> WorkerConfig {
    WorkerConfig {
        reconciler: Some(ReconcilerConfig {
            every: Duration::from_secs(2),
            stalled_after: Duration::from_secs(1),
        }),
        ..alone(name)
    }
}

fn run_eager(stage: &mut Stage) {
    for name in ["w1", "w2"] {
        let worker = stage.make_worker(eager(name));
        stage.run_worker(&worker);
    }
}

#[tokio::test(start_paused = true)]
async fn d2_a_node_that_works_is_not_started_again() {
    let mut stage =
        Stage::of(&json!([["a", "busy", {"ms": 300_000}], ["b", "noop"]]), &json!([["a", "b"]]));
    run_eager(&mut stage);
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn d3_a_branch_not_taken_and_an_unused_fallback_stay_so() {
    let mut stage = Stage::of(
        &json!([
            ["a", "emit-action", {"action": "left"}, {"fallback": "f"}], ["f", "noop"],
            ["l", "busy", {"ms": 300_000}], ["r", "noop"], ["w", "wait"],
        ]),
        &json!([["a", "l", {"action": "left"}], ["a", "r", {"action": "right"}]]),
    );
    run_eager(&mut stage);
    let run = stage.start().await;
    stage.until(&run, "awaits", |view| view.status == RunStatus::Awaiting).await;
    pass(600).await;
    let report = stage.operations.reconcile(std::slice::from_ref(&run)).await;
    assert!(report.runs[0].enqueued.is_empty(), "{report:?}");
    pass(60).await;
    assert_eq!((stage.count("r"), stage.count("f"), stage.count("l")), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn d4_a_run_that_waits_is_left_waiting() {
    let mut stage = Stage::of(
        &json!([["w", "wait"], ["s", "sleep", {"duration": "2h"}], ["b", "noop"]]),
        &json!([["w", "b"], ["s", "b"]]),
    );
    run_eager(&mut stage);
    let run = stage.start().await;
    stage.settled(&run).await;
    let rev = stage.document(&run).await.head().rev;
    pass(3600).await;
    stage.operations.reconcile(std::slice::from_ref(&run)).await;
    let stalled = stage.operations.stalled_runs(Duration::from_secs(1)).await.unwrap();
    assert!(stalled.is_empty(), "{stalled:?}");
    assert_eq!(stage.document(&run).await.head().rev, rev);
    assert_eq!(stage.depth(Lane::Jobs).await, 1, "the timer's message alone");
}

#[tokio::test(start_paused = true)]
async fn d5_a_failed_run_is_final() {
    let mut stage = Stage::of(&json!([["a", "fail"]]), &json!([]));
    run_eager(&mut stage);
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Failed);
    // A neighbour's last touch says that it runs.
    let store = stage.cluster.state.clone();
    let mut known = store.read_status(&run).await.unwrap().unwrap();
    known.item.status = Some(RunStatus::Running);
    store.replace_status(&known.item, &known.version).await.unwrap();
    pass(600).await;
    assert_eq!(stage.count("a"), 1);
    assert_eq!(stage.operations.view(&run).await.unwrap().status, RunStatus::Failed);
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Failed), "it is put right");
}

#[tokio::test(start_paused = true)]
async fn d6_a_run_that_stopped_on_a_held_join_lock_goes_on() {
    let mut stage = Stage::of(
        &json!([["b", "noop"], ["c", "noop"], ["j", "noop", {}, {"joinStrategy": "any"}]]),
        &json!([["b", "j"], ["c", "j"]]),
    );
    stage.cluster.neighbours = Neighbours::JavaScript;
    let run = stage.start().await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    let lock = Key::join_lock(&run, &"j".into());
    let hour = Duration::from_hours(1);
    stage.cluster.coordination.set_if_absent(&lock, "locked", hour).await.unwrap();
    pass(120).await;
    assert!(!stage.lose_messages().await.is_empty());
    run_eager(&mut stage);
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
}

#[tokio::test(start_paused = true)]
async fn d7_what_has_ended_is_not_visited_again() {
    let mut stage = Stage::of(
        &json!([
            ["a", "emit-action", {"action": "left"}, {"fallback": "f"}], ["f", "noop"],
            ["l", "noop"], ["r", "noop"], ["j", "noop"],
        ]),
        &json!([["a", "l", {"action": "left"}], ["a", "r", {"action": "right"}], ["l", "j"], ["r", "j"]]),
    );
    run_eager(&mut stage);
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    pass(600).await;
    assert!(stage.operations.stalled_runs(Duration::from_secs(1)).await.unwrap().is_empty());
    assert_eq!((stage.count("r"), stage.count("f"), stage.count("j")), (0, 0, 0));
}
