//! What an awaiting node waits for, and whether that can come.

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    ready::{GRACE, nobody_then},
    remedy::Remedy,
    subject::{Child, Subject},
    surroundings::Surroundings,
    taken_up::{self, Task},
    when::{ahead, past},
};
use crate::{
    blueprint::{NodeId, RunId},
    engine::{Awaits, Entry, RunDocument, RunStatus},
};

/// How many lines of a child's evidence its parent repeats.
const REPEATED: usize = 4;

/// Why an awaiting node has not gone on.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    node: &NodeId,
    entry: &Entry,
    around: &Surroundings,
) -> Vec<Cause> {
    match &entry.awaits {
        Some(Awaits::Timer) => vec![timer(subject, document, node, entry, around)],
        Some(Awaits::Child { run, status }) => {
            child(subject, document, (node, entry), (run, *status), around)
        }
        Some(Awaits::Answer) | None => vec![answer(subject, node, entry, around)],
    }
}

fn timer(
    subject: &Subject,
    document: &RunDocument,
    node: &NodeId,
    entry: &Entry,
    around: &Surroundings,
) -> Cause {
    let now = around.now;
    let due = entry.due_at.unwrap_or_default();
    if due + GRACE < now {
        let what = format!("the timer of node \"{node}\" was due {}", past(now, due));
        // A reconcile takes a message behind older ones for one that waits.
        let oldest = around.queue.as_ref().ok().and_then(|queue| queue.oldest);
        let run = subject.run.clone();
        let remedy = if entry.is_behind(oldest) {
            Remedy::FireTimer { run, node: node.clone() }
        } else {
            Remedy::Reconcile(run)
        };
        let task = Task { node, entry, what, since: Some(due), remedy };
        return taken_up::judge(subject, document, task, around);
    }
    let mut evidence = vec![format!("node \"{node}\" sleeps until {}", ahead(now, due))];
    evidence.extend(nobody_then(around));
    let remedy = Remedy::EndTimer { run: subject.run.clone(), node: node.clone(), due };
    Cause::new(CauseKind::WaitingForTimer, Confidence::High, evidence, remedy)
}

fn answer(subject: &Subject, node: &NodeId, entry: &Entry, around: &Surroundings) -> Cause {
    let since = entry.started_at.map(|at| format!(" since {}", past(around.now, at)));
    let mut evidence =
        vec![format!("node \"{node}\" waits for an answer{}", since.unwrap_or_default())];
    let actions = actions(subject, node);
    if !actions.is_empty() {
        evidence.push(format!("its edges name the actions {}", actions.join(", ")));
    }
    let remedy = Remedy::Answer { run: subject.run.clone(), node: node.clone(), actions };
    Cause::new(CauseKind::WaitingForAnswer, Confidence::High, evidence, remedy)
}

/// The actions that a node's edges name, each once.
fn actions(subject: &Subject, node: &NodeId) -> Vec<String> {
    let Ok(graph) = &subject.graph else { return Vec::new() };
    let mut actions: Vec<String> = Vec::new();
    for edge in graph.blueprint().edges.iter().filter(|edge| edge.source == *node) {
        if let Some(action) = edge.action.as_ref().filter(|action| !action.is_empty())
            && !actions.contains(action)
        {
            actions.push(action.clone());
        }
    }
    actions
}

fn child(
    subject: &Subject,
    document: &RunDocument,
    (node, entry): (&NodeId, &Entry),
    (run, heard): (&RunId, RunStatus),
    around: &Surroundings,
) -> Vec<Cause> {
    let now = around.now;
    let to_do = |what: String, since| {
        let remedy = Remedy::Reconcile(subject.run.clone());
        let task = Task { node, entry, what, since, remedy };
        vec![taken_up::judge(subject, document, task, around)]
    };
    let waits = |evidence: Vec<String>, confidence| {
        let remedy = Remedy::ExplainChild(run.clone());
        Cause::new(CauseKind::WaitingForChild, confidence, evidence, remedy)
    };
    match subject.children.get(run) {
        Some(Child::Missing) => to_do(
            format!("node \"{node}\" waits for run \"{run}\", which was never started"),
            entry.started_at,
        ),
        Some(Child::There { status, finished_at, .. }) if status.is_final() => {
            let at = finished_at.map(|at| format!(" {}", past(now, at))).unwrap_or_default();
            to_do(
                format!(
                    "node \"{node}\" waits for run \"{run}\", which ended {status}{at}: nobody told \
                     the node"
                ),
                *finished_at,
            )
        }
        Some(Child::There { status, causes, .. }) => {
            let mut evidence =
                vec![format!("node \"{node}\" waits for run \"{run}\", which is {status}")];
            let Some(first) = causes.first() else {
                return vec![waits(evidence, Confidence::High)];
            };
            let mut lines = first.evidence.iter().take(REPEATED);
            let head = lines.next().map_or_else(String::new, |line| format!(": {line}"));
            evidence.push(format!("run \"{run}\" ({}){head}", first.cause));
            evidence.extend(lines.cloned());
            let mut cause = waits(evidence, first.confidence);
            if let (CauseKind::WaitingForChild, Remedy::ExplainChild(_)) =
                (first.cause, &first.remedy)
            {
                // What is wrong is further down.
                cause.remedy = first.remedy.clone();
            }
            if first.cause == CauseKind::NoWorkers {
                // That concerns this run as well.
                return vec![first.clone(), cause];
            }
            let bearing = first.bearing.min(Bearing::Waits);
            vec![cause.bearing(bearing)]
        }
        Some(Child::Unread(error)) => vec![waits(
            vec![
                format!(
                    "node \"{node}\" waits for run \"{run}\", which was {heard} when last heard of"
                ),
                format!("that run can't be read: {error}"),
            ],
            Confidence::Low,
        )],
        Some(Child::NotAsked) | None => vec![waits(
            vec![format!(
                "node \"{node}\" waits for run \"{run}\", which was {heard} when last heard of"
            )],
            Confidence::High,
        )],
    }
}
