//! What the configuration takes from its surroundings: variables and folders. Tests make their own.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;

/// The folder of this program within the user's configuration and data folders.
const OWN_FOLDER: &str = "flowcraft-tui";

/// The surroundings of a process.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Environment variables. One whose value is not Unicode holds nothing.
    pub variables: BTreeMap<String, Option<String>>,
    /// The folder that relative paths start from.
    pub working_folder: PathBuf,
    /// The user's home folder, if there is one.
    pub home: Option<PathBuf>,
    /// Where users keep their configuration, if they have a home.
    pub config_folder: Option<PathBuf>,
    /// Where users keep their data, if they have a home.
    pub data_folder: Option<PathBuf>,
    /// This machine's name.
    pub host: String,
    /// This process's id.
    pub pid: u32,
}

impl Environment {
    /// The surroundings of this process.
    pub fn of_process() -> Self {
        let folders = etcetera::choose_base_strategy().ok();
        Self {
            variables: env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()))
                })
                .collect(),
            working_folder: env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            home: folders.as_ref().map(|folders| folders.home_dir().to_owned()),
            config_folder: folders.as_ref().map(etcetera::BaseStrategy::config_dir),
            data_folder: folders.as_ref().map(etcetera::BaseStrategy::data_dir),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }

    /// Where a file without a path is looked for, first to last.
    pub(super) fn default_files(&self) -> Vec<PathBuf> {
        const NAME: &str = "flowcraft.toml";
        let mut files = vec![self.working_folder.join(NAME)];
        if let Some(folder) = &self.config_folder {
            files.push(folder.join(OWN_FOLDER).join(NAME));
            files.push(folder.join(NAME));
        }
        files
    }

    /// Where the user's own themes are.
    pub(super) fn themes(&self) -> Option<PathBuf> {
        Some(self.config_folder.as_ref()?.join(OWN_FOLDER).join("themes"))
    }

    /// The embedded cluster's file, unless the configuration names another.
    pub(super) fn default_database(&self) -> Option<PathBuf> {
        Some(self.data_folder.as_ref()?.join(OWN_FOLDER).join("flowcraft.db"))
    }

    /// What a worker is called, unless the configuration names it.
    pub(super) fn default_worker_name(&self) -> String {
        let host: String =
            self.host.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(100).collect();
        let host = if host.is_empty() { "worker" } else { &host };
        format!("{host}-{}", self.pid)
    }

    /// A path as it was written in `folder`: `~/` is the home folder, relative ones start there.
    pub(super) fn resolve(&self, folder: &Path, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => folder.join(path),
        }
    }
}
