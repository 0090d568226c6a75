//! A24, A25, A37 and C20: failures, and what is tried before.

use std::time::Duration;

use flowcraft_tui::{cluster::Lane, engine::RunStatus};
use serde_json::json;

use crate::stage::{Stage, pass, state};

#[tokio::test(start_paused = true)]
async fn a24_a_failure_beside_a_working_branch_is_final_at_the_end() {
    let mut stage = Stage::of(
        &json!([
            ["bad", "fail", {"message": "out of ink"}],
            ["c", "busy", {"ms": 500}], ["d", "busy", {"ms": 500}],
        ]),
        &json!([["c", "d"]]),
    );
    stage.worker("w2");
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(stage.count("d"), 1, "the other branch goes on");
    assert_eq!(view.errors[0].message, "out of ink");
    pass(600).await;
    let item = stage.status(&view.run).await;
    assert_eq!(item.status, Some(RunStatus::Failed));
    assert_eq!(item.final_status.unwrap()["status"], "failed");
}

#[tokio::test(start_paused = true)]
async fn a25_a_failed_predecessor_leaves_other_successors_alone() {
    let mut stage = Stage::of(
        &json!([["bad", "fail"], ["good", "busy", {"ms": 200}], ["j", "noop"], ["ok", "noop"]]),
        &json!([["bad", "j"], ["good", "j"], ["good", "ok"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!((stage.count("ok"), stage.count("j")), (1, 0));
    assert_eq!(state(&view, "j"), "skipped");
}

#[tokio::test(start_paused = true)]
async fn a37_a_webhook_without_an_endpoint_fails_with_a_clear_error() {
    let mut stage =
        Stage::of(&json!([["hook", "webhook"], ["b", "noop"]]), &json!([["hook", "b"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(stage.count("b"), 0);
    let message = &view.errors[0].message;
    assert!(message.contains("webhook") && message.contains("endpoint"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn c20_the_pause_between_attempts_is_kept() {
    for (delay, node) in [(500, "short"), (20_000, "long")] {
        let mut stage = Stage::of(
            &json!([[node, "fail", {}, {"maxRetries": 3, "retryDelay": delay}]]),
            &json!([]),
        );
        stage.worker("w");
        let run = stage.start().await;
        let view = stage.ended(&run).await;
        assert_eq!(view.status, RunStatus::Failed);
        let starts = stage.starts.lock().unwrap().clone();
        let attempts: Vec<u32> = starts.iter().map(|start| start.attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
        for pair in starts.windows(2) {
            let pause = pair[1].at - pair[0].at;
            assert!(pause >= Duration::from_millis(delay), "{node}: {pause:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c20_an_attempt_ends_when_its_time_is_over() {
    let mut stage = Stage::of(
        &json!([["slow", "busy", {"ms": 400}, {"timeout": 50, "maxRetries": 2}]]),
        &json!([]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert!(view.errors[0].message.contains("timed out after 50 ms"), "{:?}", view.errors);
    assert_eq!(stage.starts.lock().unwrap().len(), 2);
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}
