//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

use super::origin::Origin;
use crate::cluster::BadConnectionString;

/// What is wrong with a configuration: one line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        place: Origin,
        /// What the parser says.
        message: String,
    },
    /// Nobody knows this key.
    #[error("{place}: unknown {kind} \"{key}\"; {suggestion}")]
    Unknown {
        /// Where.
        place: Origin,
        /// What it would be: a key, or a variable.
        kind: &'static str,
        /// The key.
        key: String,
        /// What it may have been meant to be.
        suggestion: String,
    },
    /// A value that can't be used.
    #[error("{place}: {key} must be {expected}, not {found}")]
    Wrong {
        /// Where.
        place: Origin,
        /// The setting.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A variable whose value is not Unicode.
    #[error("{variable}: the value is not Unicode text")]
    NotText {
        /// The variable.
        variable: String,
    },
    /// A service of the Azure cluster that nothing says how to reach.
    #[error(
        "{place}: the azure backend needs {variables}: set it, or set \
         FLOWCRAFT_CLUSTER_BACKEND=sqlite to use the embedded cluster"
    )]
    NoConnection {
        /// Why the backend was chosen.
        place: Origin,
        /// The variables that are not set.
        variables: String,
    },
    /// A connection string that can't be used.
    #[error(transparent)]
    Connection(#[from] BadConnectionString),
    /// There is no home folder, and nothing says where the embedded cluster's file is.
    #[error(
        "no folder for the embedded cluster's file: there is no home folder; \
         set FLOWCRAFT_CLUSTER_PATH, or cluster.path in flowcraft.toml"
    )]
    NoDatabasePath,
}
