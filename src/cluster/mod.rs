//! Where jobs, run state and leases live: the three traits, and their implementations.

mod azure;
mod clock;
#[doc(hidden)]
pub mod contract;
mod coordination;
mod error;
mod job;
mod memory;
pub(crate) mod meter;
mod metered;
mod queue;
mod sqlite;
mod state;

use std::{fmt, sync::Arc};

pub use azure::{
    AzureServices, AzureSettings, BadConnectionString, ContainerCheck, CosmosConnection,
    CosmosFinding, CosmosNames, CosmosStore, Provisioned, QueueCheck, QueueHealth, RedisCheck,
    RedisConnection, RedisCoordinationStore, RedisIdentity, StorageConnection, StorageQueue,
    Unreadable,
};
pub use clock::{Clock, SystemClock, TokioClock};
pub use coordination::{
    Acquired, CoordinationStore, Heartbeat, HeldLock, Holder, Key, Ownership, WorkerMode,
};
pub use error::{ClusterError, Fault, Result, Service};
pub(crate) use job::message_text;
pub use job::{BadJob, DeadLetter, Job};
pub use memory::memory_cluster;
pub use meter::{BlueprintTally, CostReport, Meter, PerService, RequestUnits, Tally};
pub use queue::{
    Delivery, Depth, JobQueue, Lane, MAX_RECEIVE, MAX_VISIBILITY, Peeked, QUEUE_NAME, Receipt,
};
pub use sqlite::{Lifetime, SqliteOptions, sqlite_cluster, sqlite_cluster_with};
pub use state::{
    ChangeMark, NodeCounts, ReadDocument, Remarks, StateStore, StatusItem, StatusPage, StatusQuery,
    Version, VersionedStatus,
};

/// How large a document may become on the clusters that need nothing but this program, in bytes as
/// JSON: 2 MiB, what Cosmos DB takes, so that a run moves there unchanged.
pub(crate) const DOCUMENT_LIMIT: usize = 2 * 1024 * 1024;

/// Who else works on a cluster, beside workers of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// Nobody can.
    None,
    /// JavaScript workers may: fan-in counters and join locks are kept up for them.
    JavaScript,
}

/// One of each service: everything that workers and dashboards share.
#[derive(Clone)]
pub struct Cluster {
    /// Jobs waiting to run.
    pub queue: Arc<dyn JobQueue>,
    /// Run state.
    pub state: Arc<dyn StateStore>,
    /// Leases, counters, heartbeats.
    pub coordination: Arc<dyn CoordinationStore>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who else works on it.
    pub neighbours: Neighbours,
    /// What to call it on the screen, such as the path of its file. Never a secret.
    pub name: String,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.name).finish_non_exhaustive()
    }
}
