//! Microsoft Entra ID: tokens without keys.
//!
//! The sources are asked in the order in which a machine is more likely to mean it: what is set up
//! for this very process, then the machine's own identity, then whoever has signed in on it.

use std::{
    collections::HashMap,
    error::Error as _,
    ffi::OsStr,
    fmt, io,
    process::{Output, Stdio},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{
        ClientOptions, Context, ExponentialRetryOptions, Method, Request, RetryOptions, Transport,
        Url,
    },
    time::OffsetDateTime,
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, Executor, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::transport::{Distance, transport};

/// Where an Azure machine's metadata service says that it is one: it answers 400 to a request
/// without the header that it wants. Other clouds have other services at this address.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// How long that may take: it is next door, or not there at all.
const PROBE: Duration = Duration::from_secs(1);

/// How long one source may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of what a source said is repeated, in characters.
const SAID: usize = 300;

/// A token that lives no longer than this is replaced.
const AHEAD: Duration = Duration::from_secs(300);

/// The credential of this process: the environment names it, and there is one environment.
pub(super) fn credential() -> Arc<dyn TokenCredential> {
    static CREDENTIAL: OnceLock<Arc<dyn TokenCredential>> = OnceLock::new();
    CREDENTIAL
        .get_or_init(|| {
            Arc::new(Chain::new(&Surroundings {
                variable: &|name| std::env::var(name).ok(),
                transport: None,
                executor: Arc::new(Commands),
            }))
        })
        .clone()
}

/// The object id of the identity that a token is for: the user name by which Redis knows it.
pub(super) fn object_id(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get("oid")?.as_str().map(str::to_owned)
}

/// Why there is no token, if that is what an error is about.
pub(super) fn refusal(error: &azure_core::Error) -> Option<&Refusal> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref() {
            return Some(refusal);
        }
        cause = inner.source();
    }
    None
}

/// No source gave a token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no token of Microsoft Entra ID: {}{}", List(.answers), if *.passing { "" } else { ADVICE })]
pub(super) struct Refusal {
    /// Whether trying again may help: a source is there, but does not answer at present.
    pub(super) passing: bool,
    answers: Vec<Answer>,
}

const ADVICE: &str =
    "; sign in with \"az login\", or give this machine or pod an identity of its own";

/// What one source said.
#[derive(Debug, Clone)]
struct Answer {
    source: &'static str,
    said: String,
    passing: bool,
}

struct List<'a>(&'a [Answer]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, answer) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", answer.source, answer.said)?;
        }
        Ok(())
    }
}

/// What the chain is made from.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// Instead of the real one.
    transport: Option<Transport>,
    executor: Arc<dyn Executor>,
}

impl Surroundings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The first of these variables that is not set.
    fn lacking(&self, names: &[&str]) -> Option<String> {
        let name = names.iter().find(|name| self.get(name).is_none())?;
        Some(format!("{name} is not set"))
    }
}

type Make = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

/// One way to a token.
struct Source {
    name: &'static str,
    /// Why it is out of the question here, if it is.
    lacking: Option<String>,
    /// Whether the environment names it: then no other is meant, and none is asked.
    decisive: bool,
    /// How to look first whether the machine has a metadata service, where that is to be done.
    probe: Option<Probe>,
    make: Make,
    made: OnceLock<Arc<dyn TokenCredential>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source {
    fn new(name: &'static str, lacking: Option<String>, make: Make) -> Self {
        Self { name, lacking, decisive: false, probe: None, make, made: OnceLock::new() }
    }

    async fn token(&self, scopes: &[&str]) -> Result<AccessToken, Answer> {
        let answer = |said: String, passing| Answer { source: self.name, said, passing };
        if let Some(lacking) = &self.lacking {
            return Err(answer(lacking.clone(), false));
        }
        if let Some(probe) = &self.probe
            && !probe.finds_azure().await
        {
            return Err(answer("this is no machine of Azure's".to_owned(), false));
        }
        let asking = async {
            let credential = if let Some(made) = self.made.get() {
                made
            } else {
                let made = (self.make)()?;
                self.made.get_or_init(|| made)
            };
            credential.get_token(scopes, None).await
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(answer(what_it_says(&error), is_passing(&error))),
            Err(_) => Err(answer(format!("no answer within {} s", PATIENCE.as_secs()), true)),
        }
    }
}

/// The sources in their order.
#[derive(Debug)]
struct Chain {
    sources: Vec<Source>,
    /// The one that has given a token: no other is asked from then on.
    chosen: OnceLock<usize>,
    /// By scope. Not all credentials keep theirs: the Azure CLI is a process of a second each time.
    tokens: RwLock<HashMap<String, AccessToken>>,
    /// Who waits for a token lets others wait for the same one.
    turn: tokio::sync::Mutex<()>,
}

impl Chain {
    fn new(around: &Surroundings<'_>) -> Self {
        let sources = vec![
            workload_identity(around),
            client_secret(around),
            managed_identity(around),
            azure_cli(around),
            azure_developer_cli(around),
        ];
        Self {
            sources,
            chosen: OnceLock::new(),
            tokens: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn kept(&self, scope: &str, lives_for: Duration) -> Option<AccessToken> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(scope)?;
        (token.expires_on > OffsetDateTime::now_utc() + lives_for).then(|| token.clone())
    }

    async fn ask(&self, scopes: &[&str]) -> Result<AccessToken, Refusal> {
        if let Some(source) = self.chosen.get().and_then(|place| self.sources.get(*place)) {
            return source
                .token(scopes)
                .await
                .map_err(|answer| Refusal { passing: answer.passing, answers: vec![answer] });
        }
        let mut answers = Vec::new();
        for (place, source) in self.sources.iter().enumerate() {
            match source.token(scopes).await {
                Ok(token) => {
                    tracing::info!(source = source.name, "signed in to Microsoft Entra ID");
                    self.chosen.get_or_init(|| place);
                    return Ok(token);
                }
                Err(answer) => {
                    let passing = answer.passing;
                    let last = passing || source.decisive && source.lacking.is_none();
                    answers.push(answer);
                    if last {
                        return Err(Refusal { passing, answers });
                    }
                }
            }
        }
        Err(Refusal { passing: false, answers })
    }
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.join(" ");
        if let Some(token) = self.kept(&scope, AHEAD) {
            return Ok(token);
        }
        let _turn = self.turn.lock().await;
        if let Some(token) = self.kept(&scope, AHEAD) {
            return Ok(token);
        }
        match self.ask(scopes).await {
            Ok(token) => {
                let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
                tokens.insert(scope, token.clone());
                Ok(token)
            }
            // The old one is good to its last second.
            Err(refusal) => self
                .kept(&scope, Duration::ZERO)
                .ok_or_else(|| azure_core::Error::new(ErrorKind::Credential, refusal)),
        }
    }
}

/// Kubernetes: a token that the cluster vouches for, exchanged for one of Entra's.
fn workload_identity(around: &Surroundings<'_>) -> Source {
    let names = ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
    let [file, client, tenant] = names.map(|name| around.get(name));
    let replaced = around.transport.clone();
    let make: Make = Box::new(move || {
        let made = WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions {
                client_options: options(replaced.clone(), Distance::Far)?,
            },
            client_id: client.clone(),
            tenant_id: tenant.clone(),
            token_file_path: file.clone().map(Into::into),
        }))?;
        Ok(made)
    });
    Source { decisive: true, ..Source::new("workload identity", around.lacking(&names), make) }
}

/// A service principal's password.
fn client_secret(around: &Surroundings<'_>) -> Source {
    let names = ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
    let lacking = around.lacking(&names);
    let [secret, client, tenant] = names.map(|name| around.get(name).unwrap_or_default());
    let secret = Secret::new(secret);
    let replaced = around.transport.clone();
    let make: Make = Box::new(move || {
        let options = ClientSecretCredentialOptions {
            client_options: options(replaced.clone(), Distance::Far)?,
        };
        let made =
            ClientSecretCredential::new(&tenant, client.clone(), secret.clone(), Some(options))?;
        Ok(made)
    });
    Source { decisive: true, ..Source::new("client secret", lacking, make) }
}

/// The identity of the virtual machine, app or container. `AZURE_CLIENT_ID` names one of several.
fn managed_identity(around: &Surroundings<'_>) -> Source {
    let is_set = |name: &&str| around.get(name).is_some();
    let named = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"].iter().any(is_set);
    // Of App Service's kind. Others are not supported by the SDK; the next source may do.
    let decisive = ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"].iter().all(is_set);
    let client = around.get("AZURE_CLIENT_ID");
    let replaced = around.transport.clone();
    let make: Make = Box::new(move || {
        let made = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: client.clone().map(UserAssignedId::ClientId),
            client_options: options(replaced.clone(), Distance::Near)?,
        }))?;
        Ok(made)
    });
    let probe = (!named).then(|| Probe { replaced: around.transport.clone() });
    Source { decisive, probe, ..Source::new("managed identity", None, make) }
}

/// Who has signed in with `az login`.
fn azure_cli(around: &Surroundings<'_>) -> Source {
    let executor = around.executor.clone();
    let make: Make = Box::new(move || {
        let made = AzureCliCredential::new(Some(AzureCliCredentialOptions {
            executor: Some(executor.clone()),
            ..AzureCliCredentialOptions::default()
        }))?;
        Ok(made)
    });
    Source::new("Azure CLI", None, make)
}

/// Who has signed in with `azd auth login`.
fn azure_developer_cli(around: &Surroundings<'_>) -> Source {
    let executor = around.executor.clone();
    let make: Make = Box::new(move || {
        let made = AzureDeveloperCliCredential::new(Some(AzureDeveloperCliCredentialOptions {
            executor: Some(executor.clone()),
            ..AzureDeveloperCliCredentialOptions::default()
        }))?;
        Ok(made)
    });
    Source::new("Azure Developer CLI", None, make)
}

/// Few retries: whoever wants the token tries again, and says so.
fn options(replaced: Option<Transport>, distance: Distance) -> azure_core::Result<ClientOptions> {
    let transport = replaced.map_or_else(|| transport(distance), Ok)?;
    let retry = ExponentialRetryOptions { max_retries: 2, ..ExponentialRetryOptions::default() };
    Ok(ClientOptions {
        transport: Some(transport),
        retry: RetryOptions::exponential(retry),
        ..ClientOptions::default()
    })
}

/// A look whether Azure's metadata service is there.
struct Probe {
    replaced: Option<Transport>,
}

impl Probe {
    /// Nothing waits longer than a second for it.
    async fn finds_azure(&self) -> bool {
        let Ok(url) = Url::parse(METADATA) else { return false };
        let transport = self.replaced.clone().map_or_else(|| transport(Distance::Near), Ok);
        let Ok(transport) = transport else { return false };
        let mut request = Request::new(url, Method::Get);
        let context = Context::new();
        let asking = transport.send(&context, &mut request);
        tokio::time::timeout(PROBE, asking)
            .await
            .is_ok_and(|answer| answer.is_ok_and(|answer| answer.status() == 400))
    }
}

/// The first line of what a source says, without the credential's name and links to manuals.
fn what_it_says(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    // The outer texts of a call that did not come through say no more than that.
    if is_passing(error) {
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
    }
    let mut said = text.split_once("authentication failed.").map_or(text.as_str(), |(_, s)| s);
    // The SDK wraps Entra's words in a complaint of its own if they have line breaks.
    if let Some(start) = said.find("AADSTS") {
        said = &said[start..];
    }
    let said =
        ["\\r\\n", " Trace ID:"].iter().fold(said, |s, end| s.split(end).next().unwrap_or(s));
    let line = said.trim().lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).take(SAID).collect();
    if line.is_empty() { "no reason given".to_owned() } else { line }
}

/// Whether a source may have a token a little later.
fn is_passing(error: &azure_core::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<azure_core::Error>() {
            match inner.kind() {
                ErrorKind::Connection | ErrorKind::Io => return true,
                ErrorKind::HttpResponse { status, .. } => {
                    return matches!(u16::from(*status), 408 | 429 | 500..);
                }
                _ => {}
            }
        }
        cause = inner.source();
    }
    false
}

/// Runs the command-line tools; ends one that nobody waits for any more.
#[derive(Debug)]
struct Commands;

#[async_trait]
impl Executor for Commands {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        tokio::process::Command::new(program)
            .args(args)
            // The terminal is the dashboard's.
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
    }
}

#[cfg(test)]
mod tests;
