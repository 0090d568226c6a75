//! Contexts to run a single node in.

use std::sync::Arc;

use flowcraft_tui::{
    engine::{Head, Op, RunDocument, output_key},
    nodes::{Execution, NodeContext},
};
use serde_json::{Map, Value, json};

/// What a node is run with.
#[derive(Default)]
pub(crate) struct Given {
    /// What the blueprint's node uses.
    pub(crate) uses: &'static str,
    /// Its settings, an object or nothing.
    pub(crate) params: Value,
    /// Its input, if it has one.
    pub(crate) input: Option<Value>,
    /// The run's keys, an object or nothing.
    pub(crate) context: Value,
    /// The outputs so far, an object or nothing.
    pub(crate) outputs: Value,
}

impl Given {
    /// The context.
    pub(crate) fn context(self) -> NodeContext {
        let head: Head = serde_json::from_value(json!({
            "blueprintId": "flow",
            "rev": 1,
            "status": "running",
            "startedAt": 1_767_225_600_000_i64,
        }))
        .unwrap();
        let mut document = RunDocument::new(head);
        for (key, value) in members(self.context) {
            document.apply(&Op::Set(Arc::from(key), Arc::new(value)));
        }
        for (node, value) in members(self.outputs) {
            document.apply(&Op::Set(Arc::from(output_key(&node)), Arc::new(value)));
        }
        let execution = Execution {
            run_id: "run-1".into(),
            blueprint_id: "flow".into(),
            node_id: "b".into(),
            uses: self.uses.to_owned(),
            attempt: 2,
            iteration: 3,
            idempotency_key: "run-1/b/3".to_owned(),
        };
        let params = Arc::new(members(self.params));
        NodeContext::new(execution, params, self.input.map(Arc::new), document, Vec::new())
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => panic!("not an object: {other}"),
    }
}
