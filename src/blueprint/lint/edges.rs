//! What can be said about each edge by itself.

use super::{Code, Found, is_expression};
use crate::blueprint::{graph::Graph, model::Edge};

pub(super) fn check(graph: &Graph<'_>, found: &mut Found) {
    for (edge, (source, target)) in graph.blueprint.edges.iter().zip(&graph.ends) {
        let (from, to) = (&edge.source, &edge.target);
        if source.is_none() {
            found.add_related(
                Code::InvalidEdgeSource,
                from,
                to,
                format!("an edge to `{to}` comes from `{from}`, and there is no such node: it is never taken"),
            );
        }
        if target.is_none() {
            found.add_related(
                Code::InvalidEdgeTarget,
                to,
                from,
                format!("an edge from `{from}` leads to `{to}`, and there is no such node: it leads nowhere"),
            );
        }
        condition(edge, found);
        transform(edge, found);
    }
}

fn condition(edge: &Edge, found: &mut Found) {
    let Some(condition) = &edge.condition else { return };
    let (from, to) = (&edge.source, &edge.target);
    if !is_expression(condition) {
        found.add_related(
            Code::InvalidCondition,
            from,
            to,
            format!("the condition of the edge to `{to}` {}", refusal(condition)),
        );
    } else if let Some(instead) = outputs_prefix(condition) {
        found.add_related(
            Code::DeadExpression,
            from,
            to,
            format!("the condition `{condition}` is never true: outputs go by the node's id alone, as in `{instead}`"),
        );
    }
}

fn transform(edge: &Edge, found: &mut Found) {
    let Some(transform) = &edge.transform else { return };
    let (from, to) = (&edge.source, &edge.target);
    let mut dead = |message: String| {
        found.add_related(Code::DeadExpression, from, to, message);
    };
    if transform.is_empty() {
        dead(format!("an empty transform gives `{to}` no input: remove it to pass the output on"));
    } else if !is_expression(transform) {
        found.add_related(
            Code::InvalidTransform,
            from,
            to,
            format!("the transform of the edge to `{to}` {}", refusal(transform)),
        );
    } else {
        let first = transform.split('.').next().unwrap_or_default();
        if !matches!(first, "input" | "context") {
            dead(format!(
                "the transform `{transform}` has no value: it can begin with `input` (what `{from}` returned) or `context` only"
            ));
        } else if let Some(instead) = transform.strip_prefix("context.").and_then(outputs_prefix) {
            dead(format!("the transform `{transform}` has no value: write `context.{instead}`"));
        }
    }
}

/// What an expression that reads `_outputs.x` should be.
fn outputs_prefix(expression: &str) -> Option<&str> {
    expression.strip_prefix("_outputs.")
}

/// Why an expression is refused and what to do, to follow its description.
pub(super) fn refusal(expression: &str) -> String {
    let shown: String = expression.chars().take(80).collect();
    let advice = if expression.contains(['=', '<', '>', '!', '&', '|', '(', '+', '*']) {
        "there are no operators or calls: let a node compute the value and name it here"
    } else if expression.contains('[') {
        "write members with dots, as in `list.0`"
    } else if expression.contains('-') {
        "a node id with a hyphen can't be named: rename the node"
    } else if expression.contains('{') {
        "leave out the braces"
    } else {
        "name a value and its members with dots, as in `result.output.ok`"
    };
    format!(
        "can't be read, `{shown}`: only letters, digits, `_`, `$` and dots are allowed; {advice}"
    )
}
