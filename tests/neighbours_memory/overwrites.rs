//! A JavaScript worker replaces whole items with what it read a while ago: what ours committed in
//! between is gone, until one of ours that remembers puts it back (rule 3).

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    engine::{Head, NodeState, Op, RunDocument, RunStatus, Timestamp},
    operations::Operations,
};
use serde_json::{Value, json};

use crate::{
    scene::{Scene, reconciling},
    stage::{outputs, pass},
};

/// A chain of ours beside a node of theirs, and a join of both.
fn beside() -> (Value, Value) {
    let nodes = json!([
        ["a", "work", {"n": 1, "ms": 500}], ["b", "work", {"n": 2, "ms": 500}], ["c", "work", {"n": 3, "ms": 2000}],
        ["x", "work", {"n": 50}], ["j", "work", {}, {}, {"c": "c", "x": "x"}],
    ]);
    (nodes, json!([["a", "b"], ["b", "c"], ["c", "j"], ["x", "j"]]))
}

#[tokio::test(start_paused = true)]
async fn what_was_committed_between_a_read_and_a_replace_comes_back() {
    // The replace comes before the first commit, after the first, after the second, after the end.
    for gap in [100, 700, 1500, 4000] {
        let (nodes, edges) = beside();
        let mut scene = Scene::new(&nodes, &edges, &["x"]);
        *scene.js.gap.lock().unwrap() = Duration::from_millis(gap);
        scene.stage.worker("w");
        let run = scene.start().await;
        scene.run_js();
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed, "{gap}");
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6, "x": 50, "j": 56}), "{gap}");
        assert!(scene.counts().values().all(|count| *count == 1), "{gap}: {:?}", scene.counts());
        assert_eq!(scene.stage.document(&run).await.status(), RunStatus::Completed, "{gap}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_that_read_before_our_start_takes_the_ledger_with_it() {
    let (nodes, edges) = beside();
    let mut scene = Scene::new(&nodes, &edges, &[]);
    let worker = scene.stage.make_worker(crate::stage::alone("w"));
    // Only who remembers what it created can put it back.
    let client = Operations::beside(&worker);
    let run = client.start(scene.stage.request("r", &json!({"k": 7}))).await.unwrap().run;
    scene.stage.run_worker(&worker);
    pass(2).await;
    let mut theirs = RunDocument::new(Head::unadopted(None, None, Timestamp::default()));
    theirs.apply(&Op::Set("own".into(), Arc::new(json!(1))));
    scene.js.replace(&run, &theirs).await;
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6, "x": 50, "j": 56}));
    assert_eq!((&view.context["k"], &view.context["own"]), (&json!(7), &json!(1)));
    assert!(scene.counts().values().all(|count| *count == 1), "{:?}", scene.counts());
}

#[tokio::test(start_paused = true)]
async fn keys_that_only_the_neighbour_changed_stay_as_it_left_them() {
    let (nodes, edges) = beside();
    let mut scene = Scene::new(&nodes, &edges, &[]);
    let worker = scene.stage.make_worker(crate::stage::alone("w"));
    scene.stage.run_worker(&worker);
    let client = Operations::beside(&worker);
    let run =
        client.start(scene.stage.request("r", &json!({"k": 7, "other": 1}))).await.unwrap().run;
    pass(0).await;
    let mut copy = scene.stage.document(&run).await;
    pass(2).await;
    assert_eq!(scene.stage.document(&run).await.state("b"), NodeState::Completed);
    copy.apply(&Op::Set("k".into(), Arc::new(json!("theirs"))));
    scene.js.replace(&run, &copy).await;
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6, "x": 50, "j": 56}));
    assert_eq!((&view.context["k"], &view.context["other"]), (&json!("theirs"), &json!(1)));
    assert!(scene.counts().values().all(|count| *count == 1), "{:?}", scene.counts());
}

#[tokio::test(start_paused = true)]
async fn outputs_that_a_neighbour_wrote_in_the_same_breath_are_kept_and_taken_over() {
    let (nodes, edges) = beside();
    let mut scene = Scene::new(&nodes, &edges, &["x"]);
    scene.stage.worker("w");
    let run = scene.start().await;
    pass(0).await;
    let mut copy = scene.stage.document(&run).await;
    pass(2).await;
    let before = scene.stage.document(&run).await.head().rev;
    copy.apply(&Op::Set("_outputs.x".into(), Arc::new(json!(50))));
    assert!(copy.head().rev < before);
    scene.js.replace(&run, &copy).await;
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6, "x": 50, "j": 56}));
    let document = scene.stage.document(&run).await;
    assert_eq!(document.entry("x").unwrap().by, None);
    assert_eq!(scene.counts().get("x"), None);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_remembers_it_is_done_again() {
    for replaced_after in [1, 2, 3] {
        let (nodes, edges) = beside();
        let mut scene = Scene::new(&nodes, &edges, &[]);
        let run = scene.start().await;
        let copy = scene.stage.document(&run).await;
        scene.stage.worker("first");
        pass(replaced_after).await;
        scene.stage.crash().await;
        let done = scene.stage.document(&run).await;
        scene.js.replace(&run, &copy).await;
        scene.stage.run_worker(&scene.stage.make_worker(reconciling("second")));
        if done.status().is_final() {
            // Its status says so still: only who asks by name has it done again.
            pass(600).await;
            assert_eq!(scene.stage.document(&run).await.status(), RunStatus::Running);
            scene.reconcile(&run).await;
        }
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6, "x": 50, "j": 56}));
        for (node, count) in scene.counts() {
            let lost = matches!(done.state(&node), NodeState::Completed | NodeState::Ready);
            assert!(count == 1 || (lost && count == 2), "{node}: {count}");
        }
        let document = scene.stage.document(&run).await;
        for (_, entry) in document.entries() {
            assert!(entry.by.as_deref().unwrap().starts_with("worker:second#"), "{entry:?}");
        }
        assert_eq!(scene.stage.depth(flowcraft_tui::cluster::Lane::Jobs).await, 0);
    }
}
