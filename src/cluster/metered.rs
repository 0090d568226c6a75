//! A store of which each call counts as a request, for clusters without a network: what their calls
//! are worth is how many there are.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Acquired, CoordinationStore, Delivery, Depth, Heartbeat, HeldLock, Holder, JobQueue, Key, Lane,
    Ownership, Peeked, ReadDocument, Receipt, Result, Service, StateStore, StatusItem, StatusPage,
    StatusQuery, Version, VersionedStatus, meter::Request,
};
use crate::{
    blueprint::{RunId, WorkerName},
    engine::{Measure, Op, RunDocument},
};

/// The store, and all it is asked counted.
pub(super) struct Metered<T>(Arc<T>);

impl<T> Metered<T> {
    pub(super) fn over(store: Arc<T>) -> Arc<Self> {
        Arc::new(Self(store))
    }
}

async fn counted<T>(service: Service, call: impl Future<Output = T>) -> T {
    let _request = Request::to(service);
    call.await
}

async fn queue<T>(call: impl Future<Output = T>) -> T {
    counted(Service::Queue, call).await
}

async fn state<T>(call: impl Future<Output = T>) -> T {
    counted(Service::State, call).await
}

async fn coordination<T>(call: impl Future<Output = T>) -> T {
    counted(Service::Coordination, call).await
}

#[async_trait]
impl<S: JobQueue> JobQueue for Metered<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        queue(self.0.send(lane, body, delay)).await
    }

    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        queue(self.0.send_all(lane, bodies)).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        queue(self.0.receive(lane, max, visibility)).await
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        queue(self.0.renew(lane, receipt, visibility)).await
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        queue(self.0.hide(lane, receipt, body, visibility)).await
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        queue(self.0.delete(lane, receipt)).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        queue(self.0.peek(lane, max)).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        queue(self.0.depth(lane)).await
    }
}

#[async_trait]
impl<S: StateStore> StateStore for Metered<S> {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        state(self.0.create_document(run, document)).await
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        state(self.0.read_document(run, known)).await
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        state(self.0.commit_document(run, expected, ops, after)).await
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        state(self.0.create_status(item)).await
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        state(self.0.read_status(run)).await
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        state(self.0.replace_status(item, expected)).await
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        state(self.0.list_statuses(query)).await
    }

    fn document_limit(&self) -> usize {
        self.0.document_limit()
    }

    fn measure(&self) -> Measure {
        self.0.measure()
    }
}

#[async_trait]
impl<S: CoordinationStore> CoordinationStore for Metered<S> {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        coordination(self.0.acquire(key, holder, ttl)).await
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        coordination(self.0.renew(key, holder, ttl)).await
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        coordination(self.0.release(key, holder)).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        coordination(self.0.break_lock(key, value)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        coordination(self.0.get(key)).await
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        coordination(self.0.set_if_absent(key, value, ttl)).await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        coordination(self.0.increment(key, ttl)).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        coordination(self.0.remove(keys)).await
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        coordination(self.0.locks(limit)).await
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        coordination(self.0.beat(heartbeat, ttl)).await
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        coordination(self.0.leave(worker)).await
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        coordination(self.0.workers()).await
    }
}
