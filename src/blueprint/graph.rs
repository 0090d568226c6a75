//! A blueprint as a graph of numbered nodes, for whatever walks it.

use std::collections::HashMap;

use super::model::{Blueprint, Node};

/// A blueprint's graph. Nodes are numbered in the order in which they are written, edges by their
/// place in the blueprint. Of nodes with the same id only the first is in it.
pub(crate) struct Graph<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) nodes: Vec<&'a Node>,
    /// Per edge of the blueprint: its ends, as far as they exist.
    pub(crate) ends: Vec<(Option<usize>, Option<usize>)>,
    /// Per node: the edges that leave it, also those that lead nowhere.
    pub(crate) outgoing: Vec<Vec<usize>>,
    /// Per node: the edges into it, also those from nowhere.
    pub(crate) incoming: Vec<Vec<usize>>,
    index: HashMap<&'a str, usize>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(blueprint: &'a Blueprint) -> Self {
        let mut nodes = Vec::with_capacity(blueprint.nodes.len());
        let mut index = HashMap::with_capacity(blueprint.nodes.len());
        for node in &blueprint.nodes {
            index.entry(node.id.as_str()).or_insert_with(|| {
                nodes.push(node);
                nodes.len() - 1
            });
        }
        let mut outgoing = vec![Vec::new(); nodes.len()];
        let mut incoming = vec![Vec::new(); nodes.len()];
        let mut ends = Vec::with_capacity(blueprint.edges.len());
        for (number, edge) in blueprint.edges.iter().enumerate() {
            let source = index.get(edge.source.as_str()).copied();
            let target = index.get(edge.target.as_str()).copied();
            if let Some(source) = source {
                outgoing[source].push(number);
            }
            if let Some(target) = target {
                incoming[target].push(number);
            }
            ends.push((source, target));
        }
        Self { blueprint, nodes, ends, outgoing, incoming, index }
    }

    /// The number of the node with an id.
    pub(crate) fn number(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// The nodes that edges of a node lead to, each once, in the order of the edges.
    pub(crate) fn successors(&self) -> Vec<Vec<usize>> {
        // Per node: the last source that it was listed for.
        let mut listed_for = vec![usize::MAX; self.nodes.len()];
        let mut successors = Vec::with_capacity(self.nodes.len());
        for (source, edges) in self.outgoing.iter().enumerate() {
            let mut targets = Vec::new();
            for target in edges.iter().filter_map(|edge| self.ends[*edge].1) {
                if listed_for[target] != source {
                    listed_for[target] = source;
                    targets.push(target);
                }
            }
            successors.push(targets);
        }
        successors
    }

    /// The nodes that edges into a node come from, each once, in the order of the edges.
    pub(crate) fn predecessors(&self) -> Vec<Vec<usize>> {
        let mut listed_for = vec![usize::MAX; self.nodes.len()];
        let mut predecessors = Vec::with_capacity(self.nodes.len());
        for (target, edges) in self.incoming.iter().enumerate() {
            let mut sources = Vec::new();
            for source in edges.iter().filter_map(|edge| self.ends[*edge].0) {
                if listed_for[source] != target {
                    listed_for[source] = target;
                    sources.push(source);
                }
            }
            predecessors.push(sources);
        }
        predecessors
    }

    /// Whether an edge into the node comes from a node that does not exist.
    pub(crate) fn has_unknown_source(&self, node: usize) -> bool {
        self.incoming[node].iter().any(|edge| self.ends[*edge].0.is_none())
    }

    /// Per node: whether it is somebody's fallback.
    pub(crate) fn fallbacks(&self) -> Vec<bool> {
        let mut is_fallback = vec![false; self.nodes.len()];
        for node in &self.nodes {
            if let Some(fallback) = node.config.fallback.as_ref().and_then(|id| self.number(id)) {
                is_fallback[fallback] = true;
            }
        }
        is_fallback
    }

    /// The nodes that a run starts with: those without an incoming edge that are nobody's fallback,
    /// or, if there is none, the entry points of the cycles.
    pub(crate) fn start_set(&self) -> Vec<usize> {
        let is_fallback = self.fallbacks();
        let starts: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.incoming[*node].is_empty() && !is_fallback[*node])
            .collect();
        if starts.is_empty() { self.cycle_entries() } else { starts }
    }

    /// Per cycle its first member that `metadata.cycleEntryPoints` lists, else its first node; each
    /// once, in the order in which the cycles are found.
    fn cycle_entries(&self) -> Vec<usize> {
        let mut is_listed = vec![false; self.nodes.len()];
        for id in self.blueprint.cycle_entry_points() {
            if let Some(node) = self.number(&id) {
                is_listed[node] = true;
            }
        }
        let mut is_entry = vec![false; self.nodes.len()];
        let mut entries = Vec::new();
        // Places on the current path whose nodes are listed, so that the first one of a cycle is
        // found without walking along it.
        let mut listed_places = Vec::new();
        let mut note = |event: Walk<'_>| match event {
            Walk::Enter { place, node } if is_listed[node] => listed_places.push(place),
            Walk::Leave { node } if is_listed[node] => {
                listed_places.pop();
            }
            Walk::Enter { .. } | Walk::Leave { .. } => {}
            Walk::Cycle { path, from } => {
                let first = listed_places.partition_point(|place| *place < from);
                let entry = path[listed_places.get(first).copied().unwrap_or(from)];
                if !is_entry[entry] {
                    is_entry[entry] = true;
                    entries.push(entry);
                }
            }
        };
        self.walk(&mut note);
        entries
    }

    /// Walks the graph depth-first, from each unvisited node in order, along the edges in order.
    pub(crate) fn walk(&self, on: &mut impl FnMut(Walk<'_>)) {
        let successors = self.successors();
        let mut visited = vec![false; self.nodes.len()];
        // Per node: its place on the current path.
        let mut place_of: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut path: Vec<usize> = Vec::new();
        // Per node of the path: how many of its successors have been looked at.
        let mut progress: Vec<usize> = Vec::new();
        for root in 0..self.nodes.len() {
            let mut next = Some(root).filter(|root| !visited[*root]);
            loop {
                if let Some(node) = next.take() {
                    visited[node] = true;
                    place_of[node] = Some(path.len());
                    on(Walk::Enter { place: path.len(), node });
                    path.push(node);
                    progress.push(0);
                }
                let (Some(node), Some(done)) = (path.last().copied(), progress.last_mut()) else {
                    break;
                };
                if let Some(successor) = successors[node].get(*done).copied() {
                    *done += 1;
                    if let Some(from) = place_of[successor] {
                        on(Walk::Cycle { path: &path, from });
                    } else if !visited[successor] {
                        next = Some(successor);
                    }
                } else {
                    place_of[node] = None;
                    path.pop();
                    progress.pop();
                    on(Walk::Leave { node });
                }
            }
        }
    }
}

/// What a walk through the graph meets.
pub(crate) enum Walk<'p> {
    /// A node for the first time; `place` is its place on the path.
    Enter { place: usize, node: usize },
    /// The end of the path goes back to the node at `from`.
    Cycle { path: &'p [usize], from: usize },
    /// Everything behind a node has been seen.
    Leave { node: usize },
}
