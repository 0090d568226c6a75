//! The runs as they are shown: in their order, counted, and what changed between two looks.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::{
    blueprint::RunId,
    cluster::StatusItem,
    engine::{RunStatus, Timestamp},
};

/// A run's place in the list: newest start first, then by id.
pub type RunKey = (Reverse<Option<Timestamp>>, RunId);

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// What its status item says.
    pub item: StatusItem,
    /// Whether it should move and has not for too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stalled: bool,
}

/// What became of a run between two views.
#[derive(Debug, Clone, Copy)]
pub struct RunChange<'a> {
    /// How it was; nothing if it was not there.
    pub was: Option<&'a Arc<RunRow>>,
    /// How it is; nothing if it is gone, or now has another place.
    pub now: Option<&'a Arc<RunRow>>,
}

/// What became of the runs that are older than those in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OlderRuns {
    /// There are none: the list has all runs.
    #[default]
    None,
    /// They are still being read.
    Coming,
    /// There is no room for them.
    LeftOut,
}

/// The runs. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct RunsView {
    rows: OrdMap<RunKey, Arc<RunRow>>,
    by_id: OrdMap<RunId, Arc<RunRow>>,
    /// The runs that should move, or will have to, and are not stalled, by the time since when.
    moving: OrdSet<(Timestamp, RunId)>,
    unfinished: OrdSet<RunId>,
    counts: StatusCounts,
    older: OlderRuns,
}

/// How many runs there are in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    /// Those that move, or should.
    pub running: usize,
    /// Those that should and don't: running ones, and awaiting ones whose timer is overdue.
    pub stalled: usize,
    /// Those that wait for an answer or a timer.
    pub awaiting: usize,
    /// Those that completed.
    pub completed: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that were cancelled.
    pub cancelled: usize,
    /// Those whose status is a word that is none.
    pub unknown: usize,
}

impl StatusCounts {
    fn of(&mut self, status: Option<RunStatus>) -> &mut usize {
        match status {
            Some(RunStatus::Running) => &mut self.running,
            Some(RunStatus::Awaiting) => &mut self.awaiting,
            Some(RunStatus::Completed) => &mut self.completed,
            Some(RunStatus::Failed) => &mut self.failed,
            Some(RunStatus::Cancelled) => &mut self.cancelled,
            None => &mut self.unknown,
        }
    }
}

impl RunsView {
    /// The runs, newest start first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<RunRow>> {
        self.rows.values()
    }

    /// A run.
    pub fn get(&self, run: &str) -> Option<&Arc<RunRow>> {
        self.by_id.get(run)
    }

    /// The runs that have not ended, by id.
    pub fn unfinished(&self) -> impl Iterator<Item = &Arc<RunRow>> {
        self.unfinished.iter().filter_map(|run| self.get(run))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The runs that are not as they were in an earlier view: a walk through both, side by side,
    /// that passes over what they share row by row. (The map's own comparison passes over more, and
    /// over some changes, too: those of the first entry of a node behind one that both maps share.)
    pub fn changes<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = RunChange<'a>> {
        let (mut old, mut new) = (earlier.rows.iter().peekable(), self.rows.iter().peekable());
        std::iter::from_fn(move || {
            loop {
                match (old.peek().copied(), new.peek().copied()) {
                    (Some((old_key, was)), Some((new_key, now))) if old_key == new_key => {
                        old.next();
                        new.next();
                        if !Arc::ptr_eq(was, now) && was != now {
                            return Some(RunChange { was: Some(was), now: Some(now) });
                        }
                    }
                    (Some((old_key, was)), other) if other.is_none_or(|(key, _)| old_key < key) => {
                        old.next();
                        return Some(RunChange { was: Some(was), now: None });
                    }
                    (_, Some((_, now))) => {
                        new.next();
                        return Some(RunChange { was: None, now: Some(now) });
                    }
                    (_, None) => return None,
                }
            }
        })
    }

    /// How many there are in each status.
    pub fn counts(&self) -> StatusCounts {
        self.counts
    }

    /// What became of older runs than these.
    pub fn older(&self) -> OlderRuns {
        self.older
    }

    /// Says what became of older runs. Returns whether that is news.
    pub fn set_older(&mut self, older: OlderRuns) -> bool {
        std::mem::replace(&mut self.older, older) != older
    }

    /// Puts a run in, in place of what was known of it. Returns whether that changed anything.
    pub fn put(&mut self, row: RunRow) -> bool {
        let run = row.item.run_id.clone();
        if self.get(&run).is_some_and(|known| **known == row) {
            return false;
        }
        self.remove(&run);
        *self.counts.of(row.item.status) += 1;
        self.counts.stalled += usize::from(row.stalled);
        if !row.item.status.is_some_and(RunStatus::is_final) {
            self.unfinished.insert(run.clone());
        }
        if let Some(since) = row.moves_since() {
            self.moving.insert((since, run.clone()));
        }
        let key = (Reverse(row.item.started_at), run.clone());
        let row = Arc::new(row);
        self.by_id.insert(run, row.clone());
        self.rows.insert(key, row);
        true
    }

    /// What is different from an earlier view: rows that are new or changed, and runs that are
    /// gone.
    pub(crate) fn changes_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> (Vec<&'a Arc<RunRow>>, Vec<&'a RunId>) {
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        for change in self.changes(before) {
            match (change.was, change.now) {
                (_, Some(now)) => put.push(now),
                // A run whose start became known has another place, and is not gone.
                (Some(was), None) if !self.by_id.contains_key(&was.item.run_id) => {
                    gone.push(&was.item.run_id);
                }
                _ => {}
            }
        }
        (put, gone)
    }

    /// Takes a run out.
    pub(crate) fn remove(&mut self, run: &RunId) {
        let Some(row) = self.by_id.remove(run) else { return };
        self.rows.remove(&(Reverse(row.item.started_at), run.clone()));
        self.unfinished.remove(run);
        if let Some(since) = row.moves_since() {
            self.moving.remove(&(since, run.clone()));
        }
        *self.counts.of(row.item.status) -= 1;
        self.counts.stalled -= usize::from(row.stalled);
    }

    /// Marks the runs that stalled since the last time. Returns whether any did. A run that is
    /// stalled stays so until it is touched.
    pub(super) fn judge(&mut self, now: Timestamp, stalled_after: Duration) -> bool {
        let turned: Vec<RunRow> = self
            .moving
            .iter()
            .take_while(|(since, _)| now.since(*since) > stalled_after)
            .filter_map(|(_, run)| self.get(run))
            .map(|row| RunRow { item: row.item.clone(), stalled: true })
            .collect();
        let any = !turned.is_empty();
        for row in turned {
            self.put(row);
        }
        any
    }

    /// Drops the finished runs with the oldest start until at most `limit` runs are left. Returns
    /// whether there were any to drop.
    pub(super) fn shrink(&mut self, limit: usize) -> bool {
        let excess = self.rows.len().saturating_sub(limit);
        let oldest: Vec<RunId> = self
            .rows
            .values()
            .rev()
            .filter(|row| row.item.status.is_some_and(RunStatus::is_final))
            .take(excess)
            .map(|row| row.item.run_id.clone())
            .collect();
        for run in &oldest {
            self.remove(run);
        }
        !oldest.is_empty()
    }
}

impl RunRow {
    /// Since when a run should move, if it is not known to be stalled.
    fn moves_since(&self) -> Option<Timestamp> {
        self.item.should_move_since().filter(|_| !self.stalled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    fn item(run: &str, status: RunStatus, started: i64, touched: i64) -> StatusItem {
        StatusItem {
            run_id: run.into(),
            status: Some(status),
            last_updated: Timestamp::from_seconds(touched),
            blueprint_id: None,
            started_at: Some(Timestamp::from_seconds(started)),
            nodes: None,
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: None,
            final_status: None,
            remarks: crate::cluster::Remarks::default(),
        }
    }

    fn row(item: StatusItem) -> RunRow {
        RunRow { item, stalled: false }
    }

    #[test]
    fn runs_are_listed_newest_first_and_counted() {
        let mut view = RunsView::default();
        assert!(view.put(row(item("old", RunStatus::Running, 1, 1))));
        assert!(view.put(row(item("new", RunStatus::Failed, 9, 9))));
        assert!(!view.put(row(item("new", RunStatus::Failed, 9, 9))), "nothing changed");
        assert!(view.put(row(item("old", RunStatus::Completed, 1, 2))));
        let ids: Vec<_> = view.iter().map(|row| row.item.run_id.to_string()).collect();
        assert_eq!(ids, ["new", "old"]);
        let counts = StatusCounts { completed: 1, failed: 1, ..StatusCounts::default() };
        assert_eq!(view.counts(), counts);
    }

    #[test]
    fn changes_between_two_views_are_told() {
        let mut before = RunsView::default();
        for run in ["a", "b", "c"] {
            before.put(row(item(run, RunStatus::Running, 1, 1)));
        }
        let mut after = before.clone();
        after.put(row(item("b", RunStatus::Failed, 1, 2)));
        after.put(row(item("d", RunStatus::Running, 2, 2)));
        after.remove(&"c".into());
        let name = |row: Option<&Arc<RunRow>>| row.map(|row| row.item.run_id.to_string());
        let mut told: Vec<_> =
            after.changes(&before).map(|change| (name(change.was), name(change.now))).collect();
        told.sort();
        let some = |run: &str| Some(run.to_owned());
        let expected = [(None, some("d")), (some("b"), some("b")), (some("c"), None)];
        assert_eq!(told, expected);
        assert_eq!(after.changes(&after.clone()).count(), 0);
    }

    #[test]
    fn a_running_run_that_nobody_touched_is_stalled_until_somebody_does() {
        let after = Duration::from_mins(5);
        let mut view = RunsView::default();
        view.put(row(item("quiet", RunStatus::Running, 0, 0)));
        view.put(row(item("waiting", RunStatus::Awaiting, 0, 0)));
        let sleeping = StatusItem {
            next_due_at: Some(Timestamp::from_seconds(900)),
            ..item("timer", RunStatus::Running, 0, 0)
        };
        view.put(row(sleeping));
        let overdue = StatusItem {
            next_due_at: Some(Timestamp::from_seconds(10)),
            ..item("overdue", RunStatus::Awaiting, 0, 0)
        };
        view.put(row(overdue));
        assert!(!view.judge(Timestamp::from_seconds(300), after));
        assert!(view.judge(Timestamp::from_seconds(301), after));
        assert!(view.get("quiet").unwrap().stalled);
        assert!(!view.get("waiting").unwrap().stalled);
        assert!(!view.get("timer").unwrap().stalled, "its timer is still to come");
        assert!(!view.get("overdue").unwrap().stalled, "its timer is due for 291 s");
        assert_eq!(view.counts().stalled, 1);
        assert!(view.judge(Timestamp::from_seconds(311), after));
        assert!(view.get("overdue").unwrap().stalled);
        assert_eq!(view.counts().stalled, 2);
        view.put(row(item("quiet", RunStatus::Running, 0, 301)));
        view.put(row(item("overdue", RunStatus::Awaiting, 0, 301)));
        assert_eq!(view.counts().stalled, 0);
    }

    #[test]
    fn what_changed_since_an_earlier_view_is_found_in_large_ones_too() {
        let item_of = |number: i64, touched| {
            item(&format!("run-{number}"), RunStatus::Running, number % 7, touched)
        };
        let mut view = RunsView::default();
        for number in 0..20_000 {
            view.put(row(item_of(number, 0)));
        }
        for round in 1..60 {
            let before = view.clone();
            let changed: Vec<i64> =
                (0..round).map(|at| (at * 7_919 + round * 104_729) % 20_000).collect();
            for number in &changed {
                view.put(row(item_of(*number, round)));
            }
            let gone = RunId::from(format!("run-{}", 20_000 - round));
            view.remove(&gone);
            let (put, missing) = view.changes_since(&before);
            let mut found: Vec<_> = put.iter().map(|row| row.item.run_id.clone()).collect();
            let ids = changed.iter().map(|number| RunId::from(format!("run-{number}")));
            let mut expected: Vec<_> = ids.filter(|run| view.get(run).is_some()).collect();
            found.sort();
            expected.sort();
            expected.dedup();
            assert_eq!(found, expected, "round {round}");
            assert_eq!(missing, [&gone]);
        }
    }

    #[test]
    fn only_finished_runs_are_dropped_for_room() {
        let mut view = RunsView::default();
        view.put(row(item("old-running", RunStatus::Running, 0, 0)));
        view.put(row(item("old-done", RunStatus::Completed, 1, 1)));
        view.put(row(item("new-done", RunStatus::Completed, 2, 2)));
        view.shrink(2);
        assert!(view.get("old-done").is_none());
        assert!(view.get("old-running").is_some() && view.get("new-done").is_some());
        view.shrink(0);
        assert_eq!(view.len(), 1, "the running one stays");
    }
}
