//! Rules 4 and 15: leases, and what ends a node's work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use flowcraft_tui::{
    cluster::{Fault, Holder, Key, Lane},
    engine::RunStatus,
    nodes::{Node, NodeContext, NodeError, NodeOutput},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    stage::{Stage, alone, pass},
    tampered::{Fate, Tampered},
};

fn long() -> Stage {
    Stage::of(&json!([["a", "busy", {"ms": 300_000}], ["b", "noop"]]), &json!([["a", "b"]]))
}

#[tokio::test(start_paused = true)]
async fn rule_4_each_node_of_a_chain_has_a_lease_of_its_own() {
    let mut stage = Stage::of(
        &json!([["a", "busy", {"ms": 2000}], ["b", "busy", {"ms": 2000}]]),
        &json!([["a", "b"]]),
    );
    stage.worker("w");
    let run = stage.start().await;
    let value = async |node: &str| {
        stage.cluster.coordination.get(&Key::node_lock(&run, &node.into())).await.unwrap()
    };
    pass(1).await;
    let first = value("a").await.unwrap();
    assert_eq!(Holder::worker_of(&first), Some("w"));
    assert_eq!(value("b").await, None);
    pass(2).await;
    let second = value("b").await.unwrap();
    assert_eq!(value("a").await, None);
    assert_eq!(Holder::worker_of(&second), Some("w"));
    assert_ne!(first, second, "each acquisition has a random part of its own");
    stage.settled(&run).await;
    assert_eq!(value("b").await, None);
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_lease_that_answers_not_yours_stops_the_node() {
    let mut stage = long();
    stage.worker("w");
    let began = Instant::now();
    let run = stage.start().await;
    pass(30).await;
    let store = stage.cluster.coordination.clone();
    let key = Key::node_lock(&run, &"a".into());
    let value = store.get(&key).await.unwrap().unwrap();
    store.break_lock(&key, &value).await.unwrap();
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    let starts = stage.times("a");
    assert_eq!(starts.len(), 2);
    let again = starts[1] - began;
    assert!((30..60).contains(&again.as_secs()), "started again after {again:?}");
    assert_eq!(stage.count("b"), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_lease_that_expired_unrenewed_stops_the_node() {
    let mut stage = long();
    let back = Instant::now() + Duration::from_secs(120);
    let deaf = Tampered::new(&stage.cluster, move |call| match call.name {
        "renew_lease" if Instant::now() < back => Fate::Fails(Fault::Unavailable),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(deaf.cluster(), alone("w")));
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    let starts = stage.times("a");
    let pause = starts[1] - starts[0];
    assert!((60..90).contains(&pause.as_secs()), "started again after {pause:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_renewal_that_fails_once_stops_nothing() {
    let mut stage = long();
    let mut failed = 0;
    let shaky = Tampered::new(&stage.cluster, move |call| match call.name {
        "renew_lease" => {
            failed += 1;
            if failed % 2 == 1 { Fate::Fails(Fault::Unavailable) } else { Fate::Goes }
        }
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(shaky.cluster(), alone("w")));
    let run = stage.start().await;
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_lost_pop_receipt_stops_nothing() {
    let mut stage = long();
    let unlucky = Tampered::new(&stage.cluster, |call| match call.name {
        "renew_message" | "delete" | "hide" => Fate::Fails(Fault::ReceiptLost),
        _ => Fate::Goes,
    });
    stage.run_worker(&stage.make_worker_on(unlucky.cluster(), alone("w")));
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
    // Its next reader finds it done.
    stage.crash().await;
    stage.worker("next");
    pass(120).await;
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_4_what_is_leased_is_left_to_its_holder() {
    let mut stage = long();
    for name in ["w1", "w2"] {
        stage.worker(name);
    }
    let run = stage.start().await;
    for _ in 0..5 {
        pass(10).await;
        stage.send(stage.plain_job(&run, "a").encode()).await;
    }
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1));
    pass(120).await;
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
}

/// Takes five minutes, and notes when it is stopped before they are over.
struct Stoppable(Arc<AtomicUsize>);

struct NoteStop(Option<Arc<AtomicUsize>>);

impl Drop for NoteStop {
    fn drop(&mut self) {
        if let Some(stopped) = &self.0 {
            stopped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Node for Stoppable {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let mut note = NoteStop(Some(self.0.clone()));
        context.set("written", true);
        tokio::time::sleep(Duration::from_secs(300)).await;
        note.0 = None;
        Ok(NodeOutput::value("done"))
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_cancelling_stops_what_runs_and_drops_its_result() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let mut stage = Stage::of(&json!([["a", "stoppable"], ["b", "noop"]]), &json!([["a", "b"]]))
        .with_node("stoppable", Arc::new(Stoppable(stopped.clone())));
    stage.worker("w");
    let run = stage.start().await;
    pass(70).await;
    let plan = stage.operations.plan_cancel(&run).await.unwrap();
    stage.operations.apply(&plan).await.unwrap();
    assert_eq!(stopped.load(Ordering::Relaxed), 0);
    // A third of the lease is the time between two renewals.
    pass(21).await;
    assert_eq!(stopped.load(Ordering::Relaxed), 1);
    pass(600).await;
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Cancelled);
    assert!(view.outputs.is_empty() && view.context.is_empty(), "{view:#?}");
    assert_eq!((stage.count("a"), stage.count("b")), (1, 0));
    assert_eq!(stage.depth(Lane::Jobs).await, 0);
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Cancelled));
}
