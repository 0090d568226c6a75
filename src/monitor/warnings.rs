//! What an operator should look at: worked out once from the snapshot, shown everywhere as badges,
//! a count and a list.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{RunId, WorkerName},
    engine::Timestamp,
};

/// How many warnings of one kind are kept; the rest is only counted.
const MOST_OF_A_KIND: usize = 1_000;

/// What there is to look at, the most urgent first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Listed", into = "Listed")]
pub struct Warnings {
    list: Vec<Arc<Warning>>,
    /// Places in the list, by what the warning is about.
    places: HashMap<Subject, Vec<usize>>,
    urgent: usize,
    unlisted: usize,
}

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What kind of thing.
    pub kind: WarningKind,
    /// What it is about.
    pub subject: Subject,
    /// What is the matter, in a line.
    pub text: String,
    /// Since when, as far as is known.
    pub since: Timestamp,
}

/// What a warning is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// A run.
    Run(RunId),
    /// A lease, by its key.
    Lock(String),
    /// The job queue.
    Queue,
    /// The poison queue.
    PoisonQueue,
    /// A worker.
    Worker(WorkerName),
    /// A part of the snapshot, by what it is called on the screen.
    Source(Cow<'static, str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run {run}"),
            Self::Lock(key) => write!(f, "lock {key}"),
            Self::Queue => f.write_str("queue"),
            Self::PoisonQueue => f.write_str("poison queue"),
            Self::Worker(worker) => write!(f, "worker {worker}"),
            Self::Source(name) => f.write_str(name),
        }
    }
}

/// The kinds of warnings, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// A source does not answer.
    ServiceAway,
    /// Messages wait, and no worker takes any.
    NoWorkers,
    /// A run should move, and nobody touched it for too long.
    StalledRun,
    /// A lease is held by a worker without a heartbeat.
    LockOrphaned,
    /// There are messages in the poison queue.
    Poison,
    /// A run needs a version of its blueprint that is not the one loaded here.
    VersionMismatch,
    /// A run's document is near the limit.
    LargeDocument,
    /// A lease is about to end, and was not renewed.
    LockExpiring,
    /// The oldest message has waited for too long.
    QueueOld,
    /// The queue has been growing for minutes.
    QueueGrowing,
    /// A clock is not like ours.
    ClockSkew,
    /// A source takes long to answer.
    ServiceSlow,
    /// A run is touched, and none of its nodes has ended for a long time.
    NoProgress,
    /// A run's document says that something is odd.
    Remark,
}

impl WarningKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::ServiceAway,
        Self::NoWorkers,
        Self::StalledRun,
        Self::LockOrphaned,
        Self::Poison,
        Self::VersionMismatch,
        Self::LargeDocument,
        Self::LockExpiring,
        Self::QueueOld,
        Self::QueueGrowing,
        Self::ClockSkew,
        Self::ServiceSlow,
        Self::NoProgress,
        Self::Remark,
    ];

    /// Whether work stands still, or is about to, because of it.
    pub fn is_urgent(self) -> bool {
        self <= Self::LargeDocument
    }

    /// The words for it on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAway => "service away",
            Self::NoWorkers => "no workers",
            Self::StalledRun => "stalled",
            Self::LockOrphaned => "lock orphaned",
            Self::Poison => "poison",
            Self::VersionMismatch => "version mismatch",
            Self::LargeDocument => "large document",
            Self::LockExpiring => "lock expiring",
            Self::QueueOld => "old message",
            Self::QueueGrowing => "queue growing",
            Self::ClockSkew => "clock skew",
            Self::ServiceSlow => "slow service",
            Self::NoProgress => "no progress",
            Self::Remark => "remark",
        }
    }
}

/// Warnings as they are written: the rest follows from them.
#[derive(Serialize, Deserialize)]
struct Listed {
    list: Vec<Warning>,
    #[serde(default)]
    unlisted: usize,
    #[serde(default)]
    unlisted_urgent: usize,
}

impl From<Warnings> for Listed {
    fn from(warnings: Warnings) -> Self {
        let list: Vec<Warning> = warnings.list.iter().map(|it| (**it).clone()).collect();
        let urgent = list.iter().filter(|it| it.kind.is_urgent()).count();
        Self { unlisted_urgent: warnings.urgent - urgent, unlisted: warnings.unlisted, list }
    }
}

impl From<Listed> for Warnings {
    fn from(listed: Listed) -> Self {
        let mut warnings = Self::new(listed.list);
        warnings.urgent += listed.unlisted_urgent;
        warnings.unlisted += listed.unlisted;
        warnings
    }
}

impl Warnings {
    /// Puts warnings in order. Of each kind only so many are listed; the others are counted.
    pub fn new(mut warnings: Vec<Warning>) -> Self {
        // Those that have lasted longest come first.
        warnings.sort_by(|a, b| {
            (a.kind, a.since).cmp(&(b.kind, b.since)).then_with(|| a.text.cmp(&b.text))
        });
        let urgent = warnings.iter().filter(|warning| warning.kind.is_urgent()).count();
        let all = warnings.len();
        let mut kept = Vec::new();
        let mut of_kind = (None, 0);
        for warning in warnings {
            if of_kind.0 != Some(warning.kind) {
                of_kind = (Some(warning.kind), 0);
            }
            of_kind.1 += 1;
            if of_kind.1 <= MOST_OF_A_KIND {
                kept.push(Arc::new(warning));
            }
        }
        let mut places: HashMap<Subject, Vec<usize>> = HashMap::new();
        for (at, warning) in kept.iter().enumerate() {
            places.entry(warning.subject.clone()).or_default().push(at);
        }
        Self { unlisted: all - kept.len(), list: kept, places, urgent }
    }

    /// They, the most urgent first.
    pub fn list(&self) -> &[Arc<Warning>] {
        &self.list
    }

    /// How many there are, those that are only counted too.
    pub fn count(&self) -> usize {
        self.list.len() + self.unlisted
    }

    /// How many of them are urgent.
    pub fn urgent(&self) -> usize {
        self.urgent
    }

    /// How many are only counted.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Those about something, the most urgent first.
    pub fn about(&self, subject: &Subject) -> impl Iterator<Item = &Arc<Warning>> {
        self.places.get(subject).into_iter().flatten().filter_map(|at| self.list.get(*at))
    }
}

/// From when on something is worth a warning.
#[derive(Debug, Clone, Copy)]
pub struct WarningLimits {
    /// A running run whose counts of nodes have not changed for this long makes no progress.
    pub no_progress_after: Duration,
    /// A lease with less time left than this should have been renewed.
    pub lock_left: Duration,
    /// A message that has waited for this long is old.
    pub message_age: Duration,
    /// A clock that differs by more than this is wrong.
    pub skew: Duration,
    /// From this size on, in bytes, a document is large.
    pub document_size: u64,
}

impl WarningLimits {
    /// What is usual where runs count as stalled after a time, leases last for a time, and
    /// documents have a limit in bytes.
    pub fn usual(stalled_after: Duration, lease: Duration, document_limit: usize) -> Self {
        let limit = u64::try_from(document_limit).unwrap_or(u64::MAX);
        Self {
            no_progress_after: stalled_after * 3,
            lock_left: lease / 4,
            message_age: Duration::from_mins(2).min(stalled_after),
            skew: Duration::from_secs(5),
            document_size: limit / 4 * 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(kind: WarningKind, run: &str, since: i64) -> Warning {
        Warning {
            kind,
            subject: Subject::Run(run.into()),
            text: run.to_owned(),
            since: Timestamp::from_seconds(since),
        }
    }

    #[test]
    fn the_most_urgent_and_then_the_oldest_come_first() {
        let warnings = Warnings::new(vec![
            warning(WarningKind::NoProgress, "a", 1),
            warning(WarningKind::StalledRun, "b", 9),
            warning(WarningKind::StalledRun, "c", 3),
        ]);
        let order: Vec<_> = warnings.list().iter().map(|it| it.text.as_str()).collect();
        assert_eq!(order, ["c", "b", "a"]);
        assert_eq!((warnings.count(), warnings.urgent()), (3, 2));
        let about: Vec<_> = warnings.about(&Subject::Run("b".into())).map(|it| it.kind).collect();
        assert_eq!(about, [WarningKind::StalledRun]);
    }

    #[test]
    fn a_flood_is_counted_and_does_not_push_other_kinds_out() {
        let mut many: Vec<_> =
            (0..5_000).map(|at| warning(WarningKind::StalledRun, &format!("r{at}"), at)).collect();
        many.push(warning(WarningKind::Remark, "last", 0));
        let warnings = Warnings::new(many);
        assert_eq!(warnings.count(), 5_001);
        assert_eq!(warnings.unlisted(), 4_000);
        assert_eq!(warnings.list().last().map(|it| it.kind), Some(WarningKind::Remark));
        assert_eq!(warnings.urgent(), 5_000);
    }

    #[test]
    fn kinds_are_listed_in_their_order() {
        assert!(WarningKind::ALL.is_sorted());
    }
}
