//! Which edges lead back: without them the graph has no cycle.

use super::Link;

/// Whether an edge leads on or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    On,
    Back,
}

/// Finds the edges that lead back, by a walk that begins where nothing leads to.
pub(super) fn ways(nodes: usize, edges: &[Link]) -> Vec<Way> {
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut has_incoming = vec![false; nodes];
    for (number, edge) in edges.iter().enumerate() {
        outgoing[edge.source].push(number);
        has_incoming[edge.target] |= edge.source != edge.target;
    }
    let mut ways = vec![Way::On; edges.len()];
    let mut seen = vec![false; nodes];
    let mut on_path = vec![false; nodes];
    // The path, each node with how many of its edges have been followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let starts = (0..nodes).filter(|node| !has_incoming[*node]);
    for root in starts.chain(0..nodes).collect::<Vec<_>>() {
        if seen[root] {
            continue;
        }
        seen[root] = true;
        on_path[root] = true;
        path.push((root, 0));
        while let Some((node, followed)) = path.last_mut() {
            let Some(number) = outgoing[*node].get(*followed) else {
                on_path[*node] = false;
                path.pop();
                continue;
            };
            *followed += 1;
            let target = edges[*number].target;
            if on_path[target] {
                ways[*number] = Way::Back;
            } else if !seen[target] {
                seen[target] = true;
                on_path[target] = true;
                path.push((target, 0));
            }
        }
    }
    ways
}
