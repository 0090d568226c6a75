//! A JavaScript worker, played by what it reads and writes: whole items without a precondition,
//! messages of three members, counters and locks.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use flowcraft_tui::{
    blueprint::{Blueprint, Edge, Inputs, JoinStrategy, Node, NodeId, RunId},
    cluster::{
        Clock, Cluster, CoordinationStore, Fault, Job, JobQueue, Key, Lane, ReadDocument,
        StateStore, StatusItem,
    },
    engine::{Head, Op, RunDocument, RunStatus, input_key, output_key},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::split_queue::SplitQueue;

const TTL: Duration = Duration::from_hours(1);

/// What a JavaScript worker does with a message, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Received,
    Touched,
    Executed,
    Stored,
    InputWritten,
    Counted,
    Sent,
    Routed,
}

pub(crate) const STEPS: [Step; 8] = [
    Step::Received,
    Step::Touched,
    Step::Executed,
    Step::Stored,
    Step::InputWritten,
    Step::Counted,
    Step::Sent,
    Step::Routed,
];

/// Why it did not do a job to its end.
#[derive(Debug)]
enum Trouble {
    /// Reported as the run's failure.
    Failure(String),
    Died,
}

pub(crate) struct JavaScript {
    queue: Arc<SplitQueue>,
    state: Arc<dyn StateStore>,
    keys: Arc<dyn CoordinationStore>,
    clock: Arc<dyn Clock>,
    blueprint: Blueprint,
    /// The nodes that it ran, in order.
    pub(crate) starts: Mutex<Vec<String>>,
    /// Those of them whose outputs it stored.
    pub(crate) stored: Mutex<BTreeSet<String>>,
    /// How long it takes between reading an item and replacing it.
    pub(crate) gap: Mutex<Duration>,
    /// The node and the step after which it dies, for good.
    pub(crate) dies: Mutex<Option<(String, Step)>>,
    dead: tokio_util::sync::CancellationToken,
    /// The inputs it found missing though a node before had an output: lost by a write of its own.
    pub(crate) starved: Mutex<BTreeSet<String>>,
}

/// What a node of these tests does: adds `n` to everything in its input, or returns an action.
pub(crate) fn compute(
    node: &Node,
    input: Option<&Value>,
) -> Result<(Option<Value>, Option<String>), String> {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let sum = match input {
        Some(Value::Object(members)) => members.values().map(number).sum(),
        Some(value) => number(value),
        None => 0,
    };
    let n = node.params.get("n").and_then(Value::as_i64).unwrap_or(0);
    match node.uses.as_str() {
        "work" => Ok((Some(json!(sum + n)), None)),
        "choose" => {
            let action = node.params.get("action").and_then(Value::as_str);
            Ok((Some(json!(sum)), action.map(str::to_owned)))
        }
        "test" => Ok((Some(json!({"low": sum < n, "high": sum >= n, "value": sum})), None)),
        "silent" => Ok((None, None)),
        other => Err(format!("nothing implements {other}")),
    }
}

impl JavaScript {
    pub(crate) fn new(cluster: &Cluster, queue: Arc<SplitQueue>, blueprint: Blueprint) -> Self {
        Self {
            queue,
            state: cluster.state.clone(),
            keys: cluster.coordination.clone(),
            clock: cluster.clock.clone(),
            blueprint,
            starts: Mutex::default(),
            stored: Mutex::default(),
            gap: Mutex::default(),
            dies: Mutex::default(),
            dead: tokio_util::sync::CancellationToken::new(),
            starved: Mutex::default(),
        }
    }

    /// Works until it dies.
    pub(crate) async fn work(self: Arc<Self>) {
        let mut jobs = JoinSet::new();
        let mut pause = 1;
        while !self.dead.is_cancelled() {
            let visibility = Duration::from_secs(30);
            let found = self.queue.theirs.receive(Lane::Jobs, 10, visibility).await.unwrap();
            pause = if found.is_empty() { (pause * 2).min(500) } else { 1 };
            for delivery in found {
                let js = self.clone();
                jobs.spawn(async move {
                    let job = Job::decode(&delivery.body).unwrap();
                    if js.handle(&job).await {
                        // Somebody else has it if that took longer than thirty seconds.
                        let _ = js.queue.theirs.delete(Lane::Jobs, &delivery.receipt).await;
                    }
                });
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Whether it has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// How often it ran a node.
    pub(crate) fn count(&self, node: &str) -> usize {
        self.starts.lock().unwrap().iter().filter(|start| *start == node).count()
    }

    /// Handles a job. Returns whether its message is to be deleted.
    pub(crate) async fn handle(&self, job: &Job) -> bool {
        match self.try_handle(&job.run_id, &job.node_id).await {
            Ok(()) => true,
            Err(Trouble::Died) => {
                self.dead.cancel();
                false
            }
            Err(Trouble::Failure(reason)) => {
                self.publish(&job.run_id, RunStatus::Failed, &reason).await;
                for edge in self.blueprint.edges.iter().filter(|edge| edge.source == job.node_id) {
                    let pill = match self.strategy(&edge.target) {
                        JoinStrategy::All => Key::fan_in_poison(&job.run_id, &edge.target),
                        JoinStrategy::Any => Key::fan_in_cancel(&job.run_id, &edge.target),
                    };
                    self.keys.set_if_absent(&pill, "poisoned", TTL).await.unwrap();
                }
                true
            }
        }
    }

    async fn try_handle(&self, run: &RunId, id: &NodeId) -> Result<(), Trouble> {
        self.step(id, Step::Received).await?;
        self.touch(run, RunStatus::Running, None).await;
        self.step(id, Step::Touched).await?;
        let document = self.read(run).await;
        // An absent version differs from every other.
        let Some(document) = document.filter(|document| document.head().blueprint().is_some())
        else {
            return Ok(());
        };
        if document.head().blueprint_version.as_deref() != self.blueprint.version() {
            return Ok(());
        }
        let key = Key::blueprint(run);
        self.keys.set_if_absent(&key, &self.blueprint.id, TTL).await.unwrap();
        let node = self.blueprint.node(id).unwrap();
        let (output, action) = match document.output(id) {
            Some(output) => (Some((**output).clone()), None),
            None => self.execute(run, node, &document).await?,
        };
        self.step(id, Step::Stored).await?;
        self.complete(run, node, output, action.as_deref()).await
    }

    async fn execute(
        &self,
        run: &RunId,
        node: &Node,
        document: &RunDocument,
    ) -> Result<(Option<Value>, Option<String>), Trouble> {
        self.starts.lock().unwrap().push(node.id.to_string());
        let ms = node.params.get("ms").and_then(Value::as_u64).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let input = self.input(node, document);
        let (output, action) = compute(node, input.as_ref()).map_err(Trouble::Failure)?;
        self.step(&node.id, Step::Executed).await?;
        if let Some(output) = &output {
            self.write(run, &output_key(&node.id), output.clone()).await;
            self.stored.lock().unwrap().insert(node.id.to_string());
        }
        Ok((output, action))
    }

    fn input(&self, node: &Node, document: &RunDocument) -> Option<Value> {
        let named = |name: &str| {
            let value = document.output(name).or_else(|| document.get(name));
            if value.is_none() && self.blueprint.node(name).is_some() {
                self.starved.lock().unwrap().insert(node.id.to_string());
            }
            value.map(|value| (**value).clone())
        };
        match &node.inputs {
            Inputs::One(name) => named(name),
            Inputs::Many(names) => {
                let members = names
                    .iter()
                    .filter_map(|(member, name)| Some((member.clone(), named(name.as_str()?)?)));
                Some(Value::Object(members.collect()))
            }
            Inputs::Edge => {
                let value = document.get(&input_key(&node.id)).map(|value| (**value).clone());
                let led_to = self.blueprint.edges.iter().any(|edge| edge.target == node.id);
                if value.is_none() && led_to {
                    self.starved.lock().unwrap().insert(node.id.to_string());
                }
                value
            }
        }
    }

    async fn complete(
        &self,
        run: &RunId,
        node: &Node,
        output: Option<Value>,
        action: Option<&str>,
    ) -> Result<(), Trouble> {
        let outgoing: Vec<&Edge> =
            self.blueprint.edges.iter().filter(|edge| edge.source == node.id).collect();
        if outgoing.is_empty() {
            let document = self.read(run).await.unwrap();
            let terminal =
                |node: &&Node| self.blueprint.edges.iter().all(|edge| edge.source != node.id);
            let mut terminals = self.blueprint.nodes.iter().filter(terminal);
            if terminals.all(|node| document.output(&node.id).is_some()) {
                self.publish(run, RunStatus::Completed, "").await;
            }
            return self.step(&node.id, Step::Routed).await;
        }
        let document = self.read(run).await.unwrap();
        let holds = |edge: &Edge| match edge.condition.as_deref() {
            None | Some("") => true,
            Some(condition) => match condition.strip_prefix("result.output.") {
                Some(member) => output.as_ref().is_some_and(|output| output[member] == true),
                None => document.get(condition).is_some_and(|value| **value == true),
            },
        };
        let mut taken: Vec<&Edge> = Vec::new();
        if let Some(action) = action {
            let named = |edge: &&Edge| edge.action.as_deref() == Some(action) && holds(edge);
            taken.extend(outgoing.iter().copied().filter(named));
        }
        if taken.is_empty() {
            let default = |edge: &&Edge| edge.action.is_none() && holds(edge);
            taken.extend(outgoing.iter().copied().filter(default));
        }
        for edge in taken {
            if let Some(output) = &output {
                self.write(run, &input_key(&edge.target), output.clone()).await;
            }
            self.step(&node.id, Step::InputWritten).await?;
            let ready = self.is_ready(run, &edge.target).await?;
            self.step(&node.id, Step::Counted).await?;
            if ready {
                self.send(run, &edge.target).await;
            }
            self.step(&node.id, Step::Sent).await?;
        }
        self.step(&node.id, Step::Routed).await
    }

    async fn is_ready(&self, run: &RunId, target: &NodeId) -> Result<bool, Trouble> {
        let edges = self.blueprint.edges.iter().filter(|edge| edge.target == *target).count();
        if edges <= 1 {
            return Ok(true);
        }
        let pill = Key::fan_in_poison(run, target);
        if self.keys.get(&pill).await.unwrap().is_some() {
            return Err(Trouble::Failure(format!("{target} has a poisoned predecessor")));
        }
        if self.strategy(target) == JoinStrategy::Any {
            let lock = Key::join_lock(run, target);
            if self.keys.set_if_absent(&lock, "locked", TTL).await.unwrap() {
                return Ok(true);
            }
            let cancel = Key::fan_in_cancel(run, target);
            if !self.keys.set_if_absent(&cancel, "1", TTL).await.unwrap() {
                return Err(Trouble::Failure(format!("{target} has a cancelled predecessor")));
            }
            return Ok(false);
        }
        let counter = Key::fan_in(run, target);
        if self.keys.increment(&counter, TTL).await.unwrap() < edges as u64 {
            return Ok(false);
        }
        self.keys.remove(&[counter]).await.unwrap();
        Ok(true)
    }

    fn strategy(&self, node: &str) -> JoinStrategy {
        self.blueprint.node(node).map_or(JoinStrategy::All, |node| node.config.join)
    }

    /// Sends a message as a JavaScript worker does.
    pub(crate) async fn send(&self, run: &RunId, node: &str) {
        let job = Job::new(run.clone(), self.blueprint.id.clone(), node.into());
        self.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    }

    async fn step(&self, node: &str, step: Step) -> Result<(), Trouble> {
        let dies = self
            .dies
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|(at, last)| at == node && *last == step);
        if dies {
            self.dead.cancel();
        }
        tokio::task::yield_now().await;
        if self.dead.is_cancelled() { Err(Trouble::Died) } else { Ok(()) }
    }

    pub(crate) async fn read(&self, run: &RunId) -> Option<RunDocument> {
        match self.state.read_document(run, None).await.unwrap() {
            ReadDocument::Whole(document, _) => Some(*document),
            _ => None,
        }
    }

    /// Reads the item, changes one key and replaces the whole item.
    pub(crate) async fn write(&self, run: &RunId, key: &str, value: Value) {
        let mut copy = self
            .read(run)
            .await
            .unwrap_or_else(|| RunDocument::new(Head::unadopted(None, None, self.clock.now())));
        let gap = *self.gap.lock().unwrap();
        if !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        copy.apply(&Op::Set(key.into(), Arc::new(value)));
        self.replace(run, &copy).await;
    }

    /// Replaces an item with a copy, whatever it is by now.
    pub(crate) async fn replace(&self, run: &RunId, copy: &RunDocument) {
        loop {
            let written = match self.state.read_document(run, None).await.unwrap() {
                ReadDocument::Whole(now, version) => {
                    let ops = leading_to(copy, &now);
                    self.state.commit_document(run, &version, &ops, copy).await
                }
                _ => self.state.create_document(run, copy).await,
            };
            match written {
                Ok(_) => return,
                Err(error) => assert_eq!(error.fault, Fault::Conflict),
            }
        }
    }

    async fn publish(&self, run: &RunId, status: RunStatus, reason: &str) {
        let last = json!({"status": status.as_str(), "reason": reason});
        self.touch(run, status, Some(last)).await;
    }

    /// Writes the status item without a precondition: what ours keep there beside stays only because
    /// it reads before.
    pub(crate) async fn touch(&self, run: &RunId, status: RunStatus, last: Option<Value>) {
        loop {
            let known = self.state.read_status(run).await.unwrap();
            let written = match known {
                Some(mut known) => {
                    known.item.status = Some(status);
                    known.item.last_updated = self.clock.now();
                    known.item.final_status =
                        last.clone().map(Box::new).or(known.item.final_status);
                    self.state.replace_status(&known.item, &known.version).await
                }
                None => self.state.create_status(&self.status_item(run, status)).await,
            };
            match written {
                Ok(_) => return,
                Err(error) => assert_eq!(error.fault, Fault::Conflict),
            }
        }
    }

    fn status_item(&self, run: &RunId, status: RunStatus) -> StatusItem {
        StatusItem {
            run_id: run.clone(),
            status: Some(status),
            last_updated: self.clock.now(),
            blueprint_id: None,
            started_at: None,
            nodes: None,
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: None,
            final_status: None,
            remarks: flowcraft_tui::cluster::Remarks::default(),
        }
    }

    /// Starts a run as a client does: with a document, and a message for each start node.
    pub(crate) async fn start(&self, run: &RunId, context: &Value) {
        self.touch(run, RunStatus::Running, None).await;
        let version = self.blueprint.version().map(str::to_owned);
        let head = Head::unadopted(Some(self.blueprint.id.clone()), version, self.clock.now());
        let mut document = RunDocument::new(head);
        for (key, value) in context.as_object().into_iter().flatten() {
            document.apply(&Op::Set(key.as_str().into(), Arc::new(value.clone())));
        }
        self.replace(run, &document).await;
        self.send_starts(run).await;
    }

    /// Sends a message for each node without an incoming edge, fallbacks included.
    pub(crate) async fn send_starts(&self, run: &RunId) {
        for node in &self.blueprint.nodes {
            if self.blueprint.edges.iter().all(|edge| edge.target != node.id) {
                self.send(run, &node.id).await;
            }
        }
    }
}

/// The operations that turn one document into another.
pub(crate) fn leading_to(copy: &RunDocument, now: &RunDocument) -> Vec<Op> {
    let mut ops = vec![Op::Head(Arc::new(copy.head().clone()))];
    for (key, value) in copy.context() {
        if now.get(key) != Some(value) {
            ops.push(Op::Set(key.clone(), value.clone()));
        }
    }
    for (key, _) in now.context().filter(|(key, _)| copy.get(key).is_none()) {
        ops.push(Op::Remove(key.clone()));
    }
    for (node, entry) in copy.entries() {
        if now.entry(node) != Some(entry) {
            ops.push(Op::Node(node.clone(), entry.clone()));
        }
    }
    for (node, _) in now.entries().filter(|(node, _)| copy.entry(node).is_none()) {
        ops.push(Op::RemoveNode(node.clone()));
    }
    ops
}
