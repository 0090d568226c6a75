//! What SQLite's errors mean to a caller.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::cluster::{ClusterError, Fault, Service};

/// Why a request failed, as long as it is not said which file and service it was for. Can be
/// cloned, since one failed transaction fails several requests.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) detail: String,
    code: Option<ErrorCode>,
}

impl Trouble {
    pub(super) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), code: None }
    }

    /// An item is not in the state that the caller named.
    pub(super) fn changed() -> Self {
        Self::new(Fault::Conflict, "it changed since it was read")
    }

    /// An item exists though it must not.
    pub(super) fn exists() -> Self {
        Self::new(Fault::Conflict, "it exists already")
    }

    /// A stored text is not what this program writes. Says where, not what: it may be a secret.
    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::new(
            Fault::Corrupt,
            format!(
                "{what} is not what this program writes (line {line}, column {column}); restore \
                 the file from a copy or use a new one"
            ),
        )
    }

    /// A thread of the store is gone.
    pub(super) fn ended() -> Self {
        Self::new(Fault::Unavailable, "its thread has ended; restart the program")
    }

    /// Whether the disk or the file's allowed size was too small. SQLite undoes such a transaction.
    pub(super) fn is_full(&self) -> bool {
        self.code == Some(ErrorCode::DiskFull)
    }

    /// Whether another process or connection is in the way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(
            self.code,
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed
            )
        )
    }

    /// The error for a caller.
    pub(super) fn of(
        self,
        service: Service,
        doing: impl Into<String>,
        file: &Path,
    ) -> ClusterError {
        ClusterError::new(
            service,
            doing,
            self.fault,
            format!("{}: {}", file.display(), self.detail),
        )
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let (fault, advice) = match code {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => (
                Fault::Unavailable,
                "locked by another process that has been writing for too long; end it if it hangs",
            ),
            Some(ErrorCode::DiskFull) => (
                Fault::Refused,
                "the disk is full; free some space, and work goes on (nothing saved is lost)",
            ),
            Some(ErrorCode::NotADatabase) => (
                Fault::Corrupt,
                "not a SQLite database; restore the file from a copy or use a new one",
            ),
            Some(ErrorCode::DatabaseCorrupt) => {
                (Fault::Corrupt, "damaged; restore the file from a copy or use a new one")
            }
            Some(ErrorCode::ReadOnly) => (
                Fault::Refused,
                "read-only; give this user the right to write the file and its folder",
            ),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
                Fault::Refused,
                "can't be opened; check that it is a file and that this user may read and write \
                 it and its folder",
            ),
            Some(ErrorCode::TooBig) => {
                (Fault::Refused, "a text is larger than SQLite takes; make it smaller")
            }
            Some(ErrorCode::SystemIoFailure) => (
                Fault::Unavailable,
                "reading or writing failed; check the disk and the space left on it",
            ),
            Some(ErrorCode::OutOfMemory) => (Fault::Unavailable, "out of memory; free some"),
            _ => (
                Fault::Corrupt,
                "not as this program left it; restore the file from a copy or use a new one",
            ),
        };
        Self { fault, detail: format!("{advice} ({error})"), code }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn every_kind_of_error_has_its_fault() {
        for (code, fault) in [
            (ffi::SQLITE_BUSY, Fault::Unavailable),
            (ffi::SQLITE_FULL, Fault::Refused),
            (ffi::SQLITE_READONLY, Fault::Refused),
            (ffi::SQLITE_READONLY_DIRECTORY, Fault::Refused),
            (ffi::SQLITE_CANTOPEN, Fault::Refused),
            (ffi::SQLITE_PERM, Fault::Refused),
            (ffi::SQLITE_NOTADB, Fault::Corrupt),
            (ffi::SQLITE_CORRUPT, Fault::Corrupt),
            (ffi::SQLITE_IOERR_WRITE, Fault::Unavailable),
            (ffi::SQLITE_NOMEM, Fault::Unavailable),
            (ffi::SQLITE_ERROR, Fault::Corrupt),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Trouble::from(error).fault, fault, "code {code}");
        }
    }
}
