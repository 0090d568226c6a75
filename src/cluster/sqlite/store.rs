//! The store behind all three services: the file, its threads, and the time.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU32},
};

use super::{
    fault::Trouble,
    open::{self, SameFile, SqliteOptions},
    reader::Reader,
    writer::Writer,
};
use crate::cluster::{Clock, ClusterError, Fault, Result, Service};

/// An open file.
pub(super) struct Store {
    path: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) writer: Writer,
    /// Reads single items.
    pub(super) items: Reader,
    /// Reads lists, which may take longer and must not hold up the others.
    pub(super) lists: Reader,
    /// Counts the writes to the coordination keys.
    pub(super) key_writes: AtomicU32,
}

impl Store {
    pub(super) async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        options: SqliteOptions,
    ) -> Result<Self> {
        let file = path.to_owned();
        let opened =
            tokio::task::spawn_blocking(move || Self::open_now(file, clock, options)).await;
        opened
            .unwrap_or_else(|_| Err(Trouble::ended()))
            .map_err(|trouble| trouble.of(Service::State, "open the cluster's file", path))
    }

    fn open_now(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        options: SqliteOptions,
    ) -> Result<Self, Trouble> {
        let no_thread = |error: std::io::Error| {
            Trouble::new(Fault::Unavailable, format!("can't start a thread for it ({error})"))
        };
        let writing = open::writing(&path, options)?;
        let items = open::reading(&path, options)?;
        let lists = open::reading(&path, options)?;
        let (items, items_thread) = Reader::start(items, "sqlite-items").map_err(no_thread)?;
        let (lists, lists_thread) = Reader::start(lists, "sqlite-lists").map_err(no_thread)?;
        let readers = vec![items_thread, lists_thread];
        let writer =
            Writer::start(writing, SameFile::at(&path), options, readers).map_err(no_thread)?;
        Ok(Self { clock, writer, items, lists, key_writes: AtomicU32::new(0), path })
    }

    /// The time, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// The error for a caller.
    pub(super) fn error(
        &self,
        service: Service,
        doing: impl Into<String>,
        trouble: Trouble,
    ) -> ClusterError {
        trouble.of(service, doing, &self.path)
    }
}
