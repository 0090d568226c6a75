//! Finding runs in which nothing moves though something could, and having it move.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::OnceCell;

use super::{
    Worker,
    core::Core,
    route_unknown::RouteUnknown,
    session::{Freshness, Loyalty, SessionError},
    status::Urgency,
};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Holder, Key, Lane, Neighbours, StatusItem, StatusQuery},
    engine::{
        Awaits, Continuation, Entry, Event, NodeState, RunDocument, RunStatus, Timestamp,
        lost_outputs,
    },
};

/// How many stalled runs are looked at in one pass.
const RUNS_A_PASS: usize = 200;
/// How late a timer must be for its message to count as lost.
const TIMER_GRACE: Duration = Duration::from_secs(30);

/// How many times longer than another run an awaiting one is left alone.
const AWAITING_FACTOR: u32 = 12;

/// What a reconciler's pass found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconcileReport {
    /// Runs that looked stalled.
    pub stalled_runs: usize,
    /// Those of them in which something was put back on its way.
    pub reconciled_runs: usize,
    /// Those of them that could not be looked at.
    pub failed_runs: usize,
    /// One by one.
    pub runs: Vec<ReconciledRun>,
}

/// What became of one stalled run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciledRun {
    /// The run.
    pub run_id: RunId,
    /// The nodes that were enqueued.
    pub enqueued: Vec<NodeId>,
    /// Why it could not be looked at.
    pub error: Option<String>,
}

/// What has to be done for a run to move again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// Nodes to enqueue: ready without a worker or a message, timers overdue, children to look at.
    pub(crate) enqueue: Vec<NodeId>,
    /// Whether outputs have been lost.
    pub(crate) lost_outputs: Vec<NodeId>,
    /// Nodes that JavaScript workers ran and of which nobody knows where they led to.
    pub(crate) unknown_routes: Vec<RouteUnknown>,
    /// Whether the run has ended and only its closing work is left.
    pub(crate) unclosed: bool,
}

/// How old the oldest message in the queue is: asked for when it is first needed, and kept for a
/// pass. What it says later is older than the truth, which only leaves more nodes alone.
#[derive(Debug, Default)]
pub(crate) struct QueueAge(OnceCell<Seen>);

#[derive(Debug)]
struct Seen {
    at: Timestamp,
    oldest: Option<Timestamp>,
}

impl QueueAge {
    /// Whether the message of a node is still in the queue, as far as that can be told: behind an
    /// older one, or sent since somebody looked.
    async fn holds(&self, entry: &Entry, core: &Core) -> Result<bool, SessionError> {
        let look = async || {
            let (at, queue) = (core.now(), &core.cluster().queue);
            let depth = core.patience().call(|| queue.depth(Lane::Jobs)).await?;
            Ok::<_, SessionError>(Seen { at, oldest: depth.oldest })
        };
        let seen = self.0.get_or_try_init(look).await?;
        Ok(entry.is_behind(seen.oldest) || entry.enqueued_at.is_some_and(|sent| sent > seen.at))
    }
}

impl Worker {
    /// Reconciles at intervals until dropped, whenever no other worker of the cluster does.
    pub(crate) async fn reconcile_now_and_then(&self) {
        let Some(config) = self.config.reconciler else { return std::future::pending().await };
        let core = &self.core;
        let store = &core.cluster().coordination;
        let holder = Holder::new(&core.name, core.patience().nonce());
        loop {
            tokio::time::sleep(core.patience().jitter(config.every)).await;
            // Kept until the next pass is overdue: another worker takes over then.
            let acquired = store.acquire(&Key::reconciler(), &holder, config.every * 3).await;
            if !matches!(acquired, Ok(crate::cluster::Acquired::Yes)) {
                continue;
            }
            let outcome = core.reconcile_stalled(config.stalled_after).await;
            if outcome.as_ref().is_ok_and(|report| report.failed_runs > 0) {
                // Another worker may have the blueprints that this one lacks: it gets its turn.
                let _ = store.release(&Key::reconciler(), &holder).await;
                tokio::time::sleep(config.every).await;
            }
            match outcome {
                Ok(report) if report.stalled_runs > 0 => tracing::info!(
                    stalled = report.stalled_runs,
                    reconciled = report.reconciled_runs,
                    failed = report.failed_runs,
                    "reconciled"
                ),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "could not look for stalled runs"),
            }
        }
    }
}

impl Core {
    /// The runs in which nothing has moved for a while, and those with overdue timers.
    pub(crate) async fn stalled(
        &self,
        stalled_after: Duration,
    ) -> Result<Vec<StatusItem>, SessionError> {
        let state = &self.cluster().state;
        let now = self.now();
        let quiet = StatusQuery {
            statuses: vec![RunStatus::Running],
            touched_before: Some(before(now, stalled_after)),
            limit: RUNS_A_PASS,
            ..StatusQuery::default()
        };
        let overdue = StatusQuery {
            statuses: vec![RunStatus::Running, RunStatus::Awaiting],
            due_before: Some(before(now, TIMER_GRACE)),
            limit: RUNS_A_PASS,
            ..StatusQuery::default()
        };
        let mut items: Vec<StatusItem> = Vec::new();
        for query in [quiet, overdue] {
            let page = self.patience().call(|| state.list_statuses(&query)).await?;
            for found in page.items {
                if items.iter().all(|item| item.run_id != found.item.run_id) {
                    items.push(found.item);
                }
            }
        }
        Ok(items)
    }

    /// Runs that have said for long that they wait: seldom, one of them was set going by somebody
    /// who died before it could say so.
    async fn long_awaiting(&self, stalled_after: Duration) -> Result<Vec<RunId>, SessionError> {
        let state = &self.cluster().state;
        let query = StatusQuery {
            statuses: vec![RunStatus::Awaiting],
            touched_before: Some(before(self.now(), stalled_after * AWAITING_FACTOR)),
            limit: RUNS_A_PASS,
            ..StatusQuery::default()
        };
        let page = self.patience().call(|| state.list_statuses(&query)).await?;
        Ok(page.items.into_iter().map(|found| found.item.run_id).collect())
    }

    /// One pass over all stalled runs.
    pub(crate) async fn reconcile_stalled(
        &self,
        stalled_after: Duration,
    ) -> Result<ReconcileReport, SessionError> {
        let mut report = ReconcileReport::default();
        let age = QueueAge::default();
        for item in self.stalled(stalled_after).await? {
            report.stalled_runs += 1;
            let outcome = self.reconcile_run(&item.run_id, &age).await;
            report.add(item.run_id, outcome);
        }
        for run in self.long_awaiting(stalled_after).await? {
            match self.reconcile_run(&run, &age).await {
                // It only waits, as it says.
                Ok(enqueued) if enqueued.is_empty() => {}
                outcome => {
                    report.stalled_runs += 1;
                    report.add(run, outcome);
                }
            }
        }
        Ok(report)
    }

    /// Has a run move again, if something in it should. Returns the nodes that were enqueued.
    pub(crate) async fn reconcile_run(
        &self,
        run: &RunId,
        age: &QueueAge,
    ) -> Result<Vec<NodeId>, SessionError> {
        let session = self.session(run);
        let Some(document) = session.document(Freshness::Now).await? else {
            return self.never_started(run).await;
        };
        let document = if session.lags().await {
            // First, so that it is on record since when what follows counts as enqueued.
            self.adopt(&session).await?;
            session.existing(Freshness::AtLeast(0)).await?
        } else {
            document
        };
        let diagnosis = self.diagnose(run, &document, age).await?;
        if diagnosis.unclosed {
            let graph = session
                .graph(&document)
                .unwrap_or_else(|_| super::graphs::Graphs::stand_in(document.head()));
            if let Some(next) = self.close(&session, &document, &graph).await? {
                self.send(vec![next.job]).await?;
                self.closed(run).await;
            }
            return Ok(Vec::new());
        }
        let graph = session.graph(&document)?;
        if let Some(unknown) = diagnosis.unknown_routes.into_iter().next()
            && document.ready().next().is_none()
        {
            return Err(SessionError::RouteUnknown(unknown));
        }
        let mut enqueued = diagnosis.enqueue.clone();
        if !diagnosis.lost_outputs.is_empty() {
            enqueued.extend(diagnosis.lost_outputs);
            self.happen(&session, Event::RecoverOutputs, Continuation::Enqueue, Loyalty::Blueprint)
                .await?;
        }
        if !diagnosis.enqueue.is_empty() {
            let event = Event::Enqueue { nodes: diagnosis.enqueue };
            self.happen(&session, event, Continuation::Enqueue, Loyalty::Blueprint).await?;
        }
        let document = session.existing(Freshness::AtLeast(0)).await?;
        self.touch(&session, &document, &graph, Urgency::Now).await?;
        Ok(enqueued)
    }

    /// What has to be done for a run to move again. Changes nothing.
    pub(crate) async fn diagnose(
        &self,
        run: &RunId,
        document: &RunDocument,
        age: &QueueAge,
    ) -> Result<Diagnosis, SessionError> {
        let head = document.head();
        let mut diagnosis = Diagnosis::default();
        if head.status.is_final() {
            diagnosis.unclosed = !self.is_closed(run, document).await?;
            return Ok(diagnosis);
        }
        let now = self.now();
        for node in document.ready() {
            let Some(entry) = document.entry(node) else { continue };
            let later = entry.due_at.is_some_and(|due| due + TIMER_GRACE > now);
            if later || age.holds(entry, self).await? || self.is_leased(run, node).await? {
                continue;
            }
            diagnosis.enqueue.push(node.clone());
        }
        for node in document.awaiting() {
            let Some(entry) = document.entry(node) else { continue };
            let stuck = match (&entry.state, &entry.awaits) {
                (NodeState::Awaiting, Some(Awaits::Timer)) => {
                    entry.due_at.is_some_and(|due| due + TIMER_GRACE < now)
                        && !age.holds(entry, self).await?
                        && !self.is_leased(run, node).await?
                }
                (NodeState::Awaiting, Some(Awaits::Child { run: child, status })) => {
                    let child = self.fresh(child).await?;
                    child.is_none_or(|child| child.status() != *status)
                        && !self.is_leased(run, node).await?
                }
                _ => false,
            };
            if stuck {
                diagnosis.enqueue.push(node.clone());
            }
        }
        diagnosis.unknown_routes = RouteUnknown::of(document).collect();
        diagnosis.lost_outputs = lost_outputs(document).cloned().collect();
        Ok(diagnosis)
    }

    pub(super) async fn is_leased(&self, run: &RunId, node: &NodeId) -> Result<bool, SessionError> {
        let key = Key::node_lock(run, node);
        let store = &self.cluster().coordination;
        let value = self.patience().call(|| store.get(&key)).await?;
        // A JavaScript reconciler's mark says that the node is enqueued, which serves as well.
        Ok(value.is_some())
    }

    /// Whether a run without a document may still begin: a JavaScript client need not write one, the
    /// run's first message makes it.
    pub(crate) async fn may_yet_begin(&self, item: &StatusItem) -> Result<bool, SessionError> {
        Ok(self.cluster().neighbours == Neighbours::JavaScript
            && self.may_be_queued(item.last_updated).await?)
    }

    /// A run that has a status item and no document: its start was interrupted, and its input is
    /// lost.
    async fn never_started(&self, run: &RunId) -> Result<Vec<NodeId>, SessionError> {
        let state = &self.cluster().state;
        let Some(known) = self.patience().call(|| state.read_status(run)).await? else {
            return Err(SessionError::NoSuchRun(run.clone()));
        };
        if self.may_yet_begin(&known.item).await? {
            return Ok(Vec::new());
        }
        let reason = "never started: whoever began it stopped before its document was written";
        let item = StatusItem {
            status: Some(RunStatus::Failed),
            last_updated: self.now(),
            error: Some(reason.to_owned()),
            final_status: Some(Box::new(serde_json::json!({"status": "failed", "reason": reason}))),
            ..known.item
        };
        self.patience().call(|| state.replace_status(&item, &known.version)).await?;
        Ok(Vec::new())
    }
}

impl ReconcileReport {
    /// Adds what became of one run.
    pub(crate) fn add(&mut self, run: RunId, outcome: Result<Vec<NodeId>, SessionError>) {
        let (enqueued, error) = match outcome {
            Ok(enqueued) => (enqueued, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        if error.is_some() {
            self.failed_runs += 1;
        } else {
            self.reconciled_runs += 1;
        }
        self.runs.push(ReconciledRun { run_id: run, enqueued, error });
    }
}

/// The time a while ago.
fn before(now: Timestamp, duration: Duration) -> Timestamp {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_sub(millis))
}
