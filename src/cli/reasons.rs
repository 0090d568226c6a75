//! Causes as the dashboard shows them: in words, and with what a key can do about each.

use crate::{
    engine::Timestamp,
    operations::{Bearing, Cause, CauseKind, Remedy},
    tui::{Letters, Operation, Reason, Runs, Step, Weight},
    worker::Worker,
};

/// A cause as the dashboard of this process shows it. `worker` is the one behind that.
pub(super) fn reason(cause: Cause, worker: Option<&Worker>, now: Timestamp) -> Reason {
    let weight = match (cause.bearing, cause.cause) {
        (Bearing::Waits, CauseKind::Finished) => Weight::Over,
        (Bearing::Blocks, _) => Weight::Blocks,
        (Bearing::Delays, _) => Weight::Delays,
        (Bearing::Waits, _) => Weight::Waits,
        (Bearing::Aside, _) => Weight::Aside,
    };
    Reason {
        name: cause.cause.as_str().to_owned(),
        title: cause.cause.title().to_owned(),
        weight,
        sureness: cause.confidence.as_word().to_owned(),
        evidence: cause.evidence,
        advice: cause.remedy.words(now),
        step: step(cause.remedy, worker),
    }
}

/// What a key can do.
fn step(remedy: Remedy, worker: Option<&Worker>) -> Step {
    match remedy {
        Remedy::Nothing | Remedy::StartWorker(_) | Remedy::MendService(_) => Step::Nothing,
        Remedy::Wait { until } => Step::Wait(until),
        Remedy::EndTimer { run, node, .. } | Remedy::FireTimer { run, node } => {
            Step::Do(Operation::Resume { run, node, action: None, output: None })
        }
        Remedy::Answer { run, node, .. } => Step::Answer { run, node },
        Remedy::ExplainChild(run) => Step::Explain(run),
        Remedy::Reconcile(run) | Remedy::GiveUp(run) => {
            Step::Do(Operation::Reconcile(Runs::These(vec![run])))
        }
        Remedy::StartAgain { blueprint, .. } => blueprint.map_or(Step::Nothing, Step::Start),
        Remedy::Requeue { run, nodes, .. } => Step::Do(Operation::Requeue { run, nodes }),
        Remedy::Replay { letters } => Step::Do(Operation::Replay(Letters::These(letters))),
        Remedy::ReleaseLocks { run, locks, .. } => Step::Do(Operation::ReleaseLocks { run, locks }),
        Remedy::ResumeWorker(names) => match worker {
            Some(worker) if names.contains(worker.name()) => Step::Do(Operation::ResumeWorker),
            _ => Step::Nothing,
        },
    }
}
