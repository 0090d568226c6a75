//! Passwords, permissions and TLS.

use flowcraft_tui::cluster::{
    Acquired, CoordinationStore as _, Fault, RedisConnection, RedisCoordinationStore,
};

use super::{LONG, assert_failed, holder, node, server::Server, store};
use crate::services::services;

#[tokio::test]
async fn a_wrong_password_is_refused_without_naming_it() {
    let Some(server) = Server::start(&["--requirepass", "sesame"]).await else { return };
    let port = server.port();
    for url in [
        format!("redis://:hunter2@127.0.0.1:{port}"),
        format!("redis://nobody:hunter2@127.0.0.1:{port}"),
        format!("redis://:hunter2@127.0.0.1:{port}?protocol=resp3"),
        format!("127.0.0.1:{port},password=hunter2"),
    ] {
        let result = store(&url).acquire(&node("a"), &holder("w"), LONG).await;
        let error = result.as_ref().map_err(ToString::to_string);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_failed(result, &Fault::Refused, &["user or password is wrong"]);
    }
    let none = store(&server.url());
    let result = none.acquire(&node("a"), &holder("w"), LONG).await;
    assert_failed(result, &Fault::Refused, &["it wants a password"]);
    assert_failed(none.locks(10).await, &Fault::Refused, &["it wants a password"]);

    let right = store(&format!("127.0.0.1:{port},password=sesame,abortConnect=False"));
    assert_eq!(right.acquire(&node("a"), &holder("w"), LONG).await.unwrap(), Acquired::Yes);
}

#[tokio::test]
async fn a_password_that_nobody_wants_is_said_so() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&format!("redis://:hunter2@127.0.0.1:{}", server.port()));
    let result = store.get(&node("a")).await;
    assert_failed(result, &Fault::Refused, &["without any password configured"]);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_so() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&format!("{}/99", server.url()));
    assert_failed(store.get(&node("a")).await, &Fault::Refused, &["DB index is out of range"]);
}

#[tokio::test]
async fn missing_permissions_are_named() {
    let Some(server) = Server::start(&[]).await else { return };
    for (rules, words) in [
        ("~* +@all -eval -evalsha", ["EVALSHA", "+evalsha"]),
        ("~* +@all -eval", ["EVAL", "+eval"]),
        ("~other:* +@all", ["these keys", "~flowcraft:*"]),
        ("~* +@all -set", ["lacks a permission", "EVALSHA"]),
    ] {
        let _: i64 = server.tell("ACL DELUSER limited").await;
        let _: String = server.tell("SCRIPT FLUSH").await;
        let _: String = server.tell(&format!("ACL SETUSER limited on >sesame {rules}")).await;
        let store = store(&format!("redis://limited:sesame@127.0.0.1:{}", server.port()));
        let result = store.acquire(&node("a"), &holder("w"), LONG).await;
        assert_failed(result, &Fault::Refused, &words);
    }
    // All that the store needs on a single server.
    let _: String = server
        .tell(
            "ACL SETUSER enough on >sesame resetkeys ~flowcraft:* -@all +@read +@write +eval \
             +evalsha +info +time +ping",
        )
        .await;
    let store = store(&format!("redis://enough:sesame@127.0.0.1:{}", server.port()));
    store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();
    assert_eq!(store.locks(10).await.unwrap().len(), 1);
    assert_eq!(store.workers().await.unwrap(), []);
    let check = store.check().await.unwrap();
    assert_eq!(check.primaries, None);
}

#[tokio::test]
async fn certificates_are_checked() {
    let Some(services) = services() else { return };
    // The system does not know who signed it.
    let url = services.text("/redisTls/url");
    assert_failed(store(url).get(&node("a")).await, &Fault::Refused, &["no TLS connection"]);
    // The port speaks TLS, the connection string does not.
    let plain = url.replace("rediss://", "redis://");
    let result = store(&plain).get(&node("a")).await;
    assert_failed(result, &Fault::Unavailable, &["does this port want TLS"]);
    // And the other way round.
    let no_tls = services.text("/redis/url").replace("redis://", "rediss://");
    let result = store(&no_tls).get(&node("a")).await;
    assert_failed(result, &Fault::Unavailable, &["does this port have TLS"]);
}

#[tokio::test]
async fn a_check_tells_what_there_is() {
    let Some(services) = services() else { return };
    let single = store(services.text("/redis/url")).check().await.unwrap();
    assert!(single.version.as_deref().is_some_and(|version| version.contains('.')), "{single:?}");
    assert_eq!((single.primaries, single.tls), (None, false));
    assert!(single.clock_ahead_millis.is_some_and(|ahead| ahead.abs() < 1000), "{single:?}");
    assert_eq!((single.eviction.as_deref(), &single.warnings[..]), (Some("noeviction"), &[][..]));

    let cluster = store(services.text("/redisCluster/url")).check().await.unwrap();
    assert_eq!(cluster.primaries, Some(3));
    let connection = RedisConnection::parse(services.text("/redisTls/url")).unwrap();
    let certificates = std::fs::read(services.text("/redisTls/caFile")).unwrap();
    let connection = connection.with_root_certificates(certificates);
    let tls = RedisCoordinationStore::new(connection, None).check().await.unwrap();
    assert!(tls.tls && tls.warnings.is_empty(), "{tls:?}");

    let Some(server) = Server::start(&["--maxmemory-policy", "allkeys-lru"]).await else { return };
    let evicting = store(&server.url()).check().await.unwrap();
    assert!(evicting.warnings[0].contains("allkeys-lru"), "{evicting:?}");
    let _: String = server.tell("ACL SETUSER default -eval").await;
    assert_failed(store(&server.url()).check().await, &Fault::Refused, &["EVAL"]);
    drop(server);
}
