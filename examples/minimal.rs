//! Two functions and a blueprint that uses them: `cargo run --example minimal`

use flowcraft_tui::{
    blueprint::sanitize,
    nodes::{NodeError, NodeOutput, Registry},
    run_in_memory,
};
use serde_json::{Map, Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let blueprint = sanitize(json!({
        "id": "double-and-show",
        "nodes": [
            { "id": "double", "uses": "double" },
            { "id": "show", "uses": "show", "params": { "unit": "km" } },
        ],
        "edges": [{ "source": "double", "target": "show" }],
    }))?;
    let registry = Registry::new()
        .with_fn("double", |context| {
            let n = context.get("n").and_then(Value::as_i64);
            let n = n.ok_or_else(|| NodeError::fatal("the run's input has no number \"n\""))?;
            Ok(NodeOutput::value(n * 2))
        })
        .with_fn("show", |context| {
            let unit = context.param("unit").and_then(Value::as_str).unwrap_or_default();
            Ok(NodeOutput::value(format!("{} {unit}", context.input().unwrap_or(&Value::Null))))
        });
    let run = run_in_memory(blueprint, registry, Map::from_iter([("n".into(), json!(21))])).await?;
    println!("{}: {}", run.status, run.outputs["show"]);
    Ok(())
}
