//! Every way to split a run between the two kinds of workers comes to the same, with each node run
//! once and without the reconciler's help.

use flowcraft_tui::blueprint::Blueprint;
use serde_json::{Value, json};

use crate::{
    scene::{Scene, undisturbed},
    stage::{blueprint, outputs, pass},
};

/// Who starts the run.
#[derive(Debug, Clone, Copy)]
enum Client {
    Ours,
    JavaScript,
}

/// Plays the blueprint with each set of its nodes run by the JavaScript worker.
async fn every_split(blueprint: &Blueprint, seconds: u64) {
    let (status, expected) = undisturbed(blueprint).await;
    let ids: Vec<&str> = blueprint.nodes.iter().map(|node| &*node.id).collect();
    for set in 0..1_u32 << ids.len() {
        let theirs: Vec<&str> =
            ids.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1).map(|(_, id)| *id).collect();
        for client in [Client::Ours, Client::JavaScript] {
            let said = format!("{theirs:?} by JavaScript, started by {client:?}");
            let mut scene = Scene::of(blueprint.clone(), &theirs);
            scene.stage.worker("w");
            scene.run_js();
            let run = match client {
                Client::Ours => scene.start().await,
                Client::JavaScript => scene.start_by_js().await,
            };
            pass(seconds).await;
            let view = scene.stage.operations.view(&run).await.unwrap();
            assert_eq!(view.status.to_string(), status, "{said}: {view:#?}");
            assert_eq!(outputs(&view), expected, "{said}");
            pass(120).await;
            let counts = scene.counts();
            assert!(counts.values().all(|count| *count == 1), "{said}: {counts:?}");
            if scene.stage.status(&run).await.status != Some(view.status) {
                // A JavaScript worker did the last of it, and did not notice.
                let report = scene.reconcile(&run).await;
                assert!(report.runs[0].enqueued.is_empty(), "{said}: {report:?}");
            }
            assert_eq!(scene.stage.status(&run).await.status, Some(view.status), "{said}");
            let depth = scene.stage.cluster.queue.depth(flowcraft_tui::cluster::Lane::Jobs).await;
            assert_eq!(depth.unwrap().messages, 0, "{said}");
        }
    }
}

fn diamond(join: &str, b: u64, c: u64) -> Blueprint {
    // Which one an `any` join goes on with must not show.
    let d = if join == "any" {
        json!(["d", "work", {"n": 100}, {"joinStrategy": "any"}, "a"])
    } else {
        json!(["d", "work", {"n": 100}, {}, {"b": "b", "c": "c"}])
    };
    let nodes = json!([
        ["a", "work", {"n": 1}], ["b", "work", {"n": 10, "ms": b}], ["c", "work", {"n": 20, "ms": c}], d,
    ]);
    let edges = json!([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]);
    blueprint("b", &nodes, &edges)
}

#[tokio::test(start_paused = true)]
async fn a_diamond_with_an_all_join() {
    for (b, c) in [(0, 0), (2000, 0), (0, 2000)] {
        every_split(&diamond("all", b, c), 40).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_diamond_with_an_any_join() {
    for (b, c) in [(0, 0), (2000, 0), (0, 2000)] {
        every_split(&diamond("any", b, c), 40).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain() {
    let nodes: Value = (1..5).map(|n| json!([format!("n{n}"), "work", {"n": n}])).collect();
    let edges = json!([["n1", "n2"], ["n2", "n3"], ["n3", "n4"]]);
    every_split(&blueprint("b", &nodes, &edges), 40).await;
}

#[tokio::test(start_paused = true)]
async fn conditions() {
    for n in [0, 100] {
        let nodes = json!([
            ["a", "work", {"n": 7}], ["t", "test", {"n": n}], ["low", "work", {"n": 1}, {}, "a"],
            ["high", "work", {"n": 2}, {}, "a"], ["j", "work", {"n": 3}, {"joinStrategy": "any"}],
        ]);
        let edges = json!([
            ["a", "t"],
            ["t", "low", {"condition": "result.output.low"}],
            ["t", "high", {"condition": "result.output.high"}],
            ["low", "j"], ["high", "j"],
        ]);
        every_split(&blueprint("b", &nodes, &edges), 40).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_starts_and_two_ends() {
    let nodes = json!([
        ["a", "work", {"n": 1}], ["b", "work", {"n": 2, "ms": 300}],
        ["x", "work", {"n": 3}, {}, {"a": "a", "b": "b"}], ["y", "work", {"n": 4}],
    ]);
    let edges = json!([["a", "x"], ["b", "x"], ["b", "y"]]);
    every_split(&blueprint("b", &nodes, &edges), 40).await;
}

#[tokio::test(start_paused = true)]
async fn actions() {
    for action in ["yes", "other"] {
        let nodes = json!([
            ["a", "work", {"n": 7}], ["c", "choose", {"action": action}], ["yes", "work", {"n": 1}],
            ["no", "work", {"n": 2}], ["else", "work", {"n": 3}],
            ["j", "work", {"n": 5}, {"joinStrategy": "any"}],
        ]);
        let edges = json!([
            ["a", "c"], ["c", "yes", {"action": "yes"}], ["c", "no", {"action": "no"}], ["c", "else"],
            ["yes", "j"], ["no", "j"],
        ]);
        every_split(&blueprint("b", &nodes, &edges), 40).await;
    }
}
