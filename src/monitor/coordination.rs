//! Leases and heartbeats as sources.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use async_trait::async_trait;

use super::{
    cost::CostBook,
    snapshot::{LocksView, REFRESH_AGE, Snapshot, Sourced, WorkersView},
    source::Source,
};
use crate::{
    blueprint::WorkerName,
    cluster::{Clock, CoordinationStore, HeldLock, Meter, Result},
    engine::Timestamp,
};

/// How many leases are read at a time.
const LOCKS: usize = 10_000;

/// Asks for the leases that are held.
pub(super) struct LocksSource {
    store: Arc<dyn CoordinationStore>,
    clock: Arc<dyn Clock>,
    /// Holders that the list of workers did not have when they were first seen: since when, and what
    /// was found when the workers were asked for once more.
    strangers: BTreeMap<WorkerName, (Timestamp, Stranger)>,
}

/// A holder that the list of workers lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    /// It came since the list was made.
    New,
    /// It has no heartbeat.
    Gone,
}

impl LocksSource {
    pub(super) fn new(store: Arc<dyn CoordinationStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, strangers: BTreeMap::new() }
    }

    /// The holders that are not in the list of workers, and yet alive. Asks for the workers where
    /// there is a holder that nobody knows.
    async fn newcomers(
        &mut self,
        locks: &[HeldLock],
        workers: &Sourced<WorkersView>,
    ) -> Result<BTreeSet<WorkerName>> {
        let listed: HashSet<&WorkerName> =
            workers.data.workers.iter().map(|beat| &beat.name).collect();
        let holders = locks.iter().filter_map(|lock| lock.holder.as_ref());
        let unlisted: BTreeSet<&WorkerName> =
            holders.filter(|holder| !listed.contains(holder)).collect();
        self.strangers.retain(|name, (since, what)| {
            // A list that was made since has those that live.
            let listed_since = workers.updated_at.is_some_and(|at| at > *since);
            unlisted.contains(name) && (*what == Stranger::Gone || !listed_since)
        });
        if unlisted.iter().any(|name| !self.strangers.contains_key(*name)) {
            let now = self.clock.now();
            let alive = self.store.workers().await?;
            for name in unlisted {
                let found = alive.iter().any(|beat| beat.name == *name);
                let what = if found { Stranger::New } else { Stranger::Gone };
                self.strangers.insert(name.clone(), (now, what));
            }
        }
        let new = self.strangers.iter().filter(|(_, (_, what))| *what == Stranger::New);
        Ok(new.map(|(name, _)| name.clone()).collect())
    }
}

#[async_trait]
impl Source for LocksSource {
    type Data = LocksView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<LocksView> {
        &mut snapshot.locks
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<LocksView>> {
        let locks = self.store.locks(LOCKS).await?;
        let newcomers = self.newcomers(&locks, &current.workers).await?;
        let view = LocksView { more: locks.len() >= LOCKS, locks, newcomers };
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
