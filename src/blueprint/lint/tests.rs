#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{Code, Issue, LintContext, Severity, lint};
use crate::blueprint::{Blueprint, sanitize};

/// A blueprint of nodes, each `id uses` with further members, and edges, each `from to` with
/// further members.
fn blueprint(nodes: &[(&str, Value)], edges: &[(&str, Value)]) -> Blueprint {
    let entries = |entries: &[(&str, Value)], names: [&str; 2]| -> Vec<Value> {
        let entry = |(head, rest): &(&str, Value)| {
            let (first, second) = head.split_once(' ').unwrap();
            let mut members = rest.as_object().cloned().unwrap_or_default();
            members.insert(names[0].to_owned(), first.into());
            members.insert(names[1].to_owned(), second.into());
            Value::Object(members)
        };
        entries.iter().map(entry).collect()
    };
    sanitize(json!({
        "id": "b",
        "nodes": entries(nodes, ["id", "uses"]),
        "edges": entries(edges, ["source", "target"]),
    }))
    .unwrap()
}

fn issues(nodes: &[(&str, Value)], edges: &[(&str, Value)]) -> Vec<Issue> {
    lint(&blueprint(nodes, edges), &LintContext::default())
}

/// Codes and nodes of what was found.
fn found(nodes: &[(&str, Value)], edges: &[(&str, Value)]) -> Vec<(Code, String)> {
    let name = |issue: Issue| (issue.code, issue.node_id.unwrap().to_string());
    issues(nodes, edges).into_iter().map(name).collect()
}

fn one(code: Code, node: &str) -> Vec<(Code, String)> {
    vec![(code, node.to_owned())]
}

fn no() -> Value {
    Value::Null
}

fn any() -> Value {
    json!({ "config": { "joinStrategy": "any" } })
}

#[test]
fn a_sound_blueprint_has_no_issues() {
    let nodes = [("a x", no()), ("b x", no()), ("c x", no()), ("d x", json!({ "inputs": "b" }))];
    let edges = [("a b", no()), ("a c", no()), ("b d", no()), ("c d", no())];
    assert_eq!(issues(&nodes, &edges), []);
}

#[test]
fn an_empty_blueprint_is_a_warning_about_no_node() {
    let found = issues(&[], &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].code, found[0].severity), (Code::EmptyBlueprint, Severity::Warning));
    assert_eq!(found[0].node_id, None);
}

#[test]
fn a_webhook_is_a_warning() {
    let found = issues(&[("a x", no()), ("hook webhook", no())], &[("a hook", no())]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].code, found[0].severity), (Code::WebhookUnsupported, Severity::Warning));
    assert_eq!(found[0].node_id.as_deref(), Some("hook"));
    let start = "fails when reached: no endpoint is configured";
    assert!(found[0].message.starts_with(start), "{}", found[0].message);
}

#[test]
fn issues_have_the_documented_json_form() {
    let issue = issues(&[("a x", json!({ "config": { "fallback": "f" } }))], &[]).remove(0);
    assert_eq!(
        serde_json::to_value(&issue).unwrap(),
        json!({
            "code": "FALLBACK_NOT_FOUND",
            "severity": "error",
            "message": "`config.fallback` is the id of a node, and there is no node `f`.",
            "nodeId": "a",
            "relatedId": "f",
        })
    );
    let issue = issues(&[("a x", json!({ "config": { "maxRetries": 0 } }))], &[]).remove(0);
    let json = serde_json::to_value(&issue).unwrap();
    assert_eq!((&json["severity"], json.get("relatedId")), (&json!("warning"), None));
}

#[test]
fn names_of_codes_are_distinct() {
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn implementations_are_checked_when_they_are_known() {
    let nodes = [
        ("a extract", no()),
        ("b extrct", no()),
        ("c wait", no()),
        ("s batch-scatter", json!({ "params": { "workerUsesKey": "gone", "gatherNodeId": "a" } })),
    ];
    let blueprint = blueprint(&nodes, &[("s a", no())]);
    let implementations = BTreeSet::from(["extract".to_owned()]);
    let context = LintContext { implementations: Some(&implementations), blueprints: None };
    let issues = lint(&blueprint, &context);
    let codes: Vec<_> = issues.iter().map(|issue| issue.code).collect();
    assert_eq!(codes, [Code::MissingNodeImplementation, Code::InvalidBatchWorkerKey]);
    assert_eq!(issues[0].node_id, Some("b".into()));
    assert!(issues[0].message.contains("Did you mean `extract`?"), "{}", issues[0].message);
    assert_eq!(lint(&blueprint, &LintContext::default()), []);
}

#[test]
fn subflows_name_a_blueprint_that_is_there() {
    let nodes = [
        ("a subflow", json!({ "params": { "blueprintId": "child" } })),
        ("b SubflowNode", json!({ "params": { "blueprintId": "gone" } })),
        ("c subflow", json!({ "params": { "blueprintId": 3 } })),
    ];
    let child = sanitize(json!({ "id": "child" })).unwrap();
    let blueprints = BTreeMap::from([(child.id.clone(), Arc::new(child))]);
    let context = LintContext { implementations: None, blueprints: Some(&blueprints) };
    let issues = lint(&blueprint(&nodes, &[]), &context);
    let codes: Vec<_> = issues.iter().map(|issue| issue.code).collect();
    assert_eq!(codes, [Code::InvalidSubflowBlueprintId, Code::SubflowWithoutBlueprint]);
    assert_eq!(issues[0].related_id.as_deref(), Some("gone"));
}

#[test]
fn subflows_that_lead_back_are_found_over_several_blueprints() {
    let calling = |id: &str, children: &[&str]| {
        let nodes: Vec<_> = children
            .iter()
            .map(|child| json!({ "id": child, "uses": "subflow", "params": { "blueprintId": child } }))
            .collect();
        let blueprint = sanitize(json!({ "id": id, "nodes": nodes })).unwrap();
        (blueprint.id.clone(), Arc::new(blueprint))
    };
    let blueprints = BTreeMap::from([
        calling("a", &["b", "x", "a", "d"]),
        calling("b", &["c"]),
        calling("c", &["a"]),
        calling("d", &["c"]),
        calling("x", &["y"]),
        calling("y", &["x"]),
    ]);
    let context = LintContext { implementations: None, blueprints: Some(&blueprints) };
    let nodes: Vec<_> = lint(&blueprints["a"], &context)
        .into_iter()
        .map(|issue| (issue.code, issue.node_id.unwrap().to_string()))
        .collect();
    let recursion = |node: &str| (Code::SubflowRecursion, node.to_owned());
    assert_eq!(nodes, [recursion("b"), recursion("a"), recursion("d")]);
}

#[test]
fn an_id_is_used_once() {
    let nodes = [("a x", no()), ("a sleep", no())];
    assert_eq!(found(&nodes, &[]), one(Code::DuplicateNodeId, "a"));
}

#[test]
fn wrong_types_are_reported() {
    let config = |config: Value| found(&[("a x", json!({ "config": config }))], &[]);
    assert_eq!(config(json!({ "maxRetries": "3" })), one(Code::NumberAsText, "a"));
    assert_eq!(config(json!({ "maxRetries": "x" })), one(Code::WrongType, "a"));
    assert_eq!(config(json!({ "joinStrategy": "some" })), one(Code::WrongType, "a"));
    assert_eq!(found(&[("a x", json!({ "inputs": 3 }))], &[]), one(Code::WrongType, "a"));
    let inputs = json!({ "inputs": { "k": "name", "n": 3 } });
    assert_eq!(found(&[("a x", inputs)], &[]), one(Code::InvalidInputs, "a"));
}

#[test]
fn unknown_settings_name_the_nearest_known_one() {
    let config = json!({ "config": { "retrydelay": 3, "priority": 1 } });
    let issues = issues(&[("a x", config)], &[]);
    assert_eq!(issues[0].code, Code::UnknownConfigKey);
    assert!(issues[0].message.ends_with("Did you mean `retryDelay`?"), "{}", issues[0].message);
    assert!(issues[1].message.ends_with("remove it."), "{}", issues[1].message);
}

#[test]
fn retries_are_checked() {
    let config = |config: Value| found(&[("a x", json!({ "config": config }))], &[]);
    assert_eq!(config(json!({ "maxRetries": 0 })), one(Code::RetriesBelowOne, "a"));
    assert_eq!(config(json!({ "maxRetries": 1 })), []);
    assert_eq!(config(json!({ "retryDelay": 5 })), one(Code::RetryDelayWithoutRetries, "a"));
    assert_eq!(config(json!({ "retryDelay": 5, "maxRetries": 2 })), []);
    assert_eq!(config(json!({ "timeout": -1 })), one(Code::NegativeTime, "a"));
}

#[test]
fn fallbacks_exist_and_end() {
    let to = |fallback: &str| json!({ "config": { "fallback": fallback } });
    assert_eq!(found(&[("a x", to("gone"))], &[]), one(Code::FallbackNotFound, "a"));
    assert_eq!(found(&[("a x", to("b")), ("b x", no())], &[]), []);
    let start = ("start x", no());
    let edges = [("start a", no())];
    let cycle = [start.clone(), ("a x", to("b")), ("b x", to("c")), ("c x", to("b"))];
    let on_cycle = |node: &str| (Code::FallbackCycle, node.to_owned());
    assert_eq!(found(&cycle, &edges), [on_cycle("b"), on_cycle("c")]);
    assert_eq!(found(&[start, ("a x", to("a"))], &edges), [on_cycle("a")]);
}

#[test]
fn sleeps_have_a_duration() {
    let sleep = |params: Value| found(&[("a sleep", json!({ "params": params }))], &[]);
    assert_eq!(sleep(json!({ "duration": "5m" })), []);
    for bad in [json!({}), json!({ "duration": -1 }), json!({ "duration": "5 minutes" })] {
        assert_eq!(sleep(bad), one(Code::InvalidDuration, "a"));
    }
}

#[test]
fn batches_have_what_they_need() {
    let scatter = |params: Value, gather: Value| {
        found(
            &[
                ("s batch-scatter", json!({ "params": params })),
                ("g batch-gather", json!({ "params": gather })),
            ],
            &[("s g", no())],
        )
    };
    let good = json!({ "workerUsesKey": "x", "gatherNodeId": "g" });
    let own = json!({ "gatherNodeId": "g" });
    assert_eq!(scatter(good.clone(), own.clone()), []);
    assert_eq!(scatter(good.clone(), json!({})), one(Code::InvalidBatchParam, "g"));
    assert_eq!(
        scatter(good.clone(), json!({ "gatherNodeId": "s" })),
        one(Code::GatherNamesAnother, "g")
    );
    assert_eq!(
        scatter(json!({ "gatherNodeId": "g" }), own.clone()),
        one(Code::InvalidBatchParam, "s")
    );
    assert_eq!(
        scatter(json!({ "workerUsesKey": "x" }), own.clone()),
        one(Code::InvalidBatchParam, "s")
    );
    let apart = [
        ("s batch-scatter", json!({ "params": good.clone() })),
        ("g batch-gather", json!({ "params": own.clone() })),
    ];
    assert_eq!(found(&apart, &[]), one(Code::GatherStartsEarly, "s"));
    let gone = json!({ "workerUsesKey": "x", "gatherNodeId": "gone" });
    assert_eq!(scatter(gone, own.clone()), one(Code::BatchGatherNotFound, "s"));
    for chunk in [json!(0), json!(1.5), json!("2")] {
        let params = json!({ "workerUsesKey": "x", "gatherNodeId": "g", "chunkSize": chunk });
        assert_eq!(scatter(params, own.clone()), one(Code::InvalidBatchParam, "s"));
    }
}

#[test]
fn loops_go_on_and_end() {
    let controller =
        json!({ "params": { "condition": "more" }, "config": { "joinStrategy": "any" } });
    let nodes = [
        ("init x", no()),
        ("loop loop-controller", controller),
        ("body x", no()),
        ("done x", no()),
    ];
    let (enter, back) = (("init loop", no()), ("body loop", no()));
    let go_on = ("loop body", json!({ "action": "continue" }));
    let leave = ("loop done", json!({ "action": "break" }));
    let sound = [enter.clone(), back.clone(), go_on.clone(), leave.clone()];
    assert_eq!(found(&nodes, &sound), []);

    let default = ("loop done", no());
    assert_eq!(found(&nodes, &[enter.clone(), back.clone(), go_on.clone(), default]), []);
    let conditional = ("loop done", json!({ "condition": "stop" }));
    assert_eq!(found(&nodes, &[enter.clone(), back.clone(), go_on.clone(), conditional]), []);

    let no_way_out = found(&nodes[..3], &[enter.clone(), back.clone(), go_on.clone()]);
    assert_eq!(no_way_out, one(Code::LoopWithoutExit, "loop"));
    let no_body = found(
        &[nodes[0].clone(), nodes[1].clone(), nodes[3].clone()],
        &[enter.clone(), leave.clone()],
    );
    assert_eq!(no_body, one(Code::LoopWithoutContinue, "loop"));

    let mut all = nodes.clone();
    all[1].1 = json!({ "params": { "condition": "more" } });
    assert_eq!(found(&all, &sound), one(Code::LoopJoinNotAny, "loop"));
    for condition in [json!({}), json!({ "condition": "i < 3" }), json!({ "condition": true })] {
        let mut nodes = nodes.clone();
        nodes[1].1["params"] = condition;
        assert_eq!(found(&nodes, &sound), one(Code::InvalidLoopCondition, "loop"));
    }
    let mut nodes = nodes.clone();
    nodes[1].1["params"] = json!({ "condition": "more", "maxIterations": 0 });
    assert_eq!(found(&nodes, &sound), one(Code::InvalidMaxIterations, "loop"));
}

#[test]
fn edges_join_nodes_that_exist() {
    let issues = issues(&[("a x", no()), ("b x", no())], &[("a gone", no()), ("a b", no())]);
    assert_eq!(issues[0].code, Code::InvalidEdgeTarget);
    assert_eq!(
        (issues[0].node_id.clone(), issues[0].related_id.as_deref()),
        (Some("gone".into()), Some("a"))
    );
    assert_eq!(issues.len(), 1);
    // The node behind it has an incoming edge, so it is no start node.
    assert_eq!(
        found(&[("a x", no()), ("b x", no())], &[("gone b", no())]),
        [(Code::InvalidEdgeSource, "gone".to_owned()), (Code::OrphanNode, "b".to_owned())]
    );
}

#[test]
fn expressions_are_names_with_members() {
    let edge = |edge: Value| found(&[("a x", no()), ("b x", no())], &[("a b", edge)]);
    for good in ["ok", "result.output.ok", "list.0.$x", "a..b"] {
        assert_eq!(edge(json!({ "condition": good })), [], "{good}");
    }
    for bad in ["a > 1", "!a", "a-b", "a[0]", "ä", " a", "a\n", "f()"] {
        assert_eq!(edge(json!({ "condition": bad })), one(Code::InvalidCondition, "a"), "{bad}");
        assert_eq!(edge(json!({ "transform": bad })), one(Code::InvalidTransform, "a"), "{bad}");
    }
    assert_eq!(edge(json!({ "transform": "input.x" })), []);
    assert_eq!(edge(json!({ "transform": "context.a" })), []);
    for dead in ["", "a.x", "context._outputs.a"] {
        assert_eq!(edge(json!({ "transform": dead })), one(Code::DeadExpression, "a"), "{dead}");
    }
    assert_eq!(edge(json!({ "condition": "_outputs.a" })), one(Code::DeadExpression, "a"));
}

#[test]
fn a_refused_expression_says_what_to_do() {
    let message = |condition: &str| {
        let edges = [("a b", json!({ "condition": condition }))];
        issues(&[("a x", no()), ("b x", no())], &edges).remove(0).message
    };
    assert!(message("x > 1").contains("no operators"));
    assert!(message("my-node.ok").contains("hyphen"));
    assert!(message("list[0]").contains("dots, as in `list.0`"));
    assert!(message(&"é".repeat(10_000)).len() < 500);
}

#[test]
fn nodes_that_nothing_leads_to_are_found() {
    // A cycle beside a start node is not entered.
    let nodes = [("a x", no()), ("b x", any()), ("c x", no())];
    let orphan = |node: &str| (Code::OrphanNode, node.to_owned());
    assert_eq!(found(&nodes, &[("b c", no()), ("c b", no())]), [orphan("b"), orphan("c")]);
    // Alone, it is.
    assert_eq!(found(&nodes[1..], &[("b c", no()), ("c b", no())]), []);
    // A fallback and what is behind it are reached through the node that has it.
    let nodes = [("a x", json!({ "config": { "fallback": "f" } })), ("f x", no()), ("g x", no())];
    assert_eq!(found(&nodes, &[("f g", no())]), []);
}

#[test]
fn a_join_that_waits_for_itself_is_found() {
    let nodes = [("a x", no()), ("b x", json!({ "inputs": "a" })), ("c x", no()), ("d x", no())];
    let edges = [("a b", no()), ("b c", no()), ("c b", no()), ("c d", no())];
    let issues = issues(&nodes, &edges);
    assert_eq!(issues.len(), 1, "{issues:?}");
    assert_eq!((issues[0].code, issues[0].node_id.clone()), (Code::NeverReady, Some("b".into())));
    assert_eq!(issues[0].related_id.as_deref(), Some("c"));
    let mut nodes = nodes.clone();
    nodes[1].1["config"] = json!({ "joinStrategy": "any" });
    assert_eq!(found(&nodes, &edges), []);
    // A predecessor that does not exist never finishes.
    let nodes = [("a x", no()), ("b x", no())];
    let codes = found(&nodes, &[("a b", no()), ("gone b", no())]);
    assert!(codes.contains(&(Code::NeverReady, "b".to_owned())), "{codes:?}");
}

#[test]
fn an_all_join_behind_exclusive_branches_is_found() {
    let with = |first: Value, second: Value, join: &str| {
        let join = json!({ "inputs": "d", "config": { "joinStrategy": join } });
        let nodes = [("d x", no()), ("l x", no()), ("r x", no()), ("l2 x", no()), ("j x", join)];
        let edges =
            [("d l", first), ("d r", second), ("l l2", no()), ("l2 j", no()), ("r j", no())];
        issues(&nodes, &edges)
    };
    let action = |action: &str| json!({ "action": action });
    let condition = |condition: &str| json!({ "condition": condition });
    for (first, second) in [
        (action("yes"), action("no")),
        (action("yes"), no()),
        (condition("result.output.lt"), condition("result.output.ge")),
    ] {
        let issues = with(first.clone(), second.clone(), "all");
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert_eq!(issues[0].code, Code::ExclusiveAllJoin);
        assert_eq!(issues[0].severity, Severity::Warning);
        assert_eq!(
            (issues[0].node_id.clone(), issues[0].related_id.as_deref()),
            (Some("j".into()), Some("d"))
        );
        assert_eq!(with(first, second, "any"), []);
    }
    for (first, second) in [
        (no(), no()),
        (action("yes"), action("yes")),
        (condition("ok"), condition("ok")),
        (condition("ok"), no()),
    ] {
        assert_eq!(with(first, second, "all"), []);
    }
}

#[test]
fn exclusive_branches_are_seen_through_inner_joins_and_decisions() {
    let nodes = [
        ("d x", no()),
        ("l x", no()),
        ("l1 x", no()),
        ("l2 x", no()),
        ("lj x", json!({ "inputs": "l" })),
        ("r x", no()),
        ("r1 x", no()),
        ("j x", json!({ "inputs": "d" })),
    ];
    let edges = [
        ("d l", json!({ "action": "left" })),
        ("d r", json!({ "action": "right" })),
        ("l l1", no()),
        ("l l2", no()),
        ("l1 lj", no()),
        ("l2 lj", no()),
        ("r r1", json!({ "condition": "again" })),
        ("lj j", no()),
        ("r1 j", no()),
    ];
    assert_eq!(found(&nodes, &edges), one(Code::ExclusiveAllJoin, "j"));
}

#[test]
fn a_join_without_inputs_is_ambiguous() {
    let join = |node: (&'static str, Value), edge: Value| {
        let nodes = [("a x", no()), ("b x", no()), node];
        found(&nodes, &[("a j", edge.clone()), ("b j", edge)])
    };
    assert_eq!(join(("j x", no()), no()), one(Code::AmbiguousInput, "j"));
    assert_eq!(join(("j x", any()), no()), one(Code::AmbiguousInput, "j"));
    assert_eq!(join(("j x", json!({ "inputs": "a" })), no()), []);
    let transform = json!({ "transform": "input.v" });
    assert_eq!(join(("j x", json!({ "inputs": "a" })), transform), one(Code::AmbiguousInput, "j"));
    assert_eq!(join(("j wait", no()), no()), []);
    // Two edges from one node carry one value.
    let nodes = [("a x", no()), ("j x", no())];
    let edges = [("a j", json!({ "action": "p" })), ("a j", json!({ "action": "q" }))];
    assert_eq!(found(&nodes, &edges), []);
}

#[test]
fn an_any_join_of_exclusive_branches_is_not_ambiguous() {
    let nodes = [("d x", no()), ("l x", no()), ("j x", any())];
    let edges =
        [("d l", json!({ "action": "yes" })), ("d j", json!({ "action": "no" })), ("l j", no())];
    assert_eq!(found(&nodes, &edges), []);
}

#[test]
fn messages_have_no_control_characters() {
    let config = json!({ "config": { "fallback": "f\u{1b}[2J\n" } });
    let issue = issues(&[("a x", config)], &[]).remove(0);
    assert!(issue.message.contains("f\\u{1b}[2J\\n"), "{}", issue.message);
    assert_eq!(issue.related_id.as_deref(), Some("f\u{1b}[2J\n"));
}
