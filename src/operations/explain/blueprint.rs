//! Whether it is for its blueprint that a run does not move.

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    ready::GRACE,
    remedy::{Remedy, Wanted},
    subject::Subject,
    surroundings::Surroundings,
};
use crate::{
    cluster::Holder,
    engine::{Awaits, RunDocument},
    worker::UnusableBlueprint,
};

/// What follows from the blueprint not being loaded here. Workers elsewhere may have it: that shows
/// in what they do.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    around: &Surroundings,
) -> Option<Cause> {
    let error = subject.graph.as_ref().err()?;
    let kind = match error {
        UnusableBlueprint::Unknown(_) | UnusableBlueprint::Unnamed => CauseKind::UnknownBlueprint,
        UnusableBlueprint::OtherVersion { .. } => CauseKind::VersionMismatch,
    };
    let mut evidence = vec![error.to_string()];
    let (bearing, confidence) = weigh(subject, document, around, &mut evidence);
    let head = document.head();
    let wanted = Wanted::Blueprint(head.blueprint().cloned(), head.blueprint_version.clone());
    let cause = Cause::new(kind, confidence, evidence, Remedy::StartWorker(wanted));
    Some(cause.bearing(bearing))
}

fn weigh(
    subject: &Subject,
    document: &RunDocument,
    around: &Surroundings,
    evidence: &mut Vec<String>,
) -> (Bearing, Confidence) {
    if document.entries().next().is_none() {
        return (Bearing::Blocks, Confidence::High);
    }
    let holder = subject.leases.iter().find_map(|(node, lease)| {
        let name = Holder::worker_of(&lease.as_ref().ok()?.as_ref()?.value)?;
        around.worker(name).map(|beat| (node, &beat.name))
    });
    if let Some((node, name)) = holder {
        evidence.push(format!("worker \"{name}\" has it: it is at node \"{node}\""));
        return (Bearing::Aside, Confidence::Low);
    }
    if !has_something_to_do(document, around) {
        evidence.push("the run needs no worker now; from here it can't be changed".to_owned());
        return (Bearing::Aside, Confidence::Medium);
    }
    let mut takers = around.takers().peekable();
    if takers.peek().is_none() {
        evidence.push("a worker that finds no more than this program would not run it".to_owned());
        return (Bearing::Blocks, Confidence::Low);
    }
    let others: Vec<&str> =
        takers.map(|beat| beat.name.as_str()).filter(|name| **name != *around.me).collect();
    let held = around.queued(&subject.run).map(|queued| queued.holds).max();
    match (held, others.as_slice()) {
        (_, []) => {
            evidence.push("no other worker is alive".to_owned());
            (Bearing::Blocks, Confidence::High)
        }
        (Some(0), _) => {
            evidence.push("no worker has tried yet: its message is still to be taken".to_owned());
            (Bearing::Aside, Confidence::Low)
        }
        (Some(holds), _) => {
            evidence.push(format!("workers have put its message back {holds} times"));
            (Bearing::Blocks, Confidence::High)
        }
        (None, [first, rest @ ..]) => {
            let more =
                if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            evidence.push(format!("worker \"{first}\"{more} may have it, and is not at this run"));
            (Bearing::Blocks, Confidence::Medium)
        }
    }
}

/// Whether a worker has something to do in a run now.
pub(super) fn has_something_to_do(document: &RunDocument, around: &Surroundings) -> bool {
    let due = |at: Option<crate::engine::Timestamp>| at.is_none_or(|at| at <= around.now);
    let ready =
        document.ready().filter_map(|node| document.entry(node)).any(|entry| due(entry.due_at));
    let overdue = document.awaiting().filter_map(|node| document.entry(node)).any(|entry| {
        entry.awaits == Some(Awaits::Timer)
            && entry.due_at.is_some_and(|at| at + GRACE < around.now)
    });
    ready || overdue
}
