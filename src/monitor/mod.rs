//! What an operator sees: one immutable [`Snapshot`] of the cluster, kept fresh by one background
//! task a source.

mod children;
mod coordination;
mod cost;
mod cost_view;
mod detail;
#[cfg(test)]
pub(crate) mod fake;
mod inputs;
mod names;
mod queue;
mod runs;
mod runs_view;
mod shape;
mod snapshot;
mod source;
mod spawn;
#[cfg(test)]
mod tests;
mod warnings;
mod watch;

pub use children::ChildRun;
pub use cost_view::{Cost, CostOf, CostRow, CostView, WorkerCost};
pub use detail::{AwaitingNode, NodeRow, NodeShown, RunDetail};
pub use runs_view::{OlderRuns, RunChange, RunKey, RunRow, RunsView, StatusCounts};
pub use shape::{EdgeKind, EdgeShown, EdgesKnown, Shape, ShapeEdge, ShapeNode};
pub use snapshot::{
    DeadLetterRow, HolderState, LocksView, QueueView, QueuedJob, Snapshot, SourceState, Sourced,
    WorkersView,
};
pub use spawn::{BlueprintLookup, Intervals, Monitor, MonitorConfig, MonitorHandle};
pub use warnings::{Subject, Warning, WarningKind, WarningLimits, Warnings};
