//! What can be said about the way a run takes through the graph.

use std::collections::VecDeque;

use super::{Code, Found, exclusive::Decisions};
use crate::blueprint::{
    graph::Graph,
    kind::BuiltIn,
    model::{Inputs, JoinStrategy, Node},
};

pub(super) fn check(graph: &Graph<'_>, found: &mut Found) {
    let predecessors = graph.predecessors();
    let successors = graph.successors();
    let starts = graph.start_set();
    let reached = reachable(graph, &starts, &successors);
    let runs = can_run(graph, &starts, &successors, &predecessors);
    let decisions = Decisions::new(graph, &predecessors);
    for (number, node) in graph.nodes.iter().enumerate() {
        let before = predecessors[number].as_slice();
        if !reached[number] && graph.nodes.len() > 1 {
            found.add(
                Code::OrphanNode,
                &node.id,
                "no start node leads to this node, so it never runs: connect or remove it",
            );
        } else if !runs[number] && waits_in_vain(graph, number, before, &runs) {
            never_ready(graph, number, before, &runs, found);
        }
        if before.len() > 1
            && node.config.join == JoinStrategy::All
            && let Some(clash) = decisions.clash(before)
        {
            let id = |node: usize| &graph.nodes[node].id;
            let (at, [one, other]) = (id(clash.at), clash.branches.map(id));
            found.add_related(
                Code::ExclusiveAllJoin,
                &node.id,
                at,
                format!("waits for `{one}` and `{other}`, which lie on different branches of `{at}`, so it may never run: set `config.joinStrategy` to \"any\""),
            );
        }
        if before.len() > 1 {
            ambiguous_input(graph, number, node, &decisions, found);
        }
    }
}

/// The nodes that edges and fallbacks lead to.
fn reachable(graph: &Graph<'_>, starts: &[usize], successors: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes.len()];
    let mut open = starts.to_vec();
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut reached[node], true) {
            continue;
        }
        open.extend(successors[node].iter().filter(|next| !reached[**next]));
        open.extend(fallback(graph, node));
    }
    reached
}

fn fallback(graph: &Graph<'_>, node: usize) -> Option<usize> {
    graph.nodes[node].config.fallback.as_ref().and_then(|id| graph.number(id))
}

/// The nodes that can run when every decision goes their way.
fn can_run(
    graph: &Graph<'_>,
    starts: &[usize],
    successors: &[Vec<usize>],
    predecessors: &[Vec<usize>],
) -> Vec<bool> {
    let mut runs = vec![false; graph.nodes.len()];
    // Per node: the predecessors that have not run yet.
    let mut missing: Vec<usize> = predecessors.iter().map(Vec::len).collect();
    let mut open: VecDeque<usize> = starts.iter().copied().collect();
    while let Some(node) = open.pop_front() {
        if std::mem::replace(&mut runs[node], true) {
            continue;
        }
        open.extend(fallback(graph, node));
        for next in &successors[node] {
            missing[*next] -= 1;
            let is_ready = match graph.nodes[*next].config.join {
                JoinStrategy::Any => true,
                JoinStrategy::All => missing[*next] == 0 && !graph.has_unknown_source(*next),
            };
            if is_ready {
                open.push_back(*next);
            }
        }
    }
    runs
}

/// Whether a node that can't run is one where the trouble begins: something does lead to it.
fn waits_in_vain(graph: &Graph<'_>, node: usize, before: &[usize], runs: &[bool]) -> bool {
    // A controller in this state has an issue of its own.
    BuiltIn::of(&graph.nodes[node].uses) != Some(BuiltIn::LoopController)
        && before.iter().any(|before| runs[*before])
}

fn never_ready(graph: &Graph<'_>, node: usize, before: &[usize], runs: &[bool], found: &mut Found) {
    let id = &graph.nodes[node].id;
    let blocker = before.iter().find(|before| !runs[**before]);
    let missing = || {
        let edges = graph.incoming[node].iter();
        edges.copied().find(|edge| graph.ends[*edge].0.is_none())
    };
    if let Some(blocker) = blocker {
        let blocker = &graph.nodes[*blocker].id;
        found.add_related(
            Code::NeverReady,
            id,
            blocker,
            format!("waits for `{blocker}`, which can't run before it: set `config.joinStrategy` to \"any\", or remove an edge"),
        );
    } else if let Some(edge) = missing() {
        let source = &graph.blueprint.edges[edge].source;
        found.add_related(
            Code::NeverReady,
            id,
            source,
            format!("waits for `{source}`, and there is no such node: correct or remove that edge"),
        );
    }
}

fn ambiguous_input(
    graph: &Graph<'_>,
    number: usize,
    node: &Node,
    decisions: &Decisions<'_>,
    found: &mut Found,
) {
    if BuiltIn::of(&node.uses).is_some_and(|kind| !kind.reads_input()) {
        return;
    }
    let edges = &graph.incoming[number];
    // A transform's value wins over explicit inputs.
    let deciding: Vec<usize> = match node.inputs {
        Inputs::Edge => edges.clone(),
        Inputs::One(_) | Inputs::Many(_) => edges
            .iter()
            .copied()
            .filter(|edge| graph.blueprint.edges[*edge].transform.is_some())
            .collect(),
    };
    let is_safe = deciding.len() < 2
        || node.config.join == JoinStrategy::Any && decisions.only_one(&deciding);
    if is_safe {
        return;
    }
    let message = match (&node.inputs, node.config.join) {
        (Inputs::Edge, JoinStrategy::All) => {
            "has several predecessors and no `inputs`, so it gets the output of the one that finishes last: name what it needs in `inputs`"
        }
        (Inputs::Edge, JoinStrategy::Any) => {
            "has several predecessors and no `inputs`, so it gets the output of the one that finishes first: name what it needs in `inputs`"
        }
        _ => {
            "has several edges with a transform into it, so which value it gets depends on which comes last: keep one of them"
        }
    };
    found.add(Code::AmbiguousInput, &node.id, message);
}
