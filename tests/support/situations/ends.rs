//! Runs that have ended, or never began.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Cluster, StatusItem},
    engine::{RunStatus, Timestamp},
    operations::CauseKind::{Finished, NoMessage},
    worker::WorkerConfig,
};
use serde_json::json;

use super::{Broken, Ends, Set, Situation, quick};
use crate::tampered::dies_as;

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "it has completed",
            Finished,
            &["the run is completed since", "nothing is to be done"],
            completed,
        ),
        Situation::new(
            "it has failed",
            Finished,
            &["the run is failed", "node \"a\" failed: not yet", "requeue r"],
            failed,
        ),
        Situation::new(
            "it was cancelled",
            Finished,
            &["the run is cancelled", "requeue r"],
            cancelled,
        ),
        Situation::new(
            "it has ended, and its status still says running",
            Finished,
            &["its status item still says running", "reconcile r"],
            unclosed,
        ),
        Situation::new(
            "whoever started it died before its document",
            NoMessage,
            &["says running since", "it has no document", "reconcile r"],
            never_started,
        ),
        Situation::new(
            "it failed as never started, its document is missing",
            Finished,
            &["says failed", "start b --run-id r"],
            recorded,
        ),
    ]
}

async fn completed(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Completed).await;
    Broken::new(set, run).ends(Ends::AsItIs)
}

async fn failed(cluster: Cluster) -> Broken {
    let mut set = Set::of(cluster, &json!([["a", "flaky"]]), &json!([]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Failed).await;
    Broken::new(set, run)
}

async fn cancelled(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    let plan = set.stage.operations.plan_cancel(&run).await.unwrap();
    set.stage.operations.apply(&plan).await.unwrap();
    set.worker("w").await;
    set.until_says(&run, RunStatus::Cancelled).await;
    Broken::new(set, run)
}

async fn unclosed(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    let config = WorkerConfig { lease: Duration::from_secs(2), ..quick("dying") };
    dies_as(&mut set.stage, config, |after| after.status().is_final()).await;
    set.kill(&["dying"]).await;
    Broken::new(set, run)
}

fn item(status: RunStatus, at: Timestamp) -> StatusItem {
    StatusItem {
        run_id: "r".into(),
        status: Some(status),
        last_updated: at,
        blueprint_id: Some("b".into()),
        started_at: Some(at),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: Some("dead".into()),
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

async fn status_alone(cluster: Cluster, status: RunStatus) -> Set {
    let mut set = Set::chain(cluster);
    let now = set.stage.cluster.clock.now();
    let at = Timestamp::from_seconds(now.seconds() - 60);
    set.stage.cluster.state.create_status(&item(status, at)).await.unwrap();
    set.worker("w").await;
    set
}

async fn never_started(cluster: Cluster) -> Broken {
    let set = status_alone(cluster, RunStatus::Running).await;
    Broken::new(set, "r".into()).ends(Ends::Recorded(RunStatus::Failed))
}

async fn recorded(cluster: Cluster) -> Broken {
    let set = status_alone(cluster, RunStatus::Failed).await;
    Broken::new(set, "r".into()).ends(Ends::Recorded(RunStatus::Completed))
}
