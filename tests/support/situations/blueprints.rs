//! Blueprints and implementations that are not where they are needed.

use std::time::Duration;

use flowcraft_tui::{
    blueprint::Blueprint,
    cluster::Cluster,
    engine::{Op, RunStatus},
    nodes::NodeOutput,
    operations::CauseKind::{
        NoImplementation, OutputLost, QueueBacklog, Running, UnknownBlueprint, VersionMismatch,
    },
    worker::WorkerConfig,
};
use serde_json::json;
use tokio::time::sleep;

use super::{Broken, Set, Situation, quick};
use crate::stage::{Stage, blueprint, versioned};

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "the only worker has another version of its blueprint",
            VersionMismatch,
            &["follows version \"1\"", "version \"2\" is loaded here", "in version \"1\""],
            other_version,
        ),
        Situation::new(
            "the only worker lacks its blueprint",
            UnknownBlueprint,
            &["blueprint \"b\" is not loaded here", "start a worker that has blueprint \"b\""],
            unknown,
        ),
        Situation::new(
            "a worker is at it, who asks lacks its blueprint",
            Running,
            &["worker \"w\""],
            unknown_to_who_asks,
        )
        .also(&[UnknownBlueprint]),
        Situation::new(
            "it waits behind others, who asks lacks its blueprint",
            QueueBacklog,
            &["slots are in use"],
            unknown_and_behind,
        )
        .also(&[UnknownBlueprint]),
        Situation::new(
            "no worker implements a kind of node",
            NoImplementation,
            &["nothing implements \"special\"", "requeue r --node a"],
            not_implemented,
        ),
        Situation::new(
            "an output is gone, and it waits for an answer",
            OutputLost,
            &["node \"a\" completed with an output, and it is not there"],
            output_lost,
        ),
    ]
}

/// A run of a blueprint, and a worker elsewhere that has another one.
async fn elsewhere(cluster: Cluster, has: Blueprint, other: Blueprint) -> Broken {
    let set = Set::on(cluster, vec![has]);
    let run = set.start("r").await;
    let mut others = Stage::on(set.stage.cluster.clone(), vec![other]);
    let worker = others.make_worker(quick("other"));
    others.run_worker(&worker);
    // It comes by, and puts the message back.
    sleep(Duration::from_millis(1_500)).await;
    let operations = others.operations.clone();
    Broken { operations, _others: vec![others], ..Broken::new(set, run) }
}

async fn other_version(cluster: Cluster) -> Broken {
    let of = |version| versioned("b", Some(version), &json!([["a", "noop"]]), &json!([]));
    elsewhere(cluster, of("1"), of("2")).await
}

async fn unknown(cluster: Cluster) -> Broken {
    let of = |id| blueprint(id, &json!([["a", "noop"]]), &json!([]));
    elsewhere(cluster, of("b"), of("another")).await
}

/// Somebody with no more than another blueprint asks.
fn asked_elsewhere(broken: Broken) -> Broken {
    let another = blueprint("another", &json!([["a", "noop"]]), &json!([]));
    let others = Stage::on(broken.stage.cluster.clone(), vec![another]);
    let operations = others.operations.clone();
    Broken { operations, _others: vec![others], ..broken }
}

async fn unknown_to_who_asks(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    let run = set.start("r").await;
    set.worker("w").await;
    set.until_started("a", 1).await;
    asked_elsewhere(Broken::new(set, run))
}

async fn unknown_and_behind(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    set.start("other").await;
    set.worker_as(WorkerConfig { slots: 1, ..quick("w") }).await;
    set.until_started("a", 1).await;
    let run = set.start("r").await;
    asked_elsewhere(Broken::new(set, run))
}

async fn not_implemented(cluster: Cluster) -> Broken {
    let nodes = json!([["a", "special"], ["b", "noop"]]);
    let set = Set::of(cluster, &nodes, &json!([["a", "b"]]));
    let stage = set.stage.with_fn("special", |_| Ok(NodeOutput::none()));
    let set = Set { stage, gate: set.gate };
    let run = set.start("r").await;
    let has = blueprint("b", &nodes, &json!([["a", "b"]]));
    let mut others = Stage::on(set.stage.cluster.clone(), vec![has]);
    let worker = others.make_worker(quick("lacking"));
    others.run_worker(&worker);
    set.until_says(&run, RunStatus::Failed).await;
    worker.drain();
    set.until("it has left", async |stage: &Stage| {
        stage.cluster.coordination.workers().await.unwrap().is_empty()
    })
    .await;
    Broken { _others: vec![others], ..Broken::new(set, run) }
}

async fn output_lost(cluster: Cluster) -> Broken {
    let nodes = json!([["a", "const", {"value": 1}], ["w", "wait"]]);
    let mut set = Set::of(cluster, &nodes, &json!([["a", "w"]]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    set.stage.edit(&run, &[Op::Remove("_outputs.a".into())]).await;
    Broken::new(set, run)
}
