//! What a command works with.

use std::{collections::BTreeSet, io::ErrorKind, path::PathBuf};

use super::{
    exit::{CliError, Exit},
    kinds,
    open::Opener,
    output::Output,
};
use crate::{
    blueprint::{Library, LoadError},
    cluster::Cluster,
    config::{Config, Origin},
    operations::Operations,
};

/// What a command works with.
pub(super) struct Context<'a> {
    /// The configuration in force.
    pub(super) config: Config,
    /// Where its result goes.
    pub(super) output: &'a mut Output,
    /// Opens the cluster.
    pub(super) opener: &'a dyn Opener,
}

/// How a command ends.
pub(super) type Ended = Result<Exit, CliError>;

impl Context<'_> {
    /// Opens the cluster.
    pub(super) async fn cluster(&self) -> Result<Cluster, CliError> {
        self.opener.open(&self.config).await
    }

    /// What can be done on the cluster, with the blueprints as they are now.
    pub(super) async fn operations(&self) -> Result<Operations, CliError> {
        let library = self.library().await?;
        let name = format!("{}-cli", self.config.worker.name);
        Ok(Operations::new(self.cluster().await?, library, name))
    }

    /// The configured blueprints as they are now.
    pub(super) async fn library(&self) -> Result<Library, CliError> {
        let (paths, known) = (self.config.blueprints.clone(), self.known_kinds());
        in_background(move || Library::load(&paths, known)).await
    }

    /// The configured blueprints, loaded again whenever they change.
    pub(super) async fn watched_library(&self) -> Result<Library, CliError> {
        let (paths, known) = (self.config.blueprints.clone(), self.known_kinds());
        in_background(move || Library::watch(&paths, known)).await
    }

    /// The kinds of node that lint may take for all there are: where none is configured, somebody
    /// else's workers must have them.
    pub(super) fn known_kinds(&self) -> Option<BTreeSet<String>> {
        Some(kinds::names(&self.config)).filter(|names| !names.is_empty())
    }
}

/// These blueprints as they are now.
pub(super) async fn load(paths: Vec<PathBuf>) -> Result<Library, CliError> {
    in_background(move || Library::load(&paths, None)).await
}

/// Does something that blocks.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| CliError::failed("a part of the program broke").because(error))
}

/// Whether a blueprint could not be loaded because there is nothing at the default place: that
/// folder need not be there. One that somebody named must.
pub(super) fn is_missing(config: &Config, error: &LoadError) -> bool {
    config.origin("blueprints") == Origin::Default && is_not_found(error)
}

/// Whether there is nothing where a blueprint was looked for.
pub(super) fn is_not_found(error: &LoadError) -> bool {
    matches!(error, LoadError::Read { reason, .. } if reason.kind() == ErrorKind::NotFound)
}
