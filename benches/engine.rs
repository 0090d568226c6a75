//! What the engine costs for each node that completes, in runs of 10, 1,000 and 10,000 nodes: it
//! must not grow with the size of the run.
//!
//! One iteration is one completion: planning it and carrying the plan out on the document, as a
//! worker does for each commit.

#![allow(missing_docs)]

#[path = "../tests/support/shapes.rs"]
#[allow(dead_code, reason = "shared with the other benches")]
mod shapes;

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flowcraft_tui::{
    blueprint::{Blueprint, RunId},
    engine::{
        COMMIT_LIMIT, Completion, Continuation, Event, ExecutionRecord, Graph, Planner,
        RunDocument, RunStatus, Timestamp, Verdict, Work, start,
    },
};
use serde_json::{Map, json};

/// What a completion may add to a document, in bytes.
const SPARE: usize = 300_000;

/// In which order nodes that are ready at the same time end.
#[derive(Debug, Clone, Copy)]
enum Order {
    AsStarted,
    Reversed,
}

/// Runs a graph from start to end, or until its document is about as large as one may be, which is
/// after some 6,000 nodes. Returns how many nodes completed.
fn walk(graph: &Graph, order: Order) -> u64 {
    let run = RunId::from("run");
    let now = Timestamp::from_seconds(1_750_000_000);
    let (mut document, effects) = start(graph, &run, Map::new(), None, now);
    let mut open = VecDeque::from(effects.ready);
    let mut completed = 0;
    let next = |open: &mut VecDeque<Work>| match order {
        Order::AsStarted => open.pop_front(),
        Order::Reversed => open.pop_back(),
    };
    while document.size() < COMMIT_LIMIT - SPARE
        && let Some(work) = next(&mut open)
    {
        let (after, ready) = complete(graph, &run, document, work, now);
        document = after;
        open.extend(ready);
        completed += 1;
    }
    assert!(document.status() == RunStatus::Completed || !open.is_empty());
    assert_eq!(document.failed().count(), 0);
    completed
}

fn complete(
    graph: &Graph,
    run: &RunId,
    document: RunDocument,
    work: Work,
    now: Timestamp,
) -> (RunDocument, Vec<Work>) {
    let mut planner = Planner::new(graph, run, document.clone(), now);
    let event = Event::Completed {
        work,
        record: ExecutionRecord {
            by: "worker:bench#0123456789abcdef".to_owned(),
            started_at: now,
            attempts: 1,
            tries: Vec::new(),
        },
        completion: Completion { output: Some(Arc::new(json!(1))), ..Completion::default() },
    };
    let verdict = planner.apply(&event, Continuation::Inline);
    let Verdict::Applied(effects) = verdict else { panic!("{verdict:?}") };
    let (after, ops) = planner.finish("commit").expect("a completion changes something");
    black_box(ops);
    drop(document);
    (after, effects.ready)
}

/// How long `iterations` completions take, going by whole runs.
fn measure(graph: &Graph, order: Order, iterations: u64) -> Duration {
    let began = Instant::now();
    let mut completed = 0;
    while completed < iterations {
        completed += walk(graph, order);
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    began.elapsed().mul_f64(iterations as f64 / completed as f64)
}

/// Makes the blueprint of a given size.
type Shape = fn(usize) -> Blueprint;

/// Fans of at most 1,000 nodes each: ten times as many would not fit into a document at once.
fn fans(size: usize) -> Blueprint {
    let each = size.min(1_000);
    shapes::fans(size / each, each - 2)
}

fn completions(criterion: &mut Criterion) {
    let shapes: [(&str, Shape, Order); 4] = [
        ("chain", shapes::chain, Order::AsStarted),
        ("fan-out and all fan-in", fans, Order::AsStarted),
        ("fan-out and all fan-in, last first", fans, Order::Reversed),
        ("layers of 10", |size| shapes::layers(size / 10, 10), Order::AsStarted),
    ];
    for (name, shape, order) in shapes {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).measurement_time(Duration::from_secs(2));
        group.warm_up_time(Duration::from_millis(500));
        for size in [10, 1_000, 10_000] {
            let graph = Graph::new(Arc::new(shape(size)));
            group.bench_with_input(BenchmarkId::from_parameter(size), &graph, |bencher, graph| {
                bencher.iter_custom(|iterations| measure(graph, order, iterations));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, completions);
criterion_main!(benches);
