//! The coordination store in Redis.

mod access;
mod contract;
mod failures;
mod identity;
mod listing;
mod moving;
mod relay;
mod server;

use std::time::{Duration, Instant};

use flowcraft_tui::{
    blueprint::{NodeId, RunId, WorkerName},
    cluster::{
        ClusterError, CoordinationStore as _, Fault, Holder, Key, RedisConnection,
        RedisCoordinationStore, Result,
    },
};

const LONG: Duration = Duration::from_secs(60);

/// A store that has a second to connect and a second for each answer.
fn store(url: &str) -> RedisCoordinationStore {
    let connection = RedisConnection::parse(url).unwrap();
    let second = Duration::from_secs(1);
    RedisCoordinationStore::new(connection, None).with_timeouts(second, second)
}

fn node(name: &str) -> Key {
    Key::node_lock(&RunId::from("run"), &NodeId::from(name))
}

fn holder(worker: &str) -> Holder {
    Holder::new(&WorkerName::from(worker), 1)
}

/// A failure of what must fail, with its fault and some words of its text.
#[track_caller]
fn assert_failed<T: std::fmt::Debug>(result: Result<T>, fault: &Fault, words: &[&str]) {
    let error: ClusterError = result.expect_err("it should fail");
    assert_eq!(error.fault, *fault, "{error}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

/// Tries until it works, for ten seconds.
async fn works_again(store: &RedisCoordinationStore) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if store.get(&node("any")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}", store.get(&node("any")).await);
}
