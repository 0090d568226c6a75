//! Services that are away for who asks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use flowcraft_tui::{
    cluster::{Cluster, Fault, Service},
    engine::RunStatus,
    operations::{
        CauseKind::{NoMessage, Running, ServiceAway, WaitingForAnswer},
        Operations,
    },
};
use serde_json::json;

use super::{Broken, Set, Situation};
use crate::tampered::{Fate, Tampered};

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "the queue is away, and its message is lost",
            ServiceAway,
            &["queue: can't", "which messages are waiting is not known", "flowcraft-tui doctor"],
            queue_away,
        )
        .also(&[NoMessage]),
        Situation::new(
            "the state store is away, a worker is at it",
            ServiceAway,
            &["state: can't", "what its document and its status say is not known"],
            state_away,
        )
        .also(&[Running]),
        Situation::new(
            "the coordination store is away, a node is ready",
            ServiceAway,
            &["coordination: can't", "who holds its nodes, and who is alive, is not known"],
            coordination_away,
        ),
        Situation::new(
            "the coordination store is away, it waits for an answer",
            WaitingForAnswer,
            &["node \"w\""],
            coordination_away_and_waiting,
        )
        .also(&[ServiceAway]),
    ]
}

fn service_of(call: &str) -> Service {
    match call {
        "send" | "send_poison" | "receive" | "renew_message" | "hide" | "delete" | "peek"
        | "depth" => Service::Queue,
        "create_document" | "read_document" | "commit" | "create_status" | "read_status"
        | "replace_status" | "list_statuses" => Service::State,
        _ => Service::Coordination,
    }
}

/// Asked by somebody who can't reach a service.
fn cut_off(service: Service, broken: Broken) -> Broken {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = away.clone();
    let cluster = Tampered::new(&broken.stage.cluster, move |call| {
        if service_of(call.name) == service && is_away.load(Ordering::SeqCst) {
            Fate::Fails(Fault::Unavailable)
        } else {
            Fate::Goes
        }
    });
    let library = broken.stage.library.clone();
    let operations = Operations::new(cluster.cluster(), library, "cut-off");
    Broken { operations, away: Some(away), ..broken }
}

async fn queue_away(cluster: Cluster) -> Broken {
    let mut set = Set::chain(cluster);
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    set.worker("w").await;
    cut_off(Service::Queue, Broken::new(set, run))
}

async fn at_it(cluster: Cluster) -> Broken {
    let mut set = Set::hanging(cluster);
    let run = set.start("r").await;
    set.worker("w").await;
    set.until_started("a", 1).await;
    Broken::new(set, run)
}

async fn state_away(cluster: Cluster) -> Broken {
    cut_off(Service::State, at_it(cluster).await)
}

async fn coordination_away(cluster: Cluster) -> Broken {
    cut_off(Service::Coordination, at_it(cluster).await)
}

async fn coordination_away_and_waiting(cluster: Cluster) -> Broken {
    let mut set = Set::of(cluster, &json!([["w", "wait"]]), &json!([]));
    set.worker("w").await;
    let run = set.start("r").await;
    set.until_says(&run, RunStatus::Awaiting).await;
    cut_off(Service::Coordination, Broken::new(set, run))
}
