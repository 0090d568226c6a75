//! A cluster of which single calls go as a test wants: they fail, take effect and fail, hang or
//! come late. Every call is counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use flowcraft_tui::{
    blueprint::{RunId, WorkerName},
    cluster::{
        Acquired, Cluster, ClusterError, CoordinationStore, Delivery, Depth, Fault, Heartbeat,
        HeldLock, Holder, Job, JobQueue, Key, Lane, Ownership, Peeked, ReadDocument, Receipt,
        Result, Service, StateStore, StatusItem, StatusPage, StatusQuery, Version, VersionedStatus,
    },
    engine::{Measure, Op, RunDocument},
    worker::WorkerConfig,
};

use crate::stage::{Stage, alone};

/// What a call is about.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method.
    pub(crate) name: &'static str,
    /// The run, key, message or job.
    pub(crate) about: String,
    /// The job that is sent, if it is one.
    pub(crate) job: Option<Job>,
    /// The document that a commit leads to.
    pub(crate) after: Option<RunDocument>,
}

/// How a call goes.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// As it should.
    Goes,
    /// Nothing happens, and it fails.
    Fails(Fault),
    /// It takes effect, and fails.
    AnswerLost,
    /// Nothing happens, and it never returns.
    Hangs,
    /// It takes effect, and never returns.
    HangsAfter,
    /// It takes effect after a while.
    Late(Duration),
}

/// A worker that dies once it has made the commit that fits, before it can do anything else.
pub(crate) async fn dies_after(
    stage: &mut Stage,
    fits: impl Fn(&RunDocument) -> bool + Send + 'static,
) {
    dies_as(stage, alone("dying"), fits).await;
}

/// Likewise, a worker of a given configuration.
pub(crate) async fn dies_as(
    stage: &mut Stage,
    config: WorkerConfig,
    fits: impl Fn(&RunDocument) -> bool + Send + 'static,
) {
    let reached = Arc::new(Mutex::new(false));
    let noted = reached.clone();
    let dying = Tampered::new(&stage.cluster, move |call| {
        let mut reached = noted.lock().unwrap();
        *reached |= call.after.as_ref().is_some_and(&fits);
        // Whatever else it was about to do stays undone.
        match (*reached, call.name) {
            (false, _) => Fate::Goes,
            (true, "commit") => Fate::HangsAfter,
            (true, _) => Fate::Hangs,
        }
    });
    stage.run_worker(&stage.make_worker_on(dying.cluster(), config));
    let began = Instant::now();
    while !*reached.lock().unwrap() {
        assert!(began.elapsed() < Duration::from_hours(1), "it lives");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.crash().await;
}

type Script = Box<dyn FnMut(&Call) -> Fate + Send>;

/// A cluster seen through a script.
pub(crate) struct Tampered {
    inner: Cluster,
    script: Mutex<Script>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Tampered {
    /// A cluster whose calls go as `script` says.
    pub(crate) fn new(
        inner: &Cluster,
        script: impl FnMut(&Call) -> Fate + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            script: Mutex::new(Box::new(script)),
            counts: Mutex::default(),
        })
    }

    /// A cluster that only counts calls.
    pub(crate) fn counting(inner: &Cluster) -> Arc<Self> {
        Self::new(inner, |_| Fate::Goes)
    }

    /// The cluster.
    pub(crate) fn cluster(self: &Arc<Self>) -> Cluster {
        Cluster {
            queue: self.clone(),
            state: self.clone(),
            coordination: self.clone(),
            clock: self.inner.clock.clone(),
            neighbours: self.inner.neighbours,
            name: self.inner.name.clone(),
        }
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, name: &str) -> usize {
        self.counts.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    async fn through<T>(
        &self,
        service: Service,
        call: Call,
        does: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        *self.counts.lock().unwrap().entry(call.name).or_default() += 1;
        let fate = (self.script.lock().unwrap())(&call);
        let error = |fault| ClusterError::new(service, call.name, fault, "as the test wants");
        match fate {
            Fate::Goes => does.await,
            Fate::Fails(fault) => Err(error(fault)),
            Fate::AnswerLost => {
                does.await?;
                Err(error(Fault::Unavailable))
            }
            Fate::Hangs => std::future::pending().await,
            Fate::HangsAfter => {
                does.await?;
                std::future::pending().await
            }
            Fate::Late(time) => {
                tokio::time::sleep(time).await;
                does.await
            }
        }
    }

    async fn queue<T>(
        &self,
        name: &'static str,
        body: Option<&str>,
        does: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let job = body.and_then(|body| Job::decode(body).ok());
        let about = job.as_ref().map(|job| job.node_id.to_string()).unwrap_or_default();
        self.through(Service::Queue, Call { name, about, job, after: None }, does).await
    }

    async fn state<T>(
        &self,
        name: &'static str,
        run: &RunId,
        after: Option<&RunDocument>,
        does: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let call = Call { name, about: run.to_string(), job: None, after: after.cloned() };
        self.through(Service::State, call, does).await
    }

    async fn key<T>(
        &self,
        name: &'static str,
        key: &str,
        does: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let call = Call { name, about: key.to_owned(), job: None, after: None };
        self.through(Service::Coordination, call, does).await
    }
}

#[async_trait]
impl JobQueue for Tampered {
    fn name(&self) -> &str {
        self.inner.queue.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let name = if lane == Lane::Jobs { "send" } else { "send_poison" };
        let queue = &self.inner.queue;
        self.queue(name, Some(&body.clone()), queue.send(lane, body, delay)).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        self.queue("receive", None, self.inner.queue.receive(lane, max, visibility)).await
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.queue("renew_message", None, self.inner.queue.renew(lane, receipt, visibility)).await
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        let queue = &self.inner.queue;
        self.queue("hide", Some(&body.clone()), queue.hide(lane, receipt, body, visibility)).await
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        self.queue("delete", None, self.inner.queue.delete(lane, receipt)).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        self.queue("peek", None, self.inner.queue.peek(lane, max)).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        self.queue("depth", None, self.inner.queue.depth(lane)).await
    }
}

#[async_trait]
impl StateStore for Tampered {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        let does = self.inner.state.create_document(run, document);
        self.state("create_document", run, Some(document), does).await
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        self.state("read_document", run, None, self.inner.state.read_document(run, known)).await
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        let does = self.inner.state.commit_document(run, expected, ops, after);
        self.state("commit", run, Some(after), does).await
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        let does = self.inner.state.create_status(item);
        self.state("create_status", &item.run_id, None, does).await
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        self.state("read_status", run, None, self.inner.state.read_status(run)).await
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        let does = self.inner.state.replace_status(item, expected);
        self.state("replace_status", &item.run_id, None, does).await
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        let does = self.inner.state.list_statuses(query);
        self.state("list_statuses", &RunId::from("-"), None, does).await
    }

    fn document_limit(&self) -> usize {
        self.inner.state.document_limit()
    }

    fn measure(&self) -> Measure {
        self.inner.state.measure()
    }
}

#[async_trait]
impl CoordinationStore for Tampered {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        let does = self.inner.coordination.acquire(key, holder, ttl);
        self.key("acquire", key.as_str(), does).await
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        let does = self.inner.coordination.renew(key, holder, ttl);
        self.key("renew_lease", key.as_str(), does).await
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        self.key("release", key.as_str(), self.inner.coordination.release(key, holder)).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        self.key("break_lock", key.as_str(), self.inner.coordination.break_lock(key, value)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        self.key("get", key.as_str(), self.inner.coordination.get(key)).await
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        let does = self.inner.coordination.set_if_absent(key, value, ttl);
        self.key("set_if_absent", key.as_str(), does).await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        self.key("increment", key.as_str(), self.inner.coordination.increment(key, ttl)).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        let all: Vec<&str> = keys.iter().map(Key::as_str).collect();
        self.key("remove", &all.join(" "), self.inner.coordination.remove(keys)).await
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        self.key("locks", "", self.inner.coordination.locks(limit)).await
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        self.key("beat", heartbeat.name.as_str(), self.inner.coordination.beat(heartbeat, ttl))
            .await
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        self.key("leave", worker.as_str(), self.inner.coordination.leave(worker)).await
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        self.key("workers", "", self.inner.coordination.workers()).await
    }
}
