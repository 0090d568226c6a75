//! Opens the cluster that the configuration names.

use std::sync::Arc;

use super::exit::CliError;
use crate::{
    cluster::{Cluster, SystemClock, memory_cluster, sqlite_cluster},
    config::{Config, Storage},
};

/// Opens the cluster that the configuration names. The embedded one's file is created where it is
/// missing.
pub async fn open(config: &Config) -> Result<Cluster, CliError> {
    let clock = Arc::new(SystemClock);
    match config.storage()? {
        Storage::Memory => Ok(memory_cluster(clock)),
        Storage::Sqlite(path) => Ok(sqlite_cluster(&path, clock).await?),
    }
}
