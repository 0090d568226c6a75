//! Which rows of a list are marked: a few one by one, or all that a filter left.

use std::collections::BTreeSet;

use super::run_list::RunRows;
use crate::blueprint::RunId;

/// The keys of the marked rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    /// Rows that were marked as a whole, however many: they are not copied.
    rows: RunRows,
    /// Those of them that no longer are.
    without: BTreeSet<String>,
    /// Those beside them.
    single: BTreeSet<String>,
}

impl Marks {
    /// Marks all of these.
    pub(super) fn all(rows: &RunRows) -> Self {
        Self { rows: rows.clone(), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.without.len() + self.single.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.single.contains(key) || (self.is_in_rows(key) && !self.without.contains(key))
    }

    fn is_in_rows(&self, key: &str) -> bool {
        self.rows.position(key).is_some()
    }

    pub(super) fn insert(&mut self, key: String) {
        if self.is_in_rows(&key) {
            self.without.remove(&key);
        } else {
            self.single.insert(key);
        }
    }

    /// Takes a mark off. Returns whether there was one.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        if self.single.remove(key) {
            return true;
        }
        self.is_in_rows(key) && self.without.insert(key.to_owned())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The keys: those that were marked as a whole in the order of the list then.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let kept = self.rows.ids().map(RunId::as_str).filter(|id| !self.without.contains(*id));
        kept.chain(self.single.iter().map(String::as_str))
    }

    /// The keys as ids of runs.
    pub(super) fn runs(&self) -> Vec<RunId> {
        let kept = self.rows.ids().filter(|id| !self.without.contains(id.as_str())).cloned();
        kept.chain(self.single.iter().map(|id| RunId::from(id.as_str()))).collect()
    }
}

impl FromIterator<String> for Marks {
    fn from_iter<T: IntoIterator<Item = String>>(keys: T) -> Self {
        Self { single: keys.into_iter().collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::run_list::{Recipe, RunList},
        *,
    };
    use crate::{
        cluster::StatusItem,
        engine::{RunStatus, Timestamp},
        monitor::{RunRow, RunsView},
    };

    fn rows(runs: &[&str]) -> RunRows {
        let mut view = RunsView::default();
        for run in runs {
            let item = StatusItem {
                run_id: (*run).into(),
                status: Some(RunStatus::Running),
                last_updated: Timestamp::default(),
                blueprint_id: None,
                started_at: None,
                nodes: None,
                error: None,
                parent_run_id: None,
                next_due_at: None,
                worker: None,
                final_status: None,
                remarks: crate::cluster::Remarks::default(),
            };
            view.put(RunRow { item, stalled: false });
        }
        let list = RunList::new(Arc::new(view), Recipe::default(), Timestamp::default());
        list.rows().clone()
    }

    #[test]
    fn single_rows_are_marked_and_unmarked() {
        let mut marks = Marks::default();
        assert!(marks.is_empty() && !marks.remove("a"));
        marks.insert("b".to_owned());
        marks.insert("a".to_owned());
        assert_eq!(marks.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(marks.remove("a") && !marks.contains("a") && marks.contains("b"));
        assert_eq!(marks.len(), 1);
    }

    #[test]
    fn all_rows_are_marked_but_for_some_and_some_more() {
        let mut marks = Marks::all(&rows(&["a", "b", "c"]));
        assert!(marks.contains("a") && !marks.contains("x"));
        assert!(marks.remove("b") && !marks.remove("b") && !marks.contains("b"));
        marks.insert("x".to_owned());
        marks.insert("a".to_owned());
        assert_eq!((marks.len(), marks.iter().collect::<Vec<_>>()), (3, vec!["a", "c", "x"]));
        assert_eq!(marks.runs(), ["a", "c", "x"].map(RunId::from));
        marks.insert("b".to_owned());
        assert!(marks.contains("b"));
        marks.clear();
        assert!(marks.is_empty() && !marks.contains("a"));
    }
}
