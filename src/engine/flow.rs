//! How the end of one node moves others: joins, dead paths, fallbacks that are not needed, loops.
//!
//! Everything here depends on what the ledger says and not on the order in which it came to say
//! it, so that any number of workers reach the same result.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    draft::{Draft, item_key},
    ledger::{Arrival, Batch, DynamicNode, NodeState, StandIn, StandInOutcome},
};
use crate::blueprint::{JoinStrategy, NodeId};

/// A predecessor as one of its successors sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// It may still take its edge.
    Open,
    /// It has finished.
    Finished,
    /// It failed or can't run any more.
    Dead,
}

impl Draft<'_> {
    /// Marks an edge into `target` as taken.
    pub(crate) fn arrive(&mut self, source: &NodeId, target: &NodeId, arrival: Arrival) {
        let entry = self.entry(target);
        let keeps = entry.arrival == Arrival::Transformed || entry.arrival == arrival;
        if !keeps {
            self.update(target, |entry| entry.arrival = arrival);
        }
        self.record_arrival(source, target);
    }

    /// Looks at everything that may move because `node` has ended (completed, failed or skipped).
    pub(crate) fn ended(&mut self, node: &NodeId) {
        let mut ended = vec![node.clone()];
        let mut controllers = BTreeSet::new();
        while let Some(node) = ended.pop() {
            for successor in self.successors(&node) {
                let dead = self.graph.join(&successor) == JoinStrategy::All
                    && self.document.state(&successor) == NodeState::Pending
                    && self.outlook(&node, &successor) == Outlook::Dead;
                if dead {
                    self.skip(&successor, &mut ended);
                } else {
                    self.consider(&successor, &mut ended, &mut controllers);
                }
            }
            for target in self.entry(&node).routes.clone() {
                self.consider(&target, &mut ended, &mut controllers);
            }
            if let Some(fallback) = self.fallback(&node) {
                self.consider_unneeded(&fallback, &mut ended);
            }
            self.resolve_stand_in(&node, &mut ended);
            controllers.extend(self.loops_of(&node).iter().cloned());
        }
        // Last, when everything else that may have become active has; inner loops first.
        let mut controllers: Vec<_> = controllers.into_iter().collect();
        controllers.sort_by_key(|controller| Reverse(self.loops_of(controller).len()));
        for controller in controllers {
            self.consider_controller(&controller);
        }
    }

    /// Looks at one node of which a predecessor has ended.
    fn consider(
        &mut self,
        node: &NodeId,
        ended: &mut Vec<NodeId>,
        controllers: &mut BTreeSet<NodeId>,
    ) {
        let entry = self.entry(node);
        let arrived = entry.arrival != Arrival::None;
        if arrived && self.graph.is_controller(node) {
            controllers.insert(node.clone());
            return;
        }
        match entry.state {
            NodeState::Pending => {}
            // A path thought dead came alive: a neighbour or an operator moved something.
            NodeState::Skipped if arrived => {
                self.update(node, |entry| entry.state = NodeState::Pending);
            }
            _ => return,
        }
        match self.graph.join(node) {
            JoinStrategy::Any if arrived => self.make_ready(node),
            JoinStrategy::Any => {
                if self.predecessors_outlook(node) != Outlook::Open {
                    self.skip(node, ended);
                }
            }
            JoinStrategy::All => match self.predecessors_outlook(node) {
                Outlook::Open => {}
                Outlook::Finished if arrived => {
                    if !self.hand_out_next_chunk(node) {
                        self.make_ready(node);
                    }
                }
                Outlook::Finished | Outlook::Dead => self.skip(node, ended),
            },
        }
    }

    /// All predecessors of a node together: open as long as one is (for an `all` join: and none is
    /// dead), dead if one is, else finished. The number of the first predecessor that was open the
    /// last time is remembered, so that a join of n predecessors is not searched n times.
    fn predecessors_outlook(&mut self, node: &NodeId) -> Outlook {
        let count = self.predecessor_count(node);
        let remembered = self.document.first_open(node).min(count);
        let mut dead = false;
        for number in (remembered..count).chain(0..remembered) {
            let Some(predecessor) = self.predecessor(node, number) else { continue };
            match self.outlook(&predecessor, node) {
                Outlook::Open => {
                    self.document.remember_first_open(node, number);
                    return if dead && self.graph.join(node) == JoinStrategy::All {
                        Outlook::Dead
                    } else {
                        Outlook::Open
                    };
                }
                Outlook::Finished => {}
                Outlook::Dead => dead = true,
            }
        }
        if dead { Outlook::Dead } else { Outlook::Finished }
    }

    /// Whether a predecessor has finished, as `node` sees it.
    pub(super) fn has_finished(&self, predecessor: &NodeId, node: &NodeId) -> bool {
        self.outlook(predecessor, node) == Outlook::Finished
    }

    /// A predecessor as `node` sees it.
    fn outlook(&self, predecessor: &NodeId, node: &NodeId) -> Outlook {
        let Some(entry) = self.document.entry(predecessor) else {
            // An edge from a node that does not exist can never be taken.
            let exists = self.graph.definition(predecessor).is_some();
            return if exists { Outlook::Open } else { Outlook::Dead };
        };
        match entry.state {
            NodeState::Pending | NodeState::Ready | NodeState::Awaiting => Outlook::Open,
            NodeState::Completed => {
                let goes_round =
                    entry.passes > 0 && !self.graph.in_loop(predecessor, &self.home(node));
                // What a neighbour decided is not known yet.
                let undecided = entry.undecided.contains(node);
                if goes_round || undecided { Outlook::Open } else { Outlook::Finished }
            }
            NodeState::Skipped if self.fallback_of(predecessor).is_empty() => Outlook::Dead,
            NodeState::Skipped => Outlook::Finished,
            NodeState::Failed => match entry.fallback.as_ref().map(|fallback| fallback.outcome) {
                None | Some(StandInOutcome::Failed) => Outlook::Dead,
                Some(StandInOutcome::Open) => Outlook::Open,
                Some(StandInOutcome::Completed) => Outlook::Finished,
            },
        }
    }

    /// Marks a node as one that can't run any more, unless it is a fallback that may still be
    /// needed.
    fn skip(&mut self, node: &NodeId, ended: &mut Vec<NodeId>) {
        if self.entry(node).stands_for.is_none() && self.may_be_needed(node) {
            return;
        }
        self.update(node, |entry| entry.state = NodeState::Skipped);
        ended.push(node.clone());
    }

    /// Whether some node may still fail and start this one as its fallback.
    fn may_be_needed(&self, fallback: &NodeId) -> bool {
        self.fallback_of(fallback).iter().any(|primary| {
            matches!(
                self.document.state(primary),
                NodeState::Pending | NodeState::Ready | NodeState::Awaiting
            )
        })
    }

    /// Skips a fallback once none of the nodes it is for can fail any more. One that has
    /// predecessors of its own may also be started by them.
    fn consider_unneeded(&mut self, fallback: &NodeId, ended: &mut Vec<NodeId>) {
        let Some(place) = self.graph.place(fallback) else { return };
        let entry = self.entry(fallback);
        let waits = entry.state == NodeState::Pending && entry.stands_for.is_none();
        if !waits || self.may_be_needed(fallback) {
            return;
        }
        if place.predecessors.is_empty()
            || (entry.arrival == Arrival::None
                && self.predecessors_outlook(fallback) != Outlook::Open)
        {
            self.update(fallback, |entry| entry.state = NodeState::Skipped);
            ended.push(fallback.clone());
        }
    }

    /// Starts the fallback of a node that has just failed. Returns whether there is one.
    pub(crate) fn start_fallback(&mut self, failed: &NodeId) -> bool {
        let Some(fallback) = self.fallback(failed) else { return false };
        if self.stands_in_for(failed, &fallback) {
            return false;
        }
        let stand_in = StandIn { node: fallback.clone(), outcome: StandInOutcome::Open };
        self.update(failed, |entry| entry.fallback = Some(stand_in));
        let entry = self.entry(&fallback);
        let own_open =
            entry.fallback.as_ref().is_some_and(|own| own.outcome == StandInOutcome::Open);
        let busy = match entry.state {
            NodeState::Ready | NodeState::Awaiting => true,
            NodeState::Pending => entry.stands_for.is_some(),
            NodeState::Failed => own_open,
            NodeState::Completed | NodeState::Skipped => false,
        };
        if busy {
            self.update(&fallback, |entry| entry.queue.push(failed.clone()));
        } else {
            self.stand_in(&fallback, failed);
        }
        true
    }

    /// Whether `node` is, or stands in for, a node that `candidate` is: then it can't be its own
    /// fallback once more.
    fn stands_in_for(&self, node: &NodeId, candidate: &NodeId) -> bool {
        let mut node = Some(node.clone());
        while let Some(current) = node.take() {
            if current == *candidate {
                return true;
            }
            node.clone_from(&self.entry(&current).stands_for);
        }
        false
    }

    /// Starts a fallback that is free for a failed node.
    fn stand_in(&mut self, fallback: &NodeId, failed: &NodeId) {
        let entry = self.entry(fallback);
        if matches!(entry.state, NodeState::Completed | NodeState::Failed) {
            let queue = entry.queue.clone();
            self.next_iteration(fallback);
            self.update(fallback, |entry| entry.queue = queue);
        }
        self.update(fallback, |entry| {
            entry.state = NodeState::Pending;
            entry.stands_for = Some(failed.clone());
            entry.arrival = Arrival::Plain;
        });
        if self.document.has_foreign_output(fallback) {
            // A neighbour ran it although nothing had failed.
            self.set_output(fallback, None);
        }
        let joins_all = self.graph.join(fallback) == JoinStrategy::All;
        match self.predecessors_outlook(fallback) {
            Outlook::Open if joins_all => {}
            Outlook::Dead if joins_all => {
                self.update(fallback, |entry| entry.state = NodeState::Skipped);
                self.ended(fallback);
            }
            _ => self.make_ready(fallback),
        }
    }

    /// Once a fallback has ended: tells the node it stands in for, and takes the next one.
    fn resolve_stand_in(&mut self, fallback: &NodeId, ended: &mut Vec<NodeId>) {
        let entry = self.entry(fallback);
        let Some(failed) = entry.stands_for.clone() else {
            self.take_next_in_queue(fallback);
            return;
        };
        let outcome =
            match (entry.state, entry.fallback.as_ref().map(|own| own.outcome)) {
                (NodeState::Completed, _)
                | (NodeState::Failed, Some(StandInOutcome::Completed)) => StandInOutcome::Completed,
                (NodeState::Failed, None | Some(StandInOutcome::Failed))
                | (NodeState::Skipped, _) => StandInOutcome::Failed,
                _ => return,
            };
        let open = self
            .entry(&failed)
            .fallback
            .as_ref()
            .is_some_and(|own| own.node == *fallback && own.outcome == StandInOutcome::Open);
        if !open {
            self.take_next_in_queue(fallback);
            return;
        }
        self.update(&failed, |entry| {
            if let Some(own) = &mut entry.fallback {
                own.outcome = outcome;
            }
        });
        ended.push(failed);
        self.take_next_in_queue(fallback);
    }

    /// Starts a fallback that has ended for the next failed node that waits for it.
    fn take_next_in_queue(&mut self, fallback: &NodeId) {
        let entry = self.entry(fallback);
        let ended =
            matches!(entry.state, NodeState::Completed | NodeState::Failed | NodeState::Skipped);
        let own_open =
            entry.fallback.as_ref().is_some_and(|own| own.outcome == StandInOutcome::Open);
        if let Some(next) = entry.queue.first().cloned()
            && ended
            && !own_open
        {
            self.update(fallback, |entry| {
                entry.queue.remove(0);
            });
            self.stand_in(fallback, &next);
        }
    }

    /// Has a loop controller decide (again), once an edge to it was taken and no member of its loop
    /// is active.
    fn consider_controller(&mut self, controller: &NodeId) {
        let entry = self.entry(controller);
        if entry.arrival == Arrival::None || self.has_active_member(controller) {
            return;
        }
        let joins_all = self.graph.join(controller) == JoinStrategy::All;
        if joins_all && self.predecessors_outlook(controller) != Outlook::Finished {
            return;
        }
        match entry.state {
            NodeState::Pending | NodeState::Skipped => self.make_ready(controller),
            NodeState::Completed if entry.passes > 0 => {
                self.next_iteration(controller);
                self.update(controller, |next| {
                    next.passes = entry.passes;
                    next.arrival = entry.arrival;
                    next.input_from.clone_from(&entry.input_from);
                });
                self.make_ready(controller);
            }
            _ => {}
        }
    }

    fn has_active_member(&self, controller: &NodeId) -> bool {
        self.document
            .ready()
            .chain(self.document.awaiting())
            .any(|node| node != controller && self.graph.in_loop(controller, &self.home(node)))
    }

    /// Begins a loop's next pass: every member starts anew.
    pub(crate) fn begin_pass(&mut self, controller: &NodeId) {
        if let Some(place) = self.graph.place(controller) {
            let mut members: Vec<_> = place.members.iter().cloned().collect();
            members.sort();
            for member in members {
                self.next_iteration(&member);
            }
        }
        self.update(controller, |entry| {
            entry.passes += 1;
            entry.arrival = Arrival::None;
        });
    }

    /// Adds nodes that were created while running, ready to run.
    pub(crate) fn add_dynamic(
        &mut self,
        parent: &NodeId,
        gather: Option<&NodeId>,
        nodes: Vec<(NodeId, DynamicNode)>,
    ) {
        let ids: Vec<_> = nodes.iter().map(|(id, _)| id.clone()).collect();
        // A later turn of the parent may use the same ids: the turn tells its nodes from these.
        let turn = self.work(parent);
        for (id, definition) in nodes {
            self.update(&id, |entry| {
                entry.iteration = turn.iteration;
                entry.generation = turn.generation;
                entry.dynamic = Some(definition);
            });
            self.make_ready(&id);
        }
        if let Some(gather) = gather {
            self.update(gather, |entry| entry.extra_predecessors.extend(ids.iter().cloned()));
        }
        self.update(parent, |entry| entry.created.extend(ids));
    }

    /// For a gather whose workers have all finished: hands out the next chunk of items, if there
    /// are more. Returns whether it did.
    fn hand_out_next_chunk(&mut self, gather: &NodeId) -> bool {
        let Some(Batch::Gather { scatter }) = self.entry(gather).batch.clone() else {
            return false;
        };
        self.hand_out(&scatter)
    }

    /// Adds the workers for a scatter's next chunk. Returns whether there were items left.
    pub(crate) fn hand_out(&mut self, scatter: &NodeId) -> bool {
        let Some(Batch::Scatter { gather, worker, prefix, items, handed_out, chunk }) =
            self.entry(scatter).batch.clone()
        else {
            return false;
        };
        if handed_out >= items {
            return false;
        }
        let upto = handed_out.saturating_add(chunk).min(items);
        let nodes = (handed_out..upto)
            .map(|item| {
                let definition = DynamicNode {
                    uses: worker.clone(),
                    params: serde_json::Map::new(),
                    inputs: Some(item_key(&prefix, item).into()),
                    config: serde_json::Map::new(),
                    parent: scatter.clone(),
                    gather: Some(gather.clone()),
                };
                (worker_id(&worker, &prefix, item), definition)
            })
            .collect();
        self.add_dynamic(scatter, Some(&gather), nodes);
        self.update(scatter, |entry| {
            if let Some(Batch::Scatter { handed_out, .. }) = &mut entry.batch {
                *handed_out = upto;
            }
        });
        self.record_batch(scatter, &gather, upto, items);
        true
    }

    /// Writes down a batch's progress under the keys that `flowcraft` uses.
    pub(crate) fn record_batch(
        &mut self,
        scatter: &NodeId,
        gather: &NodeId,
        handed_out: u32,
        items: u32,
    ) {
        let workers: Vec<serde_json::Value> =
            self.entry(scatter).created.iter().map(|id| id.as_str().into()).collect();
        self.set(&format!("{scatter}_currentIndex"), serde_json::Value::from(handed_out));
        self.set(&format!("{gather}_hasMore"), serde_json::Value::from(handed_out < items));
        self.set(&format!("{gather}_allWorkerIds"), serde_json::Value::from(workers));
    }
}

/// The id of the node that works on a batch item: `<worker>_<uuid>_<item>`.
fn worker_id(worker: &str, prefix: &str, item: u32) -> NodeId {
    let uuid = prefix.rsplit('_').next().unwrap_or_default();
    NodeId::from(format!("{worker}_{uuid}_{item}"))
}
