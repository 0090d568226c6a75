//! What the dashboard hears, and what it asks for.

use std::sync::Arc;

use crossterm::event::Event;

use super::{
    catalog::Catalog,
    chart::{ChartMade, ChartRequest},
    operator::{Operation, OperatorError, Outcome, Preview},
};
use crate::{blueprint::RunId, cluster::WorkerMode, engine::Timestamp, monitor::Snapshot};

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
    /// There are new log lines.
    LogLines,
    /// A graph was drawn.
    Charted(ChartMade),
    /// A plan was made, or could not be.
    Previewed {
        /// Which question this answers.
        ticket: u64,
        /// The plan.
        result: Result<Preview, OperatorError>,
    },
    /// An operation ended.
    Applied {
        /// Which one.
        operation: Operation,
        /// How.
        result: Result<Outcome, OperatorError>,
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
        /// Of this.
        operation: Operation,
        /// The plan.
        preview: Preview,
    },
    /// Draw a large graph.
    Chart(ChartRequest),
    /// Look at a run closely, or at none.
    WatchRun(Option<RunId>),
    /// Ask every source now.
    Refresh,
    /// Put a text on the clipboard of the terminal.
    Copy(String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back to the shell until it lets us go on.
    Suspend,
    /// End the dashboard.
    Exit(ExitReason),
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
