//! Runs that JavaScript workers had a part in.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    cluster::{Cluster, Key, Neighbours},
    engine::{Head, Op, RunDocument, RunStatus},
    operations::CauseKind::{FailedElsewhere, QueueBacklog, RouteUnknown},
};
use serde_json::json;

use super::{Broken, Set, Situation, messages::overwrite_status};

pub(super) fn situations() -> Vec<Situation> {
    vec![
        Situation::new(
            "a JavaScript worker failed it",
            FailedElsewhere,
            &["its ledger does not", "the reason there: out of memory", "requeue r"],
            failed,
        ),
        Situation::new(
            "a JavaScript worker took a route that nobody knows",
            RouteUnknown,
            &["did not record its action", "requeue r --node c"],
            route,
        ),
        Situation::new(
            "a JavaScript reconciler's mark is on its node",
            QueueBacklog,
            &["marked it (\"locked\")", "the mark ends"],
            marked,
        ),
    ]
}

fn shared(cluster: Cluster) -> Cluster {
    Cluster { neighbours: Neighbours::JavaScript, ..cluster }
}

async fn failed(cluster: Cluster) -> Broken {
    let mut set = Set::chain(shared(cluster));
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    set.worker("w").await;
    overwrite_status(&set.stage, &run, RunStatus::Failed, Some("out of memory")).await;
    Broken::new(set, run)
}

async fn route(cluster: Cluster) -> Broken {
    let nodes = json!([["c", "emit-action", {"action": "left"}], ["l", "noop"], ["r", "noop"]]);
    let edges = json!([["c", "l", {"action": "left"}], ["c", "r", {"action": "right"}]]);
    let mut set = Set::of(shared(cluster), &nodes, &edges);
    // As JavaScript workers leave it: without a ledger.
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    let head = set.stage.document(&run).await.head().clone();
    let mut foreign = RunDocument::new(Head::unadopted(Some("b".into()), None, head.started_at));
    foreign.apply(&Op::Set("_outputs.c".into(), Arc::new(json!(0))));
    let state = &set.stage.cluster.state;
    let read = state.read_document(&run, None).await.unwrap();
    let flowcraft_tui::cluster::ReadDocument::Whole(_, version) = read else { panic!("{read:?}") };
    let ops = [
        Op::RemoveNode("c".into()),
        Op::Head(Arc::new(foreign.head().clone())),
        Op::Set("_outputs.c".into(), Arc::new(json!(0))),
    ];
    state.commit_document(&run, &version, &ops, &foreign).await.unwrap();
    let mut fresh = Set::of(set.stage.cluster.clone(), &nodes, &edges);
    std::mem::swap(&mut fresh, &mut set);
    set.worker("w").await;
    Broken::new(set, run)
}

async fn marked(cluster: Cluster) -> Broken {
    let mut set = Set::chain(shared(cluster));
    let run = set.start("r").await;
    set.stage.lose_messages().await;
    set.worker("w").await;
    let key = Key::node_lock(&run, &"a".into());
    let mark = Duration::from_secs(8);
    assert!(set.stage.cluster.coordination.set_if_absent(&key, "locked", mark).await.unwrap());
    Broken::new(set, run)
}
