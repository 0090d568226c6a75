//! Why a run is not moving: broken situations on a cluster in memory and on SQLite, brought about
//! through the real parts. What is found first must be what is wrong, and following nothing but the
//! advice must lead the run to where it belongs.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/registry.rs"]
mod registry;
#[path = "../support/situations/mod.rs"]
mod situations;
// Each of the programs that share it uses a part of it.
#[allow(dead_code)]
#[path = "../support/stage.rs"]
mod stage;
// Likewise.
#[allow(dead_code)]
#[path = "../support/tampered.rs"]
mod tampered;

use std::sync::Arc;

use flowcraft_tui::{
    cluster::{SystemClock, memory_cluster, sqlite_cluster},
    operations::OperationError,
    worker::SessionError,
};
use serde_json::json;

use crate::{
    situations::{play_all, situations},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_runs_in_memory_are_explained_and_mended() {
    play_all("memory", 16, situations(), |_| async { memory_cluster(Arc::new(SystemClock)) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_runs_on_sqlite_are_explained_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    play_all("SQLite", 16, situations(), |number| {
        let path = folder.path().join(format!("{number}.db"));
        async move { sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_nobody_knows_is_an_error() {
    let stage = Stage::of(&json!([["a", "noop"]]), &json!([]));
    let error = stage.operations.explain(&"nobody".into()).await.unwrap_err();
    assert!(matches!(error, OperationError::Session(SessionError::NoSuchRun(_))), "{error:?}");
    assert_eq!(error.to_string(), "there is no run \"nobody\"");
}
