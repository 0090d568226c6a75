//! Leases and heartbeats as sources.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    cost::CostBook,
    snapshot::{LocksView, REFRESH_AGE, Snapshot, Sourced, WorkersView},
    source::Source,
};
use crate::{
    cluster::{Clock, CoordinationStore, Meter, Result},
    engine::Timestamp,
};

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
pub(super) struct WorkersSource {
    store: Arc<dyn CoordinationStore>,
    clock: Arc<dyn Clock>,
    book: CostBook,
    reckoned_at: Timestamp,
}

impl WorkersSource {
    /// The meter counts what this dashboard asks.
    pub(super) fn new(
        store: Arc<dyn CoordinationStore>,
        clock: Arc<dyn Clock>,
        meter: Meter,
    ) -> Self {
        let now = clock.now();
        Self { book: CostBook::new(meter, now), reckoned_at: now, store, clock }
    }
}

#[async_trait]
impl Source for WorkersSource {
    type Data = WorkersView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<WorkersView> {
        &mut snapshot.workers
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<WorkersView>> {
        let workers = self.store.workers().await?;
        let before = &current.workers.data;
        let now = self.clock.now();
        // What this dashboard asks changes all the time: that alone is no news.
        let is_due = before.cost.dashboard.is_none()
            || workers != before.workers
            || now.since(self.reckoned_at) >= REFRESH_AGE;
        let cost = if is_due {
            self.reckoned_at = now;
            self.book.reckon(&workers, now)
        } else {
            before.cost.clone()
        };
        let view = WorkersView { workers, cost };
        Ok(Some(view).filter(|view| *view != **before))
    }
}
