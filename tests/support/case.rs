//! Conformance cases: reading them, running them on a cluster, comparing what comes out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, Library, RunId, sanitize},
    cluster::Cluster,
    engine::{Answer, RunStatus},
    nodes::{Node, NodeContext, NodeError, NodeOutput, Registry},
    operations::{Lint, Operations, RunView, StartRequest},
    worker::{ReconcilerConfig, Worker, WorkerConfig},
};
use serde_json::{Map, Value, json};

/// A conformance case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// All cases of the suite, in order of their names.
pub(crate) fn cases() -> Vec<Case> {
    cases_in("tests/conformance")
}

/// The cases of a folder, in order of their names.
pub(crate) fn cases_in(folder: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut cases: Vec<Case> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let json: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            Case { name: json["name"].as_str().unwrap().to_owned(), json }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 30, "the conformance cases are missing");
    cases
}

impl Case {
    pub(crate) fn blueprint(&self) -> Blueprint {
        sanitize(self.json["blueprint"].clone()).unwrap()
    }

    pub(crate) fn library(&self) -> Library {
        let mut all = vec![self.blueprint()];
        for (_, blueprint) in self.json["blueprints"].as_object().into_iter().flatten() {
            all.push(sanitize(blueprint.clone()).unwrap());
        }
        Library::fixed(all)
    }

    pub(crate) fn input(&self) -> Map<String, Value> {
        self.json["initialContext"].as_object().cloned().unwrap_or_default()
    }
}

/// How often each node was started, as `expected.starts` counts.
pub(crate) type Starts = Arc<Mutex<BTreeMap<String, u64>>>;

/// Counts executions of the nodes of a registry.
struct Counted {
    node: Arc<dyn Node>,
    starts: Starts,
}

#[async_trait]
impl Node for Counted {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let execution = context.execution();
        // Attempts within one start count once.
        if execution.attempt == 1 {
            let run = execution.run_id.as_str();
            let name = if execution.node_id.len() > execution.uses.len() + 37
                && execution.node_id.starts_with(&execution.uses)
            {
                format!("{}_<worker>", execution.uses)
            } else {
                execution.node_id.to_string()
            };
            let name =
                if run.contains('.') { format!("{}/{name}", execution.blueprint_id) } else { name };
            *self.starts.lock().unwrap().entry(name).or_default() += 1;
        }
        self.node.run(context).await
    }
}

/// A registry that counts.
pub(crate) fn counted(registry: &Registry, starts: &Starts) -> Registry {
    let mut counted = Registry::new();
    for name in registry.names() {
        let node = registry.get(name).unwrap().clone();
        counted.insert(name, Arc::new(Counted { node, starts: starts.clone() }));
    }
    counted
}

/// A worker for cases.
pub(crate) fn worker(
    cluster: &Cluster,
    library: Library,
    registry: Registry,
    name: &str,
    seed: u64,
) -> Worker {
    let config = WorkerConfig {
        seed: Some(seed),
        reconciler: Some(ReconcilerConfig {
            every: Duration::from_mins(1),
            stalled_after: Duration::from_mins(5),
        }),
        ..WorkerConfig::named(name)
    };
    Worker::new(cluster.clone(), library, registry, config)
}

/// Starts a case's run and gives its answers; returns it as it is after each step.
pub(crate) async fn play(case: &Case, operations: &Operations, run: &str) -> Vec<RunView> {
    let run = RunId::from(run);
    let request = StartRequest {
        blueprint: case.blueprint().id,
        input: case.input(),
        run: Some(run.to_string()),
        lint: Lint::Overlook,
    };
    operations.start(request).await.unwrap();
    let mut views = vec![settled(operations, &run).await];
    for step in case.json["resumes"].as_array().into_iter().flatten() {
        let data = &step["data"];
        let answer = Answer {
            node: step["nodeId"].as_str().map(Into::into),
            action: data["action"].as_str().map(str::to_owned),
            output: data.get("output").cloned(),
            token: format!("answer-{}", views.len()),
        };
        let plan = operations.plan_answer(&run, answer).await.unwrap();
        operations.apply(&plan).await.unwrap();
        // The answer to a subflow's node goes to the child first: the run awaits a little longer.
        let ends = step["expected"]["status"] != "awaiting";
        views.push(rested(operations, &run, |status| status.is_final() || !ends).await);
    }
    views
}

/// Waits until nothing of a run moves.
pub(crate) async fn settled(operations: &Operations, run: &RunId) -> RunView {
    rested(operations, run, |_| true).await
}

/// Waits until nothing of a run moves and its status is a wanted one.
async fn rested(
    operations: &Operations,
    run: &RunId,
    wanted: impl Fn(RunStatus) -> bool,
) -> RunView {
    let limit = tokio::time::Instant::now() + Duration::from_mins(2);
    loop {
        let view = operations.view(run).await.unwrap();
        let rests = view.status == RunStatus::Awaiting || view.status.is_final();
        if rests && wanted(view.status) {
            return view;
        }
        assert!(tokio::time::Instant::now() < limit, "the run does not end: {view:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Compares a finished run with what the case expects. Returns the differences.
pub(crate) fn differences(case: &Case, view: &RunView, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: Value, theirs: Value| {
        if !same(&ours, &theirs) {
            found.push(format!("{}: {what}: ours {ours}, expected {theirs}", case.name));
        }
    };
    compare("status", view.status.as_str().into(), expected["status"].clone());
    let blueprint = case.blueprint();
    let own: BTreeSet<&str> = blueprint.nodes.iter().map(|node| node.id.as_str()).collect();
    let mut outputs = view.outputs.clone();
    outputs.retain(|node, _| own.contains(node.as_str()));
    let mut wanted = expected["outputs"].as_object().cloned().unwrap_or_default();
    if view.status == RunStatus::Awaiting {
        // A sleeping node has its output at once in process, and here once it is due.
        for node in &view.awaiting {
            wanted.remove(node.as_str());
        }
    }
    compare("outputs", Value::Object(outputs), Value::Object(wanted));
    compare("context", view.context.clone().into(), or_empty(&expected["context"]));
    let errors: BTreeSet<String> =
        view.errors.iter().map(|error| without_uuid(&error.node)).collect();
    let wanted: BTreeSet<&str> = expected["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["nodeId"].as_str())
        .collect();
    compare("errors", json!(errors), json!(wanted));
    let awaiting: BTreeSet<&str> =
        view.awaiting.iter().map(flowcraft_tui::blueprint::NodeId::as_str).collect();
    let wanted: BTreeSet<&str> =
        expected["awaiting"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    compare("awaiting", json!(awaiting), json!(wanted));
    let completed: BTreeSet<&str> = view
        .nodes
        .iter()
        .filter(|line| line.state.as_str() == "completed" && own.contains(line.id.as_str()))
        .map(|line| line.id.as_str())
        .collect();
    if view.status.is_final() {
        let not_run = expected["notRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for node in not_run {
            compare(&format!("{node} ran"), completed.contains(node).into(), false.into());
        }
        let undefined =
            expected["undefinedOutputs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for node in undefined {
            compare(&format!("{node} completed"), completed.contains(node).into(), true.into());
        }
    }
    found
}

/// A node's id with `<uuid>` for the random part that a batch worker's has.
pub(crate) fn without_uuid(node: &str) -> String {
    let part = |part| if uuid::Uuid::parse_str(part).is_ok() { "<uuid>" } else { part };
    node.split('_').map(part).collect::<Vec<_>>().join("_")
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

/// Whether two values are the same: numbers by value, members in any order.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

/// The starts that a case expects of nodes with code of their own, over all its steps.
pub(crate) fn expected_starts(case: &Case) -> BTreeMap<String, u64> {
    let of = |blueprint: &Blueprint, prefix: &str| -> Vec<String> {
        let nodes = blueprint.nodes.iter();
        nodes
            .filter(|node| flowcraft_tui::nodes::BUILT_IN.contains(&node.uses.as_str()))
            .map(|node| format!("{prefix}{}", node.id))
            .collect()
    };
    let mut builtin = of(&case.blueprint(), "");
    for (id, blueprint) in case.json["blueprints"].as_object().into_iter().flatten() {
        builtin.extend(of(&sanitize(blueprint.clone()).unwrap(), &format!("{id}/")));
    }
    let mut starts = BTreeMap::new();
    let steps = std::iter::once(&case.json["expected"])
        .chain(case.json["resumes"].as_array().into_iter().flatten().map(|step| &step["expected"]));
    for expected in steps {
        for (node, count) in expected["starts"].as_object().into_iter().flatten() {
            if !builtin.contains(node) {
                *starts.entry(node.clone()).or_default() += count.as_u64().unwrap();
            }
        }
    }
    starts
}
