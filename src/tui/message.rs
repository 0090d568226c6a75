//! What the dashboard hears, and what it asks for.

use std::{path::PathBuf, sync::Arc};

use crossterm::event::Event;

use super::{
    catalog::Catalog,
    chart::{ChartMade, ChartRequest},
    export::Content,
    log::LogLine,
    operator::{Operation, OperatorError, Outcome, Preview, Progress},
    reason::Reason,
    run_list::{ListJob, Listed},
    work::{Work, Worked},
};
use crate::{
    blueprint::RunId,
    cluster::WorkerMode,
    engine::Timestamp,
    monitor::Snapshot,
    recording::{Moment, RecorderState, Scrub},
};

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// A key, the mouse, a paste, a new size.
    Input(Event),
    /// The monitor published.
    Snapshot(Arc<Snapshot>),
    /// Blueprints were loaded anew.
    Catalog(Arc<Catalog>),
    /// The worker in this process reports.
    Worker(WorkerStatus),
    /// A second passed.
    Tick(Timestamp),
    /// The recording that is shown is at another moment.
    Moment(Arc<Moment>),
    /// A place of the recording that is shown can't be read; the text says why.
    Unreadable(String),
    /// The recording that is made of what is shown goes on, or stopped.
    Recorder(RecorderState),
    /// There are new log lines: these.
    LogLines(Vec<LogLine>),
    /// A list of many runs is being made, or was.
    Listed(Listed),
    /// A graph was drawn.
    Charted(ChartMade),
    /// A plan was made, or could not be.
    Previewed {
        /// Which question this answers.
        ticket: u64,
        /// The plan.
        result: Result<Preview, OperatorError>,
    },
    /// An operation that is under way says how far it is.
    Progress {
        /// Which one.
        ticket: u64,
        /// How far.
        progress: Progress,
    },
    /// Why a run is not moving was found out, or could not be.
    Explained {
        /// Which question this answers.
        ticket: u64,
        /// The reasons, the likeliest first.
        result: Result<Vec<Reason>, OperatorError>,
    },
    /// An operation ended.
    Applied {
        /// Which one.
        operation: Operation,
        /// How.
        result: Result<Outcome, OperatorError>,
    },
    /// Something was computed.
    Worked(Worked),
    /// A file was written, or could not be.
    Exported {
        /// What it was for.
        title: String,
        /// Its name and size, or why not.
        result: Result<(PathBuf, u64), String>,
    },
}

/// Something to be done outside of the state.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make a plan.
    Preview {
        /// To be given back with the answer.
        ticket: u64,
        /// Of this.
        operation: Operation,
    },
    /// Carry out a plan.
    Apply {
        /// To be named where it reports how far it is, or is to be stopped.
        ticket: u64,
        /// Of this.
        operation: Operation,
        /// The plan.
        preview: Preview,
    },
    /// Have an operation that is under way stop.
    Stop {
        /// Which one.
        ticket: u64,
    },
    /// Find out why a run is not moving.
    Explain {
        /// To be given back with the answer.
        ticket: u64,
        /// The run.
        run: RunId,
    },
    /// List many runs.
    List(ListJob),
    /// Draw a large graph.
    Chart(ChartRequest),
    /// Look at a run closely, or at none.
    WatchRun(Option<RunId>),
    /// Ask every source now.
    Refresh,
    /// Compute something.
    Work(Work),
    /// Write a file.
    Export(Export),
    /// Move the recording that is shown.
    Scrub(Scrub),
    /// Put a text on the clipboard of the terminal.
    Copy(String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back to the shell until it lets us go on.
    Suspend,
    /// End the dashboard.
    Exit(ExitReason),
}

/// A file to be written, never over another one.
#[derive(Debug, Clone)]
pub struct Export {
    /// What it is for: `Export of run 42`.
    pub title: String,
    /// The name that it is to have.
    pub file: PathBuf,
    pub(super) content: Content,
}

impl Export {
    /// Writes it. Returns the name that it got and its size.
    pub fn write(&self) -> std::io::Result<(PathBuf, u64)> {
        super::export_file::write_new(&self.file, |out| self.content.write(out))
    }
}

/// Why the dashboard ended: what to do with the worker is the caller's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The operator left; no node of this worker is running.
    Quit,
    /// The operator left without waiting for the nodes that are running.
    QuitAtOnce,
    /// The terminal is gone (SIGHUP, or its input ended): drain.
    TerminalLost,
    /// The process was asked to end (SIGTERM): drain.
    Terminated,
}

/// What the worker in this process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Whether it takes new jobs.
    pub mode: WorkerMode,
    /// How many nodes it can run at once.
    pub slots: u32,
    /// How many it is running.
    pub in_flight: u32,
    /// How many it has run.
    pub done: u64,
}
