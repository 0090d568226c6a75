//! What there is to say of a run whose document is missing, or can't be read.

use std::time::Duration;

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    remedy::{HeldNode, Remedy, Wanted},
    subject::Subject,
    surroundings::Surroundings,
    when::{ahead, past, span},
};
use crate::{
    blueprint::BlueprintId,
    cluster::{Neighbours, StatusItem},
    engine::RunStatus,
    worker::HEARTBEAT,
};

/// How long after the status item of a run its document may still be on its way.
const FRESH: Duration = Duration::from_secs(5);

/// The document is not there.
pub(super) fn missing(subject: &Subject, around: &Surroundings) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let queued = around.queued(&subject.run).next();
    if let Some(message) = queued {
        let evidence = vec![
            "the run has no document yet; the first message of a JavaScript client makes it"
                .to_owned(),
            format!(
                "a message for node \"{}\" is number {} in the queue, sent {}",
                message.job.node_id,
                message.before + 1,
                past(around.now, message.sent_at)
            ),
        ];
        let foreign = around.neighbours == Neighbours::JavaScript;
        let remedy = Remedy::StartWorker(Wanted::More);
        causes.push(if foreign {
            Cause::new(CauseKind::QueueBacklog, Confidence::High, evidence, remedy)
        } else {
            Cause::new(CauseKind::QueueBacklog, Confidence::Low, evidence, remedy)
                .bearing(Bearing::Aside)
        });
    }
    match subject.item() {
        Some(item) if item.status.is_some_and(RunStatus::is_final) => {
            causes.push(gone(subject, item, around));
        }
        Some(item) if queued.is_none() || around.neighbours == Neighbours::None => {
            causes.push(never_started(subject, item, around));
        }
        _ => {}
    }
    causes.extend(letters(subject, around));
    causes
}

/// Whoever started it stopped between the status item and the document.
fn never_started(subject: &Subject, item: &StatusItem, around: &Surroundings) -> Cause {
    let now = around.now;
    let says = item.status.map_or("nothing", RunStatus::as_str);
    let since = item.started_at.unwrap_or(item.last_updated);
    let mut evidence = vec![
        format!("its status item says {says} since {}, and it has no document", past(now, since)),
        "whoever started it stopped in between: its input is lost, and it has to be started again"
            .to_owned(),
    ];
    let hidden = around.queue.as_ref().map_or(1, |queue| queue.messages);
    let confidence = if now.since(item.last_updated) < FRESH {
        evidence.push("that is so short a time that the document may be on its way".to_owned());
        Confidence::Low
    } else if around.neighbours == Neighbours::JavaScript && hidden > 0 {
        evidence.push(
            "unless a JavaScript client started it: then its first message, which may be hidden, \
             makes the document"
                .to_owned(),
        );
        Confidence::Medium
    } else {
        Confidence::High
    };
    let remedy = Remedy::GiveUp(subject.run.clone());
    Cause::new(CauseKind::NoMessage, confidence, evidence, remedy)
}

/// It ended, and its document is not there.
fn gone(subject: &Subject, item: &StatusItem, around: &Surroundings) -> Cause {
    let says = item.status.map_or("nothing", RunStatus::as_str);
    let at = past(around.now, item.last_updated);
    let mut evidence = vec![format!("its status item says {says} since {at}")];
    evidence.extend(item.error.clone());
    evidence.push("it has no document: nothing of it can be taken up again".to_owned());
    let completed = item.status == Some(RunStatus::Completed);
    let remedy = if completed {
        Remedy::Nothing
    } else {
        let (run, blueprint) = (subject.run.clone(), item.blueprint_id.clone());
        Remedy::StartAgain { run, blueprint }
    };
    let bearing = if completed { Bearing::Waits } else { Bearing::Blocks };
    Cause::new(CauseKind::Finished, Confidence::High, evidence, remedy).bearing(bearing)
}

fn letters(subject: &Subject, around: &Surroundings) -> impl Iterator<Item = Cause> {
    let known = subject.item().is_some() || subject.document.is_err();
    let letters = around.poison.as_ref().map(|seen| seen.letters.as_slice()).unwrap_or_default();
    letters.iter().filter_map(move |letter| {
        let job = letter.job.as_ref().filter(|job| job.run_id == subject.run)?;
        let evidence = vec![format!(
            "the message of node \"{}\" is in the poison queue since {}: {}",
            job.node_id,
            past(around.now, letter.at),
            letter.reason
        )];
        if known {
            let replay = Remedy::Replay { letters: vec![letter.id.clone()] };
            let cause = Cause::new(CauseKind::Poisoned, Confidence::Low, evidence, replay);
            return Some(cause.bearing(Bearing::Aside));
        }
        let (run, blueprint) = (subject.run.clone(), Some(job.blueprint_id.clone()));
        let blueprint = blueprint.filter(|id: &BlueprintId| !id.is_empty());
        let remedy = Remedy::StartAgain { run, blueprint };
        Some(Cause::new(CauseKind::Poisoned, Confidence::High, evidence, remedy))
    })
}

/// The document can't be read: what the other services say of the run.
pub(super) fn unreadable(subject: &Subject, around: &Surroundings) -> Vec<Cause> {
    let now = around.now;
    let mut causes: Vec<Cause> = letters(subject, around).collect();
    let locks = around.locks.as_deref().unwrap_or_default();
    for lock in locks.iter().filter(|lock| lock.run_id.as_ref() == Some(&subject.run)) {
        let (Some(node), Some(holder)) = (&lock.node_id, &lock.holder) else { continue };
        let ends = format!("the lease ends {} unless renewed", ahead(now, lock.expires_at));
        causes.push(if around.worker(holder).is_some() {
            let evidence = vec![format!("worker \"{holder}\" holds node \"{node}\""), ends];
            let remedy = Remedy::Wait { until: None };
            Cause::new(CauseKind::Running, Confidence::Medium, evidence, remedy)
        } else if around.workers.is_ok() {
            let evidence = vec![
                format!(
                    "node \"{node}\" is leased by worker \"{holder}\", which has not been seen for \
                     {} or more",
                    span(HEARTBEAT)
                ),
                ends,
            ];
            let held = HeldNode { node: node.clone(), value: lock.value.clone() };
            let remedy = Remedy::ReleaseLocks {
                run: subject.run.clone(),
                locks: vec![held],
                ends: Some(lock.expires_at),
            };
            Cause::new(CauseKind::LockOrphaned, Confidence::Medium, evidence, remedy)
        } else {
            continue;
        });
    }
    for message in around.queued(&subject.run) {
        let evidence = vec![format!(
            "a message for node \"{}\" is number {} in the queue, sent {}",
            message.job.node_id,
            message.before + 1,
            past(now, message.sent_at)
        )];
        let remedy = Remedy::Wait { until: None };
        causes.push(Cause::new(CauseKind::QueueBacklog, Confidence::Medium, evidence, remedy));
    }
    causes
}
