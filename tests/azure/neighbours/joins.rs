//! Fan-in counters and join locks: a join fires once, whoever brings it its last arrival.

use std::collections::BTreeSet;

use flowcraft_tui::engine::{RunStatus, Timestamp};
use serde_json::Value;

use super::{
    scene::{Scene, diamond, outputs, plain},
    split::{fence, is_marked, marked, ours_beside},
};
use crate::services::services;

/// How much later the late one of two nodes before a join ends, in milliseconds.
const LATE: u64 = 400;

/// Diamonds whose two nodes before the join are run by one kind each, of which either is late.
fn blueprints() -> Vec<Value> {
    let mut all = Vec::new();
    for ours_late in [true, false] {
        for strategy in ["all", "any"] {
            for first in ["", "a"] {
                for (by_ours, by_js) in [("c", "b"), ("b", "c")] {
                    for last in ["", "d"] {
                        let late = if ours_late { by_ours } else { by_js };
                        let theirs: Vec<&str> =
                            [first, by_js, last].into_iter().filter(|id| !id.is_empty()).collect();
                        let id = format!("{strategy}-{}-late-{late}", theirs.concat());
                        let delay = |node| if node == late { LATE } else { 0 };
                        let mut blueprint = diamond(&id, strategy, delay("b"), delay("c"));
                        if ours_late {
                            waits_for(&mut blueprint, by_ours, by_js);
                        }
                        all.push(marked(blueprint, &theirs));
                    }
                }
            }
        }
    }
    all
}

/// Has a node of ours take until another one is done: a JavaScript worker with much to do is slow.
fn waits_for(blueprint: &mut Value, ours: &str, other: &str) {
    let nodes = blueprint["nodes"].as_array_mut().unwrap();
    let node = nodes.iter_mut().find(|node| node["id"] == ours).unwrap();
    node["params"]["after"] = other.into();
}

/// When the JavaScript worker began with a node.
fn began(executed: &[&Value]) -> Timestamp {
    Timestamp::parse_rfc3339(executed[0]["time"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_fires_whoever_comes_last() {
    let Some(services) = services() else { return };
    let blueprints = blueprints();
    let mut scene = Scene::new(services, &blueprints).await;
    let js = scene.their_worker(&["--marked"]);
    js.until("started").await;
    // No reconciler: it would make up for a join that does not fire.
    ours_beside(&mut scene, &blueprints, plain("w"));
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        fence(&scene, blueprint, id).await;
        scene.start(id, id).await;
    }
    let (mut spoilt, mut seen) = (Vec::new(), BTreeSet::new());
    for blueprint in &blueprints {
        let id = blueprint["id"].as_str().unwrap();
        for node in ["b", "c", "d"] {
            scene.until_done(id, node).await;
        }
        if scene.status(id).await.status != Some(RunStatus::Completed) {
            // Last before an `any` join that has fired, the JavaScript worker sees no end.
            let report = scene.client.reconcile(&[scene.run(id)]).await;
            assert!(report.runs[0].enqueued.is_empty(), "{id}: {report:?}");
        }
        let view = scene.ended(id).await;
        let executed = js.events("executed");
        let of = |node: &str| -> Vec<&Value> {
            let run = scene.run(id);
            executed.iter().filter(|e| e["runId"] == *run && e["nodeId"] == node).collect()
        };
        for node in ["a", "b", "c", "d"] {
            let (by_ours, by_theirs) = (scene.count(id, node), of(node).len());
            let theirs = is_marked(blueprint, node);
            assert_eq!((by_ours, by_theirs), if theirs { (0, 1) } else { (1, 0) }, "{id}: {node}");
        }
        let fired = js.events("job");
        let fired = fired.iter().filter(|e| e["runId"] == *scene.run(id) && e["nodeId"] == "d");
        assert_eq!(fired.count(), usize::from(is_marked(blueprint, "d")), "{id}: fired once");
        let (ours, theirs) = if is_marked(blueprint, "b") { ("c", "b") } else { ("b", "c") };
        let ours = view.nodes.iter().find(|node| node.id.as_str() == ours).unwrap();
        let strategy = id.split('-').next().unwrap();
        let theirs_last = began(&of(theirs)) > ours.finished_at.unwrap();
        seen.insert((strategy, is_marked(blueprint, "d"), theirs_last));
        assert_eq!(view.status.as_str(), "completed", "{id}");
        if of("d").iter().any(|event| event["starved"] == true) {
            spoilt.push(id.to_owned());
        } else {
            assert_eq!(outputs(&view), scene.expected(id).await, "{id}");
        }
    }
    assert!(spoilt.len() <= 3, "shows too little: {spoilt:?}");
    assert_eq!(seen.len(), 8, "both joins, run by either, with either last: {seen:?}");
    scene.until_queue_is_empty().await;
    js.end().await;
}
