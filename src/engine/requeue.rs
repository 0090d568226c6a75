//! The operator's ways back: requeueing nodes, and reopening the node of a requeued child run.

use std::collections::HashSet;

use super::{
    draft::{Draft, item_key},
    event::{Refusal, Verdict},
    ledger::{Arrival, Awaits, Batch, Closing, Entry, NodeState, RunStatus, StandInOutcome},
};
use crate::blueprint::{NodeId, RunId};

impl Draft<'_> {
    pub(crate) fn requeue(&mut self, named: &[NodeId], idle: &[NodeId]) -> Result<(), Verdict> {
        let stopped = self.document.status() == RunStatus::Cancelled;
        let chosen = self.choose(named, idle).map_err(Verdict::Refused)?;
        for node in &chosen {
            self.abandon_child(node);
            self.open_again(node);
        }
        for node in &chosen {
            self.revive_downstream(node);
            self.make_ready(node);
        }
        self.reopen_run(&chosen);
        if stopped {
            self.take_up_rest(&chosen)?;
        }
        Ok(())
    }

    /// What else was ready or waiting when the run was cancelled goes on, too. Its messages are
    /// gone, and the child runs it waited for were cancelled.
    fn take_up_rest(&mut self, chosen: &[NodeId]) -> Result<(), Verdict> {
        let chosen: HashSet<&NodeId> = chosen.iter().collect();
        let rest: Vec<NodeId> = self
            .document
            .ready()
            .chain(self.document.awaiting())
            .filter(|node| !chosen.contains(node))
            .cloned()
            .collect();
        for node in &rest {
            if self.document.state(node) == NodeState::Awaiting && self.child_of(node).is_some() {
                self.abandon_child(node);
                self.open_again(node);
                self.make_ready(node);
            }
        }
        self.enqueue(&rest)
    }

    /// The named nodes; without any, the failed ones; without any, the idle ones.
    fn choose(&self, named: &[NodeId], idle: &[NodeId]) -> Result<Vec<NodeId>, Refusal> {
        if !named.is_empty() {
            let unknown = named.iter().find(|node| self.definition(node).is_none());
            return match unknown {
                Some(node) => Err(Refusal::NoSuchNode(node.clone())),
                None => Ok(named.to_vec()),
            };
        }
        // A fallback that failed is run again by the node it stands in for.
        let failed: Vec<NodeId> = self
            .document
            .failed()
            .filter(|node| self.entry(node).stands_for.is_none())
            .cloned()
            .collect();
        if !failed.is_empty() {
            return Ok(failed);
        }
        let past: Vec<NodeId> = self
            .document
            .head()
            .past_failures
            .iter()
            .map(|failure| failure.node.clone())
            .filter(|node| self.definition(node).is_some())
            .collect();
        if !past.is_empty() {
            return Ok(past);
        }
        let idle: Vec<NodeId> = idle
            .iter()
            .filter(|node| self.document.state(node) == NodeState::Ready)
            .cloned()
            .collect();
        let stopped = self.document.status() == RunStatus::Cancelled;
        let waits = stopped && self.document.awaiting().next().is_some();
        if idle.is_empty() && !waits { Err(Refusal::NothingToRequeue) } else { Ok(idle) }
    }

    /// Sets a node back to pending in a new generation, without its output and what it created.
    fn open_again(&mut self, node: &NodeId) {
        let old = self.entry(node);
        if let Some(fallback) = &old.fallback {
            let stand_in = self.entry(&fallback.node);
            if stand_in.stands_for.as_ref() == Some(node) {
                self.open_again(&fallback.node);
                let reached = self.is_reached(&fallback.node);
                self.update(&fallback.node, |entry| {
                    entry.stands_for = None;
                    if !reached {
                        entry.arrival = Arrival::None;
                    }
                });
            } else if stand_in.queue.contains(node) {
                self.update(&fallback.node, |entry| entry.queue.retain(|other| other != node));
            }
        }
        if let Some(failed) = &old.stands_for {
            // The one it stands in for is open again, too.
            self.update(failed, |entry| {
                if let Some(own) = &mut entry.fallback {
                    own.outcome = StandInOutcome::Open;
                }
            });
        }
        self.forget_created(&old.created);
        if let Some(Batch::Scatter { items, prefix, .. }) = &old.batch {
            for item in 0..*items {
                self.remove(&item_key(prefix, item));
            }
        }
        self.set_output(node, None);
        self.effects.reset.push(node.clone());
        let fresh = Entry {
            iteration: old.iteration,
            generation: old.generation + 1,
            passes: old.passes,
            children: old.children,
            arrival: old.arrival,
            input_from: old.input_from.clone(),
            stands_for: old.stands_for.clone(),
            queue: old.queue.clone(),
            dynamic: old.dynamic.clone(),
            batch: old.batch.clone(),
            tries: old.tries_so_far(),
            extra_predecessors: old.extra_predecessors.clone(),
            ..Entry::default()
        };
        self.update(node, |entry| *entry = fresh);
    }

    /// Undoes what is known of the nodes after this one only because it had ended.
    fn revive_downstream(&mut self, node: &NodeId) {
        let mut seen = HashSet::new();
        let mut open = vec![node.clone()];
        while let Some(current) = open.pop() {
            let mut next = self.successors(&current);
            next.extend(self.fallback(&current));
            for successor in next {
                if !seen.insert(successor.clone()) {
                    continue;
                }
                if self.predecessor_count(&successor) > 1 {
                    self.effects.revived.push(successor.clone());
                }
                match self.document.state(&successor) {
                    NodeState::Skipped => {
                        self.update(&successor, |entry| entry.state = NodeState::Pending);
                        self.recompute_arrival(&successor);
                        open.push(successor);
                    }
                    NodeState::Pending => self.recompute_arrival(&successor),
                    _ => {}
                }
            }
        }
    }

    /// Works out from its predecessors' routes whether an edge into a node was taken.
    fn recompute_arrival(&mut self, node: &NodeId) {
        let entry = self.entry(node);
        if entry.arrival == Arrival::None || entry.stands_for.is_some() {
            return;
        }
        if !self.is_reached(node) {
            self.update(node, |entry| entry.arrival = Arrival::None);
        }
    }

    /// Whether some predecessor's routes, or those of its fallback, lead to a node.
    pub(super) fn is_reached(&self, node: &NodeId) -> bool {
        (0..self.predecessor_count(node)).any(|number| {
            self.predecessor(node, number).is_some_and(|predecessor| {
                let entry = self.entry(&predecessor);
                let by_fallback = entry
                    .fallback
                    .as_ref()
                    .is_some_and(|fallback| self.entry(&fallback.node).routes.contains(node));
                entry.routes.contains(node) || by_fallback
            })
        })
    }

    fn reopen_run(&mut self, chosen: &[NodeId]) {
        let stand_ins: Vec<NodeId> = chosen.iter().filter_map(|node| self.fallback(node)).collect();
        self.update_head(|head| {
            head.past_failures.retain(|failure| {
                !chosen.contains(&failure.node) && !stand_ins.contains(&failure.node)
            });
            head.status = RunStatus::Running;
            head.closed = Closing::Open;
            head.finished_at = None;
        });
    }

    /// The failed child run of a subflow node has been requeued: the node waits for it again.
    pub(crate) fn reopen_child(&mut self, node: &NodeId, run: &RunId) -> Result<(), Verdict> {
        let entry = self.document.entry(node).cloned().ok_or(Verdict::Stale)?;
        let is_its_child =
            matches!(&entry.awaits, Some(Awaits::Child { run: child, .. }) if child == run);
        if !is_its_child || entry.fallback.is_some() {
            return Err(Verdict::Stale);
        }
        let awaits = Awaits::Child { run: run.clone(), status: RunStatus::Running };
        match entry.state {
            NodeState::Failed => {
                self.update(node, |entry| entry.attempts = entry.attempts.saturating_sub(1));
                self.wait(node, awaits, None);
                self.update(node, |entry| entry.error = None);
                self.revive_downstream(node);
                self.reopen_run(std::slice::from_ref(node));
                Ok(())
            }
            NodeState::Awaiting if entry.awaits.as_ref() != Some(&awaits) => {
                self.update(node, |entry| entry.awaits = Some(awaits));
                Ok(())
            }
            _ => Err(Verdict::Stale),
        }
    }
}
