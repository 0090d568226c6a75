//! Workers that are at it, dead, paused, draining or not there.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Cluster, Holder, Key, WorkerMode},
    operations::CauseKind::{LockOrphaned, NoWorkers, Running},
};
use tokio::time::sleep;

use super::{Broken, Set, Situation, messages::change};
use crate::stage::Stage;

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "a worker is at it",
            Running,
            &["worker \"w\" is running node \"a\"", "its lease ends"],
            at_it,
        ),
        Situation::new(
            "its worker died in the middle of a node",
            LockOrphaned,
            &["leased by worker \"dead\", which has not been seen for 30s", "the lease ends"],
            died,
        ),
        Situation::new(
            "its worker died, and nobody else is there",
            LockOrphaned,
            &["leased by worker \"dead\""],
            died_alone,
        )
        .also(&[NoWorkers]),
        Situation::new(
            "a live worker has its message, a dead one its lease",
            LockOrphaned,
            &["leased by worker \"dead\""],
            held_back,
        ),
        Situation::new(
            "its worker was restarted under the same name",
            LockOrphaned,
            &["was started again", "runs nothing"],
            namesake,
        ),
        Situation::new(
            "no worker is there",
            NoWorkers,
            &["no worker has a heartbeat", "flowcraft-tui --no-ui"],
            nobody,
        ),
        Situation::new(
            "all workers are paused",
            NoWorkers,
            &["worker \"w\" is alive, and paused", "let worker \"w\" go on"],
            paused,
        ),
        Situation::new(
            "the only worker drains",
            NoWorkers,
            &["worker \"w\" is alive, and draining"],
            draining,
        ),
        Situation::new(
            "no worker is there, and its message is lost",
            NoWorkers,
            &["no message for it is visible"],
            nobody_and_lost,
        ),
    ]
}

async fn at_it(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    let run = set.start("r").await;
    set.worker("w").await;
    set.until_started("a", 1).await;
    Broken::new(set, run)
}

async fn died_alone(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    let run = set.start("r").await;
    set.worker("dead").await;
    set.until_started("a", 1).await;
    set.kill(&["dead"]).await;
    Broken::new(set, run)
}

async fn died(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    let run = set.start("r").await;
    set.worker("dead").await;
    set.until_started("a", 1).await;
    set.kill(&["dead"]).await;
    set.worker("alive").await;
    Broken::new(set, run)
}

async fn lease(set: &Set, holder: &str) {
    let key = Key::node_lock(&"r".into(), &"a".into());
    let holder = Holder::new(&holder.into(), 1);
    let ttl = Duration::from_secs(90);
    set.stage.cluster.coordination.acquire(&key, &holder, ttl).await.unwrap();
}

async fn held_back(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    lease(&set, "dead").await;
    let run = set.start("r").await;
    set.worker("alive").await;
    // It has come by, and put the message back.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(set.stage.count("a"), 0);
    Broken::new(set, run)
}

async fn namesake(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    lease(&set, "w").await;
    let now = set.stage.cluster.clock.now();
    let ago = |seconds: i64| {
        flowcraft_tui::engine::Timestamp::from_millis(now.millis() - seconds * 1_000)
    };
    change(&set.stage, &run, "a", |entry| entry.enqueued_at = Some(ago(90))).await;
    set.worker("w").await;
    let mut beat = set.stage.cluster.coordination.workers().await.unwrap().remove(0);
    beat.started_at = ago(60);
    set.stage.cluster.coordination.beat(&beat, Duration::from_secs(30)).await.unwrap();
    Broken::new(set, run)
}

async fn nobody(cluster: Cluster) -> Broken {
    let set = Set::chain(cluster);
    let run = set.start("r").await;
    Broken::new(set, run)
}

async fn nobody_and_lost(cluster: Cluster) -> Broken {
    let set = Set::chain(cluster);
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    Broken::new(set, run)
}

async fn until_mode(set: &Set, mode: WorkerMode) {
    set.until("the worker says so", async |stage: &Stage| {
        let alive = stage.cluster.coordination.workers().await.unwrap();
        alive.iter().all(|beat| beat.mode == mode)
    })
    .await;
}

async fn paused(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let worker = set.worker("w").await;
    worker.pause();
    until_mode(&set, WorkerMode::Paused).await;
    let run = set.start("r").await;
    Broken { paused: Some(worker), ..Broken::new(set, run) }
}

async fn draining(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    set.start("other").await;
    let worker = set.worker("w").await;
    set.until_started("a", 1).await;
    worker.drain();
    until_mode(&set, WorkerMode::Draining).await;
    let run = set.start("r").await;
    Broken::new(set, run)
}
