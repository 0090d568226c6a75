//! A26 to A36, A39 and C17 to C19: what nodes write, under which names, and how large.

use flowcraft_tui::{engine::RunStatus, nodes::NodeOutput};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, alone, outputs, state},
    tampered::{Fate, Tampered},
};

#[tokio::test(start_paused = true)]
async fn a26_a_context_key_can_be_deleted() {
    let mut stage = Stage::of(
        &json!([
            ["d", "delete-ctx", {"key": "k"}], ["again", "delete-ctx", {"key": "k"}],
            ["g", "get-ctx", {"key": "k"}],
        ]),
        &json!([["d", "again"], ["again", "g"]]),
    );
    let view = stage.play(&json!({"k": 1})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"again": false, "d": true, "g": null}));
    assert!(!view.context.contains_key("k"));
}

#[tokio::test(start_paused = true)]
async fn a27_a_node_may_write_any_number_of_keys() {
    let stage = Stage::of(&json!([["a", "many"]]), &json!([]));
    let mut stage = stage.with_fn("many", |context| {
        (0..30).for_each(|number| context.set(format!("k{number}"), number));
        Ok(NodeOutput::none())
    });
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.context.len(), 30);
    assert_eq!(view.context["k29"], 29);
}

#[tokio::test(start_paused = true)]
async fn a28_a_context_key_may_hold_slashes() {
    let mut stage = Stage::of(
        &json!([["s", "set-ctx", {"key": "x/y~z", "value": 7}], ["g", "get-ctx", {"key": "x/y~z"}]]),
        &json!([["s", "g"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["g"], 7);
    assert_eq!(view.context["x/y~z"], 7);
}

#[tokio::test(start_paused = true)]
async fn a29_a_node_id_may_hold_slashes() {
    let mut stage = Stage::of(
        &json!([["a/b", "const", {"value": 1}], ["c/d", "add"]]),
        &json!([["a/b", "c/d"]]),
    );
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"a/b": 1, "c/d": 2}));
}

#[tokio::test(start_paused = true)]
async fn a30_a_context_key_may_have_the_name_of_a_member_of_the_item() {
    for key in ["id", "runId", "_ts", "_etag", "_rid", "_self", "_attachments", "_ledger"] {
        let mut stage = Stage::of(
            &json!([["s", "set-ctx", {"key": key, "value": "mine"}], ["g", "get-ctx", {"key": key}]]),
            &json!([["s", "g"]]),
        );
        let view = stage.play(&json!({})).await;
        assert_eq!(view.status, RunStatus::Completed, "{key}");
        assert_eq!(view.outputs["g"], "mine", "{key}");
        let mine = "mine".into();
        assert!(stage.operations.view(&mine).await.is_err(), "{key}: no second document appears");
    }
}

#[tokio::test(start_paused = true)]
async fn a34_a_node_that_returns_nothing_goes_on() {
    let mut stage =
        Stage::of(&json!([["a", "noop"], ["b", "const", {"value": 1}]]), &json!([["a", "b"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"b": 1}));
}

fn transformed() -> Stage {
    Stage::of(
        &json!([
            ["a", "emit-action", {"actionKey": "way"}, {}, "payload"],
            ["b", "echo", {}, {}, {"k": "seed"}],
        ]),
        &json!([
            ["a", "b", {"action": "transform", "transform": "input.s"}],
            ["a", "b", {"action": "plain"}],
        ]),
    )
}

#[tokio::test(start_paused = true)]
async fn a35_a_transform_wins_over_inputs_on_every_worker() {
    let input = json!({"way": "transform", "payload": {"s": "S"}, "seed": "config"});
    let mut stage = transformed();
    assert_eq!(stage.play(&input).await.outputs["b"], "S");

    // The one that took the edge dies; another, which never saw it, runs the target.
    let mut stage = transformed();
    let dying = Tampered::new(&stage.cluster, |call| match call.name {
        "commit" => Fate::HangsAfter,
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(dying.cluster(), alone("w0")));
    let run = stage.start_with(&input).await;
    stage.until(&run, "has run a", |view| state(view, "a") == "completed").await;
    stage.crash().await;
    stage.worker("w1");
    let view = stage.settled(&run).await;
    assert_eq!(view.outputs["b"], "S");
    assert_eq!(stage.counts(), [("a".to_owned(), 1), ("b".to_owned(), 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a36_a_run_changes_nothing_for_the_next_one() {
    let mut stage = transformed();
    stage.worker("w");
    for (run, way, expected) in [
        ("1", "plain", json!({"k": "config"})),
        ("2", "transform", json!("S")),
        ("3", "plain", json!({"k": "config"})),
    ] {
        let input = json!({"way": way, "payload": {"s": "S"}, "seed": "config"});
        let run = stage.operations.start(stage.request(run, &input)).await.unwrap().run;
        let view = stage.settled(&run).await;
        assert_eq!(view.outputs["b"], expected, "run {run}");
    }
}

#[tokio::test(start_paused = true)]
async fn a39_values_are_json_and_nothing_is_not_null() {
    let stage = Stage::of(&json!([["n", "null"], ["none", "noop"], ["s", "shape"]]), &json!([]));
    let mut stage = stage
        .with_fn("null", |_| Ok(NodeOutput::value(Value::Null)))
        // Not a number: JSON has no such value, and says null.
        .with_fn("shape", |_| {
            Ok(NodeOutput::value(json!({"nan": f64::NAN, "n": 1.5, "u": "ü\u{0}"})))
        });
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(outputs(&view), json!({"n": null, "s": {"nan": null, "n": 1.5, "u": "ü\u{0}"}}));
}

fn large(bytes: usize, edges: &Value) -> Stage {
    let stage = Stage::of(&json!([["big", "big"], ["b", "length"], ["f", "noop"]]), edges);
    stage.with_fn("big", move |_| Ok(NodeOutput::value("x".repeat(bytes)))).with_fn("length", |c| {
        Ok(NodeOutput::value(c.input().and_then(Value::as_str).map_or(0, str::len)))
    })
}

#[tokio::test(start_paused = true)]
async fn c17_an_output_that_is_too_large_fails_its_node_clearly() {
    let mut stage = large(2_500_000, &json!([["big", "b"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    let message = &view.errors[0].message;
    assert!(message.contains("_outputs.big (2500002 bytes)"), "{message}");
    assert_eq!((stage.count("b"), stage.count("f")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn c18_a_large_output_is_passed_on_without_a_copy() {
    let mut stage = large(1_200_000, &json!([["big", "b"]]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.errors);
    assert_eq!(view.outputs["b"], 1_200_000);
    assert!(stage.document(&view.run).await.get("_inputs.b").is_none());
}

#[tokio::test(start_paused = true)]
async fn c19_the_status_item_stays_small() {
    let mut stage = large(1_200_000, &json!([]));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    let item = stage.status(&view.run).await;
    assert!(serde_json::to_string(&item).unwrap().len() < 2000);
}
