//! A JavaScript worker reads an item, ours commit, it replaces the item by its old copy with a key of
//! its own: what ours committed is not lost.

use std::time::Duration;

use flowcraft_tui::worker::WorkerConfig;
use serde_json::{Value, json};

use super::{
    process::Process,
    scene::{Scene, chain, outputs, plain, reconciling},
};
use crate::{raw::Raw, services::services};

/// A program that reads the item now, and replaces it when it is told to end.
async fn reader(scene: &Scene) -> (Process, usize) {
    let arguments = [&*scene.run("r"), "--key", "theirs", "--value", "7", "--hold"];
    let over = scene.theirs("overwrite.mjs", &arguments);
    over.until("read").await;
    let read = over.events("read")[0]["outputs"].as_u64().unwrap();
    (over, usize::try_from(read).unwrap())
}

fn blueprint() -> Value {
    // Long enough in the second node for a program of theirs to start on a busy machine.
    chain("c", &[300, 5000, 500, 500, 500, 500, 500])
}

fn all_outputs() -> Value {
    json!({"n0": 1, "n1": 2, "n2": 3, "n3": 4, "n4": 5, "n5": 6, "n6": 7})
}

/// How many outputs are in the item.
async fn stored(scene: &Scene, raw: &Raw<'_>) -> usize {
    let run = scene.run("r");
    let item = raw.read("contexts", Some(&run), &run).await.unwrap();
    item.as_object().unwrap().keys().filter(|key| key.starts_with("_outputs.")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_were_written_over_come_back() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[blueprint()]).await;
    scene.ours(plain("w"));
    scene.start("c", "r").await;
    scene.until_done("r", "n0").await;
    let (over, read) = reader(&scene).await;
    assert!(read < 6, "it read in the middle of the run: {read}");
    scene.until_done("r", &format!("n{}", read + 1)).await;
    over.end().await;
    let view = scene.ended("r").await;
    assert_eq!((view.status.as_str(), outputs(&view)), ("completed", all_outputs()));
    assert_eq!(view.context["theirs"], 7, "nor is what it wrote");
    for node in 0..7 {
        assert_eq!(scene.count("r", &format!("n{node}")), 1, "n{node}");
    }
    assert_eq!(stored(&scene, &Raw::of(services, scene.database())).await, 7);
    scene.until_queue_is_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_run_that_was_written_over_is_finished_again() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[chain("c", &[300, 6000, 100])]).await;
    scene.ours(plain("w"));
    scene.start("c", "r").await;
    scene.until_done("r", "n0").await;
    let (over, read) = reader(&scene).await;
    assert!(read < 3, "it read before the end: {read}");
    scene.ended("r").await;
    // From here on nobody asks for the run: the worker looks after what it committed by itself.
    scene.forget();
    over.end().await;
    let raw = Raw::of(services, scene.database());
    let limit = tokio::time::Instant::now() + Duration::from_secs(20);
    while stored(&scene, &raw).await < 3 {
        assert!(tokio::time::Instant::now() < limit, "its outputs stay lost");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let view = scene.ended("r").await;
    assert_eq!(outputs(&view), json!({"n0": 1, "n1": 2, "n2": 3}));
    assert_eq!(view.context["theirs"], 7);
    assert!((0..3).all(|node| scene.count("r", &format!("n{node}")) == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_remembers_nodes_run_again_and_the_run_ends_right() {
    let Some(services) = services() else { return };
    let mut scene = Scene::new(services, &[blueprint()]).await;
    // What a dead worker had in hand comes back soon.
    let config = |name| WorkerConfig { lease: Duration::from_secs(3), ..reconciling(name) };
    let first = scene.ours(config("first"));
    scene.start("c", "r").await;
    scene.until_done("r", "n0").await;
    let (over, read) = reader(&scene).await;
    scene.until_done("r", &format!("n{read}")).await;
    first.crash();
    let raw = Raw::of(services, scene.database());
    let before = stored(&scene, &raw).await;
    // Our client would put it back.
    scene.forget();
    over.end().await;
    assert!(stored(&scene, &raw).await < before, "it wrote over what the first had committed");
    scene.ours(config("second"));
    let view = scene.ended("r").await;
    assert_eq!((view.status.as_str(), outputs(&view)), ("completed", all_outputs()));
    assert_eq!(view.context["theirs"], 7);
    for node in 0..7 {
        let (count, lost) = (scene.count("r", &format!("n{node}")), node >= read && node <= before);
        assert!(count == 1 || (lost && count == 2), "n{node}: {count}");
    }
    scene.until_queue_is_empty().await;
}
