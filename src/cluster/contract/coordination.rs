//! The cases of the coordination store.

#![allow(missing_docs)] // The names of the cases say it.

use std::time::Duration;

use super::{Subject, fresh, seconds};
use crate::{
    blueprint::{NodeId, RunId, WorkerName},
    cluster::{
        Acquired, BlueprintTally, CostReport, Heartbeat, Holder, Key, Ownership, RequestUnits,
        WorkerMode,
    },
    engine::Timestamp,
};

const LONG: Duration = seconds(60);

fn node_key(name: &str) -> Key {
    Key::node_lock(&RunId::from(fresh(name)), &NodeId::from("node"))
}

fn holder(worker: &str, nonce: u64) -> Holder {
    Holder::new(&WorkerName::from(worker), nonce)
}

pub async fn a_lease_has_one_holder(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = node_key("lease");
    let (ours, theirs) = (holder("a", 1), holder("b", 1));
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    let held = Acquired::HeldBy(ours.as_str().to_owned());
    assert_eq!(store.acquire(&key, &theirs, LONG).await.unwrap(), held);
    // Another acquisition by the same worker is another holder.
    assert_eq!(store.acquire(&key, &holder("a", 2), LONG).await.unwrap(), held);
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(ours.as_str()));
    assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Ours);
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(store.acquire(&key, &theirs, LONG).await.unwrap(), Acquired::Yes);
}

pub async fn a_lease_ends_unless_renewed(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = node_key("expiry");
    let (ours, theirs) = (holder("a", 1), holder("b", 1));
    store.acquire(&key, &ours, seconds(2)).await.unwrap();
    subject.pass_seconds(3).await;
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Lost);
    assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Lost);
    assert_eq!(store.acquire(&key, &theirs, LONG).await.unwrap(), Acquired::Yes);
}

pub async fn a_renewed_lease_goes_on(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = node_key("renewed");
    let ours = holder("a", 1);
    store.acquire(&key, &ours, seconds(4)).await.unwrap();
    for _ in 0..3 {
        subject.pass_seconds(2).await;
        assert_eq!(store.renew(&key, &ours, seconds(4)).await.unwrap(), Ownership::Ours);
    }
    subject.pass_seconds(2).await;
    // Acquiring again with the same holder extends it, too.
    assert_eq!(store.acquire(&key, &ours, seconds(4)).await.unwrap(), Acquired::Yes);
    subject.pass_seconds(3).await;
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(ours.as_str()));
    subject.pass_seconds(2).await;
    assert_eq!(store.get(&key).await.unwrap(), None);
}

pub async fn a_lost_lease_is_neither_renewed_nor_released(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = node_key("lost");
    let (ours, theirs) = (holder("a", 1), holder("b", 1));
    store.acquire(&key, &ours, seconds(1)).await.unwrap();
    subject.pass_seconds(2).await;
    store.acquire(&key, &theirs, LONG).await.unwrap();
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Lost);
    assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Lost);
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(theirs.as_str()));
    assert_eq!(store.renew(&key, &theirs, LONG).await.unwrap(), Ownership::Ours);
}

pub async fn a_mark_that_is_no_workers_gives_way(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    for mark in ["locked", "", "worker", "WORKER:a#1"] {
        let key = node_key("mark");
        assert!(store.set_if_absent(&key, mark, LONG).await.unwrap());
        let ours = holder("a", 1);
        assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes, "{mark:?}");
        assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(ours.as_str()));
    }
    let key = node_key("odd worker");
    store.set_if_absent(&key, "worker:without a nonce", LONG).await.unwrap();
    assert_eq!(
        store.acquire(&key, &holder("a", 1), LONG).await.unwrap(),
        Acquired::HeldBy("worker:without a nonce".to_owned())
    );
}

pub async fn a_lock_is_broken_only_with_its_value(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = node_key("broken");
    let ours = holder("a", 1);
    assert_eq!(store.break_lock(&key, ours.as_str()).await.unwrap(), Ownership::Lost);
    store.acquire(&key, &ours, LONG).await.unwrap();
    assert_eq!(store.break_lock(&key, "worker:a#2").await.unwrap(), Ownership::Lost);
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(ours.as_str()));
    assert_eq!(store.break_lock(&key, ours.as_str()).await.unwrap(), Ownership::Ours);
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Lost);
}

pub async fn of_workers_at_once_one_gets_the_lease(subject: &Subject) {
    let key = node_key("race");
    let workers: Vec<_> = (0..50)
        .map(|number| {
            let (store, key) = (subject.cluster.coordination.clone(), key.clone());
            tokio::spawn(async move {
                store.acquire(&key, &holder(&format!("w{number}"), 1), LONG).await.unwrap()
            })
        })
        .collect();
    let mut winners = 0;
    for worker in workers {
        winners += u32::from(worker.await.unwrap() == Acquired::Yes);
    }
    assert_eq!(winners, 1);
}

pub async fn a_key_is_set_once_in_its_time(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = Key::join_lock(&RunId::from(fresh("join")), &NodeId::from("node"));
    assert!(store.set_if_absent(&key, "first", seconds(3)).await.unwrap());
    assert!(!store.set_if_absent(&key, "second", seconds(60)).await.unwrap());
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some("first"));
    // Trying in vain does not prolong it.
    subject.pass_seconds(4).await;
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert!(store.set_if_absent(&key, "third", LONG).await.unwrap());
    assert_eq!(store.get(&key).await.unwrap().as_deref(), Some("third"));
}

pub async fn counters_count_exactly(subject: &Subject) {
    let key = Key::fan_in(&RunId::from(fresh("count")), &NodeId::from("join"));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (store, key) = (subject.cluster.coordination.clone(), key.clone());
            tokio::spawn(async move { store.increment(&key, LONG).await.unwrap() })
        })
        .collect();
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<_>>());
    let value = subject.cluster.coordination.get(&key).await.unwrap();
    assert_eq!(value.as_deref(), Some("50"));
}

pub async fn a_counter_lives_from_its_last_increment(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let key = Key::fan_in(&RunId::from(fresh("ttl")), &NodeId::from("join"));
    assert_eq!(store.increment(&key, seconds(4)).await.unwrap(), 1);
    subject.pass_seconds(2).await;
    assert_eq!(store.increment(&key, seconds(4)).await.unwrap(), 2);
    subject.pass_seconds(3).await;
    assert_eq!(store.increment(&key, seconds(4)).await.unwrap(), 3);
    subject.pass_seconds(5).await;
    assert_eq!(store.increment(&key, seconds(4)).await.unwrap(), 1);
    let word = Key::blueprint(&RunId::from(fresh("word")));
    store.set_if_absent(&word, "not a number", LONG).await.unwrap();
    assert!(store.increment(&word, LONG).await.is_err());
    assert_eq!(store.get(&word).await.unwrap().as_deref(), Some("not a number"));
}

pub async fn removed_keys_are_gone(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let keys: Vec<Key> = (0..5).map(|_| node_key("removed")).collect();
    let kept = node_key("kept");
    for key in keys.iter().chain([&kept]) {
        store.set_if_absent(key, "set", LONG).await.unwrap();
    }
    let mut removed = keys.clone();
    removed.push(node_key("never there"));
    store.remove(&removed).await.unwrap();
    store.remove(&[]).await.unwrap();
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap(), None);
    }
    assert_eq!(store.get(&kept).await.unwrap().as_deref(), Some("set"));
}

pub async fn locks_are_listed_soonest_first(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let run = RunId::from(fresh("listed"));
    let node = |name: &str| Key::node_lock(&run, &NodeId::from(name));
    let now = subject.cluster.clock.now();
    store.acquire(&node("late"), &holder("w", 1), seconds(40)).await.unwrap();
    store.acquire(&node("a:b"), &holder("w", 2), seconds(20)).await.unwrap();
    store.acquire(&node("short"), &holder("w", 3), seconds(2)).await.unwrap();
    store.set_if_absent(&node("marked"), "locked", seconds(30)).await.unwrap();
    store.acquire(&Key::reconciler(), &holder("w", 4), seconds(10)).await.unwrap();
    store.set_if_absent(&Key::join_lock(&run, &NodeId::from("j")), "locked", LONG).await.unwrap();
    store.increment(&Key::fan_in(&run, &NodeId::from("j")), LONG).await.unwrap();
    subject.pass_seconds(3).await;

    let listed: Vec<_> = store
        .locks(1000)
        .await
        .unwrap()
        .into_iter()
        .filter(|lock| lock.run_id.as_ref().is_none_or(|id| *id == run))
        .collect();
    let nodes: Vec<_> = listed.iter().map(|lock| lock.node_id.as_deref()).collect();
    assert_eq!(nodes, [None, Some("a:b"), Some("marked"), Some("late")]);
    assert_eq!(listed[0].key, Key::reconciler().as_str());
    let holders: Vec<_> = listed.iter().map(|lock| lock.holder.as_deref()).collect();
    assert_eq!(holders, [Some("w"), Some("w"), None, Some("w")]);
    assert_eq!(listed[3].value, holder("w", 1).as_str());
    assert!(listed[3].expires_at.since(now + seconds(37)) < seconds(6), "{listed:?}");
    assert!(store.locks(2).await.unwrap().len() <= 2);
    assert_eq!(store.locks(0).await.unwrap(), []);
}

fn cost(nodes: u64) -> CostReport {
    let mut cost =
        CostReport { at: Timestamp::from_millis(1_700_000_000_123), ..CostReport::default() };
    cost.total.nodes = nodes;
    cost.total.request_units = Some(RequestUnits::from_hundredths(571));
    cost.overhead.requests.queue = 7;
    cost.blueprints.push(BlueprintTally { blueprint_id: "日本".into(), tally: cost.total });
    cost
}

pub async fn heartbeats_end(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let prefix = fresh("worker");
    let beat = |name: &str, done: u64| Heartbeat {
        name: WorkerName::from(format!("{prefix}-{name}")),
        host: "höst".to_owned(),
        pid: 4242,
        version: "1.2.3".to_owned(),
        started_at: Timestamp::from_seconds(1_700_000_000),
        slots: 8,
        in_flight: 3,
        done,
        mode: WorkerMode::Paused,
        sent_at: None,
        cost: Some(cost(done)),
    };
    let ours = async || -> Vec<Heartbeat> {
        let all = store.workers().await.unwrap();
        all.into_iter().filter(|worker| worker.name.starts_with(&prefix)).collect()
    };
    for name in ["c", "a", "b"] {
        store.beat(&beat(name, 1), seconds(4)).await.unwrap();
    }
    assert_eq!(ours().await, [beat("a", 1), beat("b", 1), beat("c", 1)]);
    subject.pass_seconds(2).await;
    store.beat(&beat("b", 2), seconds(4)).await.unwrap();
    store.leave(&beat("a", 1).name).await.unwrap();
    store.leave(&WorkerName::from("nobody")).await.unwrap();
    assert_eq!(ours().await, [beat("b", 2), beat("c", 1)]);
    subject.pass_seconds(3).await;
    assert_eq!(ours().await, [beat("b", 2)]);
    subject.pass_seconds(2).await;
    assert_eq!(ours().await, []);
}

pub async fn keys_and_values_may_hold_any_character(subject: &Subject) {
    let store = &*subject.cluster.coordination;
    let run = RunId::from(fresh("odd"));
    let names = ["a\0b", "a\0c", "a", "%", "_", "🦀", "'; --", "é", "e\u{301}", "A"];
    for name in names {
        let value = format!("value of {name}\0{name}");
        let key = Key::fan_in(&run, &NodeId::from(name));
        assert!(store.set_if_absent(&key, &value, LONG).await.unwrap(), "{name:?}");
        assert_eq!(store.get(&key).await.unwrap(), Some(value));
    }
    store.remove(&[Key::fan_in(&run, &NodeId::from("a\0b"))]).await.unwrap();
    assert!(store.get(&Key::fan_in(&run, &NodeId::from("a\0c"))).await.unwrap().is_some());
}
