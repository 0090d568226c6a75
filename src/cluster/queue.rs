//! The trait of the job queue.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::engine::Timestamp;

/// One of the two queues of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Jobs waiting to run.
    Jobs,
    /// Messages that could not be handled.
    Poison,
}

/// The longest a message can be hidden: seven days.
pub const MAX_VISIBILITY: Duration = Duration::from_hours(7 * 24);

/// The most messages one receive or peek gives.
pub const MAX_RECEIVE: usize = 32;

/// What the job queue of a cluster is called that has but one.
pub const QUEUE_NAME: &str = "flowcraft-jobs";

/// Proof of having received a message: needed to change or delete it, and void once somebody else
/// has received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id.
    pub message_id: String,
    /// The pop receipt: changes with every receive and update.
    pub pop_receipt: String,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Proof of having received it.
    pub receipt: Receipt,
    /// The body as it was sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub dequeue_count: u32,
    /// When it was sent.
    pub inserted_at: Timestamp,
}

/// A message that was looked at, but not received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// The message's id.
    pub message_id: String,
    /// The body as it was sent.
    pub body: String,
    /// How often it has been received.
    pub dequeue_count: u32,
    /// When it was sent.
    pub inserted_at: Timestamp,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages in it: visible, hidden and delayed ones. Approximate, never below the true number.
    pub messages: u64,
    /// When the oldest visible message was sent.
    pub oldest: Option<Timestamp>,
}

/// Jobs waiting to run, and the poison queue beside them.
///
/// Guarantees of every implementation:
/// - A message that `send` reported as sent stays until it is deleted; it never expires.
/// - A message is delivered at least once, and may be delivered more than once and in any order.
///   While its visibility timeout runs, nobody else receives it.
/// - `send` that fails with [`super::Fault::Unavailable`] may have sent the message all the same.
/// - `renew`, `hide` and `delete` fail with [`super::Fault::ReceiptLost`] once the message was
///   received by somebody else or deleted; after [`super::Fault::Unavailable`] they may have
///   happened, and the old receipt may be void.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// What the job queue is called: dead letters say which one they came from.
    fn name(&self) -> &str {
        QUEUE_NAME
    }

    /// Sends a message that becomes visible after `delay` (at most [`MAX_VISIBILITY`]; a longer one
    /// is cut to it).
    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()>;

    /// Sends several messages that are visible at once. Where it fails, any of them may have been
    /// sent.
    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        for body in bodies {
            self.send(lane, body, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Receives up to `max` messages (at most [`MAX_RECEIVE`]) and hides them for `visibility`.
    /// Returns at once, with nothing if there is nothing.
    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>>;

    /// Hides a received message for another `visibility` from now. The old receipt is void then.
    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt>;

    /// Hides a received message for `visibility` from now and replaces its body. The old receipt
    /// is void then.
    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt>;

    /// Deletes a received message.
    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()>;

    /// Looks at up to `max` of the next visible messages (at most [`MAX_RECEIVE`]) and leaves them.
    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>>;

    /// How full the queue is.
    async fn depth(&self, lane: Lane) -> Result<Depth>;
}
