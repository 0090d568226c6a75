//! Statuses that JavaScript workers publish by their own view: the ledger decides.

use std::time::Duration;

use flowcraft_tui::{cluster::Lane, engine::RunStatus, operations::CauseKind};
use serde_json::json;

use crate::{
    scene::{Scene, reconciling},
    stage::{outputs, pass},
};

#[tokio::test(start_paused = true)]
async fn a_run_that_a_neighbour_ended_is_left_alone_and_shown_as_ended() {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2}]]);
    for theirs in [vec!["b"], vec!["a", "b"]] {
        let mut scene = Scene::new(&nodes, &json!([["a", "b"]]), &theirs);
        scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
        scene.run_js();
        let run = scene.start().await;
        pass(900).await;
        let stored = scene.stage.document(&run).await;
        assert_eq!(stored.status(), RunStatus::Running, "nobody of ours came by: {theirs:?}");
        assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed));
        let stalled = scene.stage.operations.stalled_runs(Duration::from_secs(60)).await.unwrap();
        assert!(stalled.is_empty(), "{stalled:?}");
        let view = scene.stage.operations.view(&run).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(outputs(&view), json!({"a": 1, "b": 3}));
        let causes = scene.stage.operations.explain(&run).await.unwrap();
        assert_eq!(
            (causes[0].cause, &*causes[0].remedy.to_string()),
            (CauseKind::Finished, "nothing is to be done")
        );
        // Whoever does come by takes the same from it.
        let report = scene.reconcile(&run).await;
        assert!(report.runs[0].error.is_none() && report.runs[0].enqueued.is_empty(), "{report:?}");
        assert_eq!(scene.stage.document(&run).await.status(), RunStatus::Completed);
        assert!(scene.counts().values().all(|count| *count == 1), "{theirs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_message_of_a_run_that_a_neighbour_ended_puts_it_on_record() {
    let mut scene =
        Scene::new(&json!([["a", "work", {"n": 1}], ["b", "work"]]), &json!([["a", "b"]]), &["b"]);
    scene.stage.worker("w");
    scene.run_js();
    let run = scene.start().await;
    pass(60).await;
    scene.js.send(&run, "a").await;
    // It did not notice that this is so.
    scene.js.touch(&run, RunStatus::Running, None).await;
    pass(60).await;
    assert_eq!(scene.stage.document(&run).await.status(), RunStatus::Completed);
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed));
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_came_too_early_is_put_right_at_the_next_touch() {
    let nodes = json!([["a", "work", {"n": 1}], ["b", "work", {"n": 2, "ms": 60_000}], ["c", "work", {"n": 3}]]);
    for early in [RunStatus::Completed, RunStatus::Failed, RunStatus::Running] {
        let mut scene = Scene::new(&nodes, &json!([["a", "b"], ["b", "c"]]), &[]);
        scene.stage.worker("w");
        let run = scene.start().await;
        pass(5).await;
        scene.js.touch(&run, early, Some(json!({"status": early.as_str()}))).await;
        pass(40).await;
        assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Running), "{early}");
        let view = scene.ended(&run).await;
        assert_eq!(view.status, RunStatus::Completed);
        let item = scene.stage.status(&run).await;
        assert_eq!(item.status, Some(RunStatus::Completed));
        assert_eq!(item.final_status.unwrap()["status"], "completed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_neighbour_failed_is_left_failed_and_explained() {
    let mut scene =
        Scene::new(&json!([["a", "work", {"n": 1}], ["f", "fail"]]), &json!([["a", "f"]]), &["f"]);
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    scene.run_js();
    let run = scene.start().await;
    pass(900).await;
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Failed));
    assert_eq!(scene.js.count("f"), 1, "failed is final");
    let causes = scene.stage.operations.explain(&run).await.unwrap();
    let cause = causes.iter().find(|cause| cause.cause == CauseKind::FailedElsewhere).unwrap();
    assert!(cause.evidence[1].contains("nothing implements fail"), "{cause:?}");
    // A requeue is the way back, and this time one of ours runs the node and puts its failure down.
    scene.take_fence_down(&run).await;
    scene.stage.requeue(&run, &["f"]).await;
    let view = scene.ended(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(view.errors[0].node.as_str(), "f");
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Failed));
}
