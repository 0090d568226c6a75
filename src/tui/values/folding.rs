//! Which values are folded, and the rows that this leaves.

use std::collections::HashSet;

use super::tree::ValueTree;

/// How values are that nobody has touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Untouched {
    /// The sections are unfolded, what is in them is not.
    #[default]
    Sections,
    /// All are unfolded.
    Open,
}

/// Which values are folded. Known by their pointers, so that it outlives a change of the document.
#[derive(Debug, Clone, Default)]
pub(in crate::tui) struct Folding {
    untouched: Untouched,
    /// Those that are not as they would be untouched.
    turned: HashSet<String>,
}

impl Folding {
    pub(in crate::tui) fn new(untouched: Untouched) -> Self {
        Self { untouched, turned: HashSet::new() }
    }

    fn opens(&self, depth: usize) -> bool {
        self.untouched == Untouched::Open || depth == 0
    }

    /// Whether the value at a place is unfolded.
    pub(in crate::tui) fn is_open(&self, tree: &ValueTree, at: usize) -> bool {
        let turned = !self.turned.is_empty() && self.turned.contains(&tree.pointer(at));
        self.opens(tree.depth(at)) != turned
    }

    /// Folds or unfolds the value at a place.
    pub(in crate::tui) fn turn(&mut self, tree: &ValueTree, at: usize) {
        let pointer = tree.pointer(at);
        if !self.turned.remove(&pointer) {
            self.turned.insert(pointer);
        }
    }

    /// Unfolds everything that holds the value at a place. Returns whether anything was folded.
    pub(in crate::tui) fn reveal(&mut self, tree: &ValueTree, at: usize) -> bool {
        let mut changed = false;
        let mut here = at;
        while let Some(parent) = tree.parent(here) {
            if !self.is_open(tree, parent) {
                self.turn(tree, parent);
                changed = true;
            }
            here = parent;
        }
        changed
    }

    /// The places of the values that are not inside a folded one, in order.
    pub(in crate::tui) fn rows(&self, tree: &ValueTree) -> Vec<usize> {
        // Few are turned, so their places are looked up, not the pointers of all that there are.
        let mut turned: Vec<usize> = self
            .turned
            .iter()
            .filter_map(|pointer| tree.place(pointer))
            .filter_map(|(at, whole)| whole.then_some(at))
            .collect();
        turned.sort_unstable();
        let mut turned = turned.into_iter().peekable();
        let mut rows = Vec::new();
        let mut at = 0;
        while at < tree.len() {
            rows.push(at);
            while turned.next_if(|next| *next < at).is_some() {}
            let is_turned = turned.peek() == Some(&at);
            at = if self.opens(tree.depth(at)) == is_turned { tree.end(at) } else { at + 1 };
        }
        rows
    }
}
