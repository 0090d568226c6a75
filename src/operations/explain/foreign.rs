//! What JavaScript workers did to a run, and left unsaid.

use super::{
    cause::{Cause, CauseKind, Confidence},
    remedy::{Mend, Remedy},
    subject::Subject,
    surroundings::Surroundings,
};
use crate::{
    cluster::Neighbours,
    engine::{RunDocument, RunStatus},
    worker::RouteUnknown,
};

/// What the status item of a run says that has not ended by its ledger: a JavaScript worker that
/// fails a node writes down nothing else.
pub(super) fn failed_elsewhere(subject: &Subject, around: &Surroundings) -> Option<Cause> {
    let item = subject.item()?;
    if around.neighbours == Neighbours::None || item.status != Some(RunStatus::Failed) {
        return None;
    }
    let reason = item.final_status.as_ref().and_then(|last| last.get("reason")?.as_str());
    let mut evidence =
        vec!["its status item says that it failed, and its ledger does not".to_owned()];
    evidence.extend(reason.map(|reason| format!("the reason there: {reason}")));
    let run = subject.run.clone();
    let remedy = Remedy::Requeue { run, nodes: Vec::new(), first: Mend::Failure };
    Some(Cause::new(CauseKind::FailedElsewhere, Confidence::High, evidence, remedy))
}

/// The nodes that a JavaScript worker ran and of which nobody knows where they led to.
pub(super) fn unknown_routes(
    subject: &Subject,
    document: &RunDocument,
) -> impl Iterator<Item = Cause> {
    RouteUnknown::of(document).map(|unknown| {
        let remedy = Remedy::Requeue {
            run: subject.run.clone(),
            nodes: vec![unknown.node.clone()],
            first: Mend::Nothing,
        };
        let evidence = vec![unknown.to_string()];
        Cause::new(CauseKind::RouteUnknown, Confidence::Medium, evidence, remedy)
    })
}
