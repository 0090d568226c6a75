//! A cluster of fakes for tests: what it holds is set, and it can be told to fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking::Shared;

use crate::{
    blueprint::{RunId, WorkerName},
    cluster::{
        Acquired, ChangeMark, Cluster, ClusterError, CoordinationStore, Delivery, Depth, Fault,
        Heartbeat, HeldLock, Holder, JobQueue, Key, Lane, Neighbours, Ownership, Peeked,
        ReadDocument, Receipt, Result, Service, StateStore, StatusItem, StatusPage, StatusQuery,
        TokioClock, Version, VersionedStatus,
    },
    engine::{Op, RunDocument, Timestamp},
};

mod parking {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// A mutex that a panicking test does not poison.
    #[derive(Default)]
    pub(crate) struct Shared<T>(Mutex<T>);

    impl<T> Shared<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// What the cluster holds.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) depth: u64,
    pub(crate) poison: u64,
    pub(crate) statuses: Vec<(i64, StatusItem)>,
    pub(crate) document: Option<(RunDocument, Vec<Op>, u64)>,
    pub(crate) locks: Vec<HeldLock>,
    pub(crate) workers: Vec<Heartbeat>,
    /// The services that fail.
    pub(crate) away: Vec<Service>,
    /// Whether the queue never answers.
    pub(crate) hangs: bool,
}

/// All three services in one.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) held: Shared<Held>,
    pub(crate) looks: AtomicUsize,
}

impl Fake {
    pub(crate) fn cluster(self: &Arc<Self>) -> Cluster {
        Cluster {
            queue: self.clone(),
            state: self.clone(),
            coordination: self.clone(),
            clock: Arc::new(TokioClock::starting_at(Timestamp::from_seconds(1_800_000_000))),
            neighbours: Neighbours::None,
            name: "fake".to_owned(),
        }
    }

    fn check(&self, service: Service) -> Result<()> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        if self.held.lock().away.contains(&service) {
            return Err(ClusterError::new(service, "look", Fault::Unavailable, "it is away"));
        }
        Ok(())
    }
}

fn refused<T>() -> Result<T> {
    Err(ClusterError::new(Service::Queue, "change", Fault::Refused, "a monitor only looks"))
}

#[async_trait]
impl JobQueue for Fake {
    async fn send(&self, _: Lane, _: String, _: Duration) -> Result<()> {
        refused()
    }
    async fn receive(&self, _: Lane, _: usize, _: Duration) -> Result<Vec<Delivery>> {
        refused()
    }
    async fn renew(&self, _: Lane, _: &Receipt, _: Duration) -> Result<Receipt> {
        refused()
    }
    async fn hide(&self, _: Lane, _: &Receipt, _: String, _: Duration) -> Result<Receipt> {
        refused()
    }
    async fn delete(&self, _: Lane, _: &Receipt) -> Result<()> {
        refused()
    }
    async fn peek(&self, lane: Lane, _: usize) -> Result<Vec<Peeked>> {
        self.check(Service::Queue)?;
        let message = Peeked {
            message_id: "m1".to_owned(),
            body: "not a job".to_owned(),
            dequeue_count: 1,
            inserted_at: Timestamp::from_seconds(1_799_999_990),
        };
        Ok(if lane == Lane::Poison { vec![message] } else { Vec::new() })
    }
    async fn depth(&self, lane: Lane) -> Result<Depth> {
        self.check(Service::Queue)?;
        if self.held.lock().hangs {
            std::future::pending::<()>().await;
        }
        let held = self.held.lock();
        let messages = if lane == Lane::Jobs { held.depth } else { held.poison };
        Ok(Depth { messages, oldest: None })
    }
}

#[async_trait]
impl StateStore for Fake {
    async fn create_document(&self, _: &RunId, _: &RunDocument) -> Result<Version> {
        refused()
    }
    async fn read_document(&self, _: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        self.check(Service::State)?;
        let held = self.held.lock();
        let Some((document, ops, version)) = &held.document else {
            return Ok(ReadDocument::Missing);
        };
        let now = Version(version.to_string());
        Ok(match known {
            Some(known) if *known == now => ReadDocument::Unchanged,
            Some(_) => ReadDocument::Changes(ops.clone(), now),
            None => ReadDocument::Whole(Box::new(document.clone()), now),
        })
    }
    async fn commit_document(
        &self,
        _: &RunId,
        _: &Version,
        _: &[Op],
        _: &RunDocument,
    ) -> Result<Version> {
        refused()
    }
    async fn create_status(&self, _: &StatusItem) -> Result<Version> {
        refused()
    }
    async fn read_status(&self, _: &RunId) -> Result<Option<VersionedStatus>> {
        refused()
    }
    async fn replace_status(&self, _: &StatusItem, _: &Version) -> Result<Version> {
        refused()
    }
    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        self.check(Service::State)?;
        let held = self.held.lock();
        let after = query.changed_after.map(|mark| mark.0);
        let fitting: Vec<_> = held
            .statuses
            .iter()
            .filter(|(at, item)| {
                after.is_none_or(|after| *at >= after)
                    && (query.statuses.is_empty()
                        || item.status.is_some_and(|status| query.statuses.contains(&status)))
            })
            .take(query.limit)
            .collect();
        let mark = fitting.iter().map(|(at, _)| *at).max().or(after).unwrap_or(0);
        let items = fitting.into_iter().map(|(at, item)| VersionedStatus {
            item: item.clone(),
            version: Version(at.to_string()),
        });
        Ok(StatusPage { items: items.collect(), mark: ChangeMark(mark) })
    }
    fn document_limit(&self) -> usize {
        usize::MAX
    }
}

#[async_trait]
impl CoordinationStore for Fake {
    async fn acquire(&self, _: &Key, _: &Holder, _: Duration) -> Result<Acquired> {
        refused()
    }
    async fn renew(&self, _: &Key, _: &Holder, _: Duration) -> Result<Ownership> {
        refused()
    }
    async fn release(&self, _: &Key, _: &Holder) -> Result<Ownership> {
        refused()
    }
    async fn break_lock(&self, _: &Key, _: &str) -> Result<Ownership> {
        refused()
    }
    async fn get(&self, _: &Key) -> Result<Option<String>> {
        refused()
    }
    async fn set_if_absent(&self, _: &Key, _: &str, _: Duration) -> Result<bool> {
        refused()
    }
    async fn increment(&self, _: &Key, _: Duration) -> Result<u64> {
        refused()
    }
    async fn remove(&self, _: &[Key]) -> Result<()> {
        refused()
    }
    async fn locks(&self, _: usize) -> Result<Vec<HeldLock>> {
        self.check(Service::Coordination)?;
        Ok(self.held.lock().locks.clone())
    }
    async fn beat(&self, _: &Heartbeat, _: Duration) -> Result<()> {
        refused()
    }
    async fn leave(&self, _: &WorkerName) -> Result<()> {
        refused()
    }
    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        self.check(Service::Coordination)?;
        Ok(self.held.lock().workers.clone())
    }
}
