//! A cluster that both kinds of workers share: one queue, one database, one folder of blueprints.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, Library, RunId, sanitize},
    cluster::{
        AzureServices, AzureSettings, Cluster, Lane, ReadDocument, RedisConnection, StateStore,
        StatusItem, SystemClock,
    },
    nodes::{Node, NodeContext, NodeError, NodeOutput, Registry},
    operations::{Lint, Operations, RunView, StartRequest, run_in_memory},
    worker::{ReconcilerConfig, Worker, WorkerConfig},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::task::{AbortHandle, JoinSet};

use super::process::Process;
use crate::{
    registry,
    services::{Services, fresh, provided},
};

/// How long a run may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The nodes that our workers have run, as run and node, in order.
type Starts = Arc<Mutex<Vec<(String, String)>>>;

/// A node of the conformance cases that takes the time that `params.delayMs` says, as in JavaScript,
/// and before that until the node `params.after` has an output.
struct Delayed {
    node: Arc<dyn Node>,
    starts: Starts,
    state: Arc<dyn StateStore>,
}

impl Delayed {
    async fn has_output(&self, run: &RunId, node: &str) -> bool {
        match self.state.read_document(run, None).await {
            Ok(ReadDocument::Whole(document, _)) => document.output(node).is_some(),
            _ => false,
        }
    }
}

#[async_trait]
impl Node for Delayed {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let execution = context.execution();
        if execution.attempt == 1 {
            let start = (execution.run_id.to_string(), execution.node_id.to_string());
            self.starts.lock().unwrap().push(start);
        }
        if let Some(other) = context.param("after").and_then(Value::as_str) {
            while !self.has_output(&context.execution().run_id, other).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let delay = context.param("delayMs").and_then(Value::as_u64).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        self.node.run(context).await
    }
}

fn delayed(starts: &Starts, state: &Arc<dyn StateStore>) -> Registry {
    let plain = registry::registry();
    let mut delayed = Registry::new();
    for name in plain.names() {
        let node = plain.get(name).unwrap().clone();
        delayed
            .insert(name, Arc::new(Delayed { node, starts: starts.clone(), state: state.clone() }));
    }
    delayed
}

/// One of our workers, as good as a process: it has connections and a memory of its own.
pub(crate) struct Ours {
    pub(crate) worker: Worker,
    running: AbortHandle,
}

impl Ours {
    /// Ends it where it stands, as a kill would.
    pub(crate) fn crash(self) {
        self.running.abort();
    }
}

pub(crate) struct Scene {
    settings: AzureSettings,
    folder: TempDir,
    /// Where the servers are, for programs of theirs.
    described: Value,
    library: Library,
    pub(crate) cluster: Cluster,
    /// A client of ours: it commits nothing by itself.
    pub(crate) client: Operations,
    pub(crate) starts: Starts,
    running: JoinSet<()>,
    /// A part of the ids of its runs.
    salt: String,
}

/// A database of the shared Redis that no other test uses: those of the contract's are below 16.
fn next_database() -> u32 {
    static SCENES: AtomicU32 = AtomicU32::new(16);
    SCENES.fetch_add(1, Ordering::Relaxed)
}

impl Scene {
    pub(crate) async fn new(services: &Services, blueprints: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for blueprint in blueprints {
            let file = folder.path().join(format!("{}.json", blueprint["id"].as_str().unwrap()));
            std::fs::write(file, blueprint.to_string()).unwrap();
        }
        let library = Library::load(&[folder.path().to_owned()], None);
        assert_eq!(library.list().len(), blueprints.len());
        let mut settings = services.settings();
        // One worker of a cluster reconciles at a time: each scene needs a Redis of its own.
        let redis = format!("{}/{}", services.text("/redis/url"), next_database());
        settings.redis = RedisConnection::parse(&redis).unwrap();
        let mut described = services.described().clone();
        described["redis"]["url"] = redis.into();
        let cluster = provided(settings.clone()).await;
        let client = Operations::new(cluster.clone(), library.clone(), "client");
        Self {
            described,
            settings,
            folder,
            library,
            cluster,
            client,
            starts: Starts::default(),
            running: JoinSet::new(),
            salt: fresh(""),
        }
    }

    /// The id of a run that is called so in this test.
    pub(crate) fn run(&self, name: &str) -> RunId {
        format!("{name}{}", self.salt).into()
    }

    /// Has our client forget what it knows of the runs.
    pub(crate) fn forget(&mut self) {
        self.client = Operations::new(self.another_cluster(), self.library.clone(), "client");
    }

    pub(crate) fn database(&self) -> &str {
        &self.settings.names.database
    }

    /// A cluster as another process has it.
    pub(crate) fn another_cluster(&self) -> Cluster {
        AzureServices::new(self.settings.clone()).unwrap().cluster(Arc::new(SystemClock))
    }

    /// Starts a worker of ours.
    pub(crate) fn ours(&mut self, config: WorkerConfig) -> Ours {
        let cluster = self.another_cluster();
        self.ours_on(cluster, config)
    }

    pub(crate) fn ours_on(&mut self, cluster: Cluster, config: WorkerConfig) -> Ours {
        let registry = delayed(&self.starts, &self.cluster.state);
        let worker = Worker::new(cluster, self.library.clone(), registry, config);
        let runs = worker.clone();
        let running = self.running.spawn(async move { runs.run().await });
        Ours { worker, running }
    }

    /// Starts a program of theirs.
    pub(crate) fn theirs(&self, program: &str, arguments: &[&str]) -> Process {
        let names = [
            ("--queue", self.settings.queue.as_str()),
            ("--database", self.database()),
            ("--blueprints", self.folder.path().to_str().unwrap()),
        ];
        let names = names.iter().flat_map(|(name, value)| [*name, *value]);
        let arguments: Vec<String> =
            arguments.iter().copied().chain(names).map(str::to_owned).collect();
        Process::start(program, &self.described, &arguments)
    }

    /// Starts a JavaScript worker that does one job at a time.
    pub(crate) fn their_worker(&self, arguments: &[&str]) -> Process {
        let one = ["--at-once", "1", "--pause", "20"];
        self.theirs("worker.mjs", &[&one, arguments].concat())
    }

    /// Starts runs by the JavaScript client.
    pub(crate) async fn start_by_theirs(&self, blueprint: &str, runs: &[&str], options: &[&str]) {
        let runs: Vec<RunId> = runs.iter().map(|run| self.run(run)).collect();
        let runs: Vec<&str> = runs.iter().map(RunId::as_str).collect();
        let arguments = [&["start", blueprint], &runs[..], options].concat();
        self.theirs("client.mjs", &arguments).done().await;
    }

    /// Starts a run by our client.
    pub(crate) async fn start(&self, blueprint: &str, run: &str) {
        let request = StartRequest {
            blueprint: blueprint.into(),
            input: Map::new(),
            run: Some(self.run(run).to_string()),
            lint: Lint::Overlook,
        };
        self.client.start(request).await.unwrap();
    }

    /// What the JavaScript client finds of a run.
    pub(crate) async fn result_for_theirs(&self, run: &str) -> Value {
        self.theirs("client.mjs", &["result", &self.run(run)]).done().await.pop().unwrap()
    }

    /// Waits until a run has ended and its status says so.
    pub(crate) async fn ended(&self, run: &str) -> RunView {
        let run = self.run(run);
        let limit = tokio::time::Instant::now() + LIMIT;
        loop {
            // A run without a document yet is no failure.
            let view = self.client.view(&run).await;
            let item = self.client.status(&run).await.unwrap();
            if let (Ok(view), Some(item)) = (&view, &item)
                && view.status.is_final()
                && item.status == Some(view.status)
            {
                return view.clone();
            }
            if tokio::time::Instant::now() >= limit {
                let causes = self.client.explain(&run).await;
                panic!("it does not end: {view:#?} {item:#?} {causes:#?} {:?}", self.starts);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn status(&self, run: &str) -> StatusItem {
        self.client.status(&self.run(run)).await.unwrap().unwrap()
    }

    /// Waits until a node of a run is completed.
    pub(crate) async fn until_done(&self, run: &str, node: &str) {
        let limit = tokio::time::Instant::now() + LIMIT;
        while !self.client.view(&self.run(run)).await.unwrap().outputs.contains_key(node) {
            assert!(tokio::time::Instant::now() < limit, "{node} is never done");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until no message is left.
    pub(crate) async fn until_queue_is_empty(&self) {
        let limit = tokio::time::Instant::now() + LIMIT;
        while self.depth().await > 0 {
            let left = self.cluster.queue.peek(Lane::Jobs, 32).await.unwrap();
            assert!(tokio::time::Instant::now() < limit, "messages stay: {left:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self.cluster.queue.depth(Lane::Poison).await.unwrap().messages, 0);
    }

    pub(crate) async fn depth(&self) -> u64 {
        self.cluster.queue.depth(Lane::Jobs).await.unwrap().messages
    }

    /// How often our workers ran a node of a run.
    pub(crate) fn count(&self, run: &str, node: &str) -> usize {
        let starts = self.starts.lock().unwrap();
        let run = self.run(run);
        starts.iter().filter(|(of, started)| *of == *run && started == node).count()
    }

    /// The outputs that a blueprint gives in process.
    pub(crate) async fn expected(&self, blueprint: &str) -> Value {
        let blueprint = self.library.get(&blueprint.into()).unwrap();
        expected((*blueprint).clone()).await
    }
}

/// The outputs that a blueprint gives in process.
pub(crate) async fn expected(mut blueprint: Blueprint) -> Value {
    for node in &mut blueprint.nodes {
        node.params.remove("delayMs");
        node.params.remove("after");
    }
    let view = run_in_memory(blueprint, registry::registry(), Map::new()).await.unwrap();
    outputs(&view)
}

/// A run's outputs, in order of their nodes.
pub(crate) fn outputs(view: &RunView) -> Value {
    let sorted: BTreeMap<_, _> = view.outputs.clone().into_iter().collect();
    json!(sorted)
}

/// A worker that leaves reconciling to others.
pub(crate) fn plain(name: &str) -> WorkerConfig {
    WorkerConfig {
        poll_ceiling: Duration::from_millis(100),
        reconciler: None,
        ..WorkerConfig::named(name)
    }
}

/// A worker that reconciles often.
pub(crate) fn reconciling(name: &str) -> WorkerConfig {
    let config =
        ReconcilerConfig { every: Duration::from_secs(1), stalled_after: Duration::from_secs(3) };
    WorkerConfig { reconciler: Some(config), ..plain(name) }
}

/// One node, two that follow it, which take so long, and a join of these.
pub(crate) fn diamond(id: &str, join: &str, b: u64, c: u64) -> Value {
    // Which of the two an `any` join goes on with must not show.
    let inputs = if join == "any" { json!("a") } else { json!({"b": "b", "c": "c"}) };
    let uses = if join == "any" { "add" } else { "sum" };
    json!({
        "id": id,
        "nodes": [
            {"id": "a", "uses": "const", "params": {"value": 1}},
            {"id": "b", "uses": "add", "params": {"n": 1, "delayMs": b}},
            {"id": "c", "uses": "add", "params": {"n": 2, "delayMs": c}},
            {"id": "d", "uses": uses, "inputs": inputs, "config": {"joinStrategy": join}},
        ],
        "edges": edges(&["ab", "ac", "bd", "cd"]),
    })
}

/// Nodes one after the other, which take so long each.
pub(crate) fn chain(id: &str, delays: &[u64]) -> Value {
    let name = |number: usize| format!("n{number}");
    let nodes: Value = delays
        .iter()
        .enumerate()
        .map(|(number, delay)| {
            let uses = if number == 0 { "const" } else { "add" };
            json!({"id": name(number), "uses": uses, "params": {"value": 1, "delayMs": delay}})
        })
        .collect();
    let edges: Value = (1..delays.len())
        .map(|number| json!({"source": name(number - 1), "target": name(number)}))
        .collect();
    json!({"id": id, "nodes": nodes, "edges": edges})
}

/// Edges between nodes whose names have one letter.
pub(crate) fn edges(pairs: &[&str]) -> Value {
    pairs.iter().map(|pair| json!({"source": pair[..1], "target": pair[1..]})).collect()
}

/// The blueprint of a conformance case.
pub(crate) fn of_case(name: &str) -> Value {
    let cases = crate::case::cases();
    let case = cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no {name}"));
    let mut blueprint = case.json["blueprint"].clone();
    // Cases may share an id.
    blueprint["id"] = name.into();
    sanitize(blueprint.clone()).unwrap();
    blueprint
}
