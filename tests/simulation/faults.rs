//! A cluster that goes wrong: calls are slow, fail, or take effect and fail; messages come late and
//! twice; workers die in the middle of a call.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{RunId, WorkerName},
    cluster::*,
    engine::{Measure, NodeState, Op, RunDocument},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio_util::sync::CancellationToken;

/// How often things go wrong, each from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// A call fails without effect.
    pub(crate) fails: f64,
    /// A call takes effect and its answer is lost.
    pub(crate) answer_lost: f64,
    /// A call takes longer than a lease.
    pub(crate) stalls: f64,
    /// The process dies in a call.
    pub(crate) dies: f64,
    /// A message is sent twice.
    pub(crate) duplicated: f64,
    /// A message comes late.
    pub(crate) delayed: f64,
}

/// What all the views of one faulty cluster share.
pub(crate) struct World {
    random: Mutex<SmallRng>,
    rates: Rates,
    /// Whether things go wrong at present.
    pub(crate) stormy: AtomicBool,
    /// Who completed each node in each iteration and generation of each run: one alone.
    completions: Mutex<HashMap<(RunId, String, u32, u32), String>>,
    /// What has been seen that must never be.
    pub(crate) violations: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, rates: Rates) -> Arc<Self> {
        Arc::new(Self {
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            rates,
            stormy: AtomicBool::new(true),
            completions: Mutex::default(),
            violations: Mutex::default(),
        })
    }

    fn chance(&self, rate: f64) -> bool {
        self.stormy.load(Ordering::Relaxed) && self.random.lock().unwrap().random_bool(rate)
    }

    pub(crate) fn random<T>(&self, choose: impl FnOnce(&mut SmallRng) -> T) -> T {
        choose(&mut self.random.lock().unwrap())
    }

    /// Checks that no node is completed twice in one iteration and generation.
    fn note_completions(&self, run: &RunId, ops: &[Op]) {
        let mut completions = self.completions.lock().unwrap();
        for op in ops {
            let Op::Node(node, entry) = op else { continue };
            let (NodeState::Completed, Some(by)) = (entry.state, entry.by.clone()) else {
                continue;
            };
            let turn = (run.clone(), node.to_string(), entry.iteration, entry.generation);
            let first = completions.entry(turn).or_insert_with(|| by.clone());
            if *first != by {
                self.violations
                    .lock()
                    .unwrap()
                    .push(format!("run {run}: node {node} was completed by {first} and by {by}"));
            }
        }
    }

    /// The cluster as one process sees it. `dies` is cancelled when the process is to die; without
    /// it, it lives on.
    pub(crate) fn view(
        self: &Arc<Self>,
        cluster: &Cluster,
        dies: Option<CancellationToken>,
    ) -> Cluster {
        let faulty = Arc::new(Faulty { world: self.clone(), inner: cluster.clone(), dies });
        Cluster {
            queue: faulty.clone(),
            state: faulty.clone(),
            coordination: faulty,
            clock: cluster.clock.clone(),
            neighbours: cluster.neighbours,
            name: cluster.name.clone(),
        }
    }
}

struct Faulty {
    world: Arc<World>,
    inner: Cluster,
    dies: Option<CancellationToken>,
}

impl Faulty {
    /// Makes a call, or not, or makes it and says it failed.
    async fn call<T>(
        &self,
        service: Service,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let world = &self.world;
        let rates = world.rates;
        let unavailable =
            || ClusterError::new(service, "simulate", Fault::Unavailable, "a simulated fault");
        let latency = world.random(|random| random.random_range(0..15));
        tokio::time::sleep(Duration::from_millis(latency)).await;
        if world.chance(rates.stalls) {
            tokio::time::sleep(Duration::from_secs(90)).await;
        }
        if world.chance(rates.dies) {
            self.die().await;
        }
        if world.chance(rates.fails) {
            return Err(unavailable());
        }
        let answer = call.await;
        if world.chance(rates.dies) {
            self.die().await;
        }
        let latency = world.random(|random| random.random_range(0..15));
        tokio::time::sleep(Duration::from_millis(latency)).await;
        if answer.is_ok() && world.chance(rates.answer_lost) {
            return Err(unavailable());
        }
        answer
    }

    async fn die(&self) {
        if let Some(dies) = &self.dies {
            dies.cancel();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl JobQueue for Faulty {
    fn name(&self) -> &str {
        self.inner.queue.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let queue = &self.inner.queue;
        let lag = if self.world.chance(self.world.rates.delayed) {
            Duration::from_secs(self.world.random(|random| random.random_range(1..200)))
        } else {
            Duration::ZERO
        };
        if lane == Lane::Jobs && self.world.chance(self.world.rates.duplicated) {
            let again =
                Duration::from_millis(self.world.random(|random| random.random_range(0..90_000)));
            queue.send(lane, body.clone(), delay + again).await?;
        }
        self.call(Service::Queue, queue.send(lane, body, delay + lag)).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        self.call(Service::Queue, self.inner.queue.receive(lane, max, visibility)).await
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.call(Service::Queue, self.inner.queue.renew(lane, receipt, visibility)).await
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        self.call(Service::Queue, self.inner.queue.hide(lane, receipt, body, visibility)).await
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        self.call(Service::Queue, self.inner.queue.delete(lane, receipt)).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        self.call(Service::Queue, self.inner.queue.peek(lane, max)).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        self.call(Service::Queue, self.inner.queue.depth(lane)).await
    }
}

#[async_trait]
impl StateStore for Faulty {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        self.call(Service::State, self.inner.state.create_document(run, document)).await
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        self.call(Service::State, self.inner.state.read_document(run, known)).await
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        let commit = async {
            let version = self.inner.state.commit_document(run, expected, ops, after).await?;
            self.world.note_completions(run, ops);
            Ok(version)
        };
        self.call(Service::State, commit).await
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        self.call(Service::State, self.inner.state.create_status(item)).await
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        self.call(Service::State, self.inner.state.read_status(run)).await
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        self.call(Service::State, self.inner.state.replace_status(item, expected)).await
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        self.call(Service::State, self.inner.state.list_statuses(query)).await
    }

    fn document_limit(&self) -> usize {
        self.inner.state.document_limit()
    }

    fn measure(&self) -> Measure {
        self.inner.state.measure()
    }
}

#[async_trait]
impl CoordinationStore for Faulty {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        self.call(Service::Coordination, self.inner.coordination.acquire(key, holder, ttl)).await
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        self.call(Service::Coordination, self.inner.coordination.renew(key, holder, ttl)).await
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        self.call(Service::Coordination, self.inner.coordination.release(key, holder)).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        self.call(Service::Coordination, self.inner.coordination.break_lock(key, value)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        self.call(Service::Coordination, self.inner.coordination.get(key)).await
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        self.call(Service::Coordination, self.inner.coordination.set_if_absent(key, value, ttl))
            .await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        self.call(Service::Coordination, self.inner.coordination.increment(key, ttl)).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        self.call(Service::Coordination, self.inner.coordination.remove(keys)).await
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        self.call(Service::Coordination, self.inner.coordination.locks(limit)).await
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        self.call(Service::Coordination, self.inner.coordination.beat(heartbeat, ttl)).await
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        self.call(Service::Coordination, self.inner.coordination.leave(worker)).await
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        self.call(Service::Coordination, self.inner.coordination.workers()).await
    }
}
