#![allow(clippy::unwrap_used)]

mod batches;
mod keys;
mod lifetime;
mod plans;
mod values;

use std::{path::PathBuf, sync::Arc};

use crate::{
    cluster::{
        contract::{ManualClock, Subject},
        sqlite_cluster,
    },
    engine::Timestamp,
};

async fn setup() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000));
    let path = folder.path().join("new folder").join("cluster.db");
    let cluster = sqlite_cluster(&path, Arc::new(clock.clone())).await.unwrap();
    Subject { cluster, time: Arc::new(clock), keep: Box::new(folder) }
}

/// The file of a cluster that [`setup`] made: it is named after it.
fn file_of(subject: &Subject) -> PathBuf {
    PathBuf::from(&subject.cluster.name)
}

crate::cluster_contract!(on_one_machine: #[tokio::test(flavor = "multi_thread", worker_threads = 2)] setup);
