//! Creating the database and the containers, and looking whether they are as they must be.

use azure_core::http::StatusCode;
use azure_data_cosmos::{
    CosmosError,
    models::{ContainerProperties, IndexingPolicy, PartitionKeyDefinition},
};

use super::{Container, CosmosStore, connection::Access, fault::failed};
use crate::cluster::{ClusterError, Result, azure::Provisioned};

/// The path of the partition key of both containers.
const PARTITION_KEY: &str = "/runId";

/// What to do about what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Report,
}

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
        self.provision(Missing::Create).await
    }

    /// Which of the database and the containers are there, by name. Changes nothing.
    pub async fn look(&self) -> Result<Vec<(String, Provisioned)>> {
        self.provision(Missing::Report).await
    }

    async fn provision(&self, missing: Missing) -> Result<Vec<(String, Provisioned)>> {
        let database = &self.0.names.database;
        let found = self.provision_database(missing).await.map_err(|error| {
            self.not_provided(&self.0.contexts, format!("provide database {database:?}"), &error)
        })?;
        let mut all = vec![(format!("database {database}"), found)];
        for (container, policy) in
            [(&self.0.contexts, contexts_policy()), (&self.0.statuses, statuses_policy())]
        {
            let found = self.provision_container(container, policy, missing).await;
            let found = found.map_err(|error| {
                let doing = format!("provide container {:?}", container.path);
                self.not_provided(container, doing, &error)
            })?;
            all.push((format!("container {}", container.path), found));
        }
        Ok(all)
    }

    fn not_provided(
        &self,
        container: &Container,
        doing: String,
        error: &CosmosError,
    ) -> ClusterError {
        let mut failure = failed(self.place(container), doing, error);
        if error.status().is_forbidden() && matches!(self.0.connection.access(), Access::Entra) {
            // No role for data allows it, whatever the service says.
            "a token of Microsoft Entra ID does not let anybody make databases and containers: \
             make them with az or Terraform, as the README shows"
                .clone_into(&mut failure.detail);
        }
        failure
    }

    async fn provision_database(&self, missing: Missing) -> Result<Provisioned, CosmosError> {
        let client = self.client().await?;
        let database = client.database_client(self.0.names.database.as_str());
        if exists(database.read(None).await)? {
            return Ok(Provisioned::Existing);
        }
        match missing {
            Missing::Report => Ok(Provisioned::Missing),
            Missing::Create => created(client.create_database(&self.0.names.database, None).await),
        }
    }

    async fn provision_container(
        &self,
        container: &Container,
        policy: IndexingPolicy,
        missing: Missing,
    ) -> Result<Provisioned, CosmosError> {
        let database = self.client().await?.database_client(self.0.names.database.as_str());
        if exists(database.container_client(container.name.as_str(), None).await)? {
            return Ok(Provisioned::Existing);
        }
        match missing {
            Missing::Report => Ok(Provisioned::Missing),
            Missing::Create => {
                let key = PartitionKeyDefinition::from(PARTITION_KEY);
                let properties = ContainerProperties::new(container.name.clone(), key)
                    .with_indexing_policy(policy);
                created(database.create_container(properties, None).await)
            }
        }
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
