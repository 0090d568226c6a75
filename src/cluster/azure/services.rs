//! The three services of a cluster on Azure, put together.

use std::{env, sync::Arc};

use super::{
    BadConnectionString, CosmosConnection, CosmosFinding, CosmosNames, CosmosStore, Provisioned,
    QueueCheck, RedisCheck, RedisConnection, RedisCoordinationStore, RedisIdentity,
    StorageConnection, StorageQueue, identity,
};
use crate::cluster::{Clock, Cluster, Neighbours, Result, StateStore};

/// How to reach the services of a cluster, and what it is called there.
#[derive(Debug, Clone)]
pub struct AzureSettings {
    /// The storage account of the queues.
    pub storage: StorageConnection,
    /// The Cosmos DB account of the runs.
    pub cosmos: CosmosConnection,
    /// The Redis of leases and counters.
    pub redis: RedisConnection,
    /// The job queue. The poison queue's name is this with `-poison`.
    pub queue: String,
    /// The database and its containers.
    pub names: CosmosNames,
}

impl AzureSettings {
    /// The variables of the three connection strings: storage, Cosmos DB, Redis.
    pub const VARIABLES: [&'static str; 3] = [
        "AZURE_STORAGE_CONNECTION_STRING",
        "COSMOS_DB_CONNECTION_STRING",
        "REDIS_CONNECTION_STRING",
    ];

    /// Reads three connection strings; the rest has the names that everybody uses.
    pub fn parse(storage: &str, cosmos: &str, redis: &str) -> Result<Self, BadConnectionString> {
        Ok(Self {
            storage: StorageConnection::parse(storage)?,
            cosmos: CosmosConnection::parse(cosmos)?,
            redis: RedisConnection::parse(redis)?,
            queue: "flowcraft-jobs".to_owned(),
            names: CosmosNames::default(),
        })
    }

    /// Reads the connection strings from the environment.
    pub fn from_variables() -> Result<Self, BadConnectionString> {
        let read = |variable: &'static str| {
            env::var(variable).map_err(|_| BadConnectionString::new(variable, "is not set"))
        };
        let [storage, cosmos, redis] = Self::VARIABLES;
        Self::parse(&read(storage)?, &read(cosmos)?, &read(redis)?)
    }
}

/// The services of a cluster on Azure. They connect when they are first used.
#[derive(Debug, Clone)]
pub struct AzureServices {
    queue: Arc<StorageQueue>,
    state: Arc<CosmosStore>,
    coordination: Arc<RedisCoordinationStore>,
    name: String,
}

impl AzureServices {
    /// The services that the settings name.
    pub fn new(settings: AzureSettings) -> Result<Self> {
        let AzureSettings { storage, cosmos, redis, queue, names } = settings;
        let name = format!("{} · {queue}", storage.account());
        let identity = RedisIdentity::new(identity::credential(), identity::object_id);
        Ok(Self {
            queue: Arc::new(StorageQueue::connect(&storage, &queue)?),
            state: Arc::new(CosmosStore::new(cosmos, names)),
            coordination: Arc::new(RedisCoordinationStore::new(redis, Some(identity))),
            name,
        })
    }

    /// The cluster that they make.
    pub fn cluster(&self, clock: Arc<dyn Clock>) -> Cluster {
        Cluster {
            queue: self.queue.clone(),
            state: self.state.clone(),
            coordination: self.coordination.clone(),
            clock,
            neighbours: Neighbours::JavaScript,
            name: self.name.clone(),
        }
    }

    pub(crate) fn state(&self) -> Arc<dyn StateStore> {
        self.state.clone()
    }

    /// Creates the queues, the database and the containers where they are missing. Returns what
    /// there is now, by name.
    pub async fn create_missing(&self) -> Result<Vec<(String, Provisioned)>> {
        let (queues, containers) =
            tokio::try_join!(self.queue.create_missing(), self.state.create_missing())?;
        let queues = queues.into_iter().map(|(name, made)| (format!("queue {name}"), made));
        Ok(queues.chain(containers).collect())
    }

    /// Which of them are there. Changes nothing.
    pub async fn look(&self) -> Result<Vec<(String, Provisioned)>> {
        let mut found = Vec::new();
        for QueueCheck { name, health, .. } in self.queue.check().await {
            let state = health?.map_or(Provisioned::Missing, |_| Provisioned::Existing);
            found.push((format!("queue {name}"), state));
        }
        found.extend(self.state.look().await?);
        Ok(found)
    }

    /// Looks at both queues.
    pub async fn check_queues(&self) -> Vec<QueueCheck> {
        self.queue.check().await
    }

    /// Looks at both containers, by their names.
    pub async fn check_containers(&self) -> Vec<(String, Result<CosmosFinding>)> {
        self.state.check().await
    }

    /// Looks at Redis.
    pub async fn check_redis(&self) -> Result<RedisCheck> {
        self.coordination.check().await
    }
}
