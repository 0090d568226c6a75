//! A run that JavaScript workers have finished costs nothing more.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::monitor::{Intervals, Monitor, MonitorConfig};
use serde_json::Value;

use super::scene::{Scene, chain, diamond, of_case, reconciling};
use crate::services::Services;

/// What our worker and a monitor ask of Cosmos DB while nothing happens.
async fn at_rest(services: &Services) -> Value {
    services.reset_counts().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counts = services.counts().await;
    assert_eq!(counts["queue"]["kinds"]["send"], 0, "{counts}");
    counts["cosmos"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_runs_are_not_asked_for() {
    let Some(services) = Services::own(&[]) else { return };
    // The JavaScript worker does not see the end of the last of them (A11): ours does, once.
    let runs = [("d", "d"), ("c", "n1"), ("condition-branch", "low")];
    let blueprints = [diamond("d", "all", 0, 0), chain("c", &[0, 0]), of_case("condition-branch")];
    let mut scene = Scene::new(&services, &blueprints).await;
    scene.ours(reconciling("w")).worker.pause();
    let every = Duration::from_millis(500);
    let intervals = Intervals {
        queue: every,
        runs: every,
        locks: every,
        workers: every,
        detail: every,
        warnings: every,
    };
    let stalled_after = Duration::from_secs(3);
    let config = MonitorConfig { stalled_after, intervals, ..MonitorConfig::default() };
    let monitor = Monitor::spawn(scene.another_cluster(), config, Arc::new(|_| None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = at_rest(&services).await;
    let js = scene.their_worker(&[]);
    for (run, last) in runs {
        scene.start_by_theirs(run, &[run], &[]).await;
        scene.until_done(run, last).await;
    }
    scene.until_queue_is_empty().await;
    js.end().await;
    for (run, _) in runs {
        scene.ended(run).await;
    }
    // Until it has looked after what it wrote itself.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(monitor.snapshots.borrow().runs.data.len(), 3);
    let after = at_rest(&services).await;
    for kind in ["read", "create", "replace", "upsert", "delete", "patch", "batch"] {
        assert_eq!(after["kinds"][kind], 0, "{kind}: {after}");
    }
    let queries = |counts: &Value| counts["kinds"]["query"].as_u64().unwrap();
    assert!(queries(&before) > 0);
    assert!(queries(&after) * 4 <= queries(&before) * 5, "{before} {after}");
}
