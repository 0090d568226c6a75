//! The nodes that the conformance cases use.
// A node may fail, so its function returns a result; many of these never do.
#![allow(clippy::unnecessary_wraps)]

use flowcraft_tui::nodes::{NodeContext, NodeError, NodeOutput, Registry};
use serde_json::{Value, json};

/// The registry of the conformance cases.
pub(crate) fn registry() -> Registry {
    Registry::new()
        .with_fn("const", |c| {
            Ok(NodeOutput { output: c.param("value").cloned(), ..NodeOutput::none() })
        })
        .with_fn("echo", |c| Ok(NodeOutput::value(input_or_null(c))))
        .with_fn("noop", |_| Ok(NodeOutput::none()))
        .with_fn("add", |c| {
            Ok(NodeOutput::value(number(number_input(c) + number_param(c, "n", 1.0))))
        })
        .with_fn("double", |c| Ok(NodeOutput::value(number(number_input(c) * 2.0))))
        .with_fn("upper", upper)
        .with_fn("sum", |c| {
            Ok(NodeOutput::value(number(items(c).into_iter().filter_map(Value::as_f64).sum())))
        })
        .with_fn("concat", concat)
        .with_fn("emit-action", emit_action)
        .with_fn("fail-n-times", fail_n_times)
        .with_fn("fail", |c| Err(NodeError::ordinary(text_param(c, "message", "boom"))))
        .with_fn("fail-fatal", |c| Err(NodeError::fatal(text_param(c, "message", "fatal boom"))))
        .with_fn("fail-if", fail_if)
        .with_fn("set-ctx", set_ctx)
        .with_fn("get-ctx", |c| {
            Ok(NodeOutput::value(c.get(&text_param(c, "key", "")).cloned().unwrap_or(Value::Null)))
        })
        .with_fn("delete-ctx", |c| {
            let key = text_param(c, "key", "");
            Ok(NodeOutput::value(c.delete(&key)))
        })
        .with_fn("incr", |c| {
            let by = number_param(c, "by", 1.0);
            Ok(NodeOutput::value(raise(c, by)))
        })
        .with_fn("incr-check", incr_check)
        .with_fn("compare", compare)
        .with_fn("range", range)
        .with_fn("pick", pick)
}

fn upper(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    match c.input() {
        Some(Value::String(text)) => Ok(NodeOutput::value(text.to_ascii_uppercase())),
        _ => Err(NodeError::ordinary("upper: input is not a string")),
    }
}

fn concat(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let texts: Vec<_> = items(c)
        .into_iter()
        .map(|item| match item {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(n) => n.as_f64().map(number).unwrap_or_default().to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Array(_) | Value::Object(_) => "?".to_owned(),
        })
        .collect();
    Ok(NodeOutput::value(texts.join(&text_param(c, "sep", ""))))
}

fn emit_action(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let action = match c.param("actionKey").and_then(Value::as_str) {
        Some(key) => c.get(key),
        None => c.param("action"),
    };
    let action = action.and_then(Value::as_str).map(str::to_owned);
    Ok(NodeOutput { action, ..NodeOutput::value(input_or_null(c)) })
}

fn fail_n_times(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let key = format!("fails_{}", text_param(c, "key", ""));
    let failures = c.get(&key).and_then(Value::as_f64).unwrap_or(0.0);
    if failures < number_param(c, "n", 0.0) {
        let failures = number(failures + 1.0);
        let message = format!("planned failure {failures}");
        c.set(key, failures);
        return Err(NodeError::ordinary(message));
    }
    Ok(NodeOutput::value(c.param("value").cloned().unwrap_or_else(|| json!("ok"))))
}

fn fail_if(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let bad = c.param("value").cloned().unwrap_or_else(|| json!("bad"));
    if c.input() == Some(&bad) {
        return Err(NodeError::ordinary("bad item"));
    }
    Ok(NodeOutput::value(input_or_null(c)))
}

fn set_ctx(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let value = c.param("value").cloned().unwrap_or_else(|| input_or_null(c));
    c.set(text_param(c, "key", ""), value.clone());
    Ok(NodeOutput::value(value))
}

fn incr_check(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let value = raise(c, 1.0);
    let below = value.as_f64().is_some_and(|value| value < number_param(c, "limit", 0.0));
    c.set(text_param(c, "flag", ""), below);
    Ok(NodeOutput::value(value))
}

fn compare(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let (x, n) = (number_input(c), number_param(c, "n", 0.0));
    Ok(NodeOutput::value(json!({ "value": number(x), "lt": x < n, "ge": x >= n })))
}

fn range(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let bound = |name| c.param(name).and_then(Value::as_i64).unwrap_or(0);
    Ok(NodeOutput::value((bound("from")..bound("to")).collect::<Value>()))
}

fn pick(c: &mut NodeContext) -> Result<NodeOutput, NodeError> {
    let path = text_param(c, "path", "");
    let found = match c.input() {
        Some(Value::Object(members)) => members.get(&path),
        Some(Value::Array(items)) => path.parse().ok().and_then(|at: usize| items.get(at)),
        _ => None,
    };
    Ok(NodeOutput::value(found.cloned().unwrap_or(Value::Null)))
}

/// Adds to the context key that the node is about.
fn raise(c: &mut NodeContext, by: f64) -> Value {
    let key = text_param(c, "key", "");
    let value = number(c.get(&key).and_then(Value::as_f64).unwrap_or(0.0) + by);
    c.set(key, value.clone());
    value
}

fn input_or_null(c: &NodeContext) -> Value {
    c.input().cloned().unwrap_or(Value::Null)
}

fn number_input(c: &NodeContext) -> f64 {
    c.input().and_then(Value::as_f64).unwrap_or(0.0)
}

fn number_param(c: &NodeContext, name: &str, default: f64) -> f64 {
    c.param(name).and_then(Value::as_f64).unwrap_or(default)
}

fn text_param(c: &NodeContext, name: &str, default: &str) -> String {
    c.param(name).and_then(Value::as_str).unwrap_or(default).to_owned()
}

/// An array's items in order, or an object's values in the order of their names.
fn items(c: &NodeContext) -> Vec<&Value> {
    match c.input() {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Object(members)) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.into_iter().map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}

/// A number as JSON: without a fraction where it has none.
fn number(value: f64) -> Value {
    // Beyond that a double can't hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        // Whole and in range, as just seen.
        #[allow(clippy::cast_possible_truncation)]
        return json!(value as i64);
    }
    json!(value)
}
