//! The trait of the coordination store: leases, counters, heartbeats.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{CostReport, Result};
use crate::{
    blueprint::{NodeId, RunId, WorkerName},
    engine::Timestamp,
};

/// A key of the coordination store. The texts are shared with JavaScript workers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The lease of a node: its holder is running it.
    pub fn node_lock(run: &RunId, node: &NodeId) -> Self {
        Self(format!("flowcraft:nodelock:{run}:{node}"))
    }

    /// Set once an `any` join has fired.
    pub fn join_lock(run: &RunId, node: &NodeId) -> Self {
        Self(format!("flowcraft:joinlock:{run}:{node}"))
    }

    /// How many predecessors of an `all` join have finished.
    pub fn fan_in(run: &RunId, node: &NodeId) -> Self {
        Self(format!("flowcraft:fanin:{run}:{node}"))
    }

    /// Set once this source has been counted for a join in this iteration.
    pub fn fan_in_seen(run: &RunId, node: &NodeId, source: &NodeId, iteration: u32) -> Self {
        Self(format!("flowcraft:fanin:seen:{run}:{node}:{source}:{iteration}"))
    }

    /// Set when a predecessor of an `all` join failed.
    pub fn fan_in_poison(run: &RunId, node: &NodeId) -> Self {
        Self(format!("flowcraft:fanin:poison:{run}:{node}"))
    }

    /// Set when a predecessor of an `any` join failed.
    pub fn fan_in_cancel(run: &RunId, node: &NodeId) -> Self {
        Self(format!("flowcraft:fanin:cancel:{run}:{node}"))
    }

    /// Holds the id of a run's blueprint.
    pub fn blueprint(run: &RunId) -> Self {
        Self(format!("flowcraft:blueprint:{run}"))
    }

    /// The lease of the reconciler: one at a time in the cluster.
    pub fn reconciler() -> Self {
        Self("flowcraft:reconciler".to_owned())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the lease of a node or the reconciler's.
    pub(crate) fn is_lease(&self) -> bool {
        self.0.starts_with("flowcraft:nodelock:") || *self == Self::reconciler()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The value of a lease: the worker that holds it, and a part that tells this acquisition from any
/// other. Written as `worker:<name>#<random>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder(String);

impl Holder {
    /// The value for one acquisition by a worker; `nonce` must never be used twice.
    pub fn new(worker: &WorkerName, nonce: u64) -> Self {
        Self(format!("worker:{worker}#{nonce:016x}"))
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The worker in a lease's value, if it is one of ours: JavaScript workers write other texts,
    /// and those only mark a job as enqueued.
    pub fn worker_of(value: &str) -> Option<&str> {
        let rest = value.strip_prefix("worker:")?;
        Some(rest.rsplit_once('#').map_or(rest, |(worker, _)| worker))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The answer to an attempt to take a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours now.
    Yes,
    /// Another worker holds it.
    HeldBy(String),
}

/// Whether a lease was still ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It was.
    Ours,
    /// It expired, or somebody else has it.
    Lost,
}

/// A lease that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldLock {
    /// Its key.
    pub key: String,
    /// The run, if it is the lease of a node.
    pub run_id: Option<RunId>,
    /// The node, likewise.
    pub node_id: Option<NodeId>,
    /// Its value.
    pub value: String,
    /// The worker in the value; nothing if it is not one of ours.
    pub holder: Option<WorkerName>,
    /// When it ends unless renewed.
    pub expires_at: Timestamp,
}

/// What a worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Its name.
    pub name: WorkerName,
    /// The machine it runs on.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// How many nodes it can run at once.
    pub slots: u32,
    /// How many it is running.
    pub in_flight: u32,
    /// How many it has run.
    pub done: u64,
    /// Whether it takes new jobs.
    pub mode: WorkerMode,
    /// When it said so, by its own clock. Unknown of older workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// What it asks of the services; nothing from a version that does not say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_understood")]
    pub cost: Option<CostReport>,
}

/// A report as far as it can be read: one of another version must not hide the worker.
fn if_understood<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<CostReport>, D::Error> {
    let report = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(report.and_then(|report| serde_json::from_value(report).ok()))
}

/// Whether a worker takes new jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerMode {
    /// It does.
    Running,
    /// Not until it is told to go on.
    Paused,
    /// Never again: it finishes what it has and ends.
    Draining,
}

/// Leases, counters and heartbeats.
///
/// Guarantees of every implementation:
/// - Each call is atomic for its key. What it does is gone after the time to live at the latest;
///   it may be gone earlier if the store loses data, so nothing that must be right rests on it
///   alone: a lease keeps two workers from doing the same work, the document decides whose work
///   counts.
/// - A call that fails with [`super::Fault::Unavailable`] may have happened. Acquiring again with
///   the same holder then succeeds.
#[async_trait]
pub trait CoordinationStore: Send + Sync {
    /// Takes a lease for `ttl`: if it is free, if `holder` has it already, or if its value is not
    /// a worker's (a JavaScript reconciler's mark).
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired>;

    /// Extends a lease to `ttl` from now, if it is still `holder`'s.
    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership>;

    /// Gives a lease back, if it is still `holder`'s.
    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership>;

    /// Deletes a lease whose value is exactly `value`, whoever holds it.
    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership>;

    /// The value of a key, if it has one.
    async fn get(&self, key: &Key) -> Result<Option<String>>;

    /// Sets a key for `ttl` if it has no value. Returns whether it did.
    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool>;

    /// Adds one to a counter and has it live for `ttl` from now. Returns the new count.
    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64>;

    /// Deletes keys, those that exist.
    async fn remove(&self, keys: &[Key]) -> Result<()>;

    /// Up to `limit` node leases and the reconciler's, soonest to end first.
    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>>;

    /// Says that a worker is alive, for `ttl`.
    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()>;

    /// Says that a worker has ended.
    async fn leave(&self, worker: &WorkerName) -> Result<()>;

    /// The workers that are alive, by name.
    async fn workers(&self) -> Result<Vec<Heartbeat>>;
}

impl HeldLock {
    /// Describes a lease from its key and value.
    pub fn describe(key: &str, value: &str, expires_at: Timestamp) -> Self {
        let (run_id, node_id) = key
            .strip_prefix("flowcraft:nodelock:")
            .and_then(|rest| rest.split_once(':'))
            .map_or((None, None), |(run, node)| (Some(run.into()), Some(node.into())));
        Self {
            key: key.to_owned(),
            run_id,
            node_id,
            value: value.to_owned(),
            holder: Holder::worker_of(value).map(WorkerName::from),
            expires_at,
        }
    }
}
