//! Messages that come twice, late, to the wrong worker, or are none.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Job, Key, Lane},
    engine::RunStatus,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    connected, ended, eventually, once, play, run_worker, stage_of, staged, start, until,
    until_status,
};
use crate::{
    services::services,
    stage::{Stage, versioned},
};

/// C2
#[tokio::test]
async fn a_message_for_another_version_is_left_to_a_worker_that_has_it() {
    let Some(services) = services() else { return };
    let version = |version| {
        let nodes = json!([["a", "const", {"value": 1}], ["b", "add"]]);
        vec![versioned("b", Some(version), &nodes, &json!([["a", "b"]]))]
    };
    let (mut stage, settings) = staged(services, version("1")).await;
    let mut other = Stage::on(connected(&settings), version("2"));
    let run = start(&stage, &json!({})).await;
    let ignorant = run_worker(&mut other, "w2");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Running));
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (1, 0));
    // It might take the message again and again before the other does.
    ignorant.pause();
    run_worker(&mut stage, "w1");
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b"), other.starts.lock().unwrap().len()), (1, 1, 0));
}

/// C5
#[tokio::test]
async fn what_is_no_job_goes_to_the_poison_queue_and_its_run_says_so() {
    let Some(mut stage) = stage_of(&json!([["w", "wait"]]), &json!([])).await else { return };
    run_worker(&mut stage, "w");
    let run = start(&stage, &json!({})).await;
    until(&stage, &run, "awaits", |view| view.status == RunStatus::Awaiting).await;
    let named = json!({"runId": &*run, "blueprintId": "b"}).to_string();
    let bodies = ["hello", "{\"runId\": 5}", "aGVsbG8=", "/////w==", &named];
    for body in bodies {
        stage.send(body).await;
    }
    eventually("all are dead letters", async || stage.depth(Lane::Jobs).await == 0).await;
    let letters = stage.letters().await;
    let mut found: Vec<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
    let mut expected = bodies.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for letter in &letters {
        assert_eq!(letter.dequeue_count, 1, "{letter:?}");
        assert!(letter.reason.contains("not a job"), "{letter:?}");
    }
    let view = until(&stage, &run, "has a warning", |view| !view.warnings.is_empty()).await;
    assert!(view.warnings[0].contains("poison"), "{:?}", view.warnings);
    assert!(view.warnings[0].contains("nodeId"), "{:?}", view.warnings);
}

fn join() -> (Value, Value) {
    let nodes = json!([["b", "const", {"value": 1}], ["c", "busy", {"ms": 2_500}], ["j", "noop"]]);
    (nodes, json!([["b", "j"], ["c", "j"]]))
}

/// C11
#[tokio::test]
async fn a_join_counts_predecessors_and_not_messages() {
    let (nodes, edges) = join();
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    run_worker(&mut stage, "w1");
    run_worker(&mut stage, "w2");
    let run = start(&stage, &json!({})).await;
    for redrive in [None, Some(true), None, Some(true)] {
        stage.send(Job { redrive, ..stage.plain_job(&run, "b") }.encode()).await;
    }
    let view = ended(&stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["b", "c", "j"]));
    let waited = stage.times("j")[0] - stage.times("c")[0];
    assert!(waited >= Duration::from_millis(2_500), "the join ran before c ended: {waited:?}");
}

/// C14
#[tokio::test]
async fn a_join_does_not_need_its_counter() {
    let (nodes, edges) = join();
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    run_worker(&mut stage, "w");
    let run = start(&stage, &json!({})).await;
    let store = stage.cluster.coordination.clone();
    let counter = Key::fan_in(&run, &"j".into());
    eventually("b is counted, for neighbours", async || {
        store.get(&counter).await.unwrap().as_deref() == Some("1")
    })
    .await;
    let seen = Key::fan_in_seen(&run, &"j".into(), &"b".into(), 1);
    store.remove(&[counter, seen]).await.unwrap();
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!(stage.counts(), once(&["b", "c", "j"]));
}

/// C16
#[tokio::test]
async fn a_late_duplicate_leaves_a_finished_run_alone() {
    for (uses, status) in [("noop", RunStatus::Completed), ("fail", RunStatus::Failed)] {
        let nodes = json!([["a", uses], ["b", "noop"]]);
        let Some(mut stage) = stage_of(&nodes, &json!([["a", "b"]])).await else { return };
        let run = play(&mut stage, &json!({})).await.run;
        until_status(&stage, &run, status).await;
        eventually("its messages are gone", async || stage.depth(Lane::Jobs).await == 0).await;
        let starts = stage.counts();
        let before = (stage.status(&run).await, stage.document(&run).await.head().rev);
        for redrive in [None, Some(true)] {
            for node in ["a", "b"] {
                stage.send(Job { redrive, ..stage.plain_job(&run, node) }.encode()).await;
            }
        }
        eventually("the duplicates are gone", async || stage.depth(Lane::Jobs).await == 0).await;
        let after = (stage.status(&run).await, stage.document(&run).await.head().rev);
        assert_eq!(after, before, "{uses}");
        assert_eq!(stage.counts(), starts, "{uses}");
        assert_eq!(stage.depth(Lane::Poison).await, 0, "{uses}");
    }
}
