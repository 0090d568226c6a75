//! Creating the queues, and looking whether all is well with them.

use std::time::{Duration, Instant};

use azure_core::error::ErrorKind;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    Queue, StorageQueue,
    fault::{Problem, service_time},
    messages,
};
use crate::{
    cluster::{Clock as _, Lane, MAX_RECEIVE, Result, SystemClock, azure::Provisioned},
    engine::Timestamp,
};

const LANES: [Lane; 2] = [Lane::Jobs, Lane::Poison];

/// What a look at one of the two queues gave.
#[derive(Debug, Clone)]
pub struct QueueCheck {
    /// Which it is.
    pub lane: Lane,
    /// The queue's name.
    pub name: String,
    /// How it is, or nothing if there is no such queue.
    pub health: Result<Option<QueueHealth>>,
}

/// How a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueHealth {
    /// How long the service took to answer.
    pub latency: Duration,
    /// By how many milliseconds this machine's clock is ahead of the service's (negative: behind),
    /// to a second; nothing if the service does not tell the time.
    pub clock_ahead: Option<i64>,
    /// Messages in it: visible, hidden and delayed ones.
    pub messages: u64,
    /// How many of the next visible messages were looked at.
    pub looked_at: usize,
    /// How many of those are in an encoding that nobody here reads.
    pub unreadable: usize,
    /// What the first of them is.
    pub example: Option<Unreadable>,
}

/// Why a message can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is neither JSON nor base64.
    Text,
    /// It is base64 of something that is not text.
    Binary,
    /// It is base64 of a text that is not JSON.
    EncodedText,
}

impl StorageQueue {
    /// Creates the queues that are missing, the jobs' first.
    pub async fn create_missing(&self) -> Result<Vec<(String, Provisioned)>> {
        let mut done = Vec::new();
        for lane in LANES {
            let queue = self.queue(lane);
            let provisioned = self
                .create(queue)
                .await
                .map_err(|problem| problem.of(format!("create {queue}")))?;
            done.push((queue.name.clone(), provisioned));
        }
        Ok(done)
    }

    /// Looks at both queues, and changes nothing.
    pub async fn check(&self) -> Vec<QueueCheck> {
        let mut checks = Vec::new();
        for lane in LANES {
            let queue = self.queue(lane);
            let health = self.look(queue).await;
            checks.push(QueueCheck {
                lane,
                name: queue.name.clone(),
                health: health.map_err(|problem| problem.of(format!("check {queue}"))),
            });
        }
        checks
    }

    async fn create(&self, queue: &Queue) -> Result<Provisioned, Problem> {
        // Looking first spares who may not create queues an error about one that is there.
        if self.count(queue).await?.is_some() {
            return Ok(Provisioned::Existing);
        }
        let answer = self.call(queue, queue.client.create(None)).await?;
        // Somebody else may have been quicker.
        Ok(if answer.status() == 201 { Provisioned::Created } else { Provisioned::Existing })
    }

    /// The number of messages in a queue; nothing if it is missing.
    async fn count(&self, queue: &Queue) -> Result<Option<u64>, Problem> {
        let found = async {
            match queue.client.get_properties(None).await {
                Ok(properties) => Ok(Some(properties)),
                Err(error) if is_missing_queue(&error) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let properties = self.call(queue, found).await?;
        properties.as_ref().map(messages::count).transpose()
    }

    async fn look(&self, queue: &Queue) -> Result<Option<QueueHealth>, Problem> {
        let Some(messages) = self.count(queue).await? else { return Ok(None) };
        // The second request, so that making the connection does not count.
        let (asked, asked_at) = (Instant::now(), SystemClock.now());
        let (peeked, headers) = self.glimpse(queue, MAX_RECEIVE).await?;
        let latency = asked.elapsed();
        let unreadable: Vec<Unreadable> =
            peeked.iter().filter_map(|message| unreadable(&message.body)).collect();
        Ok(Some(QueueHealth {
            latency,
            clock_ahead: service_time(&headers)
                .map(|there| clock_ahead(asked_at + latency / 2, there)),
            messages,
            looked_at: peeked.len(),
            unreadable: unreadable.len(),
            example: unreadable.first().copied(),
        }))
    }
}

/// By how many milliseconds a clock is ahead of one that shows whole seconds, taken to be in the
/// middle of one.
pub(super) fn clock_ahead(here: Timestamp, there: Timestamp) -> i64 {
    here.millis() - (there.millis() + 500)
}

/// Why a body can't be read, if it can't: readers take JSON, and base64 of it.
pub(super) fn unreadable(body: &str) -> Option<Unreadable> {
    let is_json = |text: &[u8]| serde_json::from_slice::<Value>(text).is_ok_and(|v| v.is_object());
    let body = body.trim();
    if is_json(body.as_bytes()) {
        return None;
    }
    match STANDARD.decode(body) {
        Err(_) => Some(Unreadable::Text),
        Ok(bytes) if is_json(&bytes) => None,
        Ok(bytes) if std::str::from_utf8(&bytes).is_ok() => Some(Unreadable::EncodedText),
        Ok(_) => Some(Unreadable::Binary),
    }
}

fn is_missing_queue(error: &azure_core::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::HttpResponse { status, error_code: Some(code), .. }
            if *status == 404 && matches!(code.as_str(), "QueueNotFound" | "ResourceNotFound")
    )
}
