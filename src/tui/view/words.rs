//! How states are named, marked and coloured: each has a symbol and a word, so that it can be told
//! without colours.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::super::{actions::Action, app::Tone, theme::Role};
use crate::{
    cluster::WorkerMode,
    engine::{RunStatus, Timestamp},
    monitor::{HolderState, NodeRow, NodeShown, RunRow, SourceState, WarningKind},
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

/// The symbol and role of a warning.
pub(super) fn warning(kind: WarningKind) -> (&'static str, Role) {
    if kind.is_urgent() { ("▲", Role::WarningUrgent) } else { ("!", Role::WarningMild) }
}

/// What to do about a warning, and the keys that do it where it is about a run.
pub(super) fn advice(kind: WarningKind) -> (&'static str, &'static [Action]) {
    match kind {
        WarningKind::ServiceAway => {
            ("Work stands still where it needs this service; it is asked again by itself.", &[])
        }
        WarningKind::NoWorkers => {
            ("Start one (flowcraft-tui --no-ui), or let a paused one go on.", &[Action::Pause])
        }
        WarningKind::StalledRun => (
            "A reconciler resumes it by itself when its turn comes; or do it now.",
            &[Action::Explain, Action::Reconcile],
        ),
        WarningKind::LockOrphaned => {
            ("The lease ends by itself, then another worker takes over; or release it.", &[])
        }
        WarningKind::Poison => {
            ("Look at the reasons, mend what they say, then replay the messages.", &[])
        }
        WarningKind::VersionMismatch => {
            ("Start a worker that has the version which the run was started with.", &[])
        }
        WarningKind::LargeDocument => {
            ("A run whose document is full fails: keep large values elsewhere.", &[])
        }
        WarningKind::LockExpiring => {
            ("Its worker may be frozen or cut off; if the lease ends, another takes over.", &[])
        }
        WarningKind::QueueOld | WarningKind::QueueGrowing => {
            ("More comes in than is done: start more workers, or give them more slots.", &[])
        }
        WarningKind::ClockSkew => {
            ("Leases and timers are reckoned by these clocks: set them by NTP.", &[])
        }
        WarningKind::ServiceSlow => {
            ("Everything takes longer; look for throttling (429) and the network.", &[])
        }
        WarningKind::NoProgress => {
            ("A node runs for very long: look whether that is meant.", &[Action::Explain])
        }
        WarningKind::Remark => ("The run's document says so; look at the run.", &[]),
    }
}

/// The symbol and role of good and bad news.
pub(super) fn tone(tone: Tone) -> (&'static str, Role) {
    match tone {
        Tone::Good => ("✓", Role::RunCompleted),
        Tone::Bad => ("✗", Role::TextError),
    }
}

/// A time of day.
pub(super) fn clock(zone: &TimeZone, at: Timestamp) -> String {
    shown(zone, at, "%H:%M:%S")
}

/// A point in time, with its zone.
pub(super) fn local(zone: &TimeZone, at: Timestamp) -> String {
    shown(zone, at, "%Y-%m-%d %H:%M:%S %Z")
}

fn shown(zone: &TimeZone, at: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(time) => time.to_zoned(zone.clone()).strftime(format).to_string(),
        // What others wrote may lie beyond every calendar.
        Err(_) => at.to_string(),
    }
}

/// How long ago something was, or nothing if it is not known.
pub(super) fn ago(now: Timestamp, at: Option<Timestamp>) -> Cow<'static, str> {
    at.map_or(Cow::Borrowed(""), |at| Cow::Owned(super::super::text::whole_age(now.since(at))))
}
