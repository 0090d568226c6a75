//! What the reconciler for Azure finds and mends, and what it leaves alone.

use std::{collections::BTreeMap, time::Duration};

use flowcraft_tui::{
    azure::{AzureReconciler, AzureReconcilerOptions, create_azure_reconciler},
    blueprint::{Library, RunId},
    cluster::{AzureSettings, Key, Lane},
    engine::{NodeState, RunStatus, Timestamp},
    worker::ReconcileReport,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    crashes::dies_after, ended, eventually, once, play, quick, run_worker, staged, start, until,
    until_status,
};
use crate::{
    raw::Raw,
    services::{fresh, services},
    stage::{Stage, blueprint},
};

async fn setup(nodes: &Value, edges: &Value) -> Option<(Stage, AzureSettings)> {
    Some(staged(services()?, vec![blueprint("b", nodes, edges)]).await)
}

/// A reconciler that takes a run for stalled after so many seconds.
fn reconciler(stage: &Stage, settings: &AzureSettings, seconds: u64) -> AzureReconciler {
    let options =
        AzureReconcilerOptions { stalled_threshold_seconds: seconds, ..Default::default() };
    create_azure_reconciler(settings.clone(), stage.library.clone(), options).unwrap()
}

/// The nodes that a pass enqueued, by run.
fn enqueued(report: &ReconcileReport) -> BTreeMap<&str, Vec<&str>> {
    report
        .runs
        .iter()
        .map(|run| (&*run.run_id, run.enqueued.iter().map(|node| &**node).collect()))
        .collect()
}

/// Removes all messages, once those in hand can be received again.
async fn lose_all(stage: &Stage) {
    eventually("all messages are lost", async || {
        stage.lose_messages().await;
        stage.depth(Lane::Jobs).await == 0
    })
    .await;
}

/// D-1
#[tokio::test]
async fn stalled_runs_are_found_whatever_form_their_status_has() {
    let nodes = json!([["a", "const", {"value": 1}], ["b", "add"]]);
    let Some((mut stage, settings)) = setup(&nodes, &json!([["a", "b"]])).await else { return };
    let raw = Raw::of(services().unwrap(), &settings.names.database);
    let first = start(&stage, &json!({})).await;
    lose_all(&stage).await;
    let mut document = raw.read("contexts", Some(&first), &first).await.unwrap();
    let members = document.as_object_mut().unwrap();
    for name in ["runId", "_rid", "_self", "_etag", "_attachments", "_ts"] {
        members.remove(name);
    }
    let past = json!("2023-11-14T22:13:20.123Z");
    let statuses = [
        (true, json!({"lastUpdated": 1_700_000_000})),
        (true, json!({"lastUpdated": past})),
        (true, json!({})),
        (false, json!({"lastUpdated": 1_700_000_000})),
        (false, json!({"lastUpdated": past})),
        (false, json!({})),
    ];
    let fresh_one = (true, json!({"lastUpdated": 4_000_000_000_u64}));
    let mut runs = vec![first];
    let mut others = Vec::new();
    for (has_run_id, mut status) in statuses.into_iter().chain([fresh_one]) {
        let run = RunId::from(fresh("run"));
        status["status"] = json!("running");
        for (container, item) in [("contexts", &document), ("statuses", &status)] {
            let mut item = item.clone();
            item["id"] = json!(&*run);
            if has_run_id {
                item["runId"] = json!(&*run);
            }
            raw.upsert(container, has_run_id.then_some(&*run), &item).await;
        }
        if status["lastUpdated"] == 4_000_000_000_u64 { &mut others } else { &mut runs }.push(run);
    }
    // An item without a time of its own is as old as its last write.
    sleep(Duration::from_millis(2_500)).await;
    let report = reconciler(&stage, &settings, 1).run().await.unwrap();
    let expected: BTreeMap<&str, Vec<&str>> = runs.iter().map(|run| (&**run, vec!["a"])).collect();
    assert_eq!(enqueued(&report), expected, "{report:#?}");
    assert_eq!((report.stalled_runs, report.reconciled_runs, report.failed_runs), (7, 7, 0));
    run_worker(&mut stage, "w");
    for run in &runs {
        let view = ended(&stage, run).await;
        assert_eq!((view.status, &view.outputs["b"]), (RunStatus::Completed, &json!(2)));
        until_status(&stage, run, RunStatus::Completed).await;
        for container in ["contexts", "statuses"] {
            assert_eq!(raw.read(container, None, run).await, None, "{container}: one item a run");
        }
    }
    assert_eq!((stage.count("a"), stage.count("b")), (7, 7));
    assert_eq!(stage.status(&others[0]).await.status, Some(RunStatus::Running));
}

/// D-2
#[tokio::test]
async fn a_node_that_is_being_run_is_not_started_again() {
    let nodes = json!([["a", "busy", {"ms": 6_000}], ["b", "noop"]]);
    let Some((mut stage, settings)) = setup(&nodes, &json!([["a", "b"]])).await else { return };
    for name in ["w1", "w2"] {
        let worker = stage.make_worker(quick(name));
        stage.run_worker(&worker);
    }
    let run = start(&stage, &json!({})).await;
    eventually("a is being run", async || stage.count("a") == 1).await;
    let reconciler = reconciler(&stage, &settings, 1);
    let mut visits = 0;
    for _ in 0..2 {
        sleep(Duration::from_millis(2_500)).await;
        let report = reconciler.run().await.unwrap();
        visits += report.stalled_runs;
        assert!(report.runs.iter().all(|run| run.enqueued.is_empty()), "{report:?}");
    }
    assert!(visits > 0, "the run never looked stalled");
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["a", "b"]));
}

/// D-3
#[tokio::test]
async fn of_a_stalled_run_only_what_was_decided_is_run() {
    let nodes = json!([
        ["a", "emit-action", {"action": "left"}, {"fallback": "f"}], ["f", "noop"],
        ["l", "noop"], ["r", "noop"],
    ]);
    let edges = json!([["a", "l", {"action": "left"}], ["a", "r", {"action": "right"}]]);
    let Some((mut stage, settings)) = setup(&nodes, &edges).await else { return };
    let run = start(&stage, &json!({})).await;
    dies_after(&mut stage, |after| after.state("a") == NodeState::Completed).await;
    lose_all(&stage).await;
    // The dead worker's lease ends.
    sleep(Duration::from_secs(2)).await;
    let report = reconciler(&stage, &settings, 1).run().await.unwrap();
    assert_eq!(enqueued(&report), BTreeMap::from([(&*run, vec!["l"])]));
    run_worker(&mut stage, "w");
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["a", "l"]));
}

/// D-4
#[tokio::test]
async fn a_run_that_waits_is_left_waiting() {
    let nodes = json!([["w", "wait"], ["s", "sleep", {"duration": "1h"}], ["b", "noop"]]);
    let edges = json!([["w", "b"], ["s", "b"]]);
    let Some((mut stage, settings)) = setup(&nodes, &edges).await else { return };
    run_worker(&mut stage, "w");
    let run = start(&stage, &json!({})).await;
    let both = |view: &flowcraft_tui::operations::RunView| view.awaiting.len() == 2;
    until(&stage, &run, "awaits twice", both).await;
    until_status(&stage, &run, RunStatus::Awaiting).await;
    eventually("only the timer's message is left", async || stage.depth(Lane::Jobs).await == 1)
        .await;
    sleep(Duration::from_secs(2)).await;
    let rev = stage.document(&run).await.head().rev;
    for seconds in [0, 1] {
        let report = reconciler(&stage, &settings, seconds).run().await.unwrap();
        assert_eq!(report, ReconcileReport::default());
    }
    assert_eq!(stage.document(&run).await.head().rev, rev);
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Awaiting));
    assert_eq!(stage.depth(Lane::Jobs).await, 1);
    assert_eq!(stage.count("b"), 0);
}

/// D-5
#[tokio::test]
async fn a_failed_run_stays_failed_whatever_a_neighbour_wrote() {
    let Some((mut stage, settings)) = setup(&json!([["a", "fail"]]), &json!([])).await else {
        return;
    };
    let run = play(&mut stage, &json!({})).await.run;
    until_status(&stage, &run, RunStatus::Failed).await;
    let store = stage.cluster.state.clone();
    let mut known = store.read_status(&run).await.unwrap().unwrap();
    known.item.status = Some(RunStatus::Running);
    known.item.last_updated = Timestamp::from_seconds(1_700_000_000);
    store.replace_status(&known.item, &known.version).await.unwrap();
    let reconciler = reconciler(&stage, &settings, 1);
    let report = reconciler.run().await.unwrap();
    assert_eq!(enqueued(&report), BTreeMap::from([(&*run, vec![])]));
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Failed), "it is put right");
    assert_eq!(reconciler.run().await.unwrap().stalled_runs, 0);
    assert_eq!((stage.count("a"), stage.depth(Lane::Jobs).await), (1, 0));
}

/// D-6, C13
#[tokio::test]
async fn a_run_that_stopped_on_a_held_join_lock_goes_on() {
    let nodes = json!([["b", "noop"], ["c", "noop"], ["j", "noop", {}, {"joinStrategy": "any"}]]);
    let edges = json!([["b", "j"], ["c", "j"]]);
    let Some((mut stage, settings)) = setup(&nodes, &edges).await else { return };
    let run = start(&stage, &json!({})).await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    let lock = Key::join_lock(&run, &"j".into());
    let store = stage.cluster.coordination.clone();
    store.set_if_absent(&lock, "locked", Duration::from_hours(1)).await.unwrap();
    lose_all(&stage).await;
    sleep(Duration::from_secs(2)).await;
    let report = reconciler(&stage, &settings, 1).run().await.unwrap();
    let again = enqueued(&report);
    assert!(again[&*run].contains(&"j"), "{report:?}");
    assert_eq!(store.get(&lock).await.unwrap().as_deref(), Some("locked"), "still held");
    run_worker(&mut stage, "w");
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
}

/// D-7
#[tokio::test]
async fn what_has_ended_is_not_visited_again() {
    let nodes = json!([
        ["a", "emit-action", {"action": "left"}, {"fallback": "f"}], ["f", "noop"],
        ["l", "noop"], ["r", "noop"], ["j", "noop"],
    ]);
    let edges = json!([
        ["a", "l", {"action": "left"}], ["a", "r", {"action": "right"}], ["l", "j"], ["r", "j"],
    ]);
    let Some((mut stage, settings)) = setup(&nodes, &edges).await else { return };
    let view = play(&mut stage, &json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    until_status(&stage, &view.run, RunStatus::Completed).await;
    sleep(Duration::from_secs(2)).await;
    let report = reconciler(&stage, &settings, 0).run().await.unwrap();
    assert_eq!(report, ReconcileReport::default());
    assert_eq!(stage.counts(), once(&["a", "l"]));
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}

#[tokio::test]
async fn options_and_report_have_the_names_that_javascript_uses() {
    let options: AzureReconcilerOptions = serde_json::from_value(json!({})).unwrap();
    assert_eq!(options.stalled_threshold_seconds, 300);
    let written = json!({"stalledThresholdSeconds": 1});
    let options: AzureReconcilerOptions = serde_json::from_value(written).unwrap();
    assert_eq!(options.stalled_threshold_seconds, 1);
    assert_eq!(serde_json::to_value(&options).unwrap()["stalledThresholdSeconds"], 1);

    let Some((stage, settings)) = setup(&json!([["a", "noop"]]), &json!([])).await else { return };
    let run = start(&stage, &json!({})).await;
    lose_all(&stage).await;
    sleep(Duration::from_secs(3)).await;
    let patient = reconciler(&stage, &settings, 300).run().await.unwrap();
    assert_eq!(patient, ReconcileReport::default());
    let others = Library::fixed(vec![blueprint("other", &json!([["a", "noop"]]), &json!([]))]);
    let ignorant = create_azure_reconciler(settings.clone(), others, options.clone()).unwrap();
    let report = serde_json::to_value(ignorant.run().await.unwrap()).unwrap();
    assert_eq!(report["stalledRuns"], 1);
    assert_eq!((&report["reconciledRuns"], &report["failedRuns"]), (&json!(0), &json!(1)));
    let said = report["runs"][0]["error"].as_str().unwrap();
    assert!(said.contains("blueprint \"b\" is not loaded here"), "{said}");

    let knowing = create_azure_reconciler(settings, stage.library.clone(), options).unwrap();
    let report = serde_json::to_value(knowing.run().await.unwrap()).unwrap();
    let expected = json!({
        "stalledRuns": 1, "reconciledRuns": 1, "failedRuns": 0,
        "runs": [{"runId": &*run, "enqueued": ["a"], "error": null}],
    });
    assert_eq!(report, expected);
}
