//! Conformance cases played on a cluster, from the start to the last answer.

use flowcraft_tui::{cluster::Cluster, operations::Operations};

use crate::{
    case::{Case, Starts, cases, cases_in, counted, differences, expected_starts, play, worker},
    registry,
};

/// Plays a case with some workers, and returns how it differs from what is expected.
pub(crate) async fn run_case(
    case: &Case,
    cluster: &Cluster,
    workers: usize,
    seed: u64,
) -> Vec<String> {
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
pub(crate) fn all_cases() -> Vec<Case> {
    let mut all = cases();
    all.extend(cases_in("tests/conformance/extra"));
    all
}
