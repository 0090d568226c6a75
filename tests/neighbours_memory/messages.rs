//! Messages of neighbours, which carry no revision: what the ledger says against them counts once
//! they are ten seconds old.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Job, Lane},
    engine::{NodeState, RunStatus},
};
use serde_json::{Value, json};

use crate::{
    javascript::Step,
    scene::Scene,
    stage::{outputs, pass, state},
};

fn two_before_a_join() -> (Value, Value) {
    let nodes = json!([
        ["b", "work", {"n": 10}], ["c", "work", {"n": 20, "ms": 60_000}],
        ["d", "work", {"n": 100}, {}, {"b": "b", "c": "c"}],
    ]);
    (nodes, json!([["b", "d"], ["c", "d"]]))
}

#[tokio::test(start_paused = true)]
async fn c11_a_join_that_a_counter_fired_early_waits_for_its_predecessors() {
    // The JavaScript worker counts its predecessor twice, since its message comes twice.
    let (nodes, edges) = two_before_a_join();
    let mut scene = Scene::new(&nodes, &edges, &["b"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    scene.js.send(&run, "b").await;
    pass(5).await;
    assert_eq!(scene.queue.sent_for("d"), [false], "it fired early");
    assert_eq!(scene.stage.count("d"), 0);
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 2, "the join's is held back");
    pass(10).await;
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 1, "and dropped");
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"b": 10, "c": 20, "d": 130}));
    assert_eq!(scene.stage.count("d"), 1);
}

#[tokio::test(start_paused = true)]
async fn c11_one_that_ran_early_by_a_neighbour_is_left_as_it_is() {
    let (nodes, edges) = two_before_a_join();
    let mut scene = Scene::new(&nodes, &edges, &["b", "d"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    scene.js.send(&run, "b").await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    // What it made of what there was can't be told from a right result.
    assert_eq!(outputs(&view), json!({"b": 10, "c": 20, "d": 110}));
    assert_eq!(scene.js.count("d"), 1);
}

#[tokio::test(start_paused = true)]
async fn a17_d3_a_fallback_that_nobody_needs_is_not_run() {
    let nodes = json!([
        ["a", "work", {"n": 1, "ms": 30_000}, {"fallback": "f"}], ["f", "work", {"n": 5}], ["z", "work", {"n": 1}],
    ]);
    for theirs in [vec![], vec!["a"], vec!["f"], vec!["a", "f"]] {
        let mut scene = Scene::new(&nodes, &json!([["a", "z"]]), &theirs);
        scene.stage.worker("w");
        scene.run_js();
        // Its client takes the fallback for a start node.
        let run = scene.start_by_js().await;
        assert_eq!(scene.queue.sent_for("f"), [false]);
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed, "{theirs:?}");
        assert_eq!(scene.stage.count("f"), 0, "{theirs:?}");
        assert_eq!(state(&view, "f"), "skipped", "{theirs:?}");
        assert_eq!(view.outputs["z"], 2, "{theirs:?}");
        assert_eq!(scene.stage.depth(Lane::Jobs).await, 0, "{theirs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_ran_needlessly_runs_again_when_it_is_needed() {
    let nodes = json!([["a", "fail", {}, {"fallback": "f"}], ["f", "work", {"n": 5}], ["z", "work", {"n": 1}]]);
    let mut scene = Scene::new(&nodes, &json!([["a", "z"]]), &["f"]);
    scene.run_js();
    let run = scene.start_by_js().await;
    pass(5).await;
    assert_eq!(scene.js.count("f"), 1);
    scene.js.write(&run, "_outputs.f", json!("of no use")).await;
    scene.take_fence_down(&run).await;
    scene.stage.worker("w");
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a": null, "f": 5, "z": 6}));
    assert_eq!(scene.stage.count("f"), 1);
}

#[tokio::test(start_paused = true)]
async fn d3_branches_that_were_not_taken_stay_so() {
    let nodes = json!([
        ["t", "test", {"n": 5}], ["low", "work", {"n": 1, "ms": 60_000}], ["high", "work", {"n": 2}],
    ]);
    let edges = json!([
        ["t", "low", {"condition": "result.output.low"}],
        ["t", "high", {"condition": "result.output.high"}],
    ]);
    for theirs in [vec![], vec!["t"]] {
        let mut scene = Scene::new(&nodes, &edges, &theirs);
        scene.stage.worker("w");
        scene.run_js();
        let run = scene.start().await;
        pass(20).await;
        // A JavaScript reconciler sends for every node whose predecessors have finished.
        scene.js.send(&run, "high").await;
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed, "{theirs:?}");
        assert_eq!((state(&view, "low"), state(&view, "high")), ("completed", "skipped"));
        assert_eq!(scene.stage.count("high"), 0, "{theirs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_come_before_what_it_rests_on_can_be_read() {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2}]]);
    let mut scene = Scene::new(&nodes, &json!([["a", "b"]]), &["a"]);
    let run = scene.start().await;
    scene.stage.worker("w");
    scene.js.send(&run, "b").await;
    pass(4).await;
    assert_eq!(scene.stage.count("b"), 0);
    scene.js.write(&run, "_outputs.a", json!(1)).await;
    scene.js.write(&run, "_inputs.b", json!(1)).await;
    pass(10).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3}));
}

#[tokio::test(start_paused = true)]
async fn duplicates_of_both_kinds_run_nothing_twice() {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2, "ms": 3000}], ["c", "work", {"n": 3}]]);
    let edges = json!([["a", "b"], ["b", "c"]]);
    let mut scene = Scene::new(&nodes, &edges, &["b"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    for node in ["a", "c", "a", "c"] {
        scene.js.send(&run, node).await;
        pass(2).await;
    }
    let view = scene.ended(&run).await;
    for node in ["a", "c"] {
        scene.js.send(&run, node).await;
    }
    pass(60).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
    assert!(scene.counts().values().all(|count| *count == 1), "{:?}", scene.counts());
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_an_output_leaves_no_trace_and_is_run_again() {
    let nodes = json!([["a", "silent"], ["b", "work", {"n": 2}]]);
    let mut scene = Scene::new(&nodes, &json!([["a", "b"]]), &["a"]);
    scene.run_js();
    scene.stage.worker("w");
    let run = scene.start().await;
    pass(60).await;
    assert_eq!(scene.stage.count("b"), 0, "its message was dropped: an output may have been lost");
    scene.take_fence_down(&run).await;
    scene.reconcile(&run).await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((scene.js.count("a"), scene.stage.count("a"), scene.stage.count("b")), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_dead_neighbour_had_goes_on_from_its_output() {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2}]]);
    let mut scene = Scene::new(&nodes, &json!([["a", "b"]]), &["a"]);
    *scene.js.dies.lock().unwrap() = Some(("a".to_owned(), Step::Stored));
    scene.run_js();
    let run = scene.start().await;
    pass(5).await;
    scene.take_fence_down(&run).await;
    scene.stage.worker("w");
    pass(40).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3}));
    assert_eq!((scene.stage.count("a"), scene.stage.count("b")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn another_version_goes_back_to_a_worker_that_has_it() {
    let blueprint = |version| {
        crate::stage::versioned("b", Some(version), &json!([["a", "work", {"n": 1}]]), &json!([]))
    };
    let theirs = Scene::of(blueprint("2"), &[]);
    let run = theirs.start_by_js().await;
    let mut ours = Scene::on(theirs.stage.cluster.clone(), blueprint("1"), &[]);
    ours.stage.worker("w");
    pass(120).await;
    assert_eq!(ours.stage.count("a"), 0);
    assert_eq!(ours.stage.depth(Lane::Jobs).await, 1);
    assert!(ours.stage.document(&run).await.head().is_unadopted());
    let mut right = Scene::on(theirs.stage.cluster.clone(), blueprint("2"), &[]);
    right.stage.worker("x");
    assert_eq!(right.ended(&run).await.outputs["a"], 1);
    let head = right.stage.document(&run).await.head().clone();
    assert_eq!(head.blueprint_version.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_ours_is_no_evidence() {
    let nodes = json!([["c", "choose", {"action": "yes"}], ["yes", "work"], ["no", "work"]]);
    let edges = json!([["c", "yes", {"action": "yes"}], ["c", "no", {"action": "no"}]]);
    let mut scene = Scene::new(&nodes, &edges, &["c"]);
    *scene.js.dies.lock().unwrap() = Some(("c".to_owned(), Step::Stored));
    scene.run_js();
    let run = scene.start().await;
    pass(5).await;
    scene.stage.worker("w");
    let mut job = Job::new(run.clone(), "b".into(), "no".into());
    job.rev = Some(1);
    scene.stage.cluster.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    pass(30).await;
    assert_eq!(scene.stage.count("no"), 0);
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(state(&view, "no"), NodeState::Pending.as_str());
}
