//! The lines of a recording, apart from what is in a snapshot.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{cluster::WorkerMode, engine::Timestamp};

/// What the first line says that the file is.
pub(super) const FORMAT: &str = "flowcraft-recording";

/// The version of the format that this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What the file is.
    pub(super) format: String,
    /// The version of the format.
    pub(super) version: u32,
    /// The version of the program that began it.
    pub program: String,
    /// What the cluster is called.
    pub cluster: String,
    /// When it was begun. What is left of it may start later.
    pub start: Timestamp,
}

impl Header {
    pub(super) fn new(cluster: String, start: Timestamp) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            cluster,
            start,
        }
    }
}

/// Any other line: a time, and one of these. Members that are unknown are for newer programs.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    pub(super) t: Timestamp,
    #[serde(borrow, default)]
    pub(super) key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) change: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) event: Option<Event>,
    #[serde(borrow, default)]
    pub(super) log: Option<&'a RawValue>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// Recording began, or went on after a pause.
    Began {
        /// The version of the program.
        program: String,
    },
    /// An operator did something.
    Operation {
        /// What: `Cancel run 42`.
        title: String,
        /// What came of it.
        result: String,
        /// Whether it worked.
        ok: bool,
    },
    /// The worker of the recording program changed its mode.
    Worker {
        /// To this.
        mode: WorkerMode,
    },
    /// Runs failed.
    Failed {
        /// How many.
        count: usize,
        /// The first of them.
        runs: Vec<String>,
    },
    /// Runs stalled.
    Stalled {
        /// How many.
        count: usize,
        /// The first of them.
        runs: Vec<String>,
    },
    /// Log lines or events came faster than they could be kept.
    Lost {
        /// How many were lost.
        count: u64,
    },
    /// Something that a newer program knows.
    #[serde(other)]
    Unknown,
}

/// What kind of thing happened, for the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Runs failed.
    Failure,
    /// Runs stalled.
    Stall,
    /// An operator did something.
    Operation,
    /// The worker changed its mode.
    Worker,
    /// Recording began or went on.
    Began,
}

impl Mark {
    /// All of them, what matters most first.
    pub const ALL: [Self; 5] =
        [Self::Failure, Self::Stall, Self::Operation, Self::Worker, Self::Began];
}

impl Event {
    /// Its mark on the time line, if it has one.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Self::Failed { .. } => Some(Mark::Failure),
            Self::Stalled { .. } => Some(Mark::Stall),
            Self::Operation { .. } => Some(Mark::Operation),
            Self::Worker { .. } => Some(Mark::Worker),
            Self::Began { .. } => Some(Mark::Began),
            Self::Lost { .. } | Self::Unknown => None,
        }
    }

    /// What happened, in a line.
    pub fn text(&self) -> String {
        match self {
            Self::Began { .. } => "recording began".to_owned(),
            Self::Operation { title, result, ok: true } => format!("{title}: {result}"),
            Self::Operation { title, result, ok: false } => format!("{title} failed: {result}"),
            Self::Worker { mode: WorkerMode::Running } => "the worker takes jobs".to_owned(),
            Self::Worker { mode: WorkerMode::Paused } => "the worker was paused".to_owned(),
            Self::Worker { mode: WorkerMode::Draining } => "the worker is draining".to_owned(),
            Self::Failed { count, runs } => about(*count, runs, "failed"),
            Self::Stalled { count, runs } => about(*count, runs, "stalled"),
            Self::Lost { count } => format!("{count} lines came too fast to be kept"),
            Self::Unknown => "something that only a newer program knows".to_owned(),
        }
    }
}

fn about(count: usize, runs: &[String], what: &str) -> String {
    match (count, runs) {
        (1, [run]) => format!("run {run} {what}"),
        (count, runs) => {
            let more = if count > runs.len() { ", …" } else { "" };
            format!("{count} runs {what}: {}{more}", runs.join(", "))
        }
    }
}

/// What the worker of the recording program is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSeen {
    /// Whether it takes new jobs.
    pub mode: WorkerMode,
    /// How many nodes it can run at once.
    pub slots: u32,
    /// How many it is running.
    pub in_flight: u32,
    /// How many it has run.
    pub done: u64,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// For those who look for a defect.
    Debug,
    /// For those who look very closely.
    #[serde(other)]
    Trace,
}

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The part of the program that it comes from.
    #[serde(default)]
    pub target: String,
    /// What it says.
    pub text: String,
}
