//! A blueprint prepared for running: neighbours, fallbacks and loops looked up instead of searched.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::blueprint::{Blueprint, Edge, JoinStrategy, Node, NodeId, start_nodes};

/// What a blueprint's node `uses` to control a loop.
pub(crate) const LOOP_CONTROLLER: &str = "loop-controller";
/// The action that a loop controller takes to go round once more.
pub(crate) const CONTINUE: &str = "continue";
/// The action that a loop controller takes to leave.
pub(crate) const BREAK: &str = "break";

/// A blueprint prepared for running.
#[derive(Debug)]
pub struct Graph {
    blueprint: Arc<Blueprint>,
    fingerprint: String,
    nodes: HashMap<NodeId, Place>,
    starts: Vec<NodeId>,
    /// How many edges there are between two nodes, where there is more than one.
    parallel: HashMap<(NodeId, NodeId), u32>,
}

/// A node's place in the graph.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Position of its definition in the blueprint.
    definition: usize,
    /// Whether any edge leaves it, be it to a node that does not exist.
    has_outgoing: bool,
    /// Its own outgoing edges, as positions in the blueprint.
    outgoing: Vec<usize>,
    /// Distinct sources of edges into it, in order. Unknown sources are there too.
    pub(crate) predecessors: Vec<NodeId>,
    /// How many edges lead into it.
    pub(crate) incoming: u32,
    /// Distinct targets of its own edges that exist, in order.
    pub(crate) successors: Vec<NodeId>,
    /// Whether any edge into it has a condition.
    pub(crate) conditional: bool,
    /// The nodes that name it as their fallback, in blueprint order.
    pub(crate) fallback_of: Vec<NodeId>,
    /// For a loop controller: the nodes that start anew with each pass.
    pub(crate) members: HashSet<NodeId>,
    /// The loop controllers that have it as a member.
    pub(crate) loops: Vec<NodeId>,
}

impl Graph {
    /// Prepares a blueprint.
    pub fn new(blueprint: Arc<Blueprint>) -> Self {
        let mut nodes: HashMap<NodeId, Place> = HashMap::with_capacity(blueprint.nodes.len());
        for (definition, node) in blueprint.nodes.iter().enumerate() {
            nodes
                .entry(node.id.clone())
                .or_insert_with(|| Place { definition, ..Place::default() });
        }
        let mut seen = HashSet::new();
        let mut parallel: HashMap<(NodeId, NodeId), u32> = HashMap::new();
        for (position, edge) in blueprint.edges.iter().enumerate() {
            let exists = nodes.contains_key(&edge.target);
            let new = seen.insert((&edge.source, &edge.target));
            if let Some(source) = nodes.get_mut(&edge.source) {
                source.has_outgoing = true;
                if exists {
                    source.outgoing.push(position);
                    if new {
                        source.successors.push(edge.target.clone());
                    }
                }
            }
            if let Some(target) = nodes.get_mut(&edge.target) {
                target.conditional |= edge_condition(edge).is_some();
                target.incoming += 1;
                if !new {
                    *parallel.entry((edge.source.clone(), edge.target.clone())).or_insert(1) += 1;
                }
                if new {
                    target.predecessors.push(edge.source.clone());
                }
            }
        }
        for node in &blueprint.nodes {
            if let Some(fallback) = &node.config.fallback
                && let Some(place) = nodes.get_mut(fallback)
                && !place.fallback_of.contains(&node.id)
            {
                place.fallback_of.push(node.id.clone());
            }
        }
        let fingerprint = blueprint.fingerprint();
        let mut graph = Self { blueprint, fingerprint, nodes, starts: Vec::new(), parallel };
        graph.find_loops();
        graph.starts = start_nodes(&graph.blueprint);
        graph
    }

    /// The blueprint.
    pub fn blueprint(&self) -> &Arc<Blueprint> {
        &self.blueprint
    }

    /// The blueprint's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The nodes that a run begins with: those without incoming edges that are nobody's fallback;
    /// if there are none, an entry point for each cycle.
    pub fn starts(&self) -> &[NodeId] {
        &self.starts
    }

    /// The nodes without incoming edges, those that are somebody's fallback included.
    pub(crate) fn without_predecessors(&self) -> impl Iterator<Item = &NodeId> {
        self.definitions()
            .filter(|node| self.place(&node.id).is_some_and(|place| place.predecessors.is_empty()))
            .map(|node| &node.id)
    }

    /// The nodes without outgoing edges, in blueprint order.
    pub fn terminals(&self) -> impl Iterator<Item = &NodeId> {
        self.definitions()
            .filter(|node| self.place(&node.id).is_some_and(|place| !place.has_outgoing))
            .map(|node| &node.id)
    }

    /// How many nodes there are, counting an id once.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The definitions that count: the first of each id, in blueprint order.
    pub fn definitions(&self) -> impl Iterator<Item = &Node> {
        self.blueprint.nodes.iter().enumerate().filter_map(|(position, node)| {
            let place = self.nodes.get(&node.id)?;
            (place.definition == position).then_some(node)
        })
    }

    /// A node's definition.
    pub fn definition(&self, node: &str) -> Option<&Node> {
        self.nodes.get(node).map(|place| &self.blueprint.nodes[place.definition])
    }

    pub(crate) fn place(&self, node: &str) -> Option<&Place> {
        self.nodes.get(node)
    }

    /// A node's own outgoing edges whose targets exist, in blueprint order.
    pub(crate) fn outgoing(&self, node: &str) -> impl Iterator<Item = &Edge> {
        self.nodes.get(node).into_iter().flat_map(|place| {
            place.outgoing.iter().map(|position| &self.blueprint.edges[*position])
        })
    }

    /// How many edges lead from a node to another, that one being among its successors.
    pub(crate) fn edges_between(&self, source: &NodeId, target: &NodeId) -> u32 {
        if self.parallel.is_empty() {
            return 1;
        }
        self.parallel.get(&(source.clone(), target.clone())).copied().unwrap_or(1)
    }

    /// How many edges lead into a node.
    pub(crate) fn edges_into(&self, node: &str) -> u32 {
        self.place(node).map_or(0, |place| place.incoming)
    }

    /// Whether a node is a loop controller.
    pub(crate) fn is_controller(&self, node: &str) -> bool {
        self.definition(node).is_some_and(|node| node.uses == LOOP_CONTROLLER)
    }

    /// Whether a node belongs to a controller's loop, the controller itself included.
    pub(crate) fn in_loop(&self, controller: &str, node: &str) -> bool {
        controller == node
            || self.place(controller).is_some_and(|place| place.members.contains(node))
    }

    /// The nodes with several predecessors, each with these.
    pub(crate) fn joins(&self) -> impl Iterator<Item = (&NodeId, &[NodeId])> {
        self.nodes
            .iter()
            .filter(|(_, place)| place.predecessors.len() > 1)
            .map(|(node, place)| (node, place.predecessors.as_slice()))
    }

    /// How a node with several predecessors is joined.
    pub(crate) fn join(&self, node: &str) -> JoinStrategy {
        self.definition(node).map_or(JoinStrategy::All, |node| node.config.join)
    }

    /// The first node that becomes ready when `node` completes, where neither its result nor other
    /// nodes have a say in that.
    pub(crate) fn likely_next(&self, node: &str) -> Option<&NodeId> {
        let unconditional =
            |edge: &Edge| edge_action(edge).is_none() && edge_condition(edge).is_none();
        if !self.outgoing(node).all(unconditional) {
            return None;
        }
        self.place(node)?.successors.iter().find(|successor| {
            self.place(successor).is_some_and(|place| place.predecessors.len() == 1)
                && !self.is_controller(successor)
        })
    }

    fn find_loops(&mut self) {
        let controllers: Vec<_> = self
            .definitions()
            .filter(|node| node.uses == LOOP_CONTROLLER)
            .map(|node| node.id.clone())
            .collect();
        for controller in controllers {
            let members = self.members_of(&controller);
            for member in &members {
                if let Some(place) = self.nodes.get_mut(member) {
                    place.loops.push(controller.clone());
                }
            }
            if let Some(place) = self.nodes.get_mut(&controller) {
                place.members = members;
            }
        }
    }

    /// Everything that starts anew with each pass: what can be reached from the targets of
    /// `continue` without passing the controller. A controller met on the way is passed only if its
    /// own exit leads back here: then its loop lies within this one.
    fn members_of(&self, controller: &NodeId) -> HashSet<NodeId> {
        let mut members = HashSet::new();
        let mut open: Vec<NodeId> = self
            .outgoing(controller)
            .filter(|edge| edge.action.as_deref() == Some(CONTINUE))
            .map(|edge| edge.target.clone())
            .collect();
        while let Some(node) = open.pop() {
            if node == *controller || members.contains(&node) {
                continue;
            }
            if self.is_controller(&node) && !self.exit_leads_to(&node, controller) {
                continue;
            }
            open.extend(self.leads_to(&node));
            members.insert(node);
        }
        members
    }

    /// Where work can go on after a node: its successors and its fallback.
    fn leads_to(&self, node: &NodeId) -> impl Iterator<Item = NodeId> {
        let fallback = self
            .definition(node)
            .and_then(|node| node.config.fallback.clone())
            .filter(|fallback| self.nodes.contains_key(fallback));
        self.place(node)
            .into_iter()
            .flat_map(|place| place.successors.iter().cloned())
            .chain(fallback)
    }

    /// Whether the ways out of `inner` (all but `continue`) lead to `outer` without passing `inner`.
    fn exit_leads_to(&self, inner: &NodeId, outer: &NodeId) -> bool {
        let mut seen = HashSet::new();
        let mut open: Vec<NodeId> = self
            .outgoing(inner)
            .filter(|edge| edge.action.as_deref() != Some(CONTINUE))
            .map(|edge| edge.target.clone())
            .collect();
        while let Some(node) = open.pop() {
            if node == *outer {
                return true;
            }
            if node != *inner && seen.insert(node.clone()) {
                open.extend(self.leads_to(&node));
            }
        }
        false
    }
}

/// An edge's condition, if it has one: empty text counts as none.
pub(crate) fn edge_condition(edge: &Edge) -> Option<&str> {
    edge.condition.as_deref().filter(|condition| !condition.is_empty())
}

/// An edge's action, if it has one: empty text counts as none.
pub(crate) fn edge_action(edge: &Edge) -> Option<&str> {
    edge.action.as_deref().filter(|action| !action.is_empty())
}
