//! The cases of the state store's status items.

#![allow(missing_docs)] // The names of the cases say it.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Subject, assert_fault, fresh};
use crate::{
    blueprint::{BlueprintId, RunId, WorkerName},
    cluster::{ChangeMark, Fault, NodeCounts, StateStore, StatusItem, StatusQuery, Version},
    engine::{RunStatus, Timestamp},
};

fn item(run: &str, blueprint: &BlueprintId, started: i64) -> StatusItem {
    StatusItem {
        run_id: RunId::from(run),
        status: Some(RunStatus::Running),
        last_updated: Timestamp::from_seconds(started),
        blueprint_id: Some(blueprint.clone()),
        started_at: Some(Timestamp::from_seconds(started)),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    }
}

fn of_blueprint(blueprint: &BlueprintId) -> StatusQuery {
    StatusQuery { blueprint: Some(blueprint.clone()), limit: 1000, ..StatusQuery::default() }
}

async fn run_ids(store: &dyn StateStore, query: &StatusQuery) -> Vec<String> {
    let page = store.list_statuses(query).await.unwrap();
    page.items.into_iter().map(|status| status.item.run_id.to_string()).collect()
}

/// Where changes that come from now on begin.
async fn current_mark(store: &dyn StateStore) -> ChangeMark {
    store.list_statuses(&StatusQuery { limit: 1, ..StatusQuery::default() }).await.unwrap().mark
}

pub async fn a_status_is_read_as_it_was_written(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from("b");
    let run = RunId::from(fresh("status"));
    assert_eq!(store.read_status(&run).await.unwrap(), None);
    let bare = StatusItem {
        status: None,
        blueprint_id: None,
        started_at: None,
        ..item(&run, &blueprint, 1_700_000_000)
    };
    let version = store.create_status(&bare).await.unwrap();
    let read = store.read_status(&run).await.unwrap().unwrap();
    assert_eq!((&read.item, &read.version), (&bare, &version));

    let full = StatusItem {
        status: Some(RunStatus::Failed),
        nodes: Some(NodeCounts { total: 3, completed: 1, failed: 2 }),
        error: Some("it's \"broken\" \0 🦀".to_owned()),
        parent_run_id: Some(RunId::from("parent")),
        next_due_at: Some(Timestamp::from_seconds(1_700_000_100)),
        worker: Some(WorkerName::from("w")),
        final_status: Some(Box::new(json!({ "status": "failed", "payload": [1, { "a": null }] }))),
        ..item(&run, &blueprint, 1_700_000_001)
    };
    let version = store.replace_status(&full, &version).await.unwrap();
    let read = store.read_status(&run).await.unwrap().unwrap();
    assert_eq!((&read.item, &read.version), (&full, &version));
}

pub async fn a_status_is_created_once(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from("b");
    let first = item(&fresh("once"), &blueprint, 1);
    store.create_status(&first).await.unwrap();
    let second = StatusItem { status: Some(RunStatus::Failed), ..first.clone() };
    assert_fault(store.create_status(&second).await, &Fault::Conflict);
    assert_eq!(store.read_status(&first.run_id).await.unwrap().unwrap().item, first);
}

pub async fn a_replacement_needs_the_current_version(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from("b");
    let created = item(&fresh("guarded"), &blueprint, 1);
    let first = store.create_status(&created).await.unwrap();
    let touched = StatusItem { last_updated: Timestamp::from_seconds(2), ..created.clone() };
    let second = store.replace_status(&touched, &first).await.unwrap();
    assert_ne!(first, second);
    for stale in [&first, &Version("999999".to_owned()), &Version("no version".to_owned())] {
        assert_fault(store.replace_status(&created, stale).await, &Fault::Conflict);
    }
    let read = store.read_status(&created.run_id).await.unwrap().unwrap();
    assert_eq!((read.item, read.version), (touched, second.clone()));

    let missing = item(&fresh("missing"), &blueprint, 1);
    assert_fault(store.replace_status(&missing, &second).await, &Fault::Conflict);
    assert_eq!(store.read_status(&missing.run_id).await.unwrap(), None);
}

pub async fn of_status_writers_at_once_one_wins(subject: &Subject) {
    let store = &subject.cluster.state;
    let created = item(&fresh("race"), &BlueprintId::from("b"), 1);
    let version = store.create_status(&created).await.unwrap();
    let writers: Vec<_> = (0..50)
        .map(|writer| {
            let (store, version) = (store.clone(), version.clone());
            let item = StatusItem { error: Some(format!("{writer}")), ..created.clone() };
            tokio::spawn(async move { (store.replace_status(&item, &version).await, item) })
        })
        .collect();
    let mut winners = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            (Ok(version), item) => winners.push((version, item)),
            (lost, _) => assert_fault(lost, &Fault::Conflict),
        }
    }
    assert_eq!(winners.len(), 1);
    let read = store.read_status(&created.run_id).await.unwrap().unwrap();
    assert_eq!((read.version, read.item), winners.remove(0));
}

pub async fn lists_begin_with_the_newest_start(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from(fresh("newest"));
    let names: Vec<String> = (0..6).map(|_| fresh("listed")).collect();
    let statuses = [RunStatus::Running, RunStatus::Completed, RunStatus::Failed];
    for (place, age, order) in [(3, 3, 0), (0, 0, 1), (5, 5, 2), (1, 1, 0), (4, 4, 1), (2, 2, 2)] {
        let mut listed = item(&names[place], &blueprint, 1_700_000_000 - age);
        listed.status = Some(statuses[order]);
        let version = store.create_status(&listed).await.unwrap();
        // Being touched does not move a run.
        listed.last_updated = Timestamp::from_seconds(1_700_001_000 + age);
        store.replace_status(&listed, &version).await.unwrap();
    }
    let unstarted = fresh("unstarted");
    store
        .create_status(&StatusItem { started_at: None, ..item(&unstarted, &blueprint, 1) })
        .await
        .unwrap();

    let query = of_blueprint(&blueprint);
    let mut expected = names.clone();
    expected.push(unstarted);
    assert_eq!(run_ids(store, &query).await, expected);
    assert_eq!(run_ids(store, &StatusQuery { limit: 2, ..query.clone() }).await, names[..2]);
    assert!(run_ids(store, &StatusQuery { limit: 0, ..query.clone() }).await.is_empty());
    let older = StatusQuery {
        started_until: Some(Timestamp::from_seconds(1_700_000_000 - 4)),
        ..query.clone()
    };
    assert_eq!(run_ids(store, &older).await, expected[4..]);
    assert_eq!(run_ids(store, &StatusQuery { limit: 1, ..older }).await, expected[4..5]);
    let statuses = vec![RunStatus::Failed, RunStatus::Completed, RunStatus::Failed];
    let ended = StatusQuery { statuses, limit: 3, ..query };
    assert_eq!(
        run_ids(store, &ended).await,
        [names[0].clone(), names[2].clone(), names[4].clone()]
    );
}

pub async fn lists_hold_what_the_query_asks_for(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from(fresh("filtered"));
    let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
    let id = fresh("run");
    let name = |number: i64| format!("{id}-{number}");
    // Newest first: 5, 4, 3, 2, 1, 0.
    for number in 0..6_i64 {
        let status = match number {
            0 | 1 => Some(RunStatus::Running),
            2 | 3 => Some(RunStatus::Awaiting),
            4 => Some(RunStatus::Completed),
            _ => None,
        };
        let listed = StatusItem {
            status,
            last_updated: at(number * 10),
            started_at: Some(at(number)),
            next_due_at: (number % 2 == 1).then(|| at(100 + number)),
            ..item(&name(number), &blueprint, 0)
        };
        store.create_status(&listed).await.unwrap();
    }
    let all = of_blueprint(&blueprint);
    let numbers = async |query: StatusQuery| -> Vec<i64> {
        let ids = run_ids(store, &query).await;
        ids.iter().map(|id| id.rsplit('-').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(numbers(all.clone()).await, [5, 4, 3, 2, 1, 0]);
    let active = vec![RunStatus::Running, RunStatus::Awaiting];
    let query = StatusQuery { statuses: active.clone(), ..all.clone() };
    assert_eq!(numbers(query).await, [3, 2, 1, 0]);
    let query = StatusQuery { touched_before: Some(at(20)), ..all.clone() };
    assert_eq!(numbers(query).await, [1, 0]);
    let query = StatusQuery { due_before: Some(at(105)), ..all.clone() };
    assert_eq!(numbers(query).await, [3, 1]);
    let query = StatusQuery {
        statuses: active.clone(),
        touched_before: Some(at(31)),
        due_before: Some(at(102)),
        ..all.clone()
    };
    assert_eq!(numbers(query).await, [1]);
    let query = StatusQuery { statuses: active, blueprint: None, limit: 1000, ..all.clone() };
    let ids = run_ids(store, &query).await;
    assert!((0..4).all(|number| ids.contains(&name(number))));
    assert!((4..6).all(|number| !ids.contains(&name(number))));
    let query = StatusQuery {
        statuses: vec![RunStatus::Awaiting, RunStatus::Awaiting],
        blueprint: None,
        limit: 1000,
        ..StatusQuery::default()
    };
    let ids = run_ids(store, &query).await;
    assert_eq!(ids.iter().filter(|id| **id == name(2)).count(), 1);
    let query = of_blueprint(&BlueprintId::from(fresh("no such blueprint")));
    assert_eq!(numbers(query).await, [0; 0]);
}

pub async fn changes_are_listed_oldest_first(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from(fresh("changes"));
    let names: Vec<String> = (0..5).map(|_| fresh("run")).collect();
    let mut versions = Vec::new();
    for name in &names {
        versions.push(store.create_status(&item(name, &blueprint, 1)).await.unwrap());
    }
    let mark = current_mark(store).await;
    for place in [3, 0, 4] {
        let touched = StatusItem {
            last_updated: Timestamp::from_seconds(5),
            status: Some(RunStatus::Awaiting),
            ..item(&names[place], &blueprint, 1)
        };
        store.replace_status(&touched, &versions[place]).await.unwrap();
        subject.pass_seconds(1).await;
    }
    let query = StatusQuery { changed_after: Some(mark), ..of_blueprint(&blueprint) };
    let page = store.list_statuses(&query).await.unwrap();
    let changed: Vec<_> = page.items.iter().map(|status| &*status.item.run_id).collect();
    // Items at the place of the mark may be listed again; they come first.
    let new = &changed[changed.len() - 3..];
    assert_eq!(new, [&names[3], &names[0], &names[4]]);
    assert!(page.mark > mark);
    let query = StatusQuery { statuses: vec![RunStatus::Running], ..query };
    let running = run_ids(store, &query).await;
    assert!(![3, 0, 4].iter().any(|place| running.contains(&names[*place])));
}

pub async fn marks_never_miss_a_change(subject: &Subject) {
    let store = &subject.cluster.state;
    let blueprint = BlueprintId::from(fresh("missed"));
    let first_mark = current_mark(&**store).await;
    let writers: Vec<_> = (0..10)
        .map(|writer| {
            let (store, blueprint) = (store.clone(), blueprint.clone());
            tokio::spawn(async move {
                let mut item = item(&fresh(&format!("writer{writer}")), &blueprint, 1);
                let mut version = store.create_status(&item).await.unwrap();
                for touch in 2..22 {
                    item.last_updated = Timestamp::from_seconds(touch);
                    version = store.replace_status(&item, &version).await.unwrap();
                    tokio::task::yield_now().await;
                }
                (item.run_id, item.last_updated)
            })
        })
        .collect();

    let mut seen = BTreeMap::new();
    let mut mark = first_mark;
    let mut reread = async || {
        let query = StatusQuery { changed_after: Some(mark), ..of_blueprint(&blueprint) };
        let page = store.list_statuses(&query).await.unwrap();
        assert!(page.mark >= mark, "marks only grow");
        let advanced = page.mark > mark;
        mark = page.mark;
        for status in page.items {
            seen.insert(status.item.run_id, status.item.last_updated);
        }
        advanced
    };
    while writers.iter().any(|writer| !writer.is_finished()) {
        reread().await;
        tokio::task::yield_now().await;
    }
    while reread().await {}
    let mut written = BTreeMap::new();
    for writer in writers {
        let (run, touched) = writer.await.unwrap();
        written.insert(run, touched);
    }
    assert_eq!(seen, written);
}

pub async fn small_pages_of_changes_miss_nothing(subject: &Subject) {
    let store = &*subject.cluster.state;
    let blueprint = BlueprintId::from(fresh("pages"));
    let other = BlueprintId::from(fresh("other"));
    let first_mark = current_mark(store).await;
    let names: Vec<String> = (0..20).map(|_| fresh("run")).collect();
    for name in &names {
        store.create_status(&item(name, &blueprint, 1)).await.unwrap();
        store.create_status(&item(&fresh("between"), &other, 1)).await.unwrap();
    }
    for limit in [1, 3, 20, 21] {
        let mut listed = Vec::new();
        let mut mark = first_mark;
        loop {
            let changed_after = Some(mark);
            let query = StatusQuery { changed_after, limit, ..of_blueprint(&blueprint) };
            let page = store.list_statuses(&query).await.unwrap();
            assert!(page.items.len() <= limit);
            listed.extend(page.items.into_iter().map(|status| status.item.run_id.to_string()));
            if page.mark == mark {
                break;
            }
            mark = page.mark;
        }
        assert_eq!(listed, names, "each once, in pages of {limit}");
        assert_eq!(mark, current_mark(store).await);
    }
}
