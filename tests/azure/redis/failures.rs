//! Servers that die, hang, forget, or become replicas.

use std::time::{Duration, Instant};

use flowcraft_tui::cluster::{Acquired, CoordinationStore as _, Fault, Key, Ownership};
use futures::future::join_all;

use super::{LONG, assert_failed, holder, node, relay::Relay, server::Server, store, works_again};

const UNAVAILABLE: Fault = Fault::Unavailable;

#[tokio::test]
async fn a_server_that_comes_back_empty_has_lost_the_leases() {
    let Some(mut server) = Server::start(&[]).await else { return };
    let (store, key, ours) = (store(&server.url()), node("a"), holder("w"));
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    server.kill();
    let started = Instant::now();
    let words = ["take the lease", &server.port().to_string(), "nothing listens there"];
    assert_failed(store.acquire(&key, &ours, LONG).await, &UNAVAILABLE, &words);
    assert_failed(store.locks(10).await, &UNAVAILABLE, &[]);
    assert!(started.elapsed() < Duration::from_secs(1));
    server.run().await;
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Lost);
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    assert_eq!(store.locks(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_starts_later_is_found() {
    let Some(mut server) = Server::start(&[]).await else { return };
    server.kill();
    let store = store(&server.url());
    assert_failed(store.get(&node("a")).await, &UNAVAILABLE, &[]);
    server.run().await;
    assert_eq!(store.get(&node("a")).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up_for_long() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();
    server.pause();
    for _ in 0..2 {
        // The first time the connection is there, the second time there is none.
        let started = Instant::now();
        let keys: Vec<_> = (0..20).map(|number| node(&number.to_string())).collect();
        let ours = holder("w");
        let (taken, locks, workers) = tokio::join!(
            join_all(keys.iter().map(|key| store.acquire(key, &ours, LONG))),
            store.locks(10),
            store.workers(),
        );
        for result in taken {
            assert_failed(result, &UNAVAILABLE, &["no answer"]);
        }
        assert_failed(locks, &UNAVAILABLE, &["no answer"]);
        assert_failed(workers, &UNAVAILABLE, &["no answer"]);
        assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    }
    server.resume();
    works_again(&store).await;
    assert_eq!(store.renew(&node("a"), &holder("w"), LONG).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn a_connection_that_was_closed_is_made_again_unnoticed() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let (key, ours) = (node("a"), holder("w"));
    store.acquire(&key, &ours, LONG).await.unwrap();
    for _ in 0..5 {
        let _: i64 = server.tell("CLIENT KILL TYPE normal SKIPME yes").await;
        assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Ours);
    }
    assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn what_is_done_twice_at_no_harm_is_done_again_when_its_answer_is_lost() {
    let Some(server) = Server::start(&[]).await else { return };
    let relay = Relay::to(server.port()).await;
    let store = store(&relay.url());
    let (key, ours) = (node("a"), holder("w"));
    // The connection and the scripts are there.
    store.acquire(&key, &ours, LONG).await.unwrap();
    store.release(&key, &ours).await.unwrap();
    relay.lose_next_answer();
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    assert!(relay.has_lost());
    relay.lose_next_answer();
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(ours.as_str()));
    assert!(relay.has_lost());
}

#[tokio::test]
async fn what_counts_is_not_done_again_when_its_answer_is_lost() {
    let Some(server) = Server::start(&[]).await else { return };
    let relay = Relay::to(server.port()).await;
    let store = store(&relay.url());
    let counter = Key::fan_in(&"run".into(), &"join".into());
    assert_eq!(store.increment(&counter, LONG).await.unwrap(), 1);
    relay.lose_next_answer();
    assert_failed(store.increment(&counter, LONG).await, &UNAVAILABLE, &["count up"]);
    assert!(relay.has_lost());
    assert_eq!(store.increment(&counter, LONG).await.unwrap(), 3);
    let seen = Key::fan_in_seen(&"run".into(), &"join".into(), &"a".into(), 0);
    relay.lose_next_answer();
    assert_failed(store.set_if_absent(&seen, "1", LONG).await, &UNAVAILABLE, &[]);
    assert!(!store.set_if_absent(&seen, "1", LONG).await.unwrap());
}

#[tokio::test]
async fn a_replica_is_left_for_the_primary() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let (key, ours) = (node("a"), holder("w"));
    store.acquire(&key, &ours, LONG).await.unwrap();
    let _: String = server.tell("REPLICAOF 127.0.0.1 1").await;
    assert_failed(store.renew(&key, &ours, LONG).await, &UNAVAILABLE, &["replica"]);
    let _: String = server.tell("REPLICAOF NO ONE").await;
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn the_next_host_is_tried_where_one_is_a_replica_or_gone() {
    let Some(mut first) = Server::start(&[]).await else { return };
    let Some(second) = Server::start(&[]).await else { return };
    let store = store(&format!("redis://127.0.0.1:{},127.0.0.1:{}", first.port(), second.port()));
    store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();
    let kept: i64 = first.tell("EXISTS flowcraft:nodelock:run:a").await;
    assert_eq!(kept, 1);
    let _: String = first.tell("REPLICAOF 127.0.0.1 1").await;
    store.acquire(&node("b"), &holder("w"), LONG).await.unwrap();
    let kept: i64 = second.tell("EXISTS flowcraft:nodelock:run:b").await;
    assert_eq!(kept, 1);
    first.kill();
    let _: i64 = second.tell("CLIENT KILL TYPE normal SKIPME yes").await;
    assert_eq!(store.renew(&node("b"), &holder("w"), LONG).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let (key, ours) = (node("a"), holder("w"));
    for _ in 0..2 {
        store.acquire(&key, &ours, LONG).await.unwrap();
        let _: String = server.tell("SCRIPT FLUSH").await;
        assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Ours);
        let _: String = server.tell("SCRIPT FLUSH").await;
        assert_eq!(store.locks(10).await.unwrap().len(), 1);
        assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Ours);
    }
    let _: String = server.tell("SCRIPT FLUSH").await;
    let counter = Key::fan_in(&"run".into(), &"join".into());
    assert_eq!(store.increment(&counter, LONG).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_memory_or_too_many_clients_slow_us_down() {
    let throttled = Fault::Throttled { retry_after: None };
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let _: String = server.tell("CONFIG SET maxmemory 1").await;
    let full = store.acquire(&node("a"), &holder("w"), LONG).await;
    assert_failed(full, &throttled, &["memory is full"]);
    let counter = Key::fan_in(&"run".into(), &"join".into());
    assert_failed(store.increment(&counter, LONG).await, &throttled, &["memory is full"]);
    let _: String = server.tell("CONFIG SET maxmemory 0").await;
    store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();

    let mut crowd = Vec::new();
    let _: String = server.tell("CONFIG SET maxclients 5").await;
    for _ in 0..4 {
        crowd.push(server.raw().await);
    }
    let newcomer = super::store(&server.url());
    let error = newcomer.get(&node("a")).await.unwrap_err();
    // The server may close the connection before its reason is read.
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn what_is_no_lock_is_left_alone() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let _: i64 = server.tell("HSET flowcraft:nodelock:run:a field value").await;
    let result = store.acquire(&node("a"), &holder("w"), LONG).await;
    assert_failed(result, &Fault::Corrupt, &["something else"]);
    assert_eq!(store.locks(10).await.unwrap(), []);
    let _: i64 = server.tell("HSET flowcraft:fanin:run:j field value").await;
    let result = store.increment(&Key::fan_in(&"run".into(), &"j".into()), LONG).await;
    assert_failed(result, &Fault::Corrupt, &["something else"]);
}
