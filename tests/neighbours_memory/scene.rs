//! A run that both kinds of workers share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, Inputs, Node as Definition, RunId},
    cluster::{Cluster, Key, Neighbours, TokioClock, memory_cluster},
    engine::Timestamp,
    nodes::{Node, NodeContext, NodeError, NodeOutput},
    operations::RunView,
    worker::{ReconcileReport, ReconcilerConfig, WorkerConfig},
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{
    javascript::{JavaScript, compute},
    split_queue::SplitQueue,
    stage::{Stage, alone, blueprint, outputs},
};

/// What our workers do for a kind of node that JavaScript workers have as well.
struct Shared(&'static str);

#[async_trait]
impl Node for Shared {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let param = |name: &str| context.param(name).cloned();
        let ms = param("ms").and_then(|ms| ms.as_u64()).unwrap_or(0);
        let params: Map<String, Value> = ["n", "action"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), param(name)?)))
            .collect();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let definition = Definition {
            id: context.execution().node_id.clone(),
            uses: self.0.to_owned(),
            params,
            inputs: Inputs::Edge,
            config: flowcraft_tui::blueprint::NodeConfig::default(),
        };
        let (output, action) =
            compute(&definition, context.input()).map_err(NodeError::ordinary)?;
        Ok(NodeOutput { output, action, ..NodeOutput::none() })
    }
}

/// A stage with a JavaScript worker beside ours. Both know the kinds `work`, `choose`, `test` and
/// `silent`; `fail` is known to ours alone, so that it fails on either.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) js: Arc<JavaScript>,
    pub(crate) queue: Arc<SplitQueue>,
    theirs: Vec<String>,
    running: JoinSet<()>,
}

impl Scene {
    /// A blueprint in short form. `theirs` are the nodes that only the JavaScript worker runs.
    pub(crate) fn new(nodes: &Value, edges: &Value, theirs: &[&str]) -> Self {
        Self::of(blueprint("b", nodes, edges), theirs)
    }

    pub(crate) fn of(blueprint: Blueprint, theirs: &[&str]) -> Self {
        let clock = Arc::new(TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000)));
        let memory = memory_cluster(clock.clone());
        Self::on(memory, blueprint, theirs)
    }

    /// On a cluster whose own queue our workers receive from.
    pub(crate) fn on(cluster: Cluster, blueprint: Blueprint, theirs: &[&str]) -> Self {
        let other = memory_cluster(cluster.clock.clone()).queue;
        let queue = Arc::new(SplitQueue::new(cluster.queue.clone(), other, theirs));
        let cluster =
            Cluster { queue: queue.clone(), neighbours: Neighbours::JavaScript, ..cluster };
        let js = Arc::new(JavaScript::new(&cluster, queue.clone(), blueprint.clone()));
        let mut stage = Stage::on(cluster, vec![blueprint]);
        for kind in ["work", "choose", "test", "silent"] {
            stage = stage.with_node(kind, Arc::new(Shared(kind)));
        }
        let theirs = theirs.iter().map(ToString::to_string).collect();
        Self { stage, js, queue, theirs, running: JoinSet::new() }
    }

    /// Keeps our workers from going on with nodes that are not theirs to run: as if somebody had
    /// them leased.
    async fn fence(&self, run: &RunId) {
        for node in &self.theirs {
            let key = Key::node_lock(run, &node.as_str().into());
            let day = Duration::from_hours(24);
            self.stage.cluster.coordination.set_if_absent(&key, FENCE, day).await.unwrap();
        }
    }

    /// Has our workers run everything from now on.
    pub(crate) async fn take_fence_down(&self, run: &RunId) {
        self.queue.all_ours();
        for node in &self.theirs {
            let key = Key::node_lock(run, &node.as_str().into());
            self.stage.cluster.coordination.break_lock(&key, FENCE).await.unwrap();
        }
    }

    /// Runs the JavaScript worker until it dies.
    pub(crate) fn run_js(&mut self) {
        self.running.spawn(self.js.clone().work());
    }

    /// Starts a run called `r` without input, with our client.
    pub(crate) async fn start(&self) -> RunId {
        let run = RunId::from("r");
        self.fence(&run).await;
        self.stage.start().await
    }

    /// Starts a run called `r` without input, with a JavaScript client.
    pub(crate) async fn start_by_js(&self) -> RunId {
        let run = RunId::from("r");
        self.fence(&run).await;
        self.js.start(&run, &json!({})).await;
        run
    }

    /// Has the run move again, as an operator does who names it.
    pub(crate) async fn reconcile(&self, run: &RunId) -> ReconcileReport {
        self.stage.operations.reconcile(std::slice::from_ref(run)).await
    }

    /// How often each node was run, by whomever.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = self.stage.counts();
        for node in &*self.js.starts.lock().unwrap() {
            *counts.entry(node.clone()).or_default() += 1;
        }
        counts
    }

    /// Waits until the run has ended, and for the time after in which late messages must come to
    /// nothing.
    pub(crate) async fn ended(&self, run: &RunId) -> RunView {
        self.stage.ended(run).await;
        crate::stage::pass(120).await;
        self.stage.operations.view(run).await.unwrap()
    }
}

const FENCE: &str = "worker:fence#0";

/// A worker that reconciles often.
pub(crate) fn reconciling(name: &str) -> WorkerConfig {
    WorkerConfig {
        reconciler: Some(ReconcilerConfig {
            every: Duration::from_secs(20),
            stalled_after: Duration::from_mins(1),
        }),
        ..alone(name)
    }
}

/// The outputs that the blueprint gives where our workers run alone.
pub(crate) async fn undisturbed(blueprint: &Blueprint) -> (String, Value) {
    let mut scene = Scene::of(blueprint.clone(), &[]);
    scene.stage.worker("only");
    let run = scene.start().await;
    let view = scene.stage.ended(&run).await;
    (view.status.to_string(), outputs(&view))
}
