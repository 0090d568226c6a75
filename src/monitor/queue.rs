//! The queue as a source: depth, next messages, dead letters, and the rates derived from them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    snapshot::{DeadLetterRow, QueueView, QueuedJob, Snapshot, Sourced},
    source::Source,
};
use crate::{
    cluster::{Clock, Job, JobQueue, Lane, MAX_RECEIVE, Peeked, Result},
    engine::Timestamp,
};

/// Rates are taken over this long.
const WINDOW: Duration = Duration::from_secs(30);

/// Asks the job queue and the poison queue.
pub(super) struct QueueSource {
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    samples: VecDeque<Sample>,
}

/// What was counted at one look.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    depth: u64,
    done: u64,
}

impl QueueSource {
    pub(super) fn new(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock, samples: VecDeque::new() }
    }

    /// Completions and arrivals a second over the window, in tenths so that noise doesn't count as
    /// a change.
    fn rates(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.at.since(first.at).as_secs_f64();
        if seconds < 1.0 {
            return None;
        }
        let tenths = |count: f64| (count / seconds * 10.0).round() / 10.0;
        // Counts far below 2^52: exact as floats.
        #[allow(clippy::cast_precision_loss)]
        let (done, growth) = (
            // A worker that left takes its count with it.
            last.done.saturating_sub(first.done) as f64,
            last.depth as f64 - first.depth as f64,
        );
        Some((tenths(done), tenths((done + growth).max(0.0))))
    }
}

#[async_trait]
impl Source for QueueSource {
    type Data = QueueView;

    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<QueueView> {
        &mut snapshot.queue
    }

    async fn look(&mut self, current: &Snapshot) -> Result<Option<QueueView>> {
        let (depth, poison, next) = tokio::try_join!(
            self.queue.depth(Lane::Jobs),
            self.queue.depth(Lane::Poison),
            self.queue.peek(Lane::Jobs, MAX_RECEIVE),
        )?;
        let dead_letters = if poison.messages == 0 {
            Vec::new()
        } else {
            self.queue.peek(Lane::Poison, MAX_RECEIVE).await?
        };
        let now = self.clock.now();
        let done = current.workers.data.done();
        self.samples.push_back(Sample { at: now, depth: depth.messages, done });
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|s| now.since(s.at) > WINDOW)
        {
            self.samples.pop_front();
        }
        let mut history = current.queue.data.history.clone();
        if history.len() >= QueueView::HISTORY {
            history.remove(0);
        }
        // A queue that was empty all the time has no history: nothing changes then.
        if depth.messages > 0 || history.iter().any(|depth| *depth > 0) {
            history.push(depth.messages);
        }
        let rates = self.rates();
        let view = QueueView {
            depth: depth.messages,
            oldest: depth.oldest,
            poison: poison.messages,
            next: next.into_iter().map(queued_job).collect(),
            dead_letters: dead_letters.into_iter().map(dead_letter).collect(),
            history,
            completions: rates.map(|(done, _)| done),
            arrivals: rates.map(|(_, arrived)| arrived),
        };
        Ok(Some(view).filter(|view| *view != *current.queue.data))
    }
}

fn queued_job(message: Peeked) -> QueuedJob {
    let job = Job::decode(&message.body).ok();
    QueuedJob {
        job: job.map(|job| (job.run_id, job.node_id, job.blueprint_id)),
        message_id: message.message_id,
        inserted_at: message.inserted_at,
        dequeue_count: message.dequeue_count,
    }
}

fn dead_letter(message: Peeked) -> DeadLetterRow {
    let Peeked { message_id, inserted_at, dequeue_count, body } = message;
    DeadLetterRow::new(message_id, inserted_at, dequeue_count, body)
}
