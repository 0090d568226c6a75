//! The trait of the state store: the runs' documents and their status items.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Result;
use crate::{
    blueprint::{BlueprintId, RunId, WorkerName},
    engine::{Measure, Op, RunDocument, RunStatus, Timestamp},
};

/// Identifies one state of an item: its ETag. Only ever compared for equality.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What reading a run's document gives.
#[derive(Debug, Clone)]
pub enum ReadDocument {
    /// There is no such run.
    Missing,
    /// It is still in the state that the caller knows.
    Unchanged,
    /// What changed since the state that the caller knows, to be applied to it.
    Changes(Vec<Op>, Version),
    /// The whole document.
    Whole(Box<RunDocument>, Version),
}

/// A run's status item: what lists of runs show, kept apart from the document so that listing
/// stays cheap. The document decides; this follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusItem {
    /// The run.
    pub run_id: RunId,
    /// Its status. Nothing if a neighbour wrote a word that is not one.
    pub status: Option<RunStatus>,
    /// When it was last touched: whole seconds.
    pub last_updated: Timestamp,
    /// Its blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_id: Option<BlueprintId>,
    /// When it was started: whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// The first error, once it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run whose subflow this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// When the next timer is due: whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due_at: Option<Timestamp>,
    /// The worker that touched it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerName>,
    /// The result, once it has ended: `{"status","reason"?,"payload"?}`. Apart, so that the many
    /// items without one are small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_status: Option<Box<Value>>,
    /// What an operator may want to know beside that.
    #[serde(default, flatten)]
    pub remarks: Remarks,
}

impl StatusItem {
    /// Since when the run should move: it is running, or its timer is due. Nobody waits for it
    /// before its timer is, so that time may be still to come. Nothing if it has ended, or waits
    /// for an answer or another run. An item without a time counts as old.
    pub fn should_move_since(&self) -> Option<Timestamp> {
        match (self.status, self.next_due_at) {
            (Some(RunStatus::Running), None) => Some(self.last_updated),
            (Some(RunStatus::Running | RunStatus::Awaiting), Some(due)) => {
                Some(due.max(self.last_updated))
            }
            _ => None,
        }
    }

    /// Whether the run should move and has not for longer than `after`.
    pub fn is_stalled(&self, now: Timestamp, after: Duration) -> bool {
        self.should_move_since().is_some_and(|since| now.since(since) > after)
    }
}

/// What a run's status item says for operators only. Absent in items that others wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remarks {
    /// The version of the blueprint it was started with, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_version: Option<String>,
    /// How large its document is, in bytes as JSON; only from half of the limit on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_size: Option<u64>,
    /// What its document warns of, [`Remarks::MOST`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Remarks {
    /// How many warnings an item carries, and how long each may be, in characters.
    pub const MOST: usize = 3;
    /// See [`Self::MOST`].
    pub const LONGEST: usize = 300;
}

/// How many nodes a run has, and in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeCounts {
    /// Nodes of the blueprint and nodes created while running.
    pub total: u32,
    /// Completed ones.
    pub completed: u32,
    /// Failed ones.
    pub failed: u32,
}

/// A status item with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionedStatus {
    /// The item.
    pub item: StatusItem,
    /// Its version.
    pub version: Version,
}

/// Which status items to list.
#[derive(Debug, Clone, Default)]
pub struct StatusQuery {
    /// Only these statuses; all if empty.
    pub statuses: Vec<RunStatus>,
    /// Only this blueprint's.
    pub blueprint: Option<BlueprintId>,
    /// Only items that were written after this mark, oldest change first. Without one: newest
    /// start first.
    pub changed_after: Option<ChangeMark>,
    /// Only items last touched before this time (items without a time count as old).
    pub touched_before: Option<Timestamp>,
    /// Only items with a timer due before this time.
    pub due_before: Option<Timestamp>,
    /// Only runs started up to this time (to the second), and those without a start: for going on
    /// where a list ended.
    pub started_until: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
}

/// A place in the order in which status items were written: an opaque, growing number. Items written
/// at the same place as the mark may be listed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ChangeMark(pub i64);

/// A page of status items.
#[derive(Debug, Clone, Default)]
pub struct StatusPage {
    /// The items.
    pub items: Vec<VersionedStatus>,
    /// Where to go on for later changes: items written after this call are after it.
    pub mark: ChangeMark,
}

/// Run state: a document and a status item for each run.
///
/// Guarantees of every implementation:
/// - Each write is atomic, durable once it is reported, and guarded: it happens only if the item is
///   in the state that the caller names, else (also if there is no such item) it fails with
///   [`super::Fault::Conflict`] and changes nothing. One exception to durable: a power cut may undo
///   the last replacements of status items whose status is not final.
/// - A write that fails with [`super::Fault::Unavailable`] may have happened; so may one that fails
///   with [`super::Fault::Conflict`], where a store's own client repeats what it got no answer to.
///   Every other failure leaves everything as it was.
/// - A read sees every write that was reported before it was begun, by this process. It may lag
///   behind the writes of others by a moment.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Creates a run's document. Conflict if there is one.
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version>;

    /// Reads a run's document. `known` is the version of the document that the caller has in hand.
    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument>;

    /// Applies operations to the document that is in state `expected`. `after` is the document with
    /// the operations applied (stores that replace whole items write that).
    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version>;

    /// Creates a run's status item. Conflict if there is one.
    async fn create_status(&self, item: &StatusItem) -> Result<Version>;

    /// Reads a run's status item.
    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>>;

    /// Replaces the status item that is in state `expected`.
    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version>;

    /// Lists status items. May leave out their final status, which can be large.
    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage>;

    /// How large a document may become, in bytes as JSON.
    fn document_limit(&self) -> usize;

    /// What that limit is about.
    fn measure(&self) -> Measure {
        Measure::Item
    }
}
