//! From what was gathered about a run to the causes, in their order. Nothing here asks anybody.

use super::{
    blueprint,
    cause::{Bearing, Cause, CauseKind, Confidence},
    ended, foreign, poison,
    ranking::ranked,
    ready,
    remedy::Remedy,
    subject::Subject,
    surroundings::Surroundings,
    taken_up, undocumented, waiting,
};
use crate::{
    cluster::{ClusterError, Service},
    engine::{RunDocument, lost_outputs},
};

/// Why a run is where it is, the likeliest cause first.
pub(super) fn judge(subject: &Subject, around: &Surroundings) -> Vec<Cause> {
    let mut causes = match &subject.document {
        Err(_) => undocumented::unreadable(subject, around),
        Ok(None) => undocumented::missing(subject, around),
        Ok(Some(document)) if document.status().is_final() => {
            let mut causes = ended::judge(subject, document, around);
            causes.extend(poison::judge(subject, document, around));
            causes
        }
        Ok(Some(document)) => under_way(subject, document, around),
    };
    causes.extend(away(subject, around));
    let mut causes = ranked(causes);
    if let (Some(note), Some(first)) = (disagreement(subject), causes.first_mut()) {
        first.evidence.push(note);
    }
    causes
}

/// A run that has not ended.
fn under_way(subject: &Subject, document: &RunDocument, around: &Surroundings) -> Vec<Cause> {
    let mut causes = Vec::new();
    causes.extend(lost(subject, document));
    causes.extend(foreign::failed_elsewhere(subject, around));
    causes.extend(foreign::unknown_routes(subject, document));
    for node in document.ready() {
        let Some(entry) = document.entry(node) else { continue };
        causes.push(ready::judge(subject, document, node, entry, around));
    }
    for node in document.awaiting() {
        let Some(entry) = document.entry(node) else { continue };
        causes.extend(waiting::judge(subject, document, node, entry, around));
    }
    causes.extend(blueprint::judge(subject, document, around));
    causes.extend(nobody(document, &causes, around));
    if causes.is_empty() {
        let evidence =
            vec!["nothing of it is ready, running or waiting, and it has not ended".to_owned()];
        let remedy = Remedy::Reconcile(subject.run.clone());
        causes.push(Cause::new(CauseKind::NoMessage, Confidence::Low, evidence, remedy));
    }
    let lacking = ended::missing_implementations(subject, document);
    causes.extend(lacking.map(|cause| cause.bearing(Bearing::Aside)));
    causes.extend(poison::judge(subject, document, around));
    causes
}

/// That nobody would go on once what else is wrong has been mended.
fn nobody(document: &RunDocument, causes: &[Cause], around: &Surroundings) -> Option<Cause> {
    let works = around.workers.is_err() || around.takers().next().is_some();
    let known =
        causes.iter().any(|cause| matches!(cause.cause, CauseKind::NoWorkers | CauseKind::Running));
    if works || known || !blueprint::has_something_to_do(document, around) {
        return None;
    }
    let evidence = vec!["the run needs a worker to go on".to_owned()];
    Some(taken_up::nobody_works(evidence, None, around))
}

fn lost(subject: &Subject, document: &RunDocument) -> Option<Cause> {
    let evidence: Vec<String> = lost_outputs(document)
        .map(|node| format!("node \"{node}\" completed with an output, and it is not there"))
        .collect();
    if evidence.is_empty() {
        return None;
    }
    let remedy = Remedy::Reconcile(subject.run.clone());
    Some(Cause::new(CauseKind::OutputLost, Confidence::High, evidence, remedy))
}

/// The services that could not be asked. They hold up a run in which workers have something to do.
fn away(subject: &Subject, around: &Surroundings) -> Vec<Cause> {
    let mut errors: Vec<&ClusterError> = around.away();
    let lease_errors = subject.leases.values().filter_map(|lease| lease.as_ref().err());
    let own = [subject.document.as_ref().err(), subject.status.as_ref().err()];
    for error in own.into_iter().flatten().chain(lease_errors) {
        if errors.iter().all(|known| known.service != error.service) {
            errors.push(error);
        }
    }
    let needed = subject.document.is_err()
        || subject.ledger().is_some_and(|document| {
            !document.status().is_final() && blueprint::has_something_to_do(document, around)
        });
    let bearing = if needed { Bearing::Blocks } else { Bearing::Aside };
    errors
        .into_iter()
        .map(|error| {
            let unknown = match error.service {
                Service::Queue => "which messages are waiting is not known",
                Service::State => "what its document and its status say is not known",
                Service::Coordination => "who holds its nodes, and who is alive, is not known",
            };
            let evidence = vec![error.to_string(), unknown.to_owned()];
            let remedy = Remedy::MendService(error.service);
            let cause = Cause::new(CauseKind::ServiceAway, Confidence::High, evidence, remedy);
            cause.bearing(bearing)
        })
        .collect()
}

/// What its status item says otherwise than its ledger.
fn disagreement(subject: &Subject) -> Option<String> {
    let document = subject.ledger()?;
    let ledger = document.status();
    if ledger.is_final() {
        return None;
    }
    let item = subject.status.as_ref().ok()?;
    let Some(item) = item else {
        return Some(
            "it has no status item: no list shows it, and no reconciler finds it by itself"
                .to_owned(),
        );
    };
    let says = item.status.filter(|says| *says != ledger)?;
    let missed = if says.is_final() { ", so that no reconciler looks at it" } else { "" };
    Some(format!("its status item says {says}, and its ledger {ledger}, which decides{missed}"))
}
