//! Rules 1 to 3: whose result counts, what follows the last commit, and commits that a neighbour
//! wrote over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flowcraft_tui::{
    cluster::{Job, Lane},
    engine::{Closing, NodeState, Op, RunDocument, RunStatus},
    nodes::NodeOutput,
    worker::{ReconcilerConfig, WorkerConfig},
};
use serde_json::json;

use crate::{
    stage::{Stage, alone, blueprint, outputs, pass, state},
    tampered::{Fate, Tampered, dies_after},
};

/// Gives back which execution it was.
fn with_key(stage: Stage) -> Stage {
    stage.with_fn("key", |context| {
        Ok(NodeOutput::value(context.execution().idempotency_key.clone()))
    })
}

pub(crate) fn reconciling(name: &str) -> WorkerConfig {
    WorkerConfig {
        reconciler: Some(ReconcilerConfig {
            every: Duration::from_secs(20),
            stalled_after: Duration::from_mins(1),
        }),
        ..alone(name)
    }
}

#[tokio::test(start_paused = true)]
async fn rule_1_a_result_whose_commit_meets_a_requeue_is_dropped() {
    let mut stage =
        with_key(Stage::of(&json!([["a", "key"], ["b", "echo"]]), &json!([["a", "b"]])));
    let mut first = true;
    let slow = Tampered::new(&stage.cluster, move |call| match call.name {
        "commit" if std::mem::take(&mut first) => Fate::Late(Duration::from_secs(5)),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(slow.cluster(), alone("w")));
    let run = stage.start().await;
    pass(2).await;
    assert_eq!(stage.count("a"), 1, "its result is on the way");
    stage.requeue(&run, &["a"]).await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["a"], "r:a:1:1");
    assert_eq!(view.outputs["b"], "r:a:1:1");
    assert_eq!((stage.count("a"), stage.count("b")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_1_a_message_of_an_earlier_turn_runs_nothing() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    let run = stage.start().await;
    stage.requeue(&run, &["a"]).await;
    let jobs = stage.lose_messages().await;
    let generations: Vec<_> = jobs.iter().map(|job| job.generation).collect();
    assert_eq!(generations, [Some(0), Some(1)]);
    stage.send(jobs[0].encode()).await;
    let other_turn = Job { iteration: Some(2), ..jobs[1].clone() };
    stage.send(other_turn.encode()).await;
    stage.worker("w");
    pass(60).await;
    assert_eq!(stage.count("a"), 0);
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    stage.send(jobs[1].encode()).await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
}

async fn assert_closed(stage: &Stage, run: &str) {
    let run = run.into();
    let document = stage.document(&run).await;
    // Without a parent, the final status is the record.
    let noted = document.head().parent.as_ref().map(|_| Closing::Closed);
    assert_eq!(document.head().closed, noted.unwrap_or_default(), "{run}");
    let item = stage.status(&run).await;
    assert_eq!(item.status, Some(document.status()), "{run}");
    assert_eq!(item.final_status.unwrap()["status"], document.status().as_str(), "{run}");
}

#[tokio::test(start_paused = true)]
async fn rule_2_a_redelivery_closes_a_finished_run() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    let run = stage.start().await;
    dies_after(&mut stage, |after| after.status().is_final()).await;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Running));
    stage.worker("w");
    pass(120).await;
    assert_closed(&stage, "r").await;
}

#[tokio::test(start_paused = true)]
async fn rule_2_the_reconciler_closes_a_finished_run() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    stage.start().await;
    dies_after(&mut stage, |after| after.status().is_final()).await;
    pass(120).await;
    assert_eq!(stage.lose_messages().await.len(), 1);
    stage.run_worker(&stage.make_worker(reconciling("w")));
    pass(120).await;
    assert_closed(&stage, "r").await;
}

fn with_child() -> Stage {
    Stage::new(vec![
        blueprint(
            "parent",
            &json!([["sf", "subflow", {"blueprintId": "child"}], ["b", "echo"]]),
            &json!([["sf", "b"]]),
        ),
        blueprint("child", &json!([["x", "const", {"value": 2}]]), &json!([])),
    ])
}

/// Whether a child has ended.
fn child_ended(after: &RunDocument) -> bool {
    after.head().parent.is_some() && after.status().is_final()
}

#[tokio::test(start_paused = true)]
async fn rule_2_a_redelivery_tells_the_parent_of_the_end_of_its_child() {
    let mut stage = with_child();
    let run = stage.start().await;
    dies_after(&mut stage, child_ended).await;
    stage.worker("w");
    let view = stage.settled(&run).await;
    assert_eq!(outputs(&view), json!({"b": 2, "sf": 2}));
    pass(120).await;
    assert_closed(&stage, "r").await;
    assert_closed(&stage, "r.sf").await;
}

#[tokio::test(start_paused = true)]
async fn rule_2_the_reconciler_compares_parents_with_their_children() {
    let mut stage = with_child();
    let run = stage.start().await;
    dies_after(&mut stage, child_ended).await;
    pass(120).await;
    assert!(!stage.lose_messages().await.is_empty());
    // As if the child's own closing work had been noted as done.
    let child = "r.sf".into();
    let mut head = stage.document(&child).await.head().clone();
    head.closed = Closing::Closed;
    stage.edit(&child, &[Op::Head(Arc::new(head))]).await;
    stage.run_worker(&stage.make_worker(reconciling("w")));
    let view = stage.settled(&run).await;
    assert_eq!(outputs(&view), json!({"b": 2, "sf": 2}));
}

/// The operations that lead from one document back to an older one.
fn back_to(old: &RunDocument, new: &RunDocument) -> Vec<Op> {
    let mut ops = vec![Op::Head(Arc::new(old.head().clone()))];
    for (key, _) in new.context().filter(|(key, _)| old.get(key).is_none()) {
        ops.push(Op::Remove(key.clone()));
    }
    for (node, _) in new.entries() {
        ops.push(match old.entry(node) {
            Some(entry) => Op::Node(node.clone(), entry.clone()),
            None => Op::RemoveNode(node.clone()),
        });
    }
    ops
}

#[tokio::test(start_paused = true)]
async fn rule_3_commits_that_a_neighbour_wrote_over_are_put_back() {
    let mut stage = Stage::of(
        &json!([["a", "const", {"value": 1}], ["b", "busy", {"ms": 10_000}], ["c", "add"]]),
        &json!([["a", "b"], ["b", "c"]]),
    );
    let run = stage.start().await;
    let old = stage.document(&run).await;
    stage.worker("w");
    pass(5).await;
    let new = stage.document(&run).await;
    assert!(new.head().rev > old.head().rev);
    let mut ops = back_to(&old, &new);
    ops.push(Op::Set("theirs".into(), Arc::new(json!("stays"))));
    stage.edit(&run, &ops).await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a": 1, "b": 1, "c": 2}));
    assert_eq!(view.context["theirs"], "stays");
    assert!(stage.counts().values().all(|count| *count == 1), "{:?}", stage.counts());
}

#[tokio::test(start_paused = true)]
async fn rule_3_a_lost_output_runs_its_node_again_and_a_missing_one_does_not() {
    let stage = Stage::of(
        &json!([["a", "const", {"value": 1}], ["n", "noop"], ["w", "wait"], ["z", "sum", {}, {}, {"a": "a"}]]),
        &json!([["a", "n"], ["n", "w"], ["w", "z"]]),
    );
    let mut stage = stage;
    let run = stage.play(&json!({})).await.run;
    stage.edit(&run, &[Op::Remove("_outputs.a".into())]).await;
    let report = stage.operations.reconcile(std::slice::from_ref(&run)).await;
    assert_eq!(report.runs[0].enqueued, ["a".into()]);
    stage.until(&run, "has the output again", |view| view.outputs.contains_key("a")).await;
    assert_eq!((stage.count("a"), stage.count("n")), (2, 1));
    stage.answer(&run, "w", None, None).await.unwrap();
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["z"], 1);
    assert_eq!(state(&view, "n"), "completed");
}

#[tokio::test(start_paused = true)]
async fn rule_1_of_two_that_ran_a_node_one_counts() {
    // The lease is lost while nobody looks: another worker runs the node, too.
    let mut stage =
        with_key(Stage::of(&json!([["a", "slow"], ["b", "noop"]]), &json!([["a", "b"]])));
    let released = Arc::new(AtomicBool::new(false));
    let hold = released.clone();
    stage = stage.with_fn("slow", |context| {
        Ok(NodeOutput::value(context.execution().idempotency_key.clone()))
    });
    let late = Tampered::new(&stage.cluster, move |call| match call.name {
        "commit" if !hold.swap(true, Ordering::Relaxed) => Fate::Late(Duration::from_mins(5)),
        // It does not see that it has lost its lease.
        "renew_lease" | "renew_message" => Fate::Hangs,
        _ => Fate::Goes,
    });
    let stuck = late.cluster();
    stage.run_worker(&stage.make_worker_on(stuck, alone("stuck")));
    let run = stage.start().await;
    pass(1).await;
    assert!(released.load(Ordering::Relaxed));
    stage.worker("other");
    let view = stage.settled(&run).await;
    let by = stage.document(&run).await.entry("a").unwrap().by.clone();
    assert!(by.as_deref().unwrap().starts_with("worker:other#"), "{by:?}");
    pass(600).await;
    assert_eq!(stage.document(&run).await.entry("a").unwrap().by, by);
    assert_eq!((stage.count("a"), stage.count("b")), (2, 1));
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.document(&run).await.state("b"), NodeState::Completed);
}
