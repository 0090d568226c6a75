//! The monitor's background tasks and the handle to them.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    coordination::{LocksSource, WorkersSource},
    detail::DetailSource,
    queue::QueueSource,
    runs::RunsSource,
    snapshot::Snapshot,
    source::{Board, Timing, run},
    warnings::WarningLimits,
    watch::WarningsSource,
};
use crate::{
    blueprint::{Blueprint, BlueprintId, RunId},
    cluster::{Cluster, Meter},
};

/// Finds the blueprint of an id, where it is loaded.
pub type BlueprintLookup = Arc<dyn Fn(&BlueprintId) -> Option<Arc<Blueprint>> + Send + Sync>;

/// How the monitor looks.
#[derive(Debug, Clone, Copy)]
pub struct MonitorConfig {
    /// A running run that nobody touched for this long is stalled.
    pub stalled_after: Duration,
    /// How often each source is asked.
    pub intervals: Intervals,
    /// How long one look may take.
    pub timeout: Duration,
    /// How long leases last: one with little of that left should have been renewed.
    pub lease: Duration,
    /// How many runs are kept; the oldest finished ones are dropped above that.
    pub max_runs: usize,
}

/// How often each source is asked: the pause after an answer. While nothing changes it grows to two
/// and a half seconds.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// Queue and poison queue.
    pub queue: Duration,
    /// Runs.
    pub runs: Duration,
    /// Leases.
    pub locks: Duration,
    /// Heartbeats.
    pub workers: Duration,
    /// The run that is looked at.
    pub detail: Duration,
    /// What the others gave, for warnings.
    pub warnings: Duration,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            stalled_after: Duration::from_mins(5),
            intervals: Intervals::default(),
            timeout: Duration::from_secs(10),
            lease: Duration::from_mins(1),
            max_runs: 100_000,
        }
    }
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            queue: Duration::from_secs(1),
            runs: Duration::from_secs(1),
            locks: Duration::from_secs(1),
            workers: Duration::from_secs(2),
            detail: Duration::from_millis(500),
            warnings: Duration::from_secs(1),
        }
    }
}

/// Watches a cluster.
pub struct Monitor;

impl Monitor {
    /// Starts watching: one task a source, which all end when the last clone of the handle is
    /// dropped. Must be called within a tokio runtime.
    pub fn spawn(
        cluster: Cluster,
        config: MonitorConfig,
        library: BlueprintLookup,
    ) -> MonitorHandle {
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty(&cluster.name)));
        let (watched, watching) = watch::channel(None);
        let (wake, waking) = watch::channel(());
        let cancel = CancellationToken::new();
        let board = Board {
            snapshots: Arc::new(snapshots),
            clock: cluster.clock.clone(),
            cancel: cancel.clone(),
            stirred: Arc::default(),
        };
        let meter = Meter::default();
        let Cluster { queue, state, coordination, clock, .. } = cluster;
        let every = |interval| Timing { interval, timeout: config.timeout };
        let at = config.intervals;
        let runs =
            RunsSource::new(state.clone(), clock.clone(), config.stalled_after, config.max_runs);
        let limits =
            WarningLimits::usual(config.stalled_after, config.lease, state.document_limit());
        let warnings = WarningsSource::new(clock.clone(), library.clone(), limits);
        let detail = DetailSource::new(state, library, watching.clone());
        let workers = WorkersSource::new(coordination.clone(), clock.clone(), meter.clone());
        let queue = QueueSource::new(queue, clock.clone());
        let locks = LocksSource::new(coordination, clock);
        let (here, wakes) = (|| board.clone(), || waking.clone());
        tokio::spawn(meter.overhead(run(queue, every(at.queue), here(), wakes())));
        tokio::spawn(run(warnings, every(at.warnings), here(), wakes()));
        tokio::spawn(meter.overhead(run(runs, every(at.runs), here(), wakes())));
        tokio::spawn(meter.overhead(run(locks, every(at.locks), here(), wakes())));
        tokio::spawn(meter.overhead(run(workers, every(at.workers), here(), wakes())));
        tokio::spawn(meter.overhead(run(detail, every(at.detail), board, watching)));
        let guard = Arc::new(cancel.drop_guard());
        MonitorHandle { snapshots: receiver, watched, wake, meter, _guard: guard }
    }
}

/// What the monitor publishes, and how to steer it.
#[derive(Clone)]
pub struct MonitorHandle {
    /// The latest snapshot. A new one is published only when something changed.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    watched: watch::Sender<Option<RunId>>,
    wake: watch::Sender<()>,
    meter: Meter,
    _guard: Arc<DropGuard>,
}

impl MonitorHandle {
    /// A handle to snapshots that somebody else publishes, who hears which run is looked at.
    pub(crate) fn of(
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> (Self, watch::Receiver<Option<RunId>>) {
        let (watched, watching) = watch::channel(None);
        let (wake, _) = watch::channel(());
        let guard = Arc::new(CancellationToken::new().drop_guard());
        (Self { snapshots, watched, wake, meter: Meter::default(), _guard: guard }, watching)
    }

    /// Looks at one run closely from now on, or at none.
    pub fn watch_run(&self, run: Option<RunId>) {
        self.watched.send_replace(run);
    }

    /// Counts what this dashboard asks of the services: the monitor, and whoever works for an
    /// operator on this account.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Asks the sources of the whole cluster now, and often again while things change: somebody is
    /// looking.
    pub fn stir(&self) {
        self.wake.send_replace(());
    }

    /// Asks every source now.
    pub fn refresh(&self) {
        self.wake.send_replace(());
        self.watched.send_modify(|_| {});
    }
}

impl fmt::Debug for MonitorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorHandle").finish_non_exhaustive()
    }
}
