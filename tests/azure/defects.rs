//! What the JavaScript workers got wrong, each with a test on real servers that says what is right.
//! The rows of the list of defects are named at the tests. Many have a test in memory as well; here
//! it is the services that count: receipts, leases, preconditions, and what other programs left in them.

mod concurrency;
mod context;
mod crashes;
mod delivery;
mod neighbours;
mod pace;
mod reconciler;
mod setup;
mod transient;
mod values;

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::{Blueprint, RunId},
    cluster::{AzureServices, AzureSettings, Cluster, SystemClock},
    engine::RunStatus,
    operations::RunView,
    worker::{Worker, WorkerConfig},
};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    services::{Services, fresh, provided, services},
    stage::{Stage, alone, blueprint},
};

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(60);

/// Blueprints on a cluster of their own, and how others reach it.
async fn staged(services: &Services, blueprints: Vec<Blueprint>) -> (Stage, AzureSettings) {
    let settings = services.settings();
    (Stage::on(provided(settings.clone()).await, blueprints), settings)
}

/// A blueprint in short form on a cluster of its own.
async fn stage_of(nodes: &Value, edges: &Value) -> Option<Stage> {
    Some(staged(services()?, vec![blueprint("b", nodes, edges)]).await.0)
}

/// The cluster seen through connections of its own, as another process does.
fn connected(settings: &AzureSettings) -> Cluster {
    AzureServices::new(settings.clone()).unwrap().cluster(Arc::new(SystemClock))
}

/// A worker that does not reconcile, and makes random choices of its own.
fn config(name: &str) -> WorkerConfig {
    let seed = Some(uuid::Uuid::new_v4().as_u64_pair().0);
    WorkerConfig { seed, ..alone(name) }
}

/// A worker with short leases.
fn quick(name: &str) -> WorkerConfig {
    WorkerConfig { lease: Duration::from_secs(5), ..config(name) }
}

/// Runs a worker.
fn run_worker(stage: &mut Stage, name: &str) -> Worker {
    let worker = stage.make_worker(config(name));
    stage.run_worker(&worker);
    worker
}

/// Starts a run under a name that nobody else has: all tests share one Redis.
async fn start(stage: &Stage, input: &Value) -> RunId {
    stage.operations.start(stage.request(&fresh("run"), input)).await.unwrap().run
}

/// Waits until a run has ended.
async fn ended(stage: &Stage, run: &RunId) -> RunView {
    until(stage, run, "ends", |view| view.status.is_final()).await
}

/// Waits until something can be said of a run.
async fn until(
    stage: &Stage,
    run: &RunId,
    what: &str,
    is_so: impl Fn(&RunView) -> bool,
) -> RunView {
    if let Ok(view) = timeout(LIMIT, stage.until(run, what, is_so)).await {
        return view;
    }
    panic!("not in time: {what}: {:#?}", stage.operations.view(run).await);
}

/// Starts a run, plays it with one worker, and returns it when it has ended.
async fn play(stage: &mut Stage, input: &Value) -> RunView {
    run_worker(stage, "w");
    let run = start(stage, input).await;
    ended(stage, &run).await
}

/// Waits until something is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(LIMIT, waiting).await.is_ok(), "not in time: {what}");
}

/// Waits until a run's status item says so.
async fn until_status(stage: &Stage, run: &RunId, status: RunStatus) {
    eventually(&format!("the status item of {run} says {status}"), async || {
        let item = stage.operations.status(run).await.unwrap();
        item.is_some_and(|item| item.status == Some(status))
    })
    .await;
}

/// Each of these nodes once.
fn once(nodes: &[&str]) -> std::collections::BTreeMap<String, usize> {
    nodes.iter().map(|node| ((*node).to_owned(), 1)).collect()
}
