//! Creating the database and the containers, and looking whether they are as they must be.

use azure_core::http::StatusCode;
use azure_data_cosmos::{
    CosmosError,
    models::{ContainerProperties, IndexingPolicy, PartitionKeyDefinition},
};

use super::{Container, CosmosStore, fault::failed};
use crate::cluster::{Result, azure::Provisioned};

/// The path of the partition key of both containers.
const PARTITION_KEY: &str = "/runId";

/// What is wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CosmosFinding {
    /// It can be used.
    Usable,
    /// It is partitioned by something else than `/runId`.
    OtherPartitionKey(Vec<String>),
    /// Items in it expire by themselves.
    Expires,
}

impl CosmosStore {
    /// Creates the database and the containers where they are missing. Returns what there is now,
    /// by name.
    pub async fn create_missing(&self) -> Result<Vec<(String, Provisioned)>> {
        let database = &self.0.names.database;
        let mut done = Vec::new();
        let created = self.create_database().await.map_err(|error| {
            let place = self.place(&self.0.contexts);
            failed(place, format!("create database {database:?}"), &error)
        })?;
        done.push((format!("database {database}"), created));
        for (container, policy) in
            [(&self.0.contexts, contexts_policy()), (&self.0.statuses, statuses_policy())]
        {
            let created = self.create_container(container, policy).await.map_err(|error| {
                failed(
                    self.place(container),
                    format!("create container {:?}", container.path),
                    &error,
                )
            })?;
            done.push((format!("container {}", container.path), created));
        }
        Ok(done)
    }

    async fn create_database(&self) -> Result<Provisioned, CosmosError> {
        let client = self.client().await?;
        let database = client.database_client(self.0.names.database.as_str());
        if exists(database.read(None).await)? {
            return Ok(Provisioned::Existing);
        }
        created(client.create_database(&self.0.names.database, None).await)
    }

    async fn create_container(
        &self,
        container: &Container,
        policy: IndexingPolicy,
    ) -> Result<Provisioned, CosmosError> {
        let database = self.client().await?.database_client(self.0.names.database.as_str());
        if exists(database.container_client(container.name.as_str(), None).await)? {
            return Ok(Provisioned::Existing);
        }
        let key = PartitionKeyDefinition::from(PARTITION_KEY);
        let properties =
            ContainerProperties::new(container.name.clone(), key).with_indexing_policy(policy);
        created(database.create_container(properties, None).await)
    }

    /// Looks at the containers, by their names. An error says which one is missing or out of reach.
    pub async fn check(&self) -> Vec<(String, Result<CosmosFinding>)> {
        let mut findings = Vec::new();
        for container in [&self.0.contexts, &self.0.statuses] {
            let found = self.check_container(container).await.map_err(|error| {
                let doing = format!("look at container {:?}", container.path);
                failed(self.place(container), doing, &error)
            });
            findings.push((container.path.clone(), found));
        }
        findings
    }

    async fn check_container(&self, container: &Container) -> Result<CosmosFinding, CosmosError> {
        let properties = self.open(container).await?.read(None).await?.into_model()?;
        let paths: Vec<String> =
            properties.partition_key.paths().iter().map(ToString::to_string).collect();
        Ok(if paths != [PARTITION_KEY] {
            CosmosFinding::OtherPartitionKey(paths)
        } else if matches!(
            properties.default_ttl,
            azure_data_cosmos::models::TimeToLive::Seconds(_)
        ) {
            CosmosFinding::Expires
        } else {
            CosmosFinding::Usable
        })
    }
}

/// Documents are only ever read by their ids: an index of their properties would make every commit
/// dearer.
fn contexts_policy() -> IndexingPolicy {
    IndexingPolicy::default().with_excluded_path("/*")
}

/// What status items are looked for by.
fn statuses_policy() -> IndexingPolicy {
    ["status", "lastUpdated", "startedAt", "blueprintId", "nextDueAt", "_ts"]
        .into_iter()
        .fold(IndexingPolicy::default(), |policy, member| {
            policy.with_included_path(format!("/{member}/?"))
        })
        .with_excluded_path("/*")
}

fn exists<T>(answer: Result<T, CosmosError>) -> Result<bool, CosmosError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.status().status_code() == StatusCode::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this call created it, or somebody else did at the same time.
fn created<T>(answer: Result<T, CosmosError>) -> Result<Provisioned, CosmosError> {
    match answer {
        Ok(_) => Ok(Provisioned::Created),
        Err(error) if error.status().status_code() == StatusCode::Conflict => {
            Ok(Provisioned::Existing)
        }
        Err(error) => Err(error),
    }
}
