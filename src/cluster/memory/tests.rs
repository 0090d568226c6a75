#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crate::{
    cluster::{
        TokioClock,
        contract::{Sleeping, Subject},
        memory_cluster,
    },
    engine::Timestamp,
};

async fn setup() -> Subject {
    let clock = TokioClock::starting_at(Timestamp::from_seconds(1_700_000_000));
    Subject {
        cluster: memory_cluster(Arc::new(clock)),
        time: Arc::new(Sleeping),
        keep: Box::new(()),
    }
}

crate::cluster_contract!(on_one_machine: #[tokio::test(start_paused = true)] setup);
