//! Node executions per second on the embedded cluster, beside a bare loop of as many SQLite
//! commits: what the disk allows one writer that waits for it each time.
//!
//! One iteration is one node execution. Before each batch of runs the bare loop runs for as many
//! commits, so that both meet the same disk; the ratios are printed at the end. The files are in
//! the folder for temporary files (`TMPDIR`), which should be on a real disk.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/support/shapes.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod shapes;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, SamplingMode};
use flowcraft_tui::{
    blueprint::{Blueprint, Library},
    cluster::{SystemClock, sqlite_cluster},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use rusqlite::Connection;
use serde_json::Map;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Runs of one blueprint that are under way at the same time.
struct Load {
    name: &'static str,
    blueprint: Blueprint,
    runs: usize,
}

impl Load {
    fn nodes(&self) -> usize {
        self.runs * self.blueprint.nodes.len()
    }
}

/// SQLite with as little around it as can be.
struct BareLoop {
    connection: Connection,
}

impl BareLoop {
    fn new(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("bare.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection
            .execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)", [])
            .unwrap();
        Self { connection }
    }

    /// How long this many commits of one small row each take.
    fn measure(&self, commits: usize) -> Duration {
        let mut insert =
            self.connection.prepare("INSERT INTO notes (text) VALUES ('completed')").unwrap();
        let began = Instant::now();
        for _ in 0..commits {
            insert.execute([]).unwrap();
        }
        began.elapsed()
    }
}

/// A worker on a cluster of its own.
struct Embedded {
    runtime: Runtime,
    worker: Worker,
    operations: Operations,
    _folder: TempDir,
}

impl Embedded {
    fn new(blueprint: Blueprint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.db");
        let runtime = Runtime::new().unwrap();
        let cluster = runtime.block_on(sqlite_cluster(&path, Arc::new(SystemClock))).unwrap();
        let config = WorkerConfig { reconciler: None, ..WorkerConfig::named("bench") };
        let library = Library::fixed(vec![blueprint]);
        let worker = Worker::new(cluster, library, shapes::registry(), config);
        let operations = Operations::beside(&worker);
        worker.pause();
        let running = worker.clone();
        runtime.spawn(async move { running.run().await });
        Self { runtime, worker, operations, _folder: folder }
    }

    /// How long the worker takes for runs that are waiting in the queue.
    fn measure(&self, load: &Load) -> Duration {
        self.worker.pause();
        for _ in 0..load.runs {
            let request = StartRequest {
                blueprint: load.blueprint.id.clone(),
                input: Map::new(),
                run: None,
                lint: Lint::Overlook,
            };
            self.runtime.block_on(self.operations.start(request)).unwrap();
        }
        let goal = self.worker.status().done + load.nodes() as u64;
        let began = Instant::now();
        self.worker.go_on();
        while self.worker.status().done < goal || self.worker.status().in_flight > 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
        began.elapsed()
    }
}

/// What the batches of a load took, and the bare loop beside each.
struct Measured {
    name: &'static str,
    nodes: usize,
    pairs: Vec<(Duration, Duration)>,
}

fn run_load(criterion: &mut Criterion, load: &Load) -> Measured {
    let embedded = Embedded::new(load.blueprint.clone());
    let folder = tempfile::tempdir().unwrap();
    let bare = BareLoop::new(folder.path());
    let mut pairs = Vec::new();
    let mut group = criterion.benchmark_group("a node on SQLite");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.bench_function(load.name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut took, mut nodes) = (Duration::ZERO, 0);
            while nodes < iterations {
                let alone = bare.measure(load.nodes());
                let ours = embedded.measure(load);
                pairs.push((alone, ours));
                took += ours;
                nodes += load.nodes() as u64;
            }
            #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
            took.mul_f64(iterations as f64 / nodes as f64)
        });
    });
    group.finish();
    Measured { name: load.name, nodes: load.nodes(), pairs }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let loads = [
        Load { name: "chain of 20, one run alone", blueprint: shapes::chain(20), runs: 1 },
        Load { name: "chains of 20, 16 runs at once", blueprint: shapes::chain(20), runs: 16 },
        Load { name: "fan-out of 100, one run alone", blueprint: shapes::fan(100), runs: 1 },
        Load { name: "fan-outs of 100, 8 runs at once", blueprint: shapes::fan(100), runs: 8 },
    ];
    let mut criterion = Criterion::default().configure_from_args();
    let measured: Vec<_> = loads.iter().map(|load| run_load(&mut criterion, load)).collect();
    criterion.final_summary();
    println!("{:<34}{:>12}{:>14}{:>8}", "", "nodes/s", "bare commits/s", "ratio");
    for Measured { name, nodes, pairs } in measured.iter().filter(|one| !one.pairs.is_empty()) {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = |took: &Duration| *nodes as f64 / took.as_secs_f64();
        let ours = median(pairs.iter().map(|(_, ours)| rate(ours)).collect());
        let bare = median(pairs.iter().map(|(bare, _)| rate(bare)).collect());
        let ratio = median(pairs.iter().map(|(bare, ours)| rate(ours) / rate(bare)).collect());
        println!("{name:<34}{ours:>12.0}{bare:>14.0}{ratio:>8.2}");
    }
}
