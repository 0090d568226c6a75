//! The monitor on a cluster of fakes and a paused clock.
#![allow(clippy::unwrap_used)] // Tests.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    BlueprintLookup, HolderState, Monitor, MonitorConfig, MonitorHandle, NodeShown, OlderRuns,
    RunDetail, Snapshot, SourceState, fake::Fake,
};
use crate::{
    blueprint::{Blueprint, Edge, Inputs, Node, NodeConfig, RunId},
    cluster::{
        Heartbeat, HeldLock, Holder, Job, Key, Lane, Service, StatusItem, TokioClock, WorkerMode,
        memory_cluster,
    },
    engine::{Awaits, Entry, Head, NodeState, Op, RunDocument, RunStatus, Timestamp},
};

fn watch(fake: &Arc<Fake>) -> MonitorHandle {
    Monitor::spawn(
        fake.cluster(),
        MonitorConfig::default(),
        Arc::new(|_| Some(Arc::new(blueprint()))),
    )
}

/// Waits for a snapshot that is as wanted.
async fn until(handle: &mut MonitorHandle, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let found = tokio::time::timeout(
        Duration::from_mins(5),
        handle.snapshots.wait_for(|snapshot| wanted(snapshot)),
    );
    found.await.expect("no such snapshot").unwrap().clone()
}

fn all_live(snapshot: &Snapshot) -> bool {
    snapshot.queue.state == SourceState::Live
        && snapshot.runs.state == SourceState::Live
        && snapshot.locks.state == SourceState::Live
        && snapshot.workers.state == SourceState::Live
}

fn item(run: &str, status: RunStatus) -> StatusItem {
    StatusItem {
        run_id: run.into(),
        status: Some(status),
        last_updated: Timestamp::from_seconds(1_800_000_000),
        blueprint_id: None,
        started_at: Some(Timestamp::from_seconds(1_799_999_999)),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    }
}

fn heartbeat(name: &str, done: u64) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "here".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at: Timestamp::default(),
        slots: 4,
        in_flight: 0,
        done,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    }
}

fn lock(run: &str, node: &str, worker: &str) -> HeldLock {
    let key = Key::node_lock(&run.into(), &node.into());
    let holder = Holder::new(&worker.into(), 1);
    HeldLock::describe(key.as_str(), holder.as_str(), Timestamp::from_seconds(1_800_000_060))
}

fn blueprint() -> Blueprint {
    let node = |id: &str| Node {
        id: id.into(),
        uses: "wait".to_owned(),
        params: serde_json::Map::new(),
        inputs: Inputs::Edge,
        config: NodeConfig::default(),
    };
    let edge = |action: &str| Edge {
        source: "ask".into(),
        target: "do".into(),
        action: Some(action.to_owned()),
        condition: None,
        transform: None,
    };
    Blueprint {
        id: "b".into(),
        nodes: vec![node("ask"), node("do"), node("later")],
        edges: vec![edge("yes"), edge("no"), edge("yes")],
        metadata: serde_json::Map::new(),
    }
}

fn document() -> RunDocument {
    let mut document = RunDocument::new(Head {
        blueprint_id: "b".into(),
        blueprint_version: None,
        blueprint_hash: String::new(),
        rev: 1,
        status: RunStatus::Running,
        closed: crate::engine::Closing::Open,
        parent: None,
        started_at: Timestamp::default(),
        status_version: None,
        finished_at: None,
        awaited: 1,
        past_failures: Vec::new(),
        warnings: Vec::new(),
        commit: String::new(),
    });
    let asks =
        Entry { state: NodeState::Awaiting, awaits: Some(Awaits::Answer), ..Entry::default() };
    document.apply(&Op::Node("ask".into(), Arc::new(asks)));
    let ready = Entry { state: NodeState::Ready, ..Entry::default() };
    document.apply(&Op::Node("do".into(), Arc::new(ready)));
    document.apply(&Op::Set(Arc::from("mine"), Arc::new(json!(1))));
    document.apply(&Op::Set(Arc::from("_outputs.do"), Arc::new(json!("out"))));
    document
}

#[tokio::test(start_paused = true)]
async fn every_source_is_read_and_nothing_is_published_while_nothing_changes() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().statuses.push((1, item("a", RunStatus::Running)));
    let mut handle = watch(&fake);
    assert_eq!(handle.snapshots.borrow().runs.state, SourceState::Loading);
    let snapshot = until(&mut handle, all_live).await;
    assert_eq!(snapshot.runs.data.counts().running, 1);
    // The history of the depth fills up first; then even that stands still.
    tokio::time::sleep(Duration::from_mins(5)).await;
    handle.snapshots.borrow_and_update();
    let looks = fake.looks.load(std::sync::atomic::Ordering::Relaxed);
    let mut published = 0;
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while tokio::time::timeout_at(end, handle.snapshots.changed()).await.is_ok() {
        published += 1;
    }
    let looked = fake.looks.load(std::sync::atomic::Ordering::Relaxed) - looks;
    assert!(looked > 60, "{looked}");
    // Five sources bring their age up to date every ten seconds; nothing else is said.
    assert!(published <= 11, "{published}");
}

#[tokio::test(start_paused = true)]
async fn changes_arrive_without_the_rest_being_read_again() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().statuses.push((1, item("a", RunStatus::Running)));
    let mut handle = watch(&fake);
    until(&mut handle, |it| it.runs.data.len() == 1).await;
    fake.held.lock().statuses =
        vec![(2, item("a", RunStatus::Failed)), (3, item("b", RunStatus::Running))];
    let snapshot = until(&mut handle, |it| it.runs.data.len() == 2).await;
    assert_eq!(snapshot.runs.data.get("a").unwrap().item.status, Some(RunStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_changes_at_one_place_are_all_seen() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().statuses.push((5, item("first", RunStatus::Running)));
    let mut handle = watch(&fake);
    until(&mut handle, |it| it.runs.data.len() == 1).await;
    let burst = (0..5_000).map(|at| (5, item(&format!("run-{at}"), RunStatus::Running)));
    fake.held.lock().statuses.extend(burst);
    fake.held.lock().statuses.push((6, item("last", RunStatus::Running)));
    let snapshot = until(&mut handle, |it| it.runs.data.len() == 5_002).await;
    assert!(snapshot.runs.data.get("last").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_becomes_stalled_with_time_alone() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().statuses.push((1, item("quiet", RunStatus::Running)));
    let mut handle = watch(&fake);
    let snapshot = until(&mut handle, |it| it.runs.data.len() == 1).await;
    assert_eq!(snapshot.runs.data.counts().stalled, 0);
    tokio::time::sleep(Duration::from_secs(250)).await;
    assert_eq!(handle.snapshots.borrow().runs.data.counts().stalled, 0);
    until(&mut handle, |it| it.runs.data.counts().stalled == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_keeps_its_data_and_comes_back() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().depth = 7;
    let mut handle = watch(&fake);
    until(&mut handle, all_live).await;
    fake.held.lock().away = vec![Service::Queue];
    let snapshot =
        until(&mut handle, |it| matches!(it.queue.state, SourceState::Stale { .. })).await;
    assert_eq!(snapshot.queue.data.depth, 7);
    assert!(
        all_live(&Snapshot { queue: handle_live(&snapshot), ..(*snapshot).clone() }),
        "the others go on"
    );
    let SourceState::Stale { error, next_try } = &snapshot.queue.state else { unreachable!() };
    assert!(error.contains("it is away"), "{error}");
    assert!(*next_try > snapshot.queue.updated_at.unwrap());
    fake.held.lock().away.clear();
    fake.held.lock().depth = 8;
    let snapshot = until(&mut handle, |it| it.queue.state == SourceState::Live).await;
    assert_eq!(snapshot.queue.data.depth, 8);
}

/// The queue of a snapshot as if it were live, to look at the others.
fn handle_live(snapshot: &Snapshot) -> super::Sourced<super::QueueView> {
    super::Sourced { state: SourceState::Live, ..snapshot.queue.clone() }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_holds_nobody_up() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().hangs = true;
    let mut handle = watch(&fake);
    let snapshot =
        until(&mut handle, |it| matches!(it.queue.state, SourceState::Stale { .. })).await;
    let SourceState::Stale { error, .. } = &snapshot.queue.state else { unreachable!() };
    assert!(error.contains("no answer within 10s"), "{error}");
    assert_eq!(snapshot.runs.state, SourceState::Live);
}

#[tokio::test(start_paused = true)]
async fn rates_come_from_heartbeats_and_the_growth_of_the_queue() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().workers = vec![heartbeat("w", 0)];
    let mut handle = watch(&fake);
    until(&mut handle, all_live).await;
    for second in 1..=60_u64 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut held = fake.held.lock();
        held.workers = vec![heartbeat("w", second * 4)];
        held.depth = second * 2;
    }
    let queue = handle.snapshots.borrow().queue.data.clone();
    let (done, arrived) = (queue.completions.unwrap(), queue.arrivals.unwrap());
    assert!((3.5..=4.5).contains(&done), "{done}");
    assert!((5.5..=6.5).contains(&arrived), "{arrived}");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_looked_at_closely_and_followed() {
    let fake = Arc::new(Fake::default());
    fake.held.lock().document = Some((document(), Vec::new(), 1));
    fake.held.lock().locks = vec![lock("r", "do", "w")];
    let mut handle = watch(&fake);
    until(&mut handle, |it| !it.locks.data.locks.is_empty()).await;
    handle.watch_run(Some(RunId::from("r")));
    let snapshot = until(&mut handle, |it| it.detail.data.is_some()).await;
    let detail = (*snapshot.detail.data).clone().unwrap();
    let states: Vec<_> = detail.nodes.iter().map(|node| (node.id.as_str(), node.state)).collect();
    assert_eq!(
        states,
        [("ask", NodeShown::Awaiting), ("do", NodeShown::Running), ("later", NodeShown::Pending)]
    );
    assert_eq!(detail.nodes[1].worker.as_deref(), Some("w"));
    assert_eq!(detail.awaiting[0].actions, ["yes", "no"]);
    assert_eq!(detail.outputs.get("do"), Some(&json!("out")));
    assert_eq!(detail.context.keys().collect::<Vec<_>>(), ["mine"]);

    let failed =
        Entry { state: NodeState::Failed, error: Some("boom".to_owned()), ..Entry::default() };
    let ops = vec![Op::Node("do".into(), Arc::new(failed))];
    fake.held.lock().document = Some((document(), ops, 2));
    let snapshot = until(&mut handle, |it| {
        it.detail.data.as_ref().as_ref().is_some_and(|it| it.nodes[1].state == NodeShown::Failed)
    })
    .await;
    let error = snapshot.detail.data.as_ref().as_ref().unwrap().nodes[1].error.clone();
    assert_eq!(error.as_deref(), Some("boom"));

    handle.watch_run(None);
    until(&mut handle, |it| it.detail.data.is_none()).await;
    fake.held.lock().document = None;
    handle.watch_run(Some(RunId::from("gone")));
    let snapshot = until(&mut handle, |it| it.detail.data.is_some()).await;
    assert!(!snapshot.detail.data.as_ref().as_ref().unwrap().found);
}

#[tokio::test(start_paused = true)]
async fn holders_are_told_apart() {
    let fake = Arc::new(Fake::default());
    let foreign = HeldLock::describe("flowcraft:nodelock:r:c", "reconciler", Timestamp::default());
    fake.held.lock().locks = vec![lock("r", "a", "alive"), lock("r", "b", "gone"), foreign];
    fake.held.lock().workers = vec![heartbeat("alive", 0)];
    let mut handle = watch(&fake);
    let snapshot = until(&mut handle, |it| all_live(it) && it.locks.data.locks.len() == 3).await;
    let holders: Vec<_> = snapshot.locks.data.locks.iter().map(|it| snapshot.holder(it)).collect();
    assert_eq!(holders, [HolderState::Alive, HolderState::Gone, HolderState::Foreign]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_came_since_the_workers_were_asked_for_is_not_taken_for_dead() {
    let fake = Arc::new(Fake::default());
    let seldom =
        super::Intervals { workers: Duration::from_secs(30), ..super::Intervals::default() };
    let config = MonitorConfig { intervals: seldom, ..MonitorConfig::default() };
    let mut handle = Monitor::spawn(fake.cluster(), config, Arc::new(|_| None));
    until(&mut handle, all_live).await;
    fake.held.lock().workers = vec![heartbeat("new", 0)];
    fake.held.lock().locks = vec![lock("r", "a", "new")];
    let holder = |snapshot: &Snapshot| snapshot.holder(&snapshot.locks.data.locks[0]);
    let snapshot = until(&mut handle, |it| it.locks.data.locks.len() == 1).await;
    assert!(snapshot.workers.data.workers.is_empty(), "they are not asked for again yet");
    assert_eq!(holder(&snapshot), HolderState::Alive);
    until(&mut handle, |it| it.workers.data.workers.len() == 1).await;
    // It dies: once they are asked for again, it counts as gone.
    fake.held.lock().workers.clear();
    until(&mut handle, |it| it.workers.data.workers.is_empty()).await;
    let snapshot = until(&mut handle, |it| holder(it) != HolderState::Alive).await;
    assert_eq!(holder(&snapshot), HolderState::Gone);
}

#[tokio::test(start_paused = true)]
async fn refresh_asks_at_once_and_dropping_the_handle_ends_it() {
    let fake = Arc::new(Fake::default());
    let slow = super::Intervals { runs: Duration::from_hours(1), ..super::Intervals::default() };
    let config = MonitorConfig { intervals: slow, ..MonitorConfig::default() };
    let mut handle = Monitor::spawn(fake.cluster(), config, Arc::new(|_| None));
    until(&mut handle, all_live).await;
    fake.held.lock().statuses.push((1, item("a", RunStatus::Running)));
    let asked = tokio::time::Instant::now();
    handle.refresh();
    until(&mut handle, |it| it.runs.data.len() == 1).await;
    assert!(asked.elapsed() < Duration::from_secs(5));
    drop(handle);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let looks = fake.looks.load(std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(fake.looks.load(std::sync::atomic::Ordering::Relaxed), looks);
}

#[tokio::test(start_paused = true)]
async fn a_real_cluster_is_watched_as_it_changes() {
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_seconds(1_800_000_000)));
    let cluster = memory_cluster(clock);
    let (run, node) = (RunId::from("r"), "do".into());
    let version = cluster.state.create_status(&item("r", RunStatus::Running)).await.unwrap();
    cluster.state.create_document(&run, &document()).await.unwrap();
    let job = Job::new(run.clone(), "b".into(), "do".into());
    cluster.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    let holder = Holder::new(&"w".into(), 1);
    let key = Key::node_lock(&run, &node);
    let hour = Duration::from_hours(1);
    cluster.coordination.acquire(&key, &holder, hour).await.unwrap();
    cluster.coordination.beat(&heartbeat("w", 3), hour).await.unwrap();

    let library: BlueprintLookup = Arc::new(|_| Some(Arc::new(blueprint())));
    let mut handle = Monitor::spawn(cluster.clone(), MonitorConfig::default(), library);
    handle.watch_run(Some(run));
    let snapshot = until(&mut handle, |it| {
        let running = |it: &RunDetail| it.nodes.iter().any(|it| it.state == NodeShown::Running);
        all_live(it) && it.detail.data.as_ref().as_ref().is_some_and(running)
    })
    .await;
    assert_eq!(snapshot.queue.data.depth, 1);
    assert_eq!(snapshot.queue.data.next[0].job.as_ref().map(|(run, ..)| run.as_str()), Some("r"));
    assert_eq!(snapshot.holder(&snapshot.locks.data.locks[0]), HolderState::Alive);

    let done = item("r", RunStatus::Completed);
    cluster.state.replace_status(&done, &version).await.unwrap();
    cluster.coordination.leave(&"w".into()).await.unwrap();
    let snapshot = until(&mut handle, |it| {
        it.runs.data.counts().completed == 1 && it.workers.data.workers.is_empty()
    })
    .await;
    assert_eq!(snapshot.runs.data.counts().running, 0);
    assert_eq!(snapshot.holder(&snapshot.locks.data.locks[0]), HolderState::Gone);
}

#[tokio::test(start_paused = true)]
async fn many_runs_are_read_page_by_page_and_what_changes_meanwhile_is_seen() {
    let clock = TokioClock::starting_at(Timestamp::from_seconds(1_800_000_000));
    let cluster = memory_cluster(Arc::new(clock));
    let started = |seconds: i64| Some(Timestamp::from_seconds(1_700_000_000 + seconds));
    // More than a page of them started in one second.
    for number in 0..5_000_i64 {
        let at = if (1_000..3_500).contains(&number) { 1_000 } else { number };
        let run = StatusItem {
            started_at: started(at),
            ..item(&format!("run-{number}"), RunStatus::Completed)
        };
        cluster.state.create_status(&run).await.unwrap();
    }
    let oldest = StatusItem { started_at: started(-1), ..item("oldest", RunStatus::Running) };
    let version = cluster.state.create_status(&oldest).await.unwrap();
    let config = MonitorConfig { max_runs: 4_900, ..MonitorConfig::default() };
    let mut handle = Monitor::spawn(cluster.clone(), config, Arc::new(|_| None));
    let first = until(&mut handle, |snapshot| !snapshot.runs.data.is_empty()).await;
    assert_eq!(first.runs.data.len(), 1_001, "the newest page, and what is unfinished");
    assert_eq!(first.runs.data.older(), OlderRuns::Coming);
    let ended = StatusItem { status: Some(RunStatus::Failed), ..oldest };
    cluster.state.replace_status(&ended, &version).await.unwrap();
    let all = until(&mut handle, |snapshot| snapshot.runs.data.counts().completed >= 4_800).await;
    assert_eq!(all.runs.data.get("run-4999").unwrap().item.status, Some(RunStatus::Completed));
    let last = until(&mut handle, |snapshot| snapshot.runs.data.counts().running == 0).await;
    assert!(last.runs.data.len() <= 4_900, "{}", last.runs.data.len());
    until(&mut handle, |snapshot| snapshot.runs.data.older() == OlderRuns::LeftOut).await;

    let roomy = MonitorConfig { max_runs: 6_000, ..MonitorConfig::default() };
    let mut handle = Monitor::spawn(cluster, roomy, Arc::new(|_| None));
    let all = until(&mut handle, |snapshot| snapshot.runs.data.len() == 5_001).await;
    assert_ne!(all.runs.data.older(), OlderRuns::LeftOut);
    until(&mut handle, |snapshot| snapshot.runs.data.older() == OlderRuns::None).await;
}

#[tokio::test(start_paused = true)]
async fn a_calm_cluster_is_asked_less_often_until_something_moves_or_somebody_looks() {
    use std::sync::atomic::Ordering;
    let fake = Arc::new(Fake::default());
    let mut handle = watch(&fake);
    until(&mut handle, all_live).await;
    let looks = |fake: &Fake| fake.looks.swap(0, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(1)).await;
    looks(&fake);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let calm = looks(&fake);
    assert!((100..200).contains(&calm), "{calm} calls in a calm minute");

    fake.held.lock().depth = 7;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(handle.snapshots.borrow().queue.data.depth, 7, "seen within three seconds");
    looks(&fake);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let moving = looks(&fake);
    assert!(moving >= 20, "{moving} calls in five seconds");

    tokio::time::sleep(Duration::from_mins(5)).await;
    looks(&fake);
    handle.stir();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(looks(&fake) >= 6, "everything is asked at once");
}
