//! Every conformance case gives what the JavaScript runtime gives: in memory and on the embedded
//! cluster, with one worker and with several.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/case.rs"]
mod case;
#[path = "support/registry.rs"]
mod registry;

use std::sync::Arc;

use case::{Case, Starts, cases, cases_in, counted, differences, expected_starts, play, worker};
use flowcraft_tui::{
    cluster::{Cluster, SystemClock, TokioClock, memory_cluster, sqlite_cluster},
    engine::Timestamp,
    operations::Operations,
};

/// Plays a case with some workers, and returns how it differs from what is expected.
async fn run_case(case: &Case, cluster: &Cluster, workers: usize, seed: u64) -> Vec<String> {
    let starts = Starts::default();
    let registry = counted(&registry::registry(), &starts);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..workers {
        let worker = worker(
            cluster,
            case.library(),
            registry.clone(),
            &format!("w{number}"),
            seed + number as u64,
        );
        running.spawn(async move { worker.run().await });
    }
    let operations = Operations::new(cluster.clone(), case.library(), "client");
    let views = play(case, &operations, &format!("run-{}", case.name)).await;
    running.shutdown().await;
    let mut found = Vec::new();
    let steps = std::iter::once(&case.json["expected"])
        .chain(case.json["resumes"].as_array().into_iter().flatten().map(|step| &step["expected"]));
    for (view, expected) in views.iter().zip(steps) {
        found.extend(differences(case, view, expected));
    }
    let ours = starts.lock().unwrap().clone();
    let wanted = expected_starts(case);
    if ours != wanted {
        found.push(format!("{}: starts: ours {ours:?}, expected {wanted:?}", case.name));
    }
    found
}

/// The cases of the suite, and ours: other shapes, with what the same runtime gave for them.
fn all_cases() -> Vec<Case> {
    let mut all = cases();
    all.extend(cases_in("tests/conformance/extra"));
    all
}

#[test]
fn in_memory() {
    for workers in [1, 3] {
        let mut found = Vec::new();
        for case in all_cases() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            found.extend(runtime.block_on(async {
                let clock = TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000));
                let cluster = memory_cluster(Arc::new(clock));
                run_case(&case, &cluster, workers, 7).await
            }));
        }
        assert!(found.is_empty(), "{workers} workers:\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for workers in [1, 2] {
        for case in all_cases() {
            let path = folder.path().join(format!("{}-{workers}.db", case.name));
            let cluster = sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap();
            found.extend(run_case(&case, &cluster, workers, 7).await);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
