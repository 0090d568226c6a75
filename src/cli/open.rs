//! Opens the cluster that the configuration names.

use std::sync::Arc;

use async_trait::async_trait;

use super::exit::CliError;
use crate::{
    cluster::{AzureServices, Cluster, SystemClock, memory_cluster, sqlite_cluster},
    config::{Config, Storage},
};

/// Opens clusters. Tests have a way of their own to get one.
#[async_trait]
pub(super) trait Opener: Send + Sync {
    /// Opens the cluster that the configuration names. The embedded one is created where it is
    /// missing; the services of one on Azure are connected to when they are first used.
    async fn open(&self, config: &Config) -> Result<Cluster, CliError>;
}

/// Opens what the configuration names, nothing else.
pub(super) struct AsConfigured;

#[async_trait]
impl Opener for AsConfigured {
    async fn open(&self, config: &Config) -> Result<Cluster, CliError> {
        let clock = Arc::new(SystemClock);
        match config.storage()? {
            Storage::Memory => Ok(memory_cluster(clock)),
            Storage::Sqlite(path) => Ok(sqlite_cluster(&path, clock).await?),
            Storage::Azure(settings) => Ok(AzureServices::new(*settings)?.cluster(clock)),
        }
    }
}
