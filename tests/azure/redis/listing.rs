//! What listing finds, and what it and leases cost.

use std::{collections::BTreeMap, time::Duration};

use flowcraft_tui::{
    blueprint::WorkerName,
    cluster::{Acquired, CoordinationStore as _, Heartbeat, Key, Ownership, WorkerMode},
    engine::Timestamp,
};

use super::{LONG, holder, node, server::Server, store};

fn heartbeat(name: &str) -> Heartbeat {
    Heartbeat {
        name: WorkerName::from(name),
        host: "h".to_owned(),
        pid: 1,
        version: "1".to_owned(),
        started_at: Timestamp::from_seconds(1_700_000_000),
        slots: 1,
        in_flight: 0,
        done: 0,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    }
}

/// How often each command was called since the last time.
async fn calls(server: &Server) -> BTreeMap<String, u64> {
    let info: String = server.tell("INFO commandstats").await;
    let _: String = server.tell("CONFIG RESETSTAT").await;
    info.lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let count = rest.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), count))
        })
        // Those of connecting, of this function, and of scripts.
        .filter(|(name, _)| !["info", "config|resetstat", "cluster|slots"].contains(&name.as_str()))
        .filter(|(name, _)| !["client|setinfo", "select", "command"].contains(&name.as_str()))
        .filter(|(name, _)| !["get", "set", "del", "pttl", "client"].contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn marks_of_javascript_workers_are_found_and_give_way() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let _: String = server.tell("SET flowcraft:nodelock:run:a locked EX 120 NX").await;
    let _: i64 = server.tell("INCR flowcraft:fanin:run:j").await;
    let _: i64 = server.tell("EXPIRE flowcraft:fanin:run:j 3600").await;
    let listed = store.locks(10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].value.as_str(), listed[0].holder.as_ref()), ("locked", None));
    assert_eq!(store.acquire(&node("a"), &holder("w"), LONG).await.unwrap(), Acquired::Yes);
    assert_eq!(
        store.acquire(&node("a"), &holder("other"), LONG).await.unwrap(),
        Acquired::HeldBy(holder("w").as_str().to_owned())
    );
    assert_eq!(store.release(&node("a"), &holder("w")).await.unwrap(), Ownership::Ours);
    assert_eq!(store.locks(10).await.unwrap(), []);
    let counter = Key::fan_in(&"run".into(), &"j".into());
    assert_eq!(store.increment(&counter, LONG).await.unwrap(), 2);
    let _: String = server.tell("SET flowcraft:nodelock:run:forever worker:x#1").await;
    let listed = store.locks(10).await.unwrap();
    assert!(listed[0].expires_at > Timestamp::from_seconds(4_000_000_000), "{listed:?}");
}

#[tokio::test]
async fn a_lease_costs_one_command_to_take_and_one_to_give_back() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    store.acquire(&node("first"), &holder("w"), LONG).await.unwrap();
    store.release(&node("first"), &holder("w")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    calls(&server).await;
    for number in 0..100 {
        let key = node(&number.to_string());
        store.acquire(&key, &holder("w"), LONG).await.unwrap();
        store.release(&key, &holder("w")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let calls = calls(&server).await;
    assert_eq!(calls["evalsha"], 200, "{calls:?}");
    let index: u64 = calls.iter().filter(|(name, _)| *name != "evalsha").map(|(_, n)| n).sum();
    assert!(index <= 8, "{calls:?}");
}

#[tokio::test]
async fn leases_that_last_are_in_the_index_until_they_end() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    for number in 0..20 {
        store.acquire(&node(&number.to_string()), &holder("w"), LONG).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let indexed: u64 = server.tell("ZCARD flowcraft:locks").await;
    assert_eq!(indexed, 20);
    for number in 0..19 {
        store.release(&node(&number.to_string()), &holder("w")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let indexed: Vec<String> = server.tell("ZRANGE flowcraft:locks 0 -1").await;
    assert_eq!(indexed, [node("19").as_str()]);
    // What ended without a word is taken out by those who list.
    let _: i64 = server.tell("DEL flowcraft:nodelock:run:19").await;
    assert_eq!(store.locks(10).await.unwrap(), []);
    let indexed: u64 = server.tell("ZCARD flowcraft:locks").await;
    assert_eq!(indexed, 0);
}

#[tokio::test]
async fn what_listing_costs_does_not_depend_on_other_keys() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    for number in 0..10 {
        store.acquire(&node(&number.to_string()), &holder("w"), LONG).await.unwrap();
    }
    store.beat(&heartbeat("w"), LONG).await.unwrap();
    for others in [10_000, 90_000] {
        let fill = "for i = 1, ARGV[1] do redis.call('SET', ARGV[1] .. i, 'x') end";
        let mut connection = server.raw().await;
        redis::cmd("EVAL").arg(fill).arg(0).arg(others).exec_async(&mut connection).await.unwrap();
        // The first time there is a connection to make and a script to send.
        store.locks(100).await.unwrap();
        calls(&server).await;
        for _ in 0..5 {
            assert_eq!(store.locks(100).await.unwrap().len(), 10);
            assert_eq!(store.workers().await.unwrap().len(), 1);
        }
        let mut cost = calls(&server).await;
        // At most four and one of them a time; less where the search comes to its end.
        let searched = cost.remove("scan").unwrap_or_default();
        assert!((20..=25).contains(&searched), "{searched}");
        // A look at each of ten leases and the reconciler's.
        let expected = [("evalsha", 55), ("hgetall", 5), ("zrange", 5), ("zrevrange", 5)];
        assert_eq!(cost, expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}

#[tokio::test]
async fn calls_in_a_row_search_all_keys() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    let fill = "for i = 1, 20000 do redis.call('SET', 'other' .. i, 'x') end
        for i = 1, 20 do redis.call('SET', 'flowcraft:nodelock:run:' .. i, 'locked', 'EX', 100) end
        redis.call('HSET', 'flowcraft:worker:unlisted', 'slots', 3)
        redis.call('EXPIRE', 'flowcraft:worker:unlisted', 100)";
    redis::cmd("EVAL").arg(fill).arg(0).exec_async(&mut server.raw().await).await.unwrap();
    let mut found = Vec::new();
    for _ in 0..10 {
        found.push(store.locks(100).await.unwrap().len());
    }
    assert!(found.windows(2).all(|pair| pair[0] <= pair[1]), "{found:?}");
    assert_eq!(found.last(), Some(&20), "{found:?}");
    let mut workers = Vec::new();
    for _ in 0..25 {
        workers = store.workers().await.unwrap();
    }
    assert_eq!(workers.len(), 1, "{workers:?}");
    assert_eq!((&*workers[0].name, workers[0].slots), ("unlisted", 3));
    let _: i64 = server.tell("DEL flowcraft:worker:unlisted").await;
    assert_eq!(store.workers().await.unwrap(), []);
}

#[tokio::test]
async fn workers_are_found_without_their_index() {
    let Some(server) = Server::start(&[]).await else { return };
    let store = store(&server.url());
    store.beat(&heartbeat("a:b"), LONG).await.unwrap();
    let fields: BTreeMap<String, String> = server.tell("HGETALL flowcraft:worker:a:b").await;
    assert_eq!((fields["slots"].as_str(), fields["paused"].as_str()), ("1", "0"));
    let _: i64 = server.tell("DEL flowcraft:workers").await;
    assert_eq!(store.workers().await.unwrap(), [heartbeat("a:b")]);
    store.beat(&heartbeat("a:b"), LONG).await.unwrap();
    let _: i64 = server.tell("DEL flowcraft:worker:a:b").await;
    assert_eq!(store.workers().await.unwrap(), []);
    let indexed: u64 = server.tell("ZCARD flowcraft:workers").await;
    assert_eq!(indexed, 0);
}
