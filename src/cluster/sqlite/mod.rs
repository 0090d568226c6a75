//! A cluster in one SQLite file, shared by all processes on a machine that open it.
//!
//! One thread of each process writes, and carries out whatever waits in one transaction, so that
//! many writes share one wait for the disk ([`writer`]); others read ([`reader`]). Writes that a
//! power cut must not undo wait for the disk; leases, heartbeats, the visibility and the end of job
//! messages and the touch of an unfinished run's status item do not: after a power cut (not a crash)
//! they may be as they were a moment before, which is no different from a worker that died then.

mod coordination;
mod documents;
mod fault;
mod open;
mod queue;
mod reader;
mod schema;
mod state;
mod statuses;
mod store;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

pub use self::open::{Lifetime, SqliteOptions};
use self::store::Store;
use super::{Clock, Cluster, Neighbours, Result, metered::Metered};

/// How long a call waits for another process that is writing, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the cluster in the file `path`, which is created with its folder if it is not there.
///
/// Any number of processes on one machine may have it open; it must not be on a network drive.
/// Dropping the last clone of the cluster ends its threads and closes the file.
///
/// Fails with [`super::Fault::Refused`] if the file can't be opened, belongs to another program or
/// was made by a newer version of this one; with [`super::Fault::Corrupt`] if it is damaged; with
/// [`super::Fault::Unavailable`] if another process keeps it locked for five seconds.
pub async fn sqlite_cluster(path: &Path, clock: Arc<dyn Clock>) -> Result<Cluster> {
    sqlite_cluster_with(path, clock, SqliteOptions::default()).await
}

/// Opens the cluster in a file as [`sqlite_cluster`] does, with options.
pub async fn sqlite_cluster_with(
    path: &Path,
    clock: Arc<dyn Clock>,
    options: SqliteOptions,
) -> Result<Cluster> {
    let store = Metered::over(Arc::new(Store::open(path, clock.clone(), options).await?));
    Ok(Cluster {
        queue: store.clone(),
        state: store.clone(),
        coordination: store,
        clock,
        neighbours: Neighbours::None,
        name: path.display().to_string(),
    })
}

#[cfg(test)]
mod tests;
