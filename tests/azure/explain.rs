//! Why a run is not moving: the broken situations of the clusters in memory and on SQLite, on real
//! servers.

use std::sync::atomic::{AtomicU32, Ordering};

use flowcraft_tui::cluster::RedisConnection;

use crate::{
    services::{provided, services},
    situations::{play_all, situations},
};

/// A database of the shared Redis that no other test uses. Workers and leases are of the whole
/// database; others count up from its first ones.
fn next_database() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(255);
    LAST.fetch_sub(1, Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_runs_are_explained_and_mended() {
    let Some(services) = services() else { return };
    play_all("Azure", 8, situations(), async |_| {
        let mut settings = services.settings();
        let redis = format!("{}/{}", services.text("/redis/url"), next_database());
        settings.redis = RedisConnection::parse(&redis).unwrap();
        provided(settings).await
    })
    .await;
}
