//! One kind finishes alone what the other started.

use serde_json::{Value, json};

use super::scene::{Scene, diamond, of_case, outputs, plain};
use crate::services::services;

/// Blueprints that both kinds get right when left alone.
fn blueprints() -> Vec<Value> {
    let cases = ["diamond-sum", "two-starts", "random-20"];
    let mut all: Vec<Value> = cases.into_iter().map(of_case).collect();
    all.push(diamond("any", "any", 0, 300));
    all
}

fn ids(blueprints: &[Value]) -> Vec<String> {
    blueprints.iter().map(|blueprint| blueprint["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_finish_what_a_javascript_client_started() {
    let Some(services) = services() else { return };
    let blueprints = blueprints();
    let mut scene = Scene::new(services, &blueprints).await;
    scene.ours(plain("w"));
    for id in ids(&blueprints) {
        scene.start_by_theirs(&id, &[&id], &[]).await;
        let view = scene.ended(&id).await;
        assert_eq!(view.status.as_str(), "completed", "{id}");
        let expected = scene.expected(&id).await;
        assert_eq!(outputs(&view), expected, "{id}");
        let found = scene.result_for_theirs(&id).await;
        assert_eq!(found["status"]["status"], "completed", "{id}");
        for (node, output) in expected.as_object().unwrap() {
            let key = format!("_outputs.{node}");
            assert_eq!(found["context"][&key], *output, "{id}: {node}");
            let payload = &found["status"]["finalStatus"]["payload"];
            assert_eq!(payload["context"][&key], *output, "{id}: {node}");
        }
        for node in expected.as_object().unwrap().keys() {
            assert_eq!(scene.count(&id, node), 1, "{id}: {node}");
        }
    }
    scene.until_queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_worker_finishes_what_our_client_started() {
    let Some(services) = services() else { return };
    let blueprints = blueprints();
    let scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&[]);
    for id in ids(&blueprints) {
        scene.start(&id, &id).await;
    }
    for id in ids(&blueprints) {
        let view = scene.ended(&id).await;
        let expected = scene.expected(&id).await;
        assert_eq!((view.status.as_str(), outputs(&view)), ("completed", expected.clone()), "{id}");
        let item = scene.status(&id).await;
        assert_eq!(item.final_status.unwrap()["status"], "completed");
        // Nobody of ours did any of it, and looking wrote nothing.
        assert!(view.nodes.iter().all(|node| node.worker.is_none()), "{view:#?}");
        let report = scene.client.reconcile(&[scene.run(&id)]).await;
        assert_eq!((&report.runs[0].error, report.runs[0].enqueued.len()), (&None, 0));
        // It is on record now.
        let view = scene.ended(&id).await;
        assert_eq!((view.status.as_str(), outputs(&view)), ("completed", expected), "{id}");
    }
    scene.until_queue_is_empty().await;
    let done = js.end().await.pop().unwrap();
    let nodes: usize = blueprints.iter().map(|one| one["nodes"].as_array().unwrap().len()).sum();
    assert_eq!(done["jobs"], json!(nodes));
}
