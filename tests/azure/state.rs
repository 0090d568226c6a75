//! The state store on a Cosmos DB server.

use std::sync::Arc;

use flowcraft_tui::cluster::{
    Cluster, CosmosConnection, CosmosNames, CosmosStore, SystemClock,
    contract::{Sleeping, Subject},
    memory_cluster,
};

use crate::services::{services, text};

/// A store in a database of its own.
pub(crate) async fn store() -> Option<CosmosStore> {
    let connection = CosmosConnection::parse(text(services()?, "/cosmos/connectionString")).unwrap();
    let database = format!("db-{}", uuid::Uuid::new_v4().simple());
    let store = CosmosStore::new(connection, CosmosNames { database, ..CosmosNames::default() });
    store.create_missing().await.unwrap();
    Some(store)
}

async fn setup() -> Option<Subject> {
    let state = Arc::new(store().await?);
    let cluster = Cluster { state, ..memory_cluster(Arc::new(SystemClock)) };
    Some(Subject { cluster, time: Arc::new(Sleeping), keep: Box::new(()) })
}

flowcraft_tui::cluster_contract!(only state: #[tokio::test] setup);
