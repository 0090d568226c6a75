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

    // As far away as Azure is: else it is this machine's load that says how many commits there are.
    let mut distant = Vec::new();
    for service in ["cosmos", "queue"] {
        let rule = serde_json::json!({ "service": service, "fault": { "delayMs": 5 } });
        distant.push(services.fault(rule).await);
    }
    let fan = cost(&services, &shapes::fan(100), 1).await;
    for fault in distant {
        fault.lift().await;
    }
    let writes = number(&fan.working, "cosmos", "requests") / fan.jobs;
    assert!(writes <= 0.5, "commits are merged: {}", fan.working);
}

/// What the fronts saw of a service, in hundredths for request units.
fn seen(counts: &Value, service: &str) -> (u64, u64, u64) {
    let statuses = &counts[service]["statuses"];
    let of = |status: &str| statuses[status].as_u64().unwrap_or(0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Not negative, and small.
    let units = (number(counts, service, "requestUnits") * 100.0).round() as u64;
    (counts[service]["requests"].as_u64().unwrap(), of("429") + of("503"), units)
}

/// Requests for connecting to Redis: not counted here, since its client does not say.
fn connecting(counts: &Value) -> u64 {
    let kinds = counts["redis"]["kinds"].as_object().unwrap();
    let is_setup = |kind: &str| ["HELLO", "CLIENT", "CLUSTER", "AUTH", "SELECT"].contains(&kind);
    kinds
        .iter()
        .filter(|(kind, _)| is_setup(&kind.to_uppercase()))
        .filter_map(|(_, count)| count.as_u64())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_counts_is_what_the_services_saw() {
    let Some(services) = Services::own(&[]) else { return };
    let cluster: Cluster = services.cluster().await;
    let blueprint = shapes::fan(4);
    let library = Library::fixed(vec![blueprint.clone()]);
    let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("worker") };
    let worker = Worker::new(cluster.clone(), library.clone(), shapes::registry(), config);
    let client = Operations::new(cluster.clone(), library, "client");
    cluster.state.read_document(&"none".into(), None).await.unwrap();
    cluster.state.read_status(&"none".into()).await.unwrap();
    for _ in 0..10 {
        let request = StartRequest {
            blueprint: blueprint.id.clone(),
            input: Map::new(),
            run: None,
            lint: Lint::Overlook,
        };
        client.start(request).await.unwrap();
    }
    services.reset_counts().await;
    // Some of the tries that follow are refused: each of them is a request all the same. (Not sends:
    // where one of several fails, the others are given up, and may or may not have got there.)
    let faults = [("queue", "delete", 503), ("queue", "receive", 429), ("cosmos", "replace", 429)];
    let mut lifted = Vec::new();
    for (service, kind, status) in faults {
        let rule = serde_json::json!({
            "service": service, "fault": {"status": status}, "match": {"kind": kind}, "count": 3,
            "skip": 2,
        });
        lifted.push(services.fault(rule).await);
    }
    let running = worker.clone();
    let running = tokio::spawn(async move { running.run().await });
    let jobs = 10 * blueprint.nodes.len();
    while worker.status().done < jobs as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    worker.drain();
    running.await.unwrap();
    // The index of leases is kept up a moment later.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let counts = services.counts().await;
    for fault in lifted {
        fault.lift().await;
    }
    let (total, overhead) = (worker.meter().total(), worker.meter().overhead_total());
    let runs = worker.meter().blueprint_total(&blueprint.id);

    let (queue, busy, _) = seen(&counts, "queue");
    assert_eq!((total.requests.queue, total.throttled.queue), (queue, busy), "{counts:#}");
    assert!(busy >= 3, "each was tried again: {counts:#}");
    let (state, refused, units) = seen(&counts, "cosmos");
    assert_eq!((total.requests.state, total.throttled.state), (state, refused), "{counts:#}");
    assert_eq!(refused, 3, "{counts:#}");
    let charged = total.request_units.unwrap();
    assert_eq!(charged, flowcraft_tui::cluster::RequestUnits::from_hundredths(units), "{counts:#}");
    let (commands, ..) = seen(&counts, "redis");
    assert_eq!(total.requests.coordination + connecting(&counts), commands, "{counts:#}");

    assert_eq!((runs.nodes, total.nodes), (jobs as u64, jobs as u64));
    // But for runs the state store is only asked whether it is well again, by a name that nobody has.
    let nobody = counts["cosmos"]["statuses"]["404"].as_u64().unwrap_or(0);
    assert_eq!(overhead.requests.state, nobody, "{counts:#}");
    assert_eq!(runs.throttled.queue + overhead.throttled.queue, busy);
    let mut sum = overhead;
    sum += runs;
    assert_eq!(sum, total);
}
