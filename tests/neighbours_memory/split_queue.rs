//! A queue that a test splits between the two kinds of workers: messages of some nodes are only
//! received by JavaScript workers, all others only by ours.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::cluster::{Delivery, Depth, Job, JobQueue, Lane, Peeked, Receipt, Result};

/// In front of the ids of messages that were sent to JavaScript workers.
const THEIRS: &str = "js-";

pub(crate) struct SplitQueue {
    ours: Arc<dyn JobQueue>,
    pub(crate) theirs: Arc<dyn JobQueue>,
    nodes: Mutex<BTreeSet<String>>,
    /// Every job that was sent, in order.
    sent: Mutex<Vec<Job>>,
}

impl SplitQueue {
    pub(crate) fn new(ours: Arc<dyn JobQueue>, theirs: Arc<dyn JobQueue>, nodes: &[&str]) -> Self {
        let nodes = nodes.iter().map(ToString::to_string).collect();
        Self { ours, theirs, nodes: Mutex::new(nodes), sent: Mutex::default() }
    }

    /// From now on our workers receive everything.
    pub(crate) fn all_ours(&self) {
        self.nodes.lock().unwrap().clear();
    }

    /// Who sent the messages for a node so far: for each, whether it was one of ours.
    pub(crate) fn sent_for(&self, node: &str) -> Vec<bool> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|job| &*job.node_id == node).map(|job| job.rev.is_some()).collect()
    }

    fn queue_for(&self, body: &str) -> &Arc<dyn JobQueue> {
        let Ok(job) = Job::decode(body) else { return &self.ours };
        let theirs = self.nodes.lock().unwrap().contains(&*job.node_id);
        self.sent.lock().unwrap().push(job);
        if theirs { &self.theirs } else { &self.ours }
    }

    fn queue_of(&self, receipt: &Receipt) -> (&Arc<dyn JobQueue>, Receipt) {
        match receipt.message_id.strip_prefix(THEIRS) {
            Some(id) => (&self.theirs, Receipt { message_id: id.to_owned(), ..receipt.clone() }),
            None => (&self.ours, receipt.clone()),
        }
    }
}

fn marked(receipt: Receipt, original: &Receipt) -> Receipt {
    Receipt { message_id: original.message_id.clone(), ..receipt }
}

#[async_trait]
impl JobQueue for SplitQueue {
    fn name(&self) -> &str {
        self.ours.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let queue = if lane == Lane::Jobs { self.queue_for(&body) } else { &self.ours };
        queue.send(lane, body, delay).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        let mut found = self.ours.receive(lane, max, visibility).await?;
        if self.nodes.lock().unwrap().is_empty() {
            for mut delivery in self.theirs.receive(lane, max - found.len(), visibility).await? {
                delivery.receipt.message_id.insert_str(0, THEIRS);
                found.push(delivery);
            }
        }
        Ok(found)
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        let (queue, inner) = self.queue_of(receipt);
        Ok(marked(queue.renew(lane, &inner, visibility).await?, receipt))
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        let (queue, inner) = self.queue_of(receipt);
        Ok(marked(queue.hide(lane, &inner, body, visibility).await?, receipt))
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        let (queue, inner) = self.queue_of(receipt);
        queue.delete(lane, &inner).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        let mut found = self.ours.peek(lane, max).await?;
        found.extend(self.theirs.peek(lane, max).await?);
        found.truncate(max);
        Ok(found)
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        let (ours, theirs) = (self.ours.depth(lane).await?, self.theirs.depth(lane).await?);
        Ok(Depth {
            messages: ours.messages + theirs.messages,
            oldest: ours.oldest.into_iter().chain(theirs.oldest).min(),
        })
    }
}
