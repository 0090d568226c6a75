//! What a recording says at one place of it: filled from a key frame, brought on by changes.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    format::WorkerSeen,
    parts::{Members, PARTS, Seen, WrittenPart},
};
use crate::{
    blueprint::{Blueprint, RunId},
    engine::Timestamp,
    monitor::{RunDetail, RunRow, RunsView, Snapshot, SourceState, Sourced},
};

/// The runs in a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "R: Deserialize<'de>"))]
pub(super) struct WrittenRuns<R> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<SourceState>,
    /// Rows that are new or changed; in a key frame all of them.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(super) put: Vec<R>,
    /// Runs that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<RunId>,
    /// In a key frame: how many rows there was no room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<usize>,
}

/// The run that is looked at, in a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenDetail {
    pub(super) run: RunId,
    #[serde(flatten)]
    pub(super) part: WrittenPart,
}

/// What is in a key frame or a change, beside the parts that are recorded alike.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
pub(super) struct Written<R> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) runs: Option<WrittenRuns<R>>,
    /// The run that is open from here on.
    #[serde(default, skip_serializing_if = "Open::is_same")]
    pub(super) open: Open,
    /// How the source of its details is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) look: Option<WrittenPart>,
    /// What is known of runs that are or were open.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(super) details: Vec<WrittenDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) worker: Option<WorkerSeen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blueprints: Option<Vec<Value>>,
    /// The other parts, by name.
    #[serde(flatten)]
    pub(super) parts: BTreeMap<String, Value>,
}

impl<R> Default for WrittenRuns<R> {
    fn default() -> Self {
        Self { at: None, state: None, put: Vec::new(), gone: Vec::new(), left_out: None }
    }
}

impl<R> Default for Written<R> {
    fn default() -> Self {
        Self {
            runs: None,
            open: Open::Same,
            look: None,
            details: Vec::new(),
            worker: None,
            blueprints: None,
            parts: BTreeMap::new(),
        }
    }
}

/// Which run is open from here on.
#[derive(Debug, Default)]
pub(super) enum Open {
    /// The one that was.
    #[default]
    Same,
    /// This one, or none.
    Now(Option<RunId>),
}

impl Open {
    fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }
}

/// The run's name, or null for none; where it is the same, the member is left out.
impl Serialize for Open {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Same => serializer.serialize_none(),
            Self::Now(run) => run.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Open {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Now)
    }
}

/// How many runs details are remembered of.
pub(super) const DETAILS: usize = 16;

/// What a recording says at one place of it. Cloning is cheap.
#[derive(Clone, Default)]
pub(super) struct Board {
    parts: [Seen; PARTS.len()],
    runs: Arc<RunsView>,
    runs_seen: Seen,
    /// How many runs the last key frame had no room for.
    pub(super) left_out: usize,
    open: Option<RunId>,
    look: Seen,
    details: BTreeMap<RunId, Seen>,
    /// The runs with details, the one that was last heard of last.
    heard: Vec<RunId>,
    pub(super) worker: Option<WorkerSeen>,
    pub(super) blueprints: Arc<[Value]>,
}

impl Board {
    /// What a key frame says.
    pub(super) fn of_key(json: &str) -> serde_json::Result<Self> {
        let mut board = Self::default();
        board.apply(json)?;
        Ok(board)
    }

    /// Takes a change in.
    pub(super) fn apply(&mut self, json: &str) -> serde_json::Result<()> {
        let mut written: Written<RunRow> = serde_json::from_str(json)?;
        for (part, seen) in PARTS.iter().zip(&mut self.parts) {
            if let Some(value) = written.parts.remove(part.name) {
                seen.take(serde_json::from_value(value)?);
            }
        }
        if let Some(runs) = written.runs {
            let view = Arc::make_mut(&mut self.runs);
            for run in &runs.gone {
                view.remove(run);
            }
            for row in runs.put {
                view.put(row);
            }
            self.left_out = runs.left_out.unwrap_or(self.left_out);
            self.runs_seen.take(WrittenPart {
                at: runs.at,
                state: runs.state,
                ..WrittenPart::default()
            });
        }
        if let Open::Now(open) = written.open {
            self.open = open;
        }
        if let Some(look) = written.look {
            self.look.take(look);
        }
        for WrittenDetail { run, part } in written.details {
            self.heard.retain(|known| *known != run);
            self.heard.push(run.clone());
            if self.heard.len() > DETAILS {
                self.details.remove(&self.heard.remove(0));
            }
            self.details.entry(run).or_default().take(part);
        }
        self.worker = written.worker.or(self.worker);
        if let Some(blueprints) = written.blueprints {
            self.blueprints = blueprints.into();
        }
        Ok(())
    }

    pub(super) fn open_run(&self) -> Option<&RunId> {
        self.open.as_ref()
    }

    /// The blueprints that were loaded.
    pub(super) fn loaded(&self) -> Vec<Blueprint> {
        super::blueprints::read(&self.blueprints)
    }
}

/// Makes snapshots of boards. What did not change since the last one is the same object, so that
/// nobody has to look at it again.
pub(super) struct Projector {
    shown: Snapshot,
    parts: [Option<Arc<Members>>; PARTS.len()],
    detail: Option<(RunId, Arc<Members>)>,
}

impl Projector {
    pub(super) fn new(cluster: &str) -> Self {
        Self { shown: Snapshot::empty(cluster), parts: Default::default(), detail: None }
    }

    /// The snapshot of a board, with a close look at a run.
    pub(super) fn project(
        &mut self,
        board: &Board,
        watched: Option<&RunId>,
        now: Timestamp,
    ) -> serde_json::Result<Snapshot> {
        for ((part, seen), known) in PARTS.iter().zip(&board.parts).zip(&mut self.parts) {
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &seen.data)) {
                (part.restate)(&mut self.shown, seen);
            } else {
                (part.show)(&mut self.shown, seen)?;
                *known = Some(seen.data.clone());
            }
        }
        self.shown.runs = Sourced {
            data: board.runs.clone(),
            state: board.runs_seen.state.clone(),
            updated_at: board.runs_seen.at,
            slow: None,
        };
        self.look(board, watched, now)?;
        Ok(self.shown.clone())
    }

    fn look(
        &mut self,
        board: &Board,
        watched: Option<&RunId>,
        now: Timestamp,
    ) -> serde_json::Result<()> {
        let slot = &mut self.shown.detail;
        let seen = watched.and_then(|run| Some((run, board.details.get(run)?)));
        match seen {
            Some((run, seen)) => {
                let same = self
                    .detail
                    .as_ref()
                    .is_some_and(|(known, data)| known == run && Arc::ptr_eq(data, &seen.data));
                if !same {
                    let members = Value::Object((*seen.data).clone());
                    let detail: RunDetail = serde_json::from_value(members)?;
                    slot.data = Arc::new(Some(detail));
                    self.detail = Some((run.clone(), seen.data.clone()));
                }
            }
            None if slot.data.is_some() => {
                slot.data = Arc::new(None);
                self.detail = None;
            }
            None => {}
        }
        let is_open = watched == board.open_run();
        (slot.state, slot.updated_at) = match seen {
            _ if is_open => (board.look.state.clone(), board.look.at),
            // It was open before, and this is what was known then.
            Some((_, seen)) => (SourceState::Live, seen.at),
            None => {
                let error = "it was not open in the dashboard that recorded this".into();
                (SourceState::Stale { error, next_try: now }, None)
            }
        };
        Ok(())
    }
}
