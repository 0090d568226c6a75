//! Dead letters on real servers: in groups, replayed with a canary, back to their own queue.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowcraft_tui::{
    cluster::{DeadLetter, Lane},
    operations::{CanaryRule, CanaryVerdict, Letters, Prospect},
};
use serde_json::json;

use crate::{
    services::{fresh, services},
    triage::Triage,
};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_for_their_canary_and_follow_once_it_has_passed() {
    let Some(services) = services() else { return };
    let mut triage = Triage::on(services.cluster().await);
    triage.worker();
    let names: Vec<String> = (0..5).map(|_| fresh("run")).collect();
    let runs: Vec<&str> = names.iter().map(String::as_str).collect();
    triage.fail(&runs).await;
    let group = triage.group().await;
    let report = triage.replay(Letters::Group(group), LIMIT).await;
    let canary = report.failed_canary().unwrap();
    assert!(
        matches!(&canary.verdict, CanaryVerdict::Failed(why) if why.contains("disk 7 is full")),
        "{report:?}"
    );
    assert_eq!((report.replayed.len(), report.untried), (1, 4));
    assert_eq!(triage.letters().await.len(), 4);

    triage.mend();
    let report = triage.replay(Letters::Group(group), LIMIT).await;
    assert_eq!((report.replayed.len(), report.problems()), (4, Vec::new()));
    assert_eq!(triage.stage.depth(Lane::Poison).await, 0);
    let report = triage.replay(Letters::All, LIMIT).await;
    assert!(report.replayed.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_others_copied_there_go_back_and_those_of_other_queues_stay() {
    let Some(services) = services() else { return };
    let mut triage = Triage::on(services.cluster().await);
    triage.worker();
    let names = [fresh("run"), fresh("run")];
    let runs: Vec<&str> = names.iter().map(String::as_str).collect();
    triage.fail(&runs).await;
    let ours = triage.letters().await;
    let queue = triage.stage.cluster.queue.name().to_owned();
    assert!(queue.starts_with("q-"), "{queue}");
    assert!(ours.iter().all(|letter| letter.queue() == Some(queue.as_str())));
    assert_eq!(triage.stage.operations.purge(&Letters::All).await.unwrap().len(), 2);
    triage.mend();
    let body = |run: &str| {
        json!({"runId": run, "blueprintId": "b", "nodeId": "fragile", "attempt": 2}).to_string()
    };
    triage.put(&body(runs[0])).await;
    triage.put(&STANDARD.encode(body(runs[1]))).await;
    let now = triage.stage.cluster.clock.now();
    let strange = DeadLetter::new(&body(runs[0]), "elsewhere", 6, now, "w".into());
    triage.put(&strange.from_queue("flowcraft-jobs").encode()).await;
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    assert_eq!(plan.acts(), 2);
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!(report.replayed.len(), 2, "{report:?}");
    assert!(
        matches!(&report.left[..], [(_, Prospect::OtherQueue { from, .. })] if from == "flowcraft-jobs")
    );
    triage.complete(&runs).await;
    assert_eq!(triage.letters().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_beyond_a_look_are_gone_through_and_given_back() {
    let Some(services) = services() else { return };
    let triage = Triage::on(services.cluster().await);
    let bodies: Vec<String> = (0..40).map(|at| json!({"order": at}).to_string()).collect();
    triage.stage.cluster.queue.send_all(Lane::Poison, bodies).await.unwrap();
    assert_eq!(triage.letters().await.len(), 32);
    let operations = &triage.stage.operations;
    let nobody = flowcraft_tui::operations::Oversight::nobody();
    assert_eq!(operations.all_dead_letters(&nobody).await.unwrap().len(), 40);
    assert_eq!(triage.letters().await.len(), 32, "given back at once");
    let group = triage.letters().await[0].symptom.fingerprint;
    assert_eq!(operations.purge(&Letters::Group(group)).await.unwrap().len(), 40);
}
