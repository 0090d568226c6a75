//! A cluster on Azure: jobs in Storage Queues, run state in Cosmos DB, leases in Redis.

mod connection_string;
mod cosmos;
mod identity;
mod queue;
mod redis;
mod services;
mod transport;

pub use self::{
    connection_string::BadConnectionString,
    cosmos::{CosmosConnection, CosmosFinding, CosmosNames, CosmosStore},
    queue::{QueueCheck, QueueHealth, StorageConnection, StorageQueue, Unreadable},
    redis::{RedisCheck, RedisConnection, RedisCoordinationStore, RedisIdentity},
    services::{AzureServices, AzureSettings},
};

/// Whether a part of a cluster is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioned {
    /// It was missing, and has been created.
    Created,
    /// It was there.
    Existing,
    /// It is missing, and was to be left so.
    Missing,
}
