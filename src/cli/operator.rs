//! Carries out what somebody asks for in the dashboard: the operations on runs, and the worker of
//! this process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, FuturesUnordered},
};
use serde_json::Value;

use super::{audit::Audit, reasons::reason, text::count};
use crate::{
    blueprint::{NodeId, RunId},
    engine::{Answer, Refusal},
    operations::{
        self, CANARY_LIMIT, CanaryRule, Change, Cut, Letter, Lint, OperationError, Operations,
        Plan, Release, ReplayOrder, ReplayPlan, StartRequest,
    },
    tui::{Letters, Operation, Operator, OperatorError, Outcome, Oversight, Preview, Reason, Runs},
    worker::Worker,
};

/// An operator at the dashboard of this process.
pub(super) struct LocalOperator {
    pub(super) operations: Operations,
    /// The worker behind the dashboard; nothing where there is none.
    pub(super) worker: Option<Worker>,
    /// When a run counts as stalled.
    pub(super) stalled_after: Duration,
    /// The kinds of node that lint takes for all there are.
    pub(super) kinds: Option<BTreeSet<String>>,
    /// Where what is done is written down.
    pub(super) audit: Option<Audit>,
}

/// How many runs are planned for, or changed, at the same time.
const AT_ONCE: usize = 8;

/// The most changes that a preview lists, and the most runs that it says are left out.
const MOST_LINES: usize = 500;

/// What a preview remembers for when it is applied.
enum Planned {
    Start(StartRequest),
    Runs(Vec<Plan>),
    Replay(ReplayPlan),
    Release(Release),
}

/// What is done to each of several runs.
#[derive(Debug, Clone, Copy)]
enum Each {
    Cancel,
    Reconcile,
    Requeue,
}

impl From<OperationError> for OperatorError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Refused { refusal: Refusal::Moved, .. } => {
                Self::Moved(error.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

#[async_trait]
impl Operator for LocalOperator {
    async fn preview(&self, operation: &Operation) -> Result<Preview, OperatorError> {
        match operation {
            Operation::Start { blueprint, input } => {
                self.preview_start(blueprint.clone(), input).await
            }
            Operation::Requeue { run, nodes } => {
                let plan = self.operations.plan_requeue(run, nodes).await?;
                Ok(preview_of(vec![plan], Vec::new()))
            }
            Operation::RequeueAll(runs) => self.preview_each(runs, Each::Requeue).await,
            Operation::Resume { run, node, action, output } => {
                let answer = answer(node.clone(), action.clone(), output.clone());
                let plan = self.operations.plan_answer(run, answer).await?;
                Ok(preview_of(vec![plan], Vec::new()))
            }
            Operation::Cancel(runs) => self.preview_each(runs, Each::Cancel).await,
            Operation::Reconcile(which) => {
                let runs = match which {
                    Runs::These(runs) => runs.clone(),
                    Runs::AllStalled => self.operations.stalled_runs(self.stalled_after).await?,
                };
                self.preview_each(&runs, Each::Reconcile).await
            }
            Operation::Replay(which) => {
                self.preview_replay(which, CanaryRule::First(CANARY_LIMIT)).await
            }
            Operation::ReplayAtOnce(which) => self.preview_replay(which, CanaryRule::Skip).await,
            Operation::Purge(which) => self.preview_purge(which).await,
            Operation::ReleaseLocks { run, locks } => {
                let release = self.operations.plan_release(run, locks).await?;
                Ok(Preview {
                    lines: release.changes.iter().map(ToString::to_string).collect(),
                    affects: release.locks().len(),
                    plan: Some(Arc::new(Planned::Release(release))),
                })
            }
            Operation::PauseWorker => self.preview_worker("takes no new jobs for now"),
            Operation::ResumeWorker => self.preview_worker("takes new jobs again"),
            Operation::DrainWorker => {
                self.preview_worker("finishes what it has and takes no new jobs any more")
            }
        }
    }

    async fn explain(&self, run: &RunId) -> Result<Vec<Reason>, OperatorError> {
        let causes = self.operations.explain(run).await?;
        let now = self.operations.cluster().clock.now();
        Ok(causes.into_iter().map(|cause| reason(cause, self.worker.as_ref(), now)).collect())
    }

    async fn apply(
        &self,
        operation: &Operation,
        preview: &Preview,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let Some(audit) = &self.audit else {
            return self.carry_out(operation, preview, oversight).await;
        };
        // What can't be written down is done all the same: in an incident that matters more.
        let begun = audit.begun(operation, preview).await;
        let result = self.carry_out(operation, preview, oversight).await;
        let ended = audit.ended(operation, &result).await;
        let mut outcome = result?;
        if let Err(problem) = begun.and(ended) {
            outcome.problems.push(format!("this is not in the audit file: {problem}"));
        }
        Ok(outcome)
    }
}

impl LocalOperator {
    async fn carry_out(
        &self,
        operation: &Operation,
        preview: &Preview,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let planned = preview.plan.as_ref().and_then(|plan| plan.downcast_ref::<Planned>());
        match (operation, planned) {
            (Operation::Start { .. }, Some(Planned::Start(request))) => {
                let started = self.operations.start(request.clone()).await?;
                Ok(Outcome {
                    run: Some(started.run.clone()),
                    ..done(format!("started run {}", started.run))
                })
            }
            (_, Some(Planned::Replay(plan))) => self.apply_replay(plan, oversight).await,
            (Operation::Purge(which), _) => self.apply_purge(&letters(which), oversight).await,
            (Operation::ReleaseLocks { run, .. }, Some(Planned::Release(plan))) => {
                let released = count(plan.locks().len(), "lease");
                let enqueued = count(self.operations.release(plan).await?.enqueued.len(), "node");
                Ok(done(format!("released {released} of run {run}: {enqueued} enqueued")))
            }
            (Operation::PauseWorker, _) => {
                self.worker()?.pause();
                Ok(done("this worker takes no new jobs for now".to_owned()))
            }
            (Operation::ResumeWorker, _) => {
                self.worker()?.go_on();
                Ok(done("this worker takes new jobs again".to_owned()))
            }
            (Operation::DrainWorker, _) => {
                self.worker()?.drain();
                Ok(done("this worker finishes what it has".to_owned()))
            }
            (operation, Some(Planned::Runs(plans))) => {
                self.apply_each(operation, plans, oversight).await
            }
            _ => Err(OperatorError::Moved("the plan is missing".to_owned())),
        }
    }

    fn worker(&self) -> Result<&Worker, OperatorError> {
        self.worker
            .as_ref()
            .ok_or_else(|| OperatorError::Failed("there is no worker in this process".to_owned()))
    }

    fn preview_worker(&self, what: &str) -> Result<Preview, OperatorError> {
        let worker = self.worker()?;
        let line = format!("worker {} {what}", worker.name());
        Ok(Preview { lines: vec![line], affects: 1, plan: None })
    }

    async fn preview_start(
        &self,
        blueprint: crate::blueprint::BlueprintId,
        input: &Value,
    ) -> Result<Preview, OperatorError> {
        let input = match input {
            Value::Null => serde_json::Map::new(),
            Value::Object(input) => input.clone(),
            _ => {
                let problem = "the input must be a JSON object: its members become the context";
                return Err(OperatorError::Failed(problem.to_owned()));
            }
        };
        // With an id of its own from the beginning, so that the same plan starts one run only.
        let run = uuid::Uuid::new_v4().to_string();
        let lint = self.kinds.clone().map_or(Lint::Enforce, Lint::EnforceWith);
        let request = StartRequest { blueprint, input, run: Some(run), lint };
        let changes = self.operations.preview_start(&request).await?;
        Ok(Preview {
            lines: changes.iter().map(ToString::to_string).collect(),
            affects: 1,
            plan: Some(Arc::new(Planned::Start(request))),
        })
    }

    /// Plans for several runs. Those that can't be planned don't keep the others from it.
    async fn preview_each(&self, runs: &[RunId], each: Each) -> Result<Preview, OperatorError> {
        let plan = |run: &RunId| {
            let run = run.clone();
            async move {
                match each {
                    Each::Cancel => self.operations.plan_cancel(&run).await,
                    Each::Reconcile => self.operations.plan_reconcile(&run).await,
                    Each::Requeue => self.operations.plan_requeue(&run, &[]).await,
                }
            }
        };
        let mut plans = Vec::new();
        let mut problems = Vec::new();
        let mut planned = stream::iter(runs.iter().map(plan)).buffered(AT_ONCE);
        while let Some(planned) = planned.next().await {
            match planned {
                Ok(plan) => plans.push(plan),
                Err(error) if runs.len() == 1 => return Err(error.into()),
                Err(error) => problems.push(format!("left out: {error}")),
            }
        }
        Ok(preview_of(plans, problems))
    }

    async fn preview_purge(&self, which: &Letters) -> Result<Preview, OperatorError> {
        let seen = self.operations.dead_letters().await?;
        let total = self.operations.count_dead_letters().await?;
        let unseen = total.saturating_sub(seen.len());
        let meant: Vec<Letter> = seen.into_iter().filter(|it| means(which, it)).collect();
        let mut lines: Vec<String> = meant
            .iter()
            .map(|letter| match letter.job() {
                Some(job) => format!(
                    "delete dead letter {}: node {} of run {}",
                    letter.id, job.node_id, job.run_id
                ),
                None => format!("delete dead letter {}: it is not a job", letter.id),
            })
            .collect();
        let more = match which {
            Letters::These(ids) => ids.len().saturating_sub(meant.len()),
            Letters::Group(_) | Letters::All => unseen,
        };
        match which {
            _ if more == 0 => {}
            Letters::Group(_) => lines.push(format!(
                "and those of the group among {more} more that a look does not show"
            )),
            _ => lines.push(format!("and {more} more that a look does not show")),
        }
        Ok(Preview { lines, affects: meant.len() + more, plan: None })
    }

    async fn preview_replay(
        &self,
        which: &Letters,
        canary: CanaryRule,
    ) -> Result<Preview, OperatorError> {
        let order = ReplayOrder { which: letters(which), canary };
        let plan = self.operations.plan_replay(&order).await?;
        Ok(Preview {
            lines: plan.lines(),
            affects: plan.may_act(),
            plan: Some(Arc::new(Planned::Replay(plan))),
        })
    }

    async fn apply_replay(
        &self,
        plan: &ReplayPlan,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let report = self.operations.carry_out_replay(plan, oversight).await?;
        let problems = report.problems();
        let replayed = count(report.replayed.len(), "dead letter");
        let left = match report.left.len() {
            0 => String::new(),
            1 => "; 1 stays: replay does nothing for it".to_owned(),
            left => format!("; {left} stay: replay does nothing for them"),
        };
        Ok(Outcome { summary: format!("replayed {replayed}{left}"), run: None, problems })
    }

    async fn apply_purge(
        &self,
        which: &operations::Letters,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let (purged, cut) = self.operations.purge_watched(which, oversight).await?;
        let mut problems = Vec::new();
        match cut {
            Some(Cut::Stopped) => problems.push("stopped: the others are still there".to_owned()),
            Some(Cut::Failed(error)) => problems.push(error.to_string()),
            None => {
                if let operations::Letters::Ids(ids) = which {
                    let missing = ids.iter().filter(|id| !purged.contains(id));
                    problems.extend(
                        missing.map(|id| OperationError::NoSuchLetter(id.clone()).to_string()),
                    );
                }
            }
        }
        let summary = format!("deleted {}", count(purged.len(), "dead letter"));
        Ok(Outcome { summary, run: None, problems })
    }

    async fn apply_each(
        &self,
        operation: &Operation,
        plans: &[Plan],
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let (mut ended, mut applied) = (0, 0);
        let mut enqueued: usize = 0;
        let mut problems = Vec::new();
        let doing = match operation {
            Operation::Cancel(_) => "cancelling",
            Operation::Requeue { .. } | Operation::RequeueAll(_) => "requeueing",
            Operation::Resume { .. } => "answering",
            _ => "reconciling",
        };
        let several = plans.len() > 1;
        let mut waiting = plans.iter();
        let mut running = FuturesUnordered::new();
        loop {
            // What has begun is seen to its end, also when it is to stop.
            while running.len() < AT_ONCE && !oversight.is_stopped() {
                let Some(plan) = waiting.next() else { break };
                running.push(self.operations.apply(plan));
            }
            let Some(result) = running.next().await else { break };
            ended += 1;
            if several {
                oversight.report(ended, plans.len(), doing);
            }
            match result {
                Ok(done) => {
                    applied += 1;
                    enqueued += done.enqueued.len();
                }
                Err(error) if !several => return Err(error.into()),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if ended < plans.len() {
            problems
                .push(format!("stopped: {} are as they were", count(plans.len() - ended, "run")));
        }
        let runs = match plans {
            [plan] => format!("run {}", plan.run),
            _ => count(applied, "run"),
        };
        let nodes = count(enqueued, "node");
        let summary = match operation {
            Operation::Cancel(_) => format!("cancelled {runs}"),
            Operation::Requeue { .. } | Operation::RequeueAll(_) => {
                format!("requeued {nodes} of {runs}")
            }
            Operation::Resume { .. } => format!("answered {runs}"),
            _ => format!("reconciled {runs}: {nodes} enqueued"),
        };
        Ok(Outcome { summary, run: None, problems })
    }
}

fn answer(node: NodeId, action: Option<String>, output: Option<Value>) -> Answer {
    Answer { node: Some(node), action, output, token: uuid::Uuid::new_v4().to_string() }
}

/// The preview of plans for runs. Runs in which nothing would change are not affected.
fn preview_of(plans: Vec<Plan>, problems: Vec<String>) -> Preview {
    let several = plans.len() + problems.len() > 1;
    let plans: Vec<Plan> = plans.into_iter().filter(|plan| !plan.changes.is_empty()).collect();
    let line = |plan: &Plan, change: &Change| {
        if several { format!("run {}: {change}", plan.run) } else { change.to_string() }
    };
    let mut all =
        plans.iter().flat_map(|plan| plan.changes.iter().map(move |change| line(plan, change)));
    let mut lines: Vec<String> = all.by_ref().take(MOST_LINES).collect();
    match all.count() {
        0 => {}
        more => lines.push(format!("and {more} more changes of the same kinds")),
    }
    let unlisted = problems.len().saturating_sub(MOST_LINES);
    let problems = problems.into_iter().take(MOST_LINES);
    lines.extend(problems);
    if unlisted > 0 {
        lines.push(format!("and {unlisted} more that are left out"));
    }
    Preview { lines, affects: plans.len(), plan: Some(Arc::new(Planned::Runs(plans))) }
}

/// Whether a letter is one of those.
fn means(which: &Letters, letter: &Letter) -> bool {
    match which {
        Letters::All => true,
        Letters::Group(fingerprint) => letter.symptom.fingerprint == *fingerprint,
        Letters::These(ids) => ids.contains(&letter.id),
    }
}

fn letters(which: &Letters) -> operations::Letters {
    match which {
        Letters::These(ids) => operations::Letters::Ids(ids.clone()),
        Letters::Group(fingerprint) => operations::Letters::Group(*fingerprint),
        Letters::All => operations::Letters::All,
    }
}

fn done(summary: String) -> Outcome {
    Outcome { summary, run: None, problems: Vec::new() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        blueprint::Library,
        cluster::{Cluster, DeadLetter, Job, Lane, SystemClock, memory_cluster},
    };

    fn started(run: &str) -> StartRequest {
        StartRequest {
            blueprint: "one".into(),
            input: serde_json::Map::new(),
            run: Some(run.to_owned()),
            lint: Lint::Overlook,
        }
    }

    async fn poison(cluster: &Cluster, body: &str) {
        let letter = DeadLetter::new(body, "for a reason", 5, cluster.clock.now(), "w".into());
        cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_a_job_is_left_out_of_a_replay_and_said_to_be() {
        let cluster = memory_cluster(Arc::new(SystemClock));
        let one = serde_json::json!({ "id": "one", "nodes": [{ "id": "a", "uses": "x" }] });
        let library = Library::fixed(vec![crate::blueprint::sanitize(one).unwrap()]);
        let operator = LocalOperator {
            operations: Operations::new(cluster.clone(), library, "me"),
            worker: None,
            stalled_after: Duration::from_mins(1),
            kinds: None,
            audit: None,
        };
        poison(&cluster, "junk").await;
        let junk = operator.operations.dead_letters().await.unwrap()[0].id.clone();
        let stays = format!("dead letter {junk} stays: it is not a job: purge it");
        for which in [Letters::These(vec![junk.clone()]), Letters::All] {
            let preview = operator.preview(&Operation::Replay(which)).await.unwrap();
            assert_eq!((preview.lines, preview.affects), (vec![stays.clone()], 0));
        }
        let run = operator.operations.start(started("r")).await.unwrap().run;
        poison(&cluster, &Job::new(run, "one".into(), "a".into()).encode()).await;
        let ids = operator.operations.dead_letters().await.unwrap().into_iter().map(|it| it.id);
        let both = Operation::Replay(Letters::These(ids.collect()));
        let preview = operator.preview(&both).await.unwrap();
        assert_eq!((preview.lines.len(), preview.affects), (2, 1), "{preview:?}");
        let outcome = operator.apply(&both, &preview, &Oversight::nobody()).await.unwrap();
        assert!(outcome.summary.starts_with("replayed 1 dead letter; 1 stays"), "{outcome:?}");
        let left = operator.operations.dead_letters().await.unwrap();
        assert_eq!(left.iter().map(|it| &it.id).collect::<Vec<_>>(), [&junk]);
        let preview = operator.preview(&Operation::Purge(Letters::All)).await.unwrap();
        assert_eq!(preview.affects, 1, "{preview:?}");
        let oversight = Oversight::nobody();
        let purge = Operation::Purge(Letters::All);
        let outcome = operator.apply(&purge, &preview, &oversight).await.unwrap();
        assert_eq!(
            (outcome.summary.as_str(), outcome.problems.len()),
            ("deleted 1 dead letter", 0)
        );
    }
}
