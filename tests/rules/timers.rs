//! Rules 7 to 9: timers, status items, and reconciling without a flood.

use std::{collections::BTreeMap, time::Duration};

use flowcraft_tui::{cluster::Lane, engine::RunStatus, operations::Operations};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    fencing::reconciling,
    stage::{Stage, blueprint, pass},
    tampered::Tampered,
};

fn sleeper() -> Stage {
    Stage::of(&json!([["s", "sleep", {"duration": "1h"}], ["b", "noop"]]), &json!([["s", "b"]]))
}

#[tokio::test(start_paused = true)]
async fn rule_7_a_timer_message_proves_nothing() {
    let mut stage = sleeper();
    stage.worker("w");
    let began = Instant::now();
    let run = stage.start().await;
    let due = stage.settled(&run).await;
    let due = stage.document(&due.run).await.entry("s").unwrap().due_at;
    for redrive in [None, Some(true), Some(true)] {
        pass(60).await;
        let mut early = stage.plain_job(&run, "s");
        early.redrive = redrive;
        stage.send(early.encode()).await;
    }
    pass(60).await;
    assert_eq!(stage.count("b"), 0);
    assert_eq!(stage.document(&run).await.entry("s").unwrap().due_at, due, "fixed in the commit");
    assert_eq!(stage.ended(&run).await.status, RunStatus::Completed);
    let woke = stage.times("b");
    assert_eq!(woke.len(), 1);
    assert!((3600..3605).contains(&(woke[0] - began).as_secs()));
    pass(3600).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rule_7_a_lost_timer_message_is_found_by_the_time_it_was_due() {
    let mut stage = sleeper();
    let worker = stage.worker("w");
    let began = Instant::now();
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Awaiting);
    pass(1).await;
    let item = stage.status(&run).await;
    let due = stage.document(&run).await.entry("s").unwrap().due_at;
    assert_eq!(item.status, Some(RunStatus::Awaiting));
    assert_eq!(item.next_due_at, due);
    worker.drain();
    pass(3600).await;
    assert_eq!(stage.lose_messages().await.len(), 1);
    stage.run_worker(&stage.make_worker(reconciling("w2")));
    assert_eq!(stage.ended(&run).await.status, RunStatus::Completed);
    let woke = stage.times("b")[0] - began;
    assert!((3600..3700).contains(&woke.as_secs()), "{woke:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_7_a_lost_message_of_a_retry_is_found_by_the_time_it_was_due() {
    let mut stage = Stage::of(
        &json!([["a", "fail", {}, {"maxRetries": 2, "retryDelay": 600_000}]]),
        &json!([]),
    );
    stage.worker("w");
    let run = stage.start().await;
    pass(5).await;
    stage.crash().await;
    pass(600).await;
    assert_eq!(stage.lose_messages().await.len(), 1);
    stage.run_worker(&stage.make_worker(reconciling("w2")));
    let view = stage.ended(&run).await;
    assert_eq!(view.nodes[0].attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn rule_8_a_node_that_runs_for_an_hour_is_not_stalled_nor_are_its_ancestors() {
    let calls = |child: &str| json!([["sf", "subflow", {"blueprintId": child}]]);
    let mut stage = Stage::new(vec![
        blueprint("top", &calls("middle"), &json!([])),
        blueprint("middle", &calls("bottom"), &json!([])),
        blueprint("bottom", &json!([["a", "busy", {"ms": 3_600_000}]]), &json!([])),
    ]);
    stage.worker("w");
    let run = stage.start().await;
    for _ in 0..50 {
        pass(60).await;
        let stalled = stage.operations.stalled_runs(Duration::from_secs(45)).await.unwrap();
        assert!(stalled.is_empty(), "{stalled:?}");
    }
    assert_eq!(stage.ended(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn rule_8_a_requeue_leaves_a_final_status_and_removes_what_it_said() {
    let mut stage = Stage::of(&json!([["a", "fail"], ["b", "wait"]]), &json!([]));
    let worker = stage.worker("w");
    let run = stage.start().await;
    stage.settled(&run).await;
    stage.answer(&run, "b", None, None).await.unwrap();
    assert_eq!(stage.ended(&run).await.status, RunStatus::Failed);
    pass(5).await;
    let item = stage.status(&run).await;
    assert_eq!(item.final_status.unwrap()["status"], "failed");
    worker.drain();
    pass(5).await;
    stage.requeue(&run, &[]).await;
    let item = stage.status(&run).await;
    assert_eq!((item.status, item.final_status), (Some(RunStatus::Running), None));
}

#[tokio::test(start_paused = true)]
async fn rule_8_a_status_is_touched_seldom_while_nothing_changes() {
    let nodes: Vec<_> = (0..200).map(|n| json!([format!("n{n}"), "busy", {"ms": 50}])).collect();
    let edges: Vec<_> = (1..200).map(|n| json!([format!("n{}", n - 1), format!("n{n}")])).collect();
    let mut stage = Stage::of(&json!(nodes), &json!(edges));
    let counted = Tampered::counting(&stage.cluster);
    stage.run_worker(&stage.make_worker_on(counted.cluster(), crate::stage::alone("w")));
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    // Ten seconds of work.
    let touches = counted.calls("replace_status");
    assert!((2..=5).contains(&touches), "{touches}");
}

#[tokio::test(start_paused = true)]
async fn rule_9_reconciling_does_not_flood_the_queue() {
    let stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    for number in 0..20 {
        stage.operations.start(stage.request(&format!("r{number}"), &json!({}))).await.unwrap();
        pass(1).await;
    }
    // Nobody works. Every message is still there.
    for _ in 0..10 {
        pass(600).await;
        stage.operations.reconcile_stalled(Duration::from_mins(5)).await.unwrap();
    }
    // Of the oldest message alone one can't say whether it is its run's own.
    let depth = stage.depth(Lane::Jobs).await;
    assert!((20..=21).contains(&depth), "{depth} messages");
}

#[tokio::test(start_paused = true)]
async fn rule_9_what_was_lost_is_enqueued_once() {
    let stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    for number in 0..20 {
        stage.operations.start(stage.request(&format!("r{number}"), &json!({}))).await.unwrap();
        pass(1).await;
    }
    assert_eq!(stage.lose_messages().await.len(), 20);
    for _ in 0..5 {
        pass(600).await;
        stage.operations.reconcile_stalled(Duration::from_mins(5)).await.unwrap();
    }
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    for job in stage.lose_messages().await {
        *runs.entry(job.run_id.to_string()).or_default() += 1;
    }
    assert_eq!(runs.len(), 20);
    // Those that were enqueued first are as old as the oldest message: they may be there twice.
    assert!(runs.values().all(|count| *count <= 2), "{runs:?}");
}

/// Runs that have slept for long enough, one after the other, and that nobody wakes.
async fn overslept(runs: usize) -> Stage {
    let mut stage = sleeper();
    let worker = stage.worker("w");
    for number in 0..runs {
        stage.operations.start(stage.request(&format!("r{number}"), &json!({}))).await.unwrap();
        pass(1).await;
    }
    worker.drain();
    pass(3_600).await;
    assert_eq!(stage.depth(Lane::Jobs).await, runs as u64, "each sleep has its message");
    stage
}

#[tokio::test(start_paused = true)]
async fn rule_9_overdue_timers_in_a_backlog_do_not_flood_the_queue() {
    let stage = overslept(20).await;
    for _ in 0..10 {
        pass(600).await;
        stage.operations.reconcile_stalled(Duration::from_mins(5)).await.unwrap();
    }
    assert_eq!(stage.depth(Lane::Jobs).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_pass_over_many_runs_asks_once_how_old_the_queue_is() {
    let stage = overslept(20).await;
    pass(600).await;
    let counted = Tampered::counting(&stage.cluster);
    let operations = Operations::new(counted.cluster(), stage.library.clone(), "operator");
    let report = operations.reconcile_stalled(Duration::from_mins(5)).await.unwrap();
    assert_eq!((report.stalled_runs, counted.calls("depth")), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_9_overdue_timers_whose_messages_are_lost_are_enqueued_once() {
    let mut stage = overslept(20).await;
    assert_eq!(stage.lose_messages().await.len(), 20);
    for _ in 0..5 {
        pass(600).await;
        stage.operations.reconcile_stalled(Duration::from_mins(5)).await.unwrap();
    }
    let depth = stage.depth(Lane::Jobs).await;
    // Those that were enqueued first are as old as the oldest message: they may be there twice.
    assert!((20..=40).contains(&depth), "{depth} messages");
    stage.worker("w2");
    for number in 0..20 {
        let run = format!("r{number}").into();
        assert_eq!(stage.ended(&run).await.status, RunStatus::Completed);
    }
    assert_eq!(stage.count("b"), 20);
}
