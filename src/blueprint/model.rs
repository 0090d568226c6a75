//! What a workflow is: nodes, the edges between them, and their settings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::id::{BlueprintId, NodeId};

/// A workflow: a graph of nodes. Made by [`super::sanitize`] from JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// Its id.
    pub id: BlueprintId,
    /// Its nodes, in the order in which they are written.
    pub nodes: Vec<Node>,
    /// Its edges, in the order in which they are written.
    pub edges: Vec<Edge>,
    /// Everything under `metadata`, carried along.
    pub metadata: Map<String, Value>,
}

/// One step of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its id, unique in the blueprint (the first one wins where it is not).
    pub id: NodeId,
    /// The kind of node that runs: a key of the node registry.
    pub uses: String,
    /// Settings for the node's code.
    pub params: Map<String, Value>,
    /// Where its input comes from.
    pub inputs: Inputs,
    /// How it is run.
    pub config: NodeConfig,
}

/// Where a node's input comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Inputs {
    /// From the edge that started it (`_inputs.X`).
    #[default]
    Edge,
    /// From one name: a context key or a node's output.
    One(String),
    /// An object with each member taken from a name. A member that is not a string fails the node.
    Many(Map<String, Value>),
}

/// How a node is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeConfig {
    /// `maxRetries` as written: the number of attempts. See [`NodeConfig::attempts`].
    pub max_retries: Option<f64>,
    /// Milliseconds between two attempts.
    pub retry_delay: Option<f64>,
    /// Milliseconds that one attempt may take.
    pub timeout: Option<f64>,
    /// The node that runs instead when this one has failed.
    pub fallback: Option<NodeId>,
    /// When a node with several predecessors is ready.
    pub join: JoinStrategy,
    /// Members of `config` that mean nothing, for lint.
    pub unknown: Vec<String>,
    /// Members of the node (`params`, `inputs`, `config` and what is in it) that have the wrong
    /// type, for lint.
    pub wrong: Vec<WrongType>,
}

/// A member of a node that has the wrong type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongType {
    /// Which one: `params`, `inputs`, `config` or `config.maxRetries`, for example.
    pub member: String,
    /// What belongs there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
    /// What was made of it.
    pub treatment: Treatment,
}

/// What was made of a member with the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It could be read all the same: a number written as text.
    Converted,
    /// It was left out.
    Ignored,
}

impl NodeConfig {
    /// How many attempts the node has: at least one.
    pub fn attempts(&self) -> u32 {
        // Saturating by definition of `as`; a NaN becomes 0.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let attempts = self.max_retries.unwrap_or(1.0) as u32;
        attempts.max(1)
    }

    /// The pause between two attempts.
    pub fn retry_delay(&self) -> std::time::Duration {
        milliseconds(self.retry_delay)
    }

    /// How long one attempt may take, if it is limited.
    pub fn timeout(&self) -> Option<std::time::Duration> {
        Some(milliseconds(self.timeout)).filter(|limit| !limit.is_zero())
    }
}

/// A number of milliseconds as a duration; nothing for what is absent, negative or not a number,
/// and a year at most.
fn milliseconds(value: Option<f64>) -> std::time::Duration {
    const YEAR_MS: f64 = 365.0 * 24.0 * 3600.0 * 1000.0;
    let value = value.unwrap_or(0.0);
    if value > 0.0 {
        std::time::Duration::from_secs_f64(value.min(YEAR_MS) / 1000.0)
    } else {
        std::time::Duration::ZERO
    }
}

/// When a node with several predecessors is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinStrategy {
    /// When all have finished and at least one took its edge to it.
    #[default]
    All,
    /// When the first takes its edge to it.
    Any,
}

/// A connection from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it comes from.
    pub source: NodeId,
    /// Where it leads.
    pub target: NodeId,
    /// Taken only when the source returned this action. Empty text counts as none.
    pub action: Option<String>,
    /// Taken only when this expression is true. Empty text counts as none.
    pub condition: Option<String>,
    /// Makes the target's input from the source's output. Empty text counts, and gives no value.
    pub transform: Option<String>,
}

impl Blueprint {
    /// `metadata.version`, if it is text.
    pub fn version(&self) -> Option<&str> {
        self.metadata.get("version").and_then(Value::as_str)
    }

    /// `metadata.cycleEntryPoints`: where to enter cycles when nothing else starts.
    pub fn cycle_entry_points(&self) -> Vec<NodeId> {
        self.metadata
            .get("cycleEntryPoints")
            .and_then(Value::as_array)
            .map(|ids| ids.iter().filter_map(Value::as_str).map(NodeId::from).collect())
            .unwrap_or_default()
    }

    /// `metadata.example`: an input to try the blueprint with.
    pub fn example(&self) -> Option<&Value> {
        self.metadata.get("example")
    }

    /// The definition of a node; the first where an id is seen twice.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id.as_str() == id)
    }

    /// A fingerprint of everything that decides what a run does (metadata other than the version
    /// does not), to notice a blueprint that changed under a run: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        // Debug output of plain data: stable within one version of this program, and a change of
        // the format only costs a warning.
        let mut hash = Sha256::new();
        hash.update(format!("{:?}", (&self.id, &self.nodes, &self.edges, self.version())));
        let first =
            hash.finalize()[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        format!("{first:016x}")
    }
}
