//! How many calls to the services a run costs: where each is a request over the network, they are
//! what it takes and what is paid for.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/shapes.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod shapes;

use std::{sync::Arc, time::Duration};

use counting::{Calls, Counting};
use flowcraft_tui::{
    blueprint::{Blueprint, Library},
    cluster::{Lane, TokioClock, memory_cluster},
    engine::{RunStatus, Timestamp},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::Map;

/// How long each call takes.
const LATENCY: Duration = Duration::from_millis(4);

/// Who starts the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Another process, whose calls do not count.
    Elsewhere,
    /// The worker's process.
    Beside,
}

/// What one worker calls for some runs of a blueprint that are under way together.
fn calls(blueprint: &Blueprint, runs: usize, client: Client) -> Calls {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000));
        let memory = memory_cluster(Arc::new(clock));
        let counting = Counting::new(memory.clone(), LATENCY);
        let library = Library::fixed(vec![blueprint.clone()]);
        let config =
            WorkerConfig { reconciler: None, seed: Some(1), ..WorkerConfig::named("worker") };
        let worker = Worker::new(counting.cluster(), library.clone(), shapes::registry(), config);
        let watcher = Operations::new(memory.clone(), library, "watcher");
        let starter = match client {
            Client::Elsewhere => watcher.clone(),
            Client::Beside => Operations::beside(&worker),
        };
        let mut started = Vec::new();
        for _ in 0..runs {
            let request = StartRequest {
                blueprint: blueprint.id.clone(),
                input: Map::new(),
                run: None,
                lint: Lint::Overlook,
            };
            started.push(starter.start(request).await.unwrap().run);
        }
        let running = worker.clone();
        let running = tokio::spawn(async move { running.run().await });
        while worker.status().done < (runs * blueprint.nodes.len()) as u64 {
            tokio::time::sleep(LATENCY).await;
        }
        worker.drain();
        running.await.unwrap();
        for run in started {
            assert_eq!(watcher.view(&run).await.unwrap().status, RunStatus::Completed);
        }
        assert_eq!(memory.queue.depth(Lane::Jobs).await.unwrap().messages, 0);
        counting.calls()
    })
}

/// The most calls that one node may cost.
struct Limits {
    state: f64,
    queue: f64,
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn check(blueprint: &Blueprint, runs: usize, client: Client, limits: &Limits) {
    let calls = calls(blueprint, runs, client);
    let nodes = runs * blueprint.nodes.len();
    for (service, limit) in [("state", limits.state), ("queue", limits.queue)] {
        let cost = calls.of(service) as f64 / nodes as f64;
        assert!(cost <= limit, "{service}: {cost:.3} calls a node, {client:?}; {calls:#?}");
    }
    // A lease is taken and given back for each node, and never needs to be renewed.
    for (call, times) in [("acquire", nodes), ("release", nodes), ("renew", 0)] {
        assert_eq!(calls.count("coordination", call), times as u64, "{calls:#?}");
    }
}

#[test]
fn a_diamond() {
    check(&shapes::fan(2), 50, Client::Elsewhere, &Limits { state: 1.5, queue: 1.2 });
    check(&shapes::fan(2), 50, Client::Beside, &Limits { state: 1.75, queue: 1.2 });
}

#[test]
fn a_chain_of_20() {
    let limits = Limits { state: 1.15, queue: 0.15 };
    for runs in [1, 50] {
        for client in [Client::Elsewhere, Client::Beside] {
            check(&shapes::chain(20), runs, client, &limits);
        }
    }
}

#[test]
fn a_fan_out_of_100_is_committed_many_nodes_at_a_time() {
    let blueprint = shapes::fan(100);
    check(&blueprint, 1, Client::Elsewhere, &Limits { state: 0.34, queue: 2.3 });
}

#[test]
fn a_run_alone_reads_its_document_once_and_its_status_never() {
    let calls = calls(&shapes::fan(2), 1, Client::Elsewhere);
    for (call, times) in [("read_document", 1), ("read_status", 0), ("replace_status", 1)] {
        assert_eq!(calls.count("state", call), times, "{call}: {calls:#?}");
    }
    assert_eq!(calls.count("state", "commit_document"), 4, "{calls:#?}");
}
