//! From snapshots to key frames and changes, masked, and small enough for the file.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{
    board::{DETAILS, Open, Written, WrittenDetail, WrittenRuns},
    format::{Event, WorkerSeen},
    mask::Masker,
    parts::{Given, PARTS, Seen, WrittenPart, shrink, size},
};
use crate::{
    blueprint::{LibraryState, RunId},
    engine::{RunStatus, Timestamp},
    monitor::{RunRow, RunsView, Snapshot, SourceState},
};

/// A part that is written whole takes this many bytes a second at most: a larger one is written
/// less often.
const PART_RATE: usize = 64 * 1024;

/// How many runs an event names.
const NAMED: usize = 5;

/// How much room there is in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For the runs of a key frame.
    pub(super) runs: usize,
    /// For any other part.
    pub(super) part: usize,
}

/// What was written last, and how to go on from there.
pub(super) struct Differ {
    masker: Masker,
    room: Room,
    /// The snapshot as far as it is written.
    written: Snapshot,
    parts: [Seen; PARTS.len()],
    /// When each part may be written again; the last is for the run that is looked at.
    due: [Timestamp; PARTS.len() + 1],
    open: Option<RunId>,
    look: Seen,
    details: HashMap<RunId, Seen>,
    heard: Vec<RunId>,
    worker: Option<WorkerSeen>,
    worker_due: Timestamp,
    blueprints: Arc<LibraryState>,
}

/// Whether large parts wait for their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// They do.
    Measured,
    /// All is written now: it is the end.
    Now,
}

impl Differ {
    pub(super) fn new(masker: Masker, room: Room, cluster: &str) -> Self {
        Self {
            masker,
            room,
            written: Snapshot::empty(cluster),
            parts: Default::default(),
            due: [Timestamp::from_millis(i64::MIN); PARTS.len() + 1],
            open: None,
            look: Seen::default(),
            details: HashMap::new(),
            heard: Vec::new(),
            worker: None,
            worker_due: Timestamp::from_millis(i64::MIN),
            blueprints: Arc::default(),
        }
    }

    /// Everything: the state that the changes lead to, with `snapshot` in it.
    pub(super) fn key(&mut self, snapshot: &Snapshot, now: Timestamp) -> Option<String> {
        let mut written = Written::<Value>::default();
        for (at, part) in PARTS.iter().enumerate() {
            if !(part.is_same)(&self.written, snapshot) {
                let seen = self.see((part.read)(snapshot), &self.parts[at]);
                self.wrote(at, now, size(&*seen.data));
                self.parts[at] = seen;
            }
            let whole = WrittenPart::whole(&self.parts[at]);
            written.parts.insert(part.name.to_owned(), serde_json::to_value(whole).ok()?);
        }
        let (put, left_out) = self.rows(&snapshot.runs.data);
        written.runs = Some(WrittenRuns {
            at: snapshot.runs.updated_at,
            state: Some(self.masked_state(snapshot.runs.state.clone())),
            put,
            gone: Vec::new(),
            left_out: Some(left_out),
        });
        self.look_closely(snapshot, now, Haste::Now);
        written.open = Open::Now(self.open.as_ref().map(|run| self.id(run)));
        written.look = Some(WrittenPart { data: None, ..WrittenPart::whole(&self.look) });
        written.details = self
            .heard
            .iter()
            .filter_map(|run| {
                let part = WrittenPart::whole(self.details.get(run)?);
                Some(WrittenDetail { run: self.id(run), part })
            })
            .collect();
        written.worker = self.worker;
        written.blueprints = Some(self.blueprints_json());
        self.written = snapshot.clone();
        serde_json::to_string(&written).ok()
    }

    /// What is different in `snapshot` from what is written, and what that means. Nothing if
    /// nothing is, or nothing that is due.
    pub(super) fn change(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        haste: Haste,
    ) -> (Option<String>, Vec<Event>) {
        let mut written = Written::<Value>::default();
        for (at, part) in PARTS.iter().enumerate() {
            if (part.is_same)(&self.written, snapshot)
                || (haste == Haste::Measured && now < self.due[at])
            {
                continue;
            }
            let seen = self.see((part.read)(snapshot), &self.parts[at]);
            if let Some(change) = WrittenPart::between(&self.parts[at], &seen) {
                self.wrote(at, now, size(&change));
                if let Ok(change) = serde_json::to_value(change) {
                    written.parts.insert(part.name.to_owned(), change);
                }
            }
            self.parts[at] = seen;
            (part.copy)(&mut self.written, snapshot);
        }
        let events = self.change_runs(snapshot, &mut written);
        let (was_open, was_look) = (self.open.clone(), self.look.clone());
        if let Some((run, part)) = self.look_closely(snapshot, now, haste) {
            written.details.push(WrittenDetail { run: self.id(&run), part });
        }
        if self.open != was_open {
            written.open = Open::Now(self.open.as_ref().map(|run| self.id(run)));
        }
        written.look = WrittenPart::between(&was_look, &self.look);
        (text(&written), events)
    }

    fn change_runs(&mut self, snapshot: &Snapshot, written: &mut Written<Value>) -> Vec<Event> {
        let (before, after) = (self.written.runs.clone(), &snapshot.runs);
        let same_data = Arc::ptr_eq(&before.data, &after.data);
        if same_data && before.state == after.state && before.updated_at == after.updated_at {
            return Vec::new();
        }
        self.written.runs = after.clone();
        let mut runs = WrittenRuns {
            at: after.updated_at.filter(|_| after.updated_at != before.updated_at),
            state: Some(&after.state)
                .filter(|state| **state != before.state)
                .map(|state| self.masked_state(state.clone())),
            ..WrittenRuns::default()
        };
        let mut events = Vec::new();
        if !same_data {
            let (put, gone) = after.data.changes_since(&before.data);
            runs.gone = gone.into_iter().map(|run| self.id(run)).collect();
            runs.put = put.iter().filter_map(|row| self.row(row)).collect();
            events = turned(&put, &before.data);
        }
        written.runs = Some(runs);
        events
    }

    /// Takes in what is known of the run that is open. Returns what is to be written of it.
    fn look_closely(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        haste: Haste,
    ) -> Option<(RunId, WrittenPart)> {
        let slot = &snapshot.detail;
        let detail = (*slot.data).as_ref();
        let known = &self.written.detail;
        let same = Arc::ptr_eq(&known.data, &slot.data);
        let is_new = self.open.as_ref() != detail.map(|detail| &detail.run);
        if !same && !is_new && haste == Haste::Measured && now < self.due[PARTS.len()] {
            return None;
        }
        self.look.state = self.masked_state(slot.state.clone());
        self.look.at = slot.updated_at;
        self.open = detail.map(|detail| detail.run.clone());
        self.written.detail = slot.clone();
        let detail = detail?;
        if same && self.details.contains_key(&detail.run) {
            return None;
        }
        let Ok(Value::Object(members)) = serde_json::to_value(detail) else { return None };
        let before = self.details.get(&detail.run).cloned().unwrap_or_default();
        let seen = self.see((slot.state.clone(), slot.updated_at, Some(members)), &before);
        let change = WrittenPart::between(&before, &seen)?;
        self.wrote(PARTS.len(), now, size(&change));
        self.heard.retain(|run| *run != detail.run);
        self.heard.push(detail.run.clone());
        self.details.insert(detail.run.clone(), seen);
        self.forget_details();
        Some((detail.run.clone(), change))
    }

    /// Drops the details of the runs that were heard of longest ago, when there are too many for a
    /// key frame.
    fn forget_details(&mut self) {
        let sizes = |run: &RunId| self.details.get(run).map_or(0, |seen| size(&*seen.data));
        let mut total: usize = self.heard.iter().map(sizes).sum();
        let mut drop = 0;
        while self.heard.len() - drop > 1
            && (self.heard.len() - drop > DETAILS || total > self.room.part * 2)
        {
            total -= sizes(&self.heard[drop]);
            drop += 1;
        }
        for run in self.heard.drain(..drop) {
            self.details.remove(&run);
        }
    }

    /// What the worker does; at most once a second, unless its mode changed.
    pub(super) fn worker(
        &mut self,
        worker: WorkerSeen,
        now: Timestamp,
    ) -> (Option<String>, Option<Event>) {
        let turned = self.worker.is_some_and(|known| known.mode != worker.mode);
        if self.worker == Some(worker) || (!turned && now < self.worker_due) {
            return (None, None);
        }
        self.worker = Some(worker);
        self.worker_due = now + Duration::from_secs(1);
        let written = Written::<Value> { worker: Some(worker), ..Written::default() };
        (text(&written), turned.then_some(Event::Worker { mode: worker.mode }))
    }

    /// The blueprints that are loaded from now on.
    pub(super) fn blueprints(&mut self, library: Arc<LibraryState>) -> Option<String> {
        self.blueprints = library;
        let blueprints = Some(self.blueprints_json());
        text(&Written::<Value> { blueprints, ..Written::default() })
    }

    fn blueprints_json(&self) -> Vec<Value> {
        let mut room = self.room.part;
        let blueprints = self.blueprints.blueprints().values();
        let masked = blueprints.map(|blueprint| {
            let mut value = super::blueprints::write(blueprint);
            self.masker.value(&mut value);
            value
        });
        masked
            .take_while(|value| {
                let size = size(value);
                let fits = size <= room;
                room = room.saturating_sub(size);
                fits
            })
            .collect()
    }

    /// Anything, masked.
    pub(super) fn masked(&self, what: &impl Serialize) -> Option<String> {
        let mut value = serde_json::to_value(what).ok()?;
        self.masker.value(&mut value);
        serde_json::to_string(&value).ok()
    }

    /// A part as it will be read: masked, and small enough. If it is as before, it shares that.
    fn see(&self, (state, at, data): Given, before: &Seen) -> Seen {
        let state = self.masked_state(state);
        let mut value = Value::Object(data.unwrap_or_default());
        self.masker.value(&mut value);
        let Value::Object(mut members) = value else {
            return Seen { state, at, ..before.clone() };
        };
        shrink(&mut members, self.room.part);
        let data = if *before.data == members { before.data.clone() } else { Arc::new(members) };
        Seen { state, at, data }
    }

    /// An id as it is everywhere else in the file: most have nothing to mask.
    fn id(&self, run: &RunId) -> RunId {
        match self.masker.text(run) {
            std::borrow::Cow::Borrowed(_) => run.clone(),
            std::borrow::Cow::Owned(masked) => masked.into(),
        }
    }

    fn masked_state(&self, state: SourceState) -> SourceState {
        match state {
            SourceState::Stale { error, next_try } => {
                SourceState::Stale { error: self.masker.text(&error).into(), next_try }
            }
            state => state,
        }
    }

    fn row(&self, row: &RunRow) -> Option<Value> {
        let mut value = serde_json::to_value(row).ok()?;
        self.masker.value(&mut value);
        // Of what a run came to, the lists show nothing; it can be large.
        if let Some(Value::Object(item)) = value.get_mut("item") {
            shrink(item, self.room.part / 4);
        }
        Some(value)
    }

    /// The rows that there is room for: the unfinished ones, then the newest. And how many are
    /// left out.
    fn rows(&self, runs: &RunsView) -> (Vec<Value>, usize) {
        let is_final = |row: &RunRow| row.item.status.is_some_and(RunStatus::is_final);
        let unfinished = runs.iter().filter(|row| !is_final(row));
        let finished = runs.iter().filter(|row| is_final(row));
        let mut room = self.room.runs;
        let mut rows = Vec::new();
        for row in unfinished.chain(finished) {
            let Some(row) = self.row(row) else { continue };
            let size = size(&row) + 1;
            if size > room {
                break;
            }
            room -= size;
            rows.push(row);
        }
        let left_out = runs.len() - rows.len();
        (rows, left_out)
    }

    fn wrote(&mut self, part: usize, now: Timestamp, bytes: usize) {
        let pause = Duration::from_millis(u64::try_from(bytes * 1000 / PART_RATE).unwrap_or(0));
        self.due[part] = now + pause;
    }
}

/// A change as text, if there is anything in it.
fn text(written: &Written<Value>) -> Option<String> {
    serde_json::to_string(written).ok().filter(|text| text != "{}")
}

/// The runs that failed or stalled since.
fn turned(put: &[&Arc<RunRow>], before: &RunsView) -> Vec<Event> {
    let named = |is: fn(&RunRow) -> bool| {
        // What is seen for the first time may be old.
        let turned = put
            .iter()
            .filter(|row| is(row) && before.get(&row.item.run_id).is_some_and(|known| !is(known)));
        let ids: Vec<&RunId> = turned.map(|row| &row.item.run_id).collect();
        (ids.len(), ids.into_iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>())
    };
    let mut events = Vec::new();
    let (count, runs) = named(|row| row.item.status == Some(RunStatus::Failed));
    if count > 0 {
        events.push(Event::Failed { count, runs });
    }
    let (count, runs) = named(|row| row.stalled);
    if count > 0 {
        events.push(Event::Stalled { count, runs });
    }
    events
}
