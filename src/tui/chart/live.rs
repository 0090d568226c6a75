//! Where everything in a drawn graph stands: counted once for each change, not for each frame.

use super::{super::graph::Weight, make::Chart};
use crate::monitor::{EdgeShown, NodeShown, RunDetail};

/// The states, the one that needs attention most first: what a box of several nodes shows.
const BY_URGENCY: [NodeShown; 7] = [
    NodeShown::Failed,
    NodeShown::Running,
    NodeShown::Awaiting,
    NodeShown::Ready,
    NodeShown::Pending,
    NodeShown::Completed,
    NodeShown::Skipped,
];

/// How much a state needs attention: less is more.
pub(in crate::tui) fn urgency(state: NodeShown) -> usize {
    BY_URGENCY.iter().position(|it| *it == state).unwrap_or(BY_URGENCY.len())
}

/// How many nodes of a box are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) struct Tally([usize; BY_URGENCY.len()]);

impl Tally {
    fn add(&mut self, state: NodeShown) {
        self.0[urgency(state)] += 1;
    }

    pub(in crate::tui) fn of(&self, state: NodeShown) -> usize {
        self.0[urgency(state)]
    }

    /// The state that the box as a whole shows.
    pub(in crate::tui) fn worst(&self) -> Option<NodeShown> {
        let first = self.0.iter().position(|count| *count > 0)?;
        Some(BY_URGENCY[first])
    }

    /// The states that there are, in the order in which they are read.
    pub(in crate::tui) fn counts(&self) -> impl Iterator<Item = (NodeShown, usize)> {
        [
            NodeShown::Completed,
            NodeShown::Running,
            NodeShown::Failed,
            NodeShown::Awaiting,
            NodeShown::Ready,
            NodeShown::Pending,
            NodeShown::Skipped,
        ]
        .into_iter()
        .map(|state| (state, self.of(state)))
        .filter(|(_, count)| *count > 0)
    }
}

/// Where the boxes and edges of a drawn graph stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::tui) struct Live {
    /// Per box.
    pub(in crate::tui) tallies: Vec<Tally>,
    /// Per edge of the folded graph.
    pub(in crate::tui) edges: Vec<EdgeShown>,
    /// Per box: whether the filter leaves any of its nodes.
    listed: Vec<bool>,
}

impl Live {
    pub(super) fn new(chart: &Chart, detail: &RunDetail, listed: impl Fn(usize) -> bool) -> Self {
        let mut tallies = vec![Tally::default(); chart.folded.groups.len()];
        for (node, number) in detail.nodes.iter().zip(&chart.folded.box_of) {
            tallies[*number].add(node.state);
        }
        let stand = |edges: &[usize]| {
            let stands = || edges.iter().filter_map(|edge| detail.edges.get(*edge));
            if stands().any(|stand| *stand == EdgeShown::Taken) {
                EdgeShown::Taken
            } else if stands().all(|stand| *stand == EdgeShown::Untaken) {
                EdgeShown::Untaken
            } else {
                EdgeShown::Open
            }
        };
        let edges = chart.folded.edges.iter().map(|edge| stand(&edge.edges)).collect();
        let boxes = chart.folded.groups.iter();
        let listed = boxes.map(|group| group.members.iter().any(|node| listed(*node))).collect();
        Self { tallies, edges, listed }
    }

    /// Whether the filter leaves any node of a box.
    pub(in crate::tui) fn is_listed(&self, number: usize) -> bool {
        self.listed.get(number).copied().unwrap_or(true)
    }

    /// How strongly an edge is drawn.
    pub(in crate::tui) fn weight(&self, edge: usize) -> Weight {
        match self.edges.get(edge) {
            Some(EdgeShown::Taken) => Weight::Heavy,
            _ => Weight::Light,
        }
    }
}
