//! Where a list stands: what is selected, what is marked, what is in view.

use super::marks::Marks;

/// Where a list stands. Rows are known by their keys, so the selection follows its row when the
/// list changes.
#[derive(Debug, Clone, Default)]
pub(super) struct ListState {
    /// The key of the selected row. Nothing: whatever comes first.
    pub(super) pinned: Option<String>,
    /// The place of the selected row.
    pub(super) index: usize,
    /// The first row in view.
    pub(super) offset: usize,
    /// How many rows were in view when the list was last drawn.
    pub(super) height: usize,
    /// The keys of the marked rows.
    pub(super) marked: Marks,
}

/// A step through a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    By(isize),
    Page(isize),
    To(usize),
    Top,
    Bottom,
}

impl ListState {
    /// Moves the selection. `key` gives the key of a row.
    pub(super) fn step(&mut self, step: Step, count: usize, key: impl Fn(usize) -> Option<String>) {
        let page = isize::try_from(self.height.max(2) - 1).unwrap_or(1);
        let last = count.saturating_sub(1);
        let by = |delta: isize| self.index.saturating_add_signed(delta);
        let index = match step {
            Step::By(delta) => by(delta),
            Step::Page(pages) => by(pages.saturating_mul(page)),
            Step::To(index) => index,
            Step::Top => 0,
            Step::Bottom => last,
        };
        self.index = index.min(last);
        self.pinned = if step == Step::Top { None } else { key(self.index) };
    }

    /// Takes in that the rows have changed. `find` gives the place of a key.
    pub(super) fn sync(
        &mut self,
        count: usize,
        key: impl Fn(usize) -> Option<String>,
        find: impl Fn(&str) -> Option<usize>,
    ) {
        let last = count.saturating_sub(1);
        self.index = match &self.pinned {
            None => 0,
            Some(pinned) => find(pinned).unwrap_or_else(|| self.index.min(last)),
        };
        // Where its row is gone, the selection is on the one in its place from now on.
        if self.pinned.is_some() {
            self.pinned = key(self.index);
        }
    }

    /// The first row in view when `height` rows are: as before as far as the selection allows.
    pub(super) fn view(&self, count: usize, height: usize) -> usize {
        if height == 0 {
            return self.index.min(count);
        }
        let lowest = self.index.saturating_sub(height - 1);
        let offset = self.offset.clamp(lowest, self.index.max(lowest));
        offset.min(count.saturating_sub(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(list: &mut ListState, rows: &[&str]) {
        list.sync(
            rows.len(),
            |i| rows.get(i).map(|row| (*row).to_owned()),
            |key| rows.iter().position(|row| *row == key),
        );
    }

    fn step(list: &mut ListState, step: Step, rows: &[&str]) {
        list.step(step, rows.len(), |i| rows.get(i).map(|row| (*row).to_owned()));
    }

    #[test]
    fn the_selection_follows_its_row() {
        let mut list = ListState::default();
        let rows = ["a", "b", "c"];
        step(&mut list, Step::By(1), &rows);
        assert_eq!(list.pinned.as_deref(), Some("b"));
        sync(&mut list, &["x", "y", "a", "b", "c"]);
        assert_eq!(list.index, 3);
        sync(&mut list, &["x", "y"]);
        assert_eq!((list.index, list.pinned.as_deref()), (1, Some("y")), "its row is gone");
        sync(&mut list, &[]);
        assert_eq!((list.index, list.pinned), (0, None));
    }

    #[test]
    fn at_the_top_the_selection_stays_there() {
        let mut list = ListState::default();
        step(&mut list, Step::Bottom, &["a", "b"]);
        step(&mut list, Step::Top, &["a", "b"]);
        sync(&mut list, &["new", "a", "b"]);
        assert_eq!(list.index, 0);
    }

    #[test]
    fn the_selected_row_is_always_in_view() {
        let mut list = ListState { index: 50, ..ListState::default() };
        assert_eq!(list.view(100, 10), 41);
        list.offset = 45;
        assert_eq!(list.view(100, 10), 45);
        list.offset = 99;
        assert_eq!(list.view(100, 10), 50);
        list.index = 99;
        assert_eq!(list.view(100, 10), 90);
        assert_eq!(list.view(3, 10), 0, "fewer rows than room");
    }
}
