//! The job queue in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::lock;
use crate::{
    cluster::{
        Clock, ClusterError, Delivery, Depth, Fault, JobQueue, Lane, MAX_RECEIVE, MAX_VISIBILITY,
        Peeked, Receipt, Result, Service,
    },
    engine::Timestamp,
};

/// Two queues whose messages are in the order in which they become visible.
pub(super) struct MemoryQueue {
    clock: Arc<dyn Clock>,
    lanes: Mutex<Lanes>,
}

#[derive(Default)]
struct Lanes {
    jobs: Messages,
    poison: Messages,
    next_id: u64,
    next_receipt: u64,
}

#[derive(Default)]
struct Messages {
    by_id: BTreeMap<u64, Message>,
    by_visibility: BTreeSet<(Timestamp, u64)>,
}

struct Message {
    body: String,
    visible_at: Timestamp,
    dequeue_count: u32,
    /// Nothing until it is received for the first time.
    pop_receipt: Option<u64>,
    inserted_at: Timestamp,
}

impl MemoryQueue {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, lanes: Mutex::default() }
    }

    /// Changes the message that a receipt is for, and gives it a new receipt.
    fn update(
        &self,
        lane: Lane,
        receipt: &Receipt,
        visibility: Duration,
        body: Option<String>,
    ) -> Result<Receipt> {
        let doing = if body.is_some() { "hide" } else { "renew" };
        let visible_at = self.clock.now() + visibility.min(MAX_VISIBILITY);
        let mut lanes = lock(&self.lanes);
        let pop_receipt = lanes.new_receipt();
        let messages = lanes.of(lane);
        let id = messages.holding(receipt).ok_or_else(|| receipt_lost(doing, receipt))?;
        messages.hide(id, visible_at, pop_receipt);
        if let (Some(message), Some(body)) = (messages.by_id.get_mut(&id), body) {
            message.body = body;
        }
        Ok(Receipt { message_id: id.to_string(), pop_receipt: pop_receipt.to_string() })
    }
}

impl Lanes {
    fn of(&mut self, lane: Lane) -> &mut Messages {
        match lane {
            Lane::Jobs => &mut self.jobs,
            Lane::Poison => &mut self.poison,
        }
    }

    fn add(&mut self, lane: Lane, body: String, inserted_at: Timestamp, delay: Duration) {
        self.next_id += 1;
        let id = self.next_id;
        let visible_at = inserted_at + delay.min(MAX_VISIBILITY);
        let message =
            Message { body, visible_at, dequeue_count: 0, pop_receipt: None, inserted_at };
        let messages = self.of(lane);
        messages.by_id.insert(id, message);
        messages.by_visibility.insert((visible_at, id));
    }

    fn new_receipt(&mut self) -> u64 {
        self.next_receipt += 1;
        self.next_receipt
    }
}

impl Messages {
    /// The message that a receipt is still good for.
    fn holding(&self, receipt: &Receipt) -> Option<u64> {
        let id = receipt.message_id.parse().ok()?;
        let pop_receipt: u64 = receipt.pop_receipt.parse().ok()?;
        (self.by_id.get(&id)?.pop_receipt == Some(pop_receipt)).then_some(id)
    }

    fn hide(&mut self, id: u64, visible_at: Timestamp, pop_receipt: u64) {
        if let Some(message) = self.by_id.get_mut(&id) {
            self.by_visibility.remove(&(message.visible_at, id));
            self.by_visibility.insert((visible_at, id));
            message.visible_at = visible_at;
            message.pop_receipt = Some(pop_receipt);
        }
    }

    fn visible(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        self.by_visibility.range(..=(now, u64::MAX)).map(|(_, id)| *id)
    }
}

fn receipt_lost(doing: &str, receipt: &Receipt) -> ClusterError {
    ClusterError::new(
        Service::Queue,
        format!("{doing} message {}", receipt.message_id),
        Fault::ReceiptLost,
        "somebody else has received or deleted it",
    )
}

#[async_trait]
impl JobQueue for MemoryQueue {
    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let now = self.clock.now();
        lock(&self.lanes).add(lane, body, now, delay);
        Ok(())
    }

    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        let now = self.clock.now();
        let mut lanes = lock(&self.lanes);
        for body in bodies {
            lanes.add(lane, body, now, Duration::ZERO);
        }
        Ok(())
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        let now = self.clock.now();
        let hidden_until = now + visibility.min(MAX_VISIBILITY);
        let mut lanes = lock(&self.lanes);
        let ids: Vec<u64> = lanes.of(lane).visible(now).take(max.min(MAX_RECEIVE)).collect();
        let mut deliveries = Vec::with_capacity(ids.len());
        for id in ids {
            let pop_receipt = lanes.new_receipt();
            let messages = lanes.of(lane);
            messages.hide(id, hidden_until, pop_receipt);
            if let Some(message) = messages.by_id.get_mut(&id) {
                message.dequeue_count = message.dequeue_count.saturating_add(1);
                deliveries.push(Delivery {
                    receipt: Receipt {
                        message_id: id.to_string(),
                        pop_receipt: pop_receipt.to_string(),
                    },
                    body: message.body.clone(),
                    dequeue_count: message.dequeue_count,
                    inserted_at: message.inserted_at,
                });
            }
        }
        Ok(deliveries)
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.update(lane, receipt, visibility, None)
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        self.update(lane, receipt, visibility, Some(body))
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        let mut lanes = lock(&self.lanes);
        let messages = lanes.of(lane);
        let id = messages.holding(receipt).ok_or_else(|| receipt_lost("delete", receipt))?;
        if let Some(message) = messages.by_id.remove(&id) {
            messages.by_visibility.remove(&(message.visible_at, id));
        }
        Ok(())
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        let now = self.clock.now();
        let mut lanes = lock(&self.lanes);
        let messages = lanes.of(lane);
        let peeked = messages
            .visible(now)
            .take(max.min(MAX_RECEIVE))
            .filter_map(|id| {
                let message = messages.by_id.get(&id)?;
                Some(Peeked {
                    message_id: id.to_string(),
                    body: message.body.clone(),
                    dequeue_count: message.dequeue_count,
                    inserted_at: message.inserted_at,
                })
            })
            .collect();
        Ok(peeked)
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        let now = self.clock.now();
        let mut lanes = lock(&self.lanes);
        let messages = lanes.of(lane);
        // Ids are given in the order of sending, so the first visible one is the oldest.
        let oldest = messages
            .by_id
            .values()
            .find(|message| message.visible_at <= now)
            .map(|message| message.inserted_at);
        Ok(Depth { messages: messages.by_id.len() as u64, oldest })
    }
}
