//! Carries out what somebody asks for in the dashboard: the operations on runs, and the worker of
//! this process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;

use super::{reasons::reason, text::count};
use crate::{
    blueprint::{NodeId, RunId},
    engine::{Answer, Refusal},
    operations::{
        self, Change, Letter, Lint, OperationError, Operations, Plan, Release, StartRequest,
    },
    tui::{Letters, Operation, Operator, OperatorError, Outcome, Preview, Reason, Runs},
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
}

/// What a preview remembers for when it is applied.
enum Planned {
    Start(StartRequest),
    Runs(Vec<Plan>),
    Replay(operations::Letters),
    Release(Release),
}

/// What is done to each of several runs.
#[derive(Debug, Clone, Copy)]
enum Each {
    Cancel,
    Reconcile,
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
            Operation::Replay(which) => self.preview_replay(which).await,
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
            (Operation::Replay(_), Some(Planned::Replay(which))) => {
                let ids = self.operations.replay(which).await?;
                Ok(done(format!("replayed {}", count(ids.len(), "dead letter"))))
            }
            (Operation::Purge(which), _) => {
                let ids = self.operations.purge(&letters(which)).await?;
                Ok(done(format!("deleted {}", count(ids.len(), "dead letter"))))
            }
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
            (operation, Some(Planned::Runs(plans))) => self.apply_each(operation, plans).await,
            _ => Err(OperatorError::Moved("the plan is missing".to_owned())),
        }
    }
}

impl LocalOperator {
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
        let mut plans = Vec::new();
        let mut problems = Vec::new();
        for run in runs {
            let planned = match each {
                Each::Cancel => self.operations.plan_cancel(run).await,
                Each::Reconcile => self.operations.plan_reconcile(run).await,
            };
            match planned {
                Ok(plan) => plans.push(plan),
                Err(error) if runs.len() == 1 => return Err(error.into()),
                Err(error) => problems.push(format!("left out: {error}")),
            }
        }
        Ok(preview_of(plans, problems))
    }

    async fn preview_purge(&self, which: &Letters) -> Result<Preview, OperatorError> {
        let meant = self.meant_letters(which).await?;
        let total = self.count_letters(which).await?;
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
        lines.extend(unseen(total, meant.len()));
        Ok(Preview { lines, affects: total, plan: None })
    }

    /// What is seen not to be a job is left out, so that it does not keep the others from it.
    async fn preview_replay(&self, which: &Letters) -> Result<Preview, OperatorError> {
        let meant = self.meant_letters(which).await?;
        let total = self.count_letters(which).await?;
        let mut lines = Vec::new();
        let mut no_jobs = BTreeSet::new();
        for letter in &meant {
            if let Some(job) = letter.job() {
                lines.push(format!(
                    "try again dead letter {}: node {} of run {}",
                    letter.id, job.node_id, job.run_id
                ));
            } else {
                no_jobs.insert(&letter.id);
                lines.push(OperationError::NotAJob(letter.id.clone()).to_string());
            }
        }
        lines.extend(unseen(total, meant.len()));
        let planned = match which {
            Letters::All => operations::Letters::All,
            Letters::These(ids) => operations::Letters::Ids(
                ids.iter().filter(|id| !no_jobs.contains(id)).cloned().collect(),
            ),
        };
        let affects = total.saturating_sub(no_jobs.len());
        Ok(Preview { lines, affects, plan: Some(Arc::new(Planned::Replay(planned))) })
    }

    /// The letters that are meant, as far as a look shows them.
    async fn meant_letters(&self, which: &Letters) -> Result<Vec<Letter>, OperatorError> {
        let mut seen = self.operations.dead_letters().await?;
        seen.retain(|letter| match which {
            Letters::All => true,
            Letters::These(ids) => ids.contains(&letter.id),
        });
        Ok(seen)
    }

    async fn count_letters(&self, which: &Letters) -> Result<usize, OperatorError> {
        match which {
            Letters::These(ids) => Ok(ids.len()),
            Letters::All => {
                let queue = &self.operations.cluster().queue;
                let depth = queue.depth(crate::cluster::Lane::Poison).await;
                let all = depth.map_err(|error| OperatorError::Failed(error.to_string()))?.messages;
                Ok(usize::try_from(all).unwrap_or(usize::MAX))
            }
        }
    }

    async fn apply_each(
        &self,
        operation: &Operation,
        plans: &[Plan],
    ) -> Result<Outcome, OperatorError> {
        let mut applied = 0;
        let mut enqueued: usize = 0;
        let mut problems = Vec::new();
        for plan in plans {
            match self.operations.apply(plan).await {
                Ok(done) => {
                    applied += 1;
                    enqueued += done.enqueued.len();
                }
                Err(error) if plans.len() == 1 => return Err(error.into()),
                Err(error) => problems.push(error.to_string()),
            }
        }
        let runs = match plans {
            [plan] => format!("run {}", plan.run),
            _ => count(applied, "run"),
        };
        let nodes = count(enqueued, "node");
        let summary = match operation {
            Operation::Cancel(_) => format!("cancelled {runs}"),
            Operation::Requeue { .. } => format!("requeued {nodes} of {runs}"),
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
    let mut lines: Vec<String> = plans
        .iter()
        .flat_map(|plan| plan.changes.iter().map(move |change| line(plan, change)))
        .collect();
    lines.extend(problems);
    Preview { lines, affects: plans.len(), plan: Some(Arc::new(Planned::Runs(plans))) }
}

/// What is said about letters that a look does not show.
fn unseen(total: usize, seen: usize) -> Option<String> {
    let more = total.saturating_sub(seen);
    (more > 0).then(|| format!("and {more} more that can't be looked at yet"))
}

fn letters(which: &Letters) -> operations::Letters {
    match which {
        Letters::These(ids) => operations::Letters::Ids(ids.clone()),
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

    async fn poison(cluster: &Cluster, body: &str) {
        let letter = DeadLetter::new(body, "for a reason", 5, cluster.clock.now(), "w".into());
        cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_a_job_is_left_out_of_a_replay_and_said_to_be() {
        let cluster = memory_cluster(Arc::new(SystemClock));
        let operator = LocalOperator {
            operations: Operations::new(cluster.clone(), Library::fixed(Vec::new()), "me"),
            worker: None,
            stalled_after: Duration::from_mins(1),
            kinds: None,
        };
        poison(&cluster, "junk").await;
        let junk = operator.operations.dead_letters().await.unwrap()[0].id.clone();
        let refusal =
            format!("dead letter \"{junk}\" is not a job and can't be replayed: purge it");
        for which in [Letters::These(vec![junk.clone()]), Letters::All] {
            let preview = operator.preview(&Operation::Replay(which)).await.unwrap();
            assert_eq!((preview.lines, preview.affects), (vec![refusal.clone()], 0));
        }
        poison(&cluster, &Job::new("r".into(), "b".into(), "a".into()).encode()).await;
        let ids = operator.operations.dead_letters().await.unwrap().into_iter().map(|it| it.id);
        let both = Operation::Replay(Letters::These(ids.collect()));
        let preview = operator.preview(&both).await.unwrap();
        assert_eq!((preview.lines.len(), preview.affects), (2, 1), "{preview:?}");
        let outcome = operator.apply(&both, &preview).await.unwrap();
        assert_eq!(outcome.summary, "replayed 1 dead letter");
        let left = operator.operations.dead_letters().await.unwrap();
        assert_eq!(left.iter().map(|it| &it.id).collect::<Vec<_>>(), [&junk]);
        let preview = operator.preview(&Operation::Purge(Letters::All)).await.unwrap();
        assert_eq!(preview.affects, 1, "{preview:?}");
    }
}
