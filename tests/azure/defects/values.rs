//! Values that are too large for an item, or nearly so.

use flowcraft_tui::{engine::RunStatus, nodes::NodeOutput};
use serde_json::{Value, json};

use super::{ended, play, run_worker, staged, start, until_status};
use crate::{
    raw::Raw,
    services::services,
    stage::{Stage, blueprint},
};

/// A node whose output has so many bytes, and what follows it.
async fn large(bytes: usize, edges: &Value) -> Option<(Stage, String)> {
    let nodes = json!([["big", "big"], ["b", "length"], ["f", "noop"]]);
    let (stage, settings) = staged(services()?, vec![blueprint("b", &nodes, edges)]).await;
    let stage = stage.with_fn("big", move |_| Ok(NodeOutput::value("x".repeat(bytes)))).with_fn(
        "length",
        |context| {
            Ok(NodeOutput::value(context.input().and_then(Value::as_str).map_or(0, str::len)))
        },
    );
    Some((stage, settings.names.database))
}

/// C17
#[tokio::test]
async fn an_output_that_is_too_large_fails_its_node_with_its_size() {
    let Some((mut stage, database)) = large(2_500_000, &json!([["big", "b"]])).await else {
        return;
    };
    let view = play(&mut stage, &json!({"k": 1})).await;
    assert_eq!(view.status, RunStatus::Failed);
    let message = &view.errors[0].message;
    assert!(message.contains("_outputs.big (2500002 bytes)"), "{message}");
    assert_eq!((stage.count("big"), stage.count("b"), stage.count("f")), (1, 0, 1));
    until_status(&stage, &view.run, RunStatus::Failed).await;
    let item = Raw::of(services().unwrap(), &database)
        .read("contexts", Some(&view.run), &view.run)
        .await
        .unwrap();
    assert_eq!((&item["k"], item.get("_outputs.big")), (&json!(1), None), "the document is whole");
}

/// C18
#[tokio::test]
async fn a_large_output_goes_along_an_edge_without_a_copy() {
    let Some((mut stage, _)) = large(1_200_000, &json!([["big", "b"]])).await else { return };
    let view = play(&mut stage, &json!({})).await;
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.errors);
    assert_eq!(view.outputs["b"], 1_200_000);
    assert!(stage.document(&view.run).await.get("_inputs.b").is_none());
}

/// C19
#[tokio::test]
async fn a_large_output_of_the_last_node_leaves_the_status_item_small() {
    let Some((mut stage, database)) = large(1_200_000, &json!([["b", "big"]])).await else {
        return;
    };
    run_worker(&mut stage, "w");
    let run = start(&stage, &json!({})).await;
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    until_status(&stage, &run, RunStatus::Completed).await;
    let item =
        Raw::of(services().unwrap(), &database).read("statuses", Some(&run), &run).await.unwrap();
    assert_eq!(item["finalStatus"]["status"], "completed");
    let bytes = item.to_string().len();
    assert!(bytes < 2_000, "the status item has {bytes} bytes");
}
