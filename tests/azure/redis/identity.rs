//! Microsoft Entra ID: a user whose password is a token that changes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use flowcraft_tui::cluster::{
    Acquired, CoordinationStore as _, Fault, Ownership, RedisConnection, RedisCoordinationStore,
    RedisIdentity,
};

use super::{LONG, assert_failed, holder, node, server::Server};

/// Gives out the token of the moment.
#[derive(Debug)]
struct Tokens {
    token: Mutex<Option<&'static str>>,
    life: Duration,
    asked: AtomicU32,
}

impl Tokens {
    fn new(token: &'static str, life: Duration) -> Arc<Self> {
        Arc::new(Self { token: Mutex::new(Some(token)), life, asked: AtomicU32::new(0) })
    }

    fn set(&self, token: Option<&'static str>) {
        *self.token.lock().unwrap() = token;
    }
}

#[async_trait::async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://redis.azure.com/.default"]);
        self.asked.fetch_add(1, Ordering::Relaxed);
        match *self.token.lock().unwrap() {
            Some(token) => Ok(AccessToken::new(token, OffsetDateTime::now_utc() + self.life)),
            None => Err(azure_core::Error::with_message(ErrorKind::Credential, "not signed in")),
        }
    }
}

/// A token of these tests is the object id and a number.
fn object_id(token: &str) -> Option<String> {
    Some(token.split_once('.')?.0.to_owned())
}

fn store(server: &Server, more: &str, tokens: &Arc<Tokens>) -> RedisCoordinationStore {
    let text = format!("127.0.0.1:{},entraId=true{more}", server.port());
    let connection = RedisConnection::parse(&text).unwrap();
    RedisCoordinationStore::new(connection, Some(RedisIdentity::new(tokens.clone(), object_id)))
}

/// A server that only lets in the user of a token.
async fn server(token: &str) -> Option<Server> {
    let server = Server::start(&[]).await?;
    allow(&server, token).await;
    Some(server)
}

/// Has the user's password be this token, and none but this.
async fn allow(server: &Server, token: &str) {
    let rules = format!("ACL SETUSER oid on resetpass >{token} ~* +@all");
    let _: String = server.tell(&rules).await;
}

/// How often somebody identified, and how often in vain.
async fn logins(server: &Server) -> (u64, u64) {
    let info: String = server.tell("INFO commandstats").await;
    let line = info.lines().find(|line| line.starts_with("cmdstat_auth:")).unwrap_or_default();
    let field = |name: &str| {
        let value = line.split([':', ',']).find_map(|field| field.strip_prefix(name));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    (field("calls="), field("failed_calls="))
}

#[tokio::test]
async fn a_token_lets_us_in_and_the_next_one_after_a_break() {
    let Some(server) = server("oid.1").await else { return };
    let tokens = Tokens::new("oid.1", LONG);
    let store = store(&server, "", &tokens);
    assert_eq!(store.acquire(&node("a"), &holder("w"), LONG).await.unwrap(), Acquired::Yes);
    let users: String = server.tell("CLIENT LIST TYPE normal").await;
    assert!(users.contains("user=oid"), "{users}");
    allow(&server, "oid.2").await;
    tokens.set(Some("oid.2"));
    let _: i64 = server.tell("CLIENT KILL USER oid").await;
    assert_eq!(store.renew(&node("a"), &holder("w"), LONG).await.unwrap(), Ownership::Ours);
    assert_eq!(logins(&server).await.1, 0);
}

#[tokio::test]
async fn a_live_connection_gets_the_next_token_before_the_first_ends() {
    let Some(server) = server("oid.1").await else { return };
    let tokens = Tokens::new("oid.1", Duration::from_secs(4));
    let store = store(&server, "", &tokens);
    store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();
    let before = logins(&server).await;
    allow(&server, "oid.2").await;
    tokens.set(Some("oid.2"));
    tokio::time::sleep(Duration::from_millis(3700)).await;
    let after = logins(&server).await;
    assert!(after.0 > before.0, "{before:?} {after:?}");
    assert_eq!(after.1, 0, "no token is presented that is not valid any more");
    assert_eq!(store.renew(&node("a"), &holder("w"), LONG).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn the_user_of_the_connection_string_wins() {
    let Some(server) = server("secret.1").await else { return };
    let store = store(&server, ",user=oid", &Tokens::new("secret.1", LONG));
    assert_eq!(store.acquire(&node("a"), &holder("w"), LONG).await.unwrap(), Acquired::Yes);
}

#[tokio::test]
async fn what_keeps_us_out_is_said_without_the_token() {
    let Some(server) = server("oid.1").await else { return };
    let tokens = Tokens::new("oid.hunter2", LONG);
    let result = store(&server, "", &tokens).get(&node("a")).await;
    assert!(!format!("{result:?}").contains("hunter2"));
    assert_failed(result, &Fault::Refused, &["does not let this identity in", "access policy"]);

    tokens.set(Some("no object id"));
    let result = store(&server, "", &tokens).get(&node("a")).await;
    assert_failed(result, &Fault::Refused, &["names no object id"]);

    tokens.set(None);
    let waiting = store(&server, "", &tokens);
    let result = waiting.get(&node("a")).await;
    assert_failed(result, &Fault::Unavailable, &["no token", "az login", "not signed in"]);
    tokens.set(Some("oid.1"));
    assert_eq!(waiting.get(&node("a")).await.unwrap(), None);

    let text = format!("127.0.0.1:{},entraId=true", server.port());
    let nobody = RedisCoordinationStore::new(RedisConnection::parse(&text).unwrap(), None);
    assert_failed(nobody.get(&node("a")).await, &Fault::Refused, &["az login"]);
}

#[tokio::test]
async fn a_token_lets_us_into_all_nodes_of_a_cluster() {
    let Some(nodes) = super::moving::cluster().await else { return };
    for server in &nodes {
        allow(server, "oid.1").await;
    }
    let store = store(&nodes[0], "", &Tokens::new("oid.1", LONG));
    for number in 0..20 {
        let key = node(&number.to_string());
        assert_eq!(store.acquire(&key, &holder("w"), LONG).await.unwrap(), Acquired::Yes);
    }
    for server in &nodes {
        let users: String = server.tell("CLIENT LIST TYPE normal").await;
        assert!(users.contains("user=oid"), "{users}");
    }
}
