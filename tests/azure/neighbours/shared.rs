//! Runs that go to and fro between both kinds of workers on one queue.

use std::collections::BTreeSet;

use flowcraft_tui::operations::RunView;
use serde_json::Value;

use super::{
    process::Process,
    scene::{Scene, diamond, of_case, outputs, reconciling},
};
use crate::services::services;

/// The runs in which the JavaScript worker ran a node although an output before it was gone.
fn starved(js: &Process) -> BTreeSet<String> {
    js.events("executed")
        .iter()
        .filter(|event| event["starved"] == true)
        .map(|event| event["runId"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether both kinds of workers ran nodes of it.
fn is_shared(view: &RunView) -> bool {
    let ran = view.nodes.iter().filter(|node| node.finished_at.is_some());
    let (ours, theirs): (Vec<_>, Vec<_>) = ran.partition(|node| node.worker.is_some());
    !ours.is_empty() && !theirs.is_empty()
}

/// Waits for the end of runs, given with their blueprints, and checks what came of them.
async fn all_right(scene: &Scene, js: Process, runs: &[(String, String)]) {
    let (mut shared, mut wrong) = (0, Vec::new());
    for (blueprint, run) in runs {
        let view = scene.ended(run).await;
        assert_eq!(view.status.as_str(), "completed", "{run}: {view:#?}");
        shared += usize::from(is_shared(&view));
        let expected = scene.expected(blueprint).await;
        if outputs(&view) != expected {
            wrong.push((run.clone(), outputs(&view), expected));
        }
    }
    scene.until_queue_is_empty().await;
    let starved = starved(&js);
    js.end().await;
    let unexplained: Vec<_> =
        wrong.iter().filter(|(run, ..)| !starved.contains(&*scene.run(run))).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(wrong.len() * 10 <= runs.len(), "shows too little: {wrong:#?}");
    // A busy machine may leave most runs to whoever was first.
    assert!(shared * 5 >= runs.len(), "only {shared} of {} went to and fro", runs.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn diamonds() {
    let Some(services) = services() else { return };
    let mut blueprints: Vec<Value> = Vec::new();
    for join in ["all", "any"] {
        for (late, b, c) in [("b", 200, 0), ("c", 0, 200)] {
            blueprints.push(diamond(&format!("{join}-{late}"), join, b, c));
        }
    }
    let mut scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&[]);
    js.until("started").await;
    let mut config = reconciling("w");
    // Slow enough to leave something to the other.
    config.slots = 1;
    scene.ours(config);
    let mut runs = Vec::new();
    for blueprint in ["all-b", "all-c", "any-b", "any-c"] {
        let names: Vec<String> = (0..5).map(|number| format!("{blueprint}-{number}")).collect();
        let (by_ours, by_theirs) = names.split_at(3);
        for run in by_ours {
            scene.start(blueprint, run).await;
        }
        let by_theirs: Vec<&str> = by_theirs.iter().map(String::as_str).collect();
        scene.start_by_theirs(blueprint, &by_theirs, &[]).await;
        runs.extend(names.into_iter().map(|run| (blueprint.to_owned(), run)));
    }
    all_right(&scene, js, &runs).await;
}

/// Conformance cases of the features that both kinds have.
const CASES: [&str; 10] = [
    "linear-add",
    "linear-text",
    "diamond-sum",
    "fan-out-8",
    "two-starts",
    "condition-branch",
    "condition-join-all",
    "condition-join-any",
    "retry-recovers",
    "random-20",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_cases() {
    let Some(services) = services() else { return };
    let blueprints: Vec<Value> = CASES.into_iter().map(of_case).collect();
    let mut scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&[]);
    js.until("started").await;
    let mut config = reconciling("w");
    config.slots = 1;
    scene.ours(config);
    let mut runs = Vec::new();
    for case in CASES {
        for number in 0..2 {
            let run = format!("{case}-{number}");
            scene.start(case, &run).await;
            runs.push((case.to_owned(), run));
        }
    }
    all_right(&scene, js, &runs).await;
}
