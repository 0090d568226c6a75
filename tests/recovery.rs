//! What must go on by itself after trouble, without a reconciler.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/registry.rs"]
mod registry;
// Each of the programs that share it uses a part of it.
#[allow(dead_code)]
#[path = "support/stage.rs"]
mod stage;
// Likewise.
#[allow(dead_code)]
#[path = "support/tampered.rs"]
mod tampered;

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Fault, Lane},
    engine::{NodeState, RunStatus},
    nodes::{DynamicSpec, NodeOutput},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    stage::{Stage, alone, blueprint, pass, state},
    tampered::{Fate, Tampered},
};

#[tokio::test(start_paused = true)]
async fn a_chain_that_an_outage_interrupts_is_taken_up_when_the_service_is_back() {
    for away in ["send", "acquire"] {
        let nodes = json!([["a", "const", {"value": 1}], ["b", "add"], ["c", "add"]]);
        let mut stage = Stage::of(&nodes, &json!([["a", "b"], ["a", "c"]]));
        let run = stage.start().await;
        let (mut committed, mut back) = (false, None);
        let tampered = Tampered::new(&stage.cluster, move |call| {
            if committed && call.name == away {
                let back = *back.get_or_insert(Instant::now() + Duration::from_secs(60));
                if Instant::now() < back {
                    return Fate::Fails(Fault::Unavailable);
                }
            }
            committed |= call.name == "commit";
            Fate::Goes
        });
        stage.run_worker(&stage.make_worker_on(tampered.cluster(), alone("w")));
        pass(300).await;
        let view = stage.operations.view(&run).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed, "{away}: {view:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_run_that_does_not_exist_does_not_go_round_for_ever() {
    let mut stage = Stage::of(&json!([["a", "const", {"value": 1}]]), &json!([]));
    stage.send(stage.plain_job(&"nobody".into(), "a").encode()).await;
    stage.worker("w");
    pass(600).await;
    assert_eq!((stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_message_is_left_to_a_worker_that_knows_its_blueprint() {
    let nodes = json!([["a", "const", {"value": 1}]]);
    let mut stage = Stage::of(&nodes, &json!([]));
    let run = stage.start().await;
    pass(2 * 3600).await;
    let mut other = Stage::on(stage.cluster.clone(), vec![blueprint("other", &nodes, &json!([]))]);
    other.worker("other");
    pass(10).await;
    assert_eq!(stage.depth(Lane::Poison).await, 0);
    stage.worker("w");
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_subflow_that_a_node_creates_runs() {
    let parent = blueprint("b", &json!([["d", "dynamic"]]), &json!([]));
    let child = blueprint("c", &json!([["a", "const", {"value": 5}]]), &json!([]));
    let mut stage = Stage::new(vec![parent, child]).with_fn("dynamic", |_| {
        let params = json!({"blueprintId": "c"}).as_object().cloned().unwrap();
        let node = DynamicSpec {
            id: "s".into(),
            uses: "subflow".to_owned(),
            params,
            inputs: None,
            config: serde_json::Map::new(),
        };
        Ok(NodeOutput { dynamic_nodes: vec![node], ..NodeOutput::value(1) })
    });
    stage.worker("w");
    let run = stage.start().await;
    pass(300).await;
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{view:#?}");
    assert_eq!(view.outputs["s"], json!(5));
}

#[tokio::test(start_paused = true)]
async fn all_of_a_cancelled_run_goes_on_once_it_is_requeued() {
    let parent = blueprint(
        "b",
        &json!([
            ["a", "busy", {"ms": 100_000}], ["z", "sleep", {"duration": 50_000}],
            ["w", "wait"], ["s", "subflow", {"blueprintId": "c"}],
        ]),
        &json!([]),
    );
    let child = blueprint("c", &json!([["k", "busy", {"ms": 100_000}]]), &json!([]));
    let mut stage = Stage::new(vec![parent, child]);
    stage.worker("v");
    let run = stage.start().await;
    pass(10).await;
    let plan = stage.operations.plan_cancel(&run).await.unwrap();
    stage.operations.apply(&plan).await.unwrap();
    // Long enough for every message to have come, and to have been dropped.
    pass(300).await;
    stage.requeue(&run, &["a"]).await;
    pass(400).await;
    let view = stage.operations.view(&run).await.unwrap();
    assert_eq!(view.status, RunStatus::Awaiting, "{view:#?}");
    let states = ["a", "z", "w", "s"].map(|node| state(&view, node));
    assert_eq!(states, ["completed", "completed", "awaiting", "completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_that_only_waited_can_be_requeued() {
    let mut stage = Stage::of(&json!([["w", "wait"]]), &json!([]));
    let run = stage.start().await;
    stage.worker("v");
    stage.settled(&run).await;
    let plan = stage.operations.plan_cancel(&run).await.unwrap();
    stage.operations.apply(&plan).await.unwrap();
    stage.requeue(&run, &[]).await;
    assert_eq!(stage.document(&run).await.state("w"), NodeState::Awaiting);
    assert_eq!(stage.status(&run).await.status, Some(RunStatus::Awaiting));
}
