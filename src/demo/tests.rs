#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{dice::Dice, order::Line, trickle::start, *};
use crate::{
    cluster::{Lane, StatusQuery},
    engine::{Answer, RunStatus},
    operations::{CauseKind, Letters, Operations, RunView},
    worker::Worker,
};

const STALLED_AFTER: Duration = Duration::from_mins(5);

/// A demo with a past, and operations on it.
async fn filled() -> (Demo, Operations, Seeded) {
    let demo = Demo::open_with(DemoOptions { seed: 3, speed: 200 }).await.unwrap();
    let seeded = demo.fill().await.unwrap();
    let operations = Operations::new(demo.cluster().clone(), demo.library().clone(), "test");
    (demo, operations, seeded)
}

fn work(demo: &Demo) -> tokio::task::JoinSet<()> {
    let worker = Worker::new(
        demo.cluster().clone(),
        demo.library().clone(),
        demo.registry().clone(),
        demo.worker_config(),
    );
    let mut working = tokio::task::JoinSet::new();
    working.spawn(async move { worker.run().await });
    working
}

async fn until(
    operations: &Operations,
    run: &RunId,
    condition: impl Fn(&RunView) -> bool,
) -> RunView {
    let begun = Instant::now();
    loop {
        let view = operations.view(run).await.unwrap();
        if condition(&view) {
            return view;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{run} came to no end: {view:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn statuses(demo: &Demo) -> BTreeSet<RunStatus> {
    let query = StatusQuery { limit: 1000, ..StatusQuery::default() };
    let page = demo.cluster().state.list_statuses(&query).await.unwrap();
    page.items.iter().filter_map(|found| found.item.status).collect()
}

#[tokio::test]
async fn runs_in_every_state_are_there_before_a_worker_is() {
    let (demo, _, seeded) = filled().await;
    assert_eq!(statuses(&demo).await.len(), 5);
    assert_eq!((seeded.stalled.len(), seeded.orphaned.len(), seeded.poisoned.len()), (2, 1, 1));
}

#[tokio::test]
async fn stalled_runs_are_found_and_reconciling_mends_them() {
    let (demo, operations, seeded) = filled().await;
    let found: BTreeSet<RunId> =
        operations.stalled_runs(STALLED_AFTER).await.unwrap().into_iter().collect();
    let expected: BTreeSet<RunId> =
        seeded.stalled.iter().chain(seeded.orphaned.iter().map(|(run, _)| run)).cloned().collect();
    assert_eq!(found, expected);
    let _working = work(&demo);
    let report = operations.reconcile(&seeded.stalled).await;
    assert_eq!((report.reconciled_runs, report.failed_runs), (2, 0), "{report:?}");
    for run in &seeded.stalled {
        let view = until(&operations, run, |view| view.status.is_final()).await;
        assert_eq!(view.status, RunStatus::Completed, "{run}");
    }
}

#[tokio::test]
async fn a_dead_workers_lease_is_explained_and_its_run_ends_once_it_is_broken() {
    let (demo, operations, seeded) = filled().await;
    let (run, node) = &seeded.orphaned[0];
    let causes = operations.explain(run).await.unwrap();
    assert_eq!(causes[0].cause, CauseKind::LockOrphaned, "{causes:?}");
    let locks = demo.cluster().coordination.locks(10).await.unwrap();
    let lock = locks.iter().find(|lock| lock.node_id.as_ref() == Some(node)).unwrap();
    let key = crate::cluster::Key::node_lock(run, node);
    demo.cluster().coordination.break_lock(&key, &lock.value).await.unwrap();
    let _working = work(&demo);
    operations.reconcile(std::slice::from_ref(run)).await;
    let view = until(&operations, run, |view| view.status.is_final()).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.nodes.len(), 52);
}

#[tokio::test]
async fn replaying_the_poison_queue_mends_the_failed_run_and_leaves_what_is_no_job() {
    let (demo, operations, seeded) = filled().await;
    let run = &seeded.poisoned[0];
    assert_eq!(operations.view(run).await.unwrap().status, RunStatus::Failed);
    let letters = operations.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 2);
    let broken = letters
        .iter()
        .find(|letter| letter.letter.as_ref().is_some_and(|letter| letter.job.is_none()))
        .unwrap();
    let _working = work(&demo);
    let replayed = operations.replay(&Letters::All).await.unwrap();
    assert_eq!(replayed.len(), 1);
    let view = until(&operations, run, |view| view.status.is_final()).await;
    assert_eq!(view.status, RunStatus::Completed);
    let purged = operations.purge(&Letters::Ids(vec![broken.id.clone()])).await.unwrap();
    assert_eq!(purged.len(), 1);
    assert_eq!(demo.cluster().queue.depth(Lane::Poison).await.unwrap().messages, 0);
}

#[tokio::test]
async fn approvals_can_be_answered() {
    let (demo, operations, _) = filled().await;
    let query = StatusQuery {
        statuses: vec![RunStatus::Awaiting],
        blueprint: Some("expense-approval".into()),
        limit: 10,
        ..StatusQuery::default()
    };
    let waiting = demo.cluster().state.list_statuses(&query).await.unwrap().items;
    assert_eq!(waiting.len(), 2);
    let _working = work(&demo);
    for (found, action) in waiting.iter().zip(["approve", "reject"]) {
        let run = &found.item.run_id;
        let answer = Answer {
            node: None,
            action: Some(action.to_owned()),
            output: None,
            token: action.to_owned(),
        };
        let plan = operations.plan_answer(run, answer).await.unwrap();
        operations.apply(&plan).await.unwrap();
        let view = until(&operations, run, |view| view.status.is_final()).await;
        assert_eq!(view.status, RunStatus::Completed);
        let end = if action == "approve" { "pay-out" } else { "explain-rejection" };
        assert!(view.outputs.contains_key(end), "{:?}", view.outputs);
    }
}

#[tokio::test]
async fn each_line_of_business_ends_or_waits_as_it_should() {
    let demo = Demo::open_with(DemoOptions { seed: 4, speed: 200 }).await.unwrap();
    let operations = Operations::new(demo.cluster().clone(), demo.library().clone(), "test");
    let mut dice = Dice::new(4, "test");
    let lines = [
        (Line::Order, RunStatus::Completed),
        (Line::Images, RunStatus::Completed),
        (Line::Report, RunStatus::Completed),
        (Line::Invoices, RunStatus::Completed),
        (Line::Trial, RunStatus::Awaiting),
        (Line::Prices, RunStatus::Completed),
        (Line::Backup, RunStatus::Failed),
    ];
    let first = demo.next.load(Ordering::Relaxed);
    for (line, _) in lines {
        start(&operations, line, &mut dice, &demo.next).await.unwrap();
    }
    let _working = work(&demo);
    for (number, (line, expected)) in (first..).zip(lines) {
        let run = RunId::from(line.run_id(number));
        let rests = |view: &RunView| {
            let child_works = line == Line::Order && view.status == RunStatus::Awaiting;
            view.status != RunStatus::Running && !child_works
        };
        let view = until(&operations, &run, rests).await;
        assert_eq!(view.status, expected, "{run}: {:?}", view.errors);
    }
}

#[tokio::test]
async fn no_more_than_enough_runs_are_started() {
    let demo = Demo::open().await.unwrap();
    let operations = Operations::new(demo.cluster().clone(), demo.library().clone(), "test");
    let mut dice = Dice::new(4, "test");
    for _ in 0..30 {
        start(&operations, Line::Order, &mut dice, &demo.next).await.unwrap();
    }
    let query = StatusQuery { limit: 100, ..StatusQuery::default() };
    let started = demo.cluster().state.list_statuses(&query).await.unwrap().items;
    assert_eq!(started.len(), 8);
}

#[tokio::test]
async fn its_folder_is_gone_with_it() {
    let demo = Demo::open().await.unwrap();
    let folder = demo.folder().to_owned();
    assert!(folder.exists());
    drop(demo);
    assert!(!folder.exists());
}
