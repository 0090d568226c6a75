//! The poison queue: looking at dead letters, having them tried again, throwing them away.

use std::time::Duration;

use super::{OperationError, Operations};
use crate::{
    cluster::{DeadLetter, Fault, Job, Lane, MAX_RECEIVE},
    engine::{NodeState, Timestamp},
};

/// How long the messages of the poison queue are hidden while they are gone through.
const HOLD: Duration = Duration::from_secs(30);

/// A message of the poison queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message's id.
    pub id: String,
    /// When it was put there.
    pub inserted_at: Timestamp,
    /// What is in it; nothing if it is not a dead letter of ours.
    pub letter: Option<DeadLetter>,
    /// Its body as it is.
    pub body: String,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    /// Those with these message ids.
    Ids(Vec<String>),
    /// All of them.
    All,
}

impl Letter {
    /// The job that a replay has tried again; nothing if it is not a job.
    pub fn job(&self) -> Option<Job> {
        job_in(&self.body)
    }
}

/// The job in the body of a message of the poison queue.
fn job_in(body: &str) -> Option<Job> {
    let letter = DeadLetter::decode(body).ok()?;
    letter.job.or_else(|| Job::decode(&letter.body).ok())
}

impl Operations {
    /// The next messages of the poison queue, at most as many as one peek gives.
    pub async fn dead_letters(&self) -> Result<Vec<Letter>, OperationError> {
        let peeked = self.cluster().queue.peek(Lane::Poison, MAX_RECEIVE).await?;
        Ok(peeked
            .into_iter()
            .map(|message| Letter {
                id: message.message_id,
                inserted_at: message.inserted_at,
                letter: DeadLetter::decode(&message.body).ok(),
                body: message.body,
            })
            .collect())
    }

    /// Has dead letters tried again: their node is requeued if it failed, else their job is sent
    /// again. Returns the ids of those that were. What is not a job is left where it is; if it was
    /// named, that is an error, after the others were tried again.
    pub async fn replay(&self, which: &Letters) -> Result<Vec<String>, OperationError> {
        self.go_through(which, Fate::Replay).await
    }

    /// Throws dead letters away. Returns their ids.
    pub async fn purge(&self, which: &Letters) -> Result<Vec<String>, OperationError> {
        self.go_through(which, Fate::Purge).await
    }

    /// Goes through the poison queue once; messages that are not meant come back at the end.
    async fn go_through(&self, which: &Letters, fate: Fate) -> Result<Vec<String>, OperationError> {
        let queue = &self.cluster().queue;
        let mut left = Vec::new();
        let mut done = Vec::new();
        let mut no_jobs = Vec::new();
        let mut failure = None;
        'queue: loop {
            let deliveries = queue.receive(Lane::Poison, MAX_RECEIVE, HOLD).await?;
            if deliveries.is_empty() {
                break;
            }
            for delivery in deliveries {
                let id = delivery.receipt.message_id.clone();
                let meant = match which {
                    Letters::All => true,
                    Letters::Ids(ids) => ids.contains(&id),
                };
                if !meant || failure.is_some() {
                    left.push(delivery);
                    continue;
                }
                match self.settle_letter(&delivery.body, fate).await {
                    // Deleted last: what is interrupted is found here again.
                    Ok(Settled::Gone) => {
                        queue.delete(Lane::Poison, &delivery.receipt).await?;
                        done.push(id);
                    }
                    Ok(Settled::Stays) => {
                        no_jobs.push(id);
                        left.push(delivery);
                    }
                    Err(error) => {
                        failure = Some(error);
                        left.push(delivery);
                    }
                }
            }
            let found = done.len() + no_jobs.len();
            let all_found = matches!(which, Letters::Ids(ids) if ids.len() == found);
            if all_found || failure.is_some() {
                break 'queue;
            }
        }
        for delivery in left {
            match queue.renew(Lane::Poison, &delivery.receipt, Duration::ZERO).await {
                // It is visible again already.
                Err(error) if matches!(error.fault, Fault::ReceiptLost | Fault::NotFound) => {}
                renewed => {
                    renewed?;
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if let Letters::Ids(ids) = which
            && let Some(id) = ids.iter().find(|id| !done.contains(id))
        {
            return Err(if no_jobs.contains(id) {
                OperationError::NotAJob(id.clone())
            } else {
                OperationError::NoSuchLetter(id.clone())
            });
        }
        Ok(done)
    }

    async fn settle_letter(&self, body: &str, fate: Fate) -> Result<Settled, OperationError> {
        match fate {
            Fate::Purge => Ok(Settled::Gone),
            Fate::Replay => match job_in(body) {
                Some(job) => self.replay_job(job).await,
                None => Ok(Settled::Stays),
            },
        }
    }

    async fn replay_job(&self, mut job: Job) -> Result<Settled, OperationError> {
        let document = self.core.fresh(&job.run_id).await?;
        let failed = document
            .as_ref()
            .is_some_and(|document| document.state(&job.node_id) == NodeState::Failed);
        if failed {
            let plan = self.plan_requeue(&job.run_id, std::slice::from_ref(&job.node_id)).await?;
            self.apply(&plan).await?;
        } else {
            job.holds = None;
            job.redrive = Some(true);
            self.core.send(vec![job]).await?;
        }
        Ok(Settled::Gone)
    }
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Replay,
    Purge,
}

#[derive(Debug, Clone, Copy)]
enum Settled {
    Gone,
    Stays,
}
