//! A cluster on Azure: jobs in Storage Queues, run state in Cosmos DB, leases in Redis.

mod connection_string;
mod cosmos;
mod identity;
mod queue;
mod redis;
mod transport;

pub use self::{
    connection_string::BadConnectionString,
    cosmos::{CosmosConnection, CosmosFinding, CosmosNames, CosmosStore},
    queue::{QueueCheck, QueueHealth, StorageConnection, StorageQueue, Unreadable},
};

/// Whether a part of a cluster had to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioned {
    /// It was missing, and is there now.
    Created,
    /// It was there.
    Existing,
}
