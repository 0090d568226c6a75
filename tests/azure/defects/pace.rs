//! Time: nodes that take longer than a lease, idle workers, pauses, limits and timers.

use std::time::Duration;

use flowcraft_tui::{cluster::Lane, engine::RunStatus, worker::WorkerConfig};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{connected, ended, eventually, once, play, quick, run_worker, stage_of, staged, start};
use crate::{
    services::{Services, services},
    stage::blueprint,
    tampered::{Fate, Tampered},
};

/// C8
#[tokio::test]
async fn a_node_that_takes_longer_than_a_lease_runs_once_beside_another_worker() {
    let Some(services) = services() else { return };
    let long = blueprint(
        "b",
        &json!([["a", "busy", {"ms": 12_000}], ["b", "noop"], ["c", "noop"], ["j", "noop"]]),
        &json!([["a", "b"], ["a", "c"], ["b", "j"], ["c", "j"]]),
    );
    let (mut stage, settings) = staged(services, vec![long]).await;
    for name in ["w1", "w2"] {
        let worker = stage.make_worker_on(connected(&settings), quick(name));
        stage.run_worker(&worker);
    }
    let run = start(&stage, &json!({})).await;
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    eventually("no message is left", async || stage.depth(Lane::Jobs).await == 0).await;
    assert_eq!(stage.counts(), once(&["a", "b", "c", "j"]));
}

/// C8
#[tokio::test]
async fn a_queue_that_does_not_answer_costs_no_lease() {
    let Some(services) = services() else { return };
    let long =
        blueprint("b", &json!([["a", "busy", {"ms": 6_000}], ["b", "noop"]]), &json!([["a", "b"]]));
    let (mut stage, settings) = staged(services, vec![long]).await;
    let silent = Tampered::new(&stage.cluster, |call| match call.name {
        "renew_message" => Fate::Hangs,
        _ => Fate::Goes,
    });
    let config = WorkerConfig { lease: Duration::from_secs(3), ..quick("w1") };
    let worker = stage.make_worker_on(silent.cluster(), config);
    stage.run_worker(&worker);
    let run = start(&stage, &json!({})).await;
    eventually("a is being run", async || stage.count("a") == 1).await;
    // The message comes back to this one, and the lease keeps it from the node.
    let other = stage.make_worker_on(connected(&settings), quick("w2"));
    stage.run_worker(&other);
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    assert_eq!(silent.calls("renew_message"), 1, "it was to hang");
    assert_eq!(stage.counts(), once(&["a", "b"]));
}

/// C9
#[tokio::test]
async fn a_slow_job_holds_up_no_successor_of_others() {
    let mut nodes = vec![json!(["slow", "busy", {"ms": 6_000}])];
    let mut edges = Vec::new();
    for number in 0..9 {
        nodes.push(json!([format!("a{number}"), "busy", {"ms": 10}]));
        nodes.push(json!([format!("b{number}"), "noop"]));
        edges.push(json!([format!("a{number}"), format!("b{number}")]));
    }
    let Some(mut stage) = stage_of(&Value::Array(nodes), &Value::Array(edges)).await else {
        return;
    };
    let view = play(&mut stage, &json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    let slow_began = stage.times("slow")[0];
    for number in 0..9 {
        let waited = stage.times(&format!("b{number}"))[0].saturating_duration_since(slow_began);
        assert!(waited < Duration::from_secs(5), "b{number} started after {waited:?}");
    }
}

/// C10
#[tokio::test]
async fn an_idle_worker_looks_about_twice_a_second() {
    let Some(services) = Services::own(&[]) else { return };
    let idle = blueprint("b", &json!([["a", "noop"]]), &json!([]));
    let (mut stage, _) = staged(&services, vec![idle]).await;
    run_worker(&mut stage, "w");
    // The pauses have grown to their ceiling by then.
    sleep(Duration::from_secs(2)).await;
    services.reset_counts().await;
    sleep(Duration::from_secs(3)).await;
    let counts = services.counts().await;
    let looks = counts["queue"]["kinds"]["receive"].as_u64().unwrap();
    assert!((3..=10).contains(&looks), "{looks} looks in three seconds");
    let run = start(&stage, &json!({})).await;
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
}

/// C20
#[tokio::test]
async fn the_pause_between_attempts_is_kept_here_or_in_the_queue() {
    let nodes = json!([
        ["short", "fail", {}, {"maxRetries": 3, "retryDelay": 400}],
        ["long", "fail", {}, {"maxRetries": 2, "retryDelay": 1_500}],
    ]);
    let Some(mut stage) = stage_of(&nodes, &json!([])).await else { return };
    let view = play(&mut stage, &json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    let starts = stage.starts.lock().unwrap().clone();
    for (node, attempts, pause) in [("short", 3, 400), ("long", 2, 1_500)] {
        let of_node: Vec<_> = starts.iter().filter(|start| start.node == node).collect();
        let numbers: Vec<u32> = of_node.iter().map(|start| start.attempt).collect();
        assert_eq!(numbers, (1..=attempts).collect::<Vec<_>>(), "{node}");
        for pair in of_node.windows(2) {
            let waited = pair[1].at - pair[0].at;
            assert!(waited >= Duration::from_millis(pause), "{node}: {waited:?}");
        }
    }
}

/// C20
#[tokio::test]
async fn an_attempt_ends_when_its_time_is_over() {
    let nodes = json!([["slow", "busy", {"ms": 5_000}, {"timeout": 50, "maxRetries": 2}]]);
    let Some(mut stage) = stage_of(&nodes, &json!([])).await else { return };
    let view = play(&mut stage, &json!({})).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert!(view.errors[0].message.contains("timed out after 50 ms"), "{:?}", view.errors);
    let starts = stage.starts.lock().unwrap().clone();
    assert_eq!(starts.len(), 2);
    let apart = starts[1].at - starts[0].at;
    assert!(apart < Duration::from_secs(4), "the first attempt went on: {apart:?}");
}

/// C21
#[tokio::test]
async fn two_sleeps_in_a_row_run_each_node_once() {
    let nodes = json!([
        ["s1", "sleep", {"duration": "1s"}], ["m", "noop"],
        ["s2", "sleep", {"duration": "1s"}], ["z", "noop"],
    ]);
    let edges = json!([["s1", "m"], ["m", "s2"], ["s2", "z"]]);
    let Some(mut stage) = stage_of(&nodes, &edges).await else { return };
    run_worker(&mut stage, "w1");
    run_worker(&mut stage, "w2");
    let run = start(&stage, &json!({})).await;
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed);
    eventually("no message is left", async || stage.depth(Lane::Jobs).await == 0).await;
    assert_eq!(stage.counts(), once(&["m", "z"]));
    let slept = stage.times("z")[0] - stage.times("m")[0];
    assert!(slept >= Duration::from_secs(1), "{slept:?}");
}
