//! A cluster of fixed contents, for tests of what commands print.
#![allow(clippy::unwrap_used)]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    blueprint::{RunId, WorkerName},
    cli::output::{Format, Output},
    cluster::{
        Acquired, ChangeMark, Clock, Cluster, ClusterError, CoordinationStore, Delivery, Depth,
        Fault, Heartbeat, HeldLock, Holder, JobQueue, Key, Lane, Neighbours, Ownership, Peeked,
        ReadDocument, Receipt, Result, Service, StateStore, StatusItem, StatusPage, StatusQuery,
        Version, VersionedStatus,
    },
    engine::{Op, RunDocument, Timestamp},
};

/// What time it is on the fake cluster.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_428_784);

/// The contents of the cluster. Empty by default.
#[derive(Default, Clone)]
pub(in crate::cli) struct Fake {
    pub(super) jobs: Vec<Peeked>,
    pub(super) poison: Vec<Peeked>,
    pub(super) oldest: Option<Timestamp>,
    pub(super) statuses: Vec<StatusItem>,
    pub(super) locks: Vec<HeldLock>,
    pub(super) workers: Vec<Heartbeat>,
    /// Whether the services answer at all.
    pub(super) down: Option<Service>,
}

impl Fake {
    /// A cluster with these contents.
    pub(super) fn cluster(self) -> Cluster {
        let fake = Arc::new(self);
        Cluster {
            queue: fake.clone(),
            state: fake.clone(),
            coordination: fake,
            clock: Arc::new(FixedClock),
            neighbours: Neighbours::None,
            name: "fake".to_owned(),
        }
    }

    fn answer<T>(&self, service: Service, answer: T) -> Result<T> {
        match self.down {
            Some(down) if down == service => {
                Err(ClusterError::new(service, "answer", Fault::Unavailable, "it is down"))
            }
            _ => Ok(answer),
        }
    }
}

fn refused<T>(service: Service) -> Result<T> {
    Err(ClusterError::new(service, "do that", Fault::Refused, "the fake cluster only answers"))
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[async_trait]
impl JobQueue for Fake {
    async fn send(&self, _: Lane, _: String, _: Duration) -> Result<()> {
        refused(Service::Queue)
    }
    async fn receive(&self, _: Lane, _: usize, _: Duration) -> Result<Vec<Delivery>> {
        refused(Service::Queue)
    }
    async fn renew(&self, _: Lane, _: &Receipt, _: Duration) -> Result<Receipt> {
        refused(Service::Queue)
    }
    async fn hide(&self, _: Lane, _: &Receipt, _: String, _: Duration) -> Result<Receipt> {
        refused(Service::Queue)
    }
    async fn delete(&self, _: Lane, _: &Receipt) -> Result<()> {
        refused(Service::Queue)
    }
    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        let messages = if lane == Lane::Jobs { &self.jobs } else { &self.poison };
        self.answer(Service::Queue, messages.iter().take(max).cloned().collect())
    }
    async fn depth(&self, lane: Lane) -> Result<Depth> {
        let depth = match lane {
            Lane::Jobs => Depth { messages: self.jobs.len() as u64, oldest: self.oldest },
            Lane::Poison => Depth { messages: self.poison.len() as u64, oldest: None },
        };
        self.answer(Service::Queue, depth)
    }
}

#[async_trait]
impl StateStore for Fake {
    async fn create_document(&self, _: &RunId, _: &RunDocument) -> Result<Version> {
        refused(Service::State)
    }
    async fn read_document(&self, _: &RunId, _: Option<&Version>) -> Result<ReadDocument> {
        refused(Service::State)
    }
    async fn commit_document(
        &self,
        _: &RunId,
        _: &Version,
        _: &[Op],
        _: &RunDocument,
    ) -> Result<Version> {
        refused(Service::State)
    }
    async fn create_status(&self, _: &StatusItem) -> Result<Version> {
        refused(Service::State)
    }
    async fn read_status(&self, _: &RunId) -> Result<Option<VersionedStatus>> {
        refused(Service::State)
    }
    async fn replace_status(&self, _: &StatusItem, _: &Version) -> Result<Version> {
        refused(Service::State)
    }
    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        let mut items: Vec<VersionedStatus> = self
            .statuses
            .iter()
            .filter(|item| {
                (query.statuses.is_empty()
                    || item.status.is_some_and(|s| query.statuses.contains(&s)))
                    && (query.blueprint.is_none() || item.blueprint_id == query.blueprint)
                    && query.touched_before.is_none_or(|before| item.last_updated < before)
            })
            .map(|item| VersionedStatus { item: item.clone(), version: Version(String::new()) })
            .collect();
        items.sort_by_key(|found| std::cmp::Reverse(found.item.started_at));
        items.truncate(query.limit);
        self.answer(Service::State, StatusPage { items, mark: ChangeMark(0) })
    }
    fn document_limit(&self) -> usize {
        0
    }
}

#[async_trait]
impl CoordinationStore for Fake {
    async fn acquire(&self, _: &Key, _: &Holder, _: Duration) -> Result<Acquired> {
        refused(Service::Coordination)
    }
    async fn renew(&self, _: &Key, _: &Holder, _: Duration) -> Result<Ownership> {
        refused(Service::Coordination)
    }
    async fn release(&self, _: &Key, _: &Holder) -> Result<Ownership> {
        refused(Service::Coordination)
    }
    async fn break_lock(&self, _: &Key, _: &str) -> Result<Ownership> {
        refused(Service::Coordination)
    }
    async fn get(&self, _: &Key) -> Result<Option<String>> {
        refused(Service::Coordination)
    }
    async fn set_if_absent(&self, _: &Key, _: &str, _: Duration) -> Result<bool> {
        refused(Service::Coordination)
    }
    async fn increment(&self, _: &Key, _: Duration) -> Result<u64> {
        refused(Service::Coordination)
    }
    async fn remove(&self, _: &[Key]) -> Result<()> {
        refused(Service::Coordination)
    }
    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        self.answer(Service::Coordination, self.locks.iter().take(limit).cloned().collect())
    }
    async fn beat(&self, _: &Heartbeat, _: Duration) -> Result<()> {
        refused(Service::Coordination)
    }
    async fn leave(&self, _: &WorkerName) -> Result<()> {
        refused(Service::Coordination)
    }
    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        self.answer(Service::Coordination, self.workers.clone())
    }
}

/// What a command printed.
#[derive(Clone, Default)]
pub(in crate::cli) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    /// An output whose text ends up here.
    pub(in crate::cli) fn output(&self, format: Format) -> Output {
        Output::to(self.clone(), format)
    }

    /// The text so far.
    pub(in crate::cli) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The text so far as JSON.
    pub(in crate::cli) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
