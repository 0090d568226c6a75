//! What each node of a run got, or where that is.

use serde_json::{Map, Value};

use crate::{
    blueprint::{Inputs, NodeId},
    engine::{NodeState, OUTPUTS, RunDocument, resolve_input},
};

/// The most that is copied of one input, in bytes as JSON.
const INPUT: usize = 64 * 1024;

/// The most that is copied of all inputs of a run.
const ALL: usize = 2 * 1024 * 1024;

/// The inputs of a run's nodes.
#[derive(Default)]
pub(super) struct NodeInputs {
    /// Those that stand nowhere else, by node.
    pub(super) own: Map<String, Value>,
    copied: usize,
}

impl NodeInputs {
    /// Looks for a node's input. Returns the names that lead to it: `["inputs", "pay"]`, or
    /// `["outputs", "charge"]` where it is another node's output; none where there is no input.
    pub(super) fn find(
        &mut self,
        document: &RunDocument,
        node: &NodeId,
        inputs: Option<&Inputs>,
    ) -> Vec<String> {
        let Some(entry) = document.entry(node) else { return Vec::new() };
        if matches!(entry.state, NodeState::Pending | NodeState::Skipped) {
            return Vec::new();
        }
        let output = |node: &str| vec!["outputs".to_owned(), node.to_owned()];
        let edge = matches!(inputs, None | Some(Inputs::Edge));
        if let (true, Some(source)) = (edge, &entry.input_from) {
            return if document.output(source).is_some() { output(source) } else { Vec::new() };
        }
        if let Some(Inputs::One(name)) = inputs
            && document.get(&format!("{OUTPUTS}{name}")).is_some()
        {
            return output(name);
        }
        let Ok(Some(value)) = resolve_input(document, node, inputs) else { return Vec::new() };
        let size = json_size(&value, INPUT);
        if size > INPUT || self.copied + size > ALL {
            return Vec::new();
        }
        self.copied += size;
        self.own.insert(node.to_string(), (*value).clone());
        vec!["inputs".to_owned(), node.to_string()]
    }
}

/// About how large a value is as JSON. Stops counting once it is beyond the limit.
fn json_size(value: &Value, limit: usize) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => sum(items.iter().map(|item| (0, item)), limit),
        Value::Object(members) => sum(members.iter().map(|(name, item)| (name.len(), item)), limit),
        _ => 8,
    }
}

fn sum<'a>(values: impl Iterator<Item = (usize, &'a Value)>, limit: usize) -> usize {
    let mut size = 2;
    for (name, value) in values {
        if size > limit {
            break;
        }
        size += name + 4 + json_size(value, limit.saturating_sub(size));
    }
    size
}
