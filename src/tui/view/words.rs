//! How states are named, marked and coloured: each has a symbol and a word, so that it can be told
//! without colours.

use std::borrow::Cow;

use super::super::theme::Role;
use crate::{
    cluster::WorkerMode,
    engine::{RunStatus, Timestamp},
    monitor::{HolderState, NodeRow, NodeShown, RunRow, SourceState},
};

/// The symbol, word and role of a run.
pub(in crate::tui) fn run(row: &RunRow) -> (&'static str, &'static str, Role) {
    if row.stalled {
        return ("▲", "stalled", Role::RunStalled);
    }
    status(row.item.status)
}

/// The symbol, word and role of a status.
pub(super) fn status(status: Option<RunStatus>) -> (&'static str, &'static str, Role) {
    match status {
        Some(RunStatus::Running) => ("●", "running", Role::RunRunning),
        Some(RunStatus::Awaiting) => ("◷", "awaiting", Role::RunAwaiting),
        Some(RunStatus::Completed) => ("✓", "completed", Role::RunCompleted),
        Some(RunStatus::Failed) => ("✗", "failed", Role::RunFailed),
        Some(RunStatus::Cancelled) => ("⊘", "cancelled", Role::RunCancelled),
        None => ("?", "unknown", Role::TextDim),
    }
}

/// The symbol, word and role of a node.
pub(super) fn node(state: NodeShown) -> (&'static str, &'static str, Role) {
    let (symbol, role) = match state {
        NodeShown::Pending => ("·", Role::NodePending),
        NodeShown::Ready => ("○", Role::NodeReady),
        NodeShown::Running => ("●", Role::RunRunning),
        NodeShown::Awaiting => ("◷", Role::RunAwaiting),
        NodeShown::Completed => ("✓", Role::RunCompleted),
        NodeShown::Failed => ("✗", Role::RunFailed),
        NodeShown::Skipped => ("-", Role::NodeSkipped),
    };
    (symbol, state.as_str(), role)
}

/// How often a node went round and was tried, where that is more than once.
pub(super) fn badges(node: &NodeRow) -> [String; 2] {
    let badge = |symbol: char, count: u32| {
        if count > 1 { format!("{symbol}{count}") } else { String::new() }
    };
    [badge('↻', node.iteration), badge('×', node.attempts)]
}

/// The symbol, word and role of a lease's holder.
pub(super) fn holder(state: HolderState) -> (&'static str, &'static str, Role) {
    match state {
        HolderState::Alive => ("●", "alive", Role::LockAlive),
        HolderState::Gone => ("✗", "dead", Role::LockGone),
        HolderState::Foreign => ("?", "owner unknown", Role::LockForeign),
        HolderState::Unknown => ("…", "", Role::LockForeign),
    }
}

/// The symbol, word and role of a worker.
pub(super) fn worker(mode: WorkerMode) -> (&'static str, &'static str, Role) {
    match mode {
        WorkerMode::Running => ("●", "running", Role::WorkerRunning),
        WorkerMode::Paused => ("‖", "paused", Role::WorkerPaused),
        WorkerMode::Draining => ("▽", "draining", Role::WorkerDraining),
    }
}

/// The symbol and role of a source.
pub(super) fn source(state: &SourceState) -> (&'static str, Role) {
    match state {
        SourceState::Loading => ("…", Role::SourceLoading),
        SourceState::Live => ("✓", Role::SourceLive),
        SourceState::Stale { .. } => ("✗", Role::SourceStale),
    }
}

/// How long ago something was, or nothing if it is not known.
pub(super) fn ago(now: Timestamp, at: Option<Timestamp>) -> Cow<'static, str> {
    at.map_or(Cow::Borrowed(""), |at| Cow::Owned(super::super::text::whole_age(now.since(at))))
}
