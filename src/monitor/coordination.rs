//! Leases and heartbeats as sources.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    snapshot::{LocksView, Snapshot, Sourced, WorkersView},
    source::Source,
};
use crate::cluster::{CoordinationStore, Result};

/// How many leases are read at a time.
const LOCKS: usize = 10_000;

/// Asks for the leases that are held.
pub(super) struct LocksSource(pub(super) Arc<dyn CoordinationStore>);

#[async_trait]
impl Source for LocksSource {
    type Data = LocksView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<LocksView> {
        &mut snapshot.locks
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<LocksView>> {
        let locks = self.0.locks(LOCKS).await?;
        let view = LocksView { more: locks.len() >= LOCKS, locks };
        Ok(Some(view).filter(|view| *view != *current.locks.data))
    }
}

/// Asks for the workers that are alive.
pub(super) struct WorkersSource(pub(super) Arc<dyn CoordinationStore>);

#[async_trait]
impl Source for WorkersSource {
    type Data = WorkersView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<WorkersView> {
        &mut snapshot.workers
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<WorkersView>> {
        let view = WorkersView { workers: self.0.workers().await? };
        Ok(Some(view).filter(|view| *view != *current.workers.data))
    }
}
