//! Receiving messages: no more than there are free slots, at once while they come, less and less
//! often while they don't.

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use tokio::task::JoinSet;

use super::{
    Worker,
    chain::{Arrived, Handled},
    core::Next,
    exchange::Leases,
    lease::Guard,
    session::SessionError,
};
use crate::cluster::{
    Delivery, Fault, Job, Lane, MAX_RECEIVE, Receipt, WorkerMode, meter::carried,
};

/// The pause after the first look at an empty queue; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

impl Worker {
    /// Works until [`Worker::drain`] is called and everything that was running has ended. Dropping
    /// the future stops at once: messages in hand come back to the queue when their visibility
    /// timeout ends.
    pub async fn run(&self) {
        self.meter.overhead(self.work()).await;
    }

    async fn work(&self) {
        let mut jobs = JoinSet::new();
        let beating = self.clone();
        let reconciling = self.clone();
        let looking = self.core.clone();
        let mut background = JoinSet::new();
        background.spawn(carried(async move { beating.beat().await }));
        background.spawn(carried(async move { looking.look_after_commits().await }));
        background.spawn(carried(async move { reconciling.reconcile_now_and_then().await }));
        self.receive(&mut jobs).await;
        while jobs.join_next().await.is_some() {}
        self.core.look_now().await;
        background.shutdown().await;
        self.leave().await;
    }

    async fn receive(&self, jobs: &mut JoinSet<()>) {
        let mut mode = self.mode.subscribe();
        let mut pause = FIRST_PAUSE;
        let mut trouble: u32 = 0;
        loop {
            while jobs.try_join_next().is_some() {}
            let current = *mode.borrow_and_update();
            match current {
                WorkerMode::Draining => return,
                WorkerMode::Paused => {
                    // The sender lives as long as this worker.
                    let _ = mode.changed().await;
                    continue;
                }
                WorkerMode::Running => {}
            }
            let free = self.config.slots.saturating_sub(jobs.len());
            if free == 0 {
                tokio::select! {
                    _ = jobs.join_next() => {}
                    _ = mode.changed() => {}
                }
                continue;
            }
            if !self.core.patience().ill().borrow().is_empty() && !self.probe().await {
                trouble += 1;
                self.rest(trouble).await;
                continue;
            }
            let sent = self.core.sent.notified();
            let received = self
                .core
                .cluster()
                .queue
                .receive(Lane::Jobs, free.min(MAX_RECEIVE), self.config.lease)
                .await;
            match received {
                Ok(deliveries) if !deliveries.is_empty() => {
                    trouble = 0;
                    pause = FIRST_PAUSE;
                    for delivery in deliveries {
                        let worker = self.clone();
                        jobs.spawn(carried(async move { worker.take(delivery).await }));
                    }
                    continue;
                }
                Ok(_) => trouble = 0,
                Err(error) if error.is_transient() || error.fault == Fault::Refused => {
                    // The queue may answer the probe all the same.
                    self.core.patience().failed(&error);
                    trouble += 1;
                    self.rest(trouble).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "can't receive");
                    pause = self.config.poll_ceiling.max(Duration::from_secs(1));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.core.patience().jitter(pause)) => {
                    pause = (pause * 2).min(self.config.poll_ceiling.max(FIRST_PAUSE));
                }
                () = sent => pause = FIRST_PAUSE,
                _ = mode.changed() => {}
                Some(_) = jobs.join_next() => {}
            }
        }
    }

    /// Waits while a service is ill, the longer the more often it was found so.
    async fn rest(&self, trouble: u32) {
        let wait = Duration::from_millis(200) * 2u32.pow(trouble.min(6));
        let wait = self.core.patience().jitter(wait.min(Duration::from_secs(10)));
        tokio::time::sleep(wait).await;
    }

    /// Whether all services that were ill answer again. Nothing is received before.
    async fn probe(&self) -> bool {
        let core = &self.core;
        let ill: Vec<_> = core.patience().ill().borrow().keys().copied().collect();
        let cluster = core.cluster();
        for service in ill {
            let answer = match service {
                crate::cluster::Service::Queue => cluster.queue.depth(Lane::Jobs).await.map(|_| ()),
                crate::cluster::Service::State => {
                    let nobody = crate::blueprint::RunId::from("-");
                    // Each kind of item has a container of its own, which may be the one missing.
                    match cluster.state.read_status(&nobody).await {
                        Ok(_) => cluster.state.read_document(&nobody, None).await.map(|_| ()),
                        Err(error) => Err(error),
                    }
                }
                crate::cluster::Service::Coordination => {
                    cluster.coordination.get(&crate::cluster::Key::reconciler()).await.map(|_| ())
                }
            };
            match answer {
                Err(error) if error.is_transient() || error.fault == Fault::Refused => {
                    core.patience().failed(&error);
                    return false;
                }
                _ => core.patience().recovered(service),
            }
        }
        true
    }

    /// Handles one message, and the chain that follows from it.
    async fn take(&self, delivery: Delivery) {
        self.counts.in_flight.fetch_add(1, Ordering::Relaxed);
        let _leaving = OnDrop(|| {
            self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        });
        match Job::decode(&delivery.body) {
            Ok(job) => {
                let blueprint = job.blueprint_id.clone();
                self.meter.on_behalf_of(&blueprint, self.take_job(delivery, job)).await;
            }
            Err(error) => self.poison(&delivery, None, error.to_string()).await,
        }
    }

    async fn take_job(&self, delivery: Delivery, job: Job) {
        let holds = job.holds.unwrap_or(0);
        let tries = delivery.dequeue_count.saturating_sub(holds).max(1);
        if tries > self.config.max_dequeue_count {
            if self.hand_on(&job).await {
                self.delete(&delivery.receipt).await;
                return;
            }
            let reason = format!("received {tries} times, and it was never finished");
            self.poison(&delivery, Some(&job), reason).await;
            return;
        }
        let guard = Guard::new(self.core.clone(), self.config.lease, delivery.receipt.clone());
        let age = self.core.now().since(delivery.inserted_at);
        let mut leases = Leases::default();
        let arrived = Arrived { tries, age };
        let outcome = self.follow_chain(&job, arrived, &guard, &mut leases).await;
        let receipt = guard.release();
        let settle = self.settle(outcome, delivery, receipt, job);
        tokio::join!(settle, self.give_back(leases.node), self.give_back(leases.ahead));
    }

    /// Does with a message what became of its job.
    async fn settle(
        &self,
        outcome: Result<Handled, SessionError>,
        delivery: Delivery,
        receipt: Option<Receipt>,
        job: Job,
    ) {
        match outcome {
            Ok(Handled::Done(_)) => {
                if let Some(receipt) = receipt {
                    self.delete(&receipt).await;
                }
            }
            Ok(Handled::Hold(delay, why)) => {
                tracing::debug!(run = %job.run_id, node = %job.node_id, ?delay, why, "hidden again");
                self.hold(receipt, job, delay).await;
            }
            Ok(Handled::Poison(reason)) => {
                // The receipt changes each time the message is kept hidden.
                let receipt = receipt.unwrap_or(delivery.receipt);
                self.poison(&Delivery { receipt, ..delivery }, Some(&job), reason).await;
            }
            Ok(Handled::Abandoned(why)) => {
                tracing::info!(run = %job.run_id, node = %job.node_id, why, "a node was stopped");
                let job = Job { redrive: Some(true), ..job };
                self.hold(receipt, job, Duration::from_secs(1)).await;
            }
            Err(error) => {
                tracing::warn!(run = %job.run_id, node = %job.node_id, %error, "a job could not be done now");
                if is_passing(&error) || self.is_turned_away(&error).await {
                    // Its node may be completed by now, and what follows be left undone.
                    let job = Job { redrive: Some(true), ..job };
                    self.hold(receipt, job, Duration::from_secs(2)).await;
                }
            }
        }
    }

    /// Whether a service refuses whatever this worker asks, and not only what this job needs. An
    /// operator can mend that: until then the service is ill, and the job waits.
    async fn is_turned_away(&self, error: &SessionError) -> bool {
        let SessionError::Cluster(error) = error else { return false };
        if error.fault != Fault::Refused {
            return false;
        }
        self.core.patience().failed(error);
        !self.probe().await
    }

    /// Does a job, and what follows from it in this worker, one after the other.
    async fn follow_chain(
        &self,
        first: &Job,
        arrived: Arrived,
        guard: &Guard,
        leases: &mut Leases,
    ) -> Result<Handled, SessionError> {
        let mut touched = HashSet::from([first.run_id.clone()]);
        let mut next = match self.handle(first, arrived, guard, leases).await? {
            Handled::Done(Some(next)) => next,
            handled => {
                self.core.leave(&first.run_id);
                return Ok(handled);
            }
        };
        let inline = Arrived { tries: 1, age: Duration::ZERO };
        loop {
            let Next { job, closes } = next;
            touched.insert(job.run_id.clone());
            // The chain may have come to a run of another blueprint.
            let handling = self.handle(&job, inline, guard, leases);
            let handled = self.meter.on_behalf_of(&job.blueprint_id, handling).await?;
            let following = match handled {
                Handled::Done(following) => following,
                Handled::Hold(delay, _) => {
                    self.core.send_later(job, delay).await?;
                    None
                }
                Handled::Poison(_) => {
                    // Left to its own message, which is poisoned when its time has come.
                    self.core.send(vec![job]).await?;
                    None
                }
                Handled::Abandoned(why) => return Ok(Handled::Abandoned(why)),
            };
            if let Some(run) = closes {
                self.core.closed(&run).await;
            }
            match following {
                Some(following) => next = following,
                None => break,
            }
        }
        for run in touched {
            self.core.leave(&run);
        }
        Ok(Handled::Done(None))
    }

    /// Hides a message again for a reason that is not its fault.
    async fn hold(&self, receipt: Option<Receipt>, mut job: Job, delay: Duration) {
        let Some(receipt) = receipt else { return };
        job.holds = Some(job.holds.unwrap_or(0) + 1);
        let body = job.encode();
        let queue = &self.core.cluster().queue;
        let hidden = self
            .core
            .patience()
            .call(|| queue.hide(Lane::Jobs, &receipt, body.clone(), delay))
            .await;
        if let Err(error) = hidden {
            // It comes back by itself when its visibility timeout ends.
            tracing::debug!(%error, "could not hide a message");
        }
    }

    pub(crate) async fn delete(&self, receipt: &Receipt) {
        let queue = &self.core.cluster().queue;
        let deleted = self.core.patience().call(|| queue.delete(Lane::Jobs, receipt)).await;
        match deleted {
            Ok(()) => {}
            Err(error) if matches!(error.fault, Fault::ReceiptLost | Fault::NotFound) => {}
            // It comes back, and is then found done.
            Err(error) => tracing::debug!(%error, "could not delete a message"),
        }
    }
}

/// Whether trying the job again later may help.
pub(super) fn is_passing(error: &SessionError) -> bool {
    match error {
        SessionError::Cluster(error) => error.is_transient() || error.fault == Fault::Conflict,
        SessionError::Blueprint(_) => true,
        SessionError::NoSuchRun(_) | SessionError::TooLarge(..) | SessionError::RouteUnknown(_) => {
            false
        }
    }
}

/// Does something when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
