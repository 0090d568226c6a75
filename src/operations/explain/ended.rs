//! What there is to say of a run that has ended.

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    remedy::{Mend, Remedy},
    subject::{Closed, Subject},
    surroundings::Surroundings,
    when::past,
};
use crate::{
    blueprint::NodeId,
    engine::{NodeState, RunDocument, RunStatus, StandInOutcome},
    worker::{NOTHING_IMPLEMENTS, status::errors},
};

/// How many failures are named.
const FAILURES: usize = 10;

/// How a run ended, and what is left to do.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    around: &Surroundings,
) -> Vec<Cause> {
    let head = document.head();
    let run = subject.run.clone();
    let since = head.finished_at.map(|at| format!(" since {}", past(around.now, at)));
    let mut evidence = vec![format!("the run is {}{}", head.status, since.unwrap_or_default())];
    if head.status != RunStatus::Completed {
        let errors = errors(document);
        let more = errors.len().saturating_sub(FAILURES);
        for (node, error) in errors.into_iter().take(FAILURES) {
            evidence.push(format!("node \"{node}\" failed: {error}"));
        }
        if more > 0 {
            evidence.push(format!("and {more} more failed"));
        }
    }
    let (bearing, remedy) = match (subject.closed, head.status) {
        (Closed::No, _) => {
            evidence.push(left_undone(subject, document));
            (Bearing::Blocks, Remedy::Reconcile(run))
        }
        (_, RunStatus::Failed) => {
            (Bearing::Blocks, Remedy::Requeue { run, nodes: Vec::new(), first: Mend::Failure })
        }
        (_, RunStatus::Cancelled) => {
            (Bearing::Waits, Remedy::Requeue { run, nodes: Vec::new(), first: Mend::Nothing })
        }
        _ => (Bearing::Waits, Remedy::Nothing),
    };
    let finished = Cause::new(CauseKind::Finished, Confidence::High, evidence, remedy);
    let mut causes = vec![finished.bearing(bearing)];
    if subject.closed != Closed::No && head.status == RunStatus::Failed {
        causes.extend(missing_implementations(subject, document));
    }
    causes
}

fn left_undone(subject: &Subject, document: &RunDocument) -> String {
    match &document.head().parent {
        Some(parent) => format!(
            "node \"{}\" of run \"{}\", which waits for it, was not told",
            parent.node, parent.run
        ),
        None => match subject.item().and_then(|item| item.status) {
            Some(says) => {
                format!("its status item still says {says}: whoever ended it stopped before that")
            }
            None => "its status item is missing".to_owned(),
        },
    }
}

/// The nodes that failed because nothing implements their kind, unless something stood in for them.
pub(super) fn missing_implementations(subject: &Subject, document: &RunDocument) -> Option<Cause> {
    let lacking: Vec<(NodeId, String)> = document
        .failed()
        .filter(|node| !is_handled(document, node))
        .filter_map(|node| {
            let error = document.entry(node)?.error.clone()?;
            error.starts_with(NOTHING_IMPLEMENTS).then(|| (node.clone(), error))
        })
        .take(FAILURES)
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let evidence =
        lacking.iter().map(|(node, error)| format!("node \"{node}\" failed: {error}")).collect();
    let nodes = lacking.into_iter().map(|(node, _)| node).collect();
    let run = subject.run.clone();
    let remedy = Remedy::Requeue { run, nodes, first: Mend::Implementation };
    Some(Cause::new(CauseKind::NoImplementation, Confidence::High, evidence, remedy))
}

/// Whether a fallback stood in for a failed node.
pub(super) fn is_handled(document: &RunDocument, node: &NodeId) -> bool {
    document.entry(node).is_some_and(|entry| {
        entry.state == NodeState::Failed
            && entry
                .fallback
                .as_ref()
                .is_some_and(|fallback| fallback.outcome == StandInOutcome::Completed)
    })
}
