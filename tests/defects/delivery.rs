//! C1 to C16: messages that come late, twice or not at all; workers that die; services that are
//! away.

use std::{collections::BTreeSet, time::Duration};

use flowcraft_tui::{
    cluster::{Fault, Job, Key, Lane, Neighbours},
    engine::{NodeState, RunStatus},
    worker::WorkerConfig,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    stage::{Stage, alone, outputs, pass, state, versioned},
    tampered::{Fate, Tampered, dies_after},
};

fn ab(version: Option<&str>) -> Stage {
    let nodes = json!([["a", "const", {"value": 1}], ["b", "add"]]);
    Stage::new(vec![versioned("b", version, &nodes, &json!([["a", "b"]]))])
}

/// The same cluster with other blueprints.
fn beside(stage: &Stage, version: Option<&str>) -> Stage {
    let nodes = json!([["a", "const", {"value": 1}], ["b", "add"]]);
    Stage::on(stage.cluster.clone(), vec![versioned("b", version, &nodes, &json!([["a", "b"]]))])
}

#[tokio::test(start_paused = true)]
async fn c1_a_run_without_a_version_runs() {
    let mut stage = ab(None);
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.document(&view.run).await.head().blueprint_version, None);

    let stage = ab(None);
    let run = stage.start().await;
    let mut other = beside(&stage, Some("2"));
    other.worker("w");
    assert_eq!(other.settled(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn c2_a_message_for_another_version_is_left_to_a_worker_that_has_it() {
    let mut stage = ab(Some("1"));
    let run = stage.start().await;
    let mut other = beside(&stage, Some("2"));
    other.worker("w2");
    pass(600).await;
    assert_eq!(stage.operations.view(&run).await.unwrap().status, RunStatus::Running);
    assert_eq!(stage.depth(Lane::Jobs).await, 1);
    assert_eq!(stage.depth(Lane::Poison).await, 0);
    stage.worker("w1");
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), other.count("a")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn c4_a_plain_json_message_is_a_job() {
    let mut stage = ab(None);
    let run = stage.start().await;
    stage.lose_messages().await;
    stage.send(json!({"runId": "r", "blueprintId": "b", "nodeId": "a"}).to_string()).await;
    stage.worker("w");
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn c5_what_is_no_job_goes_to_the_poison_queue_with_the_reason() {
    let bodies = ["hello", "{\"runId\": 5}", "{\"runId\": \"r\"", "aGVsbG8=", "", "/////w=="];
    let mut stage = ab(None);
    stage.worker("w");
    for body in bodies {
        stage.send(body).await;
    }
    pass(300).await;
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    let letters = stage.letters().await;
    let found: BTreeSet<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
    assert_eq!(found, BTreeSet::from(bodies));
    for letter in &letters {
        assert_eq!(letter.dequeue_count, 1);
        assert!(letter.reason.contains("not a job"), "{}", letter.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn c5_a_run_that_is_named_by_what_is_no_job_says_so() {
    let mut stage = Stage::of(&json!([["w", "wait"]]), &json!([]));
    let run = stage.play(&json!({})).await.run;
    stage.send(json!({"runId": "r", "blueprintId": "b"}).to_string()).await;
    let view = stage.until(&run, "has a warning", |view| !view.warnings.is_empty()).await;
    assert!(view.warnings[0].contains("poison"), "{:?}", view.warnings);
    assert!(view.warnings[0].contains("nodeId"), "{:?}", view.warnings);
}

#[tokio::test(start_paused = true)]
async fn c6_while_a_service_is_away_nothing_is_received_and_nothing_counts_as_a_try() {
    let mut stage = ab(None);
    let back = Instant::now() + Duration::from_mins(30);
    let away = Tampered::new(&stage.cluster, move |call| match call.name {
        "read_document" | "read_status" if Instant::now() < back => Fate::Fails(Fault::Unavailable),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(away.cluster(), alone("w")));
    let run = stage.start().await;
    pass(1700).await;
    assert!(away.calls("receive") < 10, "received {} times", away.calls("receive"));
    let probes = away.calls("read_status");
    assert!((20..1700).contains(&probes), "{probes} looks in half an hour");
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

/// A run with a fan-out, a join, a retry and a fallback, and what comes of it.
fn everything() -> (Stage, Value) {
    let stage = Stage::of(
        &json!([
            ["a", "const", {"value": 1}], ["b", "add"], ["c", "add", {"n": 10}],
            ["d", "fail", {}, {"fallback": "f", "maxRetries": 2, "retryDelay": 2000}],
            ["f", "const", {"value": 3}],
            ["j", "sum", {}, {}, {"b": "b", "c": "c", "f": "f"}],
        ]),
        &json!([["a", "b"], ["a", "c"], ["a", "d"], ["b", "j"], ["c", "j"], ["d", "j"]]),
    );
    (stage, json!({"a": 1, "b": 2, "c": 11, "d": null, "f": 3, "j": 16}))
}

#[tokio::test(start_paused = true)]
async fn c7_no_single_failing_call_fails_a_run() {
    let methods = [
        "send",
        "receive",
        "renew_message",
        "hide",
        "delete",
        "read_document",
        "commit",
        "read_status",
        "replace_status",
        "create_status",
        "acquire",
        "renew_lease",
        "release",
        "get",
        "set_if_absent",
        "increment",
        "remove",
        "beat",
        "depth",
    ];
    let throttled = Fault::Throttled { retry_after: Some(Duration::from_secs(3)) };
    let fates = [Fate::Fails(Fault::Unavailable), Fate::AnswerLost, Fate::Fails(throttled)];
    for method in methods {
        for fate in &fates {
            for which in 0..3 {
                let (mut stage, expected) = everything();
                stage.cluster.neighbours = Neighbours::JavaScript;
                let (mut seen, fate) = (0, fate.clone());
                let said = format!("{method} {which}: {fate:?}");
                let faulty = Tampered::new(&stage.cluster, move |call| {
                    if call.name != method {
                        return Fate::Goes;
                    }
                    seen += 1;
                    if seen == which + 1 { fate.clone() } else { Fate::Goes }
                });
                stage.run_worker(&stage.make_worker_on(faulty.cluster(), alone("w")));
                let run = stage.start().await;
                let view = stage.settled(&run).await;
                assert_eq!(view.status, RunStatus::Completed, "{said}");
                assert_eq!(outputs(&view), expected, "{said}");
                pass(300).await;
                assert!(
                    stage.counts().values().all(|count| *count == 1),
                    "{said}: {:?}",
                    stage.counts()
                );
                assert_eq!(stage.depth(Lane::Jobs).await, 0, "{said}");
                assert_eq!(stage.status(&run).await.status, Some(RunStatus::Completed), "{said}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_long_node_runs_once_beside_other_workers() {
    let mut stage =
        Stage::of(&json!([["a", "busy", {"ms": 600_000}], ["b", "noop"]]), &json!([["a", "b"]]));
    let counted = Tampered::counting(&stage.cluster);
    for name in ["w1", "w2", "w3"] {
        stage.run_worker(&stage.make_worker_on(counted.cluster(), alone(name)));
    }
    let run = stage.start().await;
    let view = stage.ended(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
    // Ten minutes, of which each renewal buys one.
    assert!(counted.calls("renew_message") >= 10, "{}", counted.calls("renew_message"));
    assert!(counted.calls("renew_lease") >= 10, "{}", counted.calls("renew_lease"));
}

#[tokio::test(start_paused = true)]
async fn c9_a_slow_job_holds_no_other() {
    let mut nodes = vec![json!(["slow", "busy", {"ms": 60_000}])];
    let mut edges = Vec::new();
    for number in 0..9 {
        nodes.push(json!([format!("a{number}"), "busy", {"ms": 10}]));
        nodes.push(json!([format!("b{number}"), "noop"]));
        edges.push(json!([format!("a{number}"), format!("b{number}")]));
    }
    let mut stage = Stage::of(&Value::Array(nodes), &Value::Array(edges));
    let began = Instant::now();
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    for number in 0..9 {
        let waited = stage.times(&format!("b{number}"))[0] - began;
        assert!(waited < Duration::from_secs(1), "b{number} started after {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c10_an_idle_worker_asks_less_and_less() {
    let mut stage = ab(None);
    let counted = Tampered::counting(&stage.cluster);
    let config = WorkerConfig { poll_ceiling: Duration::from_secs(5), ..alone("w") };
    stage.run_worker(&stage.make_worker_on(counted.cluster(), config));
    pass(60).await;
    let first = counted.calls("receive");
    pass(600).await;
    let then = counted.calls("receive") - first;
    assert!((120..=250).contains(&then), "{then} looks in ten minutes");
}

/// `b` and `c` into the `all` join `j`; `c` takes a minute.
fn join(strategy: &str) -> Stage {
    Stage::of(
        &json!([
            ["b", "const", {"value": 1}], ["c", "busy", {"ms": 60_000}],
            ["j", "noop", {}, {"joinStrategy": strategy}],
        ]),
        &json!([["b", "j"], ["c", "j"]]),
    )
}

#[tokio::test(start_paused = true)]
async fn c11_a_join_counts_predecessors_and_not_messages() {
    let mut stage = join("all");
    let worker = stage.worker("w");
    let run = stage.start().await;
    for _ in 0..3 {
        let mut again = stage.plain_job(&run, "b");
        again.redrive = Some(true);
        stage.send(again.encode()).await;
        stage.send(stage.plain_job(&run, "b").encode()).await;
    }
    pass(30).await;
    assert_eq!(stage.count("j"), 0);
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), counted(&["b", "c", "j"]));
    assert_eq!(worker.status().done, 3);
}

fn counted(nodes: &[&str]) -> std::collections::BTreeMap<String, usize> {
    nodes.iter().map(|node| ((*node).to_owned(), 1)).collect()
}

#[tokio::test(start_paused = true)]
async fn c12_a_worker_may_die_between_completing_a_join_and_running_it() {
    let mut stage = join("all");
    let run = stage.start().await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    assert_eq!(stage.depth(Lane::Jobs).await, 1, "the message of c alone is left");
    stage.worker("w");
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), counted(&["b", "c", "j"]));
}

#[tokio::test(start_paused = true)]
async fn c13_a_worker_may_die_between_firing_an_any_join_and_running_it() {
    let mut stage = join("any");
    let run = stage.start().await;
    dies_after(&mut stage, |after| after.state("j") == NodeState::Ready).await;
    stage.worker("w");
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
    assert_eq!(state(&view, "c"), "completed");
}

#[tokio::test(start_paused = true)]
async fn c14_a_join_does_not_need_its_counter() {
    let mut stage = join("all");
    stage.cluster.neighbours = Neighbours::JavaScript;
    stage.worker("w");
    let run = stage.start().await;
    pass(30).await;
    let counter = Key::fan_in(&run, &"j".into());
    let store = stage.cluster.coordination.clone();
    assert_eq!(store.get(&counter).await.unwrap().as_deref(), Some("1"), "kept for neighbours");
    store.remove(&[counter]).await.unwrap();
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!(stage.count("j"), 1);
}

#[tokio::test(start_paused = true)]
async fn c15_a_redelivery_follows_the_recorded_action() {
    let mut stage = Stage::of(
        &json!([["a", "emit-action", {"action": "left"}], ["l", "noop"], ["r", "noop"]]),
        &json!([["a", "l", {"action": "left"}], ["a", "r"]]),
    );
    let run = stage.start().await;
    dies_after(&mut stage, |after| after.state("a") == NodeState::Completed).await;
    stage.worker("w");
    let view = stage.settled(&run).await;
    pass(300).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(stage.counts(), counted(&["a", "l"]));
}

#[tokio::test(start_paused = true)]
async fn c16_a_late_duplicate_leaves_a_finished_run_alone() {
    for uses in ["noop", "fail"] {
        let mut stage = Stage::of(&json!([["a", uses], ["b", "noop"]]), &json!([["a", "b"]]));
        let view = stage.play(&json!({})).await;
        pass(10).await;
        let before = (stage.status(&view.run).await, stage.document(&view.run).await.head().rev);
        for redrive in [None, Some(true)] {
            for node in ["a", "b"] {
                stage.send(Job { redrive, ..stage.plain_job(&view.run, node) }.encode()).await;
            }
        }
        pass(300).await;
        assert_eq!(stage.depth(Lane::Jobs).await, 0);
        let after = (stage.status(&view.run).await, stage.document(&view.run).await.head().rev);
        assert_eq!(after, before, "{uses}");
        assert_eq!(stage.count("a"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn c16_a_status_that_somebody_wrote_over_is_put_right() {
    let mut stage =
        Stage::of(&json!([["a", "busy", {"ms": 60_000}], ["b", "noop"]]), &json!([["a", "b"]]));
    stage.worker("w");
    let run = stage.start().await;
    pass(1).await;
    let store = stage.cluster.state.clone();
    let mut known = store.read_status(&run).await.unwrap().unwrap();
    known.item.status = Some(RunStatus::Completed);
    store.replace_status(&known.item, &known.version).await.unwrap();
    pass(30).await;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Running));
    stage.settled(&run).await;
    pass(1).await;
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Completed));
}
