//! Finding warnings: a source that asks no service, but goes through what the others gave.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::{
    runs_view::RunRow,
    snapshot::{HolderState, Snapshot, SourceState, Sourced},
    source::Source,
    spawn::BlueprintLookup,
    warnings::{Subject, Warning, WarningKind, WarningLimits, Warnings},
};
use crate::{
    blueprint::{RunId, WorkerName},
    cluster::{Clock, NodeCounts, Result, WorkerMode},
    engine::{RunStatus, Timestamp},
};

/// How far apart depths are remembered, and for how long.
const DEPTH_EVERY: Duration = Duration::from_secs(10);
const DEPTH_WINDOW: Duration = Duration::from_mins(3);

/// A queue that has grown by less than this does not count.
const GROWTH: u64 = 20;

/// How late a heartbeat may come to be seen, beside the skew: it is looked for every few seconds.
const BEAT_LATENESS: Duration = Duration::from_secs(10);

/// A worker that has only just taken its first lease may not have been seen yet.
const SETTLE: Duration = Duration::from_secs(5);

/// A timer's message is as old as its timer when it becomes visible, and is taken at once.
const OLD_FOR: Duration = Duration::from_secs(20);

/// Finds warnings.
pub(super) struct WarningsSource {
    clock: Arc<dyn Clock>,
    library: BlueprintLookup,
    limits: WarningLimits,
    /// The counts of running runs, and since when they are so.
    progress: HashMap<RunId, (NodeCounts, Timestamp)>,
    depths: VecDeque<(Timestamp, u64)>,
    /// The last heartbeat of each worker, and by how much it was ahead of our clock (in
    /// milliseconds, behind is negative) when it was first seen. Unknown of the first one: that may
    /// be of any age.
    beats: HashMap<WorkerName, (Option<Timestamp>, Option<i64>)>,
    /// When each warning was first given.
    since: HashMap<(WarningKind, Subject), Timestamp>,
}

impl WarningsSource {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        library: BlueprintLookup,
        limits: WarningLimits,
    ) -> Self {
        Self {
            clock,
            library,
            limits,
            progress: HashMap::new(),
            depths: VecDeque::new(),
            beats: HashMap::new(),
            since: HashMap::new(),
        }
    }

    fn find(&mut self, snapshot: &Snapshot) -> Vec<Warning> {
        let now = self.clock.now();
        let mut found = Found { now, before: std::mem::take(&mut self.since), list: Vec::new() };
        sources(snapshot, &mut found);
        self.runs(snapshot, &mut found);
        self.locks(snapshot, &mut found);
        self.queue(snapshot, &mut found);
        self.clocks(snapshot, &mut found);
        self.since = found
            .list
            .iter()
            .map(|it| ((it.warning.kind, it.warning.subject.clone()), it.first))
            .collect();
        let list = found.list.into_iter();
        list.filter(|it| now.since(it.first) >= it.hold).map(|it| it.warning).collect()
    }

    fn runs(&mut self, snapshot: &Snapshot, found: &mut Found) {
        let mut progress = HashMap::new();
        for row in snapshot.runs.data.unfinished() {
            let run = &row.item.run_id;
            let subject = || Subject::Run(run.clone());
            if row.stalled {
                let since = row.item.should_move_since().unwrap_or(row.item.last_updated);
                let what = match row.item.next_due_at {
                    Some(_) => "its timer is due, and nobody touches it",
                    None => "nobody has touched it for too long",
                };
                found.since(WarningKind::StalledRun, subject(), since, what);
            }
            if let Some((counts, since)) = self.moved(row, found.now) {
                if !row.stalled && found.now.since(since) >= self.limits.no_progress_after {
                    let text = format!(
                        "{} of {} nodes done, and none has ended lately",
                        counts.completed, counts.total
                    );
                    found.since(WarningKind::NoProgress, subject(), since, text);
                }
                progress.insert(run.clone(), (counts, since));
            }
            self.remarks(row, found);
        }
        self.progress = progress;
    }

    /// How far a running run is, and since when it is no further.
    fn moved(&self, row: &RunRow, now: Timestamp) -> Option<(NodeCounts, Timestamp)> {
        let item = &row.item;
        let counts = item.nodes.filter(|_| item.status == Some(RunStatus::Running))?;
        if item.next_due_at.is_some_and(|due| due > now) {
            return None;
        }
        match self.progress.get(&item.run_id) {
            Some((before, since)) if *before == counts => Some((counts, *since)),
            // Further than before; or seen for the first time, and not known since when.
            _ => Some((counts, now)),
        }
    }

    fn remarks(&self, row: &RunRow, found: &mut Found) {
        let (item, remarks) = (&row.item, &row.item.remarks);
        let subject = || Subject::Run(item.run_id.clone());
        if let Some(wanted) = &remarks.blueprint_version
            && let Some(blueprint) = item.blueprint_id.as_ref().and_then(|id| (self.library)(id))
            && blueprint.version() != Some(wanted)
        {
            let loaded = blueprint.version().map_or("none".to_owned(), |it| format!("{it:?}"));
            found.note(
                WarningKind::VersionMismatch,
                subject(),
                format!(
                    "needs version {wanted:?} of {}; loaded here is version {loaded}",
                    blueprint.id
                ),
            );
        }
        if let Some(size) = remarks.document_size.filter(|it| *it >= self.limits.document_size) {
            found.note(
                WarningKind::LargeDocument,
                subject(),
                format!("its document has {} KiB, near the limit", size / 1024),
            );
        }
        if !remarks.warnings.is_empty() {
            found.note(WarningKind::Remark, subject(), remarks.warnings.join("; "));
        }
    }

    fn locks(&self, snapshot: &Snapshot, found: &mut Found) {
        if snapshot.locks.state != SourceState::Live {
            return;
        }
        for lock in &snapshot.locks.data.locks {
            let what = match (&lock.run_id, &lock.node_id) {
                (Some(run), Some(node)) => format!("node {node} of run {run}"),
                _ => lock.key.clone(),
            };
            let subject = || Subject::Lock(lock.key.clone());
            let left = found.now.until(lock.expires_at);
            match (snapshot.holder(lock), &lock.holder) {
                (HolderState::Gone, Some(worker)) => found.lasting(
                    SETTLE,
                    WarningKind::LockOrphaned,
                    subject(),
                    format!("{what} is held by {worker}, which has no heartbeat"),
                ),
                (HolderState::Alive, Some(worker)) if left < self.limits.lock_left => found.note(
                    WarningKind::LockExpiring,
                    subject(),
                    format!("{what}: {worker} has not renewed it in time"),
                ),
                _ => {}
            }
        }
    }

    fn queue(&mut self, snapshot: &Snapshot, found: &mut Found) {
        let (view, now) = (&snapshot.queue.data, found.now);
        if snapshot.queue.state != SourceState::Live {
            self.depths.clear();
            return;
        }
        if view.poison > 0 {
            let are = if view.poison == 1 { "message is" } else { "messages are" };
            let oldest = view.dead_letters.iter().map(super::DeadLetterRow::failed_at).min();
            let text = format!("{} {are} in the poison queue", view.poison);
            found.since(WarningKind::Poison, Subject::PoisonQueue, oldest.unwrap_or(now), text);
        }
        if let Some(oldest) =
            view.oldest.filter(|oldest| now.since(*oldest) >= self.limits.message_age)
        {
            found.add(
                OLD_FOR,
                WarningKind::QueueOld,
                Subject::Queue,
                Some(oldest),
                "the oldest message has waited for long",
            );
        }
        let workers = &snapshot.workers;
        let taking = workers.data.workers.iter().any(|worker| worker.mode == WorkerMode::Running);
        if workers.state == SourceState::Live && !taking && view.oldest.is_some() {
            found.lasting(
                SETTLE,
                WarningKind::NoWorkers,
                Subject::Queue,
                match workers.data.workers.len() {
                    0 => format!("{} messages wait, and no worker is alive", view.depth),
                    alive => {
                        format!("{} messages wait; of {alive} workers none takes jobs", view.depth)
                    }
                },
            );
        }
        if self.depths.back().is_none_or(|(at, _)| now.since(*at) >= DEPTH_EVERY) {
            self.depths.push_back((now, view.depth));
        }
        while self.depths.front().is_some_and(|(at, _)| now.since(*at) > DEPTH_WINDOW) {
            self.depths.pop_front();
        }
        if let Some((from, to)) = growth(&self.depths) {
            let text = format!("the queue has grown from {from} to {to} in three minutes");
            found.note(WarningKind::QueueGrowing, Subject::Queue, text);
        }
    }

    fn clocks(&mut self, snapshot: &Snapshot, found: &mut Found) {
        let workers = &snapshot.workers.data.workers;
        self.beats.retain(|name, _| workers.iter().any(|worker| worker.name == *name));
        for worker in workers {
            let Some(sent) = worker.sent_at else { continue };
            let first = !self.beats.contains_key(&worker.name);
            let beat = self.beats.entry(worker.name.clone()).or_default();
            if beat.0 != Some(sent) {
                let ahead = sent.millis() - found.now.millis();
                // The first one may have been sent long before it was looked for.
                *beat = (Some(sent), (!first || ahead > 0).then_some(ahead));
            }
            let Some(ahead) = beat.1 else { continue };
            let limit = if ahead < 0 { self.limits.skew + BEAT_LATENESS } else { self.limits.skew };
            let by = Duration::from_millis(ahead.unsigned_abs());
            if by > limit {
                let side = if ahead > 0 { "ahead of" } else { "behind" };
                let text = format!("its clock is {} s {side} this machine's", by.as_secs());
                found.note(WarningKind::ClockSkew, Subject::Worker(worker.name.clone()), text);
            }
        }
        let newest = snapshot.queue.data.next.iter().map(|message| message.inserted_at).max();
        if let Some(newest) = newest.filter(|newest| *newest > found.now + self.limits.skew) {
            let text = format!(
                "its clock is {} s ahead of this machine's",
                found.now.until(newest).as_secs()
            );
            found.note(WarningKind::ClockSkew, Subject::Queue, text);
        }
    }
}

/// What was found by now.
struct Found {
    now: Timestamp,
    /// When each of them was found first.
    before: HashMap<(WarningKind, Subject), Timestamp>,
    list: Vec<Finding>,
}

/// A warning, when it was found first, and for how long it must have been found to count.
struct Finding {
    warning: Warning,
    first: Timestamp,
    hold: Duration,
}

impl Found {
    fn note(&mut self, kind: WarningKind, subject: Subject, text: impl Into<String>) {
        self.add(Duration::ZERO, kind, subject, None, text);
    }

    fn lasting(
        &mut self,
        hold: Duration,
        kind: WarningKind,
        subject: Subject,
        text: impl Into<String>,
    ) {
        self.add(hold, kind, subject, None, text);
    }

    fn since(
        &mut self,
        kind: WarningKind,
        subject: Subject,
        since: Timestamp,
        text: impl Into<String>,
    ) {
        self.add(Duration::ZERO, kind, subject, Some(since), text);
    }

    /// Texts hold nothing that changes by itself: each change of one is drawn.
    fn add(
        &mut self,
        hold: Duration,
        kind: WarningKind,
        subject: Subject,
        since: Option<Timestamp>,
        text: impl Into<String>,
    ) {
        let key = (kind, subject);
        let first = self.before.get(&key).copied().unwrap_or(self.now);
        let since = since.unwrap_or(first);
        let warning = Warning { kind, subject: key.1, text: text.into(), since };
        self.list.push(Finding { warning, first, hold });
    }
}

/// Sources that don't answer, or take long to.
fn sources(snapshot: &Snapshot, found: &mut Found) {
    fn one<T>(found: &mut Found, name: &'static str, source: &Sourced<T>) {
        match (&source.state, source.slow) {
            (SourceState::Stale { error, .. }, _) => {
                found.note(
                    WarningKind::ServiceAway,
                    Subject::Source(name.into()),
                    error.to_string(),
                );
            }
            (_, Some(took)) => {
                let text = format!("it took {} ms to answer lately", took.as_millis());
                found.note(WarningKind::ServiceSlow, Subject::Source(name.into()), text);
            }
            _ => {}
        }
    }
    one(found, "queue", &snapshot.queue);
    one(found, "runs", &snapshot.runs);
    one(found, "locks", &snapshot.locks);
    one(found, "workers", &snapshot.workers);
}

/// From where to where a queue has grown, if it did so all the while.
fn growth(depths: &VecDeque<(Timestamp, u64)>) -> Option<(u64, u64)> {
    let (first, last) = (depths.front()?, depths.back()?);
    if last.0.since(first.0) + DEPTH_EVERY < DEPTH_WINDOW {
        return None;
    }
    let third = depths.len() / 3;
    let mean = |from: usize, to: usize| {
        let sum: u64 = depths.range(from..to).map(|(_, depth)| *depth).sum();
        sum / u64::try_from(to - from).unwrap_or(1).max(1)
    };
    let (a, b, c) = (mean(0, third), mean(third, 2 * third), mean(2 * third, depths.len()));
    (a < b && b < c && last.1 >= first.1 + GROWTH).then_some((first.1, last.1))
}

#[async_trait]
impl Source for WarningsSource {
    type Data = Warnings;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<Warnings> {
        &mut snapshot.warnings
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<Warnings>> {
        let warnings = Warnings::new(self.find(current));
        Ok((warnings != *current.warnings.data).then_some(warnings))
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
