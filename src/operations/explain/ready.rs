//! Why a node that is to be run has not been.

use std::time::Duration;

use super::{
    cause::{Cause, CauseKind, Confidence},
    remedy::{Mend, Remedy},
    subject::Subject,
    surroundings::Surroundings,
    taken_up::{self, Task},
    when::{ahead, past},
};
use crate::{
    blueprint::NodeId,
    engine::{Entry, RunDocument, Timestamp},
};

/// How late something that is due at a time may be before its message counts as lost. The
/// reconciler waits as long.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Why a ready node is not done yet.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    node: &NodeId,
    entry: &Entry,
    around: &Surroundings,
) -> Cause {
    let now = around.now;
    let held = matches!(subject.leases.get(node), Some(Ok(Some(_))));
    if !held && let Some(due) = entry.due_at.filter(|due| *due + GRACE > now) {
        return retry(node, entry, due, around);
    }
    let since = entry.due_at.or_else(|| ready_since(document, node, entry));
    let what = match (entry.due_at, since) {
        (Some(due), _) => format!("node \"{node}\" was to be tried again {}", past(now, due)),
        (None, Some(at)) => format!("node \"{node}\" is ready since {}", past(now, at)),
        (None, None) => format!("node \"{node}\" is ready"),
    };
    let task = Task { node, entry, what, since, remedy: put_back(subject, node, entry, around) };
    taken_up::judge(subject, document, task, around)
}

/// What has a ready node whose message is lost run all the same. A reconcile leaves alone what was
/// enqueued later than the oldest message that waits: it takes that for one of those behind it.
fn put_back(subject: &Subject, node: &NodeId, entry: &Entry, around: &Surroundings) -> Remedy {
    let oldest = around.queue.as_ref().ok().and_then(|queue| queue.oldest);
    if entry.is_behind(oldest) {
        let (run, nodes) = (subject.run.clone(), vec![node.clone()]);
        return Remedy::Requeue { run, nodes, first: Mend::Nothing };
    }
    Remedy::Reconcile(subject.run.clone())
}

/// Since when a node is ready: since its message was sent, or, where a worker was to go on with it
/// at once, since what led to it ended.
fn ready_since(document: &RunDocument, node: &NodeId, entry: &Entry) -> Option<Timestamp> {
    entry.enqueued_at.or_else(|| {
        document
            .entries()
            .filter(|(_, before)| before.routes.contains(node) || before.woke.contains(node))
            .filter_map(|(_, before)| before.finished_at)
            .max()
    })
}

fn retry(node: &NodeId, entry: &Entry, due: Timestamp, around: &Surroundings) -> Cause {
    let tries = match entry.attempts {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    };
    let mut evidence = vec![if due > around.now {
        format!("node \"{node}\" is tried again {}, after {tries}", ahead(around.now, due))
    } else {
        format!("node \"{node}\" is due to be tried again since {}", past(around.now, due))
    }];
    evidence.extend(entry.error.iter().map(|error| format!("it failed: {error}")));
    evidence.extend(nobody_then(around));
    let remedy = Remedy::Wait { until: Some(due) };
    Cause::new(CauseKind::RetryScheduled, Confidence::High, evidence, remedy)
}

/// That what is due later will find nobody, as things are.
pub(super) fn nobody_then(around: &Surroundings) -> Option<String> {
    let nobody = around.workers.is_ok() && around.takers().next().is_none();
    nobody.then(|| "no worker takes jobs at present: somebody must by then".to_owned())
}
