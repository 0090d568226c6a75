//! The rows of every list: which ones are shown, in which order, and by which key they are known.

use std::sync::Arc;

use super::{
    app::App,
    catalog::Catalog,
    filter::Filter,
    query::Completion,
    run_list::{ListJob, Listed, Lister, Recipe, RunList},
};
use crate::{
    blueprint::RunId,
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
        !matches!(self, Self::Inspector | Self::Context | Self::RunLogs)
    }
}

/// The rows that pass the filters.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) runs: RunList,
    lister: Lister,
    /// For the other lists, the rows of the snapshot.
    places: [Places; ListId::COUNT],
    /// What they were made of.
    made_of: Option<(Arc<Snapshot>, Arc<Catalog>)>,
}

/// Which rows of the snapshot a list has.
#[derive(Debug, Default)]
struct Places {
    /// How many there are.
    of: usize,
    filter: String,
    /// Those that the filter lets through; nothing: all of them.
    some: Option<Vec<usize>>,
}

impl Rows {
    /// The place in the snapshot of a list's row.
    pub(super) fn place(&self, list: ListId, row: usize) -> Option<usize> {
        let places = &self.places[list as usize];
        match &places.some {
            Some(some) => some.get(row).copied(),
            None => Some(row).filter(|row| *row < places.of),
        }
    }

    pub(super) fn count(&self, list: ListId) -> usize {
        let places = &self.places[list as usize];
        match list {
            ListId::Runs => self.runs.len(),
            _ => places.some.as_ref().map_or(places.of, Vec::len),
        }
    }

    /// How far the list of runs is that was asked for, in per cent, while another is still shown.
    pub(super) fn listing(&self) -> Option<u8> {
        self.lister.percent(&self.runs)
    }

    /// The job that is to be begun.
    pub(super) fn job(&mut self) -> Option<ListJob> {
        self.lister.job()
    }
}

/// Whether the data behind a list is the same in two snapshots. Of nodes it depends on more.
fn is_same(list: ListId, a: &Snapshot, b: &Snapshot) -> bool {
    match list {
        ListId::Jobs | ListId::Letters => Arc::ptr_eq(&a.queue.data, &b.queue.data),
        ListId::Locks => Arc::ptr_eq(&a.locks.data, &b.locks.data),
        ListId::Workers => Arc::ptr_eq(&a.workers.data, &b.workers.data),
        ListId::Blueprints => true,
        _ => false,
    }
}

impl App {
    /// Lists everything anew after the data, a filter or the order changed.
    pub(super) fn relist(&mut self) {
        let snapshot = self.shown().clone();
        let mut rows = std::mem::take(&mut self.rows);
        let recipe = Recipe { filter: self.filter(ListId::Runs).to_owned(), order: self.order };
        rows.lister.bring(&mut rows.runs, &snapshot.runs.data, &recipe, self.now());
        let before = rows.made_of.take();
        for list in [
            ListId::Jobs,
            ListId::Letters,
            ListId::Locks,
            ListId::Workers,
            ListId::Blueprints,
            ListId::Nodes,
        ] {
            let same = before.as_ref().is_some_and(|(shown, catalog)| {
                is_same(list, shown, &snapshot) && Arc::ptr_eq(catalog, &self.catalog)
            });
            let places = &mut rows.places[list as usize];
            let text = self.filter(list);
            if same && places.filter == text {
                continue;
            }
            let of = self.unfiltered(list, &snapshot);
            let mut filter = Filter::parse(text);
            let some = (!filter.is_empty()).then(|| {
                (0..of)
                    .filter(|at| filter.takes_words(&self.row_text(list, *at, &snapshot)))
                    .collect()
            });
            *places = Places { of, filter: text.to_owned(), some };
        }
        let search = self.filter(ListId::Logs).to_owned();
        self.logs.book.search(&search);
        rows.made_of = Some((snapshot, self.catalog.clone()));
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
                |key| {
                    if list == ListId::Runs {
                        return self.rows.runs.position(key);
                    }
                    // Mostly it has not moved.
                    let mut places = std::iter::once(at).chain(0..count);
                    places.find(|row| self.has_key(list, *row, key))
                },
            );
            self.lists[list as usize] = state;
        }
    }

    /// How the filter of a list that is being typed may go on.
    pub(super) fn completion(&self, list: ListId) -> Completion {
        if list != ListId::Runs {
            return Completion::default();
        }
        let blueprints = self.catalog.blueprints.iter().map(|entry| entry.blueprint.id.as_str());
        Completion::of(self.filter(list), blueprints)
    }

    /// Takes in how far a list of runs is.
    pub(super) fn listed(&mut self, listed: Listed) {
        if let Some(list) = self.rows.lister.hear(listed) {
            self.rows.runs = list;
            self.relist();
        }
    }

    /// How many rows a list has.
    pub(super) fn count(&self, list: ListId) -> usize {
        match list {
            ListId::Logs => self.logs.book.count(),
            list => self.rows.count(list),
        }
    }

    /// How many rows a list would have without its filter.
    pub(super) fn count_unfiltered(&self, list: ListId) -> usize {
        match list {
            ListId::Runs => self.shown().runs.data.len(),
            ListId::Logs => self.logs.book.len(),
            list => self.rows.places[list as usize].of,
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
