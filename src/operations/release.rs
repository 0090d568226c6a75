//! Taking the lease of a node from a holder that is dead.

use super::{Change, Done, HeldNode, OperationError, Operations};
use crate::{
    blueprint::RunId,
    cluster::{Key, Ownership},
    engine::Refusal,
    worker::{SessionError, reconciler::QueueAge},
};

/// What taking leases away would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The run.
    pub run: RunId,
    /// What would change, in order.
    pub changes: Vec<Change>,
    locks: Vec<HeldNode>,
}

impl Release {
    /// The leases that would be taken away.
    pub fn locks(&self) -> &[HeldNode] {
        &self.locks
    }
}

impl Operations {
    /// Plans to take leases from their holders, and to have the run move again. Those that have
    /// another value by now are left alone.
    pub async fn plan_release(
        &self,
        run: &RunId,
        locks: &[HeldNode],
    ) -> Result<Release, OperationError> {
        let store = &self.cluster().coordination;
        let mut held = Vec::new();
        let mut changes = Vec::new();
        for lock in locks {
            let key = Key::node_lock(run, &lock.node);
            if store.get(&key).await?.as_deref() == Some(&lock.value) {
                changes.push(Change::Note(format!("lease: delete {key}, held as {}", lock.value)));
                held.push(lock.clone());
            }
        }
        if !held.is_empty() {
            changes.extend(held.iter().map(|lock| Change::Message(lock.node.clone(), None)));
            changes.extend(self.plan_reconcile(run).await?.changes);
            changes.push(Change::Note(
                "if the holder lives after all, a node may be run twice; one result counts"
                    .to_owned(),
            ));
        }
        Ok(Release { run: run.clone(), changes, locks: held })
    }

    /// Takes leases away as planned: each only if it still has the value that was seen. Then has the
    /// run move again.
    pub async fn release(&self, plan: &Release) -> Result<Done, OperationError> {
        let run = &plan.run;
        let store = &self.cluster().coordination;
        let mut released = 0;
        for lock in &plan.locks {
            let key = Key::node_lock(run, &lock.node);
            if store.break_lock(&key, &lock.value).await? == Ownership::Ours {
                tracing::warn!(%run, node = %lock.node, value = lock.value, "a lease was taken from its holder");
                released += 1;
            }
        }
        if released == 0 {
            return Err(OperationError::Refused { run: run.clone(), refusal: Refusal::Moved });
        }
        let enqueued = match self.core.reconcile_run(run, &QueueAge::default()).await {
            // Its own message comes back to a worker that has the blueprint.
            Err(SessionError::Blueprint(_)) => Vec::new(),
            enqueued => enqueued?,
        };
        let status = self.read(run).await?.status();
        Ok(Done { run: run.clone(), status, enqueued })
    }
}
