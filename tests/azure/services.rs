//! The real servers that these tests talk to: Azurite, a Cosmos DB server, Redis, each behind a
//! front that counts requests and can fail them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
};

use flowcraft_tui::cluster::{
    AzureServices, AzureSettings, Cluster, CosmosConnection, CosmosNames, CosmosStore, SystemClock,
};
use serde_json::{Value, json};

/// The variable by which the test command says where the servers are, as JSON.
const VARIABLE: &str = "FLOWCRAFT_TEST_SERVICES";

/// Running servers.
pub(crate) struct Services {
    described: Value,
    /// Those started for one test alone: they end with it.
    _own: Option<Running>,
}

/// A launcher with its servers. They end when its standard input is closed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The servers that the tests share; nothing if this run of the tests has none, which is said once.
pub(crate) fn services() -> Option<&'static Services> {
    static SERVICES: OnceLock<Option<Services>> = OnceLock::new();
    SERVICES
        .get_or_init(|| {
            let Ok(text) = std::env::var(VARIABLE) else {
                // Past the test runner, which keeps what passing tests print to itself.
                let _ = writeln!(
                    std::io::stderr(),
                    "left out: everything on real servers. tests/run.sh starts them; it needs Node.js and Redis"
                );
                return None;
            };
            let described = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{VARIABLE} is not JSON: {error}"));
            Some(Services { described, _own: None })
        })
        .as_ref()
}

impl Services {
    /// Servers for one test alone, whose faults and counts nobody else sees.
    pub(crate) fn own(options: &[&str]) -> Option<Self> {
        services()?;
        let mut child = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/start.mjs"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let described =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Some(Self { described, _own: Some(Running(child)) })
    }

    /// What is known of the servers, for programs that read it from their environment.
    pub(crate) fn described(&self) -> &Value {
        &self.described
    }

    /// A text in what is known of the servers, such as `/cosmos/endpoint`.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.described
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("the servers' description has no {pointer}"))
    }

    /// A state store in a database of its own, which is named.
    pub(crate) async fn state(&self) -> (CosmosStore, String) {
        let database = fresh("db");
        let names = CosmosNames { database: database.clone(), ..CosmosNames::default() };
        let connection = CosmosConnection::parse(self.text("/cosmos/connectionString")).unwrap();
        let store = CosmosStore::new(connection, names);
        store.create_missing().await.unwrap();
        (store, database)
    }

    /// How to reach them, with names that nobody else uses.
    pub(crate) fn settings(&self) -> AzureSettings {
        let settings = AzureSettings::parse(
            self.text("/queue/connectionString"),
            self.text("/cosmos/connectionString"),
            self.text("/redis/url"),
        );
        let names = CosmosNames { database: fresh("db"), ..CosmosNames::default() };
        AzureSettings { queue: fresh("q"), names, ..settings.unwrap() }
    }

    /// A cluster of its own, but for Redis, which all share.
    pub(crate) async fn cluster(&self) -> Cluster {
        provided(self.settings()).await
    }

    async fn control(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request =
            reqwest::Client::new().request(method, format!("{}{path}", self.text("/control")));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Has requests fail: those of a service that meet `match`.
    pub(crate) async fn fault(&self, rule: Value) -> Fault<'_> {
        let answer = self.control(reqwest::Method::POST, "/faults", Some(rule)).await;
        Fault { services: self, id: answer["id"].as_str().unwrap().to_owned() }
    }

    /// What the fronts have seen since the last call of [`Services::reset_counts`].
    pub(crate) async fn counts(&self) -> Value {
        self.control(reqwest::Method::GET, "/counts", None).await
    }

    /// Kills Redis: what it knew is gone.
    pub(crate) async fn stop_redis(&self) {
        self.control(reqwest::Method::POST, "/services/redis/stop", Some(json!({}))).await;
    }

    /// Starts Redis again, empty.
    pub(crate) async fn start_redis(&self) {
        self.control(reqwest::Method::POST, "/services/redis/start", Some(json!({}))).await;
    }

    /// Begins to count anew.
    pub(crate) async fn reset_counts(&self) {
        self.control(reqwest::Method::POST, "/counts/reset", Some(json!({}))).await;
    }
}

/// The cluster that settings name, with all that must be there.
pub(crate) async fn provided(settings: AzureSettings) -> Cluster {
    let services = AzureServices::new(settings).unwrap();
    services.create_missing().await.unwrap();
    services.cluster(Arc::new(SystemClock))
}

/// A fault that goes on until it is lifted.
pub(crate) struct Fault<'a> {
    services: &'a Services,
    id: String,
}

impl Fault<'_> {
    /// Ends it.
    pub(crate) async fn lift(self) {
        let path = format!("/faults/{}", self.id);
        self.services.control(reqwest::Method::DELETE, &path, None).await;
    }
}

/// A name that nobody else has.
pub(crate) fn fresh(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
