//! The poison queue: looking at dead letters, and throwing them away.

use super::{
    OperationError, Operations, Oversight,
    letter_walk::Walk,
    symptom::{Fingerprint, Symptom},
};
use crate::{
    cluster::{DeadLetter, Delivery, Job, Lane, MAX_RECEIVE, Peeked},
    engine::Timestamp,
};

/// A message of the poison queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message's id.
    pub id: String,
    /// When it was put there.
    pub inserted_at: Timestamp,
    /// How often it was received while it was there.
    pub dequeue_count: u32,
    /// What is in it; nothing if it is not a dead letter of ours.
    pub letter: Option<DeadLetter>,
    /// Its body as it is.
    pub body: String,
    /// What went wrong.
    pub symptom: Symptom,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    /// Those with these message ids.
    Ids(Vec<String>),
    /// Those that failed alike.
    Group(Fingerprint),
    /// All of them.
    All,
}

/// How closely to look at the poison queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At what one peek shows: the first 32 that are visible. Changes nothing.
    Glance,
    /// At all of them: each is received, hidden from others for up to half a minute, and given back.
    Through,
}

impl Letters {
    /// Whether a letter is one of them.
    pub(crate) fn mean(&self, letter: &Letter) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(&letter.id),
            Self::Group(fingerprint) => letter.symptom.fingerprint == *fingerprint,
            Self::All => true,
        }
    }
}

impl Letter {
    fn new(id: String, inserted_at: Timestamp, dequeue_count: u32, body: String) -> Self {
        let letter = DeadLetter::decode(&body).ok();
        let symptom = letter.as_ref().map_or_else(|| Symptom::of(&body), Symptom::of_letter);
        Self { id, inserted_at, dequeue_count, letter, body, symptom }
    }

    /// The job that a replay has tried again; nothing if it is not a job. A body that is a job
    /// itself was copied here by another program.
    pub fn job(&self) -> Option<Job> {
        match &self.letter {
            Some(letter) => letter.job.clone().or_else(|| Job::decode(&letter.body).ok()),
            None => Job::decode(&self.body).ok(),
        }
    }

    /// When its job failed, as it says itself; else when it was put there.
    pub fn failed_at(&self) -> Timestamp {
        let said = self.letter.as_ref().map(|letter| letter.failed_at.as_str());
        said.and_then(Timestamp::parse_rfc3339).unwrap_or(self.inserted_at)
    }

    /// The job queue that it says it came from.
    pub fn queue(&self) -> Option<&str> {
        self.letter.as_ref()?.queue.as_deref()
    }
}

impl From<Peeked> for Letter {
    fn from(message: Peeked) -> Self {
        Self::new(message.message_id, message.inserted_at, message.dequeue_count, message.body)
    }
}

impl From<&Delivery> for Letter {
    fn from(message: &Delivery) -> Self {
        let id = message.receipt.message_id.clone();
        // That it was received now is not its own.
        let received = message.dequeue_count.saturating_sub(1);
        Self::new(id, message.inserted_at, received, message.body.clone())
    }
}

impl Operations {
    /// The next messages of the poison queue, at most as many as one peek gives.
    pub async fn dead_letters(&self) -> Result<Vec<Letter>, OperationError> {
        let peeked = self.cluster().queue.peek(Lane::Poison, MAX_RECEIVE).await?;
        Ok(peeked.into_iter().map(Letter::from).collect())
    }

    /// All messages of the poison queue: each is received, and given back at the end. Those that
    /// somebody else is holding are not among them.
    pub async fn all_dead_letters(
        &self,
        oversight: &Oversight,
    ) -> Result<Vec<Letter>, OperationError> {
        let total = self.count_dead_letters().await?;
        let mut walk = Walk::begin(self.cluster().queue.clone());
        let mut letters = Vec::new();
        while !oversight.is_stopped() {
            match walk.next().await {
                Ok(Some(delivery)) => {
                    letters.push(Letter::from(&delivery));
                    oversight.report(letters.len(), total.max(letters.len()), "looking at");
                }
                Ok(None) => break,
                Err(error) => {
                    walk.end().await.ok();
                    return Err(error.into());
                }
            }
        }
        walk.end().await?;
        Ok(letters)
    }

    /// The messages of the poison queue, looked at as closely as that.
    pub async fn look_at_dead_letters(&self, reach: Reach) -> Result<Vec<Letter>, OperationError> {
        match reach {
            Reach::Glance => self.dead_letters().await,
            Reach::Through => self.all_dead_letters(&Oversight::nobody()).await,
        }
    }

    /// How many messages are in the poison queue, those that can't be seen at present included.
    pub async fn count_dead_letters(&self) -> Result<usize, OperationError> {
        let depth = self.cluster().queue.depth(Lane::Poison).await?;
        Ok(usize::try_from(depth.messages).unwrap_or(usize::MAX))
    }

    /// Throws dead letters away. Returns their ids.
    pub async fn purge(&self, which: &Letters) -> Result<Vec<String>, OperationError> {
        let (purged, stopped) = self.purge_watched(which, &Oversight::nobody()).await?;
        if let Letters::Ids(ids) = which
            && let Some(id) = ids.iter().find(|id| !purged.contains(id))
            && stopped.is_none()
        {
            return Err(OperationError::NoSuchLetter(id.clone()));
        }
        Ok(purged)
    }

    /// Throws dead letters away while somebody watches. Returns their ids, and why it ended before
    /// all of them were gone, if it did.
    pub async fn purge_watched(
        &self,
        which: &Letters,
        oversight: &Oversight,
    ) -> Result<(Vec<String>, Option<Cut>), OperationError> {
        let total = match which {
            Letters::Ids(ids) => ids.len(),
            Letters::Group(_) | Letters::All => self.count_dead_letters().await?,
        };
        let mut walk = Walk::begin(self.cluster().queue.clone());
        let mut purged = Vec::new();
        let cut = loop {
            if matches!(which, Letters::Ids(ids) if ids.len() == purged.len()) {
                break None;
            }
            if oversight.is_stopped() {
                break Some(Cut::Stopped);
            }
            let delivery = match walk.next().await {
                Ok(Some(delivery)) => delivery,
                Ok(None) => break None,
                Err(error) => break Some(Cut::Failed(error.into())),
            };
            let letter = Letter::from(&delivery);
            if !which.mean(&letter) {
                continue;
            }
            match walk.delete(&delivery).await {
                Ok(()) => purged.push(letter.id),
                Err(error) => break Some(Cut::Failed(error.into())),
            }
            oversight.report(purged.len(), total.max(purged.len()), "purging");
        };
        let ended = walk.end().await;
        match cut {
            Some(Cut::Failed(error)) if purged.is_empty() => Err(error),
            None => Ok((purged, ended.err().map(|error| Cut::Failed(error.into())))),
            cut => Ok((purged, cut)),
        }
    }
}

/// Why an operation on dead letters ended before all of them were done.
#[derive(Debug, Clone)]
pub enum Cut {
    /// It was told to.
    Stopped,
    /// Something failed.
    Failed(OperationError),
}
