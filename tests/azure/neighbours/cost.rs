//! A run that JavaScript workers have finished costs nothing more.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    cluster::SystemClock,
    monitor::{Intervals, Monitor, MonitorConfig},
};

use super::scene::{Scene, chain, diamond, of_case, reconciling};
use crate::services::Services;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_runs_are_not_asked_for() {
    let Some(services) = Services::own(&[]) else { return };
    // The JavaScript worker does not see the end of the last of them (A11): ours does, once.
    let blueprints = [diamond("d", "all", 0, 0), chain("c", &[0, 0]), of_case("condition-branch")];
    let mut scene = Scene::new(&services, &blueprints).await;
    let js = scene.their_worker(&[]);
    for run in ["d", "c", "condition-branch"] {
        scene.start_by_theirs(run, &[run], &[]).await;
        scene.until_done(run, if run == "d" { "d" } else { last(run) }).await;
    }
    scene.until_queue_is_empty().await;
    js.end().await;
    scene.ours(reconciling("w"));
    let clock = Arc::new(SystemClock);
    let cluster = flowcraft_tui::cluster::Cluster { clock, ..scene.another_cluster() };
    let every = Duration::from_millis(500);
    let intervals =
        Intervals { queue: every, runs: every, locks: every, workers: every, detail: every };
    let config = MonitorConfig {
        stalled_after: Duration::from_secs(3),
        intervals,
        ..MonitorConfig::default()
    };
    let monitor = Monitor::spawn(cluster, config, Arc::new(|_| None));
    for run in ["d", "c", "condition-branch"] {
        scene.ended(run).await;
    }
    // Until it looked after what it wrote itself.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(monitor.snapshots.borrow().runs.value.as_ref().map(|runs| runs.len()), Some(3));
    services.reset_counts().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let counts = services.counts().await;
    let kinds = &counts["cosmos"]["kinds"];
    for kind in ["read", "create", "replace", "upsert", "patch", "batch"] {
        assert_eq!(kinds[kind], 0, "{kind}: {counts}");
    }
    // Two looks a second by the monitor, three queries a pass of the reconciler.
    let queries = kinds["query"].as_u64().unwrap();
    assert!((5..=30).contains(&queries), "{counts}");
    assert_eq!(counts["queue"]["kinds"]["send"], 0, "{counts}");
}

fn last(blueprint: &str) -> &'static str {
    if blueprint == "c" { "n1" } else { "low" }
}
