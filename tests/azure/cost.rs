//! What a run costs, counted by the services: requests, and the request units they are paid for by.

use std::time::Duration;

use flowcraft_tui::{
    blueprint::{Blueprint, Library},
    cluster::Cluster,
    engine::RunStatus,
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::{Map, Value};

use crate::{services::Services, shapes};

/// What some runs cost.
struct Cost {
    jobs: f64,
    starting: Value,
    working: Value,
}

impl Cost {
    /// Requests to a service for each job, those that start the runs included.
    fn whole(&self, service: &str, figure: &str) -> f64 {
        self.working_on(service, figure) + number(&self.starting, service, figure) / self.jobs
    }

    /// Requests to a service for each job, made by the worker.
    fn working_on(&self, service: &str, figure: &str) -> f64 {
        number(&self.working, service, figure) / self.jobs
    }
}

fn number(counts: &Value, service: &str, figure: &str) -> f64 {
    counts[service][figure].as_f64().unwrap_or_else(|| panic!("no {service}.{figure}: {counts}"))
}

/// Has one worker do some runs of a blueprint that are under way together.
async fn cost(services: &Services, blueprint: &Blueprint, runs: usize) -> Cost {
    let cluster: Cluster = services.cluster().await;
    let library = Library::fixed(vec![blueprint.clone()]);
    let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("worker") };
    let worker = Worker::new(cluster.clone(), library.clone(), shapes::registry(), config);
    let client = Operations::new(cluster.clone(), library, "client");
    // What there is to know of the account and the containers is read once, by anybody's first call.
    cluster.state.read_document(&"none".into(), None).await.unwrap();
    cluster.state.read_status(&"none".into()).await.unwrap();
    services.reset_counts().await;
    let mut started = Vec::new();
    for _ in 0..runs {
        let request = StartRequest {
            blueprint: blueprint.id.clone(),
            input: Map::new(),
            run: None,
            lint: Lint::Overlook,
        };
        started.push(client.start(request).await.unwrap().run);
    }
    let starting = services.counts().await;
    services.reset_counts().await;
    let jobs = runs * blueprint.nodes.len();
    let running = worker.clone();
    let running = tokio::spawn(async move { running.run().await });
    while worker.status().done < jobs as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    worker.drain();
    running.await.unwrap();
    let working = services.counts().await;
    for run in started {
        assert_eq!(client.view(&run).await.unwrap().status, RunStatus::Completed);
    }
    assert_eq!(cluster.queue.depth(flowcraft_tui::cluster::Lane::Jobs).await.unwrap().messages, 0);
    #[allow(clippy::cast_precision_loss)] // A few thousand.
    Cost { jobs: jobs as f64, starting, working }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_costs_few_requests_and_request_units() {
    let Some(services) = Services::own(&[]) else { return };
    // Four nodes: one, two that follow it, one that follows both.
    let diamond = cost(&services, &shapes::fan(2), 50).await;
    assert!(diamond.working_on("cosmos", "requests") <= 2.0, "{}", diamond.working);
    assert!(diamond.whole("cosmos", "requests") <= 2.5, "{}", diamond.working);
    assert!(diamond.working_on("queue", "requests") <= 1.2, "{}", diamond.working);
    assert!(diamond.working_on("cosmos", "requestUnits") <= 8.0, "{}", diamond.working);

    let chain = cost(&services, &shapes::chain(20), 20).await;
    assert!(chain.whole("cosmos", "requests") <= 1.3, "{}", chain.working);
    assert!(chain.whole("queue", "requests") <= 0.3, "{}", chain.working);

    let fan = cost(&services, &shapes::fan(100), 1).await;
    let writes = number(&fan.working, "cosmos", "requests") / fan.jobs;
    assert!(writes <= 0.5, "commits are merged: {}", fan.working);
}
