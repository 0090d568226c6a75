//! The snapshot: everything that is on the screen, with where it came from and how old it is.
//!
//! What is in it is also written to recordings (`crate::recording`): a new member of a part needs a
//! default for reading older ones, and a new part a line in the recording's table of parts.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{cost_view::CostView, detail::RunDetail, runs_view::RunsView, warnings::Warnings};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId, WorkerName},
    cluster::{DeadLetter, Heartbeat, HeldLock, Job, Peeked},
    engine::Timestamp,
    operations::{Letter, Symptom},
};

/// What is known about a cluster at one moment. Never changes; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the cluster is called.
    pub cluster: Arc<str>,
    /// Jobs waiting, and the poison queue.
    pub queue: Sourced<QueueView>,
    /// The runs.
    pub runs: Sourced<RunsView>,
    /// Leases that are held.
    pub locks: Sourced<LocksView>,
    /// Workers that are alive.
    pub workers: Sourced<WorkersView>,
    /// The run that is looked at closely, if one is.
    pub detail: Sourced<Option<RunDetail>>,
    /// What there is to look at.
    pub warnings: Sourced<Warnings>,
}

impl Snapshot {
    /// A snapshot of a cluster nothing is known about yet.
    pub fn empty(cluster: &str) -> Self {
        Self {
            cluster: Arc::from(cluster),
            queue: Sourced::default(),
            runs: Sourced::default(),
            locks: Sourced::default(),
            workers: Sourced::default(),
            detail: Sourced::default(),
            warnings: Sourced::default(),
        }
    }

    /// What is known about the holder of a lease.
    pub fn holder(&self, lock: &HeldLock) -> HolderState {
        match (&lock.holder, &self.workers.state) {
            (None, _) => HolderState::Foreign,
            (Some(_), SourceState::Loading) => HolderState::Unknown,
            (Some(worker), _) => {
                let listed = self.workers.data.workers.iter().any(|beat| beat.name == *worker);
                if listed || self.locks.data.newcomers.contains(worker) {
                    HolderState::Alive
                } else {
                    HolderState::Gone
                }
            }
        }
    }
}

/// What one source gave, and how it is.
#[derive(Debug, Clone)]
pub struct Sourced<T> {
    /// The last that it gave.
    pub data: Arc<T>,
    /// How it is.
    pub state: SourceState,
    /// When it last answered. While nothing changes this is brought up to date every ten seconds
    /// only, so that an idle cluster causes no drawing.
    pub updated_at: Option<Timestamp>,
    /// How long it took at least, the last few times, where that is too long. In tenths of a second.
    pub slow: Option<Duration>,
}

impl<T: Default> Default for Sourced<T> {
    fn default() -> Self {
        Self { data: Arc::default(), state: SourceState::Loading, updated_at: None, slow: None }
    }
}

/// How a source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SourceState {
    /// It has not answered yet.
    Loading,
    /// It answered when it was last asked.
    Live,
    /// It did not; the data is what it gave before.
    Stale {
        /// Why not. Never a secret.
        error: Arc<str>,
        /// When it will be asked again.
        next_try: Timestamp,
    },
}

/// The job queue and the poison queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueView {
    /// Messages waiting, hidden and delayed ones too. Approximate.
    pub depth: u64,
    /// When the oldest visible message was sent.
    pub oldest: Option<Timestamp>,
    /// Messages in the poison queue.
    pub poison: u64,
    /// The next visible messages.
    pub next: Vec<QueuedJob>,
    /// The first messages of the poison queue.
    pub dead_letters: Vec<DeadLetterRow>,
    /// The depth at the last looks, oldest first, [`QueueView::HISTORY`] at most.
    pub history: Vec<u64>,
    /// Nodes that this program's workers finish a second, once that is known.
    pub completions: Option<f64>,
    /// Jobs that arrive a second: what was finished and what the queue grew by.
    pub arrivals: Option<f64>,
}

impl QueueView {
    /// How many depths are kept.
    pub const HISTORY: usize = 120;
}

/// A message of the job queue that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedJob {
    /// The message's id.
    pub message_id: String,
    /// The run, node and blueprint it names; nothing if it is not a job.
    pub job: Option<(RunId, NodeId, BlueprintId)>,
    /// When it was sent.
    pub inserted_at: Timestamp,
    /// How often it has been received.
    pub dequeue_count: u32,
}

/// A message of the poison queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "PoisonMessage", into = "PoisonMessage")]
pub struct DeadLetterRow {
    /// The message's id: what replay and purge name.
    pub message_id: String,
    /// When it was put there.
    pub inserted_at: Timestamp,
    /// How often it was received there.
    pub dequeue_count: u32,
    /// What it says; nothing if it was put there by another program.
    pub letter: Option<DeadLetter>,
    /// The job in it, if it is one.
    pub job: Option<Job>,
    /// Its body as it is.
    pub body: String,
    /// What went wrong.
    pub symptom: Symptom,
}

/// A message of the poison queue as it is written: the rest is in its body.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PoisonMessage {
    message_id: String,
    inserted_at: Timestamp,
    dequeue_count: u32,
    body: String,
}

impl From<PoisonMessage> for DeadLetterRow {
    fn from(message: PoisonMessage) -> Self {
        let PoisonMessage { message_id, inserted_at, dequeue_count, body } = message;
        Self::new(message_id, inserted_at, dequeue_count, body)
    }
}

impl From<DeadLetterRow> for PoisonMessage {
    fn from(row: DeadLetterRow) -> Self {
        let DeadLetterRow { message_id, inserted_at, dequeue_count, body, .. } = row;
        Self { message_id, inserted_at, dequeue_count, body }
    }
}

impl DeadLetterRow {
    /// The row of a message with this body.
    pub fn new(
        message_id: String,
        inserted_at: Timestamp,
        dequeue_count: u32,
        body: String,
    ) -> Self {
        let message = Peeked { message_id, body, dequeue_count, inserted_at };
        let letter = Letter::from(message);
        let job = letter.job();
        let Letter { id, inserted_at, dequeue_count, letter, body, symptom } = letter;
        Self { message_id: id, inserted_at, dequeue_count, letter, job, body, symptom }
    }

    /// When its job failed, as it says itself; else when it was put there.
    pub fn failed_at(&self) -> Timestamp {
        let failed_at = self.letter.as_ref().map(|letter| letter.failed_at.as_str());
        failed_at.and_then(Timestamp::parse_rfc3339).unwrap_or(self.inserted_at)
    }
}

/// The leases that are held.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocksView {
    /// They, soonest to end first.
    pub locks: Vec<HeldLock>,
    /// Whether there are more than were read.
    pub more: bool,
    /// Holders that are alive although the list of workers, which is asked for less often, does not
    /// have them yet.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub newcomers: BTreeSet<WorkerName>,
}

/// The workers that are alive.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkersView {
    /// They, by name.
    pub workers: Vec<Heartbeat>,
    /// What they ask of the services, and what this dashboard does.
    pub cost: CostView,
}

impl WorkersView {
    /// How many nodes they have run in total.
    pub fn done(&self) -> u64 {
        self.workers.iter().map(|worker| worker.done).sum()
    }
}

/// What is known about the holder of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderState {
    /// A worker whose heartbeat lives.
    Alive,
    /// A worker without a heartbeat.
    Gone,
    /// Not a worker of this program: nobody can tell.
    Foreign,
    /// The workers have not been read yet.
    Unknown,
}

/// A duration after which unchanged data is published again, for the sake of its age.
pub(super) const REFRESH_AGE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_as_old_as_its_failure() {
        let (failed, inserted) = (Timestamp::from_seconds(1_000), Timestamp::from_seconds(9_000));
        let letter = DeadLetter::new("junk", "for a reason", 5, failed, "w".into());
        let mut row = DeadLetterRow::new("m".into(), inserted, 0, letter.encode());
        assert_eq!(row.failed_at(), failed);
        if let Some(letter) = &mut row.letter {
            letter.failed_at = "yesterday".to_owned();
        }
        assert_eq!(row.failed_at(), inserted, "what it says is no time");
        row.letter = None;
        assert_eq!(row.failed_at(), inserted, "it says nothing");
    }
}
