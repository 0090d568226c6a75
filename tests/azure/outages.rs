//! Services that fail while runs are under way: the worker waits, says so, and goes on, and nothing
//! is lost.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, Library, RunId},
    cluster::{AzureServices, Cluster, Lane, Service, SystemClock},
    engine::RunStatus,
    nodes::{Node, NodeContext, NodeError, NodeOutput, Registry},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::services::{Fault, Services, provided};

/// Eight layers of two nodes each: long enough for a fault to come in the middle.
fn ladder() -> Blueprint {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for layer in 0..8 {
        for side in ["a", "b"] {
            nodes.push(json!({"id": format!("{side}{layer}"), "uses": "step"}));
            for source in ["a", "b"] {
                if layer > 0 {
                    edges.push(json!({
                        "source": format!("{source}{}", layer - 1), "target": format!("{side}{layer}")
                    }));
                }
            }
        }
    }
    flowcraft_tui::blueprint::sanitize(json!({"id": "ladder", "nodes": nodes, "edges": edges}))
        .unwrap()
}

/// Takes a moment.
struct Step;

#[async_trait]
impl Node for Step {
    async fn run(&self, _: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(NodeOutput::value(1))
    }
}

/// Some runs under way with two workers.
struct UnderWay {
    cluster: Cluster,
    client: Operations,
    workers: Vec<Worker>,
    running: JoinSet<()>,
    runs: Vec<RunId>,
}

impl UnderWay {
    async fn begin(services: &Services, runs: usize) -> Self {
        let settings = services.settings();
        let cluster = provided(settings.clone()).await;
        let library = Library::fixed(vec![ladder()]);
        let registry = Registry::new().with("step", Step);
        let client = Operations::new(cluster.clone(), library.clone(), "client");
        let mut started = Vec::new();
        for _ in 0..runs {
            let request = StartRequest {
                blueprint: "ladder".into(),
                input: Map::new(),
                run: None,
                lint: Lint::Overlook,
            };
            started.push(client.start(request).await.unwrap().run);
        }
        let mut running = JoinSet::new();
        let workers: Vec<Worker> = (0..2)
            .map(|number| {
                let config = WorkerConfig {
                    lease: Duration::from_secs(5),
                    reconciler: None,
                    ..WorkerConfig::named(format!("w{number}"))
                };
                // Each with connections of its own, as processes have.
                let services = AzureServices::new(settings.clone()).unwrap();
                let cluster = services.cluster(Arc::new(SystemClock));
                Worker::new(cluster, library.clone(), registry.clone(), config)
            })
            .collect();
        for worker in workers.clone() {
            running.spawn(async move { worker.run().await });
        }
        Self { cluster, client, workers, running, runs: started }
    }

    fn done(&self) -> u64 {
        self.workers.iter().map(|worker| worker.status().done).sum()
    }

    /// Waits until so many nodes have been done.
    async fn until_done(&self, nodes: u64) {
        while self.done() < nodes {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a worker says that a service is ill.
    async fn until_ill(&self, service: Service) -> String {
        for _ in 0..2_000 {
            for worker in &self.workers {
                if let Some(said) = worker.status().ill.get(&service) {
                    return said.clone();
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no worker says that {service} is ill: {:?}", self.workers[0].status());
    }

    /// Waits for the end of all runs, and checks that each has all its results, each committed once.
    async fn finish(mut self) {
        let nodes = ladder().nodes.len();
        let expected: Map<String, Value> =
            ladder().nodes.iter().map(|node| (node.id.to_string(), json!(1))).collect();
        for run in &self.runs {
            let limit = tokio::time::Instant::now() + Duration::from_mins(2);
            let view = loop {
                let view = self.client.view(run).await.unwrap();
                if view.status.is_final() {
                    break view;
                }
                assert!(tokio::time::Instant::now() < limit, "it does not end: {view:#?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            assert_eq!(view.status, RunStatus::Completed);
            let sorted = |map: Map<String, Value>| map.into_iter().collect::<BTreeMap<_, _>>();
            assert_eq!(sorted(view.outputs.clone()), sorted(expected.clone()));
            assert!(view.nodes.iter().all(|line| line.iteration == 1), "{view:#?}");
        }
        assert_eq!(self.cluster.queue.depth(Lane::Poison).await.unwrap().messages, 0);
        // What was hidden for a while, or sent twice, comes to a run that has ended, and is dropped;
        // and a worker looks now and then whether a service is back.
        let limit = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let left = self.cluster.queue.depth(Lane::Jobs).await.unwrap().messages;
            let ill = self.workers.iter().any(|worker| !worker.status().ill.is_empty());
            if left == 0 && !ill {
                break;
            }
            assert!(
                tokio::time::Instant::now() < limit,
                "{left} messages are left, or some are ill"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for worker in &self.workers {
            worker.drain();
        }
        while self.running.join_next().await.is_some() {}
        // A worker that did not hear of its commit does not count it; none is counted twice.
        assert!(self.done() <= (nodes * self.runs.len()) as u64, "{}", self.done());
    }
}

async fn fault<'a>(services: &'a Services, service: &str, fault: Value) -> Fault<'a> {
    services.fault(json!({"service": service, "fault": fault})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_cosmos_db_slows_the_worker_down() {
    let Some(services) = Services::own(&[]) else { return };
    let under_way = UnderWay::begin(&services, 10).await;
    under_way.until_done(20).await;
    let busy = fault(
        &services,
        "cosmos",
        json!({"status": 429, "substatus": 3200, "headers": {"x-ms-retry-after-ms": "200"}}),
    )
    .await;
    let said = under_way.until_ill(Service::State).await;
    assert!(said.contains("429"), "{said}");
    services.reset_counts().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let counts = services.counts().await;
    // Two workers with 16 slots each: without a pause, thousands.
    assert!(counts["cosmos"]["requests"].as_u64().unwrap() < 400, "{counts}");
    busy.lift().await;
    under_way.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_and_connections_that_break_lose_nothing() {
    let Some(services) = Services::own(&[]) else { return };
    let under_way = UnderWay::begin(&services, 10).await;
    under_way.until_done(10).await;
    let mut faults = Vec::new();
    for service in ["cosmos", "queue"] {
        for kind in ["reset", "reset-after"] {
            let rule = json!({"service": service, "fault": kind, "probability": 0.1});
            faults.push(services.fault(rule).await);
        }
        let rule = json!({"service": service, "fault": {"status": 503}, "probability": 0.1});
        faults.push(services.fault(rule).await);
    }
    under_way.until_done(100).await;
    for fault in faults {
        fault.lift().await;
    }
    under_way.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_for_a_while_is_waited_for() {
    let Some(services) = Services::own(&[]) else { return };
    for (name, service) in
        [("queue", Service::Queue), ("cosmos", Service::State), ("redis", Service::Coordination)]
    {
        let under_way = UnderWay::begin(&services, 5).await;
        under_way.until_done(5).await;
        let away = fault(&services, name, json!("refuse")).await;
        under_way.until_ill(service).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        away.lift().await;
        under_way.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_or_read_only_costs_no_result() {
    let Some(services) = Services::own(&[]) else { return };
    let under_way = UnderWay::begin(&services, 10).await;
    under_way.until_done(20).await;
    services.stop_redis().await;
    under_way.until_ill(Service::Coordination).await;
    services.start_redis().await;
    under_way.until_done(60).await;
    let reply = json!({"reply": "-READONLY You can't write against a read only replica."});
    let read_only = fault(&services, "redis", reply).await;
    under_way.until_ill(Service::Coordination).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    read_only.lift().await;
    under_way.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_do_not_answer_are_given_up_and_asked_again() {
    let Some(services) = Services::own(&[]) else { return };
    let under_way = UnderWay::begin(&services, 5).await;
    under_way.until_done(5).await;
    let silent = fault(&services, "redis", json!("timeout")).await;
    under_way.until_ill(Service::Coordination).await;
    silent.lift().await;
    under_way.finish().await;
    let slow =
        Arc::new(services.fault(json!({"service": "cosmos", "fault": {"delayMs": 60}})).await);
    let under_way = UnderWay::begin(&services, 5).await;
    under_way.finish().await;
    Arc::into_inner(slow).unwrap().lift().await;
}
