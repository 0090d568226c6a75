//! Plans for runs that exist: what would change, shown before it does.

use std::{fmt, time::Duration};

use super::{OperationError, Operations};
use crate::{
    blueprint::{NodeId, RunId},
    engine::{
        Answer, Awaits, Continuation, Event, Graph, NodeState, Op, Planner, Refusal, RunDocument,
        RunStatus, Timestamp, Verdict, edge_action,
    },
    worker::{
        ReconcileReport, SessionError,
        reconciler::QueueAge,
        session::{Freshness, Loyalty},
    },
};

/// What an operation would do to one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The run.
    pub run: RunId,
    /// What would change, in order.
    pub changes: Vec<Change>,
    event: Event,
    rev: u64,
    ends_sleep: bool,
}

impl Plan {
    /// Whether the plan ends a sleep before its time.
    pub fn ends_sleep(&self) -> bool {
        self.ends_sleep
    }
}

/// One thing that an operation changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A run is created, with this many context keys.
    Created(RunId, usize),
    /// The run's status changes.
    Status(RunStatus, RunStatus),
    /// A node's state changes.
    Node(NodeId, NodeState, NodeState),
    /// A context key is set.
    Set(String),
    /// A context key is removed.
    Removed(String),
    /// A message is sent for a node, at a later time perhaps.
    Message(NodeId, Option<Timestamp>),
    /// A child run is cancelled.
    ChildCancelled(RunId),
    /// Something else worth knowing.
    Note(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(run, keys) => {
                write!(f, "create run \"{run}\" with {keys} context keys")
            }
            Self::Status(from, to) => write!(f, "status: {from} -> {to}"),
            Self::Node(node, from, to) if from == to => {
                write!(f, "node \"{node}\": {}, anew", to.as_str())
            }
            Self::Node(node, from, to) => {
                write!(f, "node \"{node}\": {} -> {}", from.as_str(), to.as_str())
            }
            Self::Set(key) => write!(f, "document: set {key}"),
            Self::Removed(key) => write!(f, "document: remove {key}"),
            Self::Message(node, None) => write!(f, "message: run node \"{node}\""),
            Self::Message(node, Some(due)) => write!(f, "message: run node \"{node}\" at {due}"),
            Self::ChildCancelled(run) => write!(f, "cancel run \"{run}\""),
            Self::Note(note) => f.write_str(note),
        }
    }
}

/// What came of an operation on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The run.
    pub run: RunId,
    /// Its status now.
    pub status: RunStatus,
    /// The nodes that messages were sent for.
    pub enqueued: Vec<NodeId>,
}

impl Operations {
    /// Plans to run nodes again: the named ones; without any, the failed ones; without any, the
    /// ready ones that nobody holds.
    pub async fn plan_requeue(
        &self,
        run: &RunId,
        nodes: &[NodeId],
    ) -> Result<Plan, OperationError> {
        let document = self.read(run).await?;
        let idle = if nodes.is_empty() && !document.status().is_final() {
            self.core.diagnose(run, &document, &QueueAge::default()).await?.enqueue
        } else {
            // A cancelled run's nodes have stopped, whatever their leases say.
            document.ready().cloned().collect()
        };
        let event = Event::Requeue { nodes: nodes.to_vec(), idle };
        self.plan(run, &document, event)
    }

    /// Plans to answer a waiting node. Where that waits for a child run, the child's is answered.
    pub async fn plan_answer(
        &self,
        run: &RunId,
        mut answer: Answer,
    ) -> Result<Plan, OperationError> {
        let mut run = run.clone();
        loop {
            let document = self.read(&run).await?;
            match self.plan(&run, &document, Event::Answered(answer.clone())) {
                Err(OperationError::Refused {
                    refusal: Refusal::AskChild { run: child, .. },
                    ..
                }) => {
                    answer.node = None;
                    run = child;
                }
                planned => return planned,
            }
        }
    }

    /// Plans to stop a run.
    pub async fn plan_cancel(&self, run: &RunId) -> Result<Plan, OperationError> {
        let document = self.read(run).await?;
        self.plan(run, &document, Event::Cancel)
    }

    /// Plans to have a run move again, if something in it should.
    pub async fn plan_reconcile(&self, run: &RunId) -> Result<Plan, OperationError> {
        let Some(document) = self.core.fresh(run).await? else {
            return self.plan_never_started(run).await;
        };
        let diagnosis = self.core.diagnose(run, &document, &QueueAge::default()).await?;
        let mut plan = Plan {
            run: run.clone(),
            changes: Vec::new(),
            event: Event::Enqueue { nodes: diagnosis.enqueue.clone() },
            rev: document.head().rev,
            ends_sleep: false,
        };
        plan.changes.extend(
            diagnosis
                .lost_outputs
                .iter()
                .map(|node| Change::Node(node.clone(), NodeState::Completed, NodeState::Ready)),
        );
        plan.changes.extend(diagnosis.enqueue.into_iter().map(|node| Change::Message(node, None)));
        plan.changes.extend(
            diagnosis.unknown_routes.iter().map(|unknown| Change::Note(unknown.to_string())),
        );
        if diagnosis.unclosed {
            plan.changes
                .push(Change::Note(format!("write the final status: {}", document.status())));
        }
        Ok(plan)
    }

    /// Plans to put on record that a run never began: it has a status item and no document.
    async fn plan_never_started(&self, run: &RunId) -> Result<Plan, OperationError> {
        let Some(item) = self.status(run).await? else {
            return Err(SessionError::NoSuchRun(run.clone()).into());
        };
        let event = Event::Enqueue { nodes: Vec::new() };
        let mut plan =
            Plan { run: run.clone(), changes: Vec::new(), event, rev: 0, ends_sleep: false };
        let says = item.status.unwrap_or(RunStatus::Running);
        if !says.is_final() && !self.core.may_yet_begin(&item).await? {
            plan.changes.push(Change::Status(says, RunStatus::Failed));
            let note = "it never began: its input is lost, start it again".to_owned();
            plan.changes.push(Change::Note(note));
        }
        Ok(plan)
    }

    /// Carries a plan out, if the run has not moved since it was made.
    pub async fn apply(&self, plan: &Plan) -> Result<Done, OperationError> {
        let run = &plan.run;
        if let Event::Enqueue { .. } = &plan.event {
            return self.apply_reconcile(plan).await;
        }
        let session = self.core.session(run);
        let loyalty = match plan.event {
            Event::Cancel => Loyalty::Anyway,
            _ => Loyalty::Blueprint,
        };
        let event = Event::IfUnmoved { rev: plan.rev, event: Box::new(plan.event.clone()) };
        let (settled, _) =
            self.core.happen(&session, event, Continuation::Enqueue, loyalty).await?;
        match settled.verdict {
            Verdict::Refused(refusal) => Err(OperationError::Refused { run: run.clone(), refusal }),
            Verdict::Applied(effects) => {
                if matches!(plan.event, Event::Requeue { .. }) {
                    self.reopen_ancestors(&settled.document, run).await?;
                }
                let ready = effects.ready.into_iter().map(|work| work.node);
                let later = effects.timers.into_iter().map(|(work, _)| work.node);
                Ok(Done {
                    run: run.clone(),
                    status: settled.document.status(),
                    enqueued: ready.chain(later).collect(),
                })
            }
            Verdict::AlreadyApplied | Verdict::Stale => Ok(Done {
                run: run.clone(),
                status: settled.document.status(),
                enqueued: Vec::new(),
            }),
        }
    }

    async fn apply_reconcile(&self, plan: &Plan) -> Result<Done, OperationError> {
        let run = &plan.run;
        let rev = self.core.fresh(run).await?.map_or(0, |document| document.head().rev);
        if rev != plan.rev {
            return Err(OperationError::Refused { run: run.clone(), refusal: Refusal::Moved });
        }
        let enqueued = self.core.reconcile_run(run, &QueueAge::default()).await?;
        let status = match self.core.fresh(run).await? {
            Some(document) => document.status(),
            None => {
                self.status(run).await?.and_then(|item| item.status).unwrap_or(RunStatus::Failed)
            }
        };
        Ok(Done { run: run.clone(), status, enqueued })
    }

    /// The runs in which nothing has moved for a while, and those with overdue timers.
    pub async fn stalled_runs(
        &self,
        stalled_after: Duration,
    ) -> Result<Vec<RunId>, OperationError> {
        Ok(self.core.stalled(stalled_after).await?.into_iter().map(|item| item.run_id).collect())
    }

    /// Has all stalled runs move again.
    pub async fn reconcile_stalled(
        &self,
        stalled_after: Duration,
    ) -> Result<ReconcileReport, OperationError> {
        Ok(self.core.reconcile_stalled(stalled_after).await?)
    }

    /// Has these runs move again.
    pub async fn reconcile(&self, runs: &[RunId]) -> ReconcileReport {
        let mut report = ReconcileReport { stalled_runs: runs.len(), ..ReconcileReport::default() };
        let age = QueueAge::default();
        for run in runs {
            report.add(run.clone(), self.core.reconcile_run(run, &age).await);
        }
        report
    }

    /// Has the ancestors of a requeued child run wait for it again.
    async fn reopen_ancestors(
        &self,
        document: &RunDocument,
        run: &RunId,
    ) -> Result<(), OperationError> {
        let mut child = run.clone();
        let mut parent = document.head().parent.clone();
        while let Some(link) = parent.take() {
            let session = self.core.session(&link.run);
            let event = Event::ChildReopened { node: link.node, run: child };
            let reopened =
                self.core.happen(&session, event, Continuation::Enqueue, Loyalty::Anyway).await;
            let settled = match reopened {
                Ok((settled, _)) => settled,
                // Its parent is gone: the child runs for itself.
                Err(SessionError::NoSuchRun(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            parent.clone_from(&settled.document.head().parent);
            child = link.run;
        }
        Ok(())
    }

    fn plan(
        &self,
        run: &RunId,
        document: &RunDocument,
        event: Event,
    ) -> Result<Plan, OperationError> {
        let graph = match self.core.session(run).graph(document) {
            Ok(graph) => graph,
            Err(_) if event == Event::Cancel && !document.head().is_unadopted() => {
                crate::worker::core::stand_in(document.head())
            }
            Err(error) => return Err(SessionError::from(error).into()),
        };
        let now = self.core.now();
        let measure = self.cluster().state.measure();
        // What JavaScript workers did is in the document as it was read.
        let mut planner = Planner::new(&graph, run, document.clone(), now).measuring(measure);
        let effects = match planner.apply(&event, Continuation::Enqueue) {
            Verdict::Applied(effects) => effects,
            Verdict::Refused(refusal) => {
                return Err(OperationError::Refused { run: run.clone(), refusal });
            }
            Verdict::AlreadyApplied | Verdict::Stale => Box::default(),
        };
        let mut changes = Vec::new();
        if let Some((after, ops)) = planner.finish("") {
            describe(document, &after, &ops, &mut changes);
        }
        changes.extend(effects.ready.into_iter().map(|work| Change::Message(work.node, None)));
        changes.extend(
            effects.timers.into_iter().map(|(work, due)| Change::Message(work.node, Some(due))),
        );
        changes.extend(effects.cancel_children.into_iter().map(Change::ChildCancelled));
        let mut ends_sleep = false;
        if let Event::Answered(answer) = &event {
            let mut waiting = document.awaiting();
            if let Some(node) = answer.node.as_ref().or_else(|| waiting.next()) {
                let entry = document.entry(node);
                ends_sleep = entry.is_some_and(|entry| entry.awaits == Some(Awaits::Timer));
                changes.extend(every_branch(&graph, node, answer).map(Change::Note));
            }
        }
        Ok(Plan { run: run.clone(), changes, event, rev: document.head().rev, ends_sleep })
    }

    pub(super) async fn read(&self, run: &RunId) -> Result<RunDocument, OperationError> {
        match self.core.session(run).existing(Freshness::Now).await {
            Err(SessionError::NoSuchRun(_)) if self.status(run).await?.is_some() => {
                Err(OperationError::NoDocument(run.clone()))
            }
            read => Ok(read?),
        }
    }
}

/// What is to be known of an answer that names no action although each edge has one: none of them
/// matches, so that all are taken.
fn every_branch(graph: &Graph, node: &NodeId, answer: &Answer) -> Option<String> {
    if answer.action.as_deref().is_some_and(|action| !action.is_empty()) {
        return None;
    }
    let edges = graph.blueprint().edges.iter().filter(|edge| edge.source == *node);
    let mut actions = edges.map(edge_action).collect::<Option<Vec<&str>>>()?;
    actions.dedup();
    (actions.len() > 1)
        .then(|| format!("no action is named, so every branch is taken: {}", actions.join(", ")))
}

/// What a commit changes, for people: the run's status, the states of its nodes, its values.
fn describe(before: &RunDocument, after: &RunDocument, ops: &[Op], changes: &mut Vec<Change>) {
    if before.status() != after.status() {
        changes.push(Change::Status(before.status(), after.status()));
    }
    for op in ops {
        match op {
            Op::Node(node, entry) => {
                let was = before.entry(node);
                let anew = was.is_some_and(|was| was.generation != entry.generation);
                let state = before.state(node);
                if state != entry.state || anew {
                    changes.push(Change::Node(node.clone(), state, entry.state));
                }
            }
            Op::Set(key, _) => changes.push(Change::Set(key.to_string())),
            Op::Remove(key) => changes.push(Change::Removed(key.to_string())),
            Op::RemoveNode(_) | Op::Head(_) => {}
        }
    }
}
