//! Every conformance case gives what the JavaScript runtime gives: in memory and on the embedded
//! cluster, with one worker and with several.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/case.rs"]
mod case;
#[path = "support/played.rs"]
mod played;
#[path = "support/registry.rs"]
mod registry;

use std::sync::Arc;

use flowcraft_tui::{
    cluster::{Cluster, Neighbours, SystemClock, TokioClock, memory_cluster, sqlite_cluster},
    engine::Timestamp,
};
use played::{all_cases, run_case};

#[test]
fn in_memory() {
    play_in_memory(Neighbours::None);
}

/// What is kept up for JavaScript workers, and looked for from them, changes nothing for a run that
/// none of them touches.
#[test]
fn in_memory_where_neighbours_are_expected() {
    play_in_memory(Neighbours::JavaScript);
}

fn play_in_memory(neighbours: Neighbours) {
    for workers in [1, 3] {
        let mut found = Vec::new();
        for case in all_cases() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            found.extend(runtime.block_on(async {
                let clock = TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000));
                let cluster = Cluster { neighbours, ..memory_cluster(Arc::new(clock)) };
                run_case(&case, &cluster, workers, 7).await
            }));
        }
        assert!(found.is_empty(), "{workers} workers:\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for workers in [1, 2] {
        for case in all_cases() {
            let path = folder.path().join(format!("{}-{workers}.db", case.name));
            let cluster = sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap();
            found.extend(run_case(&case, &cluster, workers, 7).await);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
