//! Whatever JSON comes in, nothing panics, and what comes out holds together.

#![allow(clippy::unwrap_used)]

use std::{collections::HashSet, fs};

use flowcraft_tui::blueprint::{
    Blueprint, LintContext, analyze, lint, load_file, mermaid, parse_duration, sanitize,
    start_nodes,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, most of it with member names and texts that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "id",
        "uses",
        "nodes",
        "edges",
        "source",
        "target",
        "action",
        "condition",
        "transform",
        "params",
        "inputs",
        "config",
        "metadata",
        "maxRetries",
        "retryDelay",
        "timeout",
        "fallback",
        "joinStrategy",
        "duration",
        "gatherNodeId",
        "workerUsesKey",
        "blueprintId",
        "cycleEntryPoints",
        "version",
    ])
    .prop_map(str::to_owned)
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "b",
        "c",
        "wait",
        "sleep",
        "subflow",
        "batch-scatter",
        "batch-gather",
        "loop-controller",
        "continue",
        "break",
        "any",
        "all",
        "5s",
        "-1d",
        "input.x",
        "a > b",
        "",
        "end",
        "é\"\n",
    ])
    .prop_map(str::to_owned)
}

/// JSON with the outline of a blueprint, so that most of it gets past the first checks.
fn nearly_a_blueprint() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["a", "b", "c", "d", "e", "end", "ü\""]);
    let extra = || prop::collection::vec((member(), any_json()), 0..4);
    let node = (id.clone(), word(), extra())
        .prop_map(|(id, uses, extra)| entry(extra, [("id", id), ("uses", &uses)]));
    let action = || prop::option::of(word());
    let edge = (id.clone(), id, action(), action()).prop_map(
        |(source, target, action, condition)| {
            json!({ "source": source, "target": target, "action": action, "condition": condition })
        },
    );
    (prop::collection::vec(node, 0..8), prop::collection::vec(edge, 0..12), any_json()).prop_map(
        |(nodes, edges, metadata)| {
            json!({ "id": "b", "nodes": nodes, "edges": edges, "metadata": metadata })
        },
    )
}

fn entry(extra: Vec<(String, Value)>, names: [(&str, &str); 2]) -> Value {
    let mut members: Map<String, Value> = extra.into_iter().collect();
    for (key, name) in names {
        members.insert(key.to_owned(), name.into());
    }
    Value::Object(members)
}

fn check(value: Value) -> Result<(), TestCaseError> {
    let Ok(blueprint) = sanitize(value.clone()) else { return Ok(()) };
    let ids: HashSet<_> = blueprint.nodes.iter().map(|node| &node.id).collect();
    for issue in lint(&blueprint, &LintContext::default()) {
        prop_assert_eq!(issue.severity, issue.code.severity());
        prop_assert!(!issue.message.is_empty() && !issue.message.contains('\n'));
    }
    let analysis = analyze(&blueprint);
    prop_assert_eq!(analysis.is_dag, analysis.cycles.is_empty());
    for cycle in &analysis.cycles {
        prop_assert!(cycle.len() > 1 && cycle.first() == cycle.last());
        for pair in cycle.windows(2) {
            let is_edge =
                blueprint.edges.iter().any(|e| e.source == pair[0] && e.target == pair[1]);
            prop_assert!(is_edge);
        }
    }
    prop_assert!(start_nodes(&blueprint).iter().all(|id| ids.contains(id)));
    let drawn = mermaid(&blueprint);
    prop_assert!(drawn.starts_with("flowchart TD\n"));
    for line in drawn.lines() {
        prop_assert!(line.matches('"').count() % 2 == 0, "{}", line);
    }
    let again = sanitize(value);
    prop_assert_eq!(again.as_ref().map(Blueprint::fingerprint), Ok(blueprint.fingerprint()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_survived(value in any_json()) {
        let _ = parse_duration(&value);
        check(value)?;
    }

    #[test]
    fn anything_like_a_blueprint_holds_together(value in nearly_a_blueprint()) {
        check(value)?;
    }

    #[test]
    fn a_file_of_anything_is_survived(
        value in nearly_a_blueprint(), cut in 0.0..1.0, noise in any::<Vec<u8>>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("b.json");
        let mut bytes = serde_json::to_vec_pretty(&value).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (bytes.len() as f64 * cut) as usize;
        bytes.splice(at.., noise);
        fs::write(&file, bytes).unwrap();
        if let Err(error) = load_file(&file) {
            prop_assert!(error.to_string().contains("b.json"));
        }
    }
}
