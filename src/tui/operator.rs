//! What the dashboard asks of whoever carries out an operator's wishes.

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use super::reason::Reason;
pub use crate::operations::{Fingerprint, Oversight, Progress};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    operations::HeldNode,
};

/// Something that changes the cluster, or the worker in this process.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Start a run.
    Start {
        /// Of this blueprint.
        blueprint: BlueprintId,
        /// With this input.
        input: Value,
    },
    /// Run nodes of a run again.
    Requeue {
        /// The run.
        run: RunId,
        /// The nodes; the failed or stuck ones if none is named.
        nodes: Vec<NodeId>,
    },
    /// Run the failed or stuck nodes of several runs again.
    RequeueAll(Vec<RunId>),
    /// Resume stalled runs.
    Reconcile(Runs),
    /// Answer a node that waits.
    Resume {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
        /// The action it returns.
        action: Option<String>,
        /// Its output.
        output: Option<Value>,
    },
    /// Stop runs.
    Cancel(Vec<RunId>),
    /// Put dead letters back into the queue: one as a canary first, the others if it passes.
    Replay(Letters),
    /// Put dead letters back into the queue without a canary.
    ReplayAtOnce(Letters),
    /// Delete dead letters.
    Purge(Letters),
    /// Take leases of a run from holders that are dead, and have the run move again.
    ReleaseLocks {
        /// The run.
        run: RunId,
        /// The leases.
        locks: Vec<HeldNode>,
    },
    /// Take no new jobs for now.
    PauseWorker,
    /// Take new jobs again.
    ResumeWorker,
    /// Finish what runs and take nothing new.
    DrainWorker,
}

/// Which runs to reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// These.
    These(Vec<RunId>),
    /// All that are stalled.
    AllStalled,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    /// Those with these message ids.
    These(Vec<String>),
    /// Those that failed alike.
    Group(Fingerprint),
    /// All of them.
    All,
}

impl Operation {
    /// What it does, as a heading: `Cancel 3 runs`.
    pub fn title(&self) -> String {
        let runs = |runs: &[RunId]| match runs {
            [run] => format!("run {run}"),
            runs => format!("{} runs", runs.len()),
        };
        let letters = |letters: &Letters| match letters {
            Letters::All => "all dead letters".to_owned(),
            Letters::Group(fingerprint) => format!("the dead letters of group {fingerprint}"),
            Letters::These(ids) => super::text::count(ids.len(), "dead letter"),
        };
        match self {
            Self::Start { blueprint, .. } => format!("Start a run of {blueprint}"),
            Self::Requeue { run, nodes } => match nodes.as_slice() {
                [] => format!("Requeue run {run}"),
                [node] => format!("Requeue node {node} of run {run}"),
                nodes => format!("Requeue {} nodes of run {run}", nodes.len()),
            },
            Self::RequeueAll(these) => format!("Requeue {}", runs(these)),
            Self::Reconcile(Runs::AllStalled) => "Reconcile all stalled runs".to_owned(),
            Self::Reconcile(Runs::These(these)) => format!("Reconcile {}", runs(these)),
            Self::Resume { run, node, .. } => format!("Answer node {node} of run {run}"),
            Self::Cancel(these) => format!("Cancel {}", runs(these)),
            Self::Replay(which) => format!("Replay {}", letters(which)),
            Self::ReplayAtOnce(which) => format!("Replay {} without a canary", letters(which)),
            Self::Purge(which) => format!("Purge {}", letters(which)),
            Self::ReleaseLocks { run, locks } => match locks.as_slice() {
                [lock] => format!("Release the lease of node {} of run {run}", lock.node),
                locks => format!("Release {} leases of run {run}", locks.len()),
            },
            Self::PauseWorker => "Pause this worker".to_owned(),
            Self::ResumeWorker => "Let this worker go on".to_owned(),
            Self::DrainWorker => "Drain this worker".to_owned(),
        }
    }

    /// The runs it is about, where it names them.
    pub fn runs(&self) -> &[RunId] {
        match self {
            Self::Requeue { run, .. }
            | Self::Resume { run, .. }
            | Self::ReleaseLocks { run, .. } => std::slice::from_ref(run),
            Self::Reconcile(Runs::These(runs)) | Self::Cancel(runs) | Self::RequeueAll(runs) => {
                runs
            }
            _ => &[],
        }
    }

    /// The same replay without a canary, or with one; nothing for other operations, and where one
    /// letter is all there is.
    pub(super) fn other_canary(&self) -> Option<Self> {
        let several = |which: &Letters| !matches!(which, Letters::These(ids) if ids.len() < 2);
        match self {
            Self::Replay(which) if several(which) => Some(Self::ReplayAtOnce(which.clone())),
            Self::ReplayAtOnce(which) => Some(Self::Replay(which.clone())),
            _ => None,
        }
    }

    /// Whether what it does can't be taken back.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Cancel(_) | Self::Purge(_) | Self::DrainWorker)
    }
}

/// What an operation would do.
#[derive(Clone, Default)]
pub struct Preview {
    /// The plan, a line a message, document change or key.
    pub lines: Vec<String>,
    /// How many runs, messages or nodes it concerns. With none there is nothing to apply.
    pub affects: usize,
    /// The plan itself, for whoever made it: [`Operator::apply`] gets it back.
    pub plan: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preview")
            .field("lines", &self.lines)
            .field("affects", &self.affects)
            .finish_non_exhaustive()
    }
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In one line: `requeued 2 nodes of run 42`.
    pub summary: String,
    /// A run worth looking at now: the one that was started.
    pub run: Option<RunId>,
    /// What did not work, a line each, where a part of it did.
    pub problems: Vec<String>,
}

/// Why an operation could not be planned or carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// Something changed since the plan was made: make a new one. Nothing was done.
    #[error("{0}")]
    Moved(String),
    /// It failed; the text says why and what to do.
    #[error("{0}")]
    Failed(String),
}

/// Carries out an operator's wishes. Calls may take as long as they need: nobody waits for them
/// but the dialog that shows the answer.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Says what an operation would do, and changes nothing.
    async fn preview(&self, operation: &Operation) -> Result<Preview, OperatorError>;

    /// Finds out why a run is not moving: the reasons, the likeliest first. Changes nothing.
    async fn explain(&self, run: &RunId) -> Result<Vec<Reason>, OperatorError>;

    /// Carries out an operation as its preview said, under the versions the preview was made from.
    /// [`Operation::DrainWorker`] may come with an empty preview: when the operator leaves.
    ///
    /// What is done to many things reports how far it is, and stops between two of them when it is
    /// told to: it is an outcome then that says how far it came.
    async fn apply(
        &self,
        operation: &Operation,
        preview: &Preview,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError>;
}
