//! Runs that wait: for answers, timers, another attempt, child runs.

use std::time::Duration;

use flowcraft_tui::{
    cluster::Cluster,
    engine::{Awaits, RunDocument, RunStatus, Timestamp},
    operations::CauseKind::{
        Finished, NoMessage, NoWorkers, QueueBacklog, RetryScheduled, WaitingForAnswer,
        WaitingForChild, WaitingForTimer,
    },
    worker::WorkerConfig,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Broken, Set, Situation,
    messages::{change, lose_when_visible},
    quick,
};
use crate::{stage::blueprint, tampered::dies_as};

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "it waits for an answer",
            WaitingForAnswer,
            &["node \"w\" waits for an answer since", "--action 'approve|refuse'"],
            answer,
        ),
        Situation::new(
            "it waits for a timer",
            WaitingForTimer,
            &["sleeps until", "(in 59m", "resume r --node s"],
            timer,
        ),
        Situation::new(
            "the message of its timer is lost",
            NoMessage,
            &["the timer of node \"s\" was due", "(10m"],
            overdue,
        ),
        Situation::new(
            "the message of its timer is lost, an older one still waits",
            NoMessage,
            &["the timer of node \"s\" was due", "resume r --node s"],
            overdue_behind_an_older_one,
        ),
        Situation::new(
            "its timer is overdue, and nobody is there",
            NoWorkers,
            &["the timer of node \"s\" was due"],
            overdue_and_nobody,
        ),
        Situation::new(
            "it is tried again in a moment",
            RetryScheduled,
            &["after 1 attempt", "it failed: not yet"],
            retry,
        ),
        Situation::new(
            "its child run waits for an answer",
            WaitingForChild,
            &["run \"r.sf\" (waiting-for-answer)", "explain r.sf"],
            child_waits,
        ),
        Situation::new(
            "its child run's worker died",
            WaitingForChild,
            &["run \"r.sf\" (lock-orphaned)", "leased by worker \"dead\"", "explain r.sf"],
            child_orphaned,
        ),
        Situation::new(
            "its child's child lost its message",
            WaitingForChild,
            &[
                "run \"r.sf\" (waiting-for-child)",
                "run \"r.sf.sf\" (no-message)",
                "explain r.sf.sf",
            ],
            grandchild_lost,
        ),
        Situation::new(
            "its child run was never started",
            NoMessage,
            &["waits for run \"r.sf\", which was never started"],
            child_never_started,
        ),
        Situation::new(
            "its child run has ended, and nobody told it",
            NoMessage,
            &["run \"r.sf\", which ended completed", "nobody told"],
            not_told,
        ),
        Situation::new(
            "a child run that has ended, its parent not told",
            Finished,
            &["node \"sf\" of run \"r\", which waits for it, was not told", "reconcile r.sf"],
            unclosed_child,
        ),
        Situation::new(
            "its child's end is in the hands of a worker that died",
            QueueBacklog,
            &["nobody told", "hidden"],
            not_told_yet,
        ),
    ]
}

async fn answer(cluster: Cluster) -> Broken {
    let nodes = json!([["w", "wait"], ["yes", "noop"], ["no", "noop"]]);
    let edges = json!([["w", "yes", {"action": "approve"}], ["w", "no", {"action": "refuse"}]]);
    let mut set = Set::of(cluster, &nodes, &edges);
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    Broken::new(set, run)
}

/// A run that sleeps for an hour.
async fn sleeping(cluster: Cluster) -> Broken {
    let nodes = json!([["s", "sleep", {"duration": "1h"}], ["b", "noop"]]);
    let mut set = Set::of(cluster, &nodes, &json!([["s", "b"]]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    Broken::new(set, run)
}

async fn timer(cluster: Cluster) -> Broken {
    sleeping(cluster).await
}

async fn overdue(cluster: Cluster) -> Broken {
    let broken = sleeping(cluster).await;
    let now = broken.stage.cluster.clock.now();
    let due = Timestamp::from_millis(now.millis() - 600_000);
    change(&broken.stage, &broken.run, "s", |entry| entry.due_at = Some(due)).await;
    broken
}

async fn overdue_behind_an_older_one(cluster: Cluster) -> Broken {
    let nodes = json!([["s", "sleep", {"duration": "1h"}]]);
    let blueprints = vec![
        blueprint("b", &nodes, &json!([])),
        blueprint("slow", &json!([["h", "hang"]]), &json!([])),
    ];
    let mut set = Set::on(cluster, blueprints);
    set.worker_as(WorkerConfig { slots: 1, ..quick("w") }).await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    set.start_of("slow", "slow").await;
    set.until_started("h", 1).await;
    set.start_of("slow", "older").await;
    // A queue tells times apart by the second.
    sleep(Duration::from_millis(1_100)).await;
    // As after a reconcile whose message got lost in turn.
    let now = set.stage.cluster.clock.now();
    change(&set.stage, &run, "s", |entry| {
        entry.due_at = Some(Timestamp::from_millis(now.millis() - 600_000));
        entry.enqueued_at = Some(now);
    })
    .await;
    Broken::new(set, run)
}

async fn overdue_and_nobody(cluster: Cluster) -> Broken {
    let mut broken = overdue(cluster).await;
    broken.stage.crash().await;
    broken.stage.cluster.coordination.leave(&"w".into()).await.unwrap();
    broken
}

async fn retry(cluster: Cluster) -> Broken {
    let nodes = json!([["a", "flaky", {}, {"maxRetries": 2, "retryDelay": 6_000}]]);
    let mut set = Set::of(cluster, &nodes, &json!([]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until("it has failed once", async |stage: &crate::stage::Stage| {
        let document = stage.document(&run).await;
        document.entry("a").is_some_and(|entry| entry.due_at.is_some())
    })
    .await;
    Broken::new(set, run)
}

/// A parent whose subflow has these nodes.
fn family(cluster: Cluster, child: &Value) -> Set {
    let parent = json!([["sf", "subflow", {"blueprintId": "child"}], ["b", "noop"]]);
    Set::on(
        cluster,
        vec![
            blueprint("parent", &parent, &json!([["sf", "b"]])),
            blueprint("child", child, &json!([])),
        ],
    )
}

async fn child_waits(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["w", "wait"]]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    Broken::new(set, run)
}

async fn child_orphaned(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["a", "hang"]]));
    set.worker("dead").await;
    let run = set.start("r").await;
    set.until_started("a", 1).await;
    set.kill(&["dead"]).await;
    set.worker("alive").await;
    Broken::new(set, run)
}

fn calls(child: &str) -> Value {
    json!([["sf", "subflow", {"blueprintId": child}]])
}

async fn grandchild_lost(cluster: Cluster) -> Broken {
    let mut set = Set::on(
        cluster,
        vec![
            blueprint("top", &calls("middle"), &json!([])),
            blueprint("middle", &calls("bottom"), &json!([])),
            blueprint("bottom", &json!([["a", "hang"], ["b", "noop"]]), &json!([["a", "b"]])),
        ],
    );
    let config = WorkerConfig { lease: Duration::from_secs(2), ..quick("dead") };
    set.worker_as(config).await;
    let run = set.start("r").await;
    set.until_started("a", 1).await;
    set.kill(&["dead"]).await;
    lose_when_visible(&mut set).await;
    set.worker("alive").await;
    Broken::new(set, run)
}

/// A worker dies with the commit that fits in hand; what it held is free, and its message is lost.
async fn dies_and_loses(set: &mut Set, fits: fn(&RunDocument) -> bool) {
    dies(set, fits).await;
    lose_when_visible(set).await;
    set.worker("w").await;
}

async fn dies(set: &mut Set, fits: fn(&RunDocument) -> bool) {
    let config = WorkerConfig { lease: Duration::from_secs(2), ..quick("dying") };
    dies_as(&mut set.stage, config, fits).await;
    set.kill(&["dying"]).await;
}

fn child_has_ended(after: &RunDocument) -> bool {
    after.head().parent.is_some() && after.status().is_final()
}

async fn child_never_started(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["a", "noop"]]));
    let run = set.start("r").await;
    dies_and_loses(&mut set, |after| {
        let entry = after.entry("sf");
        entry.is_some_and(|entry| matches!(entry.awaits, Some(Awaits::Child { .. })))
    })
    .await;
    Broken::new(set, run)
}

async fn not_told(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["a", "noop"]]));
    let run = set.start("r").await;
    dies_and_loses(&mut set, child_has_ended).await;
    Broken::new(set, run)
}

async fn not_told_yet(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["a", "noop"]]));
    let run = set.start("r").await;
    let config = WorkerConfig { lease: Duration::from_secs(15), ..quick("dying") };
    dies_as(&mut set.stage, config, child_has_ended).await;
    set.kill(&["dying"]).await;
    set.worker("w").await;
    Broken::new(set, run)
}

async fn unclosed_child(cluster: Cluster) -> Broken {
    let mut set = family(cluster, &json!([["a", "noop"]]));
    let run = set.start("r").await;
    dies_and_loses(&mut set, child_has_ended).await;
    Broken { run: "r.sf".into(), ..Broken::new(set, run) }
}
