//! Each kind's reconciler leaves alone what the other is at.

use std::time::Duration;

use flowcraft_tui::cluster::{Key, Lane};
use serde_json::{Value, json};

use super::scene::{Scene, chain, diamond, edges, outputs, plain};
use crate::services::services;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn theirs_leaves_alone_what_ours_run() {
    let Some(services) = services() else { return };
    let long = chain("long", &[8000, 0]);
    // An `any` join, which it has another key for, that runs while a node before it does.
    let join = json!({
        "id": "join",
        "nodes": [
            {"id": "b", "uses": "const", "params": {"value": 1}},
            {"id": "c", "uses": "const", "params": {"value": 2, "delayMs": 6000}},
            {"id": "d", "uses": "add", "inputs": "b", "params": {"delayMs": 4000}, "config": {"joinStrategy": "any"}},
        ],
        "edges": edges(&["bd", "cd"]),
    });
    let mut scene = Scene::new(services, &[long, join]).await;
    scene.ours(plain("w"));
    for run in ["long", "join"] {
        scene.start(run, run).await;
    }
    let js = scene.theirs("reconciler.mjs", &["--threshold", "1", "--interval", "1"]);
    let (long, join) = (scene.ended("long").await, scene.ended("join").await);
    assert_eq!(outputs(&long), json!({"n0": 1, "n1": 2}));
    assert_eq!(outputs(&join), json!({"b": 1, "c": 2, "d": 2}));
    let passes = js.printed();
    let found = |run: &str| -> Vec<Value> {
        let of = |pass: &Value| pass["runs"].as_array().unwrap().clone();
        passes.iter().flat_map(of).filter(|found| found["runId"] == *scene.run(run)).collect()
    };
    for run in ["long", "join"] {
        assert!(!found(run).is_empty(), "it never found {run} stalled: {passes:#?}");
        assert!(found(run).iter().all(|found| found["enqueued"] == json!([])), "{passes:#?}");
    }
    for (run, node) in [("long", "n0"), ("long", "n1"), ("join", "b"), ("join", "c"), ("join", "d")]
    {
        assert_eq!(scene.count(run, node), 1, "{run}: {node}");
    }
    scene.until_queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_leaves_alone_what_theirs_enqueued() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[diamond("d", "all", 0, 0)]).await;
    scene.start_by_theirs("d", &["r"], &[]).await;
    for lost in scene.cluster.queue.receive(Lane::Jobs, 32, Duration::from_secs(9)).await.unwrap() {
        scene.cluster.queue.delete(Lane::Jobs, &lost.receipt).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let passes = scene.theirs("reconciler.mjs", &["--threshold", "1", "--once"]).done().await;
    assert_eq!(passes[0]["runs"][0]["enqueued"], json!(["a"]), "{passes:?}");
    let lock = Key::node_lock(&scene.run("r"), &"a".into());
    let store = &scene.cluster.coordination;
    assert_eq!(store.get(&lock).await.unwrap().as_deref(), Some("locked"));
    for in_hand in [false, true] {
        if in_hand {
            // With a worker of theirs it is out of sight: only the mark tells of it.
            let held = Duration::from_secs(4);
            assert_eq!(scene.cluster.queue.receive(Lane::Jobs, 1, held).await.unwrap().len(), 1);
        }
        let report = scene.client.reconcile_stalled(Duration::from_secs(1)).await.unwrap();
        assert!(report.runs.iter().all(|run| run.enqueued.is_empty()), "{report:?}");
        let report = scene.client.reconcile(&[scene.run("r")]).await;
        assert_eq!((&report.runs[0].error, report.runs[0].enqueued.len()), (&None, 0));
    }
    assert_eq!(scene.depth().await, 1);
    // The mark is on the very job that our worker receives.
    scene.ours(plain("w"));
    let view = scene.ended("r").await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 2, "c": 3, "d": 5}));
    for node in ["a", "b", "c", "d"] {
        assert_eq!(scene.count("r", node), 1, "{node}");
    }
    scene.until_queue_is_empty().await;
}
