//! Our worker beside a JavaScript one, in turn on the same servers that stand in for Azure: jobs per
//! second, and what a job costs in requests and request units. Starting the runs does not count.
//!
//! `node tests/services/start.mjs -- cargo bench --bench azure`. The figures depend on the machine,
//! which runs the servers, too; what matters are the ratios, each of a pair measured one after the
//! other. Cosmos DB's request units are by the service's price list.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/azure/services.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod services;
#[path = "../tests/support/shapes.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod shapes;

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flowcraft_tui::{
    blueprint::{Blueprint, Library, sanitize},
    nodes::{NodeOutput, Registry},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::{Map, Value, json};

use crate::services::{Services, fresh, services};

/// Runs of one blueprint that are under way at the same time.
struct Load {
    name: &'static str,
    blueprint: Value,
    runs: usize,
}

impl Load {
    fn new(name: &'static str, shape: &Blueprint, runs: usize) -> Self {
        let nodes: Vec<Value> = shape
            .nodes
            .iter()
            .map(|node| json!({"id": node.id, "uses": "const", "params": {"value": 1}}))
            .collect();
        let edges: Vec<Value> = shape
            .edges
            .iter()
            .map(|edge| json!({"source": edge.source, "target": edge.target}))
            .collect();
        let blueprint = json!({"id": shape.id, "nodes": nodes, "edges": edges});
        Self { name, blueprint, runs }
    }

    fn jobs(&self) -> f64 {
        number(self.runs * self.blueprint["nodes"].as_array().unwrap().len())
    }
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}

/// What the jobs of a load took.
#[derive(Debug, Clone, Copy)]
struct Measured {
    jobs_per_second: f64,
    cosmos: f64,
    request_units: f64,
    queue: f64,
}

/// Our worker.
async fn ours(services: &Services, load: &Load) -> Measured {
    let cluster = services.cluster().await;
    let blueprint = sanitize(load.blueprint.clone()).unwrap();
    let library = Library::fixed(vec![blueprint.clone()]);
    let registry = Registry::new().with_fn("const", |_| Ok(NodeOutput::value(1)));
    let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("bench") };
    let worker = Worker::new(cluster.clone(), library.clone(), registry, config);
    let client = Operations::new(cluster.clone(), library, "client");
    for _ in 0..load.runs {
        let request = StartRequest {
            blueprint: blueprint.id.clone(),
            input: Map::new(),
            run: None,
            lint: Lint::Overlook,
        };
        client.start(request).await.unwrap();
    }
    services.reset_counts().await;
    let goal = (load.runs * blueprint.nodes.len()) as u64;
    let running = worker.clone();
    let began = Instant::now();
    let running = tokio::spawn(async move { running.run().await });
    while worker.status().done < goal || worker.status().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = began.elapsed();
    worker.drain();
    running.await.unwrap();
    let counts = services.counts().await;
    let per_job =
        |service: &str, figure: &str| counts[service][figure].as_f64().unwrap() / load.jobs();
    Measured {
        jobs_per_second: load.jobs() / took.as_secs_f64(),
        cosmos: per_job("cosmos", "requests"),
        request_units: per_job("cosmos", "requestUnits"),
        queue: per_job("queue", "requests"),
    }
}

/// A JavaScript worker.
async fn theirs(services: &Services, load: &Load, folder: &Path) -> Option<Measured> {
    services.reset_counts().await;
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/neighbour/bench.mjs");
    let output = Command::new("node")
        .arg(program)
        .args(["--blueprint", load.blueprint["id"].as_str().unwrap(), "--blueprints"])
        .arg(folder)
        .args(["--runs", &load.runs.to_string(), "--seconds", "60"])
        .args(["--queue", &fresh("q"), "--database", &fresh("db")])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).ok()?;
    let sends = number(load.runs);
    let queue = services.counts().await["queue"]["requests"].as_f64().unwrap() - sends;
    Some(Measured {
        jobs_per_second: result["jobsPerSecond"].as_f64()?,
        cosmos: result["cosmosPerJob"].as_f64()?,
        request_units: result["requestUnitsPerJob"].as_f64()?,
        queue: queue / result["jobs"].as_f64()?,
    })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let Some(services) = services() else { return };
    // Cargo says so when it measures; as a test, once through will do.
    let once = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, small) = if once { (1, 1) } else { (5, 50) };
    let loads = [
        Load::new("diamond", &shapes::fan(2), small),
        Load::new("chain of 20", &shapes::chain(20), small.min(20)),
        Load::new("fan-out of 100", &shapes::fan(100), small.min(2)),
    ];
    println!(
        "{:<16}{:<12}{:>8}{:>14}{:>10}{:>14}",
        "", "", "jobs/s", "Cosmos/job", "RU/job", "queue/job"
    );
    for load in &loads {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("blueprint.json"), load.blueprint.to_string()).unwrap();
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let Some(theirs) = theirs(services, load, folder.path()).await else {
                println!("{:<16}the JavaScript worker did not end", load.name);
                break;
            };
            pairs.push((ours(services, load).await, theirs));
        }
        let row = |who: &str, figure: &dyn Fn(&(Measured, Measured)) -> Measured| {
            let median = |of: fn(&Measured) -> f64| {
                median(pairs.iter().map(|pair| of(&figure(pair))).collect())
            };
            println!(
                "{:<16}{who:<12}{:>8.0}{:>14.2}{:>10.2}{:>14.2}",
                load.name,
                median(|one| one.jobs_per_second),
                median(|one| one.cosmos),
                median(|one| one.request_units),
                median(|one| one.queue),
            );
        };
        row("ours", &|(ours, _)| *ours);
        row("JavaScript", &|(_, theirs)| *theirs);
        row("ratio", &|(ours, theirs)| Measured {
            jobs_per_second: ours.jobs_per_second / theirs.jobs_per_second,
            cosmos: ours.cosmos / theirs.cosmos,
            request_units: ours.request_units / theirs.request_units,
            queue: ours.queue / theirs.queue,
        });
    }
}
