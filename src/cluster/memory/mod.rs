//! A cluster in this process's memory: for a single run, for tests and for simulations.
//!
//! Everything is deterministic: ordered maps, counters instead of random ids, and no time but the
//! given clock's. No call waits, and none starts a thread.

mod coordination;
mod queue;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::{coordination::MemoryCoordination, queue::MemoryQueue, state::MemoryState};
use super::{Clock, Cluster, Neighbours, metered::Metered};

/// A fresh, empty cluster in memory. It is gone with its last clone.
///
/// Documents may have up to 2 MiB as JSON, as on the other clusters.
pub fn memory_cluster(clock: Arc<dyn Clock>) -> Cluster {
    Cluster {
        queue: Metered::over(Arc::new(MemoryQueue::new(clock.clone()))),
        state: Metered::over(Arc::new(MemoryState::default())),
        coordination: Metered::over(Arc::new(MemoryCoordination::new(clock.clone()))),
        clock,
        neighbours: Neighbours::None,
        name: "memory".to_owned(),
    }
}

/// Locks a store. A panic elsewhere can't leave one half changed: no code of a store panics
/// between two changes that belong together.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
