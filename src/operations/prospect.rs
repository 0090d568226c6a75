//! What replaying a dead letter would do, going by its run's document.

use std::fmt;

use super::{Letter, OperationError, Operations};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Holder, Job, Key},
    engine::{Awaits, NodeState, RunDocument, RunStatus, reachable_work},
};

/// What replaying a dead letter would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// Its node has failed: it is requeued.
    Requeued {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
    },
    /// Its node is to be run, or its wait is to be looked after: its message is sent again.
    Resent {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
    },
    /// Its node needs nothing, and nobody has taken up what follows it: its message, sent again, has
    /// that done.
    TakenUp {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
        /// What follows it.
        follow: Vec<NodeId>,
    },
    /// Its run has ended, and that was not written down everywhere: its message has that done.
    Closed {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
        /// How it ended.
        status: RunStatus,
    },
    /// Nothing: there is no such run.
    NoRun(RunId),
    /// Nothing: its run has ended.
    Ended(RunId, RunStatus),
    /// Nothing: its node is not to be run.
    Idle {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
        /// Where it stands.
        state: NodeState,
    },
    /// It is another letter of the same node: what becomes of that one is enough.
    GoesWith(String),
    /// It stays: it came from another queue than this cluster's.
    OtherQueue {
        /// The one it came from.
        from: String,
        /// This cluster's.
        ours: String,
    },
    /// It stays: it is not a job.
    NotAJob,
    /// It stays: its node can't be requeued, for this reason.
    Refused(String),
}

impl Prospect {
    /// Whether a replay has something done.
    pub fn acts(&self) -> bool {
        matches!(
            self,
            Self::Requeued { .. }
                | Self::Resent { .. }
                | Self::TakenUp { .. }
                | Self::Closed { .. }
        )
    }

    /// Whether it has a node run that can be watched.
    pub(super) fn runs_node(&self) -> bool {
        matches!(self, Self::Requeued { .. } | Self::Resent { .. } | Self::TakenUp { .. })
    }
}

impl fmt::Display for Prospect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requeued { run, node } => {
                write!(f, "run node \"{node}\" of run \"{run}\" again: it has failed")
            }
            Self::Resent { run, node } => {
                write!(f, "run node \"{node}\" of run \"{run}\": its message is sent again")
            }
            Self::TakenUp { run, node, follow } => {
                write!(f, "go on after node \"{node}\" of run \"{run}\", which is done: with ")?;
                for (at, follow) in follow.iter().enumerate() {
                    let gap = if at == 0 { "" } else { ", " };
                    write!(f, "{gap}\"{follow}\"")?;
                }
                Ok(())
            }
            Self::Closed { run, status, .. } => {
                write!(f, "write down the end of run \"{run}\", which is {status}")
            }
            Self::NoRun(run) => {
                write!(f, "there is no run \"{run}\": replay does nothing; purge it")
            }
            Self::Ended(run, status) => {
                write!(f, "run \"{run}\" is {status}: replay does nothing; purge it")
            }
            Self::Idle { run, node, state } => {
                let state = state.as_str();
                write!(
                    f,
                    "node \"{node}\" of run \"{run}\" is {state}: replay does nothing; purge it"
                )
            }
            Self::GoesWith(other) => write!(f, "goes with dead letter {other}, of the same node"),
            Self::OtherQueue { from, ours } => write!(
                f,
                "it came from queue \"{from}\", and this is \"{ours}\": replay it there, with cluster.queue set to \"{from}\""
            ),
            Self::NotAJob => f.write_str("it is not a job: purge it"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// How many followers of a node are looked at for whether somebody runs them.
const FOLLOWERS: usize = 8;

impl Operations {
    /// What replaying a letter would do now.
    pub async fn prospect(&self, letter: &Letter) -> Result<Prospect, OperationError> {
        let ours = self.cluster().queue.name();
        if let Some(from) = letter.queue().filter(|from| *from != ours) {
            return Ok(Prospect::OtherQueue { from: from.to_owned(), ours: ours.to_owned() });
        }
        let Some(job) = letter.job() else { return Ok(Prospect::NotAJob) };
        let document = self.core.fresh(&job.run_id).await?;
        self.prospect_of(&job, document.as_ref()).await
    }

    /// What sending or requeueing a job would do to a run that looks like this.
    pub(super) async fn prospect_of(
        &self,
        job: &Job,
        document: Option<&RunDocument>,
    ) -> Result<Prospect, OperationError> {
        let (run, node) = (job.run_id.clone(), job.node_id.clone());
        let Some(document) = document else { return self.without_document(job).await };
        let status = document.status();
        let state = document.state(&node);
        if status.is_final() {
            return Ok(if status == RunStatus::Failed && state == NodeState::Failed {
                Prospect::Requeued { run, node }
            } else if self.core.is_closed(&run, document).await? {
                Prospect::Ended(run, status)
            } else {
                Prospect::Closed { run, node, status }
            });
        }
        let Some(entry) = document.entry(&node) else {
            // What JavaScript workers send is not always on record.
            return if self.core.is_neighbours(job) {
                Ok(Prospect::Resent { run, node })
            } else {
                self.after_node(job, document, state).await
            };
        };
        match (state, &entry.awaits) {
            (NodeState::Failed, _) => Ok(Prospect::Requeued { run, node }),
            (NodeState::Ready, _)
            | (NodeState::Awaiting, Some(Awaits::Timer | Awaits::Child { .. })) => {
                Ok(Prospect::Resent { run, node })
            }
            (NodeState::Awaiting, _) => Ok(Prospect::Idle { run, node, state }),
            _ => self.after_node(job, document, state).await,
        }
    }

    /// A JavaScript client may send a message for a run before it writes its document: a worker
    /// makes that then.
    async fn without_document(&self, job: &Job) -> Result<Prospect, OperationError> {
        let run = job.run_id.clone();
        let known = if self.core.is_neighbours(job) { self.status(&run).await? } else { None };
        Ok(match known.map(|known| known.status) {
            None => Prospect::NoRun(run),
            Some(Some(status)) if status.is_final() => Prospect::Ended(run, status),
            Some(_) => Prospect::Resent { run, node: job.node_id.clone() },
        })
    }

    /// For a node that is not to be run itself: whether what follows it is left lying.
    async fn after_node(
        &self,
        job: &Job,
        document: &RunDocument,
        state: NodeState,
    ) -> Result<Prospect, OperationError> {
        let (run, node) = (job.run_id.clone(), job.node_id.clone());
        let Ok(graph) = self.core.graphs().of_run(document.head()) else {
            return Ok(Prospect::Idle { run, node, state });
        };
        let mut follow = Vec::new();
        for work in reachable_work(&graph, document, &node).into_iter().take(FOLLOWERS) {
            if document.state(&work.node) != NodeState::Ready {
                continue;
            }
            let lock = Key::node_lock(&run, &work.node);
            let held = self.cluster().coordination.get(&lock).await?;
            if held.as_deref().and_then(Holder::worker_of).is_none() {
                follow.push(work.node);
            }
        }
        Ok(if follow.is_empty() {
            Prospect::Idle { run, node, state }
        } else {
            Prospect::TakenUp { run, node, follow }
        })
    }
}
