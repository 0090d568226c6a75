//! What `--demo` shows: a temporary cluster with sample blueprints, runs in every state, and a
//! steady trickle of new ones.

mod blueprints;
mod dice;
mod folder;
mod history;
mod nodes;
mod order;
mod pace;
mod seed;
mod trickle;

use std::{
    future::Future,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use self::seed::Seeded;
use self::{
    folder::Folder,
    pace::{Pace, Speed},
};
use crate::{
    blueprint::{Library, RunId},
    cluster::{Cluster, ClusterError, Lifetime, SqliteOptions, SystemClock, sqlite_cluster_with},
    nodes::Registry,
    operations::OperationError,
    worker::{ReconcilerConfig, WorkerConfig},
};

/// A temporary cluster with sample blueprints and code for them. Its folder is deleted when it is
/// dropped: keep it until workers and dashboards on it have ended.
///
/// ```no_run
/// # async fn show() -> Result<(), Box<dyn std::error::Error>> {
/// use flowcraft_tui::{demo::Demo, worker::Worker};
///
/// let demo = Demo::open().await?;
/// let (cluster, library) = (demo.cluster().clone(), demo.library().clone());
/// let worker = Worker::new(cluster, library, demo.registry().clone(), demo.worker_config());
/// let filling = tokio::spawn(demo.play());
/// worker.run().await;
/// filling.abort();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Demo {
    cluster: Cluster,
    library: Library,
    registry: Registry,
    seed: u64,
    /// The number in the next run's id.
    next: Arc<AtomicU64>,
    /// Last: it goes after the cluster has.
    folder: Folder,
}

/// How a demo goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How many times faster nodes are than they would be: 1 for people, more for tests. Pauses
    /// between attempts and sleeps last as long as the blueprints say.
    pub speed: u32,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { seed: 1, speed: 1 }
    }
}

/// Why a demo can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is no place for its files, or no thread.
    #[error(
        "the demo needs a folder for temporary files: {0}; set TMPDIR to one that can be written"
    )]
    Folder(#[from] io::Error),
    /// Its cluster failed.
    #[error("the demo's cluster: {0}")]
    Cluster(#[from] ClusterError),
    /// A run could not be started or changed.
    #[error("the demo's runs: {0}")]
    Operation(#[from] OperationError),
    /// One of its blueprints is broken.
    #[error("the demo's blueprint \"{name}\": {reason}")]
    Blueprint {
        /// The blueprint.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A run of its past came to no end.
    #[error("the demo's run \"{0}\" did not come to where it should")]
    Stuck(RunId),
    /// Making up its past failed.
    #[error("the demo's past was not finished: {0}")]
    Past(#[from] tokio::task::JoinError),
}

impl Demo {
    /// Opens a demo. Its cluster is empty until [`Demo::fill`] or [`Demo::play`].
    pub async fn open() -> Result<Self, DemoError> {
        Self::open_with(DemoOptions::default()).await
    }

    /// Opens a demo with options.
    pub async fn open_with(options: DemoOptions) -> Result<Self, DemoError> {
        let folder = Folder::make()?;
        let path = folder.path().join("cluster.db");
        // It is thrown away in the end, so nothing has to wait for the disk.
        let options_of_file =
            SqliteOptions { lifetime: Lifetime::Temporary, ..SqliteOptions::default() };
        let cluster = sqlite_cluster_with(&path, Arc::new(SystemClock), options_of_file).await?;
        Ok(Self {
            cluster: Cluster { name: "demo".to_owned(), ..cluster },
            library: blueprints::library()?,
            registry: nodes::registry(options.seed, &Pace::real(Speed(options.speed))),
            seed: options.seed,
            next: Arc::new(AtomicU64::new(history::FIRST + history::RUNS)),
            folder,
        })
    }

    /// The folder that its files are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The sample blueprints.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Code for their nodes.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How a worker on the demo works: it reconciles late, which leaves its stalled runs to the
    /// person who looks at it.
    pub fn worker_config(&self) -> WorkerConfig {
        WorkerConfig {
            reconciler: Some(ReconcilerConfig {
                every: Duration::from_mins(10),
                ..ReconcilerConfig::default()
            }),
            ..WorkerConfig::named("demo-worker")
        }
    }

    /// Fills the cluster with a past: runs in every state, stalled ones, a lease of a dead worker,
    /// poison messages. To be called once.
    pub fn fill(&self) -> impl Future<Output = Result<Seeded, DemoError>> + Send + 'static {
        seed::fill(self.cluster.clone(), self.library.clone(), self.seed)
    }

    /// Starts a new run every few seconds, as long as not too many are under way. Never ends.
    pub fn trickle(&self) -> impl Future<Output = ()> + Send + 'static {
        trickle::trickle(self.cluster.clone(), self.library.clone(), self.seed, self.next.clone())
    }

    /// Fills the cluster, then lets runs trickle in: what to spawn beside a dashboard. Never ends.
    pub fn play(&self) -> impl Future<Output = ()> + Send + 'static {
        let (fill, trickle) = (self.fill(), self.trickle());
        async move {
            if let Err(error) = fill.await {
                tracing::warn!(%error, "the demo has no past");
            }
            trickle.await;
        }
    }
}

/// The number of the next run.
fn take_number(next: &AtomicU64) -> u64 {
    next.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
