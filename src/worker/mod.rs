//! The loop that ties blueprints, engine, nodes and cluster together: receive, lease, execute,
//! commit, continue; timers; the reconciler.

mod chain;
mod children;
mod config;
pub(crate) mod core;
mod exchange;
mod execute;
mod graphs;
mod heartbeat;
mod known;
mod lease;
mod neighbours;
mod overwritten;
mod patience;
mod poison;
mod receive;
pub(crate) mod reconciler;
mod route_unknown;
pub(crate) mod session;
pub(crate) mod status;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

pub use self::{
    config::{ReconcilerConfig, WorkerConfig},
    graphs::UnusableBlueprint,
    reconciler::{ReconcileReport, ReconciledRun},
    route_unknown::RouteUnknown,
    session::SessionError,
};
pub(crate) use self::{execute::NOTHING_IMPLEMENTS, heartbeat::TTL as HEARTBEAT};
use crate::{
    blueprint::{BlueprintId, Library, WorkerName},
    cluster::{Cluster, Meter, Service, WorkerMode},
    engine::{Continuation, Timestamp},
    nodes::Registry,
};

/// A worker: takes jobs from the cluster's queue and does them. Cloning gives another handle to the
/// same worker.
#[derive(Debug, Clone)]
pub struct Worker {
    pub(crate) core: core::Core,
    registry: Registry,
    config: Arc<WorkerConfig>,
    mode: Arc<watch::Sender<WorkerMode>>,
    counts: Arc<Counts>,
    started_at: Timestamp,
    meter: Meter,
}

#[derive(Debug, Default)]
struct Counts {
    in_flight: AtomicUsize,
    done: AtomicU64,
}

/// How a worker fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its name.
    pub name: WorkerName,
    /// Whether it takes new jobs.
    pub mode: WorkerMode,
    /// How many chains it can run at once.
    pub slots: usize,
    /// How many it is running.
    pub in_flight: usize,
    /// How many nodes it has run.
    pub done: u64,
    /// The services whose last call failed for a passing reason, with what they said.
    pub ill: BTreeMap<Service, String>,
}

impl Worker {
    /// A worker on a cluster. It does nothing until [`Worker::run`].
    pub fn new(
        cluster: Cluster,
        library: Library,
        registry: Registry,
        config: WorkerConfig,
    ) -> Self {
        let started_at = cluster.clock.now();
        let core = core::Core::new(cluster, library, config.name.clone(), config.seed);
        Self {
            core,
            registry,
            config: Arc::new(config),
            mode: Arc::new(watch::Sender::new(WorkerMode::Running)),
            counts: Arc::default(),
            started_at,
            meter: Meter::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &WorkerName {
        &self.config.name
    }

    /// What it asks of the services.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How it fares now.
    pub fn status(&self) -> WorkerStatus {
        WorkerStatus {
            name: self.config.name.clone(),
            mode: *self.mode.borrow(),
            slots: self.config.slots,
            in_flight: self.counts.in_flight.load(Ordering::Relaxed),
            done: self.counts.done.load(Ordering::Relaxed),
            ill: self.core.patience().ill().borrow().clone(),
        }
    }

    /// Takes no new jobs until [`Worker::go_on`]. What is running goes on.
    pub fn pause(&self) {
        self.change_mode(WorkerMode::Paused);
    }

    /// Takes new jobs again after [`Worker::pause`].
    pub fn go_on(&self) {
        self.change_mode(WorkerMode::Running);
    }

    /// Takes no new jobs any more: [`Worker::run`] returns once what is running has ended.
    pub fn drain(&self) {
        self.change_mode(WorkerMode::Draining);
    }

    fn change_mode(&self, new: WorkerMode) {
        self.mode.send_if_modified(|mode| {
            // A worker that drains does not come back.
            let changes = *mode != new && *mode != WorkerMode::Draining;
            if changes {
                *mode = new;
            }
            changes
        });
    }

    /// Whether a chain may go on by itself: not on a worker that is to end.
    fn continuation(&self) -> Continuation {
        match *self.mode.borrow() {
            WorkerMode::Running => Continuation::Inline,
            WorkerMode::Paused | WorkerMode::Draining => Continuation::Enqueue,
        }
    }

    fn count_done(&self, blueprint: &BlueprintId) {
        self.counts.done.fetch_add(1, Ordering::Relaxed);
        self.meter.node_done(blueprint);
    }
}
