//! Who will take a task up: the holder of its lease, a worker that finds its message, or nobody.

use std::time::Duration;

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    remedy::{HeldNode, Remedy, Wanted},
    subject::{Lease, Subject},
    surroundings::{QueueSeen, Queued, Surroundings},
    when::{ahead, past, span},
};
use crate::{
    blueprint::{NodeId, WorkerName},
    cluster::{Heartbeat, Holder, Job, Neighbours, WorkerMode},
    engine::{Entry, RunDocument, Timestamp, reachable_work},
    worker::HEARTBEAT,
};

/// How long after something happened its message may still be on its way.
const FRESH: Duration = Duration::from_secs(5);
/// How long a message is left to be taken before that is worth a word.
const UNHURRIED: Duration = Duration::from_secs(10);
/// How long a message may be in the hands of a worker that has died.
const IN_HAND: Duration = Duration::from_mins(2);
/// How long after its start a worker's heartbeat may be older than its work.
const SETTLED: Duration = Duration::from_secs(15);

/// Something that a worker has to do in a run.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) node: &'a NodeId,
    pub(super) entry: &'a Entry,
    /// What is to be done, as the first piece of evidence.
    pub(super) what: String,
    /// Since when.
    pub(super) since: Option<Timestamp>,
    /// What helps if nobody will.
    pub(super) remedy: Remedy,
}

/// Why a task is not done yet.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    task: Task<'_>,
    around: &Surroundings,
) -> Cause {
    match subject.leases.get(task.node) {
        Some(Ok(Some(lease))) => held(subject, document, task, lease, around),
        Some(Err(_)) => unknown_holder(subject, document, task, around),
        Some(Ok(None)) | None => free(subject, document, task, around),
    }
}

/// Somebody holds the node.
fn held(
    subject: &Subject,
    document: &RunDocument,
    task: Task<'_>,
    lease: &Lease,
    around: &Surroundings,
) -> Cause {
    let (now, node) = (around.now, task.node);
    let ends = |what: &str| lease.ends.map(|at| format!("{what} {}", ahead(now, at)));
    let Some(name) = Holder::worker_of(&lease.value) else {
        if let Some(message) = carrier(subject, document, &task, around) {
            return backlog(task, message, around);
        }
        let mut evidence = vec![task.what];
        evidence.push(format!(
            "a JavaScript reconciler has enqueued it and marked it (\"{}\"): who has its message, if \
             anybody, nobody can say",
            lease.value
        ));
        evidence.extend(ends("the mark ends"));
        let remedy = Remedy::Wait { until: lease.ends };
        return Cause::new(CauseKind::QueueBacklog, Confidence::Low, evidence, remedy);
    };
    match around.worker(name) {
        Some(beat) if is_of_a_namesake(beat, task.since, now) => {
            let mut evidence = vec![format!(
                "node \"{node}\" is leased by worker \"{name}\", which was started again {} and says \
                 that it runs nothing: the lease is that of the one before it",
                past(now, beat.started_at)
            )];
            evidence.extend(ends("the lease ends"));
            orphaned(subject, node, lease, Confidence::Medium, evidence)
        }
        Some(beat) => running(&task, beat, lease, now),
        None if around.workers.is_err() => {
            let evidence = vec![
                format!("node \"{node}\" is leased by worker \"{name}\""),
                "whether that is alive is not known: the workers can't be listed".to_owned(),
            ];
            let remedy = Remedy::Wait { until: lease.ends };
            Cause::new(CauseKind::Running, Confidence::Medium, evidence, remedy)
        }
        None => {
            let mut evidence = vec![format!(
                "node \"{node}\" is leased by worker \"{name}\", which has not been seen for {} or \
                 more",
                span(HEARTBEAT)
            )];
            evidence.extend(ends("the lease ends"));
            if let Some(message) =
                around.queued(&subject.run).find(|it| it.job.node_id == *node && it.holds > 0)
            {
                evidence.push(format!(
                    "its message has been put back {} meanwhile",
                    times(message.holds)
                ));
            }
            evidence.push(task.what);
            orphaned(subject, node, lease, Confidence::High, evidence)
        }
    }
}

fn running(task: &Task<'_>, beat: &Heartbeat, lease: &Lease, now: Timestamp) -> Cause {
    let (node, name, entry) = (task.node, &beat.name, task.entry);
    let since = task.since.map(|at| format!(", ready since {}", past(now, at))).unwrap_or_default();
    let mut evidence = vec![format!("worker \"{name}\" is running node \"{node}\"{since}")];
    if let Some(ends) = lease.ends {
        evidence.push(format!("its lease ends {} unless renewed", ahead(now, ends)));
    }
    if let (Some(error), true) = (&entry.error, entry.attempts > 0) {
        evidence.push(format!("attempt {} failed: {error}", entry.attempts));
    }
    match beat.mode {
        WorkerMode::Running => {}
        WorkerMode::Paused => evidence.push("the worker is paused after this".to_owned()),
        WorkerMode::Draining => evidence.push("the worker ends after this".to_owned()),
    }
    Cause::new(CauseKind::Running, Confidence::High, evidence, Remedy::Wait { until: None })
}

/// Whether a lease is that of an earlier worker of the same name: this one was started later than
/// what it would be doing, and does nothing.
fn is_of_a_namesake(beat: &Heartbeat, since: Option<Timestamp>, now: Timestamp) -> bool {
    beat.in_flight == 0
        && now.since(beat.started_at) > SETTLED
        && since.is_some_and(|since| beat.started_at > since)
}

fn orphaned(
    subject: &Subject,
    node: &NodeId,
    lease: &Lease,
    confidence: Confidence,
    evidence: Vec<String>,
) -> Cause {
    let remedy = Remedy::ReleaseLocks {
        run: subject.run.clone(),
        locks: vec![HeldNode { node: node.clone(), value: lease.value.clone() }],
        ends: lease.ends,
    };
    Cause::new(CauseKind::LockOrphaned, confidence, evidence, remedy)
}

/// Whether somebody holds the node can't be told.
fn unknown_holder(
    subject: &Subject,
    document: &RunDocument,
    task: Task<'_>,
    around: &Surroundings,
) -> Cause {
    if let Some(message) = carrier(subject, document, &task, around) {
        return backlog(task, message, around);
    }
    let mut evidence = vec![task.what];
    evidence.push("whether a worker holds it is not known: the leases can't be read".to_owned());
    Cause::new(CauseKind::NoMessage, Confidence::Low, evidence, task.remedy)
}

/// Nobody holds the node.
fn free(subject: &Subject, document: &RunDocument, task: Task<'_>, around: &Surroundings) -> Cause {
    let Ok(queue) = &around.queue else {
        let mut evidence = vec![task.what];
        evidence.push(
            "nobody holds it; whether a message is on its way is not known: the queue can't be read"
                .to_owned(),
        );
        return Cause::new(CauseKind::NoMessage, Confidence::Low, evidence, task.remedy);
    };
    let message = carrier(subject, document, &task, around);
    let in_hand = message.is_none() && may_be_in_hand(document, &task, queue, around);
    let foreign = around.neighbours == Neighbours::JavaScript;
    if around.workers.is_ok() && around.takers().next().is_none() && !(foreign && in_hand) {
        return no_workers(task, message, queue, around);
    }
    match message {
        Some(message) => backlog(task, message, around),
        None if in_hand => hidden(task, queue, around),
        None => absent(task, queue, around),
    }
}

/// The visible message that would have the task taken up: its own, or one further up its chain that
/// comes again.
fn carrier<'a>(
    subject: &Subject,
    document: &RunDocument,
    task: &Task<'_>,
    around: &'a Surroundings,
) -> Option<&'a Queued> {
    around.queued(&subject.run).find(|queued| {
        let again = queued.job.redrive == Some(true) || queued.tries > 0;
        if queued.job.node_id == *task.node {
            return again || is_this_turn(&queued.job, task.entry);
        }
        again
            && match &subject.graph {
                Ok(graph) => reachable_work(graph, document, &queued.job.node_id)
                    .iter()
                    .any(|work| work.node == *task.node),
                Err(_) => true,
            }
    })
}

/// Whether a message means the turn that the node is in.
pub(super) fn is_this_turn(job: &Job, entry: &Entry) -> bool {
    job.iteration.is_none_or(|iteration| iteration == entry.iteration)
        && job.generation.is_none_or(|generation| generation == entry.generation)
}

/// Hidden messages that no live worker has in hand, and that are no pauses of the run's own.
fn unaccounted(document: &RunDocument, queue: &QueueSeen, around: &Surroundings) -> u64 {
    let said: u64 = around.alive().iter().map(|beat| u64::from(beat.in_flight)).sum();
    // A heartbeat is some seconds old; a lease is not.
    let locks = around.locks.as_deref().unwrap_or_default();
    let held = locks
        .iter()
        .filter(|lock| lock.node_id.is_some())
        .filter(|lock| lock.holder.as_ref().is_some_and(|name| around.worker(name).is_some()));
    let in_hand = said.max(held.count() as u64);
    let later = document
        .ready()
        .chain(document.awaiting())
        .filter_map(|node| document.entry(node)?.due_at)
        .filter(|due| *due > around.now)
        .count();
    queue.hidden().unwrap_or(0).saturating_sub(in_hand).saturating_sub(later as u64)
}

/// Whether a message of the task may be in the hands of somebody who is not seen.
fn may_be_in_hand(
    document: &RunDocument,
    task: &Task<'_>,
    queue: &QueueSeen,
    around: &Surroundings,
) -> bool {
    let recent = task.since.is_some_and(|since| around.now.since(since) < IN_HAND);
    recent && unaccounted(document, queue, around) > 0
}

fn no_workers(
    task: Task<'_>,
    message: Option<&Queued>,
    queue: &QueueSeen,
    around: &Surroundings,
) -> Cause {
    let now = around.now;
    let mut evidence = vec![task.what];
    let waited = message.map(|message| now.since(message.sent_at));
    match message {
        Some(message) => evidence.push(format!(
            "its message is in the queue since {}, and nobody takes it",
            past(now, message.sent_at)
        )),
        None if queue.is_whole() => evidence.push("no message for it is visible".to_owned()),
        None => {}
    }
    nobody_works(evidence, waited, around)
}

/// That no worker takes jobs. `waited` is how long a message has been there to be taken.
pub(super) fn nobody_works(
    mut evidence: Vec<String>,
    waited: Option<Duration>,
    around: &Surroundings,
) -> Cause {
    let named = |mode: WorkerMode| -> Vec<WorkerName> {
        let of_mode = around.alive().iter().filter(|beat| beat.mode == mode);
        of_mode.map(|beat| beat.name.clone()).collect()
    };
    let (paused, draining) = (named(WorkerMode::Paused), named(WorkerMode::Draining));
    if paused.is_empty() && draining.is_empty() {
        evidence.push("no worker has a heartbeat".to_owned());
    }
    for (names, word) in [(&paused, "paused"), (&draining, "draining")] {
        match names.as_slice() {
            [] => {}
            [name] => evidence.push(format!("worker \"{name}\" is alive, and {word}")),
            [first, rest @ ..] => evidence
                .push(format!("worker \"{first}\" and {} more are alive, and {word}", rest.len())),
        }
    }
    let foreign = around.neighbours == Neighbours::JavaScript;
    let confidence = if foreign && waited.is_none_or(|waited| waited < HEARTBEAT) {
        evidence.push("JavaScript workers send no heartbeat: one of those may be there".to_owned());
        Confidence::Medium
    } else {
        Confidence::High
    };
    let remedy = if paused.is_empty() {
        Remedy::StartWorker(Wanted::Any)
    } else {
        Remedy::ResumeWorker(paused)
    };
    Cause::new(CauseKind::NoWorkers, confidence, evidence, remedy)
}

/// Its message is visible: nobody has come to it yet.
fn backlog(task: Task<'_>, message: &Queued, around: &Surroundings) -> Cause {
    let now = around.now;
    let mut evidence = vec![task.what];
    let messages = around.queue.as_ref().map_or(0, |queue| queue.messages);
    evidence.push(format!(
        "its message is number {} of {messages} in the queue, sent {}",
        message.before + 1,
        past(now, message.sent_at)
    ));
    if message.tries > 0 {
        evidence.push(format!(
            "it has been received {} and never finished: its worker died, or lost its lease",
            times(message.tries)
        ));
    }
    if message.holds > 0 {
        evidence.push(format!(
            "workers have put it back {}: a lease was held, or they lack its blueprint",
            times(message.holds)
        ));
    }
    evidence.extend(slots(around));
    let hurry = now.since(message.sent_at) >= UNHURRIED;
    let remedy =
        if hurry { Remedy::StartWorker(Wanted::More) } else { Remedy::Wait { until: None } };
    Cause::new(CauseKind::QueueBacklog, Confidence::High, evidence, remedy)
}

/// How busy the workers are.
fn slots(around: &Surroundings) -> Option<String> {
    let count = around.takers().count();
    if count == 0 {
        return None;
    }
    let (used, all) =
        around.takers().fold((0, 0), |(used, all), beat| (used + beat.in_flight, all + beat.slots));
    let workers =
        if count == 1 { "1 worker takes".to_owned() } else { format!("{count} workers take") };
    Some(if used >= all {
        format!("{workers} jobs, and all {all} slots are in use")
    } else {
        format!("{workers} jobs: {used} of {all} slots are in use")
    })
}

/// No message of it is visible, and one may be in somebody's hands.
fn hidden(task: Task<'_>, queue: &QueueSeen, around: &Surroundings) -> Cause {
    let mut evidence = vec![task.what];
    let count = queue.hidden().unwrap_or(0);
    let are = if count == 1 { "1 message is" } else { &format!("{count} messages are") };
    evidence.push(format!(
        "no message for it is visible; {are} hidden, and no worker that is alive says it has all of \
         them in hand"
    ));
    evidence.push(if around.neighbours == Neighbours::JavaScript {
        "a JavaScript worker may be at it (those hold no lease), or the one that received its message \
         has died: then it comes back when its visibility timeout ends"
            .to_owned()
    } else {
        "whoever received its message has died, or put it back for later: it comes back when its \
         visibility timeout ends"
            .to_owned()
    });
    let until = task.since.map(|at| at + IN_HAND);
    let remedy = Remedy::Wait { until };
    Cause::new(CauseKind::QueueBacklog, Confidence::Medium, evidence, remedy)
}

/// No message of it is visible.
fn absent(task: Task<'_>, queue: &QueueSeen, around: &Surroundings) -> Cause {
    let now = around.now;
    let mut evidence = vec![task.what];
    if !queue.is_whole() {
        let behind = task.entry.is_behind(queue.oldest);
        evidence.push(format!(
            "its message is not among the first {} of {} in the queue, which is as far as one can \
             look",
            queue.looked_at, queue.messages
        ));
        if let Some(oldest) = queue.oldest {
            evidence.push(format!("the oldest that waits was sent {}", past(now, oldest)));
        }
        if behind {
            evidence.extend(slots(around));
            let remedy = Remedy::StartWorker(Wanted::More);
            return Cause::new(CauseKind::QueueBacklog, Confidence::Medium, evidence, remedy);
        }
        evidence.push("its own would be older, and so be before that".to_owned());
    } else if queue.messages == 0 {
        evidence.push("nobody holds it, and the queue is empty".to_owned());
    } else {
        let count = queue.hidden().unwrap_or(0);
        evidence.push(match count {
            0 => format!(
                "nobody holds it, and none of the {} messages in the queue is for it",
                queue.messages
            ),
            1 => "nobody holds it, and no message for it is visible; 1 is hidden".to_owned(),
            _ => format!(
                "nobody holds it, and no message for it is visible; {count} are hidden (in a \
                 worker's hands, or held until later)"
            ),
        });
    }
    let fresh = task.since.is_some_and(|since| now.since(since) < FRESH);
    let confidence = match queue.hidden() {
        _ if fresh => {
            evidence.push("that is so short a time that it may be on its way".to_owned());
            Confidence::Low
        }
        Some(0) => Confidence::High,
        _ => Confidence::Medium,
    };
    Cause::new(CauseKind::NoMessage, confidence, evidence, task.remedy).bearing(Bearing::Blocks)
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
