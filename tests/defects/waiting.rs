//! A1 to A6, A31, A32 and C21: waiting, answering, sleeping, subflows.

use std::time::Duration;

use flowcraft_tui::{cluster::Lane, engine::RunStatus, operations::OperationError};
use serde_json::json;

use crate::stage::{Stage, alone, blueprint, pass, state};

fn approval() -> Stage {
    Stage::of(
        &json!([["w", "wait"], ["yes", "echo"], ["no", "echo"]]),
        &json!([["w", "yes", {"action": "approve"}], ["w", "no", {"action": "reject"}]]),
    )
}

#[tokio::test(start_paused = true)]
async fn a1_wait_holds_its_successors() {
    let mut stage = Stage::of(&json!([["w", "wait"], ["b", "echo"]]), &json!([["w", "b"]]));
    let view = stage.play(&json!({})).await;
    pass(3600).await;
    assert_eq!(view.status, RunStatus::Awaiting);
    assert_eq!(stage.status(&view.run).await.status, Some(RunStatus::Awaiting));
    assert_eq!(stage.count("b"), 0);
    assert!(stage.document(&view.run).await.get("_awaitingNodeIds").is_some());
    stage.answer(&view.run, "w", None, Some(json!(5))).await.unwrap();
    let view = stage.settled(&view.run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["b"], 5);
    assert!(stage.document(&view.run).await.get("_awaitingNodeIds").is_none());
}

#[tokio::test(start_paused = true)]
async fn a2_wait_with_only_action_edges_is_awaiting() {
    let mut stage = approval();
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Awaiting);
    assert_eq!(view.awaiting, ["w".into()]);
    assert_eq!((stage.count("yes"), stage.count("no")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a3_an_answer_is_routed_by_its_action() {
    let mut stage = approval();
    let run = stage.play(&json!({})).await.run;
    stage.answer(&run, "w", Some("approve"), Some(json!({"by": "Ada"}))).await.unwrap();
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("yes"), stage.count("no")), (1, 0));
    assert_eq!(view.outputs["yes"], json!({"by": "Ada"}));
}

#[tokio::test(start_paused = true)]
async fn a4_an_answer_without_an_output_completes_the_node() {
    let mut stage = Stage::of(&json!([["w", "wait"], ["b", "noop"]]), &json!([["w", "b"]]));
    let run = stage.play(&json!({})).await.run;
    stage.answer(&run, "w", None, None).await.unwrap();
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((state(&view, "w"), state(&view, "b")), ("completed", "completed"));
    assert!(!view.outputs.contains_key("w"));
}

#[tokio::test(start_paused = true)]
async fn a5_there_is_a_way_to_answer_and_it_works_once() {
    let mut stage = approval();
    let run = stage.play(&json!({})).await.run;
    stage.answer(&run, "w", Some("reject"), None).await.unwrap();
    stage.settled(&run).await;
    let again = stage.answer(&run, "w", Some("approve"), None).await;
    assert!(matches!(again, Err(OperationError::Refused { .. })), "{again:?}");
    assert_eq!((stage.count("yes"), stage.count("no")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a6_a_sleep_holds_its_successors_over_the_death_of_its_worker() {
    let mut stage = Stage::of(
        &json!([["s", "sleep", {"duration": "1h"}], ["b", "echo"]]),
        &json!([["s", "b"]]),
    );
    stage.worker("first");
    let began = tokio::time::Instant::now();
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Awaiting);
    stage.crash().await;
    pass(1800).await;
    stage.worker("second");
    let view = stage.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    let woke = stage.times("b")[0] - began;
    assert!(woke >= Duration::from_hours(1), "{woke:?}");
    assert!(woke < Duration::from_secs(3610), "{woke:?}");
}

fn with_child(child: &serde_json::Value, edges: &serde_json::Value) -> Stage {
    Stage::new(vec![
        blueprint(
            "parent",
            &json!([["sf", "subflow", {"blueprintId": "child"}], ["b", "echo"]]),
            &json!([["sf", "b"]]),
        ),
        blueprint("child", child, edges),
    ])
}

#[tokio::test(start_paused = true)]
async fn a31_a_subflow_gives_its_output() {
    let mut stage =
        with_child(&json!([["x", "const", {"value": 2}], ["y", "add"]]), &json!([["x", "y"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["b"], 3);
}

#[tokio::test(start_paused = true)]
async fn a32_a_subflow_that_waits_has_its_parent_await() {
    let mut stage = with_child(&json!([["w", "wait"], ["y", "add"]]), &json!([["w", "y"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Awaiting);
    assert_eq!(view.awaiting, ["sf".into()]);
    pass(600).await;
    assert_eq!(stage.count("b"), 0);
    stage.answer(&view.run, "sf", None, Some(json!(4))).await.unwrap();
    let view = stage.ended(&view.run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["b"], 5);
}

#[tokio::test(start_paused = true)]
async fn c21_two_sleeps_in_a_row_run_each_node_once() {
    let mut stage = Stage::of(
        &json!([
            ["s1", "sleep", {"duration": "30s"}], ["m", "noop"],
            ["s2", "sleep", {"duration": "30s"}], ["z", "noop"],
        ]),
        &json!([["s1", "m"], ["m", "s2"], ["s2", "z"]]),
    );
    let eager = stage.make_worker(alone("w2"));
    stage.run_worker(&eager);
    stage.worker("w");
    let run = stage.start().await;
    let view = stage.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    pass(600).await;
    assert_eq!((stage.count("m"), stage.count("z")), (1, 1));
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    assert!(stage.times("z")[0] - stage.times("m")[0] >= Duration::from_secs(30));
}
