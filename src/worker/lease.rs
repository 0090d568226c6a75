//! Keeping what a chain holds while it works: the visibility of its message, and the lease of the
//! node it is at.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{core::Core, session::Freshness, status::Urgency};
use crate::{
    blueprint::RunId,
    cluster::{
        ClusterError, Fault, Holder, Key, Lane, Ownership, Receipt, Service, meter::carried,
    },
    engine::Timestamp,
};

/// The lease of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeLease {
    pub(crate) key: Key,
    pub(crate) holder: Holder,
    pub(crate) run: RunId,
    /// When it was taken ahead of its node's turn, if it is known to have been.
    pub(crate) taken_at: Option<Timestamp>,
}

impl NodeLease {
    /// Whether it is held, and far enough from its end to begin with the node.
    pub(crate) fn is_fresh(&self, now: Timestamp, lease: Duration) -> bool {
        self.taken_at.is_some_and(|taken_at| now.since(taken_at) < lease / 3)
    }
}

/// Keeps a message hidden and a node's lease alive for as long as it exists.
#[derive(Debug)]
pub(crate) struct Guard {
    kept: Arc<Kept>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
struct Kept {
    core: Core,
    lease: Duration,
    receipt: Mutex<Option<Receipt>>,
    node: Mutex<Option<Held>>,
}

/// A node's lease that is being kept. Dropping it ends that; it does not release the lease.
#[derive(Debug)]
pub(crate) struct Holding {
    kept: Arc<Kept>,
    lost: CancellationToken,
}

#[derive(Debug, Clone)]
struct Held {
    lease: NodeLease,
    lost: CancellationToken,
    renewed_at: Timestamp,
}

impl Guard {
    /// Begins to keep a received message hidden.
    pub(crate) fn new(core: Core, lease: Duration, receipt: Receipt) -> Self {
        let kept = Arc::new(Kept {
            core,
            lease,
            receipt: Mutex::new(Some(receipt)),
            node: Mutex::new(None),
        });
        let keeper = tokio::spawn(carried(kept.clone().keep()));
        Self { kept, keeper }
    }

    /// Keeps a node's lease from now on, in place of the one before.
    pub(crate) fn hold(&self, lease: NodeLease) -> Holding {
        let lost = CancellationToken::new();
        let renewed_at = lease.taken_at.unwrap_or_else(|| self.kept.core.now());
        *lock(&self.kept.node) = Some(Held { lease, lost: lost.clone(), renewed_at });
        Holding { kept: self.kept.clone(), lost }
    }

    /// Stops keeping. Gives the message's receipt, unless somebody else has the message now.
    pub(crate) fn release(self) -> Option<Receipt> {
        self.keeper.abort();
        lock(&self.kept.receipt).take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Holding {
    /// Cancelled when the node must stop: the lease is lost, or the run was cancelled.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        *lock(&self.kept.node) = None;
    }
}

impl Kept {
    /// Renews both, each at its own pace: a queue that does not answer costs no lease.
    async fn keep(self: Arc<Self>) {
        let message = async {
            loop {
                tokio::time::sleep(self.lease / 3).await;
                self.keep_message().await;
            }
        };
        let node = async {
            loop {
                tokio::time::sleep(self.lease / 3).await;
                self.keep_node().await;
            }
        };
        // Neither ends by itself.
        tokio::join!(message, node);
    }

    /// Hides the message for another while. Losing it does not stop the work: its next reader finds
    /// what has been committed.
    async fn keep_message(&self) {
        let Some(receipt) = lock(&self.receipt).clone() else { return };
        let queue = &self.core.cluster().queue;
        let renewed =
            self.core.patience().call(|| queue.renew(Lane::Jobs, &receipt, self.lease)).await;
        match renewed {
            Ok(receipt) => *lock(&self.receipt) = Some(receipt),
            Err(error) if matches!(error.fault, Fault::ReceiptLost | Fault::NotFound) => {
                tracing::debug!(%error, "another worker has the message");
                *lock(&self.receipt) = None;
            }
            Err(error) => tracing::debug!(%error, "could not keep a message hidden"),
        }
    }

    /// Renews the node's lease, and looks whether the run still wants the node.
    async fn keep_node(&self) {
        let Some(held) = lock(&self.node).clone() else { return };
        let store = &self.core.cluster().coordination;
        let renewing = self.core.now();
        // Neither a slow lease store nor a slow document may keep the other renewals waiting.
        let limit = self.lease / 3;
        let renew = store.renew(&held.lease.key, &held.lease.holder, self.lease);
        let renewed = tokio::time::timeout(limit, renew).await.unwrap_or_else(|_| {
            Err(ClusterError::new(
                Service::Coordination,
                format!("renew {}", held.lease.key),
                Fault::Unavailable,
                "no answer in time",
            ))
        });
        match renewed {
            Ok(Ownership::Ours) => {
                if let Some(current) = &mut *lock(&self.node)
                    && current.lease.holder == held.lease.holder
                {
                    current.renewed_at = renewing;
                }
            }
            Ok(Ownership::Lost) => {
                tracing::warn!(key = %held.lease.key, "the lease was lost: the node is stopped");
                held.lost.cancel();
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "could not renew a lease");
                if self.core.now().since(held.renewed_at) >= self.lease {
                    tracing::warn!(key = %held.lease.key, "the lease expired: the node is stopped");
                    held.lost.cancel();
                    return;
                }
            }
        }
        let _ = tokio::time::timeout(limit, self.look_at_run(&held)).await;
    }

    /// Stops the node if its run does not want it any more, and shows that the run moves.
    async fn look_at_run(&self, held: &Held) {
        let session = self.core.session(&held.lease.run);
        let Ok(Some(document)) = session.document(Freshness::Now).await else { return };
        if document.status().is_final() {
            tracing::info!(run = %held.lease.run, "the run is {}: the node is stopped", document.status());
            held.lost.cancel();
            return;
        }
        if let Ok(graph) = self.core.graphs().of_run(document.head()) {
            let touched = self.core.touch(&session, &document, &graph, Urgency::WhenDue);
            if let Err(error) = touched.await {
                tracing::debug!(%error, "could not touch the run's status");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
