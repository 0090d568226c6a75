//! Runs that failed for a reason which can be mended, with their dead letters.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{Cluster, DeadLetter, Job, Lane},
    engine::RunStatus,
    nodes::{NodeError, NodeOutput},
    operations::{
        CanaryRule, Fingerprint, Letter, Letters, Oversight, ReplayOrder, ReplayPlan, ReplayReport,
    },
};
use serde_json::json;

use crate::stage::{Stage, alone, blueprint};

/// Runs of `first -> fragile -> last`, where `fragile` fails until it is mended.
pub(crate) struct Triage {
    pub(crate) stage: Stage,
    mended: Arc<AtomicBool>,
}

impl Triage {
    pub(crate) fn on(cluster: Cluster) -> Self {
        let nodes = json!([["first", "noop"], ["fragile", "fragile"], ["last", "noop"]]);
        let edges = json!([["first", "fragile"], ["fragile", "last"]]);
        let mended = Arc::new(AtomicBool::new(false));
        let flag = mended.clone();
        let stage = Stage::on(cluster, vec![blueprint("b", &nodes, &edges)]).with_fn(
            "fragile",
            move |context| {
                if flag.load(Ordering::SeqCst) {
                    return Ok(NodeOutput::none());
                }
                let run = context.execution().run_id.clone();
                Err(NodeError::fatal(format!("run {run}: disk 7 is full")))
            },
        );
        Self { stage, mended }
    }

    /// From now on the node works.
    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    /// A worker that does not reconcile, until the stage is gone.
    pub(crate) fn worker(&mut self) {
        let seed = Some(uuid::Uuid::new_v4().as_u64_pair().0);
        let config = flowcraft_tui::worker::WorkerConfig { seed, ..alone("w") };
        let worker = self.stage.make_worker(config);
        self.stage.run_worker(&worker);
    }

    /// Starts runs and lets them fail; each leaves a dead letter.
    pub(crate) async fn fail(&self, runs: &[&str]) {
        for run in runs {
            self.stage.operations.start(self.stage.request(run, &json!({}))).await.unwrap();
        }
        for run in runs {
            let run = RunId::from(*run);
            let view = self.stage.until(&run, "fails", |view| view.status.is_final()).await;
            assert_eq!(view.status, RunStatus::Failed);
            self.letter(&run, &format!("gave up after 17 tries: run {run}: disk 7 is full")).await;
        }
    }

    /// Puts a dead letter of a run's fragile node there.
    pub(crate) async fn letter(&self, run: &RunId, reason: &str) {
        self.letter_of(&self.stage.plain_job(run, "fragile"), reason).await;
    }

    /// Puts a dead letter of a job there, as a worker does.
    pub(crate) async fn letter_of(&self, job: &Job, reason: &str) {
        let now = self.stage.cluster.clock.now();
        let letter = DeadLetter::new(&job.encode(), reason, 6, now, "w".into());
        let queue = &self.stage.cluster.queue;
        self.put(&letter.from_queue(queue.name()).encode()).await;
    }

    /// Puts a message into the poison queue.
    pub(crate) async fn put(&self, body: &str) {
        let queue = &self.stage.cluster.queue;
        queue.send(Lane::Poison, body.to_owned(), Duration::ZERO).await.unwrap();
    }

    pub(crate) async fn letters(&self) -> Vec<Letter> {
        self.stage.operations.dead_letters().await.unwrap()
    }

    /// The runs of the letters that are there.
    pub(crate) async fn runs(&self) -> Vec<String> {
        let letters = self.letters().await;
        let runs = letters.iter().map(|letter| letter.job().unwrap().run_id.to_string());
        let mut runs: Vec<String> = runs.collect();
        runs.sort();
        runs
    }

    /// The group that the fragile node's letters are in.
    pub(crate) async fn group(&self) -> Fingerprint {
        let letters = self.letters().await;
        let fragile = letters.iter().find(|letter| letter.symptom.says.contains("disk # is full"));
        fragile.unwrap().symptom.fingerprint
    }

    pub(crate) async fn plan(&self, which: Letters, canary: CanaryRule) -> ReplayPlan {
        self.stage.operations.plan_replay(&ReplayOrder { which, canary }).await.unwrap()
    }

    /// Replays with a canary.
    pub(crate) async fn replay(&self, which: Letters, limit: Duration) -> ReplayReport {
        let plan = self.plan(which, CanaryRule::First(limit)).await;
        self.stage.operations.carry_out_replay(&plan, &Oversight::nobody()).await.unwrap()
    }

    /// The statuses of runs.
    pub(crate) async fn statuses(&self, runs: &[&str]) -> Vec<RunStatus> {
        let mut statuses = Vec::new();
        for run in runs {
            statuses.push(self.stage.operations.view(&RunId::from(*run)).await.unwrap().status);
        }
        statuses
    }

    /// Waits until runs have completed.
    pub(crate) async fn complete(&self, runs: &[&str]) {
        for run in runs {
            let run = RunId::from(*run);
            self.stage.until(&run, "completes", |view| view.status == RunStatus::Completed).await;
        }
    }
}
