//! Where Redis is and how to get in: the value of `REDIS_CONNECTION_STRING`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use redis::ProtocolVersion;

use super::{options, url};
use crate::cluster::azure::BadConnectionString;

/// The variable that holds it.
const VARIABLE: &str = "REDIS_CONNECTION_STRING";

/// The domains of Azure Cache for Redis.
const AZURE_CACHE: [&str; 3] =
    [".redis.cache.windows.net", ".redis.cache.usgovcloudapi.net", ".redis.cache.chinacloudapi.cn"];

/// The domains of Azure Managed Redis, and of the Enterprise tiers before it.
const AZURE_MANAGED: [&str; 2] = [".redis.azure.net", ".redisenterprise.cache.azure.net"];

/// Where Redis is and how to get in.
///
/// Two forms are understood:
/// - a URL: `redis://` or, with TLS, `rediss://[user:password@]host[:port][/database]`, several
///   hosts parted by commas; after `?` the options `protocol=resp3` and `cluster=true`, parted by
///   `&`. User and password are percent-encoded.
/// - Azure's: `host:port,password=…,ssl=True,abortConnect=False`, as the portal gives it, with any
///   of the common options of `StackExchange.Redis`.
///
/// Two options are this program's own, in both forms. `cluster=true` insists on a Redis Cluster:
/// whether the server is one is otherwise found out by asking it. `entraId=true` has the server
/// entered with Microsoft Entra ID; that is so anyway where it is a host of Azure's and there is no
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConnection {
    pub(super) hosts: Vec<Host>,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
    pub(super) protocol: ProtocolVersion,
    pub(super) cluster: bool,
    pub(super) entra_id: bool,
    pub(super) root_certificates: Option<Vec<u8>>,
}

/// One of the servers to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name or an address; IPv6 without brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

impl RedisConnection {
    /// Understands the value of `REDIS_CONNECTION_STRING`.
    pub fn parse(text: &str) -> Result<Self, BadConnectionString> {
        let text = text.trim();
        if text.is_empty() {
            return Err(bad("is empty"));
        }
        let draft = match text.split_once("://") {
            Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphabetic() || c == '+') => {
                url::parse(scheme, rest)
            }
            _ => options::parse(text),
        }?;
        draft.finish()
    }

    /// Trusts these certificates (PEM) instead of the system's.
    #[must_use]
    pub fn with_root_certificates(mut self, pem: Vec<u8>) -> Self {
        self.root_certificates = Some(pem);
        self
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether it takes a token of Microsoft Entra ID to get in.
    pub fn needs_entra_id(&self) -> bool {
        self.entra_id
    }
}

impl fmt::Display for RedisConnection {
    /// The servers as `host:port`, parted by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(ToString::to_string).collect();
        f.pad(&hosts.join(","))
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection")
            .field("hosts", &self.to_string())
            .field("tls", &self.tls)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "hidden"))
            .field("database", &self.database)
            .field("protocol", &self.protocol)
            .field("cluster", &self.cluster)
            .field("entra_id", &self.entra_id)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.name.parse::<IpAddr>();
        self.name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Whether a host is one of Azure's: its nodes have one certificate, for the host's name.
pub(super) fn is_azure(host: &str) -> bool {
    is_in(host, &AZURE_CACHE) || is_in(host, &AZURE_MANAGED)
}

fn is_in(host: &str, domains: &[&str]) -> bool {
    let host = host.to_ascii_lowercase();
    domains.iter().any(|domain| host.ends_with(domain))
}

/// Says what is wrong with the variable's value.
pub(super) fn bad(problem: impl Into<String>) -> BadConnectionString {
    BadConnectionString::new(VARIABLE, problem)
}

/// What a connection string says, before what it leaves out is filled in.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) hosts: Vec<(String, Option<u16>)>,
    pub(super) tls: Option<bool>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
    pub(super) protocol: ProtocolVersion,
    pub(super) cluster: bool,
    pub(super) entra_id: bool,
    /// The port of a host that names none, if it has TLS and is none of Azure's.
    pub(super) tls_port: u16,
}

impl Draft {
    /// Adds a `host` or `host:port`; an IPv6 address stands in brackets.
    pub(super) fn add_host(&mut self, text: &str) -> Result<(), BadConnectionString> {
        let place = self.hosts.len() + 1;
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => {
                if address.parse::<Ipv6Addr>().is_err() {
                    return Err(bad(format!(
                        "has a host in brackets that is no IPv6 address (host {place})"
                    )));
                }
                // What is not parted by a colon is no port either.
                (address, (!rest.is_empty()).then(|| rest.strip_prefix(':').unwrap_or("")))
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(bad(format!(
                        "has a host with several colons (host {place}): an IPv6 address stands in \
                         brackets, [::1]:6379"
                    )));
                }
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        if name.is_empty() {
            return Err(bad(format!("lacks a host (host {place})")));
        }
        if name.contains(|c: char| !(c.is_alphanumeric() || ".-_:".contains(c))) {
            return Err(bad(format!(
                "has a host with characters that no host has (host {place}); in a URL, those of \
                 the password must be percent-encoded"
            )));
        }
        let port = port.map(|port| match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(bad(format!("has a port that is no number from 1 to 65535 (host {place})"))),
        });
        self.hosts.push((name.to_owned(), port.transpose()?));
        Ok(())
    }

    /// Takes the number of a database.
    pub(super) fn set_database(&mut self, text: &str) -> Result<(), BadConnectionString> {
        self.database = match text.parse::<i64>() {
            Ok(number) if number >= 0 => number,
            _ => return Err(bad("names a database that is not a number, such as 0")),
        };
        Ok(())
    }

    /// Takes the version of the protocol.
    pub(super) fn set_protocol(&mut self, text: &str) -> Result<(), BadConnectionString> {
        self.protocol = match text.to_ascii_lowercase().as_str() {
            "2" | "resp2" => ProtocolVersion::RESP2,
            "3" | "resp3" => ProtocolVersion::RESP3,
            _ => return Err(bad("has a protocol that is neither resp2 nor resp3")),
        };
        Ok(())
    }

    fn finish(self) -> Result<RedisConnection, BadConnectionString> {
        if self.hosts.is_empty() {
            return Err(bad("names no host: it must be redis://host:port or host:port,password=…"));
        }
        let azure = self.hosts.iter().any(|(name, _)| is_azure(name));
        let tls = self.tls.unwrap_or(azure);
        let password = self.password.filter(|password| !password.is_empty());
        let user = self.user.filter(|user| !user.is_empty());
        if password.is_some() && self.entra_id {
            return Err(bad("has both a password and entraId=true: leave one out"));
        }
        let entra_id = self.entra_id || password.is_none() && azure;
        if password.is_none() && user.is_some() && !entra_id {
            return Err(bad("names a user but no password"));
        }
        let hosts = self.hosts.into_iter().map(|(name, port)| {
            let port = port.unwrap_or_else(|| {
                if is_in(&name, &AZURE_MANAGED) {
                    10_000
                } else if tls && is_azure(&name) {
                    6380
                } else if tls {
                    self.tls_port
                } else {
                    6379
                }
            });
            Host { name, port }
        });
        let hosts: Vec<_> = hosts.collect();
        if entra_id && !tls && !hosts.iter().all(Host::is_loopback) {
            return Err(bad(
                "has no password, so that Microsoft Entra ID is used, and that needs TLS: begin it \
                 with rediss://, or say ssl=True",
            ));
        }
        Ok(RedisConnection {
            hosts,
            tls,
            user,
            password,
            database: self.database,
            protocol: self.protocol,
            cluster: self.cluster,
            entra_id,
            root_certificates: None,
        })
    }
}

/// Understands `True`, `false` and the like.
pub(super) fn truth(name: &str, text: &str) -> Result<bool, BadConnectionString> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "enabled" => Ok(true),
        "false" | "no" | "0" | "disabled" => Ok(false),
        _ => Err(bad(format!("has {name} set to something else than true or false"))),
    }
}

#[cfg(test)]
mod tests;
