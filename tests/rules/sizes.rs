//! Rule 16: how large what may become.

use flowcraft_tui::{cluster::Lane, engine::RunStatus, nodes::NodeOutput};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, alone, state},
    tampered::{Fate, Tampered},
};

fn with_large(stage: Stage) -> Stage {
    stage
        .with_fn("large", |context| {
            let bytes = context.param("bytes").and_then(Value::as_u64).unwrap();
            Ok(NodeOutput::value("x".repeat(usize::try_from(bytes).unwrap())))
        })
        .with_fn("length", |context| {
            Ok(NodeOutput::value(context.input().and_then(Value::as_str).map_or(0, str::len)))
        })
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_large_input_is_named_by_its_source() {
    // Two bytes of each are the quotation marks.
    for (bytes, copied) in [(64 * 1024 - 2, true), (64 * 1024 - 1, false)] {
        let mut stage = with_large(Stage::of(
            &json!([["a", "large", {"bytes": bytes}], ["b", "length"]]),
            &json!([["a", "b"]]),
        ));
        let view = stage.play(&json!({})).await;
        assert_eq!(view.outputs["b"], bytes);
        let document = stage.document(&view.run).await;
        assert_eq!(document.get("_inputs.b").is_some(), copied, "{bytes}");
        let source = document.entry("b").unwrap().input_from.clone();
        assert_eq!(source.is_some(), !copied, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_commit_that_is_too_large_still_records_the_failure() {
    let mut stage = with_large(Stage::of(
        &json!([
            ["a", "large", {"bytes": 1_800_000}], ["b", "large", {"bytes": 120_000}],
            ["c", "noop"],
        ]),
        &json!([["a", "b"], ["b", "c"]]),
    ));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!((state(&view, "a"), state(&view, "b")), ("completed", "failed"));
    let message = &view.errors[0].message;
    assert!(message.contains("_outputs.a (1800002 bytes)"), "{message}");
    assert!(message.contains("_outputs.b (120002 bytes)"), "{message}");
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_16_of_merged_results_only_the_one_that_is_too_large_fails() {
    let mut nodes = vec![json!(["big", "later", {"bytes": 3_000_000}])];
    for number in 0..12 {
        nodes.push(json!([format!("n{number}"), "later", {"bytes": 10}]));
    }
    let stage = Stage::of(&Value::Array(nodes), &json!([]));
    let large = with_large(stage);
    let node = large.registry.get("large").unwrap().clone();
    let mut stage = large.with_node("later", node);
    let slow = Tampered::new(&stage.cluster, |call| match call.name {
        // While one commit is under way, the others wait for the next.
        "commit" => Fate::Late(std::time::Duration::from_millis(500)),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(slow.cluster(), alone("w")));
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(view.errors.len(), 1, "{:?}", view.errors);
    assert_eq!(view.errors[0].node.as_str(), "big");
    assert_eq!(view.outputs.len(), 12);
    assert!(slow.calls("commit") < 8, "{} commits", slow.calls("commit"));
}
