//! The rows of every list: which ones are shown, in which order, and by which key they are known.

use std::sync::Arc;

use super::{
    app::{App, Done},
    catalog::Catalog,
    filter::Filter,
    letters::{LetterRow, LetterRows, group_key},
    query::Completion,
    run_list::{ListJob, Listed, Lister, Recipe, RunList},
};
use crate::{
    blueprint::RunId,
    monitor::{NodeRow, RunDetail, RunRow, Snapshot, Subject, Warning},
};

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ListId {
    Runs,
    Jobs,
    Letters,
    Locks,
    Workers,
    /// What the runs of each blueprint cost.
    Costs,
    Blueprints,
    Nodes,
    /// The text beside the nodes of a run: its rows are lines.
    Inspector,
    Logs,
    /// The values of a run: its rows are lines of a tree.
    Context,
    /// The log lines of a run.
    RunLogs,
    Warnings,
    /// What was done from here, the latest first.
    History,
}

impl ListId {
    pub(super) const COUNT: usize = 14;

    /// What its rows are, for titles and empty states.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Jobs => "messages",
            Self::Letters => "dead letters",
            Self::Locks => "locks",
            Self::Workers => "workers",
            Self::Costs => "costs",
            Self::Blueprints => "blueprints",
            Self::Nodes => "nodes",
            Self::Inspector => "lines",
            Self::Logs | Self::RunLogs => "log lines",
            Self::Context => "values",
            Self::Warnings => "warnings",
            Self::History => "actions",
        }
    }

    pub(super) fn can_filter(self) -> bool {
        self != Self::Inspector
    }
}

/// The rows that pass the filters.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) runs: RunList,
    lister: Lister,
    pub(super) letters: LetterRows,
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

impl Places {
    fn get(&self, row: usize) -> Option<usize> {
        match &self.some {
            Some(some) => some.get(row).copied(),
            None => Some(row).filter(|row| *row < self.of),
        }
    }

    fn len(&self) -> usize {
        self.some.as_ref().map_or(self.of, Vec::len)
    }
}

impl Rows {
    /// The place in the snapshot of a list's row.
    pub(super) fn place(&self, list: ListId, row: usize) -> Option<usize> {
        match (list, self.letters.get(row)) {
            (ListId::Letters, Some(LetterRow::Letter(at))) => Some(at),
            (ListId::Letters, _) => None,
            _ => self.places[list as usize].get(row),
        }
    }

    pub(super) fn count(&self, list: ListId) -> usize {
        match list {
            ListId::Runs => self.runs.len(),
            ListId::Letters => self.letters.len(),
            list => self.places[list as usize].len(),
        }
    }

    /// Sets the rows of a list that is not made of the snapshot.
    pub(super) fn set_places(&mut self, list: ListId, places: Vec<usize>) {
        let places = Places { of: places.len(), filter: String::new(), some: Some(places) };
        self.places[list as usize] = places;
    }

    /// The row of something, in a list whose rows are in the order of their places.
    pub(super) fn row_of(&self, list: ListId, place: usize) -> Option<usize> {
        let places = &self.places[list as usize];
        match &places.some {
            Some(some) => some.binary_search(&place).ok(),
            None => Some(place).filter(|place| *place < places.of),
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
        ListId::Jobs => Arc::ptr_eq(&a.queue.data, &b.queue.data),
        ListId::Locks => Arc::ptr_eq(&a.locks.data, &b.locks.data),
        ListId::Workers | ListId::Costs => Arc::ptr_eq(&a.workers.data, &b.workers.data),
        ListId::Warnings => Arc::ptr_eq(&a.warnings.data, &b.warnings.data),
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
        rows.letters.list(&snapshot, self.filter(ListId::Letters), &self.unfolded);
        let before = rows.made_of.take();
        for list in [
            ListId::Jobs,
            ListId::Locks,
            ListId::Workers,
            ListId::Costs,
            ListId::Blueprints,
            ListId::Nodes,
            ListId::Warnings,
            ListId::History,
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
            ListId::Costs,
            ListId::Blueprints,
            ListId::Nodes,
            ListId::Warnings,
            ListId::History,
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
            ListId::Letters => self.shown().queue.data.dead_letters.len(),
            list => self.rows.places[list as usize].of,
        }
    }

    fn unfiltered(&self, list: ListId, snapshot: &Snapshot) -> usize {
        match list {
            ListId::Jobs => snapshot.queue.data.next.len(),
            ListId::Locks => snapshot.locks.data.locks.len(),
            ListId::Workers => snapshot.workers.data.workers.len(),
            ListId::Costs => snapshot.workers.data.cost.rows.len(),
            ListId::Blueprints => self.catalog.blueprints.len(),
            ListId::Warnings => snapshot.warnings.data.list().len(),
            ListId::History => self.done.len(),
            ListId::Nodes => self.detail_of(snapshot).map_or(0, |detail| detail.nodes.len()),
            ListId::Runs
            | ListId::Letters
            | ListId::Inspector
            | ListId::Logs
            | ListId::Context
            | ListId::RunLogs => 0,
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
            ListId::Locks => {
                let lock = &snapshot.locks.data.locks[at];
                format!("{} {}", lock.key, lock.value)
            }
            ListId::Workers => {
                let worker = &snapshot.workers.data.workers[at];
                format!("{} {}", worker.name, worker.host)
            }
            ListId::Costs => snapshot.workers.data.cost.rows[at].of.name().to_owned(),
            ListId::Blueprints => self.catalog.blueprints[at].blueprint.id.to_string(),
            ListId::Warnings => {
                let warning = &snapshot.warnings.data.list()[at];
                format!("{} {} {}", warning.kind.as_str(), warning.subject, warning.text)
            }
            ListId::History => self.done_at(at).map_or_else(String::new, |done| {
                format!("{} {} {}", done.what, done.runs.join(" "), done.result)
            }),
            ListId::Nodes => self.detail_of(snapshot).map_or_else(String::new, |detail| {
                let node = &detail.nodes[at];
                format!(
                    "{} {} {}",
                    node.id,
                    node.uses.as_deref().unwrap_or_default(),
                    node.state.as_str()
                )
            }),
            ListId::Runs
            | ListId::Letters
            | ListId::Inspector
            | ListId::Logs
            | ListId::Context
            | ListId::RunLogs => String::new(),
        }
    }

    fn with_key<T>(&self, list: ListId, row: usize, then: impl FnOnce(&str) -> T) -> Option<T> {
        if list == ListId::Runs {
            return self.rows.runs.get(row).map(|row| then(&row.item.run_id));
        }
        let snapshot = self.shown();
        if list == ListId::Letters
            && let LetterRow::Group(at) = self.rows.letters.get(row)?
        {
            let group = self.rows.letters.groups.get(at)?;
            return Some(then(&group_key(group.symptom.fingerprint)));
        }
        let at = self.rows.place(list, row)?;
        match list {
            ListId::Jobs => snapshot.queue.data.next.get(at).map(|it| then(&it.message_id)),
            ListId::Letters => {
                snapshot.queue.data.dead_letters.get(at).map(|it| then(&it.message_id))
            }
            ListId::Locks => snapshot.locks.data.locks.get(at).map(|it| then(&it.key)),
            ListId::Workers => snapshot.workers.data.workers.get(at).map(|it| then(&it.name)),
            ListId::Costs => snapshot.workers.data.cost.rows.get(at).map(|it| then(it.of.name())),
            ListId::Blueprints => self.catalog.blueprints.get(at).map(|it| then(&it.blueprint.id)),
            ListId::Nodes => self.detail_of(snapshot)?.nodes.get(at).map(|it| then(&it.id)),
            ListId::Warnings => {
                let warning = snapshot.warnings.data.list().get(at)?;
                Some(then(&format!("{} {}", warning.kind.as_str(), warning.subject)))
            }
            ListId::History => self.done_at(at).map(|it| then(&it.number.to_string())),
            ListId::Context => self.values.shown().map(|(tree, _)| then(&tree.pointer(at))),
            ListId::RunLogs => {
                self.run_logs.lines.get(at).map(|line| then(&line.number.to_string()))
            }
            ListId::Runs | ListId::Inspector | ListId::Logs => None,
        }
    }

    /// The key of a list's row.
    pub(super) fn key(&self, list: ListId, row: usize) -> Option<String> {
        self.with_key(list, row, str::to_owned)
    }

    fn has_key(&self, list: ListId, row: usize, key: &str) -> bool {
        self.with_key(list, row, |it| it == key).unwrap_or(false)
    }

    /// The row of a key.
    pub(super) fn row_of(&self, list: ListId, key: &str) -> Option<usize> {
        (0..self.rows.count(list)).find(|row| self.has_key(list, *row, key))
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
                letter.job.as_ref().map(|job| job.run_id.clone())
            }
            ListId::Locks => {
                snapshot.locks.data.locks.get(self.selected_place(list)?)?.run_id.clone()
            }
            ListId::Warnings => self.run_of_subject(&self.selected_warning()?.subject),
            ListId::History => match self.selected_done()?.runs.as_slice() {
                [run] => Some(run.clone()),
                _ => None,
            },
            ListId::Workers | ListId::Costs | ListId::Blueprints | ListId::Logs => None,
        }
    }

    /// Something that was done from here, counted back from the latest.
    pub(super) fn done_at(&self, at: usize) -> Option<&Done> {
        self.done.iter().rev().nth(at)
    }

    /// The selected one of the things done from here.
    pub(super) fn selected_done(&self) -> Option<&Done> {
        self.done_at(self.selected_place(ListId::History)?)
    }

    /// The selected warning.
    pub(super) fn selected_warning(&self) -> Option<&Arc<Warning>> {
        self.shown().warnings.data.list().get(self.selected_place(ListId::Warnings)?)
    }

    /// The run that a warning's subject is about.
    fn run_of_subject(&self, subject: &Subject) -> Option<RunId> {
        match subject {
            Subject::Run(run) => Some(run.clone()),
            Subject::Lock(key) => {
                let locks = &self.shown().locks.data.locks;
                locks.iter().find(|lock| lock.key == *key)?.run_id.clone()
            }
            _ => None,
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
