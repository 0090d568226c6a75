//! Going through the poison queue once: each message is received, and comes back at the end unless
//! it was deleted.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::cluster::{ClusterError, Delivery, Fault, JobQueue, Lane, MAX_RECEIVE, Receipt, Result};

/// How long a message is hidden while the queue is gone through.
const HOLD: Duration = Duration::from_secs(30);

/// How many messages are given back at once.
const GIVEN_BACK_AT_ONCE: usize = 8;

/// A walk through the poison queue. Where it is dropped before its end, what it holds comes back by
/// itself when its time is over.
pub(super) struct Walk {
    queue: Arc<dyn JobQueue>,
    /// Received, and not looked at yet.
    waiting: VecDeque<(Delivery, Instant)>,
    /// Every message that was come by, with the last receipt for it; nothing once it is deleted.
    seen: HashMap<String, Option<Receipt>>,
    /// Their ids as they came.
    order: Vec<String>,
}

impl Walk {
    pub(super) fn begin(queue: Arc<dyn JobQueue>) -> Self {
        Self { queue, waiting: VecDeque::new(), seen: HashMap::new(), order: Vec::new() }
    }

    /// The next message that was not come by yet; nothing when there is none left.
    pub(super) async fn next(&mut self) -> Result<Option<Delivery>> {
        loop {
            while let Some((delivery, since)) = self.waiting.pop_front() {
                if let Some(delivery) = self.keep(delivery, since).await? {
                    return Ok(Some(delivery));
                }
            }
            let since = Instant::now();
            let received = self.queue.receive(Lane::Poison, MAX_RECEIVE, HOLD).await?;
            let before = self.seen.len();
            for delivery in received {
                let id = delivery.receipt.message_id.clone();
                let receipt = Some(delivery.receipt.clone());
                // One whose time was over and that came back.
                if self.seen.insert(id.clone(), receipt).is_none() {
                    self.order.push(id);
                    self.waiting.push_back((delivery, since));
                }
            }
            if self.seen.len() == before {
                return Ok(None);
            }
        }
    }

    /// Sees to it that a message stays hidden while it is looked at. Nothing if somebody else has
    /// it by now.
    async fn keep(&mut self, delivery: Delivery, since: Instant) -> Result<Option<Delivery>> {
        if since.elapsed() < HOLD / 2 {
            return Ok(Some(delivery));
        }
        let id = delivery.receipt.message_id.clone();
        match self.queue.renew(Lane::Poison, &delivery.receipt, HOLD).await {
            Ok(receipt) => {
                self.seen.insert(id, Some(receipt.clone()));
                Ok(Some(Delivery { receipt, ..delivery }))
            }
            Err(error) if is_gone(&error) => {
                self.seen.insert(id, None);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a message. One that somebody else has taken meanwhile is theirs to delete.
    pub(super) async fn delete(&mut self, delivery: &Delivery) -> Result<()> {
        match self.queue.delete(Lane::Poison, &delivery.receipt).await {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
        self.seen.insert(delivery.receipt.message_id.clone(), None);
        Ok(())
    }

    /// Gives everything back that was not deleted, the messages first that were received first.
    pub(super) async fn end(mut self) -> Result<()> {
        let held: Vec<Receipt> =
            self.order.iter().filter_map(|id| self.seen.remove(id).flatten()).collect();
        let queue = &self.queue;
        let mut giving = stream::iter(held)
            .map(|receipt| async move {
                queue.renew(Lane::Poison, &receipt, Duration::ZERO).await.map(|_| ())
            })
            .buffered(GIVEN_BACK_AT_ONCE);
        let mut failed = None;
        while let Some(given) = giving.next().await {
            match given {
                // It is visible again already.
                Err(error) if is_gone(&error) => {}
                Err(error) => failed = Some(error),
                Ok(()) => {}
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

fn is_gone(error: &ClusterError) -> bool {
    matches!(error.fault, Fault::ReceiptLost | Fault::NotFound)
}
