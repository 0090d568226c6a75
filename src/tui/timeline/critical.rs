//! The critical path: the chain of nodes that the end of a run waited for.

use std::{cmp::Reverse, collections::HashSet};

use super::bars::Bar;
use crate::{
    engine::Timestamp,
    monitor::{EdgeShown, RunDetail},
};

/// The nodes of the chain, the last one first: each of them is the one of those before the next one
/// that ended last.
pub(super) fn critical(detail: &RunDetail, bars: &[Vec<Bar>], now: Timestamp) -> Vec<usize> {
    let end = |node: usize| bars.get(node)?.iter().map(|bar| bar.end(now)).max();
    let begin = |node: usize| bars.get(node)?.iter().map(|bar| bar.from).min();
    let mut sources: Vec<Vec<usize>> = vec![Vec::new(); bars.len()];
    for (edge, shown) in detail.shape.edges.iter().zip(&detail.edges) {
        if *shown == EdgeShown::Taken
            && let Some(sources) = sources.get_mut(edge.target)
        {
            sources.push(edge.source);
        }
    }
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    // Of those that end together the one that is at work, for longest.
    let rank = |node: usize| {
        let last = bars.get(node)?.last()?;
        Some((end(node)?, last.kind, Reverse(begin(node)?), Reverse(node), node))
    };
    let mut next = (0..bars.len()).filter_map(rank).max().map(|(.., node)| node);
    while let Some(node) = next {
        if !seen.insert(node) {
            break;
        }
        chain.push(node);
        let own = begin(node);
        let before = sources[node].iter().copied().filter(|source| !seen.contains(source));
        // What began later can't be what this one waited for first: it is the end of a loop.
        let before = before.filter(|source| begin(*source) <= own);
        next = before.filter_map(|source| Some((end(source)?, source))).max().map(|(_, it)| it);
    }
    chain
}
