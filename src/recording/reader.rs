//! A recording that is read: any moment of it, found through the key frame before it.

use std::{
    collections::VecDeque,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    board::{Board, Projector},
    error::RecordingError,
    format::{Event, Line, LogLine, Mark, WorkerSeen},
    index::{Index, Step},
};
use crate::{
    blueprint::{Blueprint, RunId},
    engine::Timestamp,
    monitor::Snapshot,
};

/// How many places are remembered for coming back to.
const REMEMBERED: usize = 4;

/// How many log lines are shown of the time before a moment.
const LOG_LINES: usize = 1_000;

/// A recording that is open for reading.
pub struct Recording {
    path: PathBuf,
    file: File,
    index: Index,
    happened: Arc<Happened>,
    here: Option<(usize, Board)>,
    remembered: VecDeque<(usize, Board)>,
    projector: Projector,
    logs: (usize, VecDeque<Arc<LoggedLine>>),
}

/// A log line with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedLine {
    /// When it was logged.
    pub at: Timestamp,
    /// It.
    pub line: LogLine,
}

/// Everything that happened in a recording.
#[derive(Debug, Default)]
pub struct Happened {
    events: Vec<(Timestamp, Event)>,
    /// The times of those with a mark, kind by kind.
    marks: [Vec<Timestamp>; Mark::ALL.len()],
}

impl Happened {
    fn new(events: Vec<(Timestamp, Event)>) -> Self {
        let mut marks: [Vec<Timestamp>; Mark::ALL.len()] = Default::default();
        for (at, event) in &events {
            if let Some(mark) = event.mark() {
                marks[mark as usize].push(*at);
            }
        }
        Self { events, marks }
    }

    /// What happened up to a moment, the latest last.
    pub fn until(&self, at: Timestamp) -> &[(Timestamp, Event)] {
        &self.events[..self.events.partition_point(|(event, _)| *event <= at)]
    }

    /// The mark that matters most in a span of time, its end left out, and when that happened.
    pub fn mark_between(&self, from: Timestamp, to: Timestamp) -> Option<(Mark, Timestamp)> {
        Mark::ALL.into_iter().find_map(|mark| {
            let times = &self.marks[mark as usize];
            let first = times.get(times.partition_point(|at| *at < from))?;
            (*first < to).then_some((mark, *first))
        })
    }

    /// When the next thing with a mark happened.
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let times = self.marks.iter();
        times.filter_map(|times| times.get(times.partition_point(|it| *it <= at))).min().copied()
    }

    /// When the last thing with a mark happened.
    pub fn previous(&self, at: Timestamp) -> Option<Timestamp> {
        let before = |times: &Vec<Timestamp>| {
            times
                .partition_point(|it| *it < at)
                .checked_sub(1)
                .and_then(|it| times.get(it).copied())
        };
        self.marks.iter().filter_map(before).max()
    }
}

impl Recording {
    /// Opens a recording: reads it once from its beginning to its end, which checks it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        Self::open_with(path.as_ref(), &mut |_, _| {})
    }

    /// As [`Recording::open`]; `progress` hears how many bytes of how many were read.
    pub fn open_with(
        path: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Read { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let mut index = Index::read(path, &file, progress)?;
        let happened = Happened::new(std::mem::take(&mut index.events));
        Ok(Self {
            path: path.to_owned(),
            file,
            projector: Projector::new(&index.header.cluster),
            index,
            happened: Arc::new(happened),
            here: None,
            remembered: VecDeque::new(),
            logs: (0, VecDeque::new()),
        })
    }

    /// What the cluster is called.
    pub fn cluster(&self) -> &str {
        &self.index.header.cluster
    }

    /// When it starts: at its first key frame.
    pub fn start(&self) -> Timestamp {
        self.index.steps.first().map_or(self.index.end, |step| step.at)
    }

    /// When it ends.
    pub fn end(&self) -> Timestamp {
        self.index.end
    }

    /// Whether its last line is torn, and left out: the program that wrote it was stopped there.
    pub fn is_torn(&self) -> bool {
        self.index.torn
    }

    /// Everything that happened in it.
    pub fn happened(&self) -> &Arc<Happened> {
        &self.happened
    }

    /// What was seen at a moment, with the run that was open then.
    pub fn snapshot(&mut self, at: Timestamp) -> Result<Arc<Snapshot>, RecordingError> {
        let open = self.board(at)?.open_run().cloned();
        self.snapshot_of(at, open.as_ref())
    }

    /// What was seen at a moment, with a close look at this run as far as it was open.
    pub fn snapshot_of(
        &mut self,
        at: Timestamp,
        watched: Option<&RunId>,
    ) -> Result<Arc<Snapshot>, RecordingError> {
        let step = self.step(at);
        self.go_to(step)?;
        let Some((_, board)) = &self.here else { return Err(self.damaged(step, "no key frame")) };
        let snapshot = self.projector.project(board, watched, at);
        snapshot.map(Arc::new).map_err(|error| self.damaged(step, &error.to_string()))
    }

    /// What the worker of the recording program did at a moment, if there was one.
    pub fn worker(&mut self, at: Timestamp) -> Result<Option<WorkerSeen>, RecordingError> {
        Ok(self.board(at)?.worker)
    }

    /// The blueprints that were loaded at a moment.
    pub fn blueprints(&mut self, at: Timestamp) -> Result<Vec<Blueprint>, RecordingError> {
        Ok(self.board(at)?.loaded())
    }

    /// How many of the oldest finished runs there was no room for.
    pub fn left_out(&mut self, at: Timestamp) -> Result<usize, RecordingError> {
        Ok(self.board(at)?.left_out)
    }

    /// The last log lines up to a moment, the latest last.
    pub fn logs(&mut self, at: Timestamp) -> Result<Arc<[Arc<LoggedLine>]>, RecordingError> {
        let end = self.index.logs.partition_point(|step| step.at <= at);
        let start = end.saturating_sub(LOG_LINES);
        let (mut from, mut lines) = std::mem::take(&mut self.logs);
        if start < from || start > from + lines.len() {
            (from, lines) = (start, VecDeque::new());
        }
        for place in from + lines.len()..end {
            let step = self.index.logs[place];
            let text = self.read(step)?;
            let log = parse(&text).and_then(|line| match line.log {
                Some(log) => serde_json::from_str(log.get()),
                None => Err(serde::de::Error::custom("it is not a log line any more")),
            });
            let line = log.map_err(|error| self.damaged_at(step, &error.to_string()))?;
            lines.push_back(Arc::new(LoggedLine { at: step.at, line }));
        }
        lines.truncate(end - from);
        lines.drain(..start.saturating_sub(from).min(lines.len()));
        let shown = lines.iter().cloned().collect();
        self.logs = (start, lines);
        Ok(shown)
    }

    /// The moment of the next change after this one.
    pub fn step_after(&self, at: Timestamp) -> Option<Timestamp> {
        let steps = &self.index.steps;
        steps.get(steps.partition_point(|step| step.at <= at)).map(|step| step.at)
    }

    /// The moment of the last change before this one.
    pub fn step_before(&self, at: Timestamp) -> Option<Timestamp> {
        let steps = &self.index.steps;
        let before = steps.partition_point(|step| step.at < at).checked_sub(1)?;
        steps.get(before).map(|step| step.at)
    }

    pub(super) fn board(&mut self, at: Timestamp) -> Result<&Board, RecordingError> {
        let step = self.step(at);
        self.go_to(step)?;
        match &self.here {
            Some((_, board)) => Ok(board),
            None => Err(self.damaged(step, "no key frame")),
        }
    }

    /// The last step up to a moment; the first one before the beginning.
    fn step(&self, at: Timestamp) -> usize {
        self.index.steps.partition_point(|step| step.at <= at).saturating_sub(1)
    }

    fn go_to(&mut self, target: usize) -> Result<(), RecordingError> {
        let keys = &self.index.keys;
        // The first step is always a key frame.
        let key = keys[keys.partition_point(|key| *key <= target).saturating_sub(1)];
        let usable = |place: usize| (key..=target).contains(&place);
        let here = self.here.take().filter(|(place, _)| usable(*place));
        let (mut place, mut board) = match here {
            Some(here) => here,
            None => self.come_back(key)?,
        };
        while place < target {
            place += 1;
            self.apply(place, &mut board)?;
        }
        self.here = Some((place, board));
        Ok(())
    }

    /// The board at a key frame, as it was remembered or as it is read again.
    fn come_back(&mut self, key: usize) -> Result<(usize, Board), RecordingError> {
        if let Some(at) = self.remembered.iter().position(|(place, _)| *place == key)
            && let Some(found) = self.remembered.remove(at)
        {
            self.remembered.push_back(found.clone());
            return Ok(found);
        }
        let text = self.read(self.index.steps[key])?;
        let board = parse(&text).and_then(|line| match line.key {
            Some(json) => Board::of_key(json.get()),
            None => Err(serde::de::Error::custom("it is not a key frame any more")),
        });
        let board = board.map_err(|error| self.damaged(key, &error.to_string()))?;
        if self.remembered.len() >= REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((key, board.clone()));
        Ok((key, board))
    }

    fn apply(&self, place: usize, board: &mut Board) -> Result<(), RecordingError> {
        let text = self.read(self.index.steps[place])?;
        let applied = parse(&text).and_then(|line| match line.change {
            Some(json) => board.apply(json.get()),
            None => Err(serde::de::Error::custom("it is not a change any more")),
        });
        applied.map_err(|error| self.damaged(place, &error.to_string()))
    }

    fn read(&self, step: Step) -> Result<Vec<u8>, RecordingError> {
        let failed = |error| RecordingError::Read { path: self.path.clone(), error };
        let mut bytes = vec![0; step.length as usize];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(step.offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn damaged(&self, place: usize, problem: &str) -> RecordingError {
        match self.index.steps.get(place) {
            Some(step) => self.damaged_at(*step, problem),
            None => RecordingError::CutOff { path: self.path.clone(), lines: 0 },
        }
    }

    fn damaged_at(&self, step: Step, problem: &str) -> RecordingError {
        let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
        RecordingError::Damaged { path: self.path.clone(), line: step.line as usize, problem }
    }
}

fn parse(text: &[u8]) -> serde_json::Result<Line<'_>> {
    serde_json::from_slice(text)
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("path", &self.path).finish_non_exhaustive()
    }
}
