//! A reason for a run to be where it is, and how reasons are told apart.

use serde::Serialize;

use super::remedy::Remedy;

/// A reason for a run to be where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Which one.
    pub cause: CauseKind,
    /// How sure it is.
    pub confidence: Confidence,
    /// What speaks for it.
    pub evidence: Vec<String>,
    /// What mends it, or what to wait for.
    pub remedy: Remedy,
    /// What it means for the run.
    #[serde(skip)]
    pub bearing: Bearing,
}

impl Cause {
    /// A cause, with what it usually means for a run.
    pub(super) fn new(
        cause: CauseKind,
        confidence: Confidence,
        evidence: Vec<String>,
        remedy: Remedy,
    ) -> Self {
        Self { cause, confidence, evidence, remedy, bearing: cause.usual_bearing() }
    }

    /// The same, with another meaning for the run.
    pub(super) fn bearing(self, bearing: Bearing) -> Self {
        Self { bearing, ..self }
    }
}

/// What a cause means for its run. What matters most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bearing {
    /// The run stands still for it until somebody or something mends it.
    Blocks,
    /// The run goes on by itself, later than it could.
    Delays,
    /// It is as it should be: the run works, waits or has ended.
    Waits,
    /// Worth knowing, and not what keeps the run.
    Aside,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The evidence leaves no doubt.
    High,
    /// It is the likeliest.
    Medium,
    /// It may be.
    Low,
}

impl Confidence {
    /// In a word, for people.
    pub fn as_word(self) -> &'static str {
        match self {
            Self::High => "certain",
            Self::Medium => "likely",
            Self::Low => "possible",
        }
    }
}

/// The causes there are. Of two that are equally sure and equally grave, the earlier one here
/// explains more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// A service can't be reached.
    ServiceAway,
    /// A message of it is in the poison queue.
    Poisoned,
    /// A node's kind has no implementation.
    NoImplementation,
    /// A JavaScript worker failed a node, and ended the run with it.
    FailedElsewhere,
    /// The run has ended.
    Finished,
    /// Its blueprint is loaded here in another version.
    VersionMismatch,
    /// Its blueprint is not loaded here.
    UnknownBlueprint,
    /// A completed node's output is gone.
    OutputLost,
    /// A JavaScript worker ran a node, and nobody knows where it led to.
    RouteUnknown,
    /// A lease is held by a worker without a heartbeat.
    LockOrphaned,
    /// No worker is alive that takes jobs.
    NoWorkers,
    /// Something is to be done, and nothing is queued, in flight or leased for it.
    NoMessage,
    /// Its messages wait behind others.
    QueueBacklog,
    /// It is not stuck: a worker is at it.
    Running,
    /// A node waits between two attempts.
    RetryScheduled,
    /// A node waits for a child run.
    WaitingForChild,
    /// A node waits for a time.
    WaitingForTimer,
    /// A node waits for an answer.
    WaitingForAnswer,
}

impl CauseKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::ServiceAway,
        Self::Poisoned,
        Self::NoImplementation,
        Self::FailedElsewhere,
        Self::Finished,
        Self::VersionMismatch,
        Self::UnknownBlueprint,
        Self::OutputLost,
        Self::RouteUnknown,
        Self::LockOrphaned,
        Self::NoWorkers,
        Self::NoMessage,
        Self::QueueBacklog,
        Self::Running,
        Self::RetryScheduled,
        Self::WaitingForChild,
        Self::WaitingForTimer,
        Self::WaitingForAnswer,
    ];

    /// The word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAway => "service-away",
            Self::Finished => "finished",
            Self::Poisoned => "poisoned",
            Self::VersionMismatch => "version-mismatch",
            Self::UnknownBlueprint => "unknown-blueprint",
            Self::NoImplementation => "no-implementation",
            Self::OutputLost => "output-lost",
            Self::FailedElsewhere => "failed-elsewhere",
            Self::RouteUnknown => "route-unknown",
            Self::LockOrphaned => "lock-orphaned",
            Self::NoWorkers => "no-workers",
            Self::NoMessage => "no-message",
            Self::QueueBacklog => "queue-backlog",
            Self::Running => "running",
            Self::RetryScheduled => "retry-scheduled",
            Self::WaitingForChild => "waiting-for-child",
            Self::WaitingForTimer => "waiting-for-timer",
            Self::WaitingForAnswer => "waiting-for-answer",
        }
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::ServiceAway => "a service can't be reached",
            Self::Finished => "the run has ended",
            Self::Poisoned => "a message of it is in the poison queue",
            Self::VersionMismatch => "another version of its blueprint is loaded",
            Self::UnknownBlueprint => "its blueprint is not loaded",
            Self::NoImplementation => "nothing implements a kind of node",
            Self::OutputLost => "an output is gone",
            Self::FailedElsewhere => "a JavaScript worker failed it",
            Self::RouteUnknown => "nobody knows where a node led to",
            Self::LockOrphaned => "a dead worker holds a lease",
            Self::NoWorkers => "no worker takes jobs",
            Self::NoMessage => "no message is on its way",
            Self::QueueBacklog => "its message waits in the queue",
            Self::Running => "a worker is at it",
            Self::RetryScheduled => "a node is tried again later",
            Self::WaitingForChild => "a node waits for a child run",
            Self::WaitingForTimer => "a node waits for a time",
            Self::WaitingForAnswer => "a node waits for an answer",
        }
    }

    fn usual_bearing(self) -> Bearing {
        match self {
            Self::QueueBacklog => Bearing::Delays,
            Self::Running
            | Self::RetryScheduled
            | Self::WaitingForChild
            | Self::WaitingForTimer
            | Self::WaitingForAnswer => Bearing::Waits,
            _ => Bearing::Blocks,
        }
    }
}

impl std::fmt::Display for CauseKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for CauseKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_name_of_its_own_and_stands_in_its_order() {
        let names: BTreeSet<&str> = CauseKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), CauseKind::ALL.len());
        assert!(CauseKind::ALL.is_sorted());
    }
}
