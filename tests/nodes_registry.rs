//! The nodes of the conformance cases, in this process and through an exec program: the same
//! results, errors and writes.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/contexts.rs"]
mod contexts;
#[path = "support/registry.rs"]
mod registry;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use contexts::Given;
use flowcraft_tui::nodes::{Node, NodeDefinition, NodeError, NodeOutput, Severity, Write};
use serde_json::{Value, json};

type Effects = BTreeMap<String, Option<Value>>;

async fn outcome(node: &Arc<dyn Node>, given: Given) -> (Result<NodeOutput, NodeError>, Effects) {
    let mut context = given.context();
    let result = node.run(&mut context).await;
    // An answer has no order of writes: what counts is how each key ends.
    let effects = context
        .into_writes()
        .into_iter()
        .map(|write| match write {
            Write::Set(key, value) => (key, Some(value)),
            Write::Delete(key) => (key, None),
        })
        .collect();
    (result, effects)
}

/// One execution, and what the table of the registry says about it.
struct Case {
    uses: &'static str,
    params: Value,
    input: Option<Value>,
    expected: Result<NodeOutput, NodeError>,
    effects: Value,
}

fn case(uses: &'static str, params: Value, input: Option<Value>, output: Value) -> Case {
    Case { uses, params, input, expected: Ok(NodeOutput::value(output)), effects: json!({}) }
}

fn failure(uses: &'static str, params: Value, input: Option<Value>, error: NodeError) -> Case {
    Case { uses, params, input, expected: Err(error), effects: json!({}) }
}

impl Case {
    /// With these keys written; null stands for a deleted one.
    fn writing(mut self, effects: Value) -> Self {
        self.effects = effects;
        self
    }

    fn with(mut self, expected: NodeOutput) -> Self {
        self.expected = Ok(expected);
        self
    }
}

const CONTEXT: &str = r#"{"n": 4, "route": "left", "hidden": "key", "fails_f": 1, "fails_g": 2}"#;
const OUTPUTS: &str = r#"{"a": [1, 2], "hidden": 9}"#;

fn cases() -> Vec<Case> {
    let none = NodeOutput::none;
    let mixed = json!([1, "b", 2.5, true, null, [1], {"x": 1}]);
    vec![
        case("const", json!({"value": {"a": null}}), None, json!({"a": null})),
        case("const", json!({"value": null}), None, Value::Null),
        case("const", json!({}), None, Value::Null).with(none()),
        case("echo", json!({}), Some(json!("ü\n\u{1}")), json!("ü\n\u{1}")),
        case("echo", json!({}), None, Value::Null),
        case("noop", json!({}), Some(json!(1)), Value::Null).with(none()),
        case("add", json!({}), Some(json!(2)), json!(3)),
        case("add", json!({"n": -5}), Some(json!("2")), json!(-5)),
        case("double", json!({}), Some(json!(21)), json!(42)),
        case("double", json!({}), None, json!(0)),
        case("upper", json!({}), Some(json!("straße é z")), json!("STRAßE é Z")),
        failure(
            "upper",
            json!({}),
            Some(json!(1)),
            NodeError::ordinary("upper: input is not a string"),
        ),
        case("sum", json!({}), Some(mixed.clone()), json!(3.5)),
        case("sum", json!({}), Some(json!({"a": 1, "b": "x", "c": 2})), json!(3)),
        case("sum", json!({}), Some(json!("x")), json!(0)),
        case("concat", json!({"sep": "-"}), Some(mixed), json!("1-b-2.5-true--?-?")),
        case("concat", json!({}), Some(json!({"b": 2, "a": "1", "c": false})), json!("12false")),
        case("concat", json!({"sep": ","}), Some(json!("x")), json!("")),
        case("emit-action", json!({"action": "go"}), Some(json!(1)), json!(1))
            .with(NodeOutput::value(1).with_action("go")),
        case("emit-action", json!({"actionKey": "route"}), None, Value::Null)
            .with(NodeOutput::value(Value::Null).with_action("left")),
        case("emit-action", json!({"actionKey": "nowhere"}), None, Value::Null),
        failure("fail-n-times", json!({"key": "f", "n": 2}), None, planned(2))
            .writing(json!({"fails_f": 2})),
        failure("fail-n-times", json!({"key": "new", "n": 1}), None, planned(1))
            .writing(json!({"fails_new": 1})),
        case("fail-n-times", json!({"key": "g", "n": 2}), None, json!("ok")),
        case("fail-n-times", json!({"key": "g", "n": 2, "value": 0}), None, json!(0)),
        failure("fail", json!({}), None, NodeError::ordinary("boom")),
        failure("fail", json!({"message": "no\nway"}), None, NodeError::ordinary("no\nway")),
        failure("fail-fatal", json!({}), None, NodeError::fatal("fatal boom")),
        failure("fail-fatal", json!({"message": "x"}), None, NodeError::fatal("x")),
        failure("fail-if", json!({}), Some(json!("bad")), NodeError::ordinary("bad item")),
        failure(
            "fail-if",
            json!({"value": [1]}),
            Some(json!([1])),
            NodeError::ordinary("bad item"),
        ),
        case("fail-if", json!({}), Some(json!("good")), json!("good")),
        case("fail-if", json!({}), None, Value::Null),
        case("set-ctx", json!({"key": "k", "value": null}), Some(json!(1)), Value::Null)
            .writing(json!({"k": {"set": null}})),
        case("set-ctx", json!({"key": "k"}), Some(json!([1])), json!([1]))
            .writing(json!({"k": {"set": [1]}})),
        case("get-ctx", json!({"key": "n"}), None, json!(4)),
        case("get-ctx", json!({"key": "nothing"}), None, Value::Null),
        case("get-ctx", json!({"key": "a"}), None, json!([1, 2])),
        case("get-ctx", json!({"key": "hidden"}), None, json!(9)),
        case("delete-ctx", json!({"key": "n"}), None, json!(true)).writing(json!({"n": null})),
        case("delete-ctx", json!({"key": "x"}), None, json!(false)).writing(json!({"x": null})),
        case("incr", json!({"key": "n"}), None, json!(5)).writing(json!({"n": 5})),
        case("incr", json!({"key": "new", "by": 10}), None, json!(10)).writing(json!({"new": 10})),
        case("incr-check", json!({"key": "n", "flag": "more", "limit": 5}), None, json!(5))
            .writing(json!({"n": 5, "more": false})),
        case("incr-check", json!({"key": "n", "flag": "more", "limit": 6}), None, json!(5))
            .writing(json!({"n": 5, "more": true})),
        case(
            "compare",
            json!({"n": 3}),
            Some(json!(2)),
            json!({"value": 2, "lt": true, "ge": false}),
        ),
        case("compare", json!({"n": 0}), None, json!({"value": 0, "lt": false, "ge": true})),
        case("range", json!({"from": 2, "to": 5}), None, json!([2, 3, 4])),
        case("range", json!({"from": 2, "to": 2}), None, json!([])),
        case("pick", json!({"path": "a"}), Some(json!({"a": 1})), json!(1)),
        case("pick", json!({"path": "b"}), Some(json!({"a": 1})), Value::Null),
        case("pick", json!({"path": "1"}), Some(json!([4, 5])), json!(5)),
        case("pick", json!({"path": "a"}), None, Value::Null),
    ]
}

fn planned(count: u32) -> NodeError {
    NodeError::ordinary(format!("planned failure {count}"))
}

/// Null means deleted, `{"set": x}` set to x (for null itself), anything else that value.
fn effects_of(expected: &Value) -> Effects {
    let effect = |value: &Value| match value {
        Value::Null => None,
        Value::Object(members) if members.contains_key("set") => Some(members["set"].clone()),
        value => Some(value.clone()),
    };
    expected.as_object().unwrap().iter().map(|(k, v)| (k.clone(), effect(v))).collect()
}

fn given(case: &Case) -> Given {
    Given {
        uses: case.uses,
        params: case.params.clone(),
        input: case.input.clone(),
        context: serde_json::from_str(CONTEXT).unwrap(),
        outputs: serde_json::from_str(OUTPUTS).unwrap(),
    }
}

#[tokio::test]
async fn every_node_does_the_same_in_process_and_in_a_program() {
    let registry = registry::registry();
    let program = example_program();
    let command = toml::Value::from(program.to_str().unwrap());
    let table = format!("kind = 'exec'\ncommand = [{command}]\nprocesses = 2");
    let definition: NodeDefinition = toml::from_str(&table).unwrap();
    let exec = definition.build("conformance", Path::new(".")).unwrap();
    let cases = cases();
    for key in registry.names() {
        assert!(cases.iter().any(|case| case.uses == key), "{key} has no case");
    }
    for case in cases {
        let name = format!("{} {} {:?}", case.uses, case.params, case.input);
        let expected = (case.expected.clone(), effects_of(&case.effects));
        let node = registry.get(case.uses).unwrap();
        assert_eq!(outcome(node, given(&case)).await, expected, "in process: {name}");
        assert_eq!(outcome(&exec, given(&case)).await, expected, "program: {name}");
    }
    let missing = Given { uses: "no-such-node", ..Given::default() };
    let (result, _) = outcome(&exec, missing).await;
    let error = result.unwrap_err();
    assert_eq!(error.severity, Severity::Fatal);
    assert!(error.message.contains("no-such-node"), "{error}");
}

/// The example's program, which `cargo test --test` alone does not build.
fn example_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().join("examples");
    let program = folder.join(format!("exec_nodes{}", std::env::consts::EXE_SUFFIX));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/exec_nodes.rs");
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    if changed(&program) < changed(&source) {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", "exec_nodes", "--profile", profile])
            .status()
            .unwrap();
        assert!(built.success());
    }
    program
}
