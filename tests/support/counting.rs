//! A cluster that counts the calls to its services and takes a moment for each, as a real one does.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{RunId, WorkerName},
    cluster::{
        Acquired, Cluster, CoordinationStore, Delivery, Depth, Heartbeat, HeldLock, Holder,
        JobQueue, Key, Lane, Ownership, Peeked, ReadDocument, Receipt, Result, StateStore,
        StatusItem, StatusPage, StatusQuery, Version, VersionedStatus,
    },
    engine::{Measure, Op, RunDocument},
};

/// How often each call was made, by service and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls(BTreeMap<(&'static str, &'static str), u64>);

impl Calls {
    /// How often calls to one service were made.
    pub(crate) fn of(&self, service: &str) -> u64 {
        self.0.iter().filter(|((of, _), _)| *of == service).map(|(_, count)| count).sum()
    }

    /// How often one call was made.
    pub(crate) fn count(&self, service: &'static str, call: &'static str) -> u64 {
        self.0.get(&(service, call)).copied().unwrap_or(0)
    }
}

/// Counts the calls that pass through it.
#[derive(Clone)]
pub(crate) struct Counting {
    inner: Cluster,
    latency: Duration,
    calls: Arc<Mutex<Calls>>,
}

impl Counting {
    /// Counts the calls to a cluster, each of which takes `latency`.
    pub(crate) fn new(inner: Cluster, latency: Duration) -> Self {
        Self { inner, latency, calls: Arc::default() }
    }

    /// The cluster that is counted.
    pub(crate) fn cluster(&self) -> Cluster {
        let counting = Arc::new(self.clone());
        Cluster {
            queue: counting.clone(),
            state: counting.clone(),
            coordination: counting,
            clock: self.inner.clock.clone(),
            neighbours: self.inner.neighbours,
            name: self.inner.name.clone(),
        }
    }

    /// What was called so far.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap().clone()
    }

    async fn call<T>(
        &self,
        service: &'static str,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.count(service, name, 1);
        tokio::time::sleep(self.latency / 2).await;
        let answer = call.await;
        tokio::time::sleep(self.latency / 2).await;
        answer
    }

    fn count(&self, service: &'static str, name: &'static str, times: u64) {
        if times > 0 {
            *self.calls.lock().unwrap().0.entry((service, name)).or_default() += times;
        }
    }
}

#[async_trait]
impl JobQueue for Counting {
    fn name(&self) -> &str {
        self.inner.queue.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        self.call("queue", "send", self.inner.queue.send(lane, body, delay)).await
    }

    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        // A request each, all under way together.
        self.count("queue", "send", bodies.len().saturating_sub(1) as u64);
        self.call("queue", "send", self.inner.queue.send_all(lane, bodies)).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        tokio::time::sleep(self.latency / 2).await;
        let received = self.inner.queue.receive(lane, max, visibility).await;
        tokio::time::sleep(self.latency / 2).await;
        // Looking at an empty queue is the price of waiting, not of a job.
        let found = received.as_ref().is_ok_and(|deliveries| !deliveries.is_empty());
        self.count("queue", "receive", u64::from(found));
        received
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.call("queue", "renew", self.inner.queue.renew(lane, receipt, visibility)).await
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        self.call("queue", "hide", self.inner.queue.hide(lane, receipt, body, visibility)).await
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        self.call("queue", "delete", self.inner.queue.delete(lane, receipt)).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        self.call("queue", "peek", self.inner.queue.peek(lane, max)).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        self.call("queue", "depth", self.inner.queue.depth(lane)).await
    }
}

#[async_trait]
impl StateStore for Counting {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        self.call("state", "create_document", self.inner.state.create_document(run, document)).await
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        self.call("state", "read_document", self.inner.state.read_document(run, known)).await
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        let commit = self.inner.state.commit_document(run, expected, ops, after);
        self.call("state", "commit_document", commit).await
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        self.call("state", "create_status", self.inner.state.create_status(item)).await
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        self.call("state", "read_status", self.inner.state.read_status(run)).await
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        self.call("state", "replace_status", self.inner.state.replace_status(item, expected)).await
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        self.call("state", "list_statuses", self.inner.state.list_statuses(query)).await
    }

    fn document_limit(&self) -> usize {
        self.inner.state.document_limit()
    }

    fn measure(&self) -> Measure {
        self.inner.state.measure()
    }
}

#[async_trait]
impl CoordinationStore for Counting {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        let acquire = self.inner.coordination.acquire(key, holder, ttl);
        self.call("coordination", "acquire", acquire).await
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        self.call("coordination", "renew", self.inner.coordination.renew(key, holder, ttl)).await
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        self.call("coordination", "release", self.inner.coordination.release(key, holder)).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        let broken = self.inner.coordination.break_lock(key, value);
        self.call("coordination", "break_lock", broken).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        self.call("coordination", "get", self.inner.coordination.get(key)).await
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        let set = self.inner.coordination.set_if_absent(key, value, ttl);
        self.call("coordination", "set_if_absent", set).await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        self.call("coordination", "increment", self.inner.coordination.increment(key, ttl)).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        self.call("coordination", "remove", self.inner.coordination.remove(keys)).await
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        self.call("coordination", "locks", self.inner.coordination.locks(limit)).await
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        self.call("coordination", "beat", self.inner.coordination.beat(heartbeat, ttl)).await
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        self.call("coordination", "leave", self.inner.coordination.leave(worker)).await
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        self.call("coordination", "workers", self.inner.coordination.workers()).await
    }
}
