//! Bad input through the library: whatever comes in, the run ends with an error that says what to
//! do, and the worker goes on.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/registry.rs"]
mod registry;
// Each of the programs that share it uses a part of it.
#[allow(dead_code)]
#[path = "support/stage.rs"]
mod stage;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::{Blueprint, sanitize},
    cluster::{Cluster, Lane, SystemClock, sqlite_cluster},
    engine::{RunStatus, Timestamp},
    nodes::{DynamicSpec, NodeOutput},
    operations::{CauseKind, Lint, OperationError},
    worker::WorkerConfig,
};
use serde_json::{Value, json};
use stage::{Stage, alone, blueprint, outputs, pass, state, versioned};

/// Nodes `n0`, `n1`, ... of one kind.
fn many(count: usize, uses: &str) -> Vec<Value> {
    (0..count).map(|n| json!({"id": format!("n{n}"), "uses": uses})).collect()
}

fn large(nodes: &[Value], edges: &[Value]) -> Stage {
    Stage::new(vec![sanitize(json!({"id": "b", "nodes": nodes, "edges": edges})).unwrap()])
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_ten_thousand_nodes_runs_to_its_end() {
    let edges = (1..10_000)
        .map(|n| json!({"source": format!("n{}", n - 1), "target": format!("n{n}")}))
        .collect::<Vec<_>>();
    let mut stage = large(&many(10_000, "noop"), &edges);
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.starts.lock().unwrap().len(), 10_000);
    assert_eq!(state(&view, "n9999"), "completed");
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_of_ten_thousand_nodes_runs_to_its_end() {
    let mut edges = Vec::new();
    for n in 1..9_999 {
        edges.push(json!({"source": "n0", "target": format!("n{n}")}));
        edges.push(json!({"source": format!("n{n}"), "target": "n9999"}));
    }
    let mut stage = large(&many(10_000, "noop"), &edges);
    stage.worker("w2");
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.starts.lock().unwrap().len(), 10_000);
    assert_eq!(stage.count("n9999"), 1);
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}

/// A node that gives back 3 MB, with a fallback.
fn three_megabytes() -> Blueprint {
    blueprint(
        "b",
        &json!([
            ["small", "const", {"value": 1}],
            ["big", "big", {}, {"fallback": "f"}], ["f", "const", {"value": "instead"}],
            ["after", "echo"],
        ]),
        &json!([["small", "big"], ["big", "after"]]),
    )
}

fn with_big(stage: Stage) -> Stage {
    stage.with_fn("big", |context| {
        context.set("note", "x".repeat(1000));
        Ok(NodeOutput::value("x".repeat(3_000_000)))
    })
}

fn assert_replaced(view: &flowcraft_tui::operations::RunView) {
    assert_eq!(view.status, RunStatus::Completed);
    let expected = json!({"after": "instead", "big": null, "f": "instead", "small": 1});
    assert_eq!(outputs(view), expected);
    let big = view.nodes.iter().find(|line| line.id.as_str() == "big").unwrap();
    let error = big.error.clone().unwrap();
    assert!(error.contains("_outputs.big (3000002 bytes)"), "{error}");
    assert!(error.contains("note (1002 bytes)"), "{error}");
    assert!(!view.context.contains_key("note"), "nothing of it is written");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_writes_three_megabytes_fails_and_its_fallback_runs() {
    let mut stage = with_big(Stage::new(vec![three_megabytes()]));
    let view = stage.play(&json!({})).await;
    assert_replaced(&view);
    let document = stage.document(&view.run).await;
    assert!(document.size() < 100_000, "{}", document.size());
}

/// The embedded cluster, with its folder.
async fn embedded() -> (Cluster, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    (sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap(), folder)
}

#[tokio::test]
async fn a_node_that_writes_three_megabytes_fails_on_sqlite_too() {
    let (cluster, _folder) = embedded().await;
    let mut stage = with_big(Stage::on(cluster, vec![three_megabytes()]));
    assert_replaced(&stage.play(&json!({})).await);
}

/// Lists in lists, so many levels deep.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

fn with_nested(stage: Stage) -> Stage {
    stage
        .with_fn("nested", |_| Ok(NodeOutput::value(nested(200))))
        .with_fn("nested-key", |context| {
            context.set("deep", nested(200));
            Ok(NodeOutput::none())
        })
        .with_fn("shallow", |_| Ok(NodeOutput::value(nested(100))))
}

fn deep() -> Blueprint {
    blueprint(
        "b",
        &json!([
            ["deep", "nested", {}, {"fallback": "f"}], ["f", "shallow"],
            ["key", "nested-key"], ["beside", "const", {"value": 1}], ["after", "noop"],
        ]),
        &json!([["deep", "after"], ["key", "never"], ["beside", "more"]]),
    )
}

fn assert_flat(view: &flowcraft_tui::operations::RunView) {
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!((state(view, "deep"), state(view, "key")), ("failed", "failed"));
    assert_eq!((state(view, "f"), state(view, "after")), ("completed", "completed"));
    assert_eq!(view.outputs["f"], nested(100));
    assert_eq!(view.outputs["beside"], 1);
    for node in ["deep", "key"] {
        let line = view.nodes.iter().find(|line| line.id.as_str() == node).unwrap();
        let error = line.error.clone().unwrap();
        assert!(error.contains("nested 200 levels deep"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_nested_too_deeply_fails_its_node() {
    let mut stage = with_nested(Stage::new(vec![deep()]));
    assert_flat(&stage.play(&json!({})).await);
}

#[tokio::test]
async fn a_value_that_is_nested_too_deeply_fails_its_node_on_sqlite_too() {
    let (cluster, _folder) = embedded().await;
    let mut stage = with_nested(Stage::on(cluster, vec![deep()]));
    assert_flat(&stage.play(&json!({})).await);
}

#[tokio::test]
async fn an_input_or_an_answer_that_is_nested_too_deeply_is_refused() {
    let (cluster, _folder) = embedded().await;
    let nodes = json!([["w", "wait"]]);
    let mut stage = Stage::on(cluster, vec![blueprint("b", &nodes, &json!([]))]);
    let refused = stage.operations.start(stage.request("r1", &json!({"deep": nested(200)}))).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("nested"), "{message}");
    let run = stage.play(&json!({})).await.run;
    let refused = stage.answer(&run, "w", None, Some(nested(200))).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("nested"), "{message}");
    stage.answer(&run, "w", None, Some(nested(50))).await.unwrap();
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_json_is_poisoned_and_the_rest_goes_on() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    for body in ["not json", "", "{", "[1, 2]", "bnVsbA==", "\u{0}\u{1}", "💥"] {
        stage.send(body).await;
    }
    stage.send("x".repeat(60_000)).await;
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    pass(10).await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 8);
    assert!(letters.iter().all(|letter| letter.job.is_none() && !letter.reason.is_empty()));
    let replayed = stage.operations.replay(&flowcraft_tui::operations::Letters::All).await.unwrap();
    assert!(replayed.is_empty(), "what is no job stays where it is");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_run_id_can_not_be_one_is_poisoned() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    stage.worker("w");
    for run in ["", "a/b", &"x".repeat(2000), "\n"] {
        stage.send(json!({"runId": run, "blueprintId": "b", "nodeId": "a"}).to_string()).await;
    }
    pass(60).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_run_that_does_not_exist_is_poisoned() {
    let mut stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    stage.worker("w");
    stage.send(stage.plain_job(&"nobody".into(), "a").encode()).await;
    pass(600).await;
    let letters = stage.letters().await;
    assert!(letters[0].reason.contains("no document"), "{}", letters[0].reason);
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}

/// A worker without the run's blueprint gives its message up after an hour, and a worker that has
/// it can still do it then.
async fn assert_held_for_an_hour(has_it: Blueprint, has_not: Blueprint, cause: CauseKind) {
    let mut stage = Stage::new(vec![has_it]);
    let run = stage.start().await;
    let mut other = Stage::on(stage.cluster.clone(), vec![has_not]);
    let worker = other.worker("other");
    pass(3500).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (1, 0));
    let causes = other.operations.explain(&run).await.unwrap();
    assert_eq!(causes[0].cause, cause, "{causes:#?}");
    pass(200).await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.contains("loaded here"), "{}", letters[0].reason);
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(view.errors[0].message, letters[0].reason);
    worker.drain();
    pass(10).await;
    stage.worker("w");
    stage.operations.replay(&flowcraft_tui::operations::Letters::All).await.unwrap();
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_blueprint_is_held_for_an_hour_then_poisoned() {
    let (nodes, none) = (json!([["a", "noop"], ["b", "noop"]]), json!([["a", "b"]]));
    let has_it = blueprint("b", &nodes, &none);
    let has_not = blueprint("another", &nodes, &none);
    assert_held_for_an_hour(has_it, has_not, CauseKind::UnknownBlueprint).await;
}

#[tokio::test(start_paused = true)]
async fn another_version_is_held_for_an_hour_then_poisoned() {
    let (nodes, none) = (json!([["a", "noop"], ["b", "noop"]]), json!([["a", "b"]]));
    let has_it = versioned("b", Some("1"), &nodes, &none);
    let has_not = versioned("b", Some("2"), &nodes, &none);
    assert_held_for_an_hour(has_it, has_not, CauseKind::VersionMismatch).await;
}

#[tokio::test(start_paused = true)]
async fn starting_an_unknown_blueprint_is_refused_with_what_was_perhaps_meant() {
    let stage = Stage::new(vec![blueprint("orders", &json!([["a", "noop"]]), &json!([]))]);
    let mut request = stage.request("r", &json!({}));
    request.blueprint = "ordres".into();
    let message = stage.operations.start(request).await.unwrap_err().to_string();
    assert_eq!(message, "blueprint \"ordres\" is not loaded: did you mean \"orders\"?");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kind_of_node_fails_that_node() {
    let mut stage = Stage::of(
        &json!([["a", "nonesuch", {}, {"maxRetries": 5}], ["b", "noop"], ["c", "noop"]]),
        &json!([["a", "b"]]),
    );
    let mut request = stage.request("strict", &json!({}));
    request.lint = Lint::EnforceWith(BTreeSet::from(["noop".to_owned()]));
    let refused = stage.operations.start(request).await;
    assert!(matches!(refused, Err(OperationError::Lint { .. })), "{refused:?}");
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!((stage.count("b"), stage.count("c")), (0, 1));
    let message = &view.errors[0].message;
    assert!(message.contains("\"nonesuch\"") && message.contains("register"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_condition_with_odd_characters_is_false() {
    let odd = ["a > 1", "a-b", "a'; drop", "💥", "a[0]", "..", "!ok", "a.ok\u{0}", "\n", "(ok)"];
    let mut nodes = vec![json!(["a", "const", {"value": {"ok": true}}]), json!(["good", "noop"])];
    let mut edges = vec![json!(["a", "good", {"condition": "a.ok"}])];
    for (number, condition) in odd.iter().enumerate() {
        nodes.push(json!([format!("odd{number}"), "noop"]));
        edges.push(json!(["a", format!("odd{number}"), {"condition": condition}]));
    }
    let mut stage = Stage::of(&Value::Array(nodes), &Value::Array(edges));
    let mut strict = stage.request("strict", &json!({}));
    strict.lint = Lint::Enforce;
    assert!(matches!(stage.operations.start(strict).await, Err(OperationError::Lint { .. })));
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts().into_keys().collect::<Vec<_>>(), ["a", "good"]);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_can_not_be_slept_fails_its_node() {
    for duration in [json!(-5), json!("-5s"), json!("soon"), json!(null), json!({}), json!("1w")] {
        let mut stage = Stage::of(
            &json!([["s", "sleep", {"duration": duration}], ["b", "noop"]]),
            &json!([["s", "b"]]),
        );
        let view = stage.play(&json!({})).await;
        assert_eq!(view.status, RunStatus::Failed, "{duration}");
        assert_eq!(stage.count("b"), 0);
        assert!(view.errors[0].message.starts_with("sleep: "), "{:?}", view.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleep_beyond_all_time_neither_ends_nor_breaks_anything() {
    for duration in [json!(1e300), json!("99999999999999999999d"), json!(u64::MAX)] {
        let mut stage = Stage::of(
            &json!([["s", "sleep", {"duration": duration}], ["b", "noop"]]),
            &json!([["s", "b"]]),
        );
        let view = stage.play(&json!({})).await;
        assert_ne!(view.status, RunStatus::Completed, "{duration}");
        pass(10).await;
        assert_eq!(stage.count("b"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_panics_fails_like_any_other() {
    let stage = Stage::of(
        &json!([["a", "panics", {}, {"maxRetries": 2}], ["b", "noop"], ["c", "noop"]]),
        &json!([["a", "b"]]),
    );
    let mut stage =
        stage.with_fn("panics", |context| panic!("attempt {}", context.execution().attempt));
    let worker = stage.make_worker(WorkerConfig { slots: 1, ..alone("w") });
    stage.run_worker(&worker);
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!((stage.count("b"), stage.count("c")), (0, 1));
    let message = &view.errors[0].message;
    assert!(message.contains("panicked") && message.contains("attempt 2"), "{message}");
    assert_eq!(worker.status().in_flight, 0);
}

fn adds(ids: &'static [&'static str]) -> Stage {
    let stage =
        Stage::of(&json!([["a", "adds"], ["b", "noop"], ["c", "noop"]]), &json!([["a", "b"]]));
    stage.with_fn("adds", |_| {
        let dynamic_nodes = ids
            .iter()
            .map(|id| DynamicSpec {
                id: (*id).into(),
                uses: "noop".to_owned(),
                params: serde_json::Map::new(),
                inputs: None,
                config: serde_json::Map::new(),
            })
            .collect();
        Ok(NodeOutput { dynamic_nodes, ..NodeOutput::none() })
    })
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_node_with_an_id_that_is_taken_fails_its_maker() {
    for ids in [&["b"][..], &["a"], &["new", "new"]] {
        let mut stage = stage_of(ids);
        let view = stage.play(&json!({})).await;
        assert_eq!(view.status, RunStatus::Failed, "{ids:?}");
        let message = &view.errors[0].message;
        let last = format!("\"{}\", which is already in use", ids[ids.len() - 1]);
        assert!(message.contains(&last), "{message}");
        assert_eq!(stage.counts(), [("a".to_owned(), 1), ("c".to_owned(), 1)].into());
    }
}

fn stage_of(ids: &'static [&'static str]) -> Stage {
    adds(ids)
}

#[tokio::test(start_paused = true)]
async fn reserved_keys_written_by_a_node_break_nothing() {
    let keys = [
        "_ledger",
        "_ledger.nodes",
        "id",
        "_etag",
        "_outputs.c",
        "_inputs.c",
        "_awaitingNodeIds",
        "_resume.action",
        "",
        "a",
    ];
    for key in keys {
        let mut stage = Stage::of(
            &json!([
                ["a", "set-ctx", {"key": key, "value": {"broken": true}}],
                ["b", "busy", {"ms": 10}], ["c", "const", {"value": "c"}], ["d", "echo"],
            ]),
            &json!([["a", "b"], ["b", "c"], ["c", "d"]]),
        );
        let view = stage.play(&json!({})).await;
        assert_eq!(view.status, RunStatus::Completed, "{key}");
        assert_eq!((&view.outputs["c"], &view.outputs["d"]), (&json!("c"), &json!("c")), "{key}");
        assert_eq!(stage.counts().into_values().collect::<Vec<_>>(), [1; 4], "{key}");
    }
}

#[tokio::test]
async fn reserved_keys_written_by_a_node_break_nothing_on_sqlite() {
    let (cluster, _folder) = embedded().await;
    let nodes = json!([
        ["a", "set-ctx", {"key": "_ledger", "value": {"broken": true}}],
        ["b", "set-ctx", {"key": "id", "value": 5}], ["c", "get-ctx", {"key": "_ledger"}],
    ]);
    let edges = json!([["a", "b"], ["b", "c"]]);
    let mut stage = Stage::on(cluster.clone(), vec![blueprint("b", &nodes, &edges)]);
    let run = stage.play(&json!({})).await.run;
    // Read by somebody who knows nothing of it.
    let fresh = Stage::on(cluster, vec![blueprint("b", &nodes, &edges)]);
    let view = fresh.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["c"], json!({"broken": true}));
    assert!(fresh.document(&run).await.head().started_at > Timestamp::from_seconds(0));
}

#[tokio::test]
async fn an_output_removed_by_a_node_is_made_again() {
    let nodes = json!([
        ["a", "const", {"value": 1}], ["b", "delete-ctx", {"key": "_outputs.a"}], ["c", "add", {}, {}, "a"],
    ]);
    let edges = json!([["a", "b"], ["b", "c"]]);
    let mut stage = Stage::new(vec![blueprint("b", &nodes, &edges)]);
    let view = tokio::time::timeout(Duration::from_secs(20), stage.play(&json!({}))).await.unwrap();
    assert_eq!(view.status, RunStatus::Completed);
}
