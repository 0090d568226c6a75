//! A stage for tests: blueprints in a short form, workers on a cluster, every start of a node
//! written down, and calls to the cluster that go as the test wants.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, Library, NodeId, RunId, sanitize},
    cluster::{
        Cluster, DeadLetter, Delivery, Job, Lane, ReadDocument, StatusItem, TokioClock,
        memory_cluster,
    },
    engine::{Answer, Entry, NodeState, Op, RunDocument, RunStatus, Timestamp},
    nodes::{Node, NodeContext, NodeError, NodeOutput, Registry},
    operations::{Lint, OperationError, Operations, RunView, StartRequest},
    worker::{Worker, WorkerConfig},
};
use serde_json::{Map, Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::registry;

/// A blueprint in short form: nodes as `[id, uses, params?, config?, inputs?]`, edges as `[source,
/// target, {action, condition, transform}?]`.
pub(crate) fn blueprint(id: &str, nodes: &Value, edges: &Value) -> Blueprint {
    versioned(id, None, nodes, edges)
}

/// A blueprint in short form, with a version.
pub(crate) fn versioned(
    id: &str,
    version: Option<&str>,
    nodes: &Value,
    edges: &Value,
) -> Blueprint {
    let nodes: Vec<Value> = list(nodes)
        .map(|node| {
            let mut made = json!({
                "id": node[0], "uses": node[1], "params": or_empty(&node[2]),
                "config": or_empty(&node[3]),
            });
            if !node[4].is_null() {
                made["inputs"] = node[4].clone();
            }
            made
        })
        .collect();
    let edges: Vec<Value> = list(edges)
        .map(|edge| {
            let mut made = or_empty(&edge[2]);
            made["source"] = edge[0].clone();
            made["target"] = edge[1].clone();
            made
        })
        .collect();
    let metadata = version.map_or_else(|| json!({}), |version| json!({"version": version}));
    sanitize(json!({"id": id, "nodes": nodes, "edges": edges, "metadata": metadata})).unwrap()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

/// One start of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    pub(crate) run: RunId,
    pub(crate) node: String,
    pub(crate) attempt: u32,
    pub(crate) iteration: u32,
    pub(crate) key: String,
    pub(crate) at: Instant,
}

/// All starts, in order.
pub(crate) type Starts = Arc<Mutex<Vec<Start>>>;

struct Noted {
    node: Arc<dyn Node>,
    starts: Starts,
}

#[async_trait]
impl Node for Noted {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let execution = context.execution();
        self.starts.lock().unwrap().push(Start {
            run: execution.run_id.clone(),
            node: execution.node_id.to_string(),
            attempt: execution.attempt,
            iteration: execution.iteration,
            key: execution.idempotency_key.clone(),
            at: Instant::now(),
        });
        self.node.run(context).await
    }
}

/// Takes the time that `params.ms` says, then gives its input back.
struct Busy;

#[async_trait]
impl Node for Busy {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let time = context.param("ms").and_then(Value::as_u64).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(time)).await;
        Ok(NodeOutput::value(context.input().cloned().unwrap_or(Value::Null)))
    }
}

/// A cluster with the blueprints, the nodes and the operator of one test.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) library: Library,
    pub(crate) registry: Registry,
    pub(crate) operations: Operations,
    pub(crate) starts: Starts,
    first: Blueprint,
    workers: JoinSet<()>,
}

impl Stage {
    /// In memory, on tokio's clock. The first blueprint is the one that is started.
    pub(crate) fn new(blueprints: Vec<Blueprint>) -> Self {
        let clock = TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000));
        Self::on(memory_cluster(Arc::new(clock)), blueprints)
    }

    /// A blueprint in short form, in memory.
    pub(crate) fn of(nodes: &Value, edges: &Value) -> Self {
        Self::new(vec![blueprint("b", nodes, edges)])
    }

    /// On any cluster.
    pub(crate) fn on(cluster: Cluster, blueprints: Vec<Blueprint>) -> Self {
        let first = blueprints[0].clone();
        let library = Library::fixed(blueprints);
        let operations = Operations::new(cluster.clone(), library.clone(), "operator");
        let stage = Self {
            cluster,
            library,
            registry: Registry::new(),
            operations,
            starts: Starts::default(),
            first,
            workers: JoinSet::new(),
        };
        let nodes = registry::registry().with("busy", Busy);
        let names: Vec<String> = nodes.names().map(str::to_owned).collect();
        names.into_iter().fold(stage, |stage, name| {
            let node = nodes.get(&name).unwrap().clone();
            stage.with_node(&name, node)
        })
    }

    /// With one more kind of node.
    pub(crate) fn with_node(mut self, name: &str, node: Arc<dyn Node>) -> Self {
        let starts = self.starts.clone();
        self.registry.insert(name, Arc::new(Noted { node, starts }));
        self
    }

    /// With one more kind of node.
    pub(crate) fn with_fn(
        self,
        name: &str,
        function: impl Fn(&mut NodeContext) -> Result<NodeOutput, NodeError> + Send + Sync + 'static,
    ) -> Self {
        let node = Registry::new().with_fn("f", function).get("f").unwrap().clone();
        self.with_node(name, node)
    }

    /// A worker that nobody runs yet.
    pub(crate) fn make_worker(&self, config: WorkerConfig) -> Worker {
        self.make_worker_on(self.cluster.clone(), config)
    }

    /// A worker that sees the cluster in its own way.
    pub(crate) fn make_worker_on(&self, cluster: Cluster, config: WorkerConfig) -> Worker {
        let config = WorkerConfig { seed: config.seed.or(Some(7)), ..config };
        Worker::new(cluster, self.library.clone(), self.registry.clone(), config)
    }

    /// Runs a worker until the stage is gone.
    pub(crate) fn run_worker(&mut self, worker: &Worker) {
        let worker = worker.clone();
        self.workers.spawn(async move { worker.run().await });
    }

    /// Runs a worker that does not reconcile.
    pub(crate) fn worker(&mut self, name: &str) -> Worker {
        let worker = self.make_worker(alone(name));
        self.run_worker(&worker);
        worker
    }

    /// Stops all workers where they are, as a crash would.
    pub(crate) async fn crash(&mut self) {
        self.workers.shutdown().await;
    }

    /// Starts a run called `r` without input.
    pub(crate) async fn start(&self) -> RunId {
        self.start_with(&json!({})).await
    }

    /// Starts a run called `r`.
    pub(crate) async fn start_with(&self, input: &Value) -> RunId {
        self.operations.start(self.request("r", input)).await.unwrap().run
    }

    /// What starts a run of the first blueprint.
    pub(crate) fn request(&self, run: &str, input: &Value) -> StartRequest {
        StartRequest {
            blueprint: self.first.id.clone(),
            input: input.as_object().cloned().unwrap_or_default(),
            run: Some(run.to_owned()),
            lint: Lint::Overlook,
        }
    }

    /// Starts a run, plays it with one worker, and returns it when nothing of it moves.
    pub(crate) async fn play(&mut self, input: &Value) -> RunView {
        self.worker("w");
        let run = self.start_with(input).await;
        self.settled(&run).await
    }

    /// Waits until a run has ended or awaits.
    pub(crate) async fn settled(&self, run: &RunId) -> RunView {
        self.until(run, "ends or awaits", |view| {
            view.status == RunStatus::Awaiting || view.status.is_final()
        })
        .await
    }

    /// Waits until a run has ended, over its timers.
    pub(crate) async fn ended(&self, run: &RunId) -> RunView {
        self.until(run, "ends", |view| view.status.is_final()).await
    }

    /// Waits until something can be said of a run, three hours at most.
    pub(crate) async fn until(
        &self,
        run: &RunId,
        what: &str,
        is_so: impl Fn(&RunView) -> bool,
    ) -> RunView {
        let began = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let view = self.operations.view(run).await.unwrap();
            if is_so(&view) {
                return view;
            }
            assert!(
                began.elapsed() < Duration::from_hours(3),
                "it never came to be that the run {what}: {view:#?}"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(Duration::from_secs(1));
        }
    }

    /// Answers a waiting node.
    pub(crate) async fn answer(
        &self,
        run: &RunId,
        node: &str,
        action: Option<&str>,
        output: Option<Value>,
    ) -> Result<(), OperationError> {
        let answer = Answer {
            node: Some(node.into()),
            action: action.map(str::to_owned),
            output,
            token: uuid::Uuid::new_v4().to_string(),
        };
        let plan = self.operations.plan_answer(run, answer).await?;
        self.operations.apply(&plan).await.map(|_| ())
    }

    /// Requeues nodes of a run.
    pub(crate) async fn requeue(&self, run: &RunId, nodes: &[&str]) {
        let nodes: Vec<NodeId> = nodes.iter().map(|node| NodeId::from(*node)).collect();
        let plan = self.operations.plan_requeue(run, &nodes).await.unwrap();
        self.operations.apply(&plan).await.unwrap();
    }

    /// How often a node was started, attempts within one start not counted.
    pub(crate) fn count(&self, node: &str) -> usize {
        self.times(node).len()
    }

    /// When a node was started, attempts within one start not counted.
    pub(crate) fn times(&self, node: &str) -> Vec<Instant> {
        let starts = self.starts.lock().unwrap();
        starts
            .iter()
            .filter(|start| start.node == node && start.attempt == 1)
            .map(|start| start.at)
            .collect()
    }

    /// How often each node was started.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for start in self.starts.lock().unwrap().iter().filter(|start| start.attempt == 1) {
            *counts.entry(start.node.clone()).or_default() += 1;
        }
        counts
    }

    /// A run's document as it is stored.
    pub(crate) async fn document(&self, run: &RunId) -> RunDocument {
        match self.cluster.state.read_document(run, None).await.unwrap() {
            ReadDocument::Whole(document, _) => *document,
            other => panic!("{other:?}"),
        }
    }

    /// Writes into a run's document behind everybody's back.
    pub(crate) async fn edit(&self, run: &RunId, ops: &[Op]) {
        let read = self.cluster.state.read_document(run, None).await.unwrap();
        let ReadDocument::Whole(mut document, version) = read else { panic!("{read:?}") };
        for op in ops {
            document.apply(op);
        }
        self.cluster.state.commit_document(run, &version, ops, &document).await.unwrap();
    }

    /// A run's status item.
    pub(crate) async fn status(&self, run: &RunId) -> StatusItem {
        self.operations.status(run).await.unwrap().unwrap()
    }

    /// Sends a message as it is.
    pub(crate) async fn send(&self, body: impl Into<String>) {
        self.cluster.queue.send(Lane::Jobs, body.into(), Duration::ZERO).await.unwrap();
    }

    /// A job as a JavaScript client writes it.
    pub(crate) fn plain_job(&self, run: &RunId, node: &str) -> Job {
        Job::new(run.clone(), self.first.id.clone(), node.into())
    }

    /// How many messages are in a lane.
    pub(crate) async fn depth(&self, lane: Lane) -> u64 {
        self.cluster.queue.depth(lane).await.unwrap().messages
    }

    /// Takes up to 32 visible messages out of the queue for a minute.
    pub(crate) async fn receive(&self) -> Vec<Delivery> {
        self.cluster.queue.receive(Lane::Jobs, 32, Duration::from_mins(1)).await.unwrap()
    }

    /// Removes every message that can be received now, and returns them: they are lost.
    pub(crate) async fn lose_messages(&self) -> Vec<Job> {
        let mut lost = Vec::new();
        for delivery in self.receive().await {
            self.cluster.queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
            lost.push(Job::decode(&delivery.body).unwrap());
        }
        lost
    }

    /// The dead letters.
    pub(crate) async fn letters(&self) -> Vec<DeadLetter> {
        let letters = self.operations.dead_letters().await.unwrap();
        letters.into_iter().map(|letter| letter.letter.unwrap()).collect()
    }
}

/// A worker that does not reconcile.
pub(crate) fn alone(name: &str) -> WorkerConfig {
    WorkerConfig { reconciler: None, ..WorkerConfig::named(name) }
}

/// The state of a node, as a word.
pub(crate) fn state<'a>(view: &'a RunView, node: &str) -> &'a str {
    view.nodes
        .iter()
        .find(|line| line.id.as_str() == node)
        .map_or("missing", |line| line.state.as_str())
}

/// The outputs of a run as one value, its members in order of their names.
pub(crate) fn outputs(view: &RunView) -> Value {
    let mut outputs: Map<String, Value> = view.outputs.clone();
    outputs.sort_keys();
    Value::Object(outputs)
}

/// An entry of the ledger in a state.
pub(crate) fn entry(state: NodeState) -> Arc<Entry> {
    Arc::new(Entry { state, ..Entry::default() })
}

/// Lets some time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
