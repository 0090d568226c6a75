//! Why a run is not moving: causes found by joining its document with queue, leases and workers.

use std::time::Duration;

use serde::Serialize;

use super::{OperationError, Operations};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{
        DeadLetter, Depth, Heartbeat, Holder, Job, Key, Lane, MAX_RECEIVE, Neighbours, WorkerMode,
    },
    engine::{Awaits, Entry, RunDocument, RunStatus, Timestamp, lost_outputs},
    worker::{RouteUnknown, UnusableBlueprint},
};

/// A reason for a run to be where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Which one.
    pub cause: CauseKind,
    /// How sure it is.
    pub confidence: Confidence,
    /// What speaks for it.
    pub evidence: Vec<String>,
    /// The command that mends it, or what to wait for.
    pub remedy: String,
}

/// The causes there are. Those that explain most come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// The run has ended.
    Finished,
    /// A message of it is in the poison queue.
    Poisoned,
    /// Its blueprint is loaded here in another version.
    VersionMismatch,
    /// Its blueprint is not loaded here.
    UnknownBlueprint,
    /// A node's kind has no implementation.
    NoImplementation,
    /// A completed node's output is gone.
    OutputLost,
    /// A JavaScript worker failed a node, and ended the run with it.
    FailedElsewhere,
    /// A JavaScript worker ran a node, and nobody knows where it led to.
    RouteUnknown,
    /// A lease is held by a worker without a heartbeat.
    LockOrphaned,
    /// No worker is alive that takes jobs.
    NoWorkers,
    /// A node is ready, and nothing is queued, in flight or leased for it.
    NoMessage,
    /// Its messages wait behind others.
    QueueBacklog,
    /// It is not stuck: a worker is at it.
    Running,
    /// A node waits between two attempts.
    RetryScheduled,
    /// A node waits for a child run.
    WaitingForChild,
    /// A node waits for a time.
    WaitingForTimer,
    /// A node waits for an answer.
    WaitingForAnswer,
}

impl CauseKind {
    /// Whether a run may be as it should be for this cause alone.
    fn is_benign(self) -> bool {
        matches!(
            self,
            Self::Running
                | Self::RetryScheduled
                | Self::WaitingForChild
                | Self::WaitingForTimer
                | Self::WaitingForAnswer
        )
    }

    /// The word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Poisoned => "poisoned",
            Self::VersionMismatch => "version-mismatch",
            Self::UnknownBlueprint => "unknown-blueprint",
            Self::NoImplementation => "no-implementation",
            Self::OutputLost => "output-lost",
            Self::FailedElsewhere => "failed-elsewhere",
            Self::RouteUnknown => "route-unknown",
            Self::LockOrphaned => "lock-orphaned",
            Self::NoWorkers => "no-workers",
            Self::NoMessage => "no-message",
            Self::QueueBacklog => "queue-backlog",
            Self::Running => "running",
            Self::RetryScheduled => "retry-scheduled",
            Self::WaitingForChild => "waiting-for-child",
            Self::WaitingForTimer => "waiting-for-timer",
            Self::WaitingForAnswer => "waiting-for-answer",
        }
    }
}

impl Serialize for CauseKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How late a timer may be before its message counts as lost.
const TIMER_GRACE: Duration = Duration::from_secs(30);

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The evidence leaves no doubt.
    High,
    /// It is the likeliest.
    Medium,
    /// It may be.
    Low,
}

/// What the cluster looks like around a run.
struct Surroundings {
    now: Timestamp,
    depth: Depth,
    queued: Vec<Job>,
    poisoned: Vec<DeadLetter>,
    workers: Vec<Heartbeat>,
}

impl Operations {
    /// Why a run is not moving, the likeliest cause first. `stalled_after` plays no part: a cause is
    /// a cause from the first second.
    pub async fn explain(&self, run: &RunId) -> Result<Vec<Cause>, OperationError> {
        let document = self.read(run).await?;
        let around = self.look_around().await?;
        let mut causes = Vec::new();
        if document.status().is_final() {
            let closed = self.core.is_closed(run, &document).await?;
            causes.push(finished(run, &document, closed));
        } else {
            self.blueprint_causes(run, &document, &mut causes);
            lost(run, &document, &mut causes);
            causes.extend(self.failed_elsewhere(run).await?);
            causes.extend(RouteUnknown::of(&document).map(|unknown| route_unknown(run, &unknown)));
            for node in document.ready() {
                let Some(entry) = document.entry(node) else { continue };
                let value = self.cluster().coordination.get(&Key::node_lock(run, node)).await?;
                causes.push(ready(run, node, entry, value.as_deref(), &around));
            }
            for node in document.awaiting() {
                let Some(entry) = document.entry(node) else { continue };
                causes.push(waiting(run, node, entry, &self.actions(&document, node), &around));
            }
        }
        causes.extend(poisoned(run, &document, &around));
        // What keeps the run from moving comes before what it merely waits for.
        causes.sort_by_key(|cause| (cause.cause.is_benign(), cause.confidence, cause.cause));
        Ok(merged(causes))
    }

    /// The actions that a node's edges name, each once.
    fn actions(&self, document: &RunDocument, node: &NodeId) -> Vec<String> {
        let Ok(graph) = self.core.graphs().of_run(document.head()) else { return Vec::new() };
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

    async fn look_around(&self) -> Result<Surroundings, OperationError> {
        let cluster = self.cluster();
        let queued = cluster.queue.peek(Lane::Jobs, MAX_RECEIVE).await?;
        let poisoned = cluster.queue.peek(Lane::Poison, MAX_RECEIVE).await?;
        Ok(Surroundings {
            now: cluster.clock.now(),
            depth: cluster.queue.depth(Lane::Jobs).await?,
            queued: queued.iter().filter_map(|message| Job::decode(&message.body).ok()).collect(),
            poisoned: poisoned
                .iter()
                .filter_map(|message| DeadLetter::decode(&message.body).ok())
                .collect(),
            workers: cluster.coordination.workers().await?,
        })
    }

    /// What the status item of a run says that has not ended by its ledger: a JavaScript worker that
    /// fails a node writes down nothing else.
    async fn failed_elsewhere(&self, run: &RunId) -> Result<Option<Cause>, OperationError> {
        let Some(item) = self.status(run).await? else { return Ok(None) };
        if self.cluster().neighbours == Neighbours::None || item.status != Some(RunStatus::Failed) {
            return Ok(None);
        }
        let reason = item.final_status.as_ref().and_then(|last| last.get("reason")?.as_str());
        let mut evidence =
            vec!["its status item says that it failed, and its ledger does not".to_owned()];
        evidence.extend(reason.map(|reason| format!("the reason there: {reason}")));
        Ok(Some(Cause {
            cause: CauseKind::FailedElsewhere,
            confidence: Confidence::High,
            evidence,
            remedy: format!("mend what failed, then: flowcraft-tui requeue {run}"),
        }))
    }

    fn blueprint_causes(&self, run: &RunId, document: &RunDocument, causes: &mut Vec<Cause>) {
        let Err(error) = self.core.session(run).graph(document) else { return };
        let cause = match error {
            UnusableBlueprint::Unknown(_) | UnusableBlueprint::Unnamed => {
                CauseKind::UnknownBlueprint
            }
            UnusableBlueprint::OtherVersion { .. } => CauseKind::VersionMismatch,
        };
        causes.push(Cause {
            cause,
            confidence: Confidence::High,
            evidence: vec![error.to_string()],
            remedy: "start a worker that has this blueprint in the run's version".to_owned(),
        });
    }
}

fn finished(run: &RunId, document: &RunDocument, closed: bool) -> Cause {
    let head = document.head();
    let mut evidence = vec![format!("the run is {}", head.status)];
    evidence.extend(head.finished_at.map(|at| format!("since {at}")));
    for (node, error) in crate::worker::status::errors(document) {
        evidence.push(format!("node \"{node}\" failed: {error}"));
    }
    let missing = document.failed().find_map(|node| {
        let error = document.entry(node)?.error.as_deref()?;
        error.starts_with("nothing implements").then(|| node.clone())
    });
    if let Some(node) = missing {
        return Cause {
            cause: CauseKind::NoImplementation,
            confidence: Confidence::High,
            evidence,
            remedy: format!(
                "give its worker an implementation, then: flowcraft-tui requeue {run} --node {node}"
            ),
        };
    }
    let remedy = match head.status {
        _ if !closed => format!("flowcraft-tui reconcile {run}"),
        RunStatus::Completed => "nothing is to be done".to_owned(),
        _ => format!("flowcraft-tui requeue {run}"),
    };
    Cause { cause: CauseKind::Finished, confidence: Confidence::High, evidence, remedy }
}

fn lost(run: &RunId, document: &RunDocument, causes: &mut Vec<Cause>) {
    let lost: Vec<String> = lost_outputs(document)
        .map(|node| format!("node \"{node}\" completed with an output, and it is not there"))
        .collect();
    if !lost.is_empty() {
        causes.push(Cause {
            cause: CauseKind::OutputLost,
            confidence: Confidence::High,
            evidence: lost,
            remedy: format!("flowcraft-tui reconcile {run}"),
        });
    }
}

/// Where a node that a JavaScript worker ran may have led to.
fn route_unknown(run: &RunId, unknown: &RouteUnknown) -> Cause {
    Cause {
        cause: CauseKind::RouteUnknown,
        confidence: Confidence::Medium,
        evidence: vec![unknown.to_string()],
        remedy: format!("have it run again: flowcraft-tui requeue {run} --node {}", unknown.node),
    }
}

/// Why a ready node is not done yet.
fn ready(
    run: &RunId,
    node: &NodeId,
    entry: &Entry,
    lease: Option<&str>,
    around: &Surroundings,
) -> Cause {
    let reconcile = format!("flowcraft-tui reconcile {run}");
    if let Some(value) = lease {
        let Some(worker) = Holder::worker_of(value) else {
            return Cause {
                cause: CauseKind::QueueBacklog,
                confidence: Confidence::Low,
                evidence: vec![format!("a JavaScript reconciler has enqueued node \"{node}\"")],
                remedy: "wait two minutes for its mark to end".to_owned(),
            };
        };
        let alive = around.workers.iter().any(|heartbeat| heartbeat.name.as_str() == worker);
        if alive {
            return Cause {
                cause: CauseKind::Running,
                confidence: Confidence::High,
                evidence: vec![format!("worker \"{worker}\" is running node \"{node}\"")],
                remedy: "wait for it".to_owned(),
            };
        }
        return Cause {
            cause: CauseKind::LockOrphaned,
            confidence: Confidence::High,
            evidence: vec![format!(
                "node \"{node}\" is leased by \"{worker}\", which has no heartbeat"
            )],
            remedy: format!("wait for the lease to end, then: {reconcile}"),
        };
    }
    if let Some(due) = entry.due_at.filter(|due| *due > around.now) {
        let mut evidence = vec![format!(
            "node \"{node}\" tries again at {due}, after {} attempts",
            entry.attempts
        )];
        evidence.extend(entry.error.iter().map(|error| format!("it failed: {error}")));
        return Cause {
            cause: CauseKind::RetryScheduled,
            confidence: Confidence::High,
            evidence,
            remedy: "wait for it".to_owned(),
        };
    }
    let takes = around.workers.iter().any(|worker| worker.mode == WorkerMode::Running);
    let mut evidence = vec![format!("node \"{node}\" is ready and nobody holds it")];
    if !takes {
        evidence.push(match around.workers.len() {
            0 => "no worker has a heartbeat".to_owned(),
            paused => format!("{paused} workers are alive, and none takes jobs"),
        });
        return Cause {
            cause: CauseKind::NoWorkers,
            confidence: Confidence::High,
            evidence,
            remedy: "flowcraft-tui --no-ui".to_owned(),
        };
    }
    let queued = around.queued.iter().any(|job| job.run_id == *run && job.node_id == *node);
    let behind = match (entry.enqueued_at, around.depth.oldest) {
        (Some(at), Some(oldest)) => at > oldest,
        _ => false,
    };
    if queued || behind {
        evidence.push(format!("{} messages are in the queue", around.depth.messages));
        evidence.extend(
            around.depth.oldest.map(|at| {
                format!("the oldest has waited for {} s", around.now.since(at).as_secs())
            }),
        );
        return Cause {
            cause: CauseKind::QueueBacklog,
            confidence: if queued { Confidence::High } else { Confidence::Medium },
            evidence,
            remedy: "start more workers: flowcraft-tui --no-ui".to_owned(),
        };
    }
    evidence.push("no message for it is in sight".to_owned());
    Cause {
        cause: CauseKind::NoMessage,
        confidence: Confidence::Medium,
        evidence,
        remedy: reconcile,
    }
}

/// What an awaiting node waits for.
fn waiting(
    run: &RunId,
    node: &NodeId,
    entry: &Entry,
    actions: &[String],
    around: &Surroundings,
) -> Cause {
    let (cause, evidence, remedy) = match &entry.awaits {
        Some(Awaits::Timer) => {
            let due = entry.due_at.unwrap_or_default();
            let overdue = due + TIMER_GRACE < around.now;
            let cause = if overdue { CauseKind::NoMessage } else { CauseKind::WaitingForTimer };
            let remedy = if overdue {
                format!("flowcraft-tui reconcile {run}")
            } else {
                format!("wait, or end it now: flowcraft-tui resume {run} --node {node}")
            };
            (cause, format!("node \"{node}\" sleeps until {due}"), remedy)
        }
        Some(Awaits::Child { run: child, status }) => (
            CauseKind::WaitingForChild,
            format!("node \"{node}\" waits for run \"{child}\", which is {status}"),
            format!("flowcraft-tui explain {child}"),
        ),
        Some(Awaits::Answer) | None => (
            CauseKind::WaitingForAnswer,
            format!("node \"{node}\" waits for an answer"),
            match actions {
                [] => format!("flowcraft-tui resume {run} --node {node}"),
                some => {
                    format!("flowcraft-tui resume {run} --node {node} --action {}", some.join("|"))
                }
            },
        ),
    };
    Cause { cause, confidence: Confidence::High, evidence: vec![evidence], remedy }
}

fn poisoned(run: &RunId, document: &RunDocument, around: &Surroundings) -> Option<Cause> {
    let mut evidence: Vec<String> = around
        .poisoned
        .iter()
        .filter_map(|letter| {
            let job = letter.job.as_ref().filter(|job| job.run_id == *run)?;
            Some(format!(
                "the message of node \"{}\" is in the poison queue: {}",
                job.node_id, letter.reason
            ))
        })
        .collect();
    if evidence.is_empty() {
        return None;
    }
    evidence.extend(document.head().warnings.iter().cloned());
    Some(Cause {
        cause: CauseKind::Poisoned,
        confidence: Confidence::High,
        evidence,
        remedy: format!("mend what it says, then: flowcraft-tui requeue {run}"),
    })
}

/// Joins causes of one kind and confidence into one with all their evidence.
fn merged(causes: Vec<Cause>) -> Vec<Cause> {
    const MOST_EVIDENCE: usize = 20;
    let mut merged: Vec<Cause> = Vec::new();
    for cause in causes {
        let same = merged
            .iter_mut()
            .find(|other| other.cause == cause.cause && other.remedy == cause.remedy);
        match same {
            Some(other) if other.evidence.len() < MOST_EVIDENCE => {
                other.evidence.extend(cause.evidence);
            }
            Some(_) => {}
            None => merged.push(cause),
        }
    }
    merged
}
