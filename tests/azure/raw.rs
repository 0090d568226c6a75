//! Items as other programs write them, past the code under test.

use std::collections::HashMap;

use azure_data_cosmos::{
    AccountEndpoint, AccountReference, CosmosClient, CosmosRuntime, PartitionKey, RoutingStrategy,
    clients::ContainerClient,
    models::PartitionKeyValue,
    options::{BinaryEncodingOptions, ConnectionPoolOptions},
};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::services::Services;

/// A database, as anybody with the account's key sees it.
pub(crate) struct Raw<'a> {
    services: &'a Services,
    database: String,
    /// Those that were used before: each has connections of its own.
    containers: Mutex<HashMap<String, ContainerClient>>,
}

impl<'a> Raw<'a> {
    pub(crate) fn of(services: &'a Services, database: &str) -> Self {
        Self { services, database: database.to_owned(), containers: Mutex::default() }
    }

    async fn container(&self, name: &str) -> ContainerClient {
        let mut containers = self.containers.lock().await;
        if let Some(container) = containers.get(name) {
            return container.clone();
        }
        let container = self.open(name).await;
        containers.insert(name.to_owned(), container.clone());
        container
    }

    async fn open(&self, name: &str) -> ContainerClient {
        let endpoint: AccountEndpoint = self.services.text("/cosmos/endpoint").parse().unwrap();
        let key = self.services.text("/cosmos/key").to_owned();
        let pool = ConnectionPoolOptions::builder().with_is_http2_allowed(false).build().unwrap();
        let runtime = CosmosRuntime::builder().with_connection_pool(pool).build().await.unwrap();
        let client = CosmosClient::builder()
            .with_runtime(runtime)
            .with_binary_encoding_options(BinaryEncodingOptions::new().with_enabled(false))
            .build(
                AccountReference::with_authentication_key(endpoint, key),
                RoutingStrategy::PreferredRegions(Vec::new()),
            )
            .await
            .unwrap();
        client
            .database_client(self.database.as_str())
            .container_client(name.to_owned(), None)
            .await
            .unwrap()
    }

    /// Writes an item into the partition of `key`, or of the undefined key.
    pub(crate) async fn upsert(&self, container: &str, key: Option<&str>, item: &Value) {
        let id = item["id"].as_str().unwrap().to_owned();
        self.container(container).await.upsert_item(partition(key), &id, item, None).await.unwrap();
    }

    /// Reads an item, if it is there.
    pub(crate) async fn read(&self, container: &str, key: Option<&str>, id: &str) -> Option<Value> {
        let read = self.container(container).await.read_item(partition(key), id, None).await;
        match read {
            Ok(response) => Some(response.into_model().unwrap()),
            Err(error) if error.status().is_not_found() => None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn partition(key: Option<&str>) -> PartitionKey {
    match key {
        Some(key) => PartitionKey::from(key.to_owned()),
        None => PartitionKey::from(PartitionKeyValue::UNDEFINED),
    }
}
