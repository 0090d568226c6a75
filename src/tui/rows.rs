//! The rows of every list: which ones are shown, in which order, and by which key they are known.

use std::sync::Arc;

use super::{app::App, filter::Filter};
use crate::{
    blueprint::RunId,
    engine::{RunStatus, Timestamp},
    monitor::{NodeRow, RunDetail, RunRow, Snapshot},
};

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ListId {
    Runs,
    Jobs,
    Letters,
    Locks,
    Workers,
    Blueprints,
    Nodes,
    /// The text beside the nodes of a run: its rows are lines.
    Inspector,
    Logs,
    /// The values of a run: its rows are lines of a tree.
    Context,
    /// The log lines of a run.
    RunLogs,
}

impl ListId {
    pub(super) const COUNT: usize = 11;

    /// What its rows are, for titles and empty states.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Jobs => "messages",
            Self::Letters => "dead letters",
            Self::Locks => "locks",
            Self::Workers => "workers",
            Self::Blueprints => "blueprints",
            Self::Nodes => "nodes",
            Self::Inspector => "lines",
            Self::Logs | Self::RunLogs => "log lines",
            Self::Context => "values",
        }
    }

    pub(super) fn can_filter(self) -> bool {
        !matches!(self, Self::Inspector | Self::Logs | Self::Context | Self::RunLogs)
    }
}

/// The order of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RunOrder {
    /// Stalled, running, awaiting, then the rest; newest first in each.
    #[default]
    Attention,
    /// Newest start first.
    Newest,
    /// Last touched first.
    Touched,
}

impl RunOrder {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Attention => Self::Newest,
            Self::Newest => Self::Touched,
            Self::Touched => Self::Attention,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Newest => "newest",
            Self::Touched => "last change",
        }
    }
}

/// The rows that pass the filters.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) runs: Vec<Arc<RunRow>>,
    /// For the other lists, the places of the rows in the snapshot.
    places: [Vec<usize>; ListId::COUNT],
    /// What `runs` was made of.
    made_of: Option<(Arc<crate::monitor::RunsView>, String, RunOrder)>,
}

impl Rows {
    /// The place in the snapshot of a list's row.
    pub(super) fn place(&self, list: ListId, row: usize) -> Option<usize> {
        self.places[list as usize].get(row).copied()
    }

    /// The row in which something of the snapshot is listed.
    pub(super) fn row_of(&self, list: ListId, place: usize) -> Option<usize> {
        self.places[list as usize].binary_search(&place).ok()
    }

    pub(super) fn count(&self, list: ListId) -> usize {
        match list {
            ListId::Runs => self.runs.len(),
            list => self.places[list as usize].len(),
        }
    }

    fn list_runs(&mut self, snapshot: &Snapshot, filter: &str, order: RunOrder, now: Timestamp) {
        let view = &snapshot.runs.data;
        if self
            .made_of
            .as_ref()
            .is_some_and(|(of, text, by)| Arc::ptr_eq(of, view) && text == filter && *by == order)
        {
            return;
        }
        self.made_of = Some((view.clone(), filter.to_owned(), order));
        let mut filter = Filter::parse(filter);
        self.runs = view
            .iter()
            .filter(|row| filter.is_empty() || filter.takes_run(row, now))
            .cloned()
            .collect();
        match order {
            RunOrder::Newest => {}
            RunOrder::Attention => self.runs.sort_by_key(|row| need(row)),
            RunOrder::Touched => {
                self.runs.sort_by_key(|row| std::cmp::Reverse(row.item.last_updated));
            }
        }
    }
}

/// How much a run needs attention: less is more.
fn need(row: &RunRow) -> u8 {
    match row.item.status {
        Some(RunStatus::Running) if row.stalled => 0,
        Some(RunStatus::Running) => 1,
        Some(RunStatus::Awaiting) => 2,
        None => 3,
        Some(_) => 4,
    }
}

impl App {
    /// Lists everything anew after the data, a filter or the order changed.
    pub(super) fn relist(&mut self) {
        let snapshot = self.shown().clone();
        let mut rows = std::mem::take(&mut self.rows);
        rows.list_runs(&snapshot, self.filter(ListId::Runs), self.order, self.now());
        for list in [
            ListId::Jobs,
            ListId::Letters,
            ListId::Locks,
            ListId::Workers,
            ListId::Blueprints,
            ListId::Nodes,
        ] {
            let count = self.unfiltered(list, &snapshot);
            let mut filter = Filter::parse(self.filter(list));
            rows.places[list as usize] = if filter.is_empty() {
                (0..count).collect()
            } else {
                (0..count)
                    .filter(|at| filter.takes_words(&self.row_text(list, *at, &snapshot)))
                    .collect()
            };
        }
        self.rows = rows;
        for list in [
            ListId::Runs,
            ListId::Jobs,
            ListId::Letters,
            ListId::Locks,
            ListId::Workers,
            ListId::Blueprints,
            ListId::Nodes,
        ] {
            let mut state = std::mem::take(&mut self.lists[list as usize]);
            let (count, at) = (self.rows.count(list), state.index);
            state.sync(
                count,
                |row| self.key(list, row),
                |key| // Mostly it has not moved.
                    std::iter::once(at).chain(0..count).find(|row| self.has_key(list, *row, key)),
            );
            self.lists[list as usize] = state;
        }
    }

    fn unfiltered(&self, list: ListId, snapshot: &Snapshot) -> usize {
        match list {
            ListId::Jobs => snapshot.queue.data.next.len(),
            ListId::Letters => snapshot.queue.data.dead_letters.len(),
            ListId::Locks => snapshot.locks.data.locks.len(),
            ListId::Workers => snapshot.workers.data.workers.len(),
            ListId::Blueprints => self.catalog.blueprints.len(),
            ListId::Nodes => self.detail_of(snapshot).map_or(0, |detail| detail.nodes.len()),
            ListId::Runs | ListId::Inspector | ListId::Logs | ListId::Context | ListId::RunLogs => {
                0
            }
        }
    }

    /// What a filter's words are looked for in.
    fn row_text(&self, list: ListId, at: usize, snapshot: &Snapshot) -> String {
        match list {
            ListId::Jobs => {
                let message = &snapshot.queue.data.next[at];
                message.job.as_ref().map_or_else(String::new, |(run, node, blueprint)| {
                    format!("{run} {node} {blueprint}")
                })
            }
            ListId::Letters => {
                let letter = snapshot.queue.data.dead_letters[at].letter.as_ref();
                letter.map_or_else(String::new, |letter| {
                    let job =
                        letter.job.as_ref().map(|job| format!("{} {}", job.run_id, job.node_id));
                    format!("{} {}", job.unwrap_or_default(), letter.reason)
                })
            }
            ListId::Locks => {
                let lock = &snapshot.locks.data.locks[at];
                format!("{} {}", lock.key, lock.value)
            }
            ListId::Workers => {
                let worker = &snapshot.workers.data.workers[at];
                format!("{} {}", worker.name, worker.host)
            }
            ListId::Blueprints => self.catalog.blueprints[at].blueprint.id.to_string(),
            ListId::Nodes => self.detail_of(snapshot).map_or_else(String::new, |detail| {
                let node = &detail.nodes[at];
                format!(
                    "{} {} {}",
                    node.id,
                    node.uses.as_deref().unwrap_or_default(),
                    node.state.as_str()
                )
            }),
            ListId::Runs | ListId::Inspector | ListId::Logs | ListId::Context | ListId::RunLogs => {
                String::new()
            }
        }
    }

    fn with_key<T>(&self, list: ListId, row: usize, then: impl FnOnce(&str) -> T) -> Option<T> {
        if list == ListId::Runs {
            return self.rows.runs.get(row).map(|row| then(&row.item.run_id));
        }
        let snapshot = self.shown();
        let at = self.rows.place(list, row)?;
        match list {
            ListId::Jobs => snapshot.queue.data.next.get(at).map(|it| then(&it.message_id)),
            ListId::Letters => {
                snapshot.queue.data.dead_letters.get(at).map(|it| then(&it.message_id))
            }
            ListId::Locks => snapshot.locks.data.locks.get(at).map(|it| then(&it.key)),
            ListId::Workers => snapshot.workers.data.workers.get(at).map(|it| then(&it.name)),
            ListId::Blueprints => self.catalog.blueprints.get(at).map(|it| then(&it.blueprint.id)),
            ListId::Nodes => self.detail_of(snapshot)?.nodes.get(at).map(|it| then(&it.id)),
            ListId::Runs | ListId::Inspector | ListId::Logs | ListId::Context | ListId::RunLogs => {
                None
            }
        }
    }

    /// The key of a list's row.
    pub(super) fn key(&self, list: ListId, row: usize) -> Option<String> {
        self.with_key(list, row, str::to_owned)
    }

    fn has_key(&self, list: ListId, row: usize, key: &str) -> bool {
        self.with_key(list, row, |it| it == key).unwrap_or(false)
    }

    /// The key of a list's selected row.
    pub(super) fn selected_key(&self, list: ListId) -> Option<String> {
        self.key(list, self.lists[list as usize].index)
    }

    /// The place in the snapshot of a list's selected row.
    pub(super) fn selected_place(&self, list: ListId) -> Option<usize> {
        self.rows.place(list, self.lists[list as usize].index)
    }

    /// The selected row of the runs.
    pub(super) fn selected_run_row(&self) -> Option<&Arc<RunRow>> {
        self.rows.runs.get(self.lists[ListId::Runs as usize].index)
    }

    /// The run that the selected row of a list is about.
    pub(super) fn run_of_row(&self, list: ListId) -> Option<RunId> {
        let snapshot = self.shown();
        match list {
            ListId::Runs => self.selected_run_row().map(|row| row.item.run_id.clone()),
            ListId::Nodes | ListId::Inspector | ListId::Context | ListId::RunLogs => {
                self.open_run.clone()
            }
            ListId::Jobs => {
                let message = snapshot.queue.data.next.get(self.selected_place(list)?)?;
                message.job.as_ref().map(|(run, ..)| run.clone())
            }
            ListId::Letters => {
                let letter = snapshot.queue.data.dead_letters.get(self.selected_place(list)?)?;
                Some(letter.letter.as_ref()?.job.as_ref()?.run_id.clone())
            }
            ListId::Locks => {
                snapshot.locks.data.locks.get(self.selected_place(list)?)?.run_id.clone()
            }
            ListId::Workers | ListId::Blueprints | ListId::Logs => None,
        }
    }

    /// What is known about the run that is open.
    pub(super) fn detail_of<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a RunDetail> {
        (*snapshot.detail.data)
            .as_ref()
            .filter(|detail| Some(&detail.run) == self.open_run.as_ref())
    }

    /// The selected node of the run that is open.
    pub(super) fn selected_node(&self) -> Option<&NodeRow> {
        let place = self.selected_place(ListId::Nodes)?;
        self.detail_of(self.shown())?.nodes.get(place)
    }
}
