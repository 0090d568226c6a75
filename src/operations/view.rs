//! What a run looks like: its nodes, outputs and context, as `show` prints them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{OperationError, Operations};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId, WorkerName},
    cluster::{Holder, Key},
    engine::{NodeState, RunDocument, RunStatus, Timestamp, names},
    worker::{core::stand_in, status},
};

/// A run, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// Its blueprint.
    pub blueprint: BlueprintId,
    /// Its status.
    pub status: RunStatus,
    /// The run whose subflow it is.
    pub parent: Option<RunId>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Outputs of completed nodes, by node id.
    pub outputs: Map<String, Value>,
    /// The user's own keys.
    pub context: Map<String, Value>,
    /// The nodes that wait for an answer or a timer.
    pub awaiting: Vec<NodeId>,
    /// The failures that nothing handled.
    pub errors: Vec<NodeError>,
    /// Things an operator should know.
    pub warnings: Vec<String>,
    /// All nodes: those of the blueprint in its order, then those that were created while running.
    pub nodes: Vec<NodeLine>,
}

/// A failure that nothing handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeError {
    /// The node.
    pub node: NodeId,
    /// Why.
    pub message: String,
}

/// A node of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLine {
    /// Its id.
    pub id: NodeId,
    /// Where it stands.
    pub state: NodeStanding,
    /// Which time it is at, from 1.
    pub iteration: u32,
    /// Attempts that ended.
    pub attempts: u32,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Who ran it, or runs it.
    pub worker: Option<WorkerName>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<String>,
}

/// Where a node stands, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStanding {
    /// As the ledger has it.
    Recorded(NodeState),
    /// Ready, and leased by a worker.
    Running,
}

impl NodeStanding {
    /// The word used on the wire and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded(state) => state.as_str(),
            Self::Running => "running",
        }
    }
}

impl Operations {
    /// Everything about a run.
    pub async fn view(&self, run: &RunId) -> Result<RunView, OperationError> {
        let document = self.read(run).await?;
        let mut view = self.view_of(run, &document);
        if !view.status.is_final() {
            self.add_leases(&document, &mut view).await?;
        }
        Ok(view)
    }

    /// A run as its document has it, without who is at it now.
    pub fn view_of(&self, run: &RunId, document: &RunDocument) -> RunView {
        let head = document.head();
        let graph = self.core.graphs().get(&head.blueprint_id).unwrap_or_else(|| stand_in(head));
        let known: Vec<NodeId> = graph.definitions().map(|node| node.id.clone()).collect();
        let listed: HashSet<&NodeId> = known.iter().collect();
        let others =
            document.entries().map(|(node, _)| node).filter(|node| !listed.contains(node)).cloned();
        let nodes = known.iter().cloned().chain(others).map(|node| line(document, node)).collect();
        RunView {
            run: run.clone(),
            blueprint: head.blueprint_id.clone(),
            status: head.status,
            parent: head.parent.as_ref().map(|parent| parent.run.clone()),
            started_at: head.started_at,
            finished_at: head.finished_at,
            outputs: names::outputs(document),
            context: names::user_context(document),
            awaiting: awaiting(document),
            errors: status::errors(document)
                .into_iter()
                .map(|(node, message)| NodeError { node: node.into(), message })
                .collect(),
            warnings: head.warnings.clone(),
            nodes,
        }
    }

    async fn add_leases(
        &self,
        document: &RunDocument,
        view: &mut RunView,
    ) -> Result<(), OperationError> {
        let store = &self.cluster().coordination;
        for node in document.ready() {
            let value = store.get(&Key::node_lock(&view.run, node)).await?;
            let Some(worker) = value.as_deref().and_then(Holder::worker_of) else { continue };
            if let Some(line) = view.nodes.iter_mut().find(|line| line.id == *node) {
                line.state = NodeStanding::Running;
                line.worker = Some(WorkerName::from(worker));
            }
        }
        Ok(())
    }
}

fn line(document: &RunDocument, id: NodeId) -> NodeLine {
    let entry = document.entry(&id).cloned().unwrap_or_default();
    let ended = document.status().is_final();
    let state = match entry.state {
        // What was not reached by the end never will be.
        NodeState::Pending if ended => NodeState::Skipped,
        state => state,
    };
    NodeLine {
        state: NodeStanding::Recorded(state),
        iteration: entry.iteration,
        attempts: entry.attempts,
        started_at: entry.started_at,
        finished_at: entry.finished_at,
        worker: entry.by.as_deref().and_then(Holder::worker_of).map(WorkerName::from),
        error: entry.error.clone(),
        id,
    }
}

/// The nodes that wait, in the order in which they began to.
fn awaiting(document: &RunDocument) -> Vec<NodeId> {
    document
        .get("_awaitingNodeIds")
        .and_then(|ids| ids.as_array())
        .map(|ids| ids.iter().filter_map(Value::as_str).map(NodeId::from).collect())
        .unwrap_or_default()
}
