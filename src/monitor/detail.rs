//! One run looked at closely: its document as a plain list of nodes, outputs and context.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{
    children::{ChildRun, children},
    inputs::NodeInputs,
    shape::{EdgeShown, Shape},
    snapshot::{Snapshot, Sourced},
    source::Source,
    spawn::BlueprintLookup,
};
use crate::{
    blueprint::{Blueprint, BlueprintId, Node, NodeId, RunId},
    cluster::{HeldLock, ReadDocument, Result, StateStore, Version},
    engine::{
        Awaits, Entry, NodeState, Parent, RunDocument, RunStatus, Timestamp, Try,
        dynamic_definition, names,
    },
    worker::status::errors,
};

/// One run, as far as its document tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// The run.
    pub run: RunId,
    /// Whether there is a document at all.
    #[serde(default)]
    pub found: bool,
    /// Its blueprint.
    pub blueprint: Option<BlueprintId>,
    /// The version of that blueprint it was started with.
    pub blueprint_version: Option<String>,
    /// Its status, as its document has it.
    pub status: Option<RunStatus>,
    /// The run and node it works for.
    pub parent: Option<Parent>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its nodes: the blueprint's in the order in which they are written, then the others.
    #[serde(default)]
    pub nodes: Vec<NodeRow>,
    /// Its graph.
    #[serde(default)]
    pub shape: Arc<Shape>,
    /// Where each edge of the graph stands.
    #[serde(default)]
    pub edges: Vec<EdgeShown>,
    /// The outputs, by node id.
    #[serde(default)]
    pub outputs: Map<String, Value>,
    /// The user's own keys.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// The inputs that stand nowhere else, by node id.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// The nodes that wait for an answer.
    #[serde(default)]
    pub awaiting: Vec<AwaitingNode>,
    /// All nodes that wait, in the order in which they began to.
    #[serde(default)]
    pub waiting: Vec<NodeId>,
    /// The failures that nothing handled: node and reason.
    #[serde(default)]
    pub errors: Vec<(NodeId, String)>,
    /// The runs that its subflows started, the latest of each node first.
    #[serde(default)]
    pub children: Vec<ChildRun>,
    /// What an operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// About how large the document is, in bytes as JSON.
    #[serde(default)]
    pub size: usize,
}

/// One node of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// The kind of node it is; unknown when the blueprint is.
    pub uses: Option<String>,
    /// Where it stands.
    pub state: NodeShown,
    /// From 1.
    pub iteration: u32,
    /// Attempts that ended.
    pub attempts: u32,
    /// When a message for it was last sent.
    pub enqueued_at: Option<Timestamp>,
    /// When its execution started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its last attempts, those of earlier iterations too, once there was more than one.
    #[serde(default)]
    pub tries: Vec<Try>,
    /// When it is to go on.
    pub due_at: Option<Timestamp>,
    /// Who runs it or ran it.
    pub worker: Option<String>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<String>,
    /// The action it returned.
    pub action: Option<String>,
    /// What it waits for.
    pub awaits: Option<Awaits>,
    /// The names that lead to its input: `["inputs", "pay"]` or `["outputs", "charge"]`; none where
    /// it has none, or one that is too large to be shown.
    #[serde(default)]
    pub input: Vec<String>,
}

/// Where a node stands, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeShown {
    /// Not reached yet.
    Pending,
    /// To be run; nobody does yet.
    Ready,
    /// Somebody holds its lease.
    Running,
    /// Waits for an answer, a timer or a child run.
    Awaiting,
    /// Finished.
    Completed,
    /// Failed.
    Failed,
    /// Can't become ready.
    Skipped,
}

impl NodeShown {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Pending => NodeState::Pending.as_str(),
            Self::Ready => NodeState::Ready.as_str(),
            Self::Awaiting => NodeState::Awaiting.as_str(),
            Self::Completed => NodeState::Completed.as_str(),
            Self::Failed => NodeState::Failed.as_str(),
            Self::Skipped => NodeState::Skipped.as_str(),
        }
    }

    fn of(state: NodeState, leased: bool) -> Self {
        match state {
            NodeState::Ready if leased => Self::Running,
            NodeState::Pending => Self::Pending,
            NodeState::Ready => Self::Ready,
            NodeState::Awaiting => Self::Awaiting,
            NodeState::Completed => Self::Completed,
            NodeState::Failed => Self::Failed,
            NodeState::Skipped => Self::Skipped,
        }
    }
}

/// A node that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitingNode {
    /// The node.
    pub node: NodeId,
    /// The actions that its edges name, each once, in the order of the edges.
    pub actions: Vec<String>,
}

impl RunDetail {
    /// A run that has no document.
    pub(crate) fn missing(run: RunId) -> Self {
        Self {
            run,
            found: false,
            blueprint: None,
            blueprint_version: None,
            status: None,
            parent: None,
            started_at: None,
            finished_at: None,
            nodes: Vec::new(),
            shape: Arc::new(Shape::empty()),
            edges: Vec::new(),
            outputs: Map::new(),
            context: Map::new(),
            inputs: Map::new(),
            awaiting: Vec::new(),
            waiting: Vec::new(),
            errors: Vec::new(),
            children: Vec::new(),
            warnings: Vec::new(),
            size: 0,
        }
    }

    /// Has the same graph as before in the same place, so that it need not be compared again.
    fn share_shape(&mut self, before: Option<&Self>) {
        if let Some(before) = before.filter(|before| before.shape == self.shape) {
            self.shape = before.shape.clone();
        }
    }

    /// A run as its document has it; `locks` tell which of its nodes are running.
    pub fn render(
        run: &RunId,
        document: &RunDocument,
        blueprint: Option<&Blueprint>,
        locks: &[HeldLock],
    ) -> Self {
        let head = document.head();
        let holders: HashMap<&str, &HeldLock> = locks
            .iter()
            .filter(|lock| lock.run_id.as_ref() == Some(run))
            .filter_map(|lock| Some((lock.node_id.as_ref()?.as_str(), lock)))
            .collect();
        let uses: HashMap<&str, &str> = blueprint
            .map(|it| it.nodes.iter().rev().map(|n| (n.id.as_str(), n.uses.as_str())).collect())
            .unwrap_or_default();
        let definitions: HashMap<&str, &Node> = blueprint
            .map(|it| it.nodes.iter().rev().map(|node| (node.id.as_str(), node)).collect())
            .unwrap_or_default();
        let written = blueprint.map_or(&[][..], |blueprint| &blueprint.nodes);
        let mut seen = std::collections::HashSet::new();
        let ids = written
            .iter()
            .map(|node| &node.id)
            .filter(|id| seen.insert((*id).clone()))
            .collect::<Vec<_>>();
        let others =
            document.entries().map(|(id, _)| id).filter(|id| !uses.contains_key(id.as_str()));
        let absent = Entry::default();
        let mut inputs = NodeInputs::default();
        let nodes: Vec<NodeRow> = ids
            .into_iter()
            .chain(others)
            .map(|id| {
                let entry = document.entry(id).map_or(&absent, |entry| entry);
                let uses = uses.get(id.as_str()).map(|uses| (*uses).to_owned());
                let mut row = NodeRow::new(id, uses, entry, holders.get(id.as_str()).copied());
                if row.state == NodeShown::Pending && document.has_foreign_output(id) {
                    // A JavaScript worker ran it, and the ledger will have it with the next commit.
                    row.state = NodeShown::Completed;
                }
                let written = definitions.get(id.as_str()).map(|node| &node.inputs);
                let dynamic = match written {
                    Some(_) => None,
                    None => dynamic_definition(document, id).map(|node| node.inputs),
                };
                row.input = inputs.find(document, id, written.or(dynamic.as_ref()));
                row
            })
            .collect();
        let known = nodes.iter().map(|node| (&node.id, node.uses.as_deref()));
        let shape = Shape::of_run(known, blueprint, document);
        let edges = shape.stands(document);
        let awaiting = document
            .awaiting()
            .filter(|id| {
                document.entry(id).is_some_and(|entry| entry.awaits == Some(Awaits::Answer))
            })
            .map(|id| AwaitingNode { node: id.clone(), actions: actions(blueprint, id) })
            .collect();
        Self {
            run: run.clone(),
            found: true,
            blueprint: head.blueprint().cloned(),
            blueprint_version: head.blueprint_version.clone(),
            status: Some(head.status),
            parent: head.parent.clone(),
            started_at: Some(head.started_at),
            finished_at: head.finished_at,
            nodes,
            shape: Arc::new(shape),
            edges,
            outputs: names::outputs(document),
            context: names::user_context(document),
            inputs: inputs.own,
            awaiting,
            waiting: waiting(document),
            errors: errors(document)
                .into_iter()
                .map(|(node, error)| (NodeId::from(node), error))
                .collect(),
            children: children(run, document),
            warnings: head.warnings.clone(),
            size: document.size(),
        }
    }
}

impl NodeRow {
    /// A node that nothing is known of.
    #[cfg(test)]
    pub(crate) fn unknown(id: &str) -> Self {
        Self::new(&id.into(), None, &Entry::default(), None)
    }

    fn new(id: &NodeId, uses: Option<String>, entry: &Entry, lock: Option<&HeldLock>) -> Self {
        let state = NodeShown::of(entry.state, lock.is_some());
        let holder = lock.filter(|_| state == NodeShown::Running).map(|lock| {
            lock.holder.as_ref().map_or_else(|| lock.value.clone(), ToString::to_string)
        });
        // An answer bears the name of no worker.
        let ran = entry.by.as_deref().and_then(crate::cluster::Holder::worker_of);
        Self {
            id: id.clone(),
            uses: uses.or_else(|| entry.dynamic.as_ref().map(|dynamic| dynamic.uses.clone())),
            state,
            iteration: entry.iteration,
            attempts: entry.attempts,
            enqueued_at: entry.enqueued_at,
            started_at: entry.started_at,
            finished_at: entry.finished_at,
            tries: entry.tries.clone(),
            due_at: entry.due_at,
            worker: holder.or_else(|| ran.map(str::to_owned)),
            error: entry.error.clone(),
            action: entry.action.clone(),
            awaits: entry.awaits.clone(),
            input: Vec::new(),
        }
    }
}

/// The nodes that wait, in the order in which they began to.
fn waiting(document: &RunDocument) -> Vec<NodeId> {
    let ids = document.get("_awaitingNodeIds").and_then(|ids| ids.as_array());
    ids.into_iter().flatten().filter_map(Value::as_str).map(NodeId::from).collect()
}

/// The actions that a node's edges name.
fn actions(blueprint: Option<&Blueprint>, node: &NodeId) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    let edges = blueprint.map_or(&[][..], |blueprint| &blueprint.edges);
    for action in edges.iter().filter(|edge| edge.source == *node).filter_map(|e| e.action.as_ref())
    {
        if !action.is_empty() && !actions.contains(action) {
            actions.push(action.clone());
        }
    }
    actions
}

/// Asks for the run that is looked at.
pub(super) struct DetailSource {
    state: Arc<dyn StateStore>,
    library: BlueprintLookup,
    watched: watch::Receiver<Option<RunId>>,
    known: Option<(RunId, RunDocument, Version)>,
}

impl DetailSource {
    pub(super) fn new(
        state: Arc<dyn StateStore>,
        library: BlueprintLookup,
        watched: watch::Receiver<Option<RunId>>,
    ) -> Self {
        Self { state, library, watched, known: None }
    }
}

#[async_trait]
impl Source for DetailSource {
    type Data = Option<RunDetail>;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<Option<RunDetail>> {
        &mut snapshot.detail
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<Option<RunDetail>>> {
        let Some(run) = self.watched.borrow().clone() else {
            self.known = None;
            return Ok(current.detail.data.is_some().then_some(None));
        };
        let known = self.known.take().filter(|(known, ..)| *known == run);
        let read = self.state.read_document(&run, known.as_ref().map(|known| &known.2)).await;
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.known = known;
                return Err(error);
            }
        };
        self.known = match (read, known) {
            (ReadDocument::Missing, _) | (ReadDocument::Changes(..), None) => None,
            (ReadDocument::Whole(document, version), _) => Some((run.clone(), *document, version)),
            (ReadDocument::Unchanged, known) => known,
            (ReadDocument::Changes(ops, version), Some((_, mut document, _))) => {
                for op in &ops {
                    document.apply(op);
                }
                Some((run.clone(), document, version))
            }
        };
        let detail = match &self.known {
            None => RunDetail::missing(run),
            Some((_, document, _)) => {
                let blueprint = (self.library)(&document.head().blueprint_id);
                let locks = &current.locks.data.locks;
                let mut detail = RunDetail::render(&run, document, blueprint.as_deref(), locks);
                detail.share_shape((*current.detail.data).as_ref());
                detail
            }
        };
        let detail = Some(detail);
        Ok((detail != *current.detail.data).then_some(detail))
    }
}
