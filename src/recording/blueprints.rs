//! Blueprints as JSON, in the form in which they are written by hand.

use serde_json::{Map, Value, json};

use crate::blueprint::{Blueprint, Inputs, JoinStrategy, Node, sanitize};

/// A blueprint as JSON.
pub(super) fn write(blueprint: &Blueprint) -> Value {
    let edges = blueprint.edges.iter().map(|edge| {
        let members = [
            ("source", Some(edge.source.as_str())),
            ("target", Some(edge.target.as_str())),
            ("action", edge.action.as_deref()),
            ("condition", edge.condition.as_deref()),
            ("transform", edge.transform.as_deref()),
        ];
        let members =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        Value::Object(members.collect())
    });
    json!({
        "id": blueprint.id,
        "metadata": blueprint.metadata,
        "nodes": blueprint.nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}

fn node(node: &Node) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), node.id.as_str().into());
    members.insert("uses".to_owned(), node.uses.as_str().into());
    if !node.params.is_empty() {
        members.insert("params".to_owned(), Value::Object(node.params.clone()));
    }
    let inputs = match &node.inputs {
        Inputs::Edge => None,
        Inputs::One(name) => Some(Value::from(name.as_str())),
        Inputs::Many(names) => Some(Value::Object(names.clone())),
    };
    members.extend(inputs.map(|inputs| ("inputs".to_owned(), inputs)));
    let config = &node.config;
    let join = (config.join == JoinStrategy::Any).then_some("any");
    let settings = [
        ("maxRetries", config.max_retries.map(Value::from)),
        ("retryDelay", config.retry_delay.map(Value::from)),
        ("timeout", config.timeout.map(Value::from)),
        ("fallback", config.fallback.as_ref().map(|id| id.as_str().into())),
        ("joinStrategy", join.map(Value::from)),
    ];
    let settings: Map<String, Value> =
        settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if !settings.is_empty() {
        members.insert("config".to_owned(), Value::Object(settings));
    }
    Value::Object(members)
}

/// The blueprints in a list of JSON; those that are none are left out.
pub(super) fn read(list: &[Value]) -> Vec<Blueprint> {
    list.iter().filter_map(|value| sanitize(value.clone()).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    #[test]
    fn a_blueprint_comes_back_as_it_was() {
        let value = json!({
            "id": "b",
            "metadata": {"version": "3", "more": [1]},
            "nodes": [
                {"id": "a", "uses": "sleep", "params": {"duration": "5s"}},
                {"id": "c", "uses": "x", "inputs": {"n": "a"},
                 "config": {"maxRetries": 3, "retryDelay": 10.5, "fallback": "a",
                            "joinStrategy": "any"}},
                {"id": "d", "uses": "y", "inputs": "c"},
            ],
            "edges": [{"source": "a", "target": "c", "action": "yes", "condition": "x > 1"}],
        });
        let blueprint = sanitize(value).unwrap();
        assert_eq!(read(&[write(&blueprint), json!("junk")]), [blueprint]);
    }
}
