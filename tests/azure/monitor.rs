//! What watching a cluster costs: it follows change, not size.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    cluster::{
        AzureServices, AzureSettings, Clock as _, Cluster, CosmosConnection, CosmosStore, Service,
        StateStore, StatusItem, SystemClock,
    },
    engine::{RunStatus, Timestamp},
    monitor::{Monitor, MonitorConfig, MonitorHandle, Snapshot},
};
use futures::{StreamExt as _, stream};

use crate::services::{Services, provided};

const FINISHED: i64 = 100_000;
const LIVE: i64 = 500;

fn item(number: i64, status: RunStatus) -> StatusItem {
    let started = Timestamp::from_seconds(1_700_000_000 + number);
    StatusItem {
        run_id: format!("run-{number}").as_str().into(),
        status: Some(status),
        last_updated: started,
        blueprint_id: Some("b".into()),
        started_at: Some(started),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: Some("w".into()),
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

/// Fills the statuses past the front, so that this counts nowhere.
async fn seed(services: &Services, settings: &AzureSettings) {
    let direct = CosmosConnection::parse(services.text("/direct/cosmos/connectionString")).unwrap();
    let store = Arc::new(CosmosStore::new(direct, settings.names.clone()));
    let live = (FINISHED..FINISHED + LIVE).map(|number| item(number, RunStatus::Running));
    stream::iter((0..FINISHED).map(|number| item(number, RunStatus::Completed)).chain(live))
        .for_each_concurrent(64, |item| {
            let store = store.clone();
            async move { drop(store.create_status(&item).await.unwrap()) }
        })
        .await;
}

async fn until(watching: &mut MonitorHandle, is_so: impl Fn(&Snapshot) -> bool) {
    let seen = watching.snapshots.wait_for(|snapshot| is_so(snapshot));
    tokio::time::timeout(Duration::from_mins(3), seen).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_with_nothing_changed_costs_the_same_however_many_runs_there_are() {
    let Some(services) = Services::own(&[]) else { return };
    let settings = services.settings();
    let cluster: Cluster = provided(settings.clone()).await;
    seed(&services, &settings).await;
    let config = MonitorConfig { max_runs: 200_000, ..MonitorConfig::default() };
    let mut watching = Monitor::spawn(cluster.clone(), config, Arc::new(|_| None));
    let all = usize::try_from(FINISHED + LIVE).unwrap();
    until(&mut watching, |snapshot| snapshot.runs.data.len() == all).await;
    // The last second of the seeding is looked at again, until it has settled.
    tokio::time::sleep(Duration::from_secs(12)).await;
    services.reset_counts().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let counts = services.counts().await;
    let number = |service: &str, figure: &str| counts[service][figure].as_u64().unwrap();
    // About ten looks of each source: one query of the runs; depth and peek of the queues; an index
    // and a bounded search in Redis.
    assert!(number("cosmos", "requests") <= 22, "{counts}");
    assert!(number("queue", "requests") <= 44, "{counts}");
    assert!(number("redis", "requests") <= 200, "{counts}");
    assert!(number("cosmos", "bytesOut") <= 22 * 2_000, "no old item is read: {counts}");

    let started =
        StatusItem { started_at: Some(SystemClock.now()), ..item(-1, RunStatus::Running) };
    cluster.state.create_status(&started).await.unwrap();
    until(&mut watching, |snapshot| snapshot.runs.data.get("run--1").is_some()).await;
    assert_eq!(watching.snapshots.borrow().runs.data.len(), all + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_that_is_away_shows_as_such_and_keeps_its_last_data() {
    use flowcraft_tui::monitor::SourceState;
    let Some(services) = Services::own(&[]) else { return };
    let settings = services.settings();
    let cluster = AzureServices::new(settings.clone()).unwrap();
    cluster.create_missing().await.unwrap();
    let cluster = cluster.cluster(Arc::new(SystemClock));
    cluster.state.create_status(&item(1, RunStatus::Completed)).await.unwrap();
    let mut watching = Monitor::spawn(cluster, MonitorConfig::default(), Arc::new(|_| None));
    until(&mut watching, |snapshot| {
        !snapshot.runs.data.is_empty()
            && snapshot.queue.state == SourceState::Live
            && snapshot.locks.state == SourceState::Live
    })
    .await;
    for (name, service) in
        [("queue", Service::Queue), ("cosmos", Service::State), ("redis", Service::Coordination)]
    {
        let state = move |snapshot: &Snapshot| match service {
            Service::Queue => snapshot.queue.state.clone(),
            Service::State => snapshot.runs.state.clone(),
            Service::Coordination => snapshot.locks.state.clone(),
        };
        let away = services.fault(serde_json::json!({"service": name, "fault": "refuse"})).await;
        until(&mut watching, |snapshot| matches!(state(snapshot), SourceState::Stale { .. })).await;
        assert_eq!(watching.snapshots.borrow().runs.data.len(), 1, "what was known stays");
        away.lift().await;
        until(&mut watching, |snapshot| state(snapshot) == SourceState::Live).await;
    }
}
