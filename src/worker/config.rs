//! How a worker works.

use std::time::Duration;

use crate::blueprint::WorkerName;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Its name, unique in the cluster.
    pub name: WorkerName,
    /// How many nodes it runs at once.
    pub slots: usize,
    /// How often a message may fail before it goes to the poison queue.
    pub max_dequeue_count: u32,
    /// How long a lease, and a message's visibility timeout, lasts unless renewed.
    pub lease: Duration,
    /// How long to wait at most between two looks at an empty queue.
    pub poll_ceiling: Duration,
    /// How it reconciles; not at all without.
    pub reconciler: Option<ReconcilerConfig>,
    /// Makes its random choices repeatable. Without one they are not.
    pub seed: Option<u64>,
}

/// How a worker reconciles.
#[derive(Debug, Clone, Copy)]
pub struct ReconcilerConfig {
    /// How often.
    pub every: Duration,
    /// How long nothing must have moved in a run for it to count as stalled.
    pub stalled_after: Duration,
}

impl Default for ReconcilerConfig {
    fn default() -> Self {
        Self { every: Duration::from_mins(1), stalled_after: Duration::from_mins(5) }
    }
}

impl WorkerConfig {
    /// The defaults, under a name.
    pub fn named(name: impl Into<WorkerName>) -> Self {
        Self {
            name: name.into(),
            slots: 16,
            max_dequeue_count: 5,
            lease: Duration::from_mins(1),
            poll_ceiling: Duration::from_millis(500),
            reconciler: Some(ReconcilerConfig::default()),
            seed: None,
        }
    }
}
