//! Taking over what JavaScript workers did. They store a node's output and send messages for what
//! follows, and know nothing of the ledger: it is worked out again from the outputs that are there.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::{
    document::RunDocument,
    draft::{Draft, Effects},
    event::Verdict,
    graph::{BREAK, Graph, edge_action},
    ledger::{Arrival, NodeState},
};
use crate::blueprint::{Edge, Inputs, JoinStrategy, NodeId};

/// What a node may have done whose action nobody recorded.
#[derive(Debug)]
struct Way {
    action: Option<String>,
    edges: Vec<Edge>,
    targets: Vec<NodeId>,
}

impl Way {
    /// Whether it is what the node did, given some of the nodes it led to. A neighbour starts
    /// nothing where no edge is taken.
    fn fits(&self, known: &[NodeId]) -> bool {
        known.is_empty()
            || (!self.edges.is_empty() && known.iter().all(|node| self.targets.contains(node)))
    }
}

/// The nodes that a node's `inputs` name and whose outputs were there once: neighbours that write
/// over each other's outputs lose some.
pub(crate) fn lost_inputs(graph: &Graph, document: &RunDocument, node: &NodeId) -> Vec<NodeId> {
    let names: Vec<&str> = match graph.definition(node).map(|definition| &definition.inputs) {
        Some(Inputs::One(name)) => vec![name],
        Some(Inputs::Many(names)) => names.values().filter_map(Value::as_str).collect(),
        Some(Inputs::Edge) | None => Vec::new(),
    };
    let mut lost: Vec<NodeId> = Vec::new();
    for name in names {
        let base = name.split_once('.').map_or(name, |(base, _)| base);
        let Some(named) = [name, base].into_iter().find_map(|name| graph.definition(name)) else {
            continue;
        };
        let missing = document.output(&named.id).is_none()
            && match document.state(&named.id) {
                NodeState::Completed => {
                    document.entry(&named.id).is_some_and(|entry| entry.has_output)
                }
                // It will run again. One that is not even ready may never.
                NodeState::Ready => ran_before(graph, document, &named.id),
                NodeState::Pending
                | NodeState::Awaiting
                | NodeState::Failed
                | NodeState::Skipped => false,
            };
        if missing && !lost.contains(&named.id) {
            lost.push(named.id.clone());
        }
    }
    lost
}

/// Whether a node that is not completed must have been, in its first turn: one that can't run before
/// it is.
fn ran_before(graph: &Graph, document: &RunDocument, node: &NodeId) -> bool {
    let first =
        document.entry(node).is_none_or(|entry| (entry.iteration, entry.generation) == (1, 0));
    first
        && graph.place(node).is_some_and(|place| {
            place.successors.iter().any(|successor| {
                graph.join(successor) == JoinStrategy::All
                    && document.state(successor) == NodeState::Completed
            })
        })
}

impl Draft<'_> {
    /// Brings the ledger in line with the outputs that are there; makes one where there is none.
    /// Returns whether that changed anything.
    pub(crate) fn take_over(&mut self) -> bool {
        let mut changed = self.document.head().is_unadopted();
        if changed {
            self.make_ledger();
        }
        if !self.document.status().is_final() {
            for node in self.foreign_in_order() {
                changed |= self.adopt(&node);
            }
        }
        if changed {
            self.settle_status();
            self.record_awaiting();
            self.leave_to_neighbours();
        }
        changed
    }

    /// The ledger of a run that others started: it begins with the blueprint's start nodes.
    fn make_ledger(&mut self) {
        let blueprint = self.graph.blueprint().clone();
        let fingerprint = self.graph.fingerprint().to_owned();
        self.update_head(|head| {
            head.blueprint_id = blueprint.id.clone();
            head.blueprint_version = blueprint.version().map(str::to_owned);
            head.blueprint_hash = fingerprint;
        });
        for node in self.graph.starts() {
            if self.document.state(node) == NodeState::Pending {
                self.make_ready(node);
            }
        }
    }

    /// The nodes with outputs that the ledger does not account for, predecessors first; members of
    /// cycles last, in order of their ids.
    fn foreign_in_order(&self) -> Vec<NodeId> {
        let all: Vec<NodeId> = self.document.foreign_outputs().cloned().collect();
        if all.len() < 2 {
            return all;
        }
        let among: HashSet<&NodeId> = all.iter().collect();
        let mut open: HashMap<&NodeId, usize> = all
            .iter()
            .map(|node| {
                let predecessors = self.place(node).map_or(&[][..], |place| &place.predecessors);
                (node, predecessors.iter().filter(|node| among.contains(node)).count())
            })
            .collect();
        let mut free: VecDeque<&NodeId> = all.iter().filter(|node| open[node] == 0).collect();
        let mut order = Vec::with_capacity(all.len());
        while let Some(node) = free.pop_front() {
            order.push(node.clone());
            for successor in self.place(node).map_or(&[][..], |place| &place.successors) {
                if let Some((successor, count)) = open.get_key_value(successor)
                    && *count > 0
                {
                    let (successor, left) = (*successor, count - 1);
                    open.insert(successor, left);
                    if left == 0 {
                        free.push_back(successor);
                    }
                }
            }
        }
        order.extend(all.iter().filter(|node| open[node] > 0).cloned());
        order
    }

    /// Takes a node that a neighbour ran as completed. Returns whether it was one.
    fn adopt(&mut self, node: &NodeId) -> bool {
        if self.graph.definition(node).is_none() {
            return false;
        }
        let state = self.document.state(node);
        let expected = matches!(state, NodeState::Ready | NodeState::Awaiting);
        if !expected && !self.fallback_of(node).is_empty() {
            // A neighbour takes a fallback for a start node, and runs it though nothing failed.
            return false;
        }
        let reached = self.predecessor_count(node) > 0;
        let ready_before = self.effects.ready.len();
        let now = self.now;
        self.update(node, |entry| {
            entry.state = NodeState::Completed;
            entry.has_output = true;
            entry.by = None;
            entry.started_at = None;
            entry.finished_at = Some(now);
            entry.error = None;
            entry.due_at = None;
            entry.awaits = None;
            entry.awaits_since = None;
            if reached && entry.arrival == Arrival::None {
                entry.arrival = Arrival::Plain;
            }
        });
        if !expected {
            self.learn_from(node);
        }
        self.settle_routes(node, None);
        self.ended(node);
        self.record_woken(node, ready_before);
        true
    }

    /// A node ran, or is to be run, because a neighbour took an edge to it: where that decides what
    /// a node before it did, it is written down.
    fn learn_from(&mut self, node: &NodeId) {
        let undecided = self.undecided_before(node);
        match (self.graph.join(node), undecided.as_slice()) {
            (JoinStrategy::Any, [only]) if !self.is_reached(node) => {
                self.settle_routes(only, Some(node));
                self.ended(only);
            }
            (JoinStrategy::All, all) => {
                for source in all {
                    self.settle_routes(source, Some(node));
                    self.ended(source);
                }
            }
            (JoinStrategy::Any, _) => {}
        }
    }

    /// The predecessors of which nobody knows whether they took an edge to a node.
    fn undecided_before(&self, node: &NodeId) -> Vec<NodeId> {
        (0..self.predecessor_count(node))
            .filter_map(|number| self.predecessor(node, number))
            .filter(|source| self.entry(source).undecided.contains(node))
            .collect()
    }

    /// Takes the edges that a node must have taken whatever its action was, as far as `evidence`,
    /// a node that it led to, and those found before leave a choice. The others stay undecided.
    fn settle_routes(&mut self, node: &NodeId, evidence: Option<&NodeId>) {
        let output = self.document.output(node).cloned();
        let before = self.entry(node).routes.clone();
        let mut known = before.clone();
        known.extend(evidence.filter(|target| !before.contains(target)).cloned());
        let mut ways = self.ways(node, output.as_deref());
        let fits = ways.iter().any(|way| way.fits(&known));
        if fits {
            ways.retain(|way| way.fits(&known));
        } else {
            // It did what it can't have done; what is seen is all that is taken for true.
            ways.retain(|way| evidence.is_some_and(|target| way.targets.contains(target)));
        }
        let certain = |target: &NodeId| {
            known.contains(target) || (fits && ways.iter().all(|way| way.targets.contains(target)))
        };
        let mut routes = before.clone();
        let mut undecided: Vec<NodeId> = Vec::new();
        for target in ways.iter().flat_map(|way| &way.targets) {
            if certain(target) {
                if !routes.contains(target) {
                    routes.push(target.clone());
                }
            } else if fits && !undecided.contains(target) {
                undecided.push(target.clone());
            }
        }
        let new = |target: &NodeId| routes.contains(target) && !before.contains(target);
        if let Some(way) = ways.first() {
            for target in way.targets.iter().filter(|target| new(target)) {
                if self.document.state(target) == NodeState::Completed {
                    continue;
                }
                let mut taken = way.edges.iter().filter(|edge| edge.target == *target).peekable();
                if taken.peek().is_none() {
                    self.arrive(node, target, Arrival::Plain);
                }
                for edge in taken {
                    self.take_edge(edge, node, output.as_ref());
                }
            }
        }
        let action = match ways.as_slice() {
            [only] if fits => only.action.clone(),
            _ => None,
        };
        self.update(node, |entry| {
            entry.routes = routes;
            entry.undecided = undecided;
            entry.action = action;
        });
    }

    /// Everything that a node may have done, with each action that an edge of its names and with
    /// none of them.
    fn ways(&self, node: &NodeId, output: Option<&Value>) -> Vec<Way> {
        let mut actions: Vec<Option<String>> = Vec::new();
        if self.graph.is_controller(node) {
            // It has an output only when it leaves its loop.
            actions.push(Some(BREAK.to_owned()));
        } else {
            for edge in self.candidates(node) {
                let action = edge_action(&edge).map(str::to_owned);
                if action.is_some() && !actions.contains(&action) {
                    actions.push(action);
                }
            }
            actions.push(None);
        }
        actions
            .into_iter()
            .map(|action| {
                let edges = self.choose_routes(node, output, action.as_deref());
                let mut targets: Vec<NodeId> = Vec::new();
                for edge in &edges {
                    if !targets.contains(&edge.target) {
                        targets.push(edge.target.clone());
                    }
                }
                if edges.is_empty() {
                    targets = self.started_without_match(node);
                }
                Way { action, edges, targets }
            })
            .collect()
    }

    /// A neighbour sent a message for a node that is not ready by what the ledger knows. Where that
    /// is only because nobody knows what the nodes before it did, it is now.
    pub(super) fn reached(&mut self, node: &NodeId) -> Result<(), Verdict> {
        let entry = self.entry(node);
        let undecided = self.undecided_before(node);
        let waits = entry.state == NodeState::Pending
            && (entry.iteration, entry.generation) == (1, 0)
            && !undecided.is_empty();
        if !waits || self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        let complete = (0..self.predecessor_count(node))
            .filter_map(|number| self.predecessor(node, number))
            .all(|source| undecided.contains(&source) || self.has_finished(&source, node));
        let joins_all = self.graph.join(node) == JoinStrategy::All;
        if joins_all && !complete {
            return Err(Verdict::Stale);
        }
        self.learn_from(node);
        if self.document.state(node) == NodeState::Pending && !joins_all {
            // One of several led here, and nobody can say which.
            self.update(node, |entry| entry.arrival = Arrival::Plain);
            self.make_ready(node);
        }
        self.leave_to_neighbours();
        Ok(())
    }

    /// Whatever became ready by what neighbours did was enqueued by them.
    fn leave_to_neighbours(&mut self) {
        let now = self.now;
        for work in std::mem::take(&mut self.effects).ready {
            if self.document.state(&work.node) == NodeState::Ready {
                self.update(&work.node, |entry| entry.enqueued_at = Some(now));
            }
        }
        self.effects = Effects::default();
    }
}
