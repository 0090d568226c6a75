//! The keys that JavaScript workers look at: counters, join locks, marks of failures, the blueprint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{Key, Lane},
    engine::{NodeState, RunStatus},
};
use serde_json::{Value, json};

use crate::{
    javascript::Step,
    scene::{Scene, reconciling},
    stage::{alone, outputs, pass, state},
    tampered::{Fate, Tampered},
};

const HOUR: Duration = Duration::from_hours(1);

async fn value(scene: &Scene, key: Key) -> Option<String> {
    scene.stage.cluster.coordination.get(&key).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_start_names_the_blueprint() {
    let scene = Scene::new(&json!([["a", "work"]]), &json!([]), &[]);
    let run = scene.start().await;
    assert_eq!(value(&scene, Key::blueprint(&run)).await.as_deref(), Some("b"));
    pass(3700).await;
    assert_eq!(value(&scene, Key::blueprint(&run)).await, None);
}

fn failing() -> (Value, Value) {
    let nodes = json!([
        ["a", "fail", {}], ["b", "work", {"ms": 100_000}], ["all", "work"],
        ["any", "work", {}, {"joinStrategy": "any"}], ["one", "work"], ["behind", "work"],
    ]);
    let edges = json!([
        ["a", "all"],
        ["b", "all"],
        ["a", "any"],
        ["b", "any"],
        ["a", "one"],
        ["all", "behind"],
        ["b", "behind"],
    ]);
    (nodes, edges)
}

#[tokio::test(start_paused = true)]
async fn a_failure_marks_the_joins_behind_it_and_a_requeue_removes_the_marks() {
    let (nodes, edges) = failing();
    let mut scene = Scene::new(&nodes, &edges, &[]);
    scene.stage.worker("w");
    let run = scene.start().await;
    pass(5).await;
    let (all, any) = ("all".into(), "any".into());
    assert!(value(&scene, Key::fan_in_poison(&run, &all)).await.is_some());
    assert!(value(&scene, Key::fan_in_cancel(&run, &any)).await.is_some());
    for unmarked in [
        Key::fan_in_cancel(&run, &all),
        Key::fan_in_poison(&run, &any),
        // One edge leads there, and nobody looks.
        Key::fan_in_poison(&run, &"one".into()),
        // One level deep.
        Key::fan_in_poison(&run, &"behind".into()),
    ] {
        assert_eq!(value(&scene, unmarked.clone()).await, None, "{unmarked}");
    }
    scene.stage.crash().await;
    scene.stage.requeue(&run, &["a"]).await;
    assert_eq!(value(&scene, Key::fan_in_poison(&run, &all)).await, None);
    assert_eq!(value(&scene, Key::fan_in_cancel(&run, &any)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_a_fallback_handles_marks_nothing_and_that_of_the_fallback_does() {
    for (fallback, marked) in [("work", false), ("fail", true)] {
        let nodes = json!([
            ["a", "fail", {}, {"fallback": "f"}], ["f", fallback], ["b", "work", {"ms": 60_000}], ["j", "work"],
        ]);
        let mut scene = Scene::new(&nodes, &json!([["a", "j"], ["b", "j"]]), &[]);
        scene.stage.worker("w");
        let run = scene.start().await;
        pass(10).await;
        let pill = value(&scene, Key::fan_in_poison(&run, &"j".into())).await;
        assert_eq!(pill.is_some(), marked, "{fallback}");
        let counted = value(&scene, Key::fan_in(&run, &"j".into())).await;
        assert_eq!(counted.as_deref(), if marked { None } else { Some("1") }, "{fallback}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_stops_at_the_mark_and_the_run_ends_failed() {
    let nodes = json!([["a", "fail"], ["b", "work", {"ms": 5000}], ["j", "work"], ["ok", "work"]]);
    let edges = json!([["a", "j"], ["b", "j"], ["b", "ok"]]);
    let mut scene = Scene::new(&nodes, &edges, &["b"]);
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    scene.run_js();
    let run = scene.start().await;
    pass(10).await;
    // A25: the poisoned join throws before the other successor is queued, and says that the run failed.
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Failed));
    assert_eq!(scene.queue.sent_for("ok"), [false; 0]);
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!((state(&view, "j"), state(&view, "ok")), ("skipped", "ready"));
    pass(600).await;
    assert_eq!(scene.stage.count("ok"), 0, "the reconciler leaves a failed run");
    scene.reconcile(&run).await;
    let view = scene.ended(&run).await;
    assert_eq!((state(&view, "ok"), state(&view, "j")), ("completed", "skipped"));
    assert_eq!(view.status, RunStatus::Failed);
}

/// `a` leads to `j` over two edges, `c` over one.
fn parallel_edges(taken: bool) -> (Value, Value) {
    let nodes = json!([
        ["a", "test", {"n": if taken { -1 } else { 5 }}], ["c", "work", {"n": 7, "ms": 5000}],
        ["j", "work", {"n": 1}, {}, {"c": "c"}],
    ]);
    let edges = json!([
        ["a", "j", {"condition": "result.output.high"}],
        ["a", "j", {"condition": "result.output.low"}], ["c", "j"],
    ]);
    (nodes, edges)
}

#[tokio::test(start_paused = true)]
async fn a_neighbours_arithmetic_counts_edges() {
    for taken in [true, false] {
        let (nodes, edges) = parallel_edges(taken);
        let mut scene = Scene::new(&nodes, &edges, &["c"]);
        scene.stage.worker("w");
        scene.run_js();
        let run = scene.start().await;
        pass(2).await;
        // One of the two was taken, and both are counted: the source has finished.
        assert_eq!(value(&scene, Key::fan_in(&run, &"j".into())).await.as_deref(), Some("2"));
        pass(10).await;
        assert_eq!(scene.queue.sent_for("j"), [false], "the neighbour fired it");
        let view = scene.stage.operations.view(&run).await.unwrap();
        assert_eq!(view.outputs["j"], 8);
        assert_eq!(value(&scene, Key::fan_in(&run, &"j".into())).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_predecessor_that_took_another_edge_is_counted_too() {
    let nodes = json!([
        ["a", "test", {"n": 5}], ["other", "work"], ["c", "work", {"n": 7, "ms": 5000}],
        ["j", "work", {"n": 1}, {}, {"c": "c"}],
    ]);
    let edges = json!([
        ["a", "other", {"condition": "result.output.low"}],
        ["a", "j", {"condition": "result.output.high"}], ["c", "j"],
    ]);
    for theirs in [vec!["c"], vec!["c", "j"]] {
        let mut scene = Scene::new(&nodes, &edges, &theirs);
        scene.stage.worker("w");
        scene.run_js();
        let run = scene.start().await;
        pass(15).await;
        let view = scene.stage.operations.view(&run).await.unwrap();
        assert_eq!(view.outputs["j"], 8, "{theirs:?}");
        assert_eq!(scene.queue.sent_for("j"), [false]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_arrival_is_ours_after_a_neighbour_counted() {
    let nodes = json!([
        ["b", "work", {"n": 1}], ["c", "work", {"n": 2, "ms": 5000}], ["j", "work", {}, {}, {"b": "b", "c": "c"}],
    ]);
    let mut scene = Scene::new(&nodes, &json!([["b", "j"], ["c", "j"]]), &["b"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    pass(2).await;
    assert_eq!(value(&scene, Key::fan_in(&run, &"j".into())).await.as_deref(), Some("1"));
    let view = scene.ended(&run).await;
    assert_eq!(view.outputs["j"], 3);
    assert_eq!(scene.stage.count("j"), 1);
    assert_eq!(value(&scene, Key::fan_in(&run, &"j".into())).await, None);
    assert_eq!(scene.queue.sent_for("j"), [true; 0], "our worker went on with it at once");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_ends_here_fires_the_join_here() {
    // Between our commit and our count the neighbour stores its output and counts: neither sees
    // the other's part in the document.
    let nodes = json!([["b", "work", {"n": 1}], ["c", "work", {"n": 2}], ["j", "work", {}, {}, {"b": "b", "c": "c"}]]);
    let mut scene = Scene::new(&nodes, &json!([["b", "j"], ["c", "j"]]), &["b"]);
    let run = scene.start().await;
    let first = AtomicBool::new(true);
    let slow = Tampered::new(&scene.stage.cluster, move |call| {
        let counts = call.name == "set_if_absent" && call.about.contains("fanin:seen");
        if counts && first.swap(false, Ordering::Relaxed) {
            Fate::Late(Duration::from_secs(3))
        } else {
            Fate::Goes
        }
    });
    scene.stage.run_worker(&scene.stage.make_worker_on(slow.cluster(), alone("w")));
    pass(1).await;
    assert_eq!(scene.stage.document(&run).await.state("c"), NodeState::Completed);
    scene.run_js();
    pass(1).await;
    assert_eq!(value(&scene, Key::fan_in(&run, &"j".into())).await.as_deref(), Some("1"));
    let view = scene.ended(&run).await;
    assert_eq!(view.outputs["j"], 3);
    assert_eq!(scene.queue.sent_for("j"), [true]);
    assert_eq!(scene.stage.count("j"), 1);
}

fn any_join(b: u64, c: u64) -> (Value, Value) {
    let nodes = json!([
        ["a", "work", {"n": 4}], ["b", "work", {"n": 1, "ms": b}], ["c", "work", {"n": 2, "ms": c}],
        ["j", "work", {"n": 10}, {"joinStrategy": "any"}, "a"],
    ]);
    (nodes, json!([["a", "b"], ["a", "c"], ["b", "j"], ["c", "j"]]))
}

#[tokio::test(start_paused = true)]
async fn an_any_join_that_a_neighbour_fires_is_not_sent_again() {
    // Our commit comes before the neighbour's lock, our lock after it.
    let (nodes, edges) = any_join(0, 0);
    let mut scene = Scene::new(&nodes, &edges, &["b"]);
    let run = scene.start().await;
    let first = Arc::new(AtomicBool::new(true));
    let slow = Tampered::new(&scene.stage.cluster, move |call| {
        let locks = call.name == "set_if_absent" && call.about.contains("joinlock");
        if locks && first.swap(false, Ordering::Relaxed) {
            Fate::Late(Duration::from_secs(3))
        } else {
            Fate::Goes
        }
    });
    scene.stage.run_worker(&scene.stage.make_worker_on(slow.cluster(), alone("w")));
    pass(1).await;
    assert_eq!(scene.stage.document(&run).await.state("j"), NodeState::Ready);
    scene.run_js();
    let view = scene.ended(&run).await;
    assert_eq!(view.outputs["j"], 14);
    assert_eq!(scene.queue.sent_for("j"), [false]);
    assert_eq!(scene.stage.count("j"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_any_join_is_locked_before_it_goes_on() {
    let (nodes, edges) = any_join(0, 5000);
    let mut scene = Scene::new(&nodes, &edges, &["c"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    pass(2).await;
    assert_eq!(value(&scene, Key::join_lock(&run, &"j".into())).await.as_deref(), Some("locked"));
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert!(scene.queue.sent_for("j").is_empty(), "the neighbour lost");
    assert_eq!(scene.stage.count("j"), 1);
}

#[tokio::test(start_paused = true)]
async fn c13_a_lock_whose_taker_died_does_not_stop_the_join() {
    for redelivered in [true, false] {
        let (nodes, edges) = any_join(0, 60_000);
        let mut scene = Scene::new(&nodes, &edges, &["b"]);
        *scene.js.dies.lock().unwrap() = Some(("b".to_owned(), Step::Counted));
        scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
        scene.run_js();
        let run = scene.start().await;
        pass(5).await;
        assert!(scene.js.is_dead());
        assert_eq!(
            value(&scene, Key::join_lock(&run, &"j".into())).await.as_deref(),
            Some("locked")
        );
        if !redelivered {
            pass(30).await;
            let lost = scene.queue.theirs.receive(Lane::Jobs, 10, HOUR).await.unwrap();
            assert_eq!(lost.len(), 1);
        }
        scene.take_fence_down(&run).await;
        pass(300).await;
        let view = scene.stage.operations.view(&run).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed, "redelivered: {redelivered}");
        assert_eq!(view.outputs["j"], 14);
        assert_eq!(scene.stage.count("j"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a19_our_third_arrival_fails_nothing() {
    let nodes = json!([
        ["a", "work", {"n": 1}], ["b", "work", {"n": 2, "ms": 1000}], ["c", "work", {"n": 3, "ms": 2000}],
        ["j", "work", {"n": 10}, {"joinStrategy": "any"}, "a"],
    ]);
    let edges = json!([["a", "j"], ["b", "j"], ["c", "j"]]);
    for theirs in [vec!["a"], vec!["b"], vec!["a", "j"], vec!["j"]] {
        let mut scene = Scene::new(&nodes, &edges, &theirs);
        scene.stage.worker("w");
        scene.run_js();
        let run = scene.start().await;
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed, "{theirs:?}");
        assert_eq!(outputs(&view), json!({"a": 1, "b": 2, "c": 3, "j": 11}), "{theirs:?}");
        assert!(scene.counts().values().all(|count| *count == 1), "{theirs:?}");
        assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed), "{theirs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c14_a_counter_that_expired_is_not_needed() {
    let nodes = json!([
        ["b", "work", {"n": 1}], ["c", "work", {"n": 2, "ms": 20_000}], ["j", "work", {}, {}, {"b": "b", "c": "c"}],
    ]);
    for theirs in [vec!["b"], vec!["c"]] {
        let mut scene = Scene::new(&nodes, &json!([["b", "j"], ["c", "j"]]), &theirs);
        scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
        scene.run_js();
        let run = RunId::from("r");
        scene.start().await;
        pass(5).await;
        let counter = Key::fan_in(&run, &"j".into());
        scene.stage.cluster.coordination.remove(&[counter]).await.unwrap();
        let view = scene.ended(&run).await;
        assert_eq!(view.outputs["j"], 3, "{theirs:?}");
        assert_eq!(scene.stage.count("j"), 1, "{theirs:?}");
    }
}
