//! Where the queue service is and how to get in.

use std::{fmt, net::Ipv6Addr};

use azure_core::{
    credentials::Secret,
    http::{Url, UrlExt as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    super::connection_string::{BadConnectionString, Members},
    signature::Signature,
};
use crate::{
    cluster::{Clock as _, SystemClock},
    engine::Timestamp,
};

/// The variable that holds the connection string.
const VARIABLE: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// The members of a connection string that are known. Those of the other storage services are
/// there when it was copied from the portal.
const MEMBERS: [&str; 17] = [
    "AccountName",
    "AccountKey",
    "SharedAccessSignature",
    "QueueEndpoint",
    "DefaultEndpointsProtocol",
    "EndpointSuffix",
    "UseDevelopmentStorage",
    "DevelopmentStorageProxyUri",
    "BlobEndpoint",
    "TableEndpoint",
    "FileEndpoint",
    "DfsEndpoint",
    "WebEndpoint",
    "QueueSecondaryEndpoint",
    "BlobSecondaryEndpoint",
    "TableSecondaryEndpoint",
    "FileSecondaryEndpoint",
];

/// The account and key that every emulator knows; they are public.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const DEVELOPMENT_PORT: u16 = 10_001;

/// How to get in.
#[derive(Clone)]
pub(super) enum Access {
    /// With the account's key, which signs every request.
    Key(Secret),
    /// With a shared access signature, which goes into every URL.
    Signature(Signature),
    /// With a token of Microsoft Entra ID.
    Entra,
}

impl Access {
    fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "account key",
            Self::Signature(_) => "shared access signature",
            Self::Entra => "Microsoft Entra ID",
        }
    }
}

/// A storage account's queue service, and how to get in: what `AZURE_STORAGE_CONNECTION_STRING`
/// says.
#[derive(Clone)]
pub struct StorageConnection {
    account: String,
    /// Without a query.
    endpoint: Url,
    access: Access,
}

impl StorageConnection {
    /// Reads a connection string, or the URL of a queue service (with a shared access signature, or
    /// without one: Microsoft Entra ID).
    pub fn parse(text: &str) -> Result<Self, BadConnectionString> {
        Self::parse_at(text, SystemClock.now())
    }

    pub(super) fn parse_at(text: &str, now: Timestamp) -> Result<Self, BadConnectionString> {
        let text = text.trim();
        let connection = if is_url(text) {
            let (endpoint, signature) = endpoint("the URL", text, now)?;
            let access = signature.map_or(Access::Entra, Access::Signature);
            Self { account: account_of(&endpoint), endpoint, access }
        } else {
            Self::from_members(&Members::parse(VARIABLE, text, &MEMBERS)?, now)?
        };
        connection.travels_safely()?;
        Ok(connection)
    }

    fn from_members(members: &Members, now: Timestamp) -> Result<Self, BadConnectionString> {
        if let Some(value) = members.get("UseDevelopmentStorage") {
            if !value.eq_ignore_ascii_case("true") {
                return Err(members.bad("has UseDevelopmentStorage, which can only be true"));
            }
            return development(members);
        }
        if members.get("DevelopmentStorageProxyUri").is_some() {
            return Err(members.bad(
                "has DevelopmentStorageProxyUri, which means nothing without \
                 UseDevelopmentStorage=true",
            ));
        }
        let (endpoint, in_query) = match members.get("QueueEndpoint") {
            Some(url) => endpoint("QueueEndpoint", url, now)?,
            None => (default_endpoint(members)?, None),
        };
        let key = members.get("AccountKey");
        let signature = match members.get("SharedAccessSignature") {
            Some(text) => Some(Signature::parse(text, now).map_err(|e| members.bad(e))?),
            None => in_query,
        };
        let access = match (key, signature) {
            (Some(_), Some(_)) => {
                return Err(members.bad(
                    "has both an AccountKey and a shared access signature: leave one of them out",
                ));
            }
            (Some(key), None) => {
                members.require("AccountName")?;
                if STANDARD.decode(key).is_ok_and(|key| !key.is_empty()) {
                    Access::Key(Secret::new(key.to_owned()))
                } else {
                    return Err(members.bad(
                        "has an AccountKey that is not base64: copy the whole key again, it \
                         ends in ==",
                    ));
                }
            }
            (None, Some(signature)) => Access::Signature(signature),
            (None, None) => Access::Entra,
        };
        let account =
            members.get("AccountName").map_or_else(|| account_of(&endpoint), str::to_owned);
        Ok(Self { account, endpoint, access })
    }

    /// Refuses to send what others must not read over a network in clear text.
    fn travels_safely(&self) -> Result<(), BadConnectionString> {
        if self.endpoint.scheme() == "https" {
            return Ok(());
        }
        let problem = match &self.access {
            Access::Entra => {
                "gives neither a key nor a signature, so it needs Microsoft Entra ID, which works \
                 over https only: use https, or add AccountName and AccountKey"
            }
            Access::Signature(signature) if signature.https_only() => {
                "has a shared access signature for https only, and an endpoint over http: use https"
            }
            _ if is_near(&self.endpoint) => return Ok(()),
            _ => {
                "would send messages in clear text: plain http is only for this machine and \
                 private networks, so use https"
            }
        };
        Err(bad(problem))
    }

    /// The storage account's name.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The queue service's address, fit to be shown: without signatures.
    pub fn endpoint(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    /// How to get in, fit to be shown: `account key`, `shared access signature` or `Microsoft Entra
    /// ID`.
    pub fn access_name(&self) -> &'static str {
        self.access.name()
    }

    /// When the shared access signature expires, if it is one.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.access {
            Access::Signature(signature) => Some(signature.expires_at()),
            Access::Key(_) | Access::Entra => None,
        }
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The host and port.
    pub(super) fn authority(&self) -> &str {
        self.endpoint.authority()
    }

    /// Whether it is on this machine or a private network.
    pub(super) fn is_near(&self) -> bool {
        is_near(&self.endpoint)
    }

    /// The address of one of the account's queues, with the signature if there is one: a secret.
    pub(super) fn queue_url(&self, queue: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.append_path(queue);
        if let Access::Signature(signature) = &self.access {
            url.set_query(Some(signature.query()));
        }
        url
    }
}

impl fmt::Debug for StorageConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageConnection")
            .field("account", &self.account)
            .field("endpoint", &self.endpoint())
            .field("access", &self.access_name())
            .finish()
    }
}

fn bad(problem: impl Into<String>) -> BadConnectionString {
    BadConnectionString::new(VARIABLE, problem)
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The emulator on this machine, or the one that a proxy address names.
fn development(members: &Members) -> Result<StorageConnection, BadConnectionString> {
    for name in ["AccountKey", "SharedAccessSignature", "QueueEndpoint"] {
        if members.get(name).is_some() {
            return Err(members
                .bad(format!("has both UseDevelopmentStorage and {name}: leave one of them out")));
        }
    }
    let mut endpoint = match members.get("DevelopmentStorageProxyUri") {
        Some(uri) => Url::parse(uri).ok().filter(Url::has_host),
        None => Url::parse("http://127.0.0.1").ok(),
    }
    .filter(|url| matches!(url.scheme(), "http" | "https") && !url.authority().contains('@'))
    .ok_or_else(|| members.bad("has a DevelopmentStorageProxyUri that is no http URL"))?;
    if endpoint.port().is_none() && endpoint.set_port(Some(DEVELOPMENT_PORT)).is_err() {
        return Err(members.bad("has a DevelopmentStorageProxyUri without a host"));
    }
    endpoint.set_query(None);
    endpoint.set_path(DEVELOPMENT_ACCOUNT);
    Ok(StorageConnection {
        account: DEVELOPMENT_ACCOUNT.to_owned(),
        endpoint,
        access: Access::Key(Secret::new(DEVELOPMENT_KEY)),
    })
}

/// The endpoint that follows from the account's name.
fn default_endpoint(members: &Members) -> Result<Url, BadConnectionString> {
    let Some(account) = members.get("AccountName") else {
        return Err(members.bad(
            "does not say where the queues are: add AccountName=… or QueueEndpoint=https://…",
        ));
    };
    if !account.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(members.bad(
            "has an AccountName that can't be one: names are 3 to 24 lower-case letters and digits",
        ));
    }
    let protocol = members.get("DefaultEndpointsProtocol").unwrap_or("https");
    if !["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(protocol)) {
        return Err(members.bad("has a DefaultEndpointsProtocol that is neither http nor https"));
    }
    let suffix = members.get("EndpointSuffix").unwrap_or("core.windows.net");
    let no_suffix = || members.bad("has an EndpointSuffix that is no domain, as core.windows.net");
    if !suffix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':')) {
        return Err(no_suffix());
    }
    Url::parse(&format!("{protocol}://{account}.queue.{suffix}")).map_err(|_| no_suffix())
}

/// Reads the address of a queue service, and the signature in its query.
fn endpoint(
    what: &str,
    text: &str,
    now: Timestamp,
) -> Result<(Url, Option<Signature>), BadConnectionString> {
    let wrong = |problem: &str| bad(format!("has a wrong address: {what} {problem}"));
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            wrong("is no http or https URL, as https://ACCOUNT.queue.core.windows.net")
        })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a user or password, which storage accounts don't know"));
    }
    let host = url.host_str().unwrap_or_default();
    for other in ["blob", "table", "file", "dfs"] {
        if host.contains(&format!(".{other}.")) {
            return Err(wrong(&format!("is that of the {other} service: use the queue service's")));
        }
    }
    let signature = match url.query() {
        Some(query) if !query.is_empty() => Some(Signature::parse(query, now).map_err(bad)?),
        _ => None,
    };
    let segments = url.path().split('/').filter(|segment| !segment.is_empty()).count();
    // An emulator has the account's name in the path, the service has it in the host's name.
    if segments > usize::from(!host.contains(".queue.")) {
        return Err(wrong("must not have a queue's name in it: that is a setting of its own"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok((url, signature))
}

/// The account that an address is of.
fn account_of(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    let name = match host.split_once(".queue.") {
        // Further parts name a zone or a private link.
        Some((account, _)) => account.split('.').next().unwrap_or(account),
        None => {
            Some(endpoint.path().trim_matches('/')).filter(|path| !path.is_empty()).unwrap_or(host)
        }
    };
    name.to_owned()
}

/// Whether a host is this machine or on a private network, as far as its name tells.
fn is_near(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return address.is_loopback() || address.is_private() || address.is_link_local();
    }
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        return address.is_loopback() || address.is_unique_local();
    }
    // Names of containers and of machines nearby.
    !host.contains('.')
        || [".localhost", ".local", ".internal"].iter().any(|end| host.ends_with(end))
}
