//! Clients that write less, or otherwise, than the JavaScript worker itself would understand.

use std::time::Duration;

use flowcraft_tui::cluster::{Job, Lane};
use serde_json::json;

use super::scene::{Scene, diamond, outputs, plain};
use crate::{raw::Raw, services::services};

const FLAVOURS: [(&str, &str); 7] = [
    ("plain", ""),
    ("plain-json", "--plain-json"),
    ("no-version", "--no-version"),
    ("iso-dates", "--iso-dates"),
    ("status-without-run-id", "--status-without-run-id"),
    ("context-without-run-id", "--context-without-run-id"),
    ("readme", "--readme-style"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_client_leaves_out_its_run_is_done() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[diamond("d", "all", 0, 0)]).await;
    scene.ours(plain("w"));
    for (run, option) in FLAVOURS {
        let mut options = vec!["--input", r#"{"name":"x"}"#];
        options.extend(Some(option).filter(|option| !option.is_empty()));
        scene.start_by_theirs("d", &[run], &options).await;
    }
    let raw = Raw::of(services, scene.database());
    for (run, _) in FLAVOURS {
        let (view, id) = (scene.ended(run).await, scene.run(run));
        assert_eq!(view.status.as_str(), "completed", "{run}");
        assert_eq!(outputs(&view), json!({"a": 1, "b": 2, "c": 3, "d": 5}), "{run}");
        assert_eq!(view.context["name"], "x", "{run}");
        for node in ["a", "b", "c", "d"] {
            assert_eq!(scene.count(run, node), 1, "{run}: {node}");
        }
        // One item of each kind is left, where everybody looks for it.
        for container in ["contexts", "statuses"] {
            assert!(raw.read(container, Some(&id), &id).await.is_some(), "{run}: {container}");
            assert_eq!(raw.read(container, None, &id).await, None, "{run}: {container}");
        }
        let item = raw.read("statuses", Some(&id), &id).await.unwrap();
        assert!(item["lastUpdated"].is_u64(), "{item}");
        let item = raw.read("contexts", Some(&id), &id).await.unwrap();
        assert_eq!(item["blueprintVersion"], json!(null), "present, for JavaScript workers");
        assert!(item.as_object().unwrap().contains_key("blueprintVersion"), "{item}");
    }
    scene.until_queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_alone_starts_a_run() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[diamond("d", "all", 0, 0)]).await;
    scene.ours(plain("w"));
    let job = Job::new(scene.run("bare"), "d".into(), "a".into());
    scene.cluster.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    let limit = tokio::time::Instant::now() + Duration::from_secs(30);
    while scene.client.view(&scene.run("bare")).await.is_err() {
        assert!(tokio::time::Instant::now() < limit, "it gets no document");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // From its document on it is a run that a JavaScript worker can take part in.
    let view = scene.ended("bare").await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 2, "c": 3, "d": 5}));
    let found = scene.result_for_theirs("bare").await;
    assert_eq!(found["context"]["blueprintId"], "d");
    assert_eq!(found["status"]["status"], "completed");
    scene.until_queue_is_empty().await;
}
