//! The demo's folder: gone when the demo is.

use std::{path::Path, thread, time::Duration};

use tempfile::TempDir;

/// How often the folder is removed at most: the cluster's threads may write a last file while they
/// close.
const TRIES: u32 = 40;
/// The pause between two of these tries.
const PAUSE: Duration = Duration::from_millis(25);

/// A temporary folder that is removed when this is dropped, which may take up to a second.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn make() -> std::io::Result<Self> {
        tempfile::Builder::new().prefix("flowcraft-demo-").tempdir().map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            if std::fs::remove_dir_all(self.path()).is_ok() || !self.path().exists() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}
