//! The contract of the coordination store on a single server, a cluster, and over TLS.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use flowcraft_tui::cluster::{
    Cluster, RedisConnection, RedisCoordinationStore, SystemClock,
    contract::{Sleeping, Subject},
    memory_cluster,
};

use crate::services::services;

fn subject(connection: RedisConnection) -> Subject {
    let coordination = Arc::new(RedisCoordinationStore::new(connection, None));
    let cluster = Cluster { coordination, ..memory_cluster(Arc::new(SystemClock)) };
    Subject { cluster, time: Arc::new(Sleeping), keep: Box::new(()) }
}

/// A database of its own for each case: 0 is everybody else's.
fn own_database(url: &str) -> String {
    static CASES: AtomicU32 = AtomicU32::new(0);
    let number = CASES.fetch_add(1, Ordering::Relaxed) % 15 + 1;
    format!("{}/{number}", url.trim_end_matches('/'))
}

mod single {
    use super::*;

    async fn setup() -> Option<Subject> {
        let url = own_database(services()?.text("/redis/url"));
        Some(subject(RedisConnection::parse(&url).unwrap()))
    }

    flowcraft_tui::cluster_contract!(only coordination: #[tokio::test] setup);
}

mod resp3 {
    use super::*;

    async fn setup() -> Option<Subject> {
        let url = own_database(services()?.text("/redis/url")) + "?protocol=resp3";
        Some(subject(RedisConnection::parse(&url).unwrap()))
    }

    flowcraft_tui::cluster_contract!(only coordination: #[tokio::test] setup);
}

mod cluster {
    use super::*;

    async fn setup() -> Option<Subject> {
        let services = services()?;
        let connection = RedisConnection::parse(services.text("/redisCluster/url")).unwrap();
        Some(subject(connection))
    }

    flowcraft_tui::cluster_contract!(only coordination: #[tokio::test] setup);
}

mod tls {
    use super::*;

    async fn setup() -> Option<Subject> {
        let services = services()?;
        let certificates = std::fs::read(services.text("/redisTls/caFile")).unwrap();
        let url = own_database(services.text("/redisTls/url"));
        let connection = RedisConnection::parse(&url).unwrap();
        Some(subject(connection.with_root_certificates(certificates)))
    }

    flowcraft_tui::cluster_contract!(only coordination: #[tokio::test] setup);
}
