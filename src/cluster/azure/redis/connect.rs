//! Making a connection: TLS, getting in, and finding out whether there is a cluster.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates, Value,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, NodeAddress},
    cluster_async::ClusterConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use super::{
    connection::{Host, RedisConnection, is_azure},
    fault::Trouble,
    identity::RedisIdentity,
    lane::Wire,
};
use crate::cluster::Fault;

/// How long a token may take. Signing in on the command line starts a program.
const TOKEN_LIMIT: Duration = Duration::from_secs(30);

/// How long an idle connection stays unasked. Azure closes it after ten minutes, firewalls sooner.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long to wait for the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until it lets us in.
    pub(super) connect: Duration,
    /// Until it answers.
    pub(super) response: Duration,
}

impl Limits {
    /// How long a call may take.
    pub(super) fn in_all(self) -> Duration {
        self.connect + self.response
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), response: Duration::from_secs(5) }
    }
}

/// Makes connections.
pub(super) struct Connector {
    pub(super) connection: RedisConnection,
    pub(super) identity: Option<RedisIdentity>,
    pub(super) limits: Limits,
    first_host: AtomicUsize,
    cluster_expected: AtomicBool,
}

impl Connector {
    pub(super) fn new(connection: RedisConnection, identity: Option<RedisIdentity>) -> Self {
        let identity = identity
            .filter(|_| connection.needs_entra_id())
            .map(|identity| identity.with_user(connection.user.clone()));
        Self {
            cluster_expected: AtomicBool::new(connection.cluster),
            connection,
            identity,
            limits: Limits::default(),
            first_host: AtomicUsize::new(0),
        }
    }

    /// Takes note that the server is one of a cluster's, whatever it said when it was asked.
    pub(super) fn expect_cluster(&self) {
        self.cluster_expected.store(true, Ordering::Relaxed);
    }

    /// Has the next connection go to another host, if there are several.
    pub(super) fn try_next_host(&self) {
        self.first_host.fetch_add(1, Ordering::Relaxed);
    }

    /// What an error means, and what to do about it here.
    pub(super) fn explain(&self, error: &RedisError) -> Trouble {
        let trouble = Trouble::from(error);
        let kept_out = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"));
        if kept_out && self.identity.is_some() {
            let detail = "it does not let this identity in; give it a data access policy of the \
                          cache, with Microsoft Entra authentication enabled";
            return Trouble { detail: detail.to_owned(), ..trouble };
        }
        trouble
    }

    /// Connects to the first host that lets us in; to all primaries if it is one of a cluster's.
    pub(super) async fn connect(&self) -> Result<Wire, Trouble> {
        if let Some(identity) = &self.identity {
            // The connection asks for the token itself; here its absence can be explained.
            match tokio::time::timeout(TOKEN_LIMIT, identity.pass()).await {
                Ok(pass) => pass?,
                Err(_) => return Err(Trouble::no_answer(TOKEN_LIMIT.as_secs())),
            };
        } else if self.connection.needs_entra_id() {
            return Err(Trouble::refused(
                "there is no password in REDIS_CONNECTION_STRING and no identity of Microsoft \
                 Entra ID; sign in (az login) or add the access key",
            ));
        }
        let hosts = &self.connection.hosts;
        let first = self.first_host.load(Ordering::Relaxed);
        let mut last = Trouble::refused("no host is named");
        for turn in 0..hosts.len() {
            let host = &hosts[first.wrapping_add(turn) % hosts.len()];
            let limit = self.limits.connect;
            match tokio::time::timeout(limit, self.connect_to(host)).await {
                Ok(Ok(wire)) => return Ok(wire),
                Ok(Err(trouble)) => last = trouble,
                Err(_) => last = Trouble::no_answer(limit.as_secs()),
            }
            // Nothing was sent yet but what it takes to get in.
            last.undone = true;
        }
        self.try_next_host();
        Err(last)
    }

    async fn connect_to(&self, host: &Host) -> Result<Wire, Trouble> {
        let mut connection = self.open(host).await?;
        let slots: Result<Value, _> =
            redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await;
        match slots {
            Ok(Value::Array(slots)) if slots.is_empty() => {
                Err(Trouble::new(Fault::Unavailable, "the cluster has no slots yet"))
            }
            Ok(Value::Array(slots)) => {
                drop(connection);
                self.open_cluster(host, &node_addresses(&slots)).await.map(Wire::Cluster)
            }
            Ok(_) => Ok(Wire::Single(connection)),
            Err(error) => {
                let is_answer = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
                    && !matches!(error.code(), Some("NOAUTH" | "LOADING" | "MASTERDOWN"));
                let is_single = error.detail().is_some_and(|text| text.contains("disabled"));
                if !is_answer {
                    Err(self.explain(&error))
                } else if is_single && !self.connection.cluster {
                    self.cluster_expected.store(false, Ordering::Relaxed);
                    Ok(Wire::Single(connection))
                } else if self.cluster_expected.load(Ordering::Relaxed) {
                    let detail = "it does not answer CLUSTER SLOTS as one of a cluster does";
                    let why = self.explain(&error).detail;
                    Err(Trouble::refused(format!("{detail}: {why}")))
                } else {
                    Ok(Wire::Single(connection))
                }
            }
        }
    }

    async fn open(&self, host: &Host) -> Result<MultiplexedConnection, Trouble> {
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        if let Some(identity) = &self.identity {
            config = config.set_credentials_provider(identity.clone());
        }
        let client = self.client(host, self.settings()).map_err(|error| self.explain(&error))?;
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => Ok(connection),
            Err(error) if error.kind() == ErrorKind::AuthenticationFailed => {
                Err(self.why_kept_out(host, &error).await)
            }
            Err(error) => {
                let trouble = self.explain(&error);
                let silent = error.is_timeout() || error.is_connection_dropped();
                let question = match self.connection.tls {
                    _ if !silent || error.is_connection_refusal() => "",
                    true => "; does this port have TLS?",
                    false => "; does this port want TLS (rediss:// or ssl=True)?",
                };
                Err(Trouble { detail: trouble.detail.clone() + question, ..trouble })
            }
        }
    }

    /// Asks to be let in once more, to hear the server's own words, which may be that it has too
    /// many clients or is still loading.
    async fn why_kept_out(&self, host: &Host, error: &RedisError) -> Trouble {
        let ask = async {
            let client = self.client(host, RedisConnectionInfo::default())?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            let mut auth = redis::cmd("AUTH");
            match &self.identity {
                Some(identity) => {
                    let Ok(pass) = identity.pass().await else { return Ok(()) };
                    auth.arg(pass.auth.username()).arg(pass.auth.password());
                }
                None => {
                    auth.arg(&self.connection.user).arg(&self.connection.password);
                }
            }
            auth.query_async::<()>(&mut connection).await
        };
        match ask.await {
            Err(told) => self.explain(&told),
            Ok(()) => self.explain(error),
        }
    }

    async fn open_cluster(
        &self,
        host: &Host,
        nodes: &[(String, u16)],
    ) -> Result<ClusterConnection, Trouble> {
        let open = async {
            let start = self.info(host, self.settings())?;
            let mut builder = ClusterClient::builder([start])
                // First the start, then all others at once: a node that is gone leaves time to
                // go on with the rest.
                .connection_timeout(self.limits.connect / 3)
                .response_timeout(self.limits.response)
                .tcp_settings(tcp_settings())
                // What may be sent twice is known to the lane, not here.
                .retries(0);
            if let Some(pem) = &self.connection.root_certificates {
                builder = builder.certs(trusting(pem));
            }
            if self.connection.tls {
                builder = builder.node_address_map(names_of(host, nodes).await);
            }
            if let Some(identity) = &self.identity {
                builder = builder.set_credentials_provider(identity.clone());
            }
            builder.build()?.get_async_connection().await
        };
        open.await.map_err(|error| self.explain(&error))
    }

    fn client(&self, host: &Host, settings: RedisConnectionInfo) -> Result<Client, RedisError> {
        let info = self.info(host, settings)?;
        match &self.connection.root_certificates {
            Some(pem) if self.connection.tls => Client::build_with_tls(info, trusting(pem)),
            _ => Client::open(info),
        }
    }

    fn info(
        &self,
        host: &Host,
        settings: RedisConnectionInfo,
    ) -> Result<ConnectionInfo, RedisError> {
        let (name, port) = (host.name.clone(), host.port);
        let address = if self.connection.tls {
            ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(name, port)
        };
        let info = address.into_connection_info()?;
        Ok(info.set_redis_settings(settings).set_tcp_settings(tcp_settings()))
    }

    fn settings(&self) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default()
            .set_db(self.connection.database)
            .set_protocol(self.connection.protocol)
            .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        if let Some(password) = &self.connection.password {
            settings = settings.set_password(password);
            if let Some(user) = &self.connection.user {
                settings = settings.set_username(user);
            }
        }
        settings
    }
}

fn trusting(pem: &[u8]) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) }
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(Duration::from_secs(5));
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    // A node that vanished without a word is given up, so that the cluster's client connects anew.
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(Duration::from_secs(10));
    settings
}

/// The nodes that an answer to `CLUSTER SLOTS` names.
fn node_addresses(slots: &[Value]) -> Vec<(String, u16)> {
    let mut nodes = Vec::new();
    for slot in slots {
        let Value::Array(range) = slot else { continue };
        for node in range.iter().skip(2) {
            let Value::Array(node) = node else { continue };
            if let [Value::BulkString(host), Value::Int(port), ..] = node.as_slice()
                && let (Ok(host), Ok(port)) =
                    (String::from_utf8(host.clone()), u16::try_from(*port))
                && !nodes.contains(&(host.clone(), port))
            {
                nodes.push((host, port));
            }
        }
    }
    nodes
}

/// The names by which to reach nodes that the cluster gives as bare addresses, where the nodes are
/// ports of the one host that we know by name: its certificate is for the name.
async fn names_of(host: &Host, nodes: &[(String, u16)]) -> HashMap<NodeAddress, NodeAddress> {
    if host.name.parse::<IpAddr>().is_ok() {
        return HashMap::new();
    }
    let addresses: Vec<IpAddr> =
        match tokio::net::lookup_host((host.name.as_str(), host.port)).await {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        };
    let is_of_host = |node: &str| {
        node.parse().is_ok_and(|address| is_azure(&host.name) || addresses.contains(&address))
    };
    let known = |name: &str, port| NodeAddress::new(name.to_owned(), port);
    nodes
        .iter()
        .filter(|(node, _)| is_of_host(node))
        .map(|(node, port)| (known(node, *port), known(&host.name, *port)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bare_addresses_of_the_host_get_its_name() {
        let nodes = [("127.0.0.1".to_owned(), 7001), ("192.0.2.1".to_owned(), 7002)];
        let host = |name: &str| Host { name: name.to_owned(), port: 7000 };
        let names = names_of(&host("localhost"), &nodes).await;
        let expected = (NodeAddress::new("127.0.0.1", 7001), NodeAddress::new("localhost", 7001));
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [expected]);
        assert_eq!(names_of(&host("127.0.0.1"), &nodes).await, HashMap::new());
    }
}
