//! Messages that will never be done: kept in the poison queue with the reason, and their node fails
//! with it.

use super::{Worker, core::job_for, receive::is_passing, session::Loyalty};
use crate::{
    blueprint::RunId,
    cluster::{DeadLetter, Delivery, Job, Lane},
    engine::{Continuation, Event, NodeState, Work, reachable_work},
};

impl Worker {
    /// Moves a message to the poison queue and fails its node. In this order: what is interrupted
    /// is done again by the message's next reader.
    pub(crate) async fn poison(&self, delivery: &Delivery, job: Option<&Job>, reason: String) {
        let core = &self.core;
        tracing::warn!(%reason, "a message goes to the poison queue");
        let letter = DeadLetter::new(
            &delivery.body,
            reason.clone(),
            delivery.dequeue_count,
            core.now(),
            core.name.clone(),
        );
        let queue = &core.cluster().queue;
        let body = letter.from_queue(queue.name()).encode();
        let kept = core
            .patience()
            .call(|| queue.send(Lane::Poison, body.clone(), std::time::Duration::ZERO))
            .await;
        if let Err(error) = kept {
            tracing::error!(%error, "could not keep a dead letter: its message stays in the queue");
            return;
        }
        match job {
            Some(job) => {
                if let Err(error) = self.fail_poisoned(job, reason).await {
                    tracing::error!(run = %job.run_id, node = %job.node_id, %error, "could not fail a poisoned node");
                    if is_passing(&error) {
                        return;
                    }
                }
            }
            None => {
                if let Some(run) = Job::run_named_in(&delivery.body) {
                    self.warn_of_poison(&run, &reason).await;
                }
            }
        }
        self.delete(&delivery.receipt).await;
    }

    /// Notes on a run that a message of it was not a job: which node it meant, nobody can say.
    async fn warn_of_poison(&self, run: &RunId, reason: &str) {
        let session = self.core.session(run);
        let warning = format!("a message of this run went to the poison queue: {reason}");
        let event = Event::Warn(warning);
        if let Err(error) = session.submit(event, Continuation::Enqueue, Loyalty::Anyway).await {
            tracing::warn!(%run, %error, "could not note a poisoned message on its run");
        }
    }

    /// For a message that was received too often though its own node is done: the fault lies with a
    /// node further down its chain. Each of those gets a message of its own, so that the one at
    /// fault is found out. Returns whether that was the case.
    pub(crate) async fn hand_on(&self, job: &Job) -> bool {
        let core = &self.core;
        let Ok(Some(document)) = core.fresh(&job.run_id).await else { return false };
        let Ok(graph) = core.graphs().of_run(document.head()) else { return false };
        let done = matches!(
            document.state(&job.node_id),
            NodeState::Completed | NodeState::Failed | NodeState::Pending | NodeState::Skipped
        );
        if !done {
            return false;
        }
        if document.status().is_final() {
            return core.is_closed(&job.run_id, &document).await.unwrap_or(false);
        }
        let jobs: Vec<Job> = reachable_work(&graph, &document, &job.node_id)
            .into_iter()
            .filter(|work| document.state(&work.node) == NodeState::Ready)
            .map(|work| job_for(&job.run_id, &document, work))
            .collect();
        let count = jobs.len();
        if count == 0 {
            return false;
        }
        match core.send(jobs).await {
            Ok(()) => {
                tracing::warn!(run = %job.run_id, node = %job.node_id, count, "a chain that never ends is handed on node by node");
                true
            }
            Err(_) => false,
        }
    }

    async fn fail_poisoned(&self, job: &Job, reason: String) -> Result<(), super::SessionError> {
        let session = self.core.session(&job.run_id);
        let document = session.document(super::session::Freshness::Now).await?;
        let Some(entry) =
            document.as_ref().and_then(|document| document.entry(&job.node_id).cloned())
        else {
            return Ok(());
        };
        let work = Work {
            node: job.node_id.clone(),
            iteration: job.iteration.unwrap_or(entry.iteration),
            generation: job.generation.unwrap_or(entry.generation),
        };
        let event = Event::Poisoned { work, reason };
        self.core.happen(&session, event, Continuation::Enqueue, Loyalty::Anyway).await?;
        Ok(())
    }
}
