//! What can be wrong with a recording.

use std::{io, path::PathBuf};

/// Why a recording can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file can't be opened or read.
    #[error("{}: can't read it: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file can't be created or written.
    #[error("{}: can't write it: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is nothing in it.
    #[error("{}: the file is empty; a recording is made with --record FILE", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error(
        "{}: line 1: this is not a recording of flowcraft-tui; a recording is made with --record FILE",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is of a newer version of this program.
    #[error(
        "{}: line 1: this recording has version {version} of the format and was made by flowcraft-tui {program}; this is flowcraft-tui {}, which reads up to version {}: use a newer one",
        path.display(), env!("CARGO_PKG_VERSION"), super::format::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
        /// The program that made it.
        program: String,
    },
    /// It ends before there is anything to show.
    #[error(
        "{}: the recording is cut off before its first snapshot, after {lines}; there is nothing to show: copy the file again, or record again",
        path.display(), lines = super::counted(*lines)
    )]
    CutOff {
        /// The file.
        path: PathBuf,
        /// How many lines there are.
        lines: usize,
    },
    /// A line can't be understood.
    #[error(
        "{}: line {line}: the recording is damaged here ({problem}); copy the file again, or take this line out",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// There is something at the place of a new recording.
    #[error("{}: there is something else at this place, which is not overwritten ({what}); choose another name", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// There is a recording of another cluster at the place of a new one.
    #[error(
        "{}: this recording is of the cluster \"{found}\", and can't be continued with \"{wanted}\"; choose another name",
        path.display()
    )]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Its cluster.
        found: String,
        /// The cluster to be recorded.
        wanted: String,
    },
    /// Another program writes it.
    #[error("{}: another program is recording into this file; choose another name", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}
