//! What the status item says at the end, whoever wrote it last.

use std::time::Duration;

use flowcraft_tui::cluster::{Job, Lane};
use serde_json::{Value, json};

use super::{
    scene::{Scene, chain, outputs, plain, reconciling},
    split::{fence, marked, ours_beside},
};
use crate::services::services;

/// Checks that a run has ended, for our client and for theirs, with these outputs.
async fn completed(scene: &Scene, run: &str, expected: &Value) {
    let view = scene.ended(run).await;
    assert_eq!((view.status.as_str(), &outputs(&view)), ("completed", expected), "{run}");
    let found = scene.result_for_theirs(run).await;
    let (status, last) = (&found["status"], &found["status"]["finalStatus"]);
    assert_eq!((&status["status"], &last["status"]), (&json!("completed"), &json!("completed")));
    let payload = &last["payload"];
    assert_eq!(payload["status"], "completed", "{run}");
    let serialized: Value =
        serde_json::from_str(payload["serializedContext"].as_str().unwrap()).unwrap();
    for (node, output) in expected.as_object().unwrap() {
        let key = format!("_outputs.{node}");
        assert_eq!((&payload["context"][&key], &serialized[&key]), (output, output), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_the_same_whoever_comes_to_it() {
    let Some(services) = services() else { return };
    let of = |id: &str, theirs: &[&str]| marked(chain(id, &[0, 100, 0]), theirs);
    let blueprints =
        [of("middle", &["n1"]), of("last", &["n2"]), of("ends", &["n0", "n2"]), of("ours", &[])];
    let mut scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&["--marked"]);
    js.until("started").await;
    ours_beside(&mut scene, &blueprints, reconciling("w"));
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        fence(&scene, blueprint, id).await;
        scene.start(id, id).await;
    }
    let expected = json!({"n0": 1, "n1": 2, "n2": 3});
    for run in ["middle", "last", "ends", "ours"] {
        completed(&scene, run, &expected).await;
    }
    // A message that comes late has the JavaScript worker say that the run is running (C16), and send
    // for what follows.
    let job = Job::new(scene.run("middle"), "middle".into(), "n1".into());
    let before = js.events("job").len();
    scene.cluster.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    while js.events("job").len() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    scene.until_queue_is_empty().await;
    completed(&scene, "middle", &expected).await;
    js.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_one_for_both() {
    let Some(services) = services() else { return };
    let failing = |id: &str, theirs: &[&str]| {
        let nodes = json!([
            {"id": "a", "uses": "const", "params": {"value": 1}},
            {"id": "f", "uses": "fail", "params": {"message": "no luck"}},
        ]);
        let edges = json!([{"source": "a", "target": "f"}]);
        marked(json!({"id": id, "nodes": nodes, "edges": edges}), theirs)
    };
    let blueprints = [failing("by-theirs", &["f"]), failing("by-ours", &["a"])];
    let mut scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&["--marked"]);
    js.until("started").await;
    ours_beside(&mut scene, &blueprints, plain("w"));
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        fence(&scene, blueprint, id).await;
        scene.start(id, id).await;
        let limit = tokio::time::Instant::now() + Duration::from_secs(30);
        while scene.status(id).await.status.is_none_or(|status| !status.is_final()) {
            assert!(tokio::time::Instant::now() < limit, "{id} does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let found = scene.result_for_theirs(id).await;
        assert_eq!(found["status"]["status"], "failed", "{id}");
        assert_eq!(found["status"]["finalStatus"]["status"], "failed", "{id}");
        let reason = found["status"]["finalStatus"]["reason"].as_str().unwrap();
        assert!(reason.contains("no luck") || reason.contains("'f' execution failed"), "{reason}");
        // Failed is final: nobody tries again.
        let report = scene.client.reconcile_stalled(Duration::ZERO).await.unwrap();
        assert!(report.runs.is_empty(), "{report:?}");
    }
    scene.until_queue_is_empty().await;
    js.end().await;
}
