//! Documents without a ledger, and none at all.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::{BlueprintId, Library, RunId},
    cluster::{Cluster, Key, Lane, Neighbours, SystemClock, sqlite_cluster},
    engine::{Head, NodeState, Op, RunDocument, RunStatus, Timestamp},
    operations::{CauseKind, Operations},
};
use serde_json::{Value, json};

use crate::{
    scene::{Scene, reconciling},
    stage::{blueprint, outputs, pass, state, versioned},
};

fn chain() -> (Value, Value) {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2}], ["c", "work", {"n": 3}]]);
    (nodes, json!([["a", "b"], ["b", "c"]]))
}

fn scene(theirs: &[&str]) -> Scene {
    let (nodes, edges) = chain();
    Scene::new(&nodes, &edges, theirs)
}

/// A document as JavaScript workers leave it.
async fn leave(scene: &Scene, head: Head, context: &Value) -> RunId {
    let run = RunId::from("r");
    let mut document = RunDocument::new(head);
    for (key, value) in context.as_object().unwrap() {
        document.apply(&Op::Set(key.as_str().into(), Arc::new(value.clone())));
    }
    scene.js.replace(&run, &document).await;
    run
}

fn unadopted(blueprint: Option<&str>, version: Option<&str>) -> Head {
    let started = Timestamp::from_seconds(1_750_000_000);
    Head::unadopted(blueprint.map(Into::into), version.map(str::to_owned), started)
}

#[tokio::test(start_paused = true)]
async fn a_ledger_is_made_from_the_outputs_in_the_commit_of_the_first_node() {
    let mut scene = scene(&[]);
    let run = leave(&scene, unadopted(Some("b"), None), &json!({"_outputs.a": 1, "k": 7})).await;
    let counted = crate::tampered::Tampered::counting(&scene.stage.cluster);
    let worker = scene.stage.make_worker_on(counted.cluster(), crate::stage::alone("w"));
    scene.stage.run_worker(&worker);
    scene.js.send(&run, "b").await;
    pass(2).await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
    assert_eq!(view.context["k"], 7);
    assert_eq!(counted.calls("commit"), 2, "one for each node that ran");
    let document = scene.stage.document(&run).await;
    assert_eq!(document.head().rev, 2);
    let by_js = document.entry("a").unwrap();
    assert_eq!((by_js.state, &by_js.by), (NodeState::Completed, &None));
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed));
}

#[tokio::test(start_paused = true)]
async fn which_blueprint_it_follows_a_message_says_or_the_cache() {
    for hint in ["message", "cache"] {
        let mut scene = scene(&[]);
        let run = leave(&scene, unadopted(None, None), &json!({"_outputs.a": 1})).await;
        let causes = scene.stage.operations.explain(&run).await.unwrap();
        assert_eq!(causes[0].cause, CauseKind::UnknownBlueprint, "{causes:?}");
        let refused = scene.stage.operations.plan_requeue(&run, &["b".into()]).await.unwrap_err();
        assert!(refused.to_string().contains("does not say which blueprint"), "{refused}");
        let cancelled = scene.stage.operations.plan_cancel(&run).await;
        assert!(cancelled.is_err(), "there is nothing that could hold it: {cancelled:?}");
        if hint == "message" {
            scene.stage.worker("w");
            scene.js.send(&run, "b").await;
        } else {
            let key = Key::blueprint(&run);
            let hour = Duration::from_hours(1);
            scene.stage.cluster.coordination.set_if_absent(&key, "b", hour).await.unwrap();
            let report = scene.reconcile(&run).await;
            assert_eq!(report.runs[0].enqueued, ["b".into()], "{report:?}");
            scene.stage.worker("w");
        }
        let view = scene.ended(&run).await;
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}), "{hint}");
        let head = scene.stage.document(&run).await.head().clone();
        assert_eq!(head.blueprint().map(BlueprintId::as_str), Some("b"), "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_absent_version_is_no_version_and_is_written() {
    let (nodes, edges) = chain();
    let mut scene = Scene::of(versioned("b", Some("7"), &nodes, &edges), &[]);
    let run = leave(&scene, unadopted(Some("b"), None), &json!({})).await;
    scene.stage.worker("w");
    scene.js.send(&run, "a").await;
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
    let head = scene.stage.document(&run).await.head().clone();
    assert_eq!(head.blueprint_version.as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn c1_a_run_without_a_document_gets_one() {
    for status in [true, false] {
        let (nodes, edges) = chain();
        let mut scene = Scene::of(versioned("b", Some("7"), &nodes, &edges), &[]);
        scene.stage.worker("w");
        let run = RunId::from("r");
        if status {
            scene.js.touch(&run, RunStatus::Running, None).await;
        }
        scene.js.send(&run, "a").await;
        pass(9).await;
        assert!(scene.js.read(&run).await.is_none(), "it may be under way");
        pass(10).await;
        let view = scene.ended(&run).await;
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
        let head = scene.stage.document(&run).await.head().clone();
        assert_eq!(head.blueprint_version.as_deref(), Some("7"));
        assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed));
        let key = Key::blueprint(&run);
        let named = scene.stage.cluster.coordination.get(&key).await.unwrap();
        assert_eq!(named.as_deref(), Some("b"), "for neighbours");
    }
}

#[tokio::test(start_paused = true)]
async fn c1_several_messages_make_one_document() {
    let nodes = json!([
        ["a", "work", {"n": 1}], ["b", "work", {"n": 2}], ["c", "work", {"n": 3}, {}, {"a": "a", "b": "b"}],
    ]);
    let mut scene = Scene::new(&nodes, &json!([["a", "c"], ["b", "c"]]), &[]);
    for name in ["w1", "w2", "w3"] {
        scene.stage.worker(name);
    }
    let run = RunId::from("r");
    scene.js.send_starts(&run).await;
    pass(20).await;
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 2, "c": 6}));
    assert!(scene.counts().values().all(|count| *count == 1), "{:?}", scene.counts());
}

#[tokio::test(start_paused = true)]
async fn a_message_of_ours_for_a_run_without_a_document_is_no_reason_to_make_one() {
    let mut scene = scene(&[]);
    scene.stage.worker("w");
    let mut job = scene.stage.plain_job(&"r".into(), "a");
    job.rev = Some(1);
    scene.stage.send(job.encode()).await;
    pass(900).await;
    assert!(scene.js.read(&"r".into()).await.is_none());
    assert_eq!(scene.stage.depth(Lane::Poison).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_message_of_a_run_that_ended_and_whose_document_is_gone_is_dropped() {
    let mut scene = scene(&[]);
    scene.stage.worker("w");
    let run = RunId::from("r");
    scene.js.touch(&run, RunStatus::Completed, None).await;
    scene.js.send(&run, "a").await;
    pass(60).await;
    assert!(scene.js.read(&run).await.is_none());
    assert_eq!(
        (scene.stage.depth(Lane::Jobs).await, scene.stage.depth(Lane::Poison).await),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_message_still_waits_has_not_failed_to_start() {
    let scene = scene(&[]);
    let run = RunId::from("r");
    scene.js.send(&run, "a").await;
    scene.js.touch(&run, RunStatus::Running, None).await;
    pass(900).await;
    scene.stage.operations.reconcile_stalled(Duration::from_secs(60)).await.unwrap();
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Running));
    assert_eq!(scene.stage.lose_messages().await.len(), 1);
    scene.stage.operations.reconcile_stalled(Duration::from_secs(60)).await.unwrap();
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_and_changes_such_a_run_as_any_other() {
    let outputs_so_far = json!({"_outputs.a": 1, "_outputs.b": 3});
    let stand = || async {
        let scene = scene(&[]);
        let run = leave(&scene, unadopted(Some("b"), None), &outputs_so_far).await;
        scene.js.touch(&run, RunStatus::Running, None).await;
        (scene, run)
    };
    let (scene, run) = stand().await;
    let view = scene.stage.operations.view(&run).await.unwrap();
    assert_eq!(state(&view, "a"), "completed");
    assert_eq!(state(&view, "c"), "ready");
    assert!(view.nodes.iter().all(|line| line.worker.is_none()));
    let causes = scene.stage.operations.explain(&run).await.unwrap();
    assert!(causes[0].evidence[0].contains("node \"c\" is ready"), "{causes:?}");
    assert!(scene.stage.document(&run).await.head().is_unadopted(), "looking changes nothing");

    // Cancelled: the ledger is there to hold it.
    let plan = scene.stage.operations.plan_cancel(&run).await.unwrap();
    assert_eq!(scene.stage.operations.apply(&plan).await.unwrap().status, RunStatus::Cancelled);
    let document = scene.stage.document(&run).await;
    assert_eq!(document.status(), RunStatus::Cancelled);
    assert_eq!(document.state("b"), NodeState::Completed);
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Cancelled));

    let (mut scene, run) = stand().await;
    scene.stage.requeue(&run, &["b"]).await;
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
    assert_eq!((scene.stage.count("a"), scene.stage.count("b"), scene.stage.count("c")), (0, 1, 1));

    let (mut scene, run) = stand().await;
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    let view = scene.ended(&run).await;
    assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}));
    assert_eq!((scene.stage.count("a"), scene.stage.count("b"), scene.stage.count("c")), (0, 0, 1));
}

// Its calls take time of their own, so the clock is the real one.
#[tokio::test]
async fn the_embedded_cluster_holds_one_as_well() {
    let folder = std::env::temp_dir().join(format!("flowcraft-unadopted-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let sqlite = sqlite_cluster(&folder.join("c.db"), Arc::new(SystemClock)).await.unwrap();
    let (nodes, edges) = chain();
    for neighbours in [Neighbours::JavaScript, Neighbours::None] {
        let cluster = Cluster { neighbours, ..sqlite.clone() };
        let mut scene = Scene::on(cluster.clone(), blueprint("b", &nodes, &edges), &[]);
        let run = RunId::from(format!("{neighbours:?}"));
        let mut document = RunDocument::new(unadopted(None, None));
        document.apply(&Op::Set("_outputs.a".into(), Arc::new(json!(1))));
        cluster.state.create_document(&run, &document).await.unwrap();
        assert!(scene.stage.document(&run).await.head().is_unadopted());
        scene.stage.worker("w");
        scene.js.send(&run, "b").await;
        let library = Library::fixed(vec![blueprint("b", &nodes, &edges)]);
        let watcher = Operations::new(cluster.clone(), library, "watcher");
        let began = std::time::Instant::now();
        let view = loop {
            let view = watcher.view(&run).await.unwrap();
            if view.status.is_final() {
                break view;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{neighbours:?}: {view:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3, "c": 6}), "{neighbours:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
