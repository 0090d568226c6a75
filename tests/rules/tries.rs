//! Rules 5 and 6: what counts as a try, and what becomes of messages that are given up.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Fault, Holder, Job, Key, Lane, ReadDocument},
    engine::RunStatus,
    operations::Letters,
};
use serde_json::json;

use crate::{
    stage::{Stage, alone, pass, state},
    tampered::{Fate, Tampered},
};

fn ab() -> Stage {
    Stage::of(&json!([["a", "const", {"value": 1}], ["b", "add"]]), &json!([["a", "b"]]))
}

/// Receives the next message that many times, as workers that die at once would.
async fn receive_and_die(stage: &Stage, times: usize) {
    for _ in 0..times {
        let queue = &stage.cluster.queue;
        let deliveries = queue.receive(Lane::Jobs, 1, Duration::from_secs(1)).await.unwrap();
        assert_eq!(deliveries.len(), 1);
        pass(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_5_waiting_for_a_lease_is_no_try() {
    let mut stage = ab();
    let run = stage.start().await;
    let key = Key::node_lock(&run, &"a".into());
    let other = Holder::new(&"other".into(), 1);
    let half_an_hour = Duration::from_mins(30);
    stage.cluster.coordination.acquire(&key, &other, half_an_hour).await.unwrap();
    stage.worker("w");
    pass(1700).await;
    let deliveries = stage.cluster.queue.peek(Lane::Jobs, 1).await.unwrap();
    let holds = deliveries.first().and_then(|message| Job::decode(&message.body).unwrap().holds);
    assert!(holds.is_none_or(|holds| holds > 50), "{holds:?}");
    assert_eq!(stage.count("a"), 0);
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_service_that_is_away_is_no_try() {
    let mut stage = ab();
    let mut seen = 0;
    // Each job meets the outage, which ends for the next look at the services.
    let shaky = Tampered::new(&stage.cluster, move |call| match call.name {
        "acquire" => {
            seen += 1;
            if seen <= 200 { Fate::Fails(Fault::Unavailable) } else { Fate::Goes }
        }
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(shaky.cluster(), alone("w")));
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert!(shaky.calls("hide") > 5, "{}", shaky.calls("hide"));
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_5_crashes_are_tries_and_no_attempts() {
    let mut stage = Stage::of(&json!([["a", "fail", {}, {"maxRetries": 2}]]), &json!([]));
    let run = stage.start().await;
    receive_and_die(&stage, 3).await;
    stage.worker("w");
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(view.nodes[0].attempts, 2);
    assert_eq!(view.errors[0].message, "boom");
}

#[tokio::test(start_paused = true)]
async fn the_times_of_attempts_are_kept_where_one_failed() {
    for delay in [200, 5_000] {
        let config = json!({ "maxRetries": 3, "retryDelay": delay });
        let nodes = json!([["a", "const", {"value": 1}], ["b", "fail", {}, config]]);
        let mut stage = Stage::of(&nodes, &json!([["a", "b"]]));
        stage.worker("w");
        let run = stage.start().await;
        assert_eq!(stage.settled(&run).await.status, RunStatus::Failed);
        let read = stage.cluster.state.read_document(&run, None).await.unwrap();
        let ReadDocument::Whole(document, _) = read else { panic!("{read:?}") };
        assert_eq!(document.entry("a").unwrap().tries, []);
        let tries = &document.entry("b").unwrap().tries;
        assert_eq!(tries.len(), 3);
        assert!(tries.iter().all(|tried| tried.failed && tried.iteration == 1));
        for pair in tries.windows(2) {
            let pause = pair[1].started_at.since(pair[0].ended_at).as_millis();
            assert!(pause >= delay, "{pause} ms, not {delay}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_6_too_many_tries_fail_the_node_with_the_reason_and_replay_requeues_it() {
    let mut stage = ab();
    let run = stage.start().await;
    receive_and_die(&stage, 5).await;
    stage.worker("w");
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(state(&view, "a"), "failed");
    assert_eq!(stage.count("a"), 0);
    let reason = "received 6 times, and it was never finished";
    assert_eq!(view.errors[0].message, reason);
    assert!(view.warnings[0].contains("poison"), "{:?}", view.warnings);
    pass(5).await;
    let letters = stage.letters().await;
    assert_eq!(letters[0].reason, reason);
    assert_eq!(letters[0].job.as_ref().unwrap().node_id.as_str(), "a");
    assert_eq!(letters[0].dequeue_count, 6);
    assert_eq!(stage.depth(Lane::Jobs).await, 0);

    let replayed = stage.operations.replay(&Letters::All).await.unwrap();
    assert_eq!(replayed.len(), 1);
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["b"], 2);
    assert_eq!(stage.starts.lock().unwrap()[0].key, "r:a:1:1", "a generation of its own");
    assert_eq!(stage.depth(Lane::Poison).await, 0);
    pass(10).await;
    let item = stage.status(&run).await;
    assert_eq!((item.status, item.error), (Some(RunStatus::Completed), None));
}

#[tokio::test(start_paused = true)]
async fn rule_6_poisoning_a_finished_nodes_message_fails_nothing() {
    let mut stage = Stage::of(&json!([["a", "noop"], ["w", "wait"]]), &json!([["a", "w"]]));
    let first = stage.worker("first");
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Awaiting);
    first.drain();
    pass(5).await;
    stage.send(stage.plain_job(&run, "a").encode()).await;
    receive_and_die(&stage, 5).await;
    stage.worker("second");
    pass(60).await;
    assert_eq!(stage.depth(Lane::Poison).await, 1);
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!((view.status, state(&view, "a")), (RunStatus::Awaiting, "completed"));
}

#[tokio::test(start_paused = true)]
async fn rule_6_a_letter_that_could_not_be_kept_leaves_its_message() {
    let mut stage = ab();
    let back = tokio::time::Instant::now() + Duration::from_mins(10);
    let full = Tampered::new(&stage.cluster, move |call| match call.name {
        "send_poison" if tokio::time::Instant::now() < back => Fate::Fails(Fault::Refused),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(full.cluster(), alone("w")));
    stage.send("what is this").await;
    pass(500).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (1, 0));
    pass(300).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (0, 1));
    assert_eq!(stage.letters().await[0].body, "what is this");
}
