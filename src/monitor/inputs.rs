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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::engine::{Entry, Head, Op, Timestamp, input_key, output_key};

    fn document(entry: Entry, values: &[(String, Value)]) -> RunDocument {
        let mut document = RunDocument::new(Head::unadopted(None, None, Timestamp::default()));
        document.apply(&Op::Node("n".into(), Arc::new(entry)));
        for (key, value) in values {
            document.apply(&Op::Set(Arc::from(key.as_str()), Arc::new(value.clone())));
        }
        document
    }

    fn done() -> Entry {
        Entry { state: NodeState::Completed, ..Entry::default() }
    }

    #[test]
    fn an_input_is_copied_or_named_by_where_it_is() {
        let node = NodeId::from("n");
        let values = [
            (output_key("a"), json!({"big": true})),
            (input_key("n"), json!("small")),
            ("key".to_owned(), json!(7)),
        ];
        let find = |entry: Entry, inputs: Option<Inputs>| {
            let mut found = NodeInputs::default();
            let path = found.find(&document(entry, &values), &node, inputs.as_ref());
            (path.join("/"), found.own.get("n").cloned())
        };
        assert_eq!(find(done(), None), ("inputs/n".to_owned(), Some(json!("small"))));
        let named = Inputs::One("a".to_owned());
        assert_eq!(find(done(), Some(named)), ("outputs/a".to_owned(), None));
        let inner = Inputs::One("a.big".to_owned());
        assert_eq!(find(done(), Some(inner)), ("inputs/n".to_owned(), Some(json!(true))));
        let large = Entry { input_from: Some("a".into()), ..done() };
        assert_eq!(find(large, None), ("outputs/a".to_owned(), None));
        assert_eq!(find(Entry::default(), None).0, "", "it was not reached");
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let node = NodeId::from("n");
        let values = [(input_key("n"), json!(vec![json!({"x": 1}); 20_000]))];
        let mut found = NodeInputs::default();
        assert!(found.find(&document(done(), &values), &node, None).is_empty());
        assert!(found.own.is_empty());
    }
}
