//! Who causes which requests, on clusters that need nothing but this program.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/counting.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod counting;
#[path = "support/shapes.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod shapes;

use std::{sync::Arc, time::Duration};

use counting::Counting;
use flowcraft_tui::{
    blueprint::{Blueprint, BlueprintId, Library},
    cluster::{Cluster, SystemClock, Tally, memory_cluster, sqlite_cluster},
    monitor::{CostOf, Monitor, MonitorConfig},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::Map;

fn named(blueprint: Blueprint, id: &str) -> Blueprint {
    Blueprint { id: BlueprintId::from(id), ..blueprint }
}

/// Has a worker do some runs of each blueprint.
async fn work(cluster: &Cluster, blueprints: &[(Blueprint, usize)]) -> Worker {
    let library = Library::fixed(blueprints.iter().map(|(one, _)| one.clone()).collect());
    let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("worker") };
    let worker = Worker::new(cluster.clone(), library.clone(), shapes::registry(), config);
    let client = Operations::new(cluster.clone(), library, "client");
    for (blueprint, runs) in blueprints {
        for _ in 0..*runs {
            let request = StartRequest {
                blueprint: blueprint.id.clone(),
                input: Map::new(),
                run: None,
                lint: Lint::Overlook,
            };
            client.start(request).await.unwrap();
        }
    }
    let nodes: usize = blueprints.iter().map(|(one, runs)| one.nodes.len() * runs).sum();
    let running = worker.clone();
    let running = tokio::spawn(async move { running.run().await });
    while worker.status().done < nodes as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    worker.drain();
    running.await.unwrap();
    worker
}

fn check(worker: &Worker, blueprints: &[(Blueprint, usize)]) {
    let meter = worker.meter();
    let (total, overhead) = (meter.total(), meter.overhead_total());
    assert_eq!(total.request_units, None, "nothing is charged here");
    let mut sum = overhead;
    for (blueprint, runs) in blueprints {
        let tally = meter.blueprint_total(&blueprint.id);
        let nodes = (blueprint.nodes.len() * runs) as u64;
        assert_eq!(tally.nodes, nodes, "{}", blueprint.id);
        // A lease is taken and given back for each node; each commits, some of them together.
        assert_eq!(tally.requests.coordination, 2 * nodes, "{}", blueprint.id);
        assert!(tally.requests.state >= *runs as u64, "{tally:?}");
        assert!(tally.requests.state <= 3 * nodes, "{tally:?}");
        assert!(tally.requests.queue >= *runs as u64, "{tally:?}");
        sum += tally;
    }
    assert_eq!(sum, total, "every request has one who pays");
    // It looked for messages, sent a heartbeat and said goodbye, whoever's runs it did.
    assert!(overhead.requests.queue > 0 && overhead.requests.coordination >= 2, "{overhead:?}");
    assert_eq!((overhead.requests.state, overhead.nodes), (0, 0), "{overhead:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_pays_for_its_requests_in_memory() {
    let counting = Counting::new(memory_cluster(Arc::new(SystemClock)), Duration::ZERO);
    let blueprints = [(named(shapes::fan(4), "fan"), 5), (named(shapes::chain(6), "chain"), 5)];
    let worker = work(&counting.cluster(), &blueprints).await;
    check(&worker, &blueprints);
    // Of what the services saw, the rest is the client's.
    let meter = worker.meter();
    assert!(meter.total().requests.coordination <= counting.calls().of("coordination"));
    assert!(meter.total().requests.state < counting.calls().of("state"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_pays_for_its_requests_on_sqlite_and_the_monitor_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let cluster = sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap();
    let blueprints = [(named(shapes::fan(4), "fan"), 5), (named(shapes::chain(6), "chain"), 5)];
    let worker = work(&cluster, &blueprints).await;
    check(&worker, &blueprints);
    let before = worker.meter().total();

    let mut monitor = Monitor::spawn(cluster.clone(), MonitorConfig::default(), Arc::new(|_| None));
    let shown = monitor.snapshots.wait_for(|snapshot| {
        snapshot.workers.data.cost.dashboard.is_some_and(|cost| cost.requests_in_all() > 0.0)
    });
    let shown =
        tokio::time::timeout(Duration::from_secs(20), shown).await.unwrap().unwrap().clone();
    let cost = &shown.workers.data.cost;
    assert!(cost.dashboard.unwrap().units.is_none(), "{cost:?}");
    assert!(cost.took.queue.is_some() && cost.took.state.is_some(), "{cost:?}");
    assert_eq!(cost.rows.len(), 1, "{cost:?}");
    assert_eq!(cost.rows[0].of, CostOf::Dashboard);
    assert!(cost.all.is_none(), "the worker has left");
    assert_eq!(worker.meter().total(), before, "what the monitor asks is not the worker's");
    assert_ne!(monitor.meter().total(), Tally::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_monitor_shows_what_a_blueprint_costs_while_a_worker_is_at_it() {
    let cluster = memory_cluster(Arc::new(SystemClock));
    let library = Library::fixed(vec![named(shapes::chain(6), "chain")]);
    let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("worker") };
    let worker = Worker::new(cluster.clone(), library.clone(), shapes::registry(), config);
    let client = Operations::beside(&worker);
    let running = worker.clone();
    let running = tokio::spawn(async move { running.run().await });
    let mut monitor = Monitor::spawn(cluster, MonitorConfig::default(), Arc::new(|_| None));
    // Nothing of it has been told yet: the first heartbeat was sent before.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for _ in 0..20 {
        let request = StartRequest {
            blueprint: "chain".into(),
            input: Map::new(),
            run: None,
            lint: Lint::Overlook,
        };
        client.start(request).await.unwrap();
    }
    while worker.status().done < 120 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A change of mode sends a heartbeat at once.
    worker.pause();
    let shown = monitor.snapshots.wait_for(|snapshot| {
        let rows = &snapshot.workers.data.cost.rows;
        rows.iter().any(|row| row.of == CostOf::Blueprint("chain".into()))
    });
    let shown =
        tokio::time::timeout(Duration::from_secs(20), shown).await.unwrap().unwrap().clone();
    let cost = &shown.workers.data.cost;
    let chain = cost.rows[0].cost;
    assert!(chain.nodes > 0.0 && chain.units.is_none() && chain.units_a_node.is_none(), "{cost:?}");
    let a_node = chain.requests_a_node.unwrap();
    assert!((3.0..6.0).contains(&a_node), "{a_node} requests for each node: {cost:?}");
    assert!(cost.all.unwrap().requests_in_all() >= chain.requests_in_all(), "{cost:?}");
    worker.drain();
    running.await.unwrap();
}
