//! Rules 10 to 12 and 17: how fresh a document must be, interrupted starts, counters for
//! neighbours, and blueprints that change under a run.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use flowcraft_tui::{
    cluster::{Fault, Job, Key, Lane, Neighbours},
    engine::{NodeState, Op, RunStatus},
    operations::{OperationError, Operations},
};
use serde_json::json;

use crate::{
    fencing::reconciling,
    stage::{Stage, alone, blueprint, entry, pass, state},
    tampered::{Call, Fate, Tampered},
};

fn ab() -> Stage {
    Stage::of(&json!([["a", "const", {"value": 1}], ["b", "add"]]), &json!([["a", "b"]]))
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_message_waits_for_the_commit_that_made_it() {
    let mut stage = ab();
    let run = stage.start().await;
    let job = stage.lose_messages().await.remove(0);
    let document = stage.document(&run).await;
    let rev = document.head().rev + 3;
    stage.send(Job { rev: Some(rev), ..job }.encode()).await;
    stage.worker("w");
    pass(60).await;
    assert_eq!(stage.count("a"), 0);
    assert_eq!(stage.depth(Lane::Jobs).await, 1);
    // What it had not seen comes into view.
    let mut head = document.head().clone();
    head.rev = rev;
    stage.edit(&run, &[Op::Head(Arc::new(head))]).await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_neighbours_message_is_not_dropped_at_once() {
    let mut stage = Stage::of(&json!([["w", "wait"], ["b", "noop"]]), &json!([["w", "b"]]));
    let run = stage.play(&json!({})).await.run;
    stage.send(stage.plain_job(&run, "b").encode()).await;
    pass(5).await;
    assert_eq!(stage.count("b"), 0);
    // The neighbour's write is seen only now.
    stage.edit(&run, &[Op::Node("b".into(), entry(NodeState::Ready))]).await;
    pass(10).await;
    assert_eq!(stage.count("b"), 1);

    // One that means nothing is dropped after a while.
    stage.send(stage.plain_job(&run, "nowhere").encode()).await;
    pass(5).await;
    assert_eq!(stage.depth(Lane::Jobs).await, 1);
    pass(15).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rule_10_two_starts_at_once_make_one_run() {
    let mut stage = ab();
    stage.worker("w");
    let other = Operations::new(stage.cluster.clone(), stage.library.clone(), "other");
    let request = stage.request("r", &json!({"k": 1}));
    let (one, two) =
        tokio::join!(stage.operations.start(request.clone()), other.start(request.clone()));
    assert_eq!(one.unwrap().run, two.unwrap().run);
    let view = stage.settled(&"r".into()).await;
    assert_eq!(view.status, RunStatus::Completed);
    pass(60).await;
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}

/// Starts a run with a client whose calls of one method never succeed.
async fn start_without(stage: &Stage, method: &'static str) {
    let broken = Tampered::new(&stage.cluster, move |call: &Call| {
        if call.name == method { Fate::Fails(Fault::Refused) } else { Fate::Goes }
    });
    let operations = Operations::new(broken.cluster(), stage.library.clone(), "broken");
    operations.start(stage.request("r", &json!({"k": 1}))).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_start_that_stopped_before_its_document_is_marked() {
    let mut stage = ab();
    start_without(&stage, "create_document").await;
    let run = "r".into();
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Running));
    stage.run_worker(&stage.make_worker(reconciling("w")));
    pass(300).await;
    let item = stage.status(&run).await;
    assert_eq!(item.status, Some(RunStatus::Failed));
    assert!(item.error.unwrap().starts_with("never started"));
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_start_that_cannot_tell_the_neighbours_leaves_nothing() {
    let mut stage = ab();
    stage.cluster.neighbours = Neighbours::JavaScript;
    start_without(&stage, "set_if_absent").await;
    assert!(stage.operations.status(&"r".into()).await.unwrap().is_none());
    stage.worker("w");
    let started = stage.operations.start(stage.request("r", &json!({"k": 1}))).await.unwrap();
    assert_eq!(stage.settled(&started.run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_start_that_stopped_before_its_messages_is_mended() {
    let mut stage = ab();
    start_without(&stage, "send").await;
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    stage.run_worker(&stage.make_worker(reconciling("w")));
    let view = stage.ended(&"r".into()).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_11_starting_again_goes_on_with_the_run() {
    for method in ["create_document", "send"] {
        let mut stage = ab();
        start_without(&stage, method).await;
        pass(5).await;
        let started = stage.operations.start(stage.request("r", &json!({"k": 1}))).await.unwrap();
        assert_eq!(started.again, method == "send");
        stage.worker("w");
        assert_eq!(stage.settled(&started.run).await.status, RunStatus::Completed);
        let again = stage.operations.start(stage.request("r", &json!({"k": 1}))).await.unwrap();
        assert_eq!((again.again, again.status), (true, RunStatus::Completed));
        pass(30).await;
        assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_11_another_run_under_a_taken_id_is_refused() {
    let ab = blueprint("b", &json!([["a", "noop"]]), &json!([]));
    let other = blueprint("other", &json!([["a", "noop"]]), &json!([]));
    let stage = Stage::new(vec![ab, other]);
    stage.start_with(&json!({"k": 1})).await;
    for input in [json!({"k": 2}), json!({}), json!({"k": 1, "more": 1})] {
        let refused = stage.operations.start(stage.request("r", &input)).await;
        assert!(
            matches!(refused, Err(OperationError::Exists { what: "input", .. })),
            "{input}: {refused:?}"
        );
    }
    let mut request = stage.request("r", &json!({"k": 1}));
    request.blueprint = "other".into();
    let refused = stage.operations.start(request).await;
    assert!(
        matches!(refused, Err(OperationError::Exists { what: "blueprint", .. })),
        "{refused:?}"
    );
    assert_eq!(stage.depth(Lane::Jobs).await, 1);
}

fn three_into_a_join() -> Stage {
    let mut stage = Stage::of(
        &json!([
            ["a", "noop"], ["b", "noop"], ["c", "busy", {"ms": 60_000}], ["j", "noop"],
        ]),
        &json!([["a", "j"], ["b", "j"], ["c", "j"]]),
    );
    stage.cluster.neighbours = Neighbours::JavaScript;
    stage
}

#[tokio::test(start_paused = true)]
async fn rule_12_counters_never_count_too_high() {
    for lost in ["set_if_absent", "increment", "commit"] {
        let mut stage = three_into_a_join();
        let calls: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let (noted, mut first) = (calls.clone(), true);
        let faulty = Tampered::new(&stage.cluster, move |call| {
            if matches!(call.name, "set_if_absent" | "increment") {
                noted.lock().unwrap().push(call.name);
            }
            let fails = call.name == lost && std::mem::take(&mut first);
            // The increment is the one call whose answer must not be lost to keep the count exact;
            // here it never took effect.
            match (fails, lost) {
                (true, "increment") => Fate::Fails(Fault::Unavailable),
                (true, _) => Fate::AnswerLost,
                _ => Fate::Goes,
            }
        });
        stage.run_worker(&stage.make_worker_on(faulty.cluster(), alone("w")));
        let run = stage.start().await;
        pass(20).await;
        for node in ["a", "b", "a"] {
            let mut again = stage.plain_job(&run, node);
            again.redrive = Some(true);
            stage.send(again.encode()).await;
        }
        pass(20).await;
        assert_eq!(calls.lock().unwrap()[0], "set_if_absent", "marked before it is counted");
        let counter = Key::fan_in(&run, &"j".into());
        let count = stage.cluster.coordination.get(&counter).await.unwrap();
        let count: u64 = count.map_or(0, |count| count.parse().unwrap());
        assert!((1..=2).contains(&count), "{lost}: {count}");
        assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
        assert_eq!(stage.cluster.coordination.get(&counter).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_requeue_clears_what_neighbours_marked() {
    let mut stage = Stage::of(&json!([["a", "fail"], ["b", "noop"]]), &json!([["a", "b"]]));
    stage.cluster.neighbours = Neighbours::JavaScript;
    stage.operations = Operations::new(stage.cluster.clone(), stage.library.clone(), "operator");
    let run = stage.play(&json!({})).await.run;
    let node = "a".into();
    let keys = [
        Key::fan_in_poison(&run, &node),
        Key::fan_in_cancel(&run, &node),
        Key::join_lock(&run, &node),
        Key::fan_in(&run, &node),
    ];
    let store = stage.cluster.coordination.clone();
    for key in &keys {
        store.set_if_absent(key, "1", Duration::from_hours(1)).await.unwrap();
    }
    stage.requeue(&run, &["a"]).await;
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_changed_blueprint_is_warned_of_and_a_node_that_is_gone_fails() {
    let stage = ab();
    let run = stage.start().await;
    let changed = |nodes, edges| blueprint("b", &nodes, &edges);
    // It still has a, and goes on elsewhere.
    let nodes = json!([["a", "const", {"value": 5}], ["c", "add"]]);
    let mut next = Stage::on(stage.cluster.clone(), vec![changed(nodes, json!([["a", "c"]]))]);
    next.worker("w");
    let view = next.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["c"], 6);
    assert!(
        view.warnings[0].contains("changed while the run was under way"),
        "{:?}",
        view.warnings
    );

    let stage = ab();
    let run = stage.start().await;
    let mut next =
        Stage::on(stage.cluster.clone(), vec![changed(json!([["z", "noop"]]), json!([]))]);
    next.worker("w");
    let view = next.settled(&run).await;
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(state(&view, "a"), "failed");
    let message = &view.errors[0].message;
    assert!(message.contains("node \"a\" is no longer in blueprint \"b\""), "{message}");
}
