//! Why a run is not moving, as a dashboard shows it: reasons, each with what helps.

use super::operator::Operation;
use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    engine::Timestamp,
};

/// A reason for a run to be where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Its name, such as `no-message`.
    pub name: String,
    /// The same in a few words.
    pub title: String,
    /// What it means for the run.
    pub weight: Weight,
    /// How sure it is, in a word.
    pub sureness: String,
    /// What speaks for it, a line each.
    pub evidence: Vec<String>,
    /// What helps, in words.
    pub advice: String,
    /// What a key can do about it.
    pub step: Step,
}

/// What a reason means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The run stands still for it.
    Blocks,
    /// The run goes on later than it could.
    Delays,
    /// The run works or waits as it should.
    Waits,
    /// The run has ended as it should.
    Over,
    /// Worth knowing, and not what keeps the run.
    Aside,
}

/// What a key can do about a reason.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Nothing but to wait, until this time if it is known.
    Wait(Option<Timestamp>),
    /// Carry this out, once its plan is agreed to.
    Do(Operation),
    /// Answer a node.
    Answer {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
    },
    /// Ask the same about another run.
    Explain(RunId),
    /// Start a run of this blueprint.
    Start(BlueprintId),
}

impl Weight {
    /// In a word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Delays => "delays",
            Self::Waits => "waits",
            Self::Over => "over",
            Self::Aside => "aside",
        }
    }
}

impl Step {
    /// What the key does, in a word or two; nothing where there is nothing to do.
    pub(super) fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Self::Nothing => return None,
            Self::Wait(_) => "wait",
            Self::Do(operation) => match operation {
                Operation::Reconcile(_) => "reconcile",
                Operation::Requeue { .. } => "requeue",
                Operation::Replay(_) => "replay",
                Operation::ReleaseLocks { .. } => "release",
                Operation::Resume { .. } => "end it now",
                Operation::ResumeWorker => "let it go on",
                _ => "do it",
            },
            Self::Answer { .. } => "answer",
            Self::Explain(_) => "that run",
            Self::Start(_) => "start it again",
        })
    }
}
