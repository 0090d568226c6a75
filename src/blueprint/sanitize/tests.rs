#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn one_node(node: &Value) -> Node {
    sanitize(json!({ "id": "b", "nodes": [node] })).unwrap().nodes.remove(0)
}

fn message(value: Value) -> String {
    sanitize(value).unwrap_err().to_string()
}

#[test]
fn lists_may_be_objects_whose_values_are_taken_in_order() {
    let blueprint = sanitize(json!({
        "id": "b",
        "nodes": { "z": { "id": "first", "uses": "x" }, "a": { "id": "second", "uses": "x" } },
        "edges": { "1": { "source": "first", "target": "second" } },
    }))
    .unwrap();
    let ids: Vec<_> = blueprint.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["first", "second"]);
    assert_eq!(blueprint.edges[0].target.as_str(), "second");
}

#[test]
fn lists_that_are_absent_or_something_else_are_empty() {
    for lists in [json!(null), json!("text"), json!(3), json!(true)] {
        let blueprint =
            sanitize(json!({ "id": "b", "nodes": lists, "edges": lists, "metadata": lists }));
        let blueprint = blueprint.unwrap();
        assert!(blueprint.nodes.is_empty() && blueprint.edges.is_empty());
        assert!(blueprint.metadata.is_empty());
    }
    assert!(sanitize(json!({ "id": "b" })).unwrap().nodes.is_empty());
}

#[test]
fn what_means_nothing_is_dropped() {
    let blueprint = sanitize(json!({
        "id": "b", "extra": 1, "metadata": { "version": "2", "mine": [1] },
        "nodes": [{ "id": "a", "uses": "x", "_sourceLocation": {}, "extra": 1 }],
        "edges": [{ "source": "a", "target": "a", "_sourceLocation": {}, "extra": 1 }],
    }));
    let blueprint = blueprint.unwrap();
    assert_eq!(blueprint.version(), Some("2"));
    assert_eq!(blueprint.metadata["mine"], json!([1]));
    assert_eq!(
        blueprint.nodes[0],
        Node {
            id: "a".into(),
            uses: "x".to_owned(),
            params: Map::new(),
            inputs: Inputs::Edge,
            config: NodeConfig::default(),
        }
    );
}

#[test]
fn empty_texts_of_edges_mean_none_but_for_transforms() {
    let blueprint = sanitize(json!({ "id": "b", "edges": [
        { "source": "a", "target": "b", "action": "", "condition": "", "transform": "" },
        { "source": "a", "target": "b", "action": null, "condition": null, "transform": null },
    ]}))
    .unwrap();
    let [first, second] = blueprint.edges.as_slice() else { panic!("two edges") };
    assert_eq!((&first.action, &first.condition), (&None, &None));
    assert_eq!(first.transform.as_deref(), Some(""));
    assert_eq!(second.transform, None);
}

#[test]
fn inputs_are_nothing_a_name_or_names() {
    let inputs = |inputs: Value| one_node(&json!({ "id": "a", "uses": "x", "inputs": inputs }));
    assert_eq!(inputs(json!("")).inputs, Inputs::Edge);
    assert_eq!(inputs(json!(null)).inputs, Inputs::Edge);
    assert_eq!(inputs(json!("k")).inputs, Inputs::One("k".to_owned()));
    assert_eq!(inputs(json!({})).inputs, Inputs::Many(Map::new()));
    let wrong = inputs(json!(["k"]));
    assert_eq!(wrong.inputs, Inputs::Edge);
    assert_eq!(wrong.config.wrong[0].member, "inputs");
    assert_eq!(wrong.config.wrong[0].found, "an array");
}

#[test]
fn settings_are_read_as_javascript_reads_them() {
    let config = one_node(&json!({ "id": "a", "uses": "x", "config": {
        "maxRetries": "3", "retryDelay": 10.5, "timeout": null, "fallback": "f",
        "joinStrategy": "any", "maxRetry": 1,
    }}))
    .config;
    assert_eq!(config.max_retries, Some(3.0));
    assert_eq!(config.retry_delay, Some(10.5));
    assert_eq!(config.timeout, None);
    assert_eq!(config.fallback, Some("f".into()));
    assert_eq!(config.join, JoinStrategy::Any);
    assert_eq!(config.unknown, ["maxRetry"]);
    let [wrong] = config.wrong.as_slice() else { panic!("one: {:?}", config.wrong) };
    assert_eq!(
        (wrong.member.as_str(), wrong.treatment),
        ("config.maxRetries", Treatment::Converted)
    );
}

#[test]
fn settings_of_the_wrong_type_are_left_out_and_noted() {
    let node = one_node(&json!({ "id": "a", "uses": "x", "params": [1], "config": {
        "maxRetries": "many", "retryDelay": true, "timeout": {}, "fallback": 3,
        "joinStrategy": "ANY",
    }}));
    assert_eq!(node.config.attempts(), 1);
    assert_eq!((node.config.retry_delay, node.config.timeout), (None, None));
    assert_eq!((&node.config.fallback, node.config.join), (&None, JoinStrategy::All));
    let members: Vec<_> = node.config.wrong.iter().map(|wrong| wrong.member.as_str()).collect();
    assert_eq!(
        members,
        [
            "config.maxRetries",
            "config.retryDelay",
            "config.timeout",
            "config.fallback",
            "config.joinStrategy",
            "params",
        ]
    );
    assert!(node.config.wrong.iter().all(|wrong| wrong.treatment == Treatment::Ignored));
    let node = one_node(&json!({ "id": "a", "uses": "x", "config": "fast" }));
    assert_eq!(node.config.wrong[0].member, "config");
}

#[test]
fn what_cannot_work_says_where_and_what_was_expected() {
    let nodes = |node: Value| json!({ "id": "b", "nodes": [{ "id": "a", "uses": "x" }, node] });
    let edges = |edge: Value| json!({ "id": "b", "edges": [edge] });
    for (value, expected) in [
        (json!([]), "expected an object with `id`, `nodes` and `edges`, found an array"),
        (json!({ "nodes": [] }), "the blueprint has no `id`: add one, as text"),
        (
            json!({ "id": 7 }),
            "the blueprint's `id` must be a text that is not empty, found a number",
        ),
        (nodes(json!("a")), "nodes[1] must be an object, found text"),
        (
            nodes(json!({ "uses": "x" })),
            "nodes[1]: `id` must be a text that is not empty, found nothing",
        ),
        (
            nodes(json!({ "id": "" })),
            "nodes[1]: `id` must be a text that is not empty, found an empty text",
        ),
        (
            nodes(json!({ "id": "n", "uses": 1 })),
            "nodes[1] (\"n\"): `uses` must be a text that is not empty, found a number",
        ),
        (edges(json!(null)), "edges[0] must be an object, found null"),
        (
            edges(json!({ "target": "t" })),
            "edges[0] (to \"t\"): `source` must be a text that is not empty, found nothing",
        ),
        (
            edges(json!({ "source": "s" })),
            "edges[0] (from \"s\"): `target` must be a text that is not empty, found nothing",
        ),
        (
            edges(json!({ "source": "s", "target": "t", "condition": true })),
            "edges[0] (from \"s\" to \"t\"): `condition` must be text, found true or false",
        ),
    ] {
        assert_eq!(message(value), expected);
    }
}

#[test]
fn a_file_name_stands_in_for_a_missing_id_only() {
    let named = |value| sanitize_as(value, Some("file"));
    assert_eq!(named(json!({ "nodes": [] })).unwrap().id.as_str(), "file");
    assert_eq!(named(json!({ "id": "own", "nodes": [] })).unwrap().id.as_str(), "own");
    assert_eq!(named(json!({ "name": "package" })).unwrap_err(), SanitizeError::NoId);
    assert!(named(json!({ "id": null, "nodes": [] })).is_err());
}
