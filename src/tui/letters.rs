//! The dead letters as rows: a row for each group of those that failed alike, and one for each
//! letter of a group that is unfolded.

use std::{collections::BTreeSet, sync::Arc};

use super::{app::App, filter::Filter, rows::ListId};
use crate::{
    monitor::{DeadLetterRow, QueueView, Snapshot},
    operations::{Fingerprint, Grouped, LetterGroup, group_letters},
};

/// A row of the list of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LetterRow {
    /// The group at this place.
    Group(usize),
    /// The letter at this place in the snapshot.
    Letter(usize),
}

/// The rows that pass the filter.
#[derive(Default)]
pub(super) struct LetterRows {
    /// The groups, with the letters that pass the filter.
    pub(super) groups: Vec<LetterGroup>,
    rows: Vec<LetterRow>,
    /// What the groups were made of.
    made_of: Option<(Arc<QueueView>, String)>,
}

impl LetterRows {
    /// Lists the letters of a snapshot.
    pub(super) fn list(
        &mut self,
        snapshot: &Snapshot,
        filter: &str,
        unfolded: &BTreeSet<Fingerprint>,
    ) {
        let view = &snapshot.queue.data;
        let same = |made: &(Arc<QueueView>, String)| Arc::ptr_eq(&made.0, view) && made.1 == filter;
        if !self.made_of.as_ref().is_some_and(same) {
            self.groups = group(&view.dead_letters, filter);
            self.made_of = Some((view.clone(), filter.to_owned()));
        }
        self.rows.clear();
        for (at, group) in self.groups.iter().enumerate() {
            self.rows.push(LetterRow::Group(at));
            if unfolded.contains(&group.symptom.fingerprint) {
                self.rows.extend(group.letters.iter().copied().map(LetterRow::Letter));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, row: usize) -> Option<LetterRow> {
        self.rows.get(row).copied()
    }

    /// How many letters pass the filter.
    pub(super) fn letters(&self) -> usize {
        self.groups.iter().map(|group| group.letters.len()).sum()
    }
}

/// The groups of the letters that pass a filter.
fn group(letters: &[DeadLetterRow], filter: &str) -> Vec<LetterGroup> {
    let mut filter = Filter::parse(filter);
    let passing: Vec<usize> = (0..letters.len())
        .filter(|at| filter.is_empty() || filter.takes_words(&words(&letters[*at])))
        .collect();
    let mut groups = group_letters(passing.iter().map(|at| {
        let letter = &letters[*at];
        Grouped {
            symptom: &letter.symptom,
            failed_at: letter.failed_at(),
            run: letter.job.as_ref().map(|job| &job.run_id),
        }
    }));
    for group in &mut groups {
        for at in &mut group.letters {
            *at = passing[*at];
        }
    }
    groups
}

/// What a filter's words are looked for in.
fn words(row: &DeadLetterRow) -> String {
    let job = row.job.as_ref();
    let job = job.map(|job| format!("{} {} {}", job.run_id, job.node_id, job.blueprint_id));
    let letter = row.letter.as_ref();
    format!(
        "{} {} {} {} {} {}",
        job.unwrap_or_default(),
        letter.map_or("", |letter| &letter.reason),
        letter.map_or("", |letter| letter.worker.as_str()),
        row.symptom.reason.as_str(),
        row.symptom.says,
        row.symptom.fingerprint,
    )
}

/// The key of a group's row.
pub(super) fn group_key(fingerprint: Fingerprint) -> String {
    format!("group:{fingerprint}")
}

impl App {
    /// The selected row of the dead letters.
    pub(super) fn selected_letter_row(&self) -> Option<LetterRow> {
        self.rows.letters.get(self.list(ListId::Letters).index)
    }

    /// The group of the selected row, whether that is it itself or one of its letters.
    pub(super) fn selected_letter_group(&self) -> Option<&LetterGroup> {
        let groups = &self.rows.letters.groups;
        match self.selected_letter_row()? {
            LetterRow::Group(at) => groups.get(at),
            LetterRow::Letter(place) => groups.iter().find(|group| group.letters.contains(&place)),
        }
    }

    /// The ids of letters at places in the snapshot.
    pub(super) fn letter_ids(&self, places: &[usize]) -> Vec<String> {
        let letters = &self.shown().queue.data.dead_letters;
        places.iter().filter_map(|at| Some(letters.get(*at)?.message_id.clone())).collect()
    }

    /// The selected letter; nothing where a group is selected.
    pub(super) fn selected_letter(&self) -> Option<&DeadLetterRow> {
        match self.selected_letter_row()? {
            LetterRow::Group(_) => None,
            LetterRow::Letter(at) => self.shown().queue.data.dead_letters.get(at),
        }
    }
}
