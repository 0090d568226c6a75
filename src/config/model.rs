//! The configuration in force.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{environment::Environment, error::ConfigError, origin::Origin, secret::Secret};
use crate::{
    blueprint::WorkerName,
    cluster::{AzureSettings, CosmosNames},
};

/// The configuration in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Folders and files that hold blueprints.
    pub blueprints: Vec<PathBuf>,
    /// The cluster.
    pub cluster: ClusterConfig,
    /// The worker in this process.
    pub worker: WorkerConfig,
    /// The reconciler in this process.
    pub reconciler: ReconcilerConfig,
    /// The dashboard.
    pub ui: UiConfig,
    /// Keys of the dashboard by action. Whoever knows the actions checks them.
    pub keys: BTreeMap<String, KeyBinding>,
    /// Kinds of node by the name that blueprints use. Whoever makes the nodes checks them.
    pub nodes: BTreeMap<String, NodeSettings>,
    /// How the services of an Azure cluster are reached.
    pub services: Services,
    /// Things that are allowed but probably not meant.
    pub notes: Vec<String>,
    /// Where the user's own themes are, if the user has a home.
    pub themes: Option<PathBuf>,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterConfig {
    /// Which services it is made of.
    pub backend: Backend,
    /// The embedded cluster's file; nothing if there is no home folder to put it in.
    pub path: Option<PathBuf>,
    /// The job queue's name. The poison queue's is this with `-poison`.
    pub queue: String,
    /// The database's name.
    pub database: String,
    /// The container of the runs' documents.
    pub contexts: String,
    /// The container of the runs' status items.
    pub statuses: String,
}

/// Which services a cluster is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file on this machine.
    Sqlite,
    /// Azure Storage Queue, Cosmos DB and Redis.
    Azure,
    /// Nothing that outlives this process.
    Memory,
}

impl Backend {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Sqlite, Self::Azure, Self::Memory];

    /// The word used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Azure => "azure",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a cluster lives.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In this file.
    Sqlite(PathBuf),
    /// In these services.
    Azure(Box<AzureSettings>),
    /// In this process.
    Memory,
}

/// The worker in this process.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerConfig {
    /// How many nodes run at once: 1 to 1024.
    pub slots: u32,
    /// What it is called.
    pub name: WorkerName,
    /// How often a message may be received before it goes to the poison queue.
    pub max_dequeue_count: u32,
    /// How long a lease lasts unless renewed: 5 seconds to an hour.
    pub lease: Duration,
}

/// The reconciler in this process.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconcilerConfig {
    /// Whether this worker takes part.
    pub mode: Reconciling,
    /// How long it pauses between two passes.
    pub every: Duration,
    /// A running run that nobody touched for this long is stalled.
    pub stalled_after: Duration,
}

/// Whether a worker takes its turn as the cluster's reconciler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconciling {
    /// It does.
    Enabled,
    /// It leaves that to others.
    Disabled,
}

/// The dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct UiConfig {
    /// The theme's name.
    pub theme: String,
    /// Whether actions that change the cluster are refused.
    pub read_only: bool,
    /// Where every action from the dashboard is written down, if anywhere.
    pub audit_file: Option<PathBuf>,
}

/// A key for an action of the dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyBinding {
    /// The key, as written.
    pub key: String,
    /// Where it is written.
    pub origin: Origin,
}

/// A kind of node, as written. Its `Debug` leaves out the table, which may hold secrets.
#[derive(Clone, PartialEq)]
pub struct NodeSettings {
    /// The table.
    pub table: toml::Table,
    /// The folder of the file it is written in: relative programs start there.
    pub folder: PathBuf,
    /// Where it is written.
    pub origin: Origin,
}

impl fmt::Debug for NodeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSettings").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// How the services of an Azure cluster are reached.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Services {
    /// `AZURE_STORAGE_CONNECTION_STRING`.
    pub storage: Option<Secret>,
    /// `COSMOS_DB_CONNECTION_STRING`.
    pub cosmos: Option<Secret>,
    /// `REDIS_CONNECTION_STRING`.
    pub redis: Option<Secret>,
}

impl Services {
    /// Their variables, in the order of the fields.
    pub(super) const VARIABLES: [&str; 3] = AzureSettings::VARIABLES;

    /// Each variable with its value.
    pub(super) fn by_variable(&self) -> [(&'static str, Option<&Secret>); 3] {
        let [storage, cosmos, redis] = Self::VARIABLES;
        [
            (storage, self.storage.as_ref()),
            (cosmos, self.cosmos.as_ref()),
            (redis, self.redis.as_ref()),
        ]
    }
}

impl Config {
    /// What is in force when nobody says anything.
    pub fn defaults(environment: &Environment) -> Self {
        Self {
            blueprints: vec![environment.working_folder.join("blueprints")],
            cluster: ClusterConfig {
                backend: Backend::Sqlite,
                path: environment.default_database(),
                queue: "flowcraft-jobs".to_owned(),
                database: "flowcraft-db".to_owned(),
                contexts: "contexts".to_owned(),
                statuses: "statuses".to_owned(),
            },
            worker: WorkerConfig {
                slots: 16,
                name: environment.default_worker_name().into(),
                max_dequeue_count: 5,
                lease: Duration::from_mins(1),
            },
            reconciler: ReconcilerConfig {
                mode: Reconciling::Enabled,
                every: Duration::from_mins(1),
                stalled_after: Duration::from_mins(5),
            },
            ui: UiConfig { theme: "default".to_owned(), read_only: false, audit_file: None },
            keys: BTreeMap::new(),
            nodes: BTreeMap::new(),
            services: Services::default(),
            notes: Vec::new(),
            themes: environment.themes(),
            file: None,
            origins: BTreeMap::new(),
        }
    }

    /// Where a setting, such as `worker.slots`, came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Where the cluster lives, or what is missing or wrong in what the configuration says of that.
    pub fn storage(&self) -> Result<Storage, ConfigError> {
        match self.cluster.backend {
            Backend::Memory => Ok(Storage::Memory),
            Backend::Azure => self.azure().map(|settings| Storage::Azure(Box::new(settings))),
            Backend::Sqlite => self
                .cluster
                .path
                .as_deref()
                .map(|path: &Path| Storage::Sqlite(path.to_owned()))
                .ok_or(ConfigError::NoDatabasePath),
        }
    }

    fn azure(&self) -> Result<AzureSettings, ConfigError> {
        let Services { storage: Some(storage), cosmos: Some(cosmos), redis: Some(redis) } =
            &self.services
        else {
            let services = self.services.by_variable().into_iter();
            let missing = services.filter(|(_, value)| value.is_none()).map(|(name, _)| name);
            return Err(ConfigError::NoConnection {
                place: self.origin("cluster.backend"),
                variables: missing.collect::<Vec<_>>().join(", "),
            });
        };
        let settings = AzureSettings::parse(storage.expose(), cosmos.expose(), redis.expose())?;
        let ClusterConfig { queue, database, contexts, statuses, .. } = self.cluster.clone();
        Ok(AzureSettings { queue, names: CosmosNames { database, contexts, statuses }, ..settings })
    }
}
