//! A cluster of which a part is missing.

use std::time::Duration;

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{AzureSettings, CosmosNames, Lane, Service},
    engine::RunStatus,
    worker::WorkerConfig,
};
use serde_json::json;
use tokio::time::sleep;

use super::{config, connected, ended, eventually};
use crate::{
    services::{fresh, provided, services},
    stage::{Stage, blueprint},
};

/// C3
#[tokio::test]
async fn a_missing_container_is_an_error_that_costs_no_message() {
    let Some(services) = services() else { return };
    let settings = services.settings();
    let misnamed = CosmosNames { contexts: "context".into(), ..settings.names.clone() };
    provided(AzureSettings { names: misnamed, ..settings.clone() }).await;
    let ab = blueprint("b", &json!([["a", "noop"], ["b", "noop"]]), &json!([["a", "b"]]));
    let mut stage = Stage::on(connected(&settings), vec![ab]);
    let refused = stage.operations.start(stage.request(&fresh("run"), &json!({}))).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("/contexts") && error.contains("flowcraft-tui provision"), "{error}");

    let run = RunId::from(fresh("run"));
    stage.send(stage.plain_job(&run, "a").encode()).await;
    let lease = Duration::from_secs(1);
    let config = WorkerConfig { lease, max_dequeue_count: 2, ..config("w") };
    let worker = stage.make_worker(config);
    stage.run_worker(&worker);
    eventually("the worker says what is missing", async || {
        worker.status().ill.get(&Service::State).is_some_and(|said| said.contains("/contexts"))
    })
    .await;
    // Long enough for more tries than a message has.
    sleep(Duration::from_secs(4)).await;
    assert!(worker.status().ill.contains_key(&Service::State), "{:?}", worker.status());
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (1, 0));

    provided(settings).await;
    stage.operations.start(stage.request(&run, &json!({}))).await.unwrap();
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    eventually("no message is left", async || stage.depth(Lane::Jobs).await == 0).await;
    assert_eq!(stage.depth(Lane::Poison).await, 0);
    assert!(worker.status().ill.is_empty(), "{:?}", worker.status());
}
