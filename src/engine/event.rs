//! What can happen to a run, and what can become of it.

use serde_json::Value;

use super::{
    draft::{Effects, Work},
    ledger::RunStatus,
    outcome::{Completion, ExecutionRecord, Failure},
};
use crate::blueprint::{NodeId, RunId};

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A node was executed and succeeded.
    Completed {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
        /// With what.
        completion: Completion,
    },
    /// A node was executed and failed.
    Failed {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
        /// Why.
        failure: Failure,
    },
    /// A built-in node is ready and leased.
    Builtin {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
    },
    /// A node's timer is due, or was: the ledger is compared with the clock.
    TimerDue {
        /// Which.
        work: Work,
    },
    /// The child run of a subflow node has something to tell.
    Child {
        /// The waiting node.
        node: NodeId,
        /// The child.
        run: RunId,
        /// What it tells.
        news: ChildNews,
    },
    /// The failed child run of a failed subflow node has been requeued.
    ChildReopened {
        /// The node.
        node: NodeId,
        /// The child.
        run: RunId,
    },
    /// Somebody answers a waiting node.
    Answered(Answer),
    /// The message of a node went to the poison queue.
    Poisoned {
        /// Which.
        work: Work,
        /// Why.
        reason: String,
    },
    /// An operator stops the run.
    Cancel,
    /// An operator has nodes run again: the named ones, or those that failed, or those that are
    /// ready and nobody holds.
    Requeue {
        /// The named ones.
        nodes: Vec<NodeId>,
        /// The ready ones nobody holds.
        idle: Vec<NodeId>,
    },
    /// Messages are about to be sent for ready nodes, or for timers that are overdue.
    Enqueue {
        /// For these.
        nodes: Vec<NodeId>,
    },
    /// Completed nodes whose recorded output is gone are to run again.
    RecoverOutputs,
    /// JavaScript workers have moved the run: what they did is to be taken over, if it is not yet.
    Adopt,
    /// A JavaScript worker sent a message for a node: it took an edge to it.
    Reached {
        /// The node.
        node: NodeId,
    },
    /// Something that is meant only for the document as somebody saw it.
    IfUnmoved {
        /// The revision they saw.
        rev: u64,
        /// What is meant.
        event: Box<Event>,
    },
    /// The run's closing work is done.
    Close,
    /// Something an operator should know.
    Warn(String),
}

/// What a child run tells its parent.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildNews {
    /// It moves, or waits.
    Moved(RunStatus),
    /// It completed with this.
    Completed(Completion),
    /// It failed, or could not be started.
    Failed(String),
    /// It can't be started at all: neither retries nor a fallback help.
    Impossible(String),
    /// It was cancelled.
    Cancelled,
}

/// An answer to a waiting node.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Which node; may be left out where only one waits.
    pub node: Option<NodeId>,
    /// Which of its edges is meant.
    pub action: Option<String>,
    /// The node's output; without it the node completes without one (a sleep: with its input).
    pub output: Option<Value>,
    /// Tells this answer from any other.
    pub token: String,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It counts: this must happen beside the document.
    Applied(Box<Effects>),
    /// It had been taken into account before (the commit's answer was lost): its node's routes are
    /// to be followed again.
    AlreadyApplied,
    /// It comes too late, or means an earlier iteration: nothing follows.
    Stale,
    /// It can't be done.
    Refused(Refusal),
}

/// Why an operator's wish can't be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("the run is {0}: nothing of it can be answered or cancelled any more")]
    Ended(RunStatus),
    /// Nothing waits.
    #[error("no node of the run waits for an answer")]
    NothingWaits,
    /// Several wait.
    #[error("several nodes wait: name one of {}", list(.0))]
    SeveralWait(Vec<NodeId>),
    /// The named node does not wait.
    #[error("node \"{node}\" does not wait for an answer: it is {state}")]
    DoesNotWait {
        /// The node.
        node: NodeId,
        /// What it is.
        state: &'static str,
    },
    /// No edge has that action.
    #[error("node \"{node}\" has no edge for the action \"{action}\": its actions are {}", list(.actions))]
    NoSuchAction {
        /// The node.
        node: NodeId,
        /// The action.
        action: String,
        /// Those there are.
        actions: Vec<String>,
    },
    /// The node waits for a child run: that one is to be answered.
    #[error("node \"{node}\" waits for the run \"{run}\"")]
    AskChild {
        /// The node.
        node: NodeId,
        /// The child run.
        run: RunId,
    },
    /// There is no such node.
    #[error("the run has no node \"{0}\"")]
    NoSuchNode(NodeId),
    /// Nothing failed and nothing is idle.
    #[error(
        "nothing to requeue: no node failed, and none is ready without a worker or a message in the queue"
    )]
    NothingToRequeue,
    /// The document is not the one that the plan was made from.
    #[error("the run has moved since the plan was made")]
    Moved,
    /// The document would become too large.
    #[error("{0}")]
    TooLarge(String),
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}
