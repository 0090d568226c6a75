//! A JavaScript worker does not record the action that a node returned: a message for the node
//! behind an edge, or its output, tells; nothing is guessed.

use flowcraft_tui::{
    cluster::Lane,
    engine::{NodeState, RunStatus},
    operations::CauseKind,
};
use serde_json::{Value, json};

use crate::{
    javascript::Step,
    scene::{Scene, reconciling},
    stage::{outputs, pass, state},
};

fn nodes(action: &str) -> Value {
    json!([
        ["c", "choose", {"action": action}], ["yes", "work", {"n": 1}], ["too", "work", {"n": 2}],
        ["no", "work", {"n": 3}], ["else", "work", {"n": 4}],
    ])
}

fn edges() -> Value {
    json!([
        ["c", "yes", {"action": "yes"}], ["c", "too", {"action": "yes"}],
        ["c", "no", {"action": "no"}], ["c", "else"],
    ])
}

/// A run whose first node the JavaScript worker ran, and whose messages are lost.
async fn undecided() -> Scene {
    let mut scene = Scene::new(&nodes("yes"), &edges(), &["c"]);
    *scene.js.dies.lock().unwrap() = Some(("c".to_owned(), Step::Routed));
    scene.run_js();
    let run = scene.start().await;
    pass(5).await;
    assert_eq!(scene.js.count("c"), 1);
    assert_eq!(scene.stage.lose_messages().await.len(), 2);
    pass(30).await;
    scene.take_fence_down(&run).await;
    // That of the node itself, which died before it was deleted.
    assert_eq!(scene.stage.lose_messages().await.len(), 1);
    scene
}

#[tokio::test(start_paused = true)]
async fn a_message_for_one_node_decides_for_all_behind_the_same_action() {
    let mut scene = undecided().await;
    scene.stage.worker("w");
    let run = "r".into();
    scene.js.send(&run, "yes").await;
    pass(2).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(state(&view, "yes"), "completed");
    // Its message, which is lost here, was sent by the neighbour.
    assert_eq!(state(&view, "too"), "ready");
    assert_eq!((state(&view, "no"), state(&view, "else")), ("skipped", "skipped"));
    let document = scene.stage.document(&run).await;
    assert_eq!(document.entry("c").unwrap().action.as_deref(), Some("yes"));
    assert_eq!(scene.queue.sent_for("too"), [false]);
    scene.js.send(&run, "no").await;
    scene.js.send(&run, "else").await;
    scene.reconcile(&run).await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"c": 0, "too": 2, "yes": 1}));
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_default_edge_says_that_no_action_fitted() {
    let mut scene = undecided().await;
    scene.stage.worker("w");
    let run = "r".into();
    scene.js.send(&run, "else").await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"c": 0, "else": 4}));
}

#[tokio::test(start_paused = true)]
async fn an_output_behind_the_edge_decides_as_well() {
    let scene = undecided().await;
    let run = "r".into();
    scene.js.write(&run, "_outputs.no", json!(3)).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"c": 0, "no": 3}));
}

#[tokio::test(start_paused = true)]
async fn without_either_the_run_is_reported_and_not_guessed_at() {
    let mut scene = undecided().await;
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    let run = "r".into();
    pass(900).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Running);
    assert_eq!(outputs(&view), json!({"c": 0}), "nothing is guessed");
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 0);
    let report = scene.reconcile(&run).await;
    let error = report.runs[0].error.as_deref().unwrap();
    assert!(error.contains("node \"c\" was run by a JavaScript worker"), "{error}");
    assert!(error.contains("its edge to \"yes\" or \"too\" or \"no\" or \"else\""), "{error}");
    let causes = scene.stage.operations.explain(&run).await.unwrap();
    let cause = causes.iter().find(|cause| cause.cause == CauseKind::RouteUnknown).unwrap();
    assert_eq!(cause.evidence, [error]);
    let remedy = cause.remedy.to_string();
    assert!(remedy.contains("requeue r --node c"), "{remedy}");
    // Whoever knows that it may run again has it run again.
    scene.stage.requeue(&run, &["c"]).await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"c": 0, "too": 2, "yes": 1}));
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_is_planned_with_what_is_not_known() {
    let scene = undecided().await;
    let plan = scene.stage.operations.plan_reconcile(&"r".into()).await.unwrap();
    let notes: Vec<String> = plan.changes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("node \"c\"")), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_every_action_leads_to_is_no_guess() {
    // Two edges to the same node with different actions (A13), and one whose condition is false.
    let nodes = json!([
        ["c", "choose", {"action": "x"}], ["b", "work", {"n": 1}], ["z", "work", {"n": 2}],
    ]);
    let edges = json!([
        ["c", "b", {"action": "x"}], ["c", "b", {"action": "y"}],
        ["c", "z", {"action": "y", "condition": "nothing"}],
    ]);
    let mut scene = Scene::new(&nodes, &edges, &["c"]);
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    scene.run_js();
    let run = scene.start().await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"b": 1, "c": 0}));
    // The counter of edges, of which one was taken, kept it from sending a message.
    assert_eq!(scene.queue.sent_for("b"), [true]);
}

/// A join behind a choice and another node, each run by the JavaScript worker or not.
fn join(strategy: &str) -> (Value, Value) {
    let nodes = json!([
        ["c", "choose", {"action": "yes"}], ["p", "work", {"n": 10}], ["no", "work", {"n": 3}],
        ["j", "work", {"n": 100}, {"joinStrategy": strategy}, "p"],
    ]);
    let edges = json!([
        ["c", "j", {"action": "yes"}], ["c", "no", {"action": "no"}], ["p", "j"],
    ]);
    (nodes, edges)
}

#[tokio::test(start_paused = true)]
async fn joins_behind_an_unknown_choice() {
    for strategy in ["all", "any"] {
        let (nodes, edges) = join(strategy);
        for theirs in [vec!["c"], vec!["c", "p"], vec!["c", "j"], vec!["c", "p", "j"]] {
            let mut scene = Scene::new(&nodes, &edges, &theirs);
            scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
            scene.run_js();
            let run = scene.start().await;
            pass(300).await;
            let view = scene.stage.operations.view(&run).await.unwrap();
            let said = format!("{strategy}, {theirs:?}");
            if strategy == "any"
                && state(&view, "c") == "completed"
                && view.status != RunStatus::Completed
            {
                // What fired the join was the other node: that the choice led there too, nobody saw.
                let report = scene.reconcile(&run).await;
                assert!(report.runs[0].error.is_some(), "{said}");
            } else {
                assert_eq!(view.status, RunStatus::Completed, "{said}: {view:#?}");
            }
            assert_eq!(scene.counts().get("j"), Some(&1), "{said}");
            assert_eq!(scene.counts().get("no"), None, "{said}");
            assert_eq!(view.outputs["j"], 110, "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chosen_branch_is_run_by_whom_its_message_meets() {
    for theirs in [vec!["c"], vec!["c", "yes"], vec!["yes"], vec!["c", "yes", "too"]] {
        let mut scene = Scene::new(&nodes("yes"), &edges(), &theirs);
        scene.stage.worker("w");
        scene.run_js();
        let run = scene.start_by_js().await;
        let view = scene.ended(&run).await;
        assert_eq!(outputs(&view), json!({"c": 0, "too": 2, "yes": 1}), "{theirs:?}");
        assert!(scene.counts().values().all(|count| *count == 1), "{theirs:?}");
        let document = scene.stage.document(&run).await;
        assert_ne!(document.state("no"), NodeState::Ready, "{theirs:?}");
    }
}
