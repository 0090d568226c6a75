//! Fan-in counters and join locks: a join fires once, whoever brings it its last arrival.

use serde_json::Value;

use super::{
    scene::{Scene, diamond, outputs, reconciling},
    split::{fence, marked, ours_beside},
};
use crate::services::services;

/// How much later than the other the late one of two nodes before a join ends.
const LATE: u64 = 1500;

/// Diamonds whose two nodes before the join are run by one kind each, of which either is late.
fn blueprints() -> Vec<Value> {
    let mut all = Vec::new();
    for strategy in ["all", "any"] {
        for first in ["", "a"] {
            for by_js in ["b", "c"] {
                for last in ["", "d"] {
                    for late in ["b", "c"] {
                        let theirs: Vec<&str> =
                            [first, by_js, last].into_iter().filter(|id| !id.is_empty()).collect();
                        let id = format!("{strategy}-{}-late-{late}", theirs.concat());
                        let delay = |node| if node == late { LATE } else { 0 };
                        let blueprint = diamond(&id, strategy, delay("b"), delay("c"));
                        all.push(marked(blueprint, &theirs));
                    }
                }
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_fires_whoever_comes_last() {
    let Some(services) = services() else { return };
    let blueprints = blueprints();
    let mut scene = Scene::new(services, &blueprints).await;
    // No two jobs of a run are in its hands at once: one of the two before the join is ours.
    let js = scene.theirs("worker.mjs", &["--marked", "--pause", "20"]);
    js.until("started").await;
    // Where the JavaScript worker is last before an `any` join that has fired, it sees no end.
    ours_beside(&mut scene, &blueprints, reconciling("w"));
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        fence(&scene, blueprint, id).await;
        scene.start(id, id).await;
    }
    let mut spoilt = Vec::new();
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        let view = scene.ended(id).await;
        let executed = js.events("executed");
        let of = |node: &str| -> Vec<&Value> {
            executed
                .iter()
                .filter(|e| e["runId"] == *scene.run(id) && e["nodeId"] == node)
                .collect()
        };
        for node in blueprint["nodes"].as_array().unwrap() {
            let node = node["id"].as_str().unwrap();
            let theirs = blueprint_says_js(blueprint, node);
            let (by_ours, by_theirs) = (scene.count(id, node), of(node).len());
            assert_eq!((by_ours, by_theirs), if theirs { (0, 1) } else { (1, 0) }, "{id}: {node}");
        }
        if of("d").iter().any(|event| event["starved"] == true) {
            spoilt.push(id.to_owned());
            continue;
        }
        assert_eq!(view.status.as_str(), "completed", "{id}");
        assert_eq!(outputs(&view), scene.expected(id).await, "{id}");
    }
    assert!(spoilt.len() <= 3, "shows too little: {spoilt:?}");
    scene.until_queue_is_empty().await;
    js.end().await;
}

fn blueprint_says_js(blueprint: &Value, node: &str) -> bool {
    let nodes = blueprint["nodes"].as_array().unwrap();
    nodes.iter().any(|one| one["id"] == node && one["params"]["by"] == "js")
}
