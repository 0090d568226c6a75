//! What an operator sees: one immutable [`Snapshot`] of the cluster, kept fresh by one background
//! task a source.

mod coordination;
mod detail;
#[cfg(test)]
pub(crate) mod fake;
mod queue;
mod runs;
mod shape;
mod snapshot;
mod source;
mod spawn;
#[cfg(test)]
mod tests;

pub use detail::{AwaitingNode, NodeRow, NodeShown, RunDetail};
pub use runs::{RunKey, RunRow, RunsView, StatusCounts};
pub use shape::{EdgeKind, EdgeShown, EdgesKnown, Shape, ShapeEdge, ShapeNode};
pub use snapshot::{
    DeadLetterRow, HolderState, LocksView, QueueView, QueuedJob, Snapshot, SourceState, Sourced,
    WorkersView,
};
pub use spawn::{BlueprintLookup, Intervals, Monitor, MonitorConfig, MonitorHandle};
