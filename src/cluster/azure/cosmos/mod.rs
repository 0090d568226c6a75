//! Run state in Azure Cosmos DB: a run's document is one item of the contexts container, replaced
//! whole under its ETag; its status item is one of the statuses container.

mod charge;
mod connection;
mod fault;
mod item;
mod list;
mod partition;
mod provision;
mod state;
mod status_item;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use azure_data_cosmos::{
    AccountEndpoint, AccountReference, CosmosClient, CosmosError, CosmosRuntime, RoutingStrategy,
    clients::ContainerClient,
    options::{
        BinaryEncodingOptions, ConnectionPoolOptions, EndToEndOperationLatencyPolicy,
        OperationOptionsBuilder, ThrottlingRetryOptionsBuilder, UserAgentSuffix,
    },
};
use tokio::sync::OnceCell;

pub use self::connection::CosmosConnection;
pub use self::provision::{ContainerCheck, CosmosFinding};
use self::{charge::Counting, connection::Access, fault::Place};
use crate::cluster::{Result, azure::identity};

/// How long a call may take, the client's own tries included.
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// The names of what a cluster uses in a Cosmos DB account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosmosNames {
    /// The database.
    pub database: String,
    /// The container of the runs' documents.
    pub contexts: String,
    /// The container of the runs' status items.
    pub statuses: String,
}

impl Default for CosmosNames {
    fn default() -> Self {
        Self {
            database: "flowcraft-db".to_owned(),
            contexts: "contexts".to_owned(),
            statuses: "statuses".to_owned(),
        }
    }
}

/// Run state in a Cosmos DB account. Connects when it is first used; cloning gives another handle
/// to the same connections.
#[derive(Clone)]
pub struct CosmosStore(Arc<Inner>);

struct Inner {
    connection: CosmosConnection,
    names: CosmosNames,
    endpoint: String,
    client: OnceCell<CosmosClient>,
    contexts: Container,
    statuses: Container,
    newest: Mutex<Option<Newest>>,
}

/// The latest second in which a status item is known to have been written, and since when.
#[derive(Debug, Clone, Copy)]
struct Newest {
    second: i64,
    seen: Instant,
}

/// A container that is looked up when it is first used.
struct Container {
    name: String,
    path: String,
    client: OnceCell<ContainerClient>,
}

impl Container {
    fn new(names: &CosmosNames, name: &str) -> Self {
        let path = format!("{}/{name}", names.database);
        Self { name: name.to_owned(), path, client: OnceCell::new() }
    }
}

impl fmt::Debug for CosmosStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CosmosStore")
            .field("endpoint", &self.0.endpoint)
            .field("names", &self.0.names)
            .finish_non_exhaustive()
    }
}

impl CosmosStore {
    /// A store in an account.
    pub fn new(connection: CosmosConnection, names: CosmosNames) -> Self {
        Self(Arc::new(Inner {
            endpoint: connection.endpoint(),
            contexts: Container::new(&names, &names.contexts),
            statuses: Container::new(&names, &names.statuses),
            connection,
            names,
            client: OnceCell::new(),
            newest: Mutex::new(None),
        }))
    }

    fn place<'a>(&'a self, container: &'a Container) -> Place<'a> {
        Place { endpoint: &self.0.endpoint, container: &container.path }
    }

    async fn client(&self) -> Result<&CosmosClient, CosmosError> {
        self.0.client.get_or_try_init(|| self.0.connect()).await
    }

    /// A container's client. What there is to know of the container is read once.
    async fn open<'a>(&self, container: &'a Container) -> Result<&'a ContainerClient, CosmosError> {
        let database = self.client().await?.database_client(self.0.names.database.as_str());
        container
            .client
            .get_or_try_init(|| database.container_client(container.name.as_str(), None))
            .await
    }
}

impl Inner {
    async fn connect(&self) -> Result<CosmosClient, CosmosError> {
        let endpoint = AccountEndpoint::from(self.connection.url().clone());
        let account = match self.connection.access() {
            Access::Key(key) => AccountReference::with_authentication_key(endpoint, key.clone()),
            Access::Entra => AccountReference::with_credential(endpoint, identity::credential()),
        };
        // Emulators speak HTTP/1.1 only, and answer the attempt at HTTP/2 by closing the connection.
        let pool = ConnectionPoolOptions::builder()
            .with_is_http2_allowed(!self.connection.is_local())
            .build()?;
        let runtime = CosmosRuntime::builder().with_connection_pool(pool).build().await?;
        // The worker itself waits and tries again, so that a throttled cluster slows down as a
        // whole and can be seen to.
        let throttling = ThrottlingRetryOptionsBuilder::new().with_max_retry_count(0).build();
        let options = OperationOptionsBuilder::new()
            .with_throttling_retry_options(throttling)
            .with_end_to_end_latency_policy(EndToEndOperationLatencyPolicy::new(CALL_LIMIT))
            .build();
        let mut builder = CosmosClient::builder()
            .with_runtime(runtime)
            .with_default_operation_options(options)
            .with_diagnostics_handler(Arc::new(Counting))
            // Values are measured and handed on as JSON text.
            .with_binary_encoding_options(BinaryEncodingOptions::new().with_enabled(false));
        if let Some(suffix) = UserAgentSuffix::try_new("flowcraft-tui") {
            builder = builder.with_user_agent_suffix(suffix);
        }
        // The account knows its regions; the order among them is its own.
        builder.build(account, RoutingStrategy::PreferredRegions(Vec::new())).await
    }
}
