//! Broken situations: each brings a run on a cluster into a state in which it does not move, says
//! what must be found first, and is mended by nothing but the advice that is given.

mod blueprints;
mod ends;
mod messages;
mod neighbours;
mod services;
mod waiting;
mod workers;

use std::{
    collections::HashMap,
    fmt::Write as _,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    blueprint::{Blueprint, RunId},
    cluster::Cluster,
    engine::{Answer, RunStatus},
    nodes::{Node, NodeContext, NodeError, NodeOutput},
    operations::{
        Cause, CauseKind, Confidence, Letters, Lint, Operations, Remedy, StartRequest, Wanted,
    },
    worker::{Worker, WorkerConfig},
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::stage::{Stage, alone, blueprint};

/// How long a situation may take, from nothing to its end.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a piece of advice is given to show.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many pieces of advice are followed at most.
const STEPS: usize = 8;

type Breaks = Box<dyn Fn(Cluster) -> Pin<Box<dyn Future<Output = Broken>>>>;

/// A broken situation.
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    /// What must come first.
    first: CauseKind,
    /// What the first cause must say, in its evidence or remedy.
    says: &'static [&'static str],
    /// What must be among the causes as well.
    also: &'static [CauseKind],
    /// How sure the first cause must be, where that is to be told.
    sure: Option<Confidence>,
    breaks: Breaks,
}

impl Situation {
    fn new<F>(
        name: &'static str,
        first: CauseKind,
        says: &'static [&'static str],
        breaks: fn(Cluster) -> F,
    ) -> Self
    where
        F: Future<Output = Broken> + 'static,
    {
        let breaks: Breaks = Box::new(move |cluster| Box::pin(breaks(cluster)));
        Self { name, first, says, also: &[], sure: None, breaks }
    }

    fn also(self, also: &'static [CauseKind]) -> Self {
        Self { also, ..self }
    }

    fn sure(self, sure: Confidence) -> Self {
        Self { sure: Some(sure), ..self }
    }
}

/// All of them.
pub(crate) fn situations() -> Vec<Situation> {
    [
        messages::situations(),
        workers::situations(),
        waiting::situations(),
        blueprints::situations(),
        ends::situations(),
        neighbours::situations(),
        services::situations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a situation's end looks like, once its advice was followed.
#[derive(Debug, Clone)]
enum Ends {
    /// The run has this status, and so does its status item.
    With(RunStatus),
    /// The status item says so; there is no document.
    Recorded(RunStatus),
    /// It is as it should be.
    AsItIs,
}

/// A run in a broken situation.
struct Broken {
    stage: Stage,
    /// The run that is asked about.
    run: RunId,
    /// The run that must end.
    awaited: RunId,
    ends: Ends,
    /// Who asks.
    operations: Operations,
    /// Lets those nodes go on that hang.
    gate: watch::Sender<bool>,
    paused: Option<Worker>,
    away: Option<Arc<AtomicBool>>,
    /// Whatever else must live.
    _others: Vec<Stage>,
}

impl Broken {
    fn new(set: Set, run: RunId) -> Self {
        let Set { stage, gate } = set;
        let operations = stage.operations.clone();
        Self {
            stage,
            awaited: run.clone(),
            run,
            ends: Ends::With(RunStatus::Completed),
            operations,
            gate,
            paused: None,
            away: None,
            _others: Vec::new(),
        }
    }

    fn ends(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }

    async fn explain(&self) -> Result<Vec<Cause>, String> {
        self.operations.explain(&self.run).await.map_err(|error| format!("not explained: {error}"))
    }

    async fn has_ended(&self) -> bool {
        let item = self.stage.operations.status(&self.awaited).await.unwrap();
        let says = item.and_then(|item| item.status);
        match self.ends {
            Ends::AsItIs => true,
            Ends::Recorded(status) => says == Some(status),
            Ends::With(status) => {
                let view = self.stage.operations.view(&self.awaited).await.unwrap();
                view.status == status && says == Some(status)
            }
        }
    }

    /// Does what is advised until the run is where it belongs.
    async fn follow_advice(&mut self) -> Result<(), String> {
        let mut followed = Vec::new();
        for _ in 0..STEPS {
            if self.comes_to_its_end().await {
                return Ok(());
            }
            let causes = self.explain().await?;
            let Some(first) = causes.first() else { return Err("no cause is named".to_owned()) };
            followed.push(format!("{} -> {}", first.cause, first.remedy));
            self.apply(&first.remedy).await?;
        }
        Err(format!("following the advice leads nowhere: {followed:#?}"))
    }

    async fn comes_to_its_end(&self) -> bool {
        let waiting = async {
            while !self.has_ended().await {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, waiting).await.is_ok()
    }

    async fn apply(&mut self, remedy: &Remedy) -> Result<(), String> {
        let operations = self.operations.clone();
        let failed = |error| format!("{remedy}: {error}");
        let plan = match remedy {
            Remedy::Nothing => return Ok(()),
            Remedy::Wait { .. } => {
                // What a worker is at has its time.
                self.gate.send_replace(true);
                sleep(Duration::from_secs(1)).await;
                return Ok(());
            }
            Remedy::ExplainChild(child) => {
                let causes = operations.explain(child).await.map_err(|error| error.to_string())?;
                return Box::pin(self.apply(&causes[0].remedy.clone())).await;
            }
            Remedy::EndTimer { run, node, .. } | Remedy::FireTimer { run, node } => {
                operations.plan_answer(run, answer(node, None)).await
            }
            Remedy::Answer { run, node, actions } => {
                operations.plan_answer(run, answer(node, actions.first())).await
            }
            Remedy::Reconcile(run) | Remedy::GiveUp(run) => operations.plan_reconcile(run).await,
            Remedy::Requeue { run, nodes, .. } => operations.plan_requeue(run, nodes).await,
            Remedy::Replay { letters } => {
                let which = Letters::Ids(letters.clone());
                let replayed = operations.replay(&which).await.map_err(failed)?;
                assert_eq!(replayed.len(), letters.len());
                return Ok(());
            }
            Remedy::ReleaseLocks { run, locks, .. } => {
                let plan = operations.plan_release(run, locks).await.map_err(failed)?;
                operations.release(&plan).await.map_err(failed)?;
                return Ok(());
            }
            Remedy::StartAgain { run, blueprint } => {
                let request = StartRequest {
                    blueprint: blueprint.clone().unwrap(),
                    input: serde_json::Map::new(),
                    run: Some(run.to_string()),
                    lint: Lint::Overlook,
                };
                operations.start(request).await.map_err(failed)?;
                return Ok(());
            }
            Remedy::StartWorker(Wanted::Any | Wanted::More | Wanted::Blueprint(..)) => {
                let worker = self.stage.make_worker(quick("started"));
                self.stage.run_worker(&worker);
                self.gate.send_replace(true);
                return Ok(());
            }
            Remedy::ResumeWorker(names) => {
                let worker = self.paused.take().unwrap();
                assert!(names.contains(worker.name()), "{names:?}");
                worker.go_on();
                return Ok(());
            }
            Remedy::MendService(_) => {
                self.away.take().unwrap().store(false, Ordering::SeqCst);
                return Ok(());
            }
        };
        let plan = plan.map_err(failed)?;
        operations.apply(&plan).await.map_err(failed)?;
        Ok(())
    }
}

fn answer(node: &flowcraft_tui::blueprint::NodeId, action: Option<&String>) -> Answer {
    Answer {
        node: Some(node.clone()),
        action: action.cloned(),
        output: None,
        token: uuid::Uuid::new_v4().to_string(),
    }
}

/// What came of a situation.
pub(crate) struct Outcome {
    name: &'static str,
    expected: CauseKind,
    found: Vec<(CauseKind, Confidence)>,
    pub(crate) problem: Option<String>,
}

impl Outcome {
    fn is_ranked_right(&self) -> bool {
        self.found.first().is_some_and(|(kind, _)| *kind == self.expected)
    }
}

/// Breaks a cluster, asks, and follows the advice.
async fn play(situation: &Situation, cluster: Cluster) -> Outcome {
    let Situation { name, first: expected, .. } = *situation;
    let mut found = Vec::new();
    let playing = async {
        let mut broken = (situation.breaks)(cluster).await;
        let causes = broken.explain().await?;
        found = causes.iter().map(|cause| (cause.cause, cause.confidence)).collect();
        let Some(first) = causes.first() else { return Err("no cause is named".to_owned()) };
        if first.cause != expected || situation.sure.is_some_and(|sure| sure != first.confidence) {
            return Err(format!("{causes:#?}"));
        }
        let said = format!("{} {}", first.evidence.join("\n"), first.remedy);
        if let Some(missing) = situation.says.iter().find(|words| !said.contains(**words)) {
            return Err(format!("it does not say {missing:?}: {causes:#?}"));
        }
        if let Some(missing) =
            situation.also.iter().find(|kind| causes.iter().all(|cause| cause.cause != **kind))
        {
            return Err(format!("{missing} is not among the causes: {causes:#?}"));
        }
        broken.follow_advice().await
    };
    let problem = match timeout(LIMIT, playing).await {
        Ok(played) => played.err(),
        Err(_) => Some("it takes too long".to_owned()),
    };
    Outcome { name, expected, found, problem }
}

/// Plays all situations, so many at once, each on a cluster of its own, and prints what came of them.
pub(crate) async fn play_all<F>(
    on: &str,
    at_once: usize,
    situations: Vec<Situation>,
    cluster: impl Fn(usize) -> F,
) where
    F: Future<Output = Cluster>,
{
    let count = situations.len();
    let mut outcomes: Vec<(usize, Outcome)> = stream::iter(situations.into_iter().enumerate())
        .map(async |(number, situation)| (number, play(&situation, cluster(number).await).await))
        .buffer_unordered(at_once)
        .collect()
        .await;
    outcomes.sort_by_key(|(number, _)| *number);
    let mut table = format!("\n{:<58} {:<20} found, in order\n", "situation", "expected first");
    for (_, outcome) in &outcomes {
        let found: Vec<String> = outcome
            .found
            .iter()
            .map(|(kind, sure)| format!("{kind} ({})", sure.as_word()))
            .collect();
        let mark = if outcome.problem.is_some() { "✗" } else { "✓" };
        let (name, expected) = (outcome.name, outcome.expected);
        writeln!(table, "{mark} {name:<56} {expected:<20} {}", found.join(", ")).unwrap();
    }
    let right = outcomes.iter().filter(|(_, outcome)| outcome.is_ranked_right()).count();
    let mended = outcomes.iter().filter(|(_, outcome)| outcome.problem.is_none()).count();
    println!(
        "{table}on {on}: ranked first correctly {right} of {count}, mended by the advice {mended} of {count}"
    );
    let problems: Vec<String> = outcomes
        .iter()
        .filter_map(|(_, outcome)| Some(format!("{}: {}", outcome.name, outcome.problem.as_ref()?)))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(right, count);
}

/// A stage with nodes that hang, and the gate that lets them go on.
struct Set {
    stage: Stage,
    gate: watch::Sender<bool>,
}

/// Hangs when it is first started in a run, until the gate is opened; not when it is started again.
struct Hang {
    gate: watch::Receiver<bool>,
    seen: Mutex<HashMap<String, u32>>,
}

#[async_trait]
impl Node for Hang {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let execution = context.execution();
        let place = format!("{}:{}", execution.run_id, execution.node_id);
        let starts = {
            let mut seen = self.seen.lock().unwrap();
            let starts = seen.entry(place).or_default();
            *starts += 1;
            *starts
        };
        if starts == 1 {
            let _ = self.gate.clone().wait_for(|open| *open).await;
        }
        Ok(NodeOutput::none())
    }
}

impl Set {
    fn on(cluster: Cluster, blueprints: Vec<Blueprint>) -> Self {
        let (gate, closed) = watch::channel(false);
        let hang = Hang { gate: closed, seen: Mutex::default() };
        let failed = Mutex::new(HashMap::<RunId, u32>::new());
        let stage = Stage::on(cluster, blueprints)
            .with_node("hang", Arc::new(hang))
            // Fails at first, in each run.
            .with_fn("flaky", move |context| {
                let mut failed = failed.lock().unwrap();
                let times = failed.entry(context.execution().run_id.clone()).or_default();
                *times += 1;
                if *times == 1 {
                    Err(NodeError::ordinary("not yet"))
                } else {
                    Ok(NodeOutput::none())
                }
            });
        Self { stage, gate }
    }

    /// A blueprint in short form.
    fn of(cluster: Cluster, nodes: &Value, edges: &Value) -> Self {
        Self::on(cluster, vec![blueprint("b", nodes, edges)])
    }

    /// `a`, then `b`; nothing hangs.
    fn chain(cluster: Cluster) -> Self {
        Self::of(cluster, &json!([["a", "noop"], ["b", "noop"]]), &json!([["a", "b"]]))
    }

    /// A node that hangs, then another.
    fn hanging(cluster: Cluster) -> Self {
        Self::of(cluster, &json!([["a", "hang"], ["b", "noop"]]), &json!([["a", "b"]]))
    }

    /// Starts a run of the first blueprint.
    async fn start(&self, run: &str) -> RunId {
        self.stage.operations.start(self.stage.request(run, &json!({}))).await.unwrap().run
    }

    /// Starts a run of another one.
    async fn start_of(&self, blueprint: &str, run: &str) -> RunId {
        let request = self.stage.request(run, &json!({}));
        let request = StartRequest { blueprint: blueprint.into(), ..request };
        self.stage.operations.start(request).await.unwrap().run
    }

    /// Runs a worker that finds what there is to do soon; returns once it is known to be alive.
    async fn worker(&mut self, name: &str) -> Worker {
        self.worker_as(quick(name)).await
    }

    async fn worker_as(&mut self, config: WorkerConfig) -> Worker {
        let worker = self.stage.make_worker(config);
        self.stage.run_worker(&worker);
        self.until("the worker is alive", async |stage: &Stage| {
            let alive = stage.cluster.coordination.workers().await.unwrap();
            alive.iter().any(|beat| beat.name == *worker.name())
        })
        .await;
        worker
    }

    /// Ends all workers where they are, and lets so much time pass that their heartbeats are gone.
    async fn kill(&mut self, names: &[&str]) {
        self.stage.crash().await;
        for name in names {
            self.stage.cluster.coordination.leave(&(*name).into()).await.unwrap();
        }
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, is_so: impl AsyncFn(&Stage) -> bool) {
        let waiting = async {
            while !is_so(&self.stage).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(LIMIT / 2, waiting).await.is_ok(), "it never came to be that {what}");
    }

    /// Waits until a node has been started so often.
    async fn until_started(&self, node: &str, times: usize) {
        self.until("a node was started", async |stage: &Stage| stage.count(node) >= times).await;
    }

    /// Waits until a run's status item says so.
    async fn until_says(&self, run: &RunId, status: RunStatus) {
        self.until("a status item says so", async |stage: &Stage| {
            let item = stage.operations.status(run).await.unwrap();
            item.is_some_and(|item| item.status == Some(status))
        })
        .await;
    }
}

/// A worker that does not reconcile and looks at the queue often.
fn quick(name: &str) -> WorkerConfig {
    WorkerConfig { poll_ceiling: Duration::from_millis(100), ..alone(name) }
}
