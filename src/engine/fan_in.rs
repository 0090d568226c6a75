//! What neighbours that count are told: who has finished before a join, and who failed. Here nothing
//! depends on it.

use super::{
    draft::{Draft, JoinArrival},
    ledger::NodeState,
};
use crate::blueprint::{JoinStrategy, NodeId};

impl Draft<'_> {
    /// Writes down for the outside that a node before a join has finished. A fallback counts as the
    /// node whose edge it inherited.
    pub(crate) fn record_arrival(&mut self, source: &NodeId, target: &NodeId) {
        if self.predecessor_count(target) <= 1 {
            return;
        }
        let mut source = source.clone();
        while let (Some(failed), false) =
            (self.entry(&source).stands_for.clone(), self.successors(&source).contains(target))
        {
            source = failed;
        }
        self.effects.arrivals.push(JoinArrival {
            join: target.clone(),
            strategy: self.graph.join(target),
            iteration: self.entry(&source).iteration,
            edges: self.graph.edges_between(&source, target),
            of: self.graph.edges_into(target),
            source,
        });
    }

    /// Writes down for the outside that a node has finished without taking its edges to some of the
    /// joins after it: neighbours that count wait for it, too.
    pub(crate) fn record_untaken(&mut self, node: &NodeId) {
        let entry = self.entry(node);
        for successor in self.successors(node) {
            let waits = self.graph.join(&successor) == JoinStrategy::All
                && self.document.state(&successor) == NodeState::Pending;
            if waits && !entry.routes.contains(&successor) {
                self.record_arrival(node, &successor);
            }
        }
    }

    /// Writes down for the outside that a node failed and nothing handles it: what stands behind a
    /// failed fallback stands behind the node it stood in for, too.
    pub(crate) fn record_failure(&mut self, node: &NodeId) {
        let mut failed = Some(node.clone());
        while let Some(node) = failed.take() {
            for successor in self.successors(&node) {
                if self.predecessor_count(&successor) > 1 {
                    let strategy = self.graph.join(&successor);
                    self.effects.failures.push((successor, strategy));
                }
            }
            failed.clone_from(&self.entry(&node).stands_for);
        }
    }
}
