//! What an operator can do: start, requeue, reconcile, answer, cancel, replay dead letters, release
//! leases; and ask what a run is doing and why it is not moving.
//!
//! What changes a run is planned first: a [`Plan`] can be shown, and is applied only to the document
//! that it was made from.

mod canary;
mod dead_letters;
mod explain;
mod in_memory;
mod letter_groups;
mod letter_walk;
mod masked;
mod plan;
mod progress;
mod prospect;
mod release;
mod replay;
mod replay_plan;
mod rest;
mod start;
mod symptom;
mod view;

use crate::{
    blueprint::{BadRunId, BlueprintId, Issue, Library, RunId, WorkerName},
    cluster::{Cluster, ClusterError},
    engine::Refusal,
    worker::{SessionError, Worker, core::Core},
};

pub use self::{
    canary::{CanaryReport, CanaryVerdict},
    dead_letters::{Cut, Letter, Letters, Reach},
    explain::{Bearing, Cause, CauseKind, Confidence, HeldNode, Mend, Remedy, Wanted},
    in_memory::run_in_memory,
    letter_groups::{Grouped, LetterGroup, group_letters},
    plan::{Change, Done, Plan},
    progress::{Oversight, Progress},
    prospect::Prospect,
    release::Release,
    replay::ReplayReport,
    replay_plan::{CANARY_LIMIT, CanaryRule, Part, ReplayOrder, ReplayPlan, ReplayStep},
    rest::{Glance, Rest},
    start::{Lint, StartRequest, Started},
    symptom::{BadFingerprint, Fingerprint, ReasonKind, Symptom},
    view::{NodeError, NodeLine, NodeStanding, RunView},
};

/// What an operator can do on a cluster. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    core: Core,
}

/// Why an operation could not be carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OperationError {
    /// A service failed.
    #[error(transparent)]
    Cluster(ClusterError),
    /// The run could not be read or changed.
    #[error(transparent)]
    Session(SessionError),
    /// The run has a status item, and nothing else.
    #[error("run \"{0}\" has no document: it never began, or somebody deleted it")]
    NoDocument(RunId),
    /// The run's document does not allow it.
    #[error("run \"{run}\": {refusal}")]
    Refused {
        /// The run.
        run: RunId,
        /// Why.
        refusal: Refusal,
    },
    /// The blueprint is not loaded.
    #[error("blueprint \"{id}\" is not loaded{}", did_you_mean(.near.as_ref()))]
    UnknownBlueprint {
        /// The one asked for.
        id: BlueprintId,
        /// The one that was perhaps meant.
        near: Option<BlueprintId>,
    },
    /// The blueprint can't work.
    #[error("blueprint \"{id}\" can't work: {}", first(.issues))]
    Lint {
        /// The blueprint.
        id: BlueprintId,
        /// What is wrong with it.
        issues: Vec<Issue>,
    },
    /// The run id can't be used.
    #[error("\"{id}\" can't be a run id: {problem}")]
    RunId {
        /// The id.
        id: String,
        /// Why not.
        problem: BadRunId,
    },
    /// The run id is taken by a run with another blueprint or input.
    #[error(
        "run \"{run}\" exists already with another {what}: choose another id, or leave it out to get a new one"
    )]
    Exists {
        /// The run.
        run: RunId,
        /// What differs.
        what: &'static str,
    },
    /// No dead letter has that id.
    #[error("there is no dead letter \"{0}\" in the poison queue")]
    NoSuchLetter(String),
    /// The dead letter with that id is not a job.
    #[error("dead letter \"{0}\" is not a job and can't be replayed: purge it")]
    NotAJob(String),
    /// Replaying the dead letter with that id does nothing, or would send it to another queue than
    /// it came from.
    #[error("dead letter \"{id}\" is not replayed: {why}")]
    NotReplayed {
        /// The letter.
        id: String,
        /// Why not.
        why: Prospect,
    },
}

impl OperationError {
    /// Whether the run has moved since the plan was made.
    pub(crate) fn has_moved(&self) -> bool {
        matches!(self, Self::Refused { refusal: Refusal::Moved, .. })
    }

    /// That a letter which was named stays where it is.
    pub(crate) fn not_replayed(id: String, why: &Prospect) -> Self {
        match why {
            Prospect::NotAJob => Self::NotAJob(id),
            why => Self::NotReplayed { id, why: why.clone() },
        }
    }
}

fn did_you_mean(near: Option<&BlueprintId>) -> String {
    near.map(|near| format!(": did you mean \"{near}\"?")).unwrap_or_default()
}

fn first(issues: &[Issue]) -> String {
    let more = issues.len().saturating_sub(1);
    let first = issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}

impl From<ClusterError> for OperationError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<SessionError> for OperationError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Cluster(error) => Self::Cluster(error),
            error => Self::Session(error),
        }
    }
}

impl Operations {
    /// Operations on a cluster, by somebody with this name.
    pub fn new(cluster: Cluster, library: Library, name: impl Into<WorkerName>) -> Self {
        Self { core: Core::new(cluster, library, name.into(), None) }
    }

    /// Operations in the process of a worker: they share what it knows of the runs.
    pub fn beside(worker: &Worker) -> Self {
        Self { core: worker.core.clone() }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        self.core.cluster()
    }

    /// The loaded blueprints.
    pub fn library(&self) -> &Library {
        self.core.graphs().library()
    }
}
