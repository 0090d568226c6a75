//! Filling the demo's cluster.

use std::time::Duration;

use futures::future::try_join_all;

use super::{
    DemoError,
    history::{self, History},
};
use crate::{
    blueprint::{Library, NodeId, RunId, WorkerName},
    cluster::{Cluster, Holder, Key, Lane},
};

/// The worker that died with a lease in its hands, and how long that lease lasts.
const DEAD_WORKER: &str = "worker-7";
const LEASE_LEFT: Duration = Duration::from_mins(4);

/// What a demo's cluster has to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    /// Runs that are stalled because their message is gone: reconciling mends them.
    pub stalled: Vec<RunId>,
    /// Nodes leased by a worker that is dead: their runs are stalled until the lease ends, in four
    /// minutes, or is broken.
    pub orphaned: Vec<(RunId, NodeId)>,
    /// Failed runs whose message is in the poison queue: replaying it mends them. Beside it is one
    /// that is no job, and can only be purged.
    pub poisoned: Vec<RunId>,
}

/// Fills a cluster with a past.
pub(super) async fn fill(
    cluster: Cluster,
    library: Library,
    seed: u64,
) -> Result<Seeded, DemoError> {
    let now = cluster.clock.now();
    let History { runs, poison, timers, orphaned, stalled, poisoned } =
        tokio::task::spawn_blocking(move || history::play(&library, seed, now)).await??;
    // Leases first: a worker that is there already must not take them for free.
    for (nonce, (run, node)) in (1..).zip(&orphaned) {
        let holder = Holder::new(&WorkerName::from(DEAD_WORKER), nonce);
        cluster.coordination.acquire(&Key::node_lock(run, node), &holder, LEASE_LEFT).await?;
    }
    let state = &cluster.state;
    // All at once: they share the waits for the disk.
    try_join_all(runs.iter().map(|(status, document)| async move {
        state.create_status(status).await?;
        state.create_document(&status.run_id, document).await
    }))
    .await?;
    cluster.queue.send_all(Lane::Poison, poison).await?;
    for (job, due) in timers {
        let delay = cluster.clock.now().until(due);
        cluster.queue.send(Lane::Jobs, job.encode(), delay).await?;
    }
    Ok(Seeded { stalled, orphaned, poisoned })
}
