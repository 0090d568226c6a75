//! Plays a recording: where it is, whether it moves and how fast.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::{
    error::RecordingError,
    format::WorkerSeen,
    reader::{Happened, LoggedLine, Recording},
};
use crate::{
    blueprint::{Blueprint, RunId},
    engine::Timestamp,
    monitor::Snapshot,
};

/// A wish of whoever looks at a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrub {
    /// Play, or hold; at the end, from the start again.
    Toggle,
    /// To the next change or the one before.
    Step(Direction),
    /// A minute on or back.
    Minute(Direction),
    /// To the next thing that happened or the one before.
    Event(Direction),
    /// To the start.
    Start,
    /// To the end.
    End,
    /// To a moment.
    To(Timestamp),
    /// Twice as fast.
    Faster,
    /// Half as fast.
    Slower,
}

/// A direction in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the start.
    Back,
    /// Towards the end.
    Forward,
}

/// Whether a recording moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playback {
    /// It does.
    Playing,
    /// It is held.
    Held,
}

/// How fast a recording is played: so many times as fast as it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// The slowest and the fastest.
    pub const RANGE: std::ops::RangeInclusive<f64> = 0.125..=4096.0;

    /// A speed, if it is one of the range.
    pub fn new(times: f64) -> Option<Self> {
        Self::RANGE.contains(&times).then_some(Self(times))
    }

    fn scaled(self, by: f64) -> Self {
        Self((self.0 * by).clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self(1.0)
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}×", self.0))
    }
}

/// A moment of a recording, with all that the time line shows.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When the recording starts.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The moment.
    pub at: Timestamp,
    /// Whether it moves.
    pub playback: Playback,
    /// How fast.
    pub speed: Speed,
    /// Everything that happened in it.
    pub happened: Arc<Happened>,
    /// The last log lines, the latest last.
    pub logs: Arc<[Arc<LoggedLine>]>,
    /// What the worker of the recording program did.
    pub worker: Option<WorkerSeen>,
    /// What to know about the recording; empty if there is nothing.
    pub note: String,
    /// The zone in which times are shown.
    pub zone: TimeZone,
}

/// Plays a recording.
pub struct Player {
    recording: Recording,
    at: Timestamp,
    playback: Playback,
    speed: Speed,
    zone: TimeZone,
    watched: Option<RunId>,
}

impl Player {
    /// Holds a recording at its start.
    pub fn new(recording: Recording, zone: TimeZone) -> Self {
        Self {
            at: recording.start(),
            recording,
            playback: Playback::Held,
            speed: Speed::default(),
            zone,
            watched: None,
        }
    }

    /// Plays it at this speed.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Whether it moves.
    pub fn playback(&self) -> Playback {
        self.playback
    }

    /// When it starts and ends.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        (self.recording.start(), self.recording.end())
    }

    /// Looks at a run closely, or at none.
    pub fn watch(&mut self, run: Option<RunId>) {
        self.watched = run;
    }

    /// Does as it is told. Whoever goes to a moment wants to look at it: it is held there.
    pub fn scrub(&mut self, scrub: Scrub) {
        const MINUTE: Duration = Duration::from_secs(60);
        use Direction::{Back, Forward};
        let (start, end) = self.span();
        let target = match scrub {
            Scrub::Toggle => {
                self.playback = match self.playback {
                    Playback::Playing => Playback::Held,
                    Playback::Held => Playback::Playing,
                };
                if self.playback == Playback::Playing && self.at >= end {
                    self.at = start;
                }
                return;
            }
            Scrub::Faster => return self.speed = self.speed.scaled(2.0),
            Scrub::Slower => return self.speed = self.speed.scaled(0.5),
            Scrub::Step(Forward) => self.recording.step_after(self.at),
            Scrub::Step(Back) => self.recording.step_before(self.at),
            Scrub::Event(Forward) => self.recording.happened().next(self.at),
            Scrub::Event(Back) => self.recording.happened().previous(self.at),
            Scrub::Minute(Forward) => Some(self.at + MINUTE),
            Scrub::Minute(Back) => Some(Timestamp::from_millis(self.at.millis() - 60_000)),
            Scrub::Start => Some(start),
            Scrub::End => Some(end),
            Scrub::To(at) => Some(at),
        };
        self.at = target.unwrap_or(self.at).clamp(start, end);
        self.playback = Playback::Held;
    }

    /// Lets time pass.
    pub fn advance(&mut self, elapsed: Duration) {
        if self.playback == Playback::Held {
            return;
        }
        let (_, end) = self.span();
        self.at = (self.at + elapsed.mul_f64(self.speed.0)).min(end);
        if self.at >= end {
            self.playback = Playback::Held;
        }
    }

    /// The moment it is at.
    pub fn moment(&mut self) -> Result<Moment, RecordingError> {
        let (start, end) = self.span();
        let mut notes = Vec::new();
        let left_out = self.recording.left_out(self.at)?;
        if left_out > 0 {
            notes.push(format!("{left_out} older runs are not in it"));
        }
        if self.recording.is_torn() {
            notes.push("its last line is torn and left out".to_owned());
        }
        Ok(Moment {
            start,
            end,
            at: self.at,
            playback: self.playback,
            speed: self.speed,
            happened: self.recording.happened().clone(),
            logs: self.recording.logs(self.at)?,
            worker: self.recording.worker(self.at)?,
            note: notes.join(", "),
            zone: self.zone.clone(),
        })
    }

    /// What was seen at the moment it is at.
    pub fn snapshot(&mut self) -> Result<Arc<Snapshot>, RecordingError> {
        self.recording.snapshot_of(self.at, self.watched.as_ref())
    }

    /// The blueprints that were loaded then, as they are written.
    pub(super) fn blueprints_json(&mut self) -> Result<Arc<[serde_json::Value]>, RecordingError> {
        Ok(self.recording.board(self.at)?.blueprints.clone())
    }

    /// The blueprints that were loaded then.
    pub fn blueprints(&mut self) -> Result<Vec<Blueprint>, RecordingError> {
        self.recording.blueprints(self.at)
    }
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player").field("at", &self.at).finish_non_exhaustive()
    }
}
