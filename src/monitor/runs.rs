//! The runs as a source: all of them once, page by page, and only what changed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    names::Names,
    runs_view::{OlderRuns, RunRow, RunsView},
    snapshot::{Snapshot, Sourced},
    source::Source,
};
use crate::{
    cluster::{ChangeMark, Clock, Result, StateStore, StatusItem, StatusPage, StatusQuery},
    engine::{RunStatus, Timestamp},
};

/// How many changed items are read at a time.
const PAGE: usize = 1_000;

/// How many pages of changes one look reads at most; the next look goes on from there.
const PAGES: usize = 20;

/// For how long one look goes on to read older runs: a page where each costs a request, all of them
/// where it costs next to nothing.
const MOMENT: Duration = Duration::from_millis(100);

/// Asks for the runs.
pub(super) struct RunsSource {
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    stalled_after: Duration,
    /// How many runs are kept.
    limit: usize,
    mark: Option<ChangeMark>,
    older: Older,
    names: Names,
}

/// Which older runs are still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Older {
    /// Those started up to this time; so many at once, if that many started in one second.
    Until(Timestamp, usize),
    /// None.
    All,
    /// None: there is no room for them.
    LeftOut,
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
        Self {
            state,
            clock,
            stalled_after,
            limit,
            mark: None,
            older: Older::All,
            names: Names::default(),
        }
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
        let mut items = self.slim(newest);
        self.older = Older::after(&items, limit, None);
        items.extend(self.slim(unfinished));
        Ok((items, mark))
    }

    /// What is kept of a page.
    fn slim(&mut self, page: StatusPage) -> Vec<StatusItem> {
        page.items.into_iter().map(|versioned| self.names.slim(versioned.item)).collect()
    }

    /// Older runs, as many pages of them as a moment allows, while there is room for more.
    async fn older(&mut self, mut room: usize) -> Vec<StatusItem> {
        let began = tokio::time::Instant::now();
        let mut found = Vec::new();
        while let Older::Until(until, limit) = self.older {
            if room == 0 {
                self.older = Older::LeftOut;
                break;
            }
            let query = StatusQuery { started_until: Some(until), limit, ..StatusQuery::default() };
            let page: Vec<StatusItem> = match self.state.list_statuses(&query).await {
                Ok(page) => self.slim(page),
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

    async fn changes(&mut self, mut mark: ChangeMark) -> Result<(Vec<StatusItem>, ChangeMark)> {
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
            items.extend(self.slim(page));
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
            let stalled = item.is_stalled(now, stalled_after);
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
        if view.shrink(self.limit) {
            self.older = Older::LeftOut;
        }
        changed |= view.set_older(match self.older {
            Older::Until(..) => OlderRuns::Coming,
            Older::All => OlderRuns::None,
            Older::LeftOut => OlderRuns::LeftOut,
        });
        Ok(changed.then_some(view))
    }
}
