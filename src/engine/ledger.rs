//! The ledger: what a run's document records about its progress, beside the values themselves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{time::Timestamp, tries::Try};
use crate::blueprint::{BlueprintId, NodeId, RunId};

/// A run's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Something can move, or will at a known time without being a timer node.
    Running,
    /// Nothing moves until somebody answers, or a timer is due.
    Awaiting,
    /// Nothing is left to run and no failure went unhandled.
    Completed,
    /// Nothing is left to run and a node failed with nothing to handle it.
    Failed,
    /// Stopped by an operator.
    Cancelled,
}

impl RunStatus {
    /// Whether the run has ended. Only a requeue leaves such a status.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word used on the wire and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Awaiting => "awaiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Awaiting, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is recorded about the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Which blueprint the run follows. Empty where a document without a ledger does not say: use
    /// [`Head::blueprint`].
    pub blueprint_id: BlueprintId,
    /// `metadata.version` of that blueprint at the start, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_version: Option<String>,
    /// Fingerprint of that blueprint.
    #[serde(default)]
    pub blueprint_hash: String,
    /// Raised by every commit of ours. Zero: there was none, and there is no ledger yet.
    pub rev: u64,
    /// The run's status.
    pub status: RunStatus,
    /// For a subflow's run: whether the work that follows the end (final status, the parent's node)
    /// is done.
    #[serde(default)]
    pub closed: Closing,
    /// The run and node this run works for, if it is a subflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// When it was started.
    pub started_at: Timestamp,
    /// The version of the run's status item as it was created: saves the first worker a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_version: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Raised each time a node becomes awaiting: the order in which waiting nodes are named.
    #[serde(default)]
    pub awaited: u64,
    /// Failures of nodes that a loop has since reset: the run ends `failed` because of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past_failures: Vec<PastFailure>,
    /// Things an operator should know: a changed blueprint, poisoned messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Identifies the commit that wrote this head, to find out whether a commit whose answer was
    /// lost took effect.
    #[serde(default)]
    pub commit: String,
}

impl Head {
    /// The head of a document that only JavaScript workers and clients have written: it has no
    /// ledger, and may not say which blueprint it follows.
    pub fn unadopted(
        blueprint_id: Option<BlueprintId>,
        blueprint_version: Option<String>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            blueprint_id: blueprint_id.unwrap_or_else(|| BlueprintId::from("")),
            blueprint_version,
            blueprint_hash: String::new(),
            rev: 0,
            status: RunStatus::Running,
            closed: Closing::Open,
            parent: None,
            started_at,
            status_version: None,
            finished_at: None,
            awaited: 0,
            past_failures: Vec::new(),
            warnings: Vec::new(),
            commit: String::new(),
        }
    }

    /// Whether the document has no ledger yet: the first commit of ours makes one.
    pub fn is_unadopted(&self) -> bool {
        self.rev == 0
    }

    /// Which blueprint the run follows, if its document says so.
    pub fn blueprint(&self) -> Option<&BlueprintId> {
        Some(&self.blueprint_id).filter(|id| !id.is_empty())
    }
}

/// A failure that nothing handled, of a node that has been reset since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastFailure {
    /// The node.
    pub node: NodeId,
    /// The iteration in which it failed.
    pub iteration: u32,
    /// Why.
    pub error: String,
}

/// Whether a run's closing work is done. Only a run that works for another says so here: the closing
/// work of any other is its final status item, which shows by itself whether it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// The run goes on, or it has ended and its closing work is still to be done.
    #[default]
    Open,
    /// Done.
    Closed,
}

/// The run and node that a subflow's run works for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The parent run.
    pub run: RunId,
    /// Its blueprint.
    pub blueprint: BlueprintId,
    /// The node that waits there.
    pub node: NodeId,
}

/// What is recorded about one node. A node without an entry is pending in its first iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where the node stands.
    pub state: NodeState,
    /// From 1, raised each time a loop (or another failed node, for a fallback) runs it again.
    pub iteration: u32,
    /// From 0, raised each time an operator requeues it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Attempts that ended, in this iteration and generation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// For a loop controller: how often it took `continue` since it was entered; zero once it has
    /// left the loop.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passes: u32,
    /// For a subflow: child runs started in this iteration, over all generations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub children: u32,
    /// Whether some edge into it was taken in this iteration.
    #[serde(default, skip_serializing_if = "Arrival::is_none")]
    pub arrival: Arrival,
    /// Whether it completed with an output: one that is missing then has been lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_output: bool,
    /// The targets it routed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<NodeId>,
    /// For a node that a JavaScript worker ran: targets that it may have routed to. The action it
    /// returned decides that, and is not recorded anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<NodeId>,
    /// The action it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where its input is, when it is too large to be kept as `_inputs.X`: that node's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_from: Option<NodeId>,
    /// Who ran it: the holder of its lease (see [`crate::cluster::Holder`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When its execution started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its last attempts, those of earlier iterations too; none while the first one that ended is all
    /// there was. No decision depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// Why it failed, or why its last attempt did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When a message for it was last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enqueued_at: Option<Timestamp>,
    /// When it is to go on: a ready node that retries, a timer that is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What an awaiting node waits for; for a failed subflow, the child run that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Awaits>,
    /// The order among the nodes of the run in which this one became awaiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits_since: Option<u64>,
    /// The fallback that stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<StandIn>,
    /// For a fallback: the failed node it stands in for in this iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<NodeId>,
    /// For a fallback: failed nodes that wait for its next iterations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<NodeId>,
    /// For a node that was created while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<DynamicNode>,
    /// For the scatter and the gather of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// For a node that created others: their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<NodeId>,
    /// Nodes created while running that it has as predecessors, beside those of the blueprint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_predecessors: Vec<NodeId>,
    /// Nodes that the end of this one made ready though it took no edge to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub woke: Vec<NodeId>,
}

// Serde wants a reference here.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where a node stands. (`running` is not recorded: a ready node whose lease is held is running.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Not reached yet in this iteration.
    Pending,
    /// To be run: now, or when due.
    Ready,
    /// Started, and waiting for an answer, a timer or a child run.
    Awaiting,
    /// Finished, with or without an output.
    Completed,
    /// Failed, its attempts used up. A fallback may stand in for it.
    Failed,
    /// Can't become ready in this iteration.
    Skipped,
}

impl NodeState {
    /// The word used on the wire and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Awaiting => "awaiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Whether an edge into a node was taken in its iteration, and what that means for its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// No edge was taken yet.
    #[default]
    None,
    /// An edge was taken; explicit `inputs` decide if there are any.
    Plain,
    /// An edge with a transform was taken: its value wins over explicit `inputs`.
    Transformed,
}

impl Arrival {
    // Serde wants a reference here.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What an awaiting node waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "lowercase")]
pub enum Awaits {
    /// Somebody's answer.
    Answer,
    /// The time in the entry's `due_at`.
    Timer,
    /// The end of a child run.
    Child {
        /// That run. The end of any other is ignored.
        run: RunId,
        /// The child's status as last heard: the parent itself awaits only while the child does.
        status: RunStatus,
    },
}

/// The fallback that stands in for a failed node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The fallback's id.
    pub node: NodeId,
    /// How far it is.
    pub outcome: StandInOutcome,
}

/// How far a fallback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandInOutcome {
    /// Not finished.
    Open,
    /// It completed, or a fallback of its own did.
    Completed,
    /// It failed and nothing stood in for it.
    Failed,
}

/// A node that was created while the run was under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DynamicNode {
    /// What runs: a key of the node registry.
    pub uses: String,
    /// Settings for it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Where its input comes from, as in a blueprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// How it is run, as in a blueprint.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// The node that created it: its only predecessor.
    pub parent: NodeId,
    /// The node that has it as one more predecessor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gather: Option<NodeId>,
}

/// The part a node has in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Batch {
    /// It hands out the items.
    Scatter {
        /// The node that collects the results.
        gather: NodeId,
        /// What runs for each item.
        worker: String,
        /// The key in front of each item's number, in context keys.
        prefix: String,
        /// How many items there are.
        items: u32,
        /// How many have been handed out.
        handed_out: u32,
        /// How many are handed out at a time.
        chunk: u32,
    },
    /// It collects the results.
    Gather {
        /// The node that handed out the items.
        scatter: NodeId,
    },
}

impl Entry {
    /// Whether its message is behind one that was sent at `oldest` and still waits: then it is in
    /// the queue, too. One that was sent for later stands where it became visible.
    pub(crate) fn is_behind(&self, oldest: Option<Timestamp>) -> bool {
        let sent = self.enqueued_at.map(|at| self.due_at.map_or(at, |due| due.max(at)));
        matches!((sent, oldest), (Some(sent), Some(oldest)) if sent > oldest)
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            state: NodeState::Pending,
            iteration: 1,
            generation: 0,
            attempts: 0,
            passes: 0,
            children: 0,
            arrival: Arrival::None,
            has_output: false,
            routes: Vec::new(),
            undecided: Vec::new(),
            action: None,
            input_from: None,
            by: None,
            started_at: None,
            finished_at: None,
            tries: Vec::new(),
            error: None,
            enqueued_at: None,
            due_at: None,
            awaits: None,
            awaits_since: None,
            fallback: None,
            stands_for: None,
            queue: Vec::new(),
            dynamic: None,
            batch: None,
            created: Vec::new(),
            extra_predecessors: Vec::new(),
            woke: Vec::new(),
        }
    }
}
