//! Folding: what is alike or belongs together becomes one box, so that a large graph stays one that
//! can be read. Batches always, many of a kind from a dozen on; chains, and at last whole levels,
//! where there are more boxes than anybody looks at one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Link,
    cycles::{Way, ways},
};

/// From so many boxes on, everything is folded that can be.
pub(in crate::tui) const MANY: usize = 200;

/// From so many on, nodes of the same kind between the same neighbours are one box.
const ALIKE: usize = 12;

/// The same, where there are many boxes.
const ALIKE_OF_MANY: usize = 3;

/// The shortest chain that becomes one box.
const CHAIN: usize = 3;

/// How many boxes an opened one gives at most; the rest stays one.
const OPENED: usize = 60;

/// A graph to be folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::tui) struct Material {
    pub(in crate::tui) nodes: Vec<MaterialNode>,
    pub(in crate::tui) edges: Vec<MaterialEdge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct MaterialNode {
    /// Nodes with the same number are of the same kind.
    pub(in crate::tui) class: usize,
    /// The node that handed it out, for an item of a batch.
    pub(in crate::tui) batch: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct MaterialEdge {
    pub(in crate::tui) source: usize,
    pub(in crate::tui) target: usize,
    /// Edges with the same number have the same label.
    pub(in crate::tui) label: usize,
}

/// Why nodes are one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::tui) enum GroupKind {
    /// It is one node.
    Single,
    /// The items of a batch.
    Batch,
    /// The same kind of node between the same neighbours.
    Alike,
    /// One after another, and nothing else.
    Chain,
    /// As far from the beginning.
    Level,
    /// What is left of one that was opened.
    Rest,
}

/// A box: one node, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Group {
    pub(in crate::tui) kind: GroupKind,
    /// The node that it is known by: a batch by the one that handed it out, others by their first.
    pub(in crate::tui) known_by: usize,
    /// The nodes in it, in order.
    pub(in crate::tui) members: Vec<usize>,
}

/// An edge between two boxes, with those of the graph that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct FoldedEdge {
    pub(in crate::tui) source: usize,
    pub(in crate::tui) target: usize,
    pub(in crate::tui) edges: Vec<usize>,
}

/// A folded graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::tui) struct Folded {
    pub(in crate::tui) groups: Vec<Group>,
    pub(in crate::tui) edges: Vec<FoldedEdge>,
    /// The box of each node.
    pub(in crate::tui) box_of: Vec<usize>,
}

/// Folds a graph. `open` says which boxes have been opened: by kind and the node that they are
/// known by.
pub(in crate::tui) fn fold(material: &Material, open: impl Fn(GroupKind, usize) -> bool) -> Folded {
    let mut folding = Folding::new(material, &open);
    folding.take_batches();
    folding.take_alike(ALIKE);
    let mut before = usize::MAX;
    while folding.groups.len() > MANY && folding.groups.len() < before {
        before = folding.groups.len();
        folding.take_chains();
        folding.take_alike(ALIKE_OF_MANY);
    }
    if folding.groups.len() > MANY {
        folding.take_levels();
    }
    folding.finish()
}

/// A box while folding goes on.
#[derive(Debug, Clone)]
struct Draft {
    kind: GroupKind,
    known_by: usize,
    members: Vec<usize>,
    /// It came out of a box that was opened, and is not put into one again.
    loose: bool,
}

struct Folding<'a, F> {
    material: &'a Material,
    open: &'a F,
    groups: Vec<Draft>,
    box_of: Vec<usize>,
    /// Edges that a batch stands in for.
    hidden: BTreeSet<usize>,
}

/// A neighbour: the other box, and the label of the edge.
type Neighbour = (usize, usize);

/// What boxes have in common that are alike: the kinds of their nodes, and their neighbours.
type Signature<'a> = (Vec<usize>, &'a [Neighbour], &'a [Neighbour]);

impl<'a, F: Fn(GroupKind, usize) -> bool> Folding<'a, F> {
    fn new(material: &'a Material, open: &'a F) -> Self {
        let single = |node| Draft {
            kind: GroupKind::Single,
            known_by: node,
            members: vec![node],
            loose: false,
        };
        let count = material.nodes.len();
        Self {
            material,
            open,
            groups: (0..count).map(single).collect(),
            box_of: (0..count).collect(),
            hidden: BTreeSet::new(),
        }
    }

    fn take_batches(&mut self) {
        let mut batches: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (node, material) in self.material.nodes.iter().enumerate() {
            if let Some(scatter) = material.batch {
                batches.entry(scatter).or_default().push(node);
            }
        }
        // The way from the scatter to the gather goes through the items.
        let mut through: BTreeSet<(usize, usize)> = BTreeSet::new();
        for edge in &self.material.edges {
            if let Some(scatter) = self.material.nodes[edge.source].batch {
                through.insert((scatter, edge.target));
            }
        }
        for (number, edge) in self.material.edges.iter().enumerate() {
            if through.contains(&(edge.source, edge.target)) {
                self.hidden.insert(number);
            }
        }
        let batches = batches.into_iter().filter(|(_, items)| items.len() > 1);
        let groups = batches.map(|(scatter, items)| (GroupKind::Batch, scatter, items));
        self.merge(groups.collect());
    }

    fn take_alike(&mut self, least: usize) {
        let [before, behind] = self.neighbours();
        let mut alike: BTreeMap<Signature<'_>, Vec<usize>> = BTreeMap::new();
        for (number, group) in self.groups.iter().enumerate() {
            if !group.loose {
                let classes = group.members.iter().map(|node| self.material.nodes[*node].class);
                let signature = (classes.collect(), &*before[number], &*behind[number]);
                alike.entry(signature).or_default().push(number);
            }
        }
        let mut found: Vec<Vec<usize>> =
            alike.into_values().filter(|groups| groups.len() >= least).collect();
        found.sort();
        let known_by = |groups: &[usize]| self.groups[groups[0]].members[0];
        let groups =
            found.into_iter().map(|groups| (GroupKind::Alike, known_by(&groups), groups)).collect();
        self.merge(groups);
    }

    fn take_chains(&mut self) {
        let [before, behind] = self.neighbours();
        let next = |group: usize| match behind[group].as_slice() {
            [(next, _)] if before[*next].len() == 1 && *next != group => Some(*next),
            _ => None,
        };
        let follows = |group: usize| match before[group].as_slice() {
            [(previous, _)] => next(*previous) == Some(group),
            _ => false,
        };
        let mut chains = Vec::new();
        for first in 0..self.groups.len() {
            if follows(first) {
                continue;
            }
            // Loose boxes part a chain.
            let mut run = Vec::new();
            let mut at = Some(first);
            while let Some(group) = at {
                if self.groups[group].loose {
                    chains.push(std::mem::take(&mut run));
                } else {
                    run.push(group);
                }
                at = next(group);
            }
            chains.push(run);
        }
        let groups = chains
            .into_iter()
            .filter(|chain| chain.len() >= CHAIN)
            .map(|chain| (GroupKind::Chain, self.groups[chain[0]].members[0], chain))
            .collect();
        self.merge(groups);
    }

    fn take_levels(&mut self) {
        let level = self.levels();
        let count = level.iter().max().map_or(0, |last| last + 1);
        let each = count.div_ceil(MANY / 2).max(1);
        let mut levels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, group) in self.groups.iter().enumerate() {
            if !group.loose {
                levels.entry(level[number] / each).or_default().push(number);
            }
        }
        let groups = levels
            .into_values()
            .filter(|groups| groups.len() > 2)
            .map(|groups| (GroupKind::Level, self.groups[groups[0]].members[0], groups))
            .collect();
        self.merge(groups);
    }

    /// How far each box is from the beginning.
    fn levels(&self) -> Vec<usize> {
        let links: Vec<Link> = self
            .pairs()
            .into_keys()
            .map(|(source, target)| Link { source, target, label: 0 })
            .collect();
        let ways = ways(self.groups.len(), &links);
        let mut outgoing = vec![Vec::new(); self.groups.len()];
        let mut open = vec![0_usize; self.groups.len()];
        for (link, _) in links.iter().zip(ways).filter(|(_, way)| *way == Way::On) {
            outgoing[link.source].push(link.target);
            open[link.target] += 1;
        }
        let mut level = vec![0; self.groups.len()];
        let mut sorted: Vec<usize> = (0..open.len()).filter(|group| open[*group] == 0).collect();
        let mut at = 0;
        while let Some(group) = sorted.get(at).copied() {
            at += 1;
            for target in &outgoing[group] {
                level[*target] = level[*target].max(level[group] + 1);
                open[*target] -= 1;
                if open[*target] == 0 {
                    sorted.push(*target);
                }
            }
        }
        level
    }

    /// The edges between boxes, each with those of the graph that it stands for.
    fn pairs(&self) -> BTreeMap<(usize, usize), Vec<usize>> {
        let mut pairs: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (number, edge) in self.material.edges.iter().enumerate() {
            let (source, target) = (self.box_of[edge.source], self.box_of[edge.target]);
            let inside = source == target && self.groups[source].members.len() > 1;
            if !inside && !self.hidden.contains(&number) {
                pairs.entry((source, target)).or_default().push(number);
            }
        }
        pairs
    }

    /// What leads to each box, and what each leads to.
    fn neighbours(&self) -> [Vec<Vec<Neighbour>>; 2] {
        let none = || vec![Vec::new(); self.groups.len()];
        let (mut before, mut behind) = (none(), none());
        for ((source, target), edges) in self.pairs() {
            let labels: BTreeSet<usize> =
                edges.iter().map(|edge| self.material.edges[*edge].label).collect();
            for label in labels {
                behind[source].push((target, label));
                before[target].push((source, label));
            }
        }
        [before, behind]
    }

    /// Makes boxes of boxes, but for those that were opened: of these the first ones stand alone,
    /// and the rest, if that is many, becomes another box.
    fn merge(&mut self, sets: Vec<(GroupKind, usize, Vec<usize>)>) {
        let mut gone = vec![false; self.groups.len()];
        let mut merged = Vec::new();
        let mut queue = sets;
        queue.reverse();
        while let Some((kind, known_by, mut parts)) = queue.pop() {
            if (self.open)(kind, known_by) {
                let rest = if parts.len() > OPENED + ALIKE_OF_MANY {
                    parts.split_off(OPENED)
                } else {
                    Vec::new()
                };
                for part in parts {
                    self.groups[part].loose = true;
                }
                if let Some(first) = rest.first() {
                    queue.push((GroupKind::Rest, self.groups[*first].members[0], rest));
                }
                continue;
            }
            let mut members = Vec::new();
            for part in parts {
                gone[part] = true;
                members.extend(self.groups[part].members.iter().copied());
            }
            if kind != GroupKind::Chain {
                members.sort_unstable();
            }
            merged.push(Draft { kind, known_by, members, loose: kind == GroupKind::Rest });
        }
        let kept = std::mem::take(&mut self.groups).into_iter().zip(gone);
        self.groups =
            kept.filter(|(_, gone)| !gone).map(|(group, _)| group).chain(merged).collect();
        self.groups.sort_by_key(|group| group.members.iter().min().copied());
        for (number, group) in self.groups.iter().enumerate() {
            for member in &group.members {
                self.box_of[*member] = number;
            }
        }
    }

    fn finish(self) -> Folded {
        let edges = self.pairs().into_iter();
        let edges = edges.map(|((source, target), edges)| FoldedEdge { source, target, edges });
        let mut edges: Vec<FoldedEdge> = edges.collect();
        // As they are written: the order of branches is the author's.
        edges.sort_by_key(|edge| edge.edges.first().copied());
        let groups = self.groups.into_iter();
        let groups =
            groups.map(|Draft { kind, known_by, members, .. }| Group { kind, known_by, members });
        Folded { groups: groups.collect(), edges, box_of: self.box_of }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn material(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Material {
        let node = MaterialNode { class: 0, batch: None };
        let edges =
            edges.into_iter().map(|(source, target)| MaterialEdge { source, target, label: 0 });
        Material { nodes: vec![node; count], edges: edges.collect() }
    }

    /// The boxes that are more than one node, as kind, node that they are known by, and size.
    fn groups(folded: &Folded) -> Vec<(GroupKind, usize, usize)> {
        let groups = folded.groups.iter().filter(|group| group.kind != GroupKind::Single);
        groups.map(|group| (group.kind, group.known_by, group.members.len())).collect()
    }

    fn closed(_: GroupKind, _: usize) -> bool {
        false
    }

    /// A node, so many behind it, and one behind all of these.
    fn fan(width: usize) -> Material {
        let middle = 1..=width;
        let edges = middle.flat_map(|node| [(0, node), (node, width + 1)]);
        material(width + 2, edges)
    }

    #[test]
    fn a_dozen_of_a_kind_is_one_box_until_it_is_opened() {
        assert_eq!(groups(&fold(&fan(11), closed)), []);
        let folded = fold(&fan(12), closed);
        assert_eq!(groups(&folded), [(GroupKind::Alike, 1, 12)]);
        assert_eq!(folded.groups.len(), 3);
        assert_eq!(folded.edges.len(), 2);
        assert_eq!(folded.edges[0].edges.len(), 12);
        let open = |kind, node| (kind, node) == (GroupKind::Alike, 1);
        assert_eq!(fold(&fan(12), open).groups.len(), 14);
    }

    #[test]
    fn kinds_and_labels_tell_nodes_apart() {
        let mut other = fan(12);
        other.nodes[3].class = 1;
        assert_eq!(groups(&fold(&other, closed)), []);
        let mut other = fan(12);
        other.edges[6].label = 1;
        assert_eq!(groups(&fold(&other, closed)), []);
    }

    #[test]
    fn what_is_opened_shows_its_first_ones_and_a_rest() {
        let open = |kind, _| kind == GroupKind::Alike;
        let folded = fold(&fan(500), open);
        assert_eq!(groups(&folded), [(GroupKind::Rest, 61, 440)]);
        assert_eq!(folded.groups.len(), 63);
        let all = |kind, node| kind == GroupKind::Alike || node == 61;
        assert_eq!(groups(&fold(&fan(500), all)), [(GroupKind::Rest, 121, 380)]);
    }

    #[test]
    fn a_batch_is_one_box_between_scatter_and_gather() {
        // A scatter, a gather, and three items.
        let edges = [(0, 1), (0, 2), (0, 3), (0, 4), (2, 1), (3, 1), (4, 1)];
        let mut batch = material(5, edges);
        for item in 2..5 {
            batch.nodes[item].batch = Some(0);
        }
        let folded = fold(&batch, closed);
        assert_eq!(groups(&folded), [(GroupKind::Batch, 0, 3)]);
        let pairs: Vec<_> = folded.edges.iter().map(|edge| (edge.source, edge.target)).collect();
        assert_eq!(pairs, [(0, 2), (2, 1)], "not from the scatter to the gather beside it");
        let opened = fold(&batch, |kind, _| kind == GroupKind::Batch);
        assert_eq!(opened.groups.len(), 5);
        assert_eq!(opened.edges.len(), 6);
    }

    #[test]
    fn chains_fold_only_where_there_are_many_boxes() {
        let chain = |length: usize| material(length, (1..length).map(|node| (node - 1, node)));
        assert_eq!(groups(&fold(&chain(200), closed)), []);
        assert_eq!(groups(&fold(&chain(201), closed)), [(GroupKind::Chain, 0, 201)]);
        // Thirty chains of ten between two nodes: each one box, and all of these another one.
        let edges = (0..30).flat_map(|chain| {
            let first = 2 + chain * 10;
            let links = (first + 1..first + 10).map(|node| (node - 1, node));
            links.chain([(0, first), (first + 9, 1)])
        });
        let chains = material(302, edges);
        assert_eq!(groups(&fold(&chains, closed)), [(GroupKind::Alike, 2, 300)]);
        let opened = fold(&chains, |kind, _| kind == GroupKind::Alike);
        assert_eq!(groups(&opened).len(), 30);
        assert_eq!(groups(&opened)[1], (GroupKind::Chain, 12, 10));
        let opened = fold(&chains, |kind, node| kind == GroupKind::Alike || node == 12);
        assert_eq!(opened.groups.len(), 2 + 29 + 10);
    }

    #[test]
    fn a_graph_of_any_size_becomes_one_that_can_be_drawn() {
        let mut seed = 7_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let edges: Vec<_> = (0..20_000).map(|_| (random(10_000), random(10_000))).collect();
        let mut wild = material(10_000, edges);
        for (number, node) in wild.nodes.iter_mut().enumerate() {
            node.class = number % 7;
        }
        let folded = fold(&wild, closed);
        assert!(folded.groups.len() <= MANY, "{}", folded.groups.len());
        let mut members: Vec<usize> =
            folded.groups.iter().flat_map(|group| group.members.iter().copied()).collect();
        members.sort_unstable();
        assert_eq!(members, (0..10_000).collect::<Vec<_>>(), "each node is in one box");
        for (node, number) in folded.box_of.iter().enumerate() {
            assert!(folded.groups[*number].members.contains(&node));
        }
    }
}
