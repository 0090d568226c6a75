//! Which nodes lie on branches of one decision of which only one is taken.

use std::collections::HashMap;

use crate::blueprint::{
    graph::Graph,
    model::{Edge, JoinStrategy},
};

/// How many decisions back are looked at: enough for any workflow that a person wrote.
const DEPTH: usize = 64;
/// How many ways out of one decision are compared with each other.
const WAYS: usize = 4;

/// For each node the decisions that must have gone its way if it runs.
pub(super) struct Decisions<'a> {
    graph: &'a Graph<'a>,
    by_action: Vec<bool>,
    /// Per node: the nearest edge that must have been taken and might not have been.
    guard: Vec<Option<usize>>,
}

/// Two branches of which only one is taken.
pub(super) struct Clash {
    /// The node that decides.
    pub(super) at: usize,
    /// The predecessors that lie on the branches.
    pub(super) branches: [usize; 2],
}

/// How far the search for a node's guard has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    New,
    UnderWay,
    Done,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(graph: &'a Graph<'a>, predecessors: &[Vec<usize>]) -> Self {
        let by_action = by_action(graph);
        let mut guard = vec![None; graph.nodes.len()];
        let mut search = vec![Search::New; graph.nodes.len()];
        let mut path = Vec::new();
        for start in 0..graph.nodes.len() {
            let mut at = start;
            let nearest = loop {
                match search[at] {
                    Search::Done => break guard[at],
                    Search::UnderWay => break None,
                    Search::New => search[at] = Search::UnderWay,
                }
                path.push(at);
                match above(graph, predecessors, &by_action, at) {
                    Some(Above::Guard(edge)) => break Some(edge),
                    Some(Above::Node(node)) => at = node,
                    None => break None,
                }
            };
            for node in path.drain(..) {
                guard[node] = nearest;
                search[node] = Search::Done;
            }
        }
        Self { graph, by_action, guard }
    }

    /// Two predecessors of an `all` join that can't both run.
    pub(super) fn clash(&self, predecessors: &[usize]) -> Option<Clash> {
        // Per decision: some of the ways out that lead here, each with the predecessor it leads to.
        let mut ways: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
        for predecessor in predecessors {
            for (at, edge) in self.of(self.guard[*predecessor]) {
                let ways = ways.entry(at).or_default();
                if ways.iter().any(|(other, _)| *other == edge) {
                    continue;
                }
                let clash =
                    ways.iter().find(|(other, _)| exclude(self.edge(*other), self.edge(edge)));
                if let Some((_, other)) = clash {
                    return Some(Clash { at, branches: [*other, *predecessor] });
                }
                if ways.len() < WAYS {
                    ways.push((edge, *predecessor));
                }
            }
        }
        None
    }

    /// Whether of the edges into a node only one can be taken. Not looked into for many edges.
    pub(super) fn only_one(&self, edges: &[usize]) -> bool {
        if edges.len() > 8 {
            return false;
        }
        let ways: Vec<Vec<(usize, usize)>> = edges
            .iter()
            .map(|edge| {
                let Some(source) = self.graph.ends[*edge].0 else { return Vec::new() };
                let own = is_guarded(self.graph, &self.by_action, *edge).then_some((source, *edge));
                own.into_iter().chain(self.of(self.guard[source])).collect()
            })
            .collect();
        ways.iter().enumerate().all(|(place, one)| {
            ways[place + 1..].iter().all(|other| {
                one.iter().any(|(at, edge)| {
                    other.iter().any(|(other_at, other_edge)| {
                        at == other_at && exclude(self.edge(*edge), self.edge(*other_edge))
                    })
                })
            })
        })
    }

    /// The decisions from an edge upwards, with the way each must have gone.
    fn of(&self, mut edge: Option<usize>) -> impl Iterator<Item = (usize, usize)> {
        std::iter::from_fn(move || {
            let way = edge?;
            let at = self.graph.ends[way].0?;
            edge = self.guard[at];
            Some((at, way))
        })
        .take(DEPTH)
    }

    fn edge(&self, number: usize) -> &Edge {
        &self.graph.blueprint.edges[number]
    }
}

/// What must have happened before a node runs.
enum Above {
    /// This edge was taken.
    Guard(usize),
    /// This node has run.
    Node(usize),
}

fn above(
    graph: &Graph<'_>,
    predecessors: &[Vec<usize>],
    by_action: &[bool],
    node: usize,
) -> Option<Above> {
    match (predecessors[node].as_slice(), graph.incoming[node].as_slice()) {
        ([_], [edge]) if is_guarded(graph, by_action, *edge) => Some(Above::Guard(*edge)),
        ([only], _) => Some(Above::Node(*only)),
        // All of them have run; one is enough to go on from.
        ([first, ..], _) if graph.nodes[node].config.join == JoinStrategy::All => {
            Some(Above::Node(*first))
        }
        _ => None,
    }
}

/// Whether an edge may be left out: it has an action or a condition, or it is the way taken when no
/// action of its source has an edge.
fn is_guarded(graph: &Graph<'_>, by_action: &[bool], edge: usize) -> bool {
    graph.blueprint.edges[edge].condition.is_some()
        || graph.ends[edge].0.is_some_and(|source| by_action[source])
}

/// Per node: whether an action chooses among its edges.
fn by_action(graph: &Graph<'_>) -> Vec<bool> {
    let has_action = |edge: &usize| graph.blueprint.edges[*edge].action.is_some();
    graph.outgoing.iter().map(|edges| edges.iter().any(has_action)).collect()
}

/// Whether of two edges out of one node only one is taken, going by what is written: by different
/// actions (an edge without one is taken when no other is), or by different conditions.
fn exclude(one: &Edge, other: &Edge) -> bool {
    one.action != other.action
        || one.condition.is_some() && other.condition.is_some() && one.condition != other.condition
}
