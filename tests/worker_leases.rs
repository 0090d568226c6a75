//! What becomes of a message while its node is leased.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::{Library, RunId, sanitize},
    cluster::{Holder, Key, TokioClock, memory_cluster},
    engine::{RunStatus, Timestamp},
    nodes::{NodeOutput, Registry},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::{Map, json};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_soon_costs_no_time() {
    let cluster = memory_cluster(Arc::new(TokioClock::starting_at(Timestamp::from_seconds(0))));
    let blueprint = sanitize(json!({ "id": "b", "nodes": [{ "id": "a", "uses": "x" }] })).unwrap();
    let registry = Registry::new().with_fn("x", |_| Ok(NodeOutput::none()));
    let library = Library::fixed(vec![blueprint]);
    let worker = Worker::new(cluster.clone(), library, registry, WorkerConfig::named("w"));
    let operations = Operations::beside(&worker);
    let run = RunId::from("r");
    let (key, holder) = (Key::node_lock(&run, &"a".into()), Holder::new(&"other".into(), 1));
    cluster.coordination.acquire(&key, &holder, Duration::from_mins(1)).await.unwrap();
    let running = worker.clone();
    tokio::spawn(async move { running.run().await });
    let request = StartRequest {
        blueprint: "b".into(),
        input: Map::new(),
        run: Some(run.to_string()),
        lint: Lint::Overlook,
    };
    operations.start(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(operations.view(&run).await.unwrap().status, RunStatus::Running);
    cluster.coordination.release(&key, &holder).await.unwrap();
    let given_back = Instant::now();
    while operations.view(&run).await.unwrap().status != RunStatus::Completed {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(given_back.elapsed() < Duration::from_secs(2), "it still waits for the lease");
    }
}
