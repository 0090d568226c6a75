//! What a node's code is given, and what it gives back.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    engine::{RunDocument, names},
};

/// Which execution of which node this is.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The run.
    pub run_id: RunId,
    /// Its blueprint.
    pub blueprint_id: BlueprintId,
    /// The node.
    pub node_id: NodeId,
    /// What the blueprint's node says it uses.
    pub uses: String,
    /// From 1.
    pub attempt: u32,
    /// From 1: which pass of a loop this is.
    pub iteration: u32,
    /// The same for every attempt and redelivery of one iteration of one node (until an operator
    /// requeues it): lets an outside system recognise a repetition.
    pub idempotency_key: String,
}

/// A write to the run's context, made by a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Sets a key.
    Set(String, Value),
    /// Removes a key.
    Delete(String),
}

/// What a node's code is given: its input and settings, the run's context as it was when the
/// attempt began, and a place for writes.
///
/// Writes are seen by this node at once and by others once the node's result is committed; those of
/// a failed attempt stay, too.
#[derive(Debug)]
pub struct NodeContext {
    execution: Execution,
    params: Arc<Map<String, Value>>,
    input: Option<Arc<Value>>,
    document: RunDocument,
    writes: Vec<Write>,
    cancelled: CancellationToken,
    time_limit: Option<Duration>,
}

impl NodeContext {
    /// A context over a snapshot of the run's document. `writes` are those of earlier attempts.
    pub fn new(
        execution: Execution,
        params: Arc<Map<String, Value>>,
        input: Option<Arc<Value>>,
        document: RunDocument,
        writes: Vec<Write>,
    ) -> Self {
        Self {
            execution,
            params,
            input,
            document,
            writes,
            cancelled: CancellationToken::new(),
            time_limit: None,
        }
    }

    /// With a token that is cancelled when the node is to stop.
    #[must_use]
    pub fn with_cancellation(mut self, cancelled: CancellationToken) -> Self {
        self.cancelled = cancelled;
        self
    }

    /// With the time that the attempt may take (`config.timeout`), for nodes that pass it on. The
    /// worker itself stops the attempt when it is over.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit;
        self
    }

    /// Which execution this is.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The node's settings; empty if it has none.
    pub fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// One of the node's settings.
    pub fn param(&self, name: &str) -> Option<&Value> {
        self.params.get(name)
    }

    /// The node's input. Nothing is not the same as null.
    pub fn input(&self) -> Option<&Value> {
        self.input.as_deref()
    }

    /// The time that the attempt may take, if it is limited.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// Cancelled when the node is to stop: its result would be dropped.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// The value of a name: the output of the node with that id if it has one, else the context key.
    /// A write of this node's own comes before both, unless an output hides it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if let Some(output) = self.document.output(name) {
            return Some(output);
        }
        for write in self.writes.iter().rev() {
            match write {
                Write::Set(key, value) if key == name => return Some(value),
                Write::Delete(key) if key == name => return None,
                _ => {}
            }
        }
        names::lookup(&self.document, name)
    }

    /// Sets a context key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.writes.push(Write::Set(key.into(), value.into()));
    }

    /// Removes a context key. Returns whether it was there.
    pub fn delete(&mut self, key: &str) -> bool {
        let existed = self.get(key).is_some();
        self.writes.push(Write::Delete(key.to_owned()));
        existed
    }

    /// The user's own keys, as they were when the attempt began and as this node wrote them since.
    pub fn user_context(&self) -> Map<String, Value> {
        let mut context = names::user_context(&self.document);
        for write in &self.writes {
            match write {
                Write::Set(key, value) if names::is_user_key(&self.document, key) => {
                    context.insert(key.clone(), value.clone());
                }
                Write::Set(..) => {}
                Write::Delete(key) => {
                    context.shift_remove(key);
                }
            }
        }
        context
    }

    /// The outputs so far, by node id.
    pub fn outputs(&self) -> Map<String, Value> {
        names::outputs(&self.document)
    }

    /// The writes made so far.
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

/// What a node gives back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeOutput {
    /// Its output. Nothing is not the same as null: a node may complete without one.
    pub output: Option<Value>,
    /// Which of its edges are meant. Empty text counts as none.
    pub action: Option<String>,
    /// Nodes to be added to the run, with this one as their predecessor.
    pub dynamic_nodes: Vec<DynamicSpec>,
}

impl NodeOutput {
    /// An output, without an action.
    pub fn value(output: impl Into<Value>) -> Self {
        Self { output: Some(output.into()), ..Self::default() }
    }

    /// No output.
    pub fn none() -> Self {
        Self::default()
    }

    /// With an action.
    #[must_use]
    pub fn with_action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }
}

/// A node to be added to a run, as a node in a blueprint is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DynamicSpec {
    /// Its id, not yet used in the run.
    pub id: NodeId,
    /// What runs.
    pub uses: String,
    /// Settings for it.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Where its input comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// How it is run.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NodeError {
    /// What happened, for people.
    pub message: String,
    /// Whether trying again makes sense.
    pub severity: Severity,
}

/// Whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The node's attempts and its fallback decide what comes next.
    Ordinary,
    /// No further attempt, and no fallback.
    Fatal,
}

impl NodeError {
    /// An error after which another attempt or the fallback may help.
    pub fn ordinary(message: impl Into<String>) -> Self {
        Self { message: message.into(), severity: Severity::Ordinary }
    }

    /// An error that ends the node at once.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self { message: message.into(), severity: Severity::Fatal }
    }
}
