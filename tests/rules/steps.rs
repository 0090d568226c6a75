//! The steps of a job beside the rules: chains, merged commits, drain and pause, the reconciler.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Lane, WorkerMode},
    engine::{RunDocument, RunStatus},
    worker::WorkerConfig,
};
use serde_json::{Value, json};

use crate::{
    fencing::reconciling,
    stage::{Stage, alone, pass, state},
    tampered::{Fate, Tampered, dies_after},
};

/// Nodes `n0`, `n1`, ... one after the other.
fn chain(length: usize, node: &Value) -> Stage {
    let nodes: Vec<Value> =
        (0..length).map(|n| json!([format!("n{n}"), node[0], node[1]])).collect();
    let edges: Vec<Value> =
        (1..length).map(|n| json!([format!("n{}", n - 1), format!("n{n}")])).collect();
    Stage::of(&Value::Array(nodes), &Value::Array(edges))
}

#[tokio::test(start_paused = true)]
async fn step_8_a_chain_costs_one_commit_a_node_and_no_queue_trip() {
    let mut stage = chain(50, &json!(["add"]));
    let counted = Tampered::counting(&stage.cluster);
    stage.run_worker(&stage.make_worker_on(counted.cluster(), alone("w")));
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.outputs["n49"], 50);
    pass(1).await;
    assert_eq!(counted.calls("commit"), 50);
    assert_eq!(counted.calls("send"), 0);
    assert_eq!(counted.calls("delete"), 1);
    assert!(counted.calls("read_document") <= 2, "{} reads", counted.calls("read_document"));
    assert_eq!((counted.calls("acquire"), counted.calls("release")), (50, 50));
    assert!(counted.calls("replace_status") <= 2, "{}", counted.calls("replace_status"));
}

#[tokio::test(start_paused = true)]
async fn step_8_the_message_of_a_chain_is_its_recovery_token() {
    let mut stage = chain(10, &json!(["add"]));
    let run = stage.start().await;
    let fits = |after: &RunDocument| after.completed() == 6;
    dies_after(&mut stage, fits).await;
    let deliveries = stage.cluster.queue.depth(Lane::Jobs).await.unwrap();
    assert_eq!(deliveries.messages, 1);
    stage.worker("w2");
    let view = stage.settled(&run).await;
    assert_eq!(view.outputs["n9"], 10);
    assert!(stage.counts().values().all(|count| *count == 1), "{:?}", stage.counts());
}

#[tokio::test(start_paused = true)]
async fn step_7_results_that_arrive_during_a_commit_go_into_the_next_one() {
    let mut nodes = vec![json!(["start", "noop"]), json!(["join", "noop"])];
    let mut edges = Vec::new();
    for number in 0..100 {
        let id = format!("n{number}");
        nodes.push(json!([id, "busy", {"ms": 100}]));
        edges.push(json!(["start", id]));
        edges.push(json!([id, "join"]));
    }
    let mut stage = Stage::of(&Value::Array(nodes), &Value::Array(edges));
    let slow = Tampered::new(&stage.cluster, |call| match call.name {
        "commit" => Fate::Late(Duration::from_millis(20)),
        _ => Fate::Goes,
    });
    let config = WorkerConfig { slots: 128, ..alone("w") };
    stage.run_worker(&stage.make_worker_on(slow.cluster(), config));
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs.len(), 100);
    let counts = stage.counts();
    assert_eq!(counts.len(), 102);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(slow.calls("commit") <= 15, "{} commits", slow.calls("commit"));
}

#[tokio::test(start_paused = true)]
async fn a_drained_worker_ends_what_it_has_and_nothing_more() {
    let mut stage = chain(3, &json!(["busy", {"ms": 10_000}]));
    let worker = stage.make_worker(alone("w"));
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let run = stage.start().await;
    pass(5).await;
    assert_eq!(worker.status().in_flight, 1);
    worker.drain();
    worker.go_on();
    assert_eq!(worker.status().mode, WorkerMode::Draining, "it does not come back");
    pass(1).await;
    let beats = stage.cluster.coordination.workers().await.unwrap();
    assert_eq!(beats[0].mode, WorkerMode::Draining);
    tokio::time::timeout(Duration::from_secs(6), running).await.unwrap().unwrap();
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!((state(&view, "n0"), state(&view, "n1")), ("completed", "ready"));
    assert!(stage.cluster.coordination.workers().await.unwrap().is_empty());
    assert_eq!(stage.cluster.coordination.locks(10).await.unwrap(), []);
    assert_eq!(stage.depth(Lane::Jobs).await, 1, "what follows is in the queue");
    stage.worker("next");
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert!(stage.counts().values().all(|count| *count == 1), "{:?}", stage.counts());
}

#[tokio::test(start_paused = true)]
async fn a_paused_worker_takes_nothing_until_it_goes_on() {
    let mut stage = chain(3, &json!(["busy", {"ms": 10_000}]));
    let counted = Tampered::counting(&stage.cluster);
    let worker = stage.make_worker_on(counted.cluster(), alone("w"));
    stage.run_worker(&worker);
    let run = stage.start().await;
    pass(5).await;
    worker.pause();
    pass(600).await;
    let received = counted.calls("receive");
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!((state(&view, "n0"), state(&view, "n1")), ("completed", "ready"));
    pass(600).await;
    assert_eq!(counted.calls("receive"), received);
    assert_eq!(worker.status().mode, WorkerMode::Paused);
    assert_eq!(stage.cluster.coordination.workers().await.unwrap().len(), 1, "it is alive");
    worker.go_on();
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert!(stage.counts().values().all(|count| *count == 1), "{:?}", stage.counts());
}

#[tokio::test(start_paused = true)]
async fn one_worker_of_the_cluster_reconciles_and_another_takes_over() {
    let mut stage = chain(1, &json!(["noop"]));
    let passes: Vec<_> = (0..3).map(|_| Tampered::counting(&stage.cluster)).collect();
    for (number, counted) in passes.iter().enumerate() {
        let config =
            WorkerConfig { seed: Some(number as u64), ..reconciling(&format!("w{number}")) };
        stage.run_worker(&stage.make_worker_on(counted.cluster(), config));
    }
    pass(600).await;
    let looks: Vec<usize> = passes.iter().map(|counted| counted.calls("list_statuses")).collect();
    assert_eq!(looks.iter().filter(|looks| **looks > 0).count(), 1, "{looks:?}");
    stage.crash().await;
    let before = looks.iter().position(|looks| *looks > 0).unwrap();
    for (number, counted) in passes.iter().enumerate().filter(|(number, _)| *number != before) {
        let config =
            WorkerConfig { seed: Some(number as u64), ..reconciling(&format!("v{number}")) };
        stage.run_worker(&stage.make_worker_on(counted.cluster(), config));
    }
    pass(300).await;
    let looks: Vec<usize> = passes.iter().map(|counted| counted.calls("list_statuses")).collect();
    assert_eq!(looks.iter().filter(|looks| **looks > 0).count(), 2, "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn step_1_no_more_is_received_than_there_are_free_slots() {
    let nodes: Vec<Value> =
        (0..40).map(|n| json!([format!("n{n}"), "busy", {"ms": 1000}])).collect();
    let mut stage = Stage::of(&Value::Array(nodes), &json!([]));
    let worker = stage.make_worker(WorkerConfig { slots: 4, ..alone("w") });
    stage.run_worker(&worker);
    let run = stage.start().await;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(worker.status().in_flight <= 4);
    }
    // Another worker finds the rest in the queue.
    stage.worker("w2");
    let began = tokio::time::Instant::now();
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
