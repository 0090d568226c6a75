//! The state of one run, as other programs read and change it.

use flowcraft_tui::{
    azure::CosmosDbContext,
    blueprint::RunId,
    cluster::{AzureServices, AzureSettings, Fault},
    engine::RunStatus,
};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{ended, eventually, once, play, run_worker, staged, start};
use crate::{
    services::{fresh, services},
    stage::{Stage, blueprint},
};

async fn setup(nodes: &Value, edges: &Value) -> Option<(Stage, AzureSettings)> {
    Some(staged(services()?, vec![blueprint("b", nodes, edges)]).await)
}

/// The state of a run, seen through connections of its own.
fn context(settings: &AzureSettings, run: &RunId) -> CosmosDbContext {
    CosmosDbContext::new(&AzureServices::new(settings.clone()).unwrap(), run.clone())
}

#[tokio::test]
async fn keys_are_read_set_and_deleted_as_they_are_stored() {
    let nodes = json!([["a", "const", {"value": {"v": [1, null]}}]]);
    let Some((mut stage, settings)) = setup(&nodes, &json!([])).await else { return };
    let run = play(&mut stage, &json!({"k": "ü", "x/y~z": 7})).await.run;
    let context = context(&settings, &run);
    assert_eq!(context.get("k").await.unwrap(), Some(json!("ü")));
    assert_eq!(context.get("_outputs.a").await.unwrap(), Some(json!({"v": [1, null]})));
    assert_eq!(context.get("none").await.unwrap(), None);
    assert!(context.has("x/y~z").await.unwrap());
    assert!(!context.has("none").await.unwrap());

    context.set("n", Value::Null).await.unwrap();
    context.set("id", json!("mine")).await.unwrap();
    assert_eq!(context.get("n").await.unwrap(), Some(Value::Null));
    assert!(context.delete("k").await.unwrap());
    assert!(!context.delete("k").await.unwrap(), "it is gone");
    let all = context.to_json().await.unwrap();
    let expected = json!({
        "_outputs.a": {"v": [1, null]}, "x/y~z": 7, "n": null, "id": "mine",
    });
    assert_eq!(Value::Object(all), expected);
    assert!(stage.operations.view(&"mine".into()).await.is_err(), "no second run appears");

    let nobody = self::context(&settings, &RunId::from(fresh("run")));
    for error in [
        nobody.get("k").await.unwrap_err(),
        nobody.set("k", json!(1)).await.unwrap_err(),
        nobody.to_json().await.unwrap_err(),
    ] {
        assert_eq!(error.fault, Fault::NotFound, "{error}");
        assert!(error.to_string().contains("there is no such run"), "{error}");
    }
}

#[tokio::test]
async fn twenty_changes_at_once_all_count() {
    let Some((stage, settings)) = setup(&json!([["w", "wait"]]), &json!([])).await else { return };
    let run = start(&stage, &json!({})).await;
    let contexts: Vec<_> = (0..4).map(|_| context(&settings, &run)).collect();
    let sets = (0..20).map(|number| {
        let context = &contexts[number % contexts.len()];
        async move { context.set(&format!("k{number}"), json!(number)).await }
    });
    for set in join_all(sets).await {
        set.unwrap();
    }
    let all = contexts[0].to_json().await.unwrap();
    for number in 0..20 {
        assert_eq!(all.get(&format!("k{number}")), Some(&json!(number)), "k{number}");
    }
}

#[tokio::test]
async fn a_worker_goes_on_after_a_change_in_the_middle_of_a_run() {
    let nodes = json!([
        ["a", "busy", {"ms": 1_500}], ["b", "get-ctx", {"key": "k"}], ["c", "get-ctx", {"key": "k"}],
    ]);
    let edges = json!([["a", "b"], ["a", "c"]]);
    let Some((mut stage, settings)) = setup(&nodes, &edges).await else { return };
    run_worker(&mut stage, "w");
    let run = start(&stage, &json!({"k": "before"})).await;
    eventually("a is being run", async || stage.count("a") == 1).await;
    let context = context(&settings, &run);
    context.set("k", json!("changed")).await.unwrap();
    let view = ended(&stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["b"], "changed");
    assert_eq!(view.outputs["c"], "changed");
    assert_eq!(stage.counts(), once(&["a", "b", "c"]));
}
