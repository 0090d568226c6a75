//! Messages that are lost, in somebody's hands, behind others or in the poison queue.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{Cluster, DeadLetter, Job, Lane},
    engine::{Op, RunStatus, Timestamp},
    operations::{
        CauseKind::{NoMessage, Poisoned, QueueBacklog, Running, WaitingForAnswer},
        Confidence,
    },
    worker::WorkerConfig,
};
use serde_json::json;
use tokio::time::sleep;

use super::{Broken, Ends, Set, Situation, quick};
use crate::stage::{Stage, blueprint};

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "its message is lost",
            NoMessage,
            &["node \"a\" is ready since", "(3m1", "the queue is empty", "reconcile r"],
            lost,
        )
        .sure(Confidence::High),
        Situation::new(
            "its message is in the hands of a worker that died",
            QueueBacklog,
            &["1 message is hidden"],
            in_hand,
        ),
        Situation::new(
            "one node runs, the message of another is lost",
            NoMessage,
            &["node \"b\""],
            one_runs_one_is_lost,
        )
        .also(&[Running]),
        Situation::new(
            "its message is lost, an older one still waits",
            NoMessage,
            &["requeue r --node a"],
            lost_behind_an_older_one,
        ),
        Situation::new(
            "its message waits behind others",
            QueueBacklog,
            &["number 4 of", "all 1 slots are in use"],
            behind_a_few,
        ),
        Situation::new(
            "its message is too far back to be seen",
            QueueBacklog,
            &["not among the first 32"],
            behind_many,
        ),
        Situation::new(
            "its message was received too often",
            Poisoned,
            &["poison queue", "never finished", "dead-letters replay"],
            poisoned,
        ),
        Situation::new(
            "it is poisoned, the letter is behind 32 others",
            Poisoned,
            &["not among the first 32", "requeue r --node a"],
            poisoned_behind_others,
        ),
        Situation::new(
            "a dead letter, its node is still to be run",
            Poisoned,
            &["no message was sent since"],
            poisoned_and_still_ready,
        ),
        Situation::new(
            "an old dead letter, and its message is lost",
            NoMessage,
            &["node \"a\""],
            old_letter,
        )
        .also(&[Poisoned]),
        Situation::new(
            "another node is poisoned, it waits for an answer",
            WaitingForAnswer,
            &["node \"w\""],
            another_is_poisoned,
        )
        .also(&[Poisoned]),
        Situation::new(
            "another node is poisoned, its message is lost",
            NoMessage,
            &["node \"c\""],
            another_is_poisoned_and_one_lost,
        )
        .also(&[Poisoned]),
        Situation::new(
            "the worker died going on to the next node, all is lost",
            NoMessage,
            &["node \"b\""],
            lost_in_a_chain,
        ),
        Situation::new(
            "its status item says completed, its message is lost",
            NoMessage,
            &["its status item says completed, and its ledger running, which decides"],
            status_differs,
        ),
        Situation::new(
            "it has no status item, its message is lost",
            NoMessage,
            &["node \"a\" is ready", "it has no status item: no list shows it"],
            unlisted,
        ),
    ]
}

async fn lost(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    assert_eq!(set.stage.lose_messages().await.len(), 1);
    let now = set.stage.cluster.clock.now();
    let ago = Timestamp::from_millis(now.millis() - 192_000);
    change(&set.stage, &run, "a", |entry| entry.enqueued_at = Some(ago)).await;
    set.worker("w").await;
    Broken::new(set, run)
}

/// A document without a status item, as a store leaves it that lost one.
async fn unlisted(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let copied = set.start("copied").await;
    set.stage.lose_messages().await;
    let document = set.stage.document(&copied).await;
    let run = RunId::from("r");
    set.stage.cluster.state.create_document(&run, &document).await.unwrap();
    set.worker("w").await;
    Broken::new(set, run)
}

async fn in_hand(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    let visibility = Duration::from_secs(6);
    let received = set.stage.cluster.queue.receive(Lane::Jobs, 1, visibility).await.unwrap();
    assert_eq!(received.len(), 1);
    set.worker("w").await;
    Broken::new(set, run)
}

async fn one_runs_one_is_lost(cluster: Cluster) -> Broken {
    let mut set = Set::of(cluster, &json!([["a", "hang"], ["b", "noop"]]), &json!([]));
    let run = set.start("r").await;
    let deliveries = set.stage.receive().await;
    for delivery in deliveries {
        let queue = &set.stage.cluster.queue;
        if Job::decode(&delivery.body).unwrap().node_id.as_str() == "b" {
            queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
        } else {
            queue.renew(Lane::Jobs, &delivery.receipt, Duration::ZERO).await.unwrap();
        }
    }
    set.worker("w").await;
    set.until_started("a", 1).await;
    Broken::new(set, run)
}

/// A worker with one slot, which hangs.
async fn busy(cluster: Cluster) -> Set {
    let blueprints = vec![
        blueprint("quick", &json!([["a", "noop"]]), &json!([])),
        blueprint("slow", &json!([["s", "hang"]]), &json!([])),
    ];
    let mut set = Set::on(cluster, blueprints);
    set.start_of("slow", "slow").await;
    set.worker_as(WorkerConfig { slots: 1, ..quick("w") }).await;
    set.until_started("s", 1).await;
    // Its next heartbeat says how busy it is.
    let mut beat = set.stage.cluster.coordination.workers().await.unwrap().remove(0);
    beat.in_flight = 1;
    set.stage.cluster.coordination.beat(&beat, Duration::from_secs(30)).await.unwrap();
    set
}

async fn lost_behind_an_older_one(cluster: Cluster) -> Broken {
    let set = busy(cluster).await;
    set.start_of("quick", "older").await;
    sleep(Duration::from_millis(1_100)).await;
    let run = set.start("r").await;
    for delivery in set.stage.receive().await {
        let queue = &set.stage.cluster.queue;
        if Job::decode(&delivery.body).unwrap().run_id == run {
            queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
        } else {
            queue.renew(Lane::Jobs, &delivery.receipt, Duration::ZERO).await.unwrap();
        }
    }
    Broken::new(set, run)
}

async fn behind_a_few(cluster: Cluster) -> Broken {
    let set = busy(cluster).await;
    for number in 0..3 {
        set.start(&format!("other-{number}")).await;
    }
    let run = set.start("r").await;
    Broken::new(set, run)
}

async fn behind_many(cluster: Cluster) -> Broken {
    let set = busy(cluster).await;
    for number in 0..35 {
        set.start(&format!("other-{number}")).await;
        if number == 0 {
            // A queue tells times apart by the second.
            sleep(Duration::from_millis(1_100)).await;
        }
    }
    let run = set.start("r").await;
    Broken::new(set, run)
}

/// Has the message of `node` go to the poison queue, and its worker end.
async fn poison(set: &mut Set, node: &str) {
    let queue = set.stage.cluster.queue.clone();
    for delivery in queue.receive(Lane::Jobs, 32, Duration::from_secs(1)).await.unwrap() {
        if Job::decode(&delivery.body).unwrap().node_id.as_str() != node {
            queue.renew(Lane::Jobs, &delivery.receipt, Duration::from_secs(8)).await.unwrap();
        }
    }
    sleep(Duration::from_millis(1_200)).await;
    let worker = set.worker_as(WorkerConfig { max_dequeue_count: 1, ..quick("strict") }).await;
    set.until("a message is poisoned", async |stage: &Stage| {
        stage.depth(Lane::Poison).await > 0
            && stage.document(&"r".into()).await.failed().count() > 0
    })
    .await;
    sleep(Duration::from_millis(500)).await;
    worker.drain();
    set.until("the worker has ended", async |stage: &Stage| {
        stage.cluster.coordination.workers().await.unwrap().is_empty()
    })
    .await;
}

async fn poisoned(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    poison(&mut set, "a").await;
    set.worker("w").await;
    Broken::new(set, run)
}

async fn poisoned_behind_others(cluster: Cluster) -> Broken {
    for number in 0..33 {
        let job = Job::new(format!("gone-{number}").into(), "b".into(), "a".into());
        let letter = DeadLetter::new(&job.encode(), "for a reason", 6, now(&cluster), "w".into());
        cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    }
    poisoned(cluster).await
}

fn now(cluster: &Cluster) -> Timestamp {
    cluster.clock.now()
}

async fn poisoned_and_still_ready(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    let job = set.stage.lose_messages().await.remove(0);
    let at = now(&set.stage.cluster);
    let letter = DeadLetter::new(&job.encode(), "for a reason", 6, at, "dead".into());
    set.stage.cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    set.worker("w").await;
    Broken::new(set, run)
}

async fn old_letter(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    poison(&mut set, "a").await;
    set.stage.requeue(&run, &["a"]).await;
    assert_eq!(set.stage.lose_messages().await.len(), 1);
    set.worker("w").await;
    Broken::new(set, run)
}

async fn another_is_poisoned(cluster: Cluster) -> Broken {
    let mut set = Set::of(cluster, &json!([["a", "noop"], ["w", "wait"]]), &json!([]));
    let run = set.start("r").await;
    poison(&mut set, "a").await;
    set.worker("w").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    Broken::new(set, run).ends(Ends::With(RunStatus::Failed))
}

async fn another_is_poisoned_and_one_lost(cluster: Cluster) -> Broken {
    let mut set = Set::of(cluster, &json!([["a", "noop"], ["c", "noop"]]), &json!([]));
    let run = set.start("r").await;
    poison(&mut set, "a").await;
    set.until("the other is visible", async |stage: &Stage| {
        !stage.cluster.queue.peek(Lane::Jobs, 1).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(set.stage.lose_messages().await.len(), 1);
    set.worker("w").await;
    Broken::new(set, run).ends(Ends::With(RunStatus::Failed))
}

async fn lost_in_a_chain(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    let config = WorkerConfig { lease: Duration::from_secs(2), ..quick("dying") };
    let completed = flowcraft_tui::engine::NodeState::Completed;
    crate::tampered::dies_as(&mut set.stage, config, move |after| after.state("a") == completed)
        .await;
    set.kill(&["dying"]).await;
    lose_when_visible(&mut set).await;
    set.worker("w").await;
    Broken::new(set, run)
}

/// Waits until the message that a dead worker had in hand comes back, and loses it.
pub(super) async fn lose_when_visible(set: &mut Set) {
    set.until("the message comes back", async |stage: &Stage| {
        !stage.cluster.queue.peek(Lane::Jobs, 1).await.unwrap().is_empty()
    })
    .await;
    set.stage.lose_messages().await;
    // Its leases end at about the same time.
    set.until("the leases have ended", async |stage: &Stage| {
        stage.cluster.coordination.locks(10).await.unwrap().is_empty()
    })
    .await;
}

async fn status_differs(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    set.worker("w").await;
    overwrite_status(&set.stage, &run, RunStatus::Completed, None).await;
    Broken::new(set, run)
}

/// Writes a status item as somebody does who does not look at the ledger.
pub(super) async fn overwrite_status(
    stage: &Stage,
    run: &RunId,
    status: RunStatus,
    reason: Option<&str>,
) {
    let state = &stage.cluster.state;
    let known = state.read_status(run).await.unwrap().unwrap();
    let mut item = known.item;
    item.status = Some(status);
    item.final_status = Some(Box::new(json!({"status": status.as_str(), "reason": reason})));
    state.replace_status(&item, &known.version).await.unwrap();
}

/// Changes a node's entry in the ledger behind everybody's back.
pub(super) async fn change(
    stage: &Stage,
    run: &RunId,
    node: &str,
    how: impl FnOnce(&mut flowcraft_tui::engine::Entry),
) {
    let mut entry = stage.document(run).await.entry(node).unwrap().as_ref().clone();
    how(&mut entry);
    stage.edit(run, &[Op::Node(node.into(), Arc::new(entry))]).await;
}
