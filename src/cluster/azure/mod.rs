//! A cluster on Azure: jobs in Storage Queues, run state in Cosmos DB, leases in Redis.

mod connection_string;
mod cosmos;
mod identity;
mod queue;
mod redis;

pub use self::{
    connection_string::BadConnectionString,
    redis::{RedisCheck, RedisConnection, RedisCoordinationStore, RedisIdentity},
};
