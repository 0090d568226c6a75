//! Opening the file.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::{PATIENCE, fault::Trouble, schema};
use crate::cluster::Fault;

/// How a SQLite cluster behaves.
#[derive(Debug, Clone, Copy)]
pub struct SqliteOptions {
    /// How long a call waits for another process that is writing before it fails.
    pub patience: Duration,
    /// The largest size of the file, in pages of 4 KiB. What would go beyond it fails as on a full
    /// disk.
    pub max_pages: Option<u32>,
    /// How long the file is to last.
    pub lifetime: Lifetime,
}

/// How long a SQLite cluster's file is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// Beyond everything: what is reported as written survives a power cut.
    #[default]
    Lasting,
    /// No longer than the machine runs: nothing waits for the disk. A program that crashes loses
    /// nothing; a power cut may leave a file that can't be read.
    Temporary,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { patience: PATIENCE, max_pages: None, lifetime: Lifetime::Lasting }
    }
}

/// After how many pages of 4 KiB the log's contents are copied into the file. Each copy waits for
/// the disk twice, and more pages have been written again by then.
const COPIED_AFTER: i64 = 4000;

/// How large the log may stay once its contents are in the file, in bytes.
const LOG_KEPT: i64 = 32 * 1024 * 1024;

/// Opens the connection that writes. Creates what is missing.
pub(super) fn writing(path: &Path, options: SqliteOptions) -> Result<Connection, Trouble> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            Trouble::new(
                Fault::Refused,
                format!(
                    "its folder can't be created ({error}); create it, or choose another place"
                ),
            )
        })?;
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE, options)?;
    if connection.is_readonly(MAIN_DB)? {
        return Err(Trouble::new(
            Fault::Refused,
            "read-only; give this user the right to write the file and its folder",
        ));
    }
    if options.lifetime == Lifetime::Temporary {
        connection.pragma_update(None, "synchronous", "OFF")?;
    }
    with_patience(options.patience, || {
        schema::prepare(&mut connection)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Trouble::new(
                Fault::Refused,
                "its drive can't be shared by processes (a network drive?); use a local one",
            ));
        }
        Ok(())
    })?;
    for (setting, value) in [("wal_autocheckpoint", COPIED_AFTER), ("journal_size_limit", LOG_KEPT)]
    {
        connection.pragma_update_and_check(None, setting, value, |_| Ok(()))?;
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

/// Opens a connection that only reads. The file must be there.
pub(super) fn reading(path: &Path, options: SqliteOptions) -> Result<Connection, Trouble> {
    let connection = connect(path, OpenFlags::empty(), options)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path, more: OpenFlags, options: SqliteOptions) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.patience)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Notices when the file at a path is no longer the one that was opened. The system would go on
/// writing to the old one, and everything written would be gone with the process.
pub(super) struct SameFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SameFile {
    /// The file that is at this path now.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }

    /// Fails if another file, or none, is there by now.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        if identity(&self.path) == self.identity {
            return Ok(());
        }
        Err(Trouble::new(
            Fault::Refused,
            "it was deleted, moved or replaced while it was in use; put it back or restart the \
             program",
        ))
    }
}

/// Which file is at a path, by device and number.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere an open file can't be deleted or moved.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Tries until it succeeds, fails for another reason than somebody else being at it, or `patience`
/// is over. Tries again much sooner than SQLite itself does: locks are held for a moment only.
pub(super) fn with_patience<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_micros(100);
    loop {
        match attempt() {
            Err(trouble) if trouble.is_busy() && Instant::now() < deadline => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(3));
            }
            result => return result,
        }
    }
}
