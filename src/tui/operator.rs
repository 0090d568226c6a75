//! What the dashboard asks of whoever carries out an operator's wishes.

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use super::reason::Reason;
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
    /// Put dead letters back into the queue.
    Replay(Letters),
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
            Letters::These(ids) => super::text::count(ids.len(), "dead letter"),
        };
        match self {
            Self::Start { blueprint, .. } => format!("Start a run of {blueprint}"),
            Self::Requeue { run, nodes } => match nodes.as_slice() {
                [] => format!("Requeue run {run}"),
                [node] => format!("Requeue node {node} of run {run}"),
                nodes => format!("Requeue {} nodes of run {run}", nodes.len()),
            },
            Self::Reconcile(Runs::AllStalled) => "Reconcile all stalled runs".to_owned(),
            Self::Reconcile(Runs::These(these)) => format!("Reconcile {}", runs(these)),
            Self::Resume { run, node, .. } => format!("Answer node {node} of run {run}"),
            Self::Cancel(these) => format!("Cancel {}", runs(these)),
            Self::Replay(which) => format!("Replay {}", letters(which)),
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
    async fn apply(
        &self,
        operation: &Operation,
        preview: &Preview,
    ) -> Result<Outcome, OperatorError>;
}
