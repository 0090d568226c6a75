//! The leases that a chain has in hand, from one node to the next: the next node's is taken while
//! the commit that leads to it is under way, where the graph says which node that will be.

use super::{Worker, lease::NodeLease};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Acquired, ClusterError, Holder, Key},
};

/// The leases that a chain has in hand.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// That of the node it is at, or was at last.
    pub(crate) node: Option<NodeLease>,
    /// That of the node it will probably go on with. The store may not know of it.
    pub(crate) ahead: Option<NodeLease>,
}

/// What became of the attempt to take a node's lease.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// It is the chain's now.
    Ours {
        /// The lease.
        lease: NodeLease,
        /// That of the node before, where it is still to be given back.
        before: Option<NodeLease>,
    },
    /// Another worker has it.
    HeldBy(String),
}

impl Worker {
    /// Takes a node's lease, in place of those in hand.
    pub(crate) async fn exchange(
        &self,
        leases: &mut Leases,
        run: &RunId,
        node: &NodeId,
    ) -> Result<Exchanged, ClusterError> {
        let key = Key::node_lock(run, node);
        let before = leases.node.take();
        let (lease, unneeded) = match leases.ahead.take() {
            Some(ahead) if ahead.key == key => (ahead, None),
            unneeded => (self.new_lease(run, key), unneeded),
        };
        if lease.is_fresh(self.core.now(), self.config.lease) {
            leases.node = Some(lease.clone());
            return Ok(Exchanged::Ours { lease, before });
        }
        // The same node's lease can't be taken before it is given back.
        let (first, meanwhile) = match before {
            Some(before) if before.key == lease.key => (Some(before), None),
            before => (None, before),
        };
        self.give_back(first).await;
        let (acquired, (), ()) = tokio::join!(
            self.acquire(&lease),
            self.give_back(meanwhile),
            self.give_back(unneeded),
        );
        Ok(match acquired? {
            Acquired::Yes => {
                leases.node = Some(lease.clone());
                Exchanged::Ours { lease, before: None }
            }
            Acquired::HeldBy(other) => Exchanged::HeldBy(other),
        })
    }

    fn new_lease(&self, run: &RunId, key: Key) -> NodeLease {
        let holder = Holder::new(&self.core.name, self.core.patience().nonce());
        NodeLease { key, holder, run: run.clone(), taken_at: None }
    }

    async fn acquire(&self, lease: &NodeLease) -> Result<Acquired, ClusterError> {
        let store = &self.core.cluster().coordination;
        let NodeLease { key, holder, .. } = lease;
        self.core.patience().call(|| store.acquire(key, holder, self.config.lease)).await
    }

    /// Tries once to take the lease of the node that a chain will probably go on with.
    pub(crate) async fn take_ahead(&self, run: &RunId, node: Option<&NodeId>) -> Option<NodeLease> {
        let mut lease = self.new_lease(run, Key::node_lock(run, node?));
        let now = self.core.now();
        let store = &self.core.cluster().coordination;
        match store.acquire(&lease.key, &lease.holder, self.config.lease).await {
            Ok(Acquired::Yes) => lease.taken_at = Some(now),
            Ok(Acquired::HeldBy(_)) => return None,
            // It may be ours all the same: taken again or given back under the same name.
            Err(error) => tracing::debug!(%error, "could not take a lease ahead"),
        }
        Some(lease)
    }

    /// Gives back a node's lease, if there is one.
    pub(crate) async fn give_back(&self, lease: Option<NodeLease>) {
        let Some(NodeLease { key, holder, .. }) = lease else { return };
        let store = &self.core.cluster().coordination;
        if let Err(error) = self.core.patience().call(|| store.release(&key, &holder)).await {
            // It ends by itself.
            tracing::debug!(%error, "could not release a lease");
        }
    }
}
