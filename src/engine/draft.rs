//! A document under change: operations are applied and written down as they are made, and what
//! must happen beside the document is collected.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    document::{Op, RunDocument, input_key, output_key},
    graph::{Graph, Place},
    ledger::{Awaits, Batch, Entry, Head, NodeState, PastFailure, RunStatus},
    time::Timestamp,
};
use crate::blueprint::{JoinStrategy, Node, NodeId, RunId, node_from_parts};

/// A node in the iteration and generation that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Work {
    /// The node.
    pub node: NodeId,
    /// Its iteration.
    pub iteration: u32,
    /// Its generation.
    pub generation: u32,
}

/// A node before a join has finished: for neighbours that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinArrival {
    /// The join.
    pub join: NodeId,
    /// How that node is joined.
    pub strategy: JoinStrategy,
    /// The node that has finished.
    pub source: NodeId,
    /// The source's iteration.
    pub iteration: u32,
    /// How many edges lead from the source into the join.
    pub edges: u32,
    /// How many edges lead into the join in all.
    pub of: u32,
}

/// What must happen beside the document, because of one event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Nodes that became ready, in the order in which they did.
    pub ready: Vec<Work>,
    /// Nodes that go on at a later time.
    pub timers: Vec<(Work, Timestamp)>,
    /// The node whose child run is to be started, if it is not there yet.
    pub child: Option<Work>,
    /// Child runs that nobody waits for any more.
    pub cancel_children: Vec<RunId>,
    /// Nodes before joins that have finished: all of them for `all` joins, those that took their
    /// edge for `any` joins.
    pub arrivals: Vec<JoinArrival>,
    /// Joins of which a predecessor failed with nothing to handle it.
    pub failures: Vec<(NodeId, JoinStrategy)>,
    /// Nodes whose keys for neighbours are void: they start anew.
    pub reset: Vec<NodeId>,
    /// Joins of which a failed predecessor starts anew.
    pub revived: Vec<NodeId>,
}

/// A document under change.
pub(crate) struct Draft<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) document: RunDocument,
    pub(crate) now: Timestamp,
    pub(crate) run: &'a RunId,
    pub(crate) effects: Effects,
    ops: Vec<Op>,
    awaiting_changed: bool,
}

/// A state of a draft to go back to.
pub(crate) struct Checkpoint {
    document: RunDocument,
    ops: usize,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        run: &'a RunId,
        document: RunDocument,
        now: Timestamp,
    ) -> Self {
        let effects = Effects::default();
        Self { graph, document, now, run, effects, ops: Vec::new(), awaiting_changed: false }
    }

    /// The changed document, and the operations that lead to it: the last one for each key.
    pub(crate) fn into_parts(self) -> (RunDocument, Vec<Op>) {
        let mut seen = HashSet::new();
        let mut ops: Vec<Op> = self
            .ops
            .into_iter()
            .rev()
            .filter(|op| {
                seen.insert(match op {
                    Op::Set(key, _) | Op::Remove(key) => (0, key.to_string()),
                    Op::Node(node, _) | Op::RemoveNode(node) => (1, node.to_string()),
                    Op::Head(_) => (2, String::new()),
                })
            })
            .collect();
        ops.reverse();
        (self.document, ops)
    }

    /// What [`Draft::roll_back`] goes back to.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { document: self.document.clone(), ops: self.ops.len() }
    }

    /// The first key that was set since, to a value that is nested deeper than `limit`, and how deep
    /// that is.
    pub(crate) fn nested_since(
        &self,
        checkpoint: &Checkpoint,
        limit: usize,
    ) -> Option<(Arc<str>, usize)> {
        self.ops[checkpoint.ops..].iter().find_map(|op| match op {
            Op::Set(key, value) => {
                let depth = nesting(value);
                (depth > limit).then(|| (key.clone(), depth))
            }
            _ => None,
        })
    }

    /// Forgets everything since the checkpoint.
    pub(crate) fn roll_back(&mut self, checkpoint: Checkpoint) {
        self.document = checkpoint.document;
        self.ops.truncate(checkpoint.ops);
    }

    pub(crate) fn change(&mut self, op: Op) {
        if let Op::Node(node, entry) = &op {
            let was = self.document.entry(node).is_some_and(|old| old.state == NodeState::Awaiting);
            self.awaiting_changed |= was || entry.state == NodeState::Awaiting;
        }
        self.document.apply(&op);
        self.ops.push(op);
    }

    /// A node's entry; that of a pending node if it has none.
    pub(crate) fn entry(&self, node: &str) -> Arc<Entry> {
        self.document.entry(node).cloned().unwrap_or_default()
    }

    /// Changes a node's entry.
    pub(crate) fn update(&mut self, node: &NodeId, change: impl FnOnce(&mut Entry)) {
        let mut entry = (*self.entry(node)).clone();
        change(&mut entry);
        self.change(Op::Node(node.clone(), Arc::new(entry)));
    }

    pub(crate) fn update_head(&mut self, change: impl FnOnce(&mut Head)) {
        let mut head = self.document.head().clone();
        change(&mut head);
        self.change(Op::Head(Arc::new(head)));
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Arc<Value>>) {
        self.change(Op::Set(Arc::from(key), value.into()));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if self.document.get(key).is_some() {
            self.change(Op::Remove(Arc::from(key)));
        }
    }

    /// Sets or removes a node's output.
    pub(crate) fn set_output(&mut self, node: &str, output: Option<Arc<Value>>) {
        let key = output_key(node);
        match output {
            Some(value) => self.set(&key, value),
            None => self.remove(&key),
        }
    }

    /// A node's definition: the blueprint's, or that of a node that was created while running.
    pub(crate) fn definition(&self, node: &NodeId) -> Option<Node> {
        if let Some(definition) = self.graph.definition(node) {
            return Some(definition.clone());
        }
        dynamic_definition(&self.document, node)
    }

    /// The node that a node names as its fallback, if that exists.
    pub(crate) fn fallback(&self, node: &NodeId) -> Option<NodeId> {
        let fallback = match self.graph.definition(node) {
            Some(definition) => definition.config.fallback.clone()?,
            None => dynamic_definition(&self.document, node)?.config.fallback?,
        };
        self.graph.definition(&fallback).is_some().then_some(fallback)
    }

    pub(super) fn place(&self, node: &str) -> Option<&'a Place> {
        self.graph.place(node)
    }

    /// How many predecessors a node has.
    pub(crate) fn predecessor_count(&self, node: &NodeId) -> usize {
        self.place(node).map_or(0, |place| place.predecessors.len())
            + self.document.entry(node).map_or(0, |entry| entry.extra_predecessors.len())
    }

    /// One predecessor of a node, by its number: those of the blueprint come first.
    pub(crate) fn predecessor(&self, node: &NodeId, number: usize) -> Option<NodeId> {
        let fixed = self.place(node).map_or(&[][..], |place| &place.predecessors);
        if let Some(predecessor) = fixed.get(number) {
            return Some(predecessor.clone());
        }
        let entry = self.document.entry(node)?;
        entry.extra_predecessors.get(number - fixed.len()).cloned()
    }

    /// The nodes that have this one as a predecessor.
    pub(crate) fn successors(&self, node: &NodeId) -> Vec<NodeId> {
        match self.place(node) {
            Some(place) => place.successors.clone(),
            None => self
                .document
                .entry(node)
                .and_then(|entry| entry.dynamic.as_ref()?.gather.clone())
                .into_iter()
                .collect(),
        }
    }

    /// Whether any edge into a node has a condition.
    pub(crate) fn has_conditional_edge(&self, node: &str) -> bool {
        self.place(node).is_some_and(|place| place.conditional)
    }

    pub(crate) fn fallback_of(&self, node: &str) -> &'a [NodeId] {
        self.place(node).map_or(&[], |place| &place.fallback_of)
    }

    /// The loop controllers that have a node as a member.
    pub(crate) fn loops_of(&self, node: &NodeId) -> &'a [NodeId] {
        self.place(&self.home(node)).map_or(&[], |place| &place.loops)
    }

    /// The blueprint's node that a node belongs to: itself, or the one that created it.
    pub(crate) fn home(&self, node: &NodeId) -> NodeId {
        let mut home = node.clone();
        while let Some(dynamic) =
            self.document.entry(&home).and_then(|entry| entry.dynamic.as_ref())
        {
            home = dynamic.parent.clone();
        }
        home
    }

    /// Names a node with its present iteration and generation.
    pub(crate) fn work(&self, node: &NodeId) -> Work {
        let entry = self.entry(node);
        Work { node: node.clone(), iteration: entry.iteration, generation: entry.generation }
    }

    /// Makes a node ready to run now.
    pub(crate) fn make_ready(&mut self, node: &NodeId) {
        self.update(node, |entry| {
            entry.state = NodeState::Ready;
            entry.due_at = None;
            entry.error = None;
        });
        let work = self.work(node);
        self.effects.ready.push(work);
    }

    /// Sets a node back to pending for its next iteration, if anything is recorded of it.
    pub(crate) fn next_iteration(&mut self, node: &NodeId) {
        let Some(old) = self.document.entry(node).cloned() else { return };
        if old.state == NodeState::Failed
            && old.fallback.is_none()
            && let Some(error) = &old.error
        {
            let failure =
                PastFailure { node: node.clone(), iteration: old.iteration, error: error.clone() };
            // One for each node is enough: a loop may go round with it ten thousand times.
            if self.document.head().past_failures.iter().all(|past| past.node != *node) {
                self.update_head(|head| head.past_failures.push(failure));
            }
        }
        self.forget_created(&old.created);
        if let Some(Batch::Scatter { items, prefix, .. }) = &old.batch {
            for item in 0..*items {
                self.remove(&item_key(prefix, item));
            }
            self.remove(&format!("{node}_currentIndex"));
        }
        let extra = self.entry(node).extra_predecessors.clone();
        self.effects.reset.push(node.clone());
        self.change(Op::Node(
            node.clone(),
            Arc::new(Entry {
                iteration: old.iteration + 1,
                generation: old.generation,
                batch: old.batch.clone(),
                tries: old.tries_so_far(),
                extra_predecessors: extra,
                ..Entry::default()
            }),
        ));
    }

    /// Removes nodes that were created while running, with their outputs and those that they
    /// created: nobody has them as predecessors any more.
    pub(crate) fn forget_created(&mut self, created: &[NodeId]) {
        let mut open: Vec<NodeId> = created.to_vec();
        let mut removed = HashSet::new();
        let mut gathers = HashSet::new();
        while let Some(node) = open.pop() {
            let Some(entry) = self.document.entry(&node).cloned() else { continue };
            open.extend(entry.created.iter().cloned());
            gathers.extend(entry.dynamic.as_ref().and_then(|dynamic| dynamic.gather.clone()));
            self.set_output(&node, None);
            self.remove(&input_key(&node));
            self.change(Op::RemoveNode(node.clone()));
            removed.insert(node);
        }
        for gather in gathers {
            if self.document.entry(&gather).is_some() {
                self.update(&gather, |entry| {
                    entry.extra_predecessors.retain(|node| !removed.contains(node));
                });
            }
        }
    }

    /// Writes down which nodes wait, for JavaScript readers.
    pub(crate) fn record_awaiting(&mut self) {
        if !std::mem::take(&mut self.awaiting_changed) {
            return;
        }
        let mut waiting: Vec<(u64, NodeId, Option<Value>)> = Vec::new();
        for node in self.document.awaiting() {
            let Some(entry) = self.document.entry(node) else { continue };
            let since = entry.awaits_since.unwrap_or_default();
            match &entry.awaits {
                Some(Awaits::Answer) => {
                    waiting.push((since, node.clone(), Some(json!({"reason": "external_event"}))));
                }
                Some(Awaits::Timer) => {
                    let wake = entry.due_at.map(|due| due.to_string());
                    let details = json!({"reason": "timer", "wakeUpAt": wake});
                    waiting.push((since, node.clone(), Some(details)));
                }
                Some(Awaits::Child { status: RunStatus::Awaiting, .. }) => {
                    waiting.push((since, node.clone(), None));
                }
                Some(Awaits::Child { .. }) | None => {}
            }
        }
        waiting.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        if waiting.is_empty() {
            self.remove(AWAITING_IDS);
            self.remove(AWAITING_DETAILS);
            return;
        }
        let ids: Vec<_> = waiting.iter().map(|(_, node, _)| Value::from(node.as_str())).collect();
        let details: Map<String, Value> = waiting
            .into_iter()
            .filter_map(|(_, node, details)| Some((node.to_string(), details?)))
            .collect();
        self.set_if_changed(AWAITING_IDS, Value::Array(ids));
        self.set_if_changed(AWAITING_DETAILS, Value::Object(details));
    }

    fn set_if_changed(&mut self, key: &str, value: Value) {
        if self.document.get(key).is_none_or(|old| **old != value) {
            self.set(key, value);
        }
    }

    /// Brings the run's status in line with its nodes. Cancelled runs stay cancelled.
    pub(crate) fn settle_status(&mut self) {
        let head = self.document.head();
        if head.status == RunStatus::Cancelled {
            return;
        }
        let status = self.document.derived_status();
        if status == head.status {
            return;
        }
        let now = self.now;
        self.update_head(|head| {
            head.status = status;
            head.finished_at = status.is_final().then_some(now);
        });
    }
}

/// The context key with the ids of waiting nodes.
pub(crate) const AWAITING_IDS: &str = "_awaitingNodeIds";
/// The context key with what they wait for.
pub(crate) const AWAITING_DETAILS: &str = "_awaitingDetails";

/// The context key of a batch item.
pub(crate) fn item_key(prefix: &str, item: u32) -> String {
    format!("{prefix}_item_{item}")
}

/// The definition of a node that was created while running.
pub(crate) fn dynamic_definition(document: &RunDocument, node: &NodeId) -> Option<Node> {
    let dynamic = document.entry(node)?.dynamic.as_ref()?;
    Some(node_from_parts(
        node.clone(),
        dynamic.uses.clone(),
        dynamic.params.clone(),
        dynamic.inputs.as_ref(),
        &dynamic.config,
    ))
}

/// How deep lists and objects are nested in a value.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(nesting).max().unwrap_or(0),
        _ => 0,
    }
}
