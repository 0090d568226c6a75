//! What a node's execution came to, and what follows from it.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    draft::{Draft, Work},
    graph::CONTINUE,
    ledger::{Arrival, Awaits, DynamicNode, Entry, NodeState, RunStatus},
    time::Timestamp,
    tries::Try,
};
use crate::blueprint::{NodeId, RunId};

/// A write to the run's context.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextWrite {
    /// Sets a key.
    Set(String, Value),
    /// Removes a key.
    Delete(String),
}

/// A node to be added to the run.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNode {
    /// Its id, not yet used in the run.
    pub id: NodeId,
    /// What runs.
    pub uses: String,
    /// Settings for it.
    pub params: serde_json::Map<String, Value>,
    /// Where its input comes from, as in a blueprint.
    pub inputs: Option<Value>,
    /// How it is run, as in a blueprint.
    pub config: serde_json::Map<String, Value>,
}

/// Who executed a node, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRecord {
    /// The holder of the node's lease.
    pub by: String,
    /// When the execution started.
    pub started_at: Timestamp,
    /// Attempts that ended, those of earlier executions included.
    pub attempts: u32,
    /// When those of this execution ran.
    pub tries: Vec<Try>,
}

impl ExecutionRecord {
    /// Takes down an attempt: the ledger keeps the last ones only.
    pub(crate) fn tried(&mut self, tried: Try) {
        if self.tries.len() >= Entry::TRIES {
            self.tries.remove(0);
        }
        self.tries.push(tried);
    }
}

/// What a successful node gave back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completion {
    /// Its output. Nothing is not the same as null.
    pub output: Option<Arc<Value>>,
    /// Which edges it means.
    pub action: Option<String>,
    /// What it wrote to the context.
    pub writes: Vec<ContextWrite>,
    /// Nodes it adds.
    pub new_nodes: Vec<NewNode>,
}

/// Why a node's execution failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What happened.
    pub message: String,
    /// What follows.
    pub kind: FailureKind,
    /// What it wrote to the context before it failed.
    pub writes: Vec<ContextWrite>,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt at this time.
    Retry(Timestamp),
    /// The attempts are used up: the fallback, if there is one.
    Exhausted,
    /// The node fails at once, without a fallback.
    Fatal,
}

impl Draft<'_> {
    pub(crate) fn write_context(&mut self, writes: Vec<ContextWrite>) {
        for write in writes {
            match write {
                ContextWrite::Set(key, value) => self.set(&key, value),
                ContextWrite::Delete(key) => self.remove(&key),
            }
        }
    }

    pub(crate) fn record_execution(&mut self, node: &NodeId, record: &ExecutionRecord) {
        let now = self.now;
        self.update(node, |entry| {
            entry.by = Some(record.by.clone());
            entry.started_at = Some(record.started_at);
            entry.finished_at = Some(now);
            entry.attempts = record.attempts;
            entry.remember(record.tries.iter().copied());
        });
    }

    /// A node has completed: stores what it gave back, decides the routes and moves what follows.
    pub(crate) fn complete(&mut self, node: &NodeId, completion: Completion) {
        let Completion { output, action, writes, new_nodes } = completion;
        self.write_context(writes);
        if let Err(message) = self.check_new_nodes(node, &new_nodes) {
            self.fail(node, &message, FailureKind::Fatal);
            return;
        }
        self.set_output(node, output.clone());
        if output.is_none() {
            // In process a node without an output leaves nothing under its bare id either.
            self.remove(node);
        }
        let ready_before = self.effects.ready.len();
        let edges = self.choose_routes(node, output.as_deref(), action.as_deref());
        let goes_round = self.graph.is_controller(node)
            && edges.iter().any(|edge| edge.action.as_deref() == Some(CONTINUE));
        let now = self.now;
        let has_output = output.is_some();
        self.update(node, |entry| {
            entry.state = NodeState::Completed;
            entry.has_output = has_output;
            entry.action = action.filter(|action| !action.is_empty());
            entry.undecided = Vec::new();
            entry.finished_at = Some(now);
            entry.error = None;
            entry.due_at = None;
            entry.awaits = None;
            entry.awaits_since = None;
            if !goes_round {
                entry.passes = 0;
            }
        });
        if goes_round {
            self.begin_pass(node);
        }
        self.add_new_nodes(node, new_nodes, output.as_deref());
        let mut routes: Vec<NodeId> = Vec::new();
        let mut seen = HashSet::new();
        for edge in &edges {
            self.take_edge(edge, node, output.as_ref());
            if seen.insert(&edge.target) {
                routes.push(edge.target.clone());
            }
        }
        if edges.is_empty() {
            routes = self.started_without_match(node);
            for target in &routes {
                self.arrive(node, target, Arrival::Plain);
            }
        }
        self.update(node, |entry| entry.routes = routes);
        self.record_untaken(node);
        self.ended(node);
        self.record_woken(node, ready_before);
    }

    /// A node's execution has failed.
    pub(crate) fn fail(&mut self, node: &NodeId, message: &str, kind: FailureKind) {
        let now = self.now;
        if let FailureKind::Retry(due) = kind {
            self.update(node, |entry| {
                entry.state = NodeState::Ready;
                entry.error = Some(message.to_owned());
                entry.due_at = Some(due);
                entry.enqueued_at = Some(now);
                entry.awaits = None;
                entry.awaits_since = None;
            });
            let work = self.work(node);
            self.effects.timers.push((work, due));
            return;
        }
        let ready_before = self.effects.ready.len();
        self.update(node, |entry| {
            entry.state = NodeState::Failed;
            entry.error = Some(message.to_owned());
            entry.finished_at = Some(now);
            entry.due_at = None;
            if !matches!(entry.awaits, Some(Awaits::Child { .. })) {
                entry.awaits = None;
            }
            entry.awaits_since = None;
        });
        let error = json!({
            "message": message,
            "nodeId": node.as_str(),
            "blueprintId": self.document.head().blueprint_id.as_str(),
        });
        if kind == FailureKind::Exhausted && self.start_fallback(node) {
            self.set_output(node, Some(Arc::new(Value::Null)));
            self.set("_catch_error", error);
        } else {
            self.record_failure(node);
            self.ended(node);
        }
        self.record_woken(node, ready_before);
    }

    /// A node waits for an answer, a timer or a child run.
    pub(crate) fn wait(&mut self, node: &NodeId, awaits: Awaits, due: Option<Timestamp>) {
        let turn = self.document.head().awaited + 1;
        self.update_head(|head| head.awaited = turn);
        let timer = awaits == Awaits::Timer;
        let now = self.now;
        self.update(node, |entry| {
            entry.state = NodeState::Awaiting;
            entry.awaits = Some(awaits);
            entry.awaits_since = Some(turn);
            entry.due_at = due;
            entry.finished_at = None;
            if timer {
                entry.enqueued_at = Some(now);
            }
        });
        if timer && let Some(due) = due {
            let work = self.work(node);
            self.effects.timers.push((work, due));
        }
    }

    /// Writes down which nodes the end of this one made ready beside its routes: a redelivered
    /// message finds them by that.
    pub(super) fn record_woken(&mut self, node: &NodeId, ready_before: usize) {
        let entry = self.entry(node);
        let mut known: HashSet<&NodeId> = entry.routes.iter().chain(&entry.created).collect();
        known.extend(entry.fallback.as_ref().map(|fallback| &fallback.node));
        let woke: Vec<NodeId> = self.effects.ready[ready_before..]
            .iter()
            .map(|work| &work.node)
            .filter(|id| known.insert(id))
            .cloned()
            .collect();
        if entry.woke != woke {
            self.update(node, |entry| entry.woke = woke);
        }
    }

    fn check_new_nodes(&self, node: &NodeId, new_nodes: &[NewNode]) -> Result<(), String> {
        let mut seen = HashSet::new();
        for new in new_nodes {
            let taken = self.graph.definition(&new.id).is_some()
                || self.document.entry(&new.id).is_some()
                || !seen.insert(&new.id);
            if taken {
                return Err(format!(
                    "node \"{node}\" returned a dynamic node with the id \"{}\", which is already in use: \
                     give every dynamic node an id of its own",
                    new.id
                ));
            }
        }
        Ok(())
    }

    fn add_new_nodes(&mut self, node: &NodeId, new: Vec<NewNode>, output: Option<&Value>) {
        if new.is_empty() {
            return;
        }
        let gather = output
            .and_then(|output| output.get("gatherNodeId"))
            .and_then(Value::as_str)
            .map(NodeId::from)
            .filter(|gather| self.graph.definition(gather).is_some());
        let nodes = new
            .into_iter()
            .map(|new| {
                let definition = DynamicNode {
                    uses: new.uses,
                    params: new.params,
                    inputs: new.inputs,
                    config: new.config,
                    parent: node.clone(),
                    gather: gather.clone(),
                };
                (new.id, definition)
            })
            .collect();
        self.add_dynamic(node, gather.as_ref(), nodes);
    }

    /// A child run that `node` waits for is to be stopped.
    pub(crate) fn abandon_child(&mut self, node: &NodeId) {
        let entry = self.entry(node);
        if let (NodeState::Awaiting, Some(Awaits::Child { run, .. })) = (entry.state, &entry.awaits)
        {
            self.effects.cancel_children.push(run.clone());
        }
    }

    /// The child run that a node waits for, with its status as last heard.
    pub(crate) fn child_of(&self, node: &NodeId) -> Option<(RunId, RunStatus)> {
        match &self.entry(node).awaits {
            Some(Awaits::Child { run, status }) => Some((run.clone(), *status)),
            _ => None,
        }
    }

    /// Splits off what became ready for a chain to go on with, and notes that the rest is enqueued.
    pub(crate) fn enqueue_ready(&mut self, continues: Continuation) {
        let inline = match continues {
            Continuation::Inline => 1,
            Continuation::Enqueue => 0,
        };
        let now = self.now;
        let mut ready: Vec<Work> = Vec::new();
        let mut seen = HashSet::new();
        for work in std::mem::take(&mut self.effects.ready) {
            let current = self.entry(&work.node);
            let valid = current.state == NodeState::Ready
                && current.iteration == work.iteration
                && current.generation == work.generation;
            if valid && seen.insert(work.clone()) {
                ready.push(work);
            }
        }
        for work in ready.iter().skip(inline) {
            self.update(&work.node, |entry| entry.enqueued_at = Some(now));
        }
        self.effects.ready = ready;
    }
}

/// Whether the one who caused a change runs the first node that became ready itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// It does; messages are sent for the others.
    Inline,
    /// Messages are sent for all.
    Enqueue,
}
