//! A run's document: its values and its ledger, as one thing that changes by small operations.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use serde_json::Value;

use super::ledger::{Awaits, Entry, Head, NodeState, RunStatus, StandInOutcome};
use crate::blueprint::NodeId;

/// One change to a run's document. A commit is a list of these, applied all together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Sets a context key: a user's, or one of the reserved ones such as `_outputs.X`.
    Set(Arc<str>, Arc<Value>),
    /// Removes a context key, if it is there.
    Remove(Arc<str>),
    /// Replaces the ledger's head.
    Head(Arc<Head>),
    /// Sets a node's entry in the ledger.
    Node(NodeId, Arc<Entry>),
    /// Removes a node's entry from the ledger, if it is there.
    RemoveNode(NodeId),
}

/// What a store's limit on a document's size is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// The whole document is one item: its values and its ledger count.
    #[default]
    Item,
    /// Each value and each entry of the ledger is stored by itself: only the values count.
    Values,
}

/// A run's document. Cloning is cheap (the maps share their contents), so a snapshot can be handed
/// to a node or a plan can be tried out at no cost.
#[derive(Debug, Clone)]
pub struct RunDocument {
    head: Arc<Head>,
    context: OrdMap<Arc<str>, Arc<Value>>,
    nodes: OrdMap<NodeId, Arc<Entry>>,
    index: Index,
    /// For joins, the first predecessor that was open when last looked at: saves searching, decides
    /// nothing, and is not stored.
    first_open: HashMap<NodeId, usize>,
}

/// What can be derived from the ledger, kept up with every operation.
#[derive(Debug, Clone, Default)]
struct Index {
    ready: OrdSet<NodeId>,
    awaiting: OrdSet<NodeId>,
    /// Awaiting nodes whose child run is under way: they keep the run `running`.
    moving_children: OrdSet<NodeId>,
    /// Failed nodes that nothing handles.
    failed: OrdSet<NodeId>,
    completed: usize,
    dynamic: OrdSet<NodeId>,
    /// Completed nodes of which nobody knows where they routed to.
    undecided: OrdSet<NodeId>,
    /// Nodes with an output that the ledger does not account for.
    foreign: OrdSet<NodeId>,
    /// Bytes of the context.
    values: usize,
    /// Bytes of the ledger's entries.
    ledger: usize,
}

/// Prefix of the context keys that hold outputs.
pub(crate) const OUTPUTS: &str = "_outputs.";

/// Rough size of a ledger entry in JSON beside its lists and texts.
const ENTRY_BYTES: usize = 160;

impl RunDocument {
    /// An empty document with this head.
    pub fn new(head: Head) -> Self {
        Self {
            head: Arc::new(head),
            context: OrdMap::new(),
            nodes: OrdMap::new(),
            index: Index::default(),
            first_open: HashMap::new(),
        }
    }

    /// A document from its stored parts.
    pub fn from_parts(
        head: Head,
        context: impl IntoIterator<Item = (Arc<str>, Arc<Value>)>,
        nodes: impl IntoIterator<Item = (NodeId, Arc<Entry>)>,
    ) -> Self {
        let mut document = Self::new(head);
        for (key, value) in context {
            document.apply(&Op::Set(key, value));
        }
        for (node, entry) in nodes {
            document.apply(&Op::Node(node, entry));
        }
        document
    }

    /// The ledger's head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The run's status.
    pub fn status(&self) -> RunStatus {
        self.head.status
    }

    /// The value of a context key.
    pub fn get(&self, key: &str) -> Option<&Arc<Value>> {
        self.context.get(key)
    }

    /// All context keys with their values, in order of the keys.
    pub fn context(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Value>)> {
        self.context.iter()
    }

    /// The output of a node, if it has one.
    pub fn output(&self, node: &str) -> Option<&Arc<Value>> {
        self.context.get(output_key(node).as_str())
    }

    /// A node's entry, if it has one.
    pub fn entry(&self, node: &str) -> Option<&Arc<Entry>> {
        self.nodes.get(node)
    }

    /// All entries, in order of the node ids.
    pub fn entries(&self) -> impl Iterator<Item = (&NodeId, &Arc<Entry>)> {
        self.nodes.iter()
    }

    /// A node's state; pending if it has no entry.
    pub fn state(&self, node: &str) -> NodeState {
        self.entry(node).map_or(NodeState::Pending, |entry| entry.state)
    }

    /// The nodes that are to be run, in order of their ids.
    pub fn ready(&self) -> impl Iterator<Item = &NodeId> {
        self.index.ready.iter()
    }

    /// The nodes that wait for an answer, a timer or a child run, in order of their ids.
    pub fn awaiting(&self) -> impl Iterator<Item = &NodeId> {
        self.index.awaiting.iter()
    }

    /// The nodes that were created while running, in order of their ids.
    pub fn dynamic(&self) -> impl Iterator<Item = &NodeId> {
        self.index.dynamic.iter()
    }

    /// The failed nodes that no fallback handled or is handling, in order of their ids.
    pub fn failed(&self) -> impl Iterator<Item = &NodeId> {
        self.index.failed.iter()
    }

    /// The completed nodes whose routes depend on an action that nobody recorded, in order of their
    /// ids.
    pub fn undecided(&self) -> impl Iterator<Item = &NodeId> {
        self.index.undecided.iter()
    }

    /// The nodes that have an output though the ledger does not have them as completed, in order of
    /// their ids: JavaScript workers ran them. Only a node's first turn counts: later ones find the
    /// outputs of earlier ones.
    pub fn foreign_outputs(&self) -> impl Iterator<Item = &NodeId> {
        self.index.foreign.iter()
    }

    pub(crate) fn has_foreign_output(&self, node: &NodeId) -> bool {
        self.index.foreign.contains(node)
    }

    pub(crate) fn first_open(&self, join: &NodeId) -> usize {
        self.first_open.get(join).copied().unwrap_or(0)
    }

    pub(crate) fn remember_first_open(&mut self, join: &NodeId, predecessor: usize) {
        self.first_open.insert(join.clone(), predecessor);
    }

    /// Whether a node is the scatter or the gather of a batch that was started in this run.
    pub(crate) fn is_batch_node(&self, node: &str) -> bool {
        self.entry(node).is_some_and(|entry| entry.batch.is_some())
    }

    /// How many nodes are completed.
    pub fn completed(&self) -> usize {
        self.index.completed
    }

    /// What the run's status is, going by its nodes alone.
    pub(crate) fn derived_status(&self) -> RunStatus {
        let moves = !self.index.ready.is_empty()
            || !self.index.moving_children.is_empty()
            || !self.index.undecided.is_empty();
        if moves {
            RunStatus::Running
        } else if !self.index.awaiting.is_empty() {
            RunStatus::Awaiting
        } else if self.index.failed.is_empty() && self.head.past_failures.is_empty() {
            RunStatus::Completed
        } else {
            RunStatus::Failed
        }
    }

    /// About how many bytes the document has as JSON. Never less than its values have.
    pub fn size(&self) -> usize {
        self.index.values + self.index.ledger
    }

    /// About how many bytes count against a store's limit.
    pub fn measured(&self, measure: Measure) -> usize {
        match measure {
            Measure::Item => self.size(),
            Measure::Values => self.index.values,
        }
    }

    /// The context keys with the largest values, largest first, with their sizes in bytes.
    pub fn largest_keys(&self, count: usize) -> Vec<(Arc<str>, usize)> {
        let mut keys: Vec<_> =
            self.context.iter().map(|(key, value)| (key.clone(), json_size(value))).collect();
        keys.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        keys.truncate(count);
        keys
    }

    /// Carries out one operation.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Set(key, value) => {
                self.index.values += key.len() + json_size(value) + 4;
                if let Some(old) = self.context.insert(key.clone(), value.clone()) {
                    self.index.values -= key.len() + json_size(&old) + 4;
                } else if let Some(node) = key.strip_prefix(OUTPUTS)
                    && self.nodes.get(node).is_none_or(|entry| is_first_turn(entry))
                {
                    self.index.foreign.insert(node.into());
                }
            }
            Op::Remove(key) => {
                if let Some(old) = self.context.remove(key) {
                    self.index.values -= key.len() + json_size(&old) + 4;
                    if let Some(node) = key.strip_prefix(OUTPUTS) {
                        self.index.foreign.remove(node);
                    }
                }
            }
            Op::Head(head) => self.head = head.clone(),
            Op::Node(node, entry) => {
                if !is_first_turn(entry) {
                    self.index.foreign.remove(node);
                } else if self.output(node).is_some() {
                    self.index.foreign.insert(node.clone());
                }
                self.index.add(node, entry);
                if let Some(old) = self.nodes.insert(node.clone(), entry.clone()) {
                    self.index.remove(node, &old, Some(entry));
                }
            }
            Op::RemoveNode(node) => {
                if let Some(old) = self.nodes.remove(node) {
                    self.index.remove(node, &old, None);
                    if self.output(node).is_some() {
                        self.index.foreign.insert(node.clone());
                    }
                }
            }
        }
    }
}

/// The sets of the index that an entry belongs to.
// Each of them independently of the others.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Membership {
    ready: bool,
    awaiting: bool,
    moving_child: bool,
    failed: bool,
    dynamic: bool,
    undecided: bool,
}

impl Membership {
    const NONE: Self = Self {
        ready: false,
        awaiting: false,
        moving_child: false,
        failed: false,
        dynamic: false,
        undecided: false,
    };

    fn of(entry: &Entry) -> Self {
        let awaiting = entry.state == NodeState::Awaiting;
        let unhandled = entry
            .fallback
            .as_ref()
            .is_none_or(|stand_in| stand_in.outcome == StandInOutcome::Failed);
        Self {
            ready: entry.state == NodeState::Ready,
            awaiting,
            moving_child: awaiting
                && matches!(&entry.awaits, Some(Awaits::Child { status, .. }) if *status != RunStatus::Awaiting),
            failed: entry.state == NodeState::Failed && unhandled,
            dynamic: entry.dynamic.is_some(),
            undecided: !entry.undecided.is_empty(),
        }
    }
}

impl Index {
    fn add(&mut self, node: &NodeId, entry: &Entry) {
        let member = Membership::of(entry);
        let sets = [
            (member.ready, &mut self.ready),
            (member.awaiting, &mut self.awaiting),
            (member.moving_child, &mut self.moving_children),
            (member.failed, &mut self.failed),
            (member.dynamic, &mut self.dynamic),
            (member.undecided, &mut self.undecided),
        ];
        for (belongs, set) in sets {
            if belongs {
                set.insert(node.clone());
            }
        }
        self.completed += usize::from(entry.state == NodeState::Completed);
        self.ledger += entry_size(node, entry);
    }

    /// Takes an entry out, leaving the node in the sets that its new entry (added before) is in.
    fn remove(&mut self, node: &NodeId, old: &Entry, new: Option<&Entry>) {
        let was = Membership::of(old);
        let is = new.map_or(Membership::NONE, Membership::of);
        let sets = [
            (was.ready && !is.ready, &mut self.ready),
            (was.awaiting && !is.awaiting, &mut self.awaiting),
            (was.moving_child && !is.moving_child, &mut self.moving_children),
            (was.failed && !is.failed, &mut self.failed),
            (was.dynamic && !is.dynamic, &mut self.dynamic),
            (was.undecided && !is.undecided, &mut self.undecided),
        ];
        for (leaves, set) in sets {
            if leaves {
                set.remove(node);
            }
        }
        self.completed -= usize::from(old.state == NodeState::Completed);
        self.ledger -= entry_size(node, old);
    }
}

/// Whether a node is in its first turn and not done with it: an output that it has then is one that
/// the ledger does not account for. (A failed node has one, null, where a fallback stands in for it.)
fn is_first_turn(entry: &Entry) -> bool {
    (entry.iteration, entry.generation) == (1, 0)
        && !matches!(entry.state, NodeState::Completed | NodeState::Failed)
        && entry.dynamic.is_none()
}

/// About how many bytes an entry has as JSON.
fn entry_size(node: &NodeId, entry: &Entry) -> usize {
    let texts = [&entry.action, &entry.error, &entry.by].into_iter().flatten().map(String::len);
    let lists =
        [&entry.routes, &entry.undecided, &entry.queue, &entry.created].into_iter().flatten();
    let lists = lists.map(|id| id.len() + 3);
    let dynamic = entry.dynamic.as_ref().map_or(0, |dynamic| {
        dynamic.uses.len()
            + json_size(&Value::Object(dynamic.params.clone()))
            + dynamic.inputs.as_ref().map_or(0, json_size)
            + 80
    });
    ENTRY_BYTES + node.len() + texts.sum::<usize>() + lists.sum::<usize>() + dynamic
}

/// How many bytes a value has as JSON.
pub(crate) fn json_size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing a value into a counter can't fail: it does no I/O and its keys are text.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The context key of a node's output.
pub fn output_key(node: &str) -> String {
    format!("{OUTPUTS}{node}")
}

/// The context key of the input that an edge prepared for a node.
pub fn input_key(node: &str) -> String {
    format!("_inputs.{node}")
}
