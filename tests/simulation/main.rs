//! The real worker, reconciler and timers on the in-memory cluster, with everything going wrong that
//! can: on a paused clock, in one thread, from a seed. Whatever happens, each run ends as it does
//! when nothing goes wrong.
//!
//! `SIMULATION_SEED=42 cargo test --test simulation` runs one seed again, with its log;
//! `SIMULATION_SEEDS=100000` runs that many.

#![allow(clippy::unwrap_used, missing_docs, clippy::wildcard_imports)]

mod faults;
mod graphs;
#[path = "../support/registry.rs"]
mod registry;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use faults::{Rates, World};
use flowcraft_tui::{
    blueprint::{Library, RunId},
    cluster::{Cluster, Lane, Neighbours, TokioClock, memory_cluster},
    engine::{Answer, RunStatus, Timestamp},
    nodes::{DynamicSpec, NodeOutput, Registry},
    operations::{Lint, Operations, RunView, StartRequest},
    worker::{ReconcilerConfig, Worker, WorkerConfig},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The nodes of the conformance suite, and one that adds nodes.
fn registry() -> Registry {
    registry::registry().with_fn("spawn", |context| {
        let count = context.param("count").and_then(Value::as_u64).unwrap_or(0);
        let execution = context.execution();
        let dynamic_nodes = (0..count)
            .map(|number| DynamicSpec {
                id: format!("{}-dynamic-{number}", execution.node_id).into(),
                uses: "add".to_owned(),
                params: json!({"n": number}).as_object().cloned().unwrap_or_default(),
                inputs: Some(execution.node_id.as_str().into()),
                config: serde_json::Map::new(),
            })
            .collect();
        Ok(NodeOutput { dynamic_nodes, ..NodeOutput::value(count) })
    })
}

const QUIET: Rates =
    Rates { fails: 0.0, answer_lost: 0.0, stalls: 0.0, dies: 0.0, duplicated: 0.0, delayed: 0.0 };

/// What a run came to, as far as it must not depend on faults.
#[derive(Debug, PartialEq)]
struct Result {
    status: RunStatus,
    outputs: Value,
    context: Value,
    errors: Vec<String>,
}

impl From<RunView> for Result {
    fn from(view: RunView) -> Self {
        let mut context = view.context;
        context.sort_keys();
        let mut outputs = view.outputs;
        outputs.sort_keys();
        Self {
            status: view.status,
            outputs: Value::Object(outputs),
            context: Value::Object(context),
            errors: view.errors.into_iter().map(|error| error.node.to_string()).collect(),
        }
    }
}

/// Plays a seed's run. `workers` of them at a time, each replaced a while after it has died.
async fn play(seed: u64, rates: Rates, workers: usize) -> std::result::Result<Result, String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let made = graphs::make(&mut random);
    let clock = Arc::new(TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000)));
    let mut calm = memory_cluster(clock);
    if seed % 2 == 1 {
        // That none is there must make no difference.
        calm.neighbours = Neighbours::JavaScript;
    }
    let world = World::new(seed, rates);
    let blueprint = made.main.id.clone();
    let library = Library::fixed(std::iter::once(made.main).chain(made.children).collect());
    let mut processes = tokio::task::JoinSet::new();
    for number in 0..workers {
        let (world, calm, library) = (world.clone(), calm.clone(), library.clone());
        processes.spawn(async move { live_and_die(seed, number, &world, &calm, &library).await });
    }
    let operator = world.view(&calm, None);
    let operations = Operations::new(operator, library.clone(), "operator");
    let watcher = Operations::new(calm.clone(), library, "watcher");
    let run = RunId::from("run");
    let request = StartRequest {
        blueprint,
        input: serde_json::Map::new(),
        run: Some(run.to_string()),
        lint: Lint::Overlook,
    };
    let mut tries = 0;
    while let Err(error) = operations.start(request.clone()).await {
        tries += 1;
        if tries > 50 {
            return Err(format!("can't start: {error}"));
        }
    }
    let began = tokio::time::Instant::now();
    let storm = Duration::from_mins(10);
    let limit = Duration::from_hours(6);
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if began.elapsed() > storm {
            world.stormy.store(false, Ordering::Relaxed);
        }
        let view = watcher.view(&run).await.map_err(|error| error.to_string())?;
        if view.status.is_final() {
            break;
        }
        if view.status == RunStatus::Awaiting {
            answer(&operations, &view).await;
        }
        if began.elapsed() > limit {
            return Err(format!("the run does not end: {}", describe(&watcher, &calm, &run).await));
        }
    }
    world.stormy.store(false, Ordering::Relaxed);
    // Whatever is left over must come to nothing: late messages, retried calls, closing work.
    tokio::time::sleep(Duration::from_hours(2)).await;
    let view = watcher.view(&run).await.map_err(|error| error.to_string())?;
    let status = watcher.status(&run).await.map_err(|error| error.to_string())?;
    if status.as_ref().and_then(|item| item.status) != Some(view.status) {
        return Err(format!("the status item says {status:?}, the document {}", view.status));
    }
    let left = calm.queue.depth(Lane::Jobs).await.unwrap().messages;
    if left > 0 {
        return Err(format!("{left} messages are left: {}", describe(&watcher, &calm, &run).await));
    }
    let poison = calm.queue.peek(Lane::Poison, 32).await.unwrap();
    if let Some(letter) = poison.first() {
        return Err(format!(
            "a dead letter: {:?}",
            flowcraft_tui::cluster::DeadLetter::decode(&letter.body)
        ));
    }
    processes.shutdown().await;
    if let Some(violation) = world.violations.lock().unwrap().first() {
        return Err(violation.clone());
    }
    Ok(view.into())
}

/// One worker after the other: when one dies, the next starts a while later.
async fn live_and_die(
    seed: u64,
    number: usize,
    world: &Arc<World>,
    calm: &Cluster,
    library: &Library,
) {
    for life in 0.. {
        let dies = CancellationToken::new();
        let cluster = world.view(calm, Some(dies.clone()));
        let config = WorkerConfig {
            seed: Some(seed.wrapping_mul(31).wrapping_add(number as u64 * 1000 + life)),
            slots: 4,
            max_dequeue_count: 10_000,
            reconciler: Some(ReconcilerConfig {
                every: Duration::from_mins(1),
                stalled_after: Duration::from_secs(150),
            }),
            poll_ceiling: Duration::from_secs(5),
            ..WorkerConfig::named(format!("w{number}-{life}"))
        };
        let worker = Worker::new(cluster, library.clone(), registry(), config);
        tokio::select! {
            () = worker.run() => return,
            () = dies.cancelled() => {}
        }
        let rest = world.random(|random| random.random_range(0..40));
        tokio::time::sleep(Duration::from_secs(rest)).await;
    }
}

/// Answers the waiting nodes, the same way every time; sleeping ones are left alone. What fails is
/// tried again at the next look.
async fn answer(operations: &Operations, view: &RunView) {
    for node in &view.awaiting {
        let answer = Answer {
            node: Some(node.clone()),
            action: Some("approve".to_owned()),
            output: Some(json!({"n": 9})),
            token: format!("answer-{node}"),
        };
        if let Ok(plan) = operations.plan_answer(&view.run, answer).await
            && !plan.ends_sleep()
        {
            let _ = operations.apply(&plan).await;
        }
    }
}

async fn describe(operations: &Operations, cluster: &Cluster, run: &RunId) -> String {
    let view = operations.view(run).await.unwrap();
    let lines: Vec<String> = view
        .nodes
        .iter()
        .filter(|line| !matches!(line.state.as_str(), "completed" | "skipped" | "pending"))
        .map(|line| format!("{} {} {:?}", line.id, line.state.as_str(), line.error))
        .collect();
    let queued = cluster.queue.peek(Lane::Jobs, 32).await.unwrap();
    let causes = operations.explain(run).await;
    format!("{} {lines:?}, {} queued, {causes:?}", view.status, queued.len())
}

/// Runs one seed: without faults, then with them; both must come to the same.
fn check(seed: u64) -> std::result::Result<(), String> {
    let run = |rates, workers| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(play(seed, rates, workers))
    };
    let expected = run(QUIET, 1).map_err(|error| format!("without faults: {error}"))?;
    let mut random = SmallRng::seed_from_u64(seed ^ 0xfau64);
    let rates = Rates {
        fails: random.random_range(0.0..0.06),
        answer_lost: random.random_range(0.0..0.06),
        stalls: random.random_range(0.0..0.01),
        dies: random.random_range(0.0..0.02),
        duplicated: random.random_range(0.0..0.2),
        delayed: random.random_range(0.0..0.2),
    };
    let workers = random.random_range(1..4);
    let found = run(rates, workers)?;
    if found == expected { Ok(()) } else { Err(format!("ours {found:#?}\nexpected {expected:#?}")) }
}

#[test]
fn every_run_ends_as_it_does_without_faults() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => {
            let filter = std::env::var("FLOWCRAFT_LOG").unwrap_or_else(|_| "debug".to_owned());
            tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
            seed..seed + 1
        }
        None => 0..number("SIMULATION_SEEDS").unwrap_or(1000),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let failures: Vec<(u64, String)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let mine = seeds.clone().filter(move |seed| seed % threads == thread);
                scope.spawn(move || {
                    mine.filter_map(|seed| Some((seed, check(seed).err()?)))
                        .take(5)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    for (seed, failure) in &failures {
        eprintln!(
            "seed {seed}: {failure}\nrun it again: SIMULATION_SEED={seed} cargo test --test simulation\n"
        );
    }
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
}
