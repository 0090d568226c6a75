//! The runs as a source: all of them once, page by page, and only what changed.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::{
    snapshot::{Snapshot, Sourced},
    source::Source,
};
use crate::{
    blueprint::RunId,
    cluster::{ChangeMark, Clock, Result, StateStore, StatusItem, StatusQuery},
    engine::{RunStatus, Timestamp},
};

/// How many changed items are read at a time.
const PAGE: usize = 1_000;

/// How many pages of changes one look reads at most; the next look goes on from there.
const PAGES: usize = 20;

/// For how long one look goes on to read older runs: a page where each costs a request, all of them
/// where it costs next to nothing.
const MOMENT: Duration = Duration::from_millis(100);

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

/// The runs. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct RunsView {
    rows: OrdMap<RunKey, Arc<RunRow>>,
    keys: OrdMap<RunId, RunKey>,
    unfinished: OrdSet<RunId>,
    counts: StatusCounts,
}

/// How many runs there are in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    /// Those that move, or should.
    pub running: usize,
    /// Those among them that don't.
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
        self.rows.get(self.keys.get(run)?)
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

    /// How many there are in each status.
    pub fn counts(&self) -> StatusCounts {
        self.counts
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
        let key = (Reverse(row.item.started_at), run.clone());
        self.keys.insert(run, key.clone());
        self.rows.insert(key, Arc::new(row));
        true
    }

    /// What is different from an earlier view: rows that are new or changed, and runs that are
    /// gone. A walk through both, side by side: the map's own comparison passes over some changes
    /// (those of the first entry of a node behind one that both maps share).
    pub(crate) fn changes_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> (Vec<&'a Arc<RunRow>>, Vec<&'a RunId>) {
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        let (mut old, mut new) = (before.rows.iter().peekable(), self.rows.iter().peekable());
        loop {
            match (old.peek().copied(), new.peek().copied()) {
                (Some((_, was)), Some((_, is))) if Arc::ptr_eq(was, is) => {
                    old.next();
                    new.next();
                }
                (Some((old_key, was)), Some((new_key, is))) if old_key == new_key => {
                    if was != is {
                        put.push(is);
                    }
                    old.next();
                    new.next();
                }
                (Some((old_key, _)), other) if other.is_none_or(|(key, _)| old_key < key) => {
                    // A run whose start became known has another key, and is not gone.
                    if !self.keys.contains_key(&old_key.1) {
                        gone.push(&old_key.1);
                    }
                    old.next();
                }
                (_, Some((_, is))) => {
                    put.push(is);
                    new.next();
                }
                (_, None) => return (put, gone),
            }
        }
    }

    /// Takes a run out.
    pub(crate) fn remove(&mut self, run: &RunId) {
        let Some(row) = self.keys.remove(run).and_then(|key| self.rows.remove(&key)) else {
            return;
        };
        self.unfinished.remove(run);
        *self.counts.of(row.item.status) -= 1;
        self.counts.stalled -= usize::from(row.stalled);
    }

    /// Marks the unfinished runs that stalled since, or no longer are. Returns whether any did.
    fn judge(&mut self, now: Timestamp, stalled_after: Duration) -> bool {
        let turned: Vec<RunRow> = self
            .unfinished
            .iter()
            .filter_map(|run| self.get(run))
            .filter(|row| is_stalled(&row.item, now, stalled_after) != row.stalled)
            .map(|row| RunRow { item: row.item.clone(), stalled: !row.stalled })
            .collect();
        let any = !turned.is_empty();
        for row in turned {
            self.put(row);
        }
        any
    }

    /// Drops the finished runs with the oldest start until at most `limit` runs are left.
    fn shrink(&mut self, limit: usize) {
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
    }
}

/// Whether a run should move and has not for `after`: it is running, nobody touched it for that
/// long, and no timer of it is still to come. An item without a time counts as old.
fn is_stalled(item: &StatusItem, now: Timestamp, after: Duration) -> bool {
    item.status == Some(RunStatus::Running)
        && now.since(item.last_updated) >= after
        && item.next_due_at.is_none_or(|due| now.since(due) >= after)
}

/// Asks for the runs.
pub(super) struct RunsSource {
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    stalled_after: Duration,
    /// How many runs are kept.
    limit: usize,
    mark: Option<ChangeMark>,
    older: Older,
}

/// Which older runs are still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Older {
    /// Those started up to this time; so many at once, if that many started in one second.
    Until(Timestamp, usize),
    /// None.
    All,
}

impl Older {
    /// What is left after a page of runs, newest first, that was asked for with this limit.
    fn after(page: &[StatusItem], limit: usize, asked: Option<Timestamp>) -> Self {
        match page.last().map(|last| last.started_at) {
            Some(Some(last)) if page.len() >= limit => {
                let stuck = asked == Some(last);
                Self::Until(last, if stuck { limit.saturating_mul(4) } else { PAGE })
            }
            _ => Self::All,
        }
    }
}

impl RunsSource {
    pub(super) fn new(
        state: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        stalled_after: Duration,
        limit: usize,
    ) -> Self {
        Self { state, clock, stalled_after, limit, mark: None, older: Older::All }
    }

    /// The newest runs, and all that are unfinished, however old. The rest follows page by page.
    async fn first_look(&mut self) -> Result<(Vec<StatusItem>, ChangeMark)> {
        let limit = PAGE.min(self.limit);
        let newest = StatusQuery { limit, ..StatusQuery::default() };
        let unfinished = StatusQuery {
            statuses: vec![RunStatus::Running, RunStatus::Awaiting],
            limit: self.limit,
            ..StatusQuery::default()
        };
        let (newest, unfinished) = tokio::try_join!(
            self.state.list_statuses(&newest),
            self.state.list_statuses(&unfinished),
        )?;
        let mark = newest.mark.min(unfinished.mark);
        let mut items: Vec<StatusItem> =
            newest.items.into_iter().map(|versioned| versioned.item).collect();
        self.older = Older::after(&items, limit, None);
        items.extend(unfinished.items.into_iter().map(|versioned| versioned.item));
        Ok((items, mark))
    }

    /// Older runs, as many pages of them as a moment allows, while there is room for more.
    async fn older(&mut self, mut room: usize) -> Vec<StatusItem> {
        let began = tokio::time::Instant::now();
        let mut found = Vec::new();
        while let Older::Until(until, limit) = self.older {
            if room == 0 {
                self.older = Older::All;
                break;
            }
            let query = StatusQuery { started_until: Some(until), limit, ..StatusQuery::default() };
            let page: Vec<StatusItem> = match self.state.list_statuses(&query).await {
                Ok(page) => page.items.into_iter().map(|versioned| versioned.item).collect(),
                // What changes is more urgent: this waits for the next look.
                Err(error) => {
                    tracing::debug!(%error, "could not read older runs");
                    break;
                }
            };
            self.older = Older::after(&page, limit, Some(until));
            room = room.saturating_sub(page.len());
            found.extend(page);
            if began.elapsed() >= MOMENT {
                break;
            }
        }
        found
    }

    async fn changes(&self, mut mark: ChangeMark) -> Result<(Vec<StatusItem>, ChangeMark)> {
        let mut items = Vec::new();
        let mut limit = PAGE;
        for _ in 0..PAGES {
            let query = StatusQuery { changed_after: Some(mark), limit, ..StatusQuery::default() };
            let page = self.state.list_statuses(&query).await?;
            if page.items.len() >= limit && page.mark <= mark {
                // More than a page was written at one place: only a larger page gets past it.
                limit = limit.saturating_mul(4);
                continue;
            }
            let full = page.items.len() >= limit;
            mark = mark.max(page.mark);
            items.extend(page.items.into_iter().map(|versioned| versioned.item));
            if !full {
                break;
            }
        }
        Ok((items, mark))
    }
}

#[async_trait]
impl Source for RunsSource {
    type Data = RunsView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<RunsView> {
        &mut snapshot.runs
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<RunsView>> {
        let mut view = (*current.runs.data).clone();
        let (now, stalled_after) = (self.clock.now(), self.stalled_after);
        let row = |item: StatusItem| {
            let stalled = is_stalled(&item, now, stalled_after);
            RunRow { item, stalled }
        };
        let mut changed = false;
        let (items, mark) = match self.mark {
            None => self.first_look().await?,
            Some(mark) => {
                // Older ones first: what changed since is newer than what they show.
                let room = self.limit.saturating_sub(view.len());
                for item in self.older(room).await {
                    changed |= view.get(&item.run_id).is_none() && view.put(row(item));
                }
                self.changes(mark).await?
            }
        };
        self.mark = Some(mark);
        for item in items {
            changed |= view.put(row(item));
        }
        changed |= view.judge(now, self.stalled_after);
        view.shrink(self.limit);
        Ok(changed.then_some(view))
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
        assert!(!view.judge(Timestamp::from_seconds(299), after));
        assert!(view.judge(Timestamp::from_seconds(300), after));
        assert!(view.get("quiet").unwrap().stalled);
        assert!(!view.get("waiting").unwrap().stalled);
        assert!(!view.get("timer").unwrap().stalled, "its timer is still to come");
        assert_eq!(view.counts().stalled, 1);
        view.put(row(item("quiet", RunStatus::Running, 0, 301)));
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
