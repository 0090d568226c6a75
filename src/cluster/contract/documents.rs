//! The cases of the state store's documents.

#![allow(missing_docs)] // The names of the cases say it.

use std::sync::Arc;

use serde_json::json;

use super::{
    Subject, assert_fault, fresh,
    random::{Numbers, RandomOps, applied, assert_same, empty_document, plain_head, set},
};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Fault, ReadDocument, StateStore, Version},
    engine::{Entry, Head, NodeState, Op, RunDocument},
};

fn document(ops: &[Op]) -> RunDocument {
    applied(&empty_document(), ops)
}

fn ready_node(name: &str) -> Op {
    let entry = Entry { state: NodeState::Ready, ..Entry::default() };
    Op::Node(NodeId::from(name), Arc::new(entry))
}

async fn whole(store: &dyn StateStore, run: &RunId) -> (RunDocument, Version) {
    match store.read_document(run, None).await.unwrap() {
        ReadDocument::Whole(document, version) => (*document, version),
        other => panic!("expected the whole document, got {other:?}"),
    }
}

pub async fn a_document_is_read_as_it_was_created(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("created"));
    assert!(matches!(store.read_document(&run, None).await.unwrap(), ReadDocument::Missing));
    let version = Version("1".to_owned());
    let read = store.read_document(&run, Some(&version)).await.unwrap();
    assert!(matches!(read, ReadDocument::Missing));

    let created = document(&[
        set("number", json!(1.5)),
        set("_outputs.a", json!({ "b": [1, null, "c"], "a": (1_u64 << 53) })),
        ready_node("a"),
    ]);
    let version = store.create_document(&run, &created).await.unwrap();
    let (read, read_version) = whole(store, &run).await;
    assert_same(&read, &created);
    assert_eq!(read_version, version);

    let empty_run = RunId::from(fresh("empty"));
    store.create_document(&empty_run, &document(&[])).await.unwrap();
    assert_same(&whole(store, &empty_run).await.0, &document(&[]));
}

pub async fn a_document_is_created_once(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("once"));
    let first = document(&[set("who", json!("first"))]);
    store.create_document(&run, &first).await.unwrap();
    let second = document(&[set("who", json!("second")), set("more", json!(1))]);
    assert_fault(store.create_document(&run, &second).await, &Fault::Conflict);
    assert_same(&whole(store, &run).await.0, &first);
}

pub async fn a_commit_needs_the_current_version(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("guarded"));
    let before = document(&[set("kept", json!(1))]);
    let first = store.create_document(&run, &before).await.unwrap();
    let ops = [set("a", json!("b")), ready_node("n")];
    let after = applied(&before, &ops);
    let second = store.commit_document(&run, &first, &ops, &after).await.unwrap();
    assert_ne!(first, second);
    assert_same(&whole(store, &run).await.0, &after);

    let late_ops = [set("a", json!("late")), Op::Remove("kept".into())];
    let late = applied(&before, &late_ops);
    for stale in [&first, &Version("999".to_owned()), &Version("no version".to_owned())] {
        let result = store.commit_document(&run, stale, &late_ops, &late).await;
        assert_fault(result, &Fault::Conflict);
    }
    let (read, version) = whole(store, &run).await;
    assert_same(&read, &after);
    assert_eq!(version, second);

    let missing = RunId::from(fresh("missing"));
    let result = store.commit_document(&missing, &second, &late_ops, &late).await;
    assert_fault(result, &Fault::Conflict);
    assert!(matches!(store.read_document(&missing, None).await.unwrap(), ReadDocument::Missing));
}

pub async fn a_known_version_is_answered_by_unchanged(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("known"));
    let before = document(&[]);
    let first = store.create_document(&run, &before).await.unwrap();
    let read = store.read_document(&run, Some(&first)).await.unwrap();
    assert!(matches!(read, ReadDocument::Unchanged));
    let ops = [set("a", json!(1))];
    let second = store.commit_document(&run, &first, &ops, &applied(&before, &ops)).await.unwrap();
    let read = store.read_document(&run, Some(&first)).await.unwrap();
    assert!(matches!(read, ReadDocument::Changes(..) | ReadDocument::Whole(..)));
    let read = store.read_document(&run, Some(&second)).await.unwrap();
    assert!(matches!(read, ReadDocument::Unchanged));
}

pub async fn an_unknown_version_is_answered_by_the_whole(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("unknown"));
    let created = document(&[set("a", json!(1)), ready_node("n")]);
    store.create_document(&run, &created).await.unwrap();
    for text in ["", "0", "-1", "999", "99999999999999999999", "\"etag\"", "🦀"] {
        match store.read_document(&run, Some(&Version(text.to_owned()))).await.unwrap() {
            ReadDocument::Whole(read, _) => assert_same(&read, &created),
            other => panic!("{text:?} was answered by {other:?}"),
        }
    }
}

pub async fn of_writers_at_once_one_wins(subject: &Subject) {
    let store = &subject.cluster.state;
    let run = RunId::from(fresh("race"));
    let before = document(&[]);
    let mut version = store.create_document(&run, &before).await.unwrap();
    for round in 0..5 {
        let writers: Vec<_> = (0..50)
            .map(|writer| {
                let (store, run, version) = (store.clone(), run.clone(), version.clone());
                let ops = vec![set("winner", json!([round, writer])), set("same", json!("size"))];
                let after = applied(&before, &ops);
                tokio::spawn(async move {
                    (writer, store.commit_document(&run, &version, &ops, &after).await)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                (writer, Ok(version)) => winners.push((writer, version)),
                (_, lost) => assert_fault(lost, &Fault::Conflict),
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let (winner, new_version) = winners.remove(0);
        let (read, read_version) = whole(&**store, &run).await;
        assert_eq!(**read.get("winner").unwrap(), json!([round, winner]));
        assert_eq!(read_version, new_version);
        version = new_version;
    }

    let run = RunId::from(fresh("creation"));
    let creators: Vec<_> = (0..50)
        .map(|creator| {
            let (store, run) = (store.clone(), run.clone());
            let document = document(&[set("creator", json!(creator))]);
            tokio::spawn(async move { store.create_document(&run, &document).await.is_ok() })
        })
        .collect();
    let mut created = 0;
    for creator in creators {
        created += u32::from(creator.await.unwrap());
    }
    assert_eq!(created, 1);
}

pub async fn no_commit_is_lost_among_writers_that_try_again(subject: &Subject) {
    let store = &subject.cluster.state;
    let run = RunId::from(fresh("count"));
    store.create_document(&run, &document(&[set("count", json!(0))])).await.unwrap();
    let writers: Vec<_> = (0..10)
        .map(|_| {
            let (store, run) = (store.clone(), run.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while done < 5 {
                    let (document, version) = whole(&*store, &run).await;
                    let count = document.get("count").unwrap().as_u64().unwrap();
                    let ops = [set("count", json!(count + 1))];
                    let after = applied(&document, &ops);
                    match store.commit_document(&run, &version, &ops, &after).await {
                        Ok(_) => done += 1,
                        lost => assert_fault(lost, &Fault::Conflict),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(**whole(&**store, &run).await.0.get("count").unwrap(), json!(50));
}

pub async fn changes_lead_to_the_whole(subject: &Subject) {
    changes_of_random_values(subject, Numbers::AsJavaScriptWritesThem).await;
}

pub async fn numbers_of_64_bits_are_kept(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("numbers"));
    let created = document(&[set("most", json!(u64::MAX)), set("least", json!(i64::MIN))]);
    store.create_document(&run, &created).await.unwrap();
    assert_same(&whole(store, &run).await.0, &created);
    changes_of_random_values(subject, Numbers::Any).await;
}

async fn changes_of_random_values(subject: &Subject, numbers: Numbers) {
    let store = &*subject.cluster.state;
    for seed in 0..10 {
        let mut random = RandomOps::from_seed(seed, numbers);
        let run = RunId::from(fresh("random"));
        let created = document(&random.commit());
        let version = store.create_document(&run, &created).await.unwrap();
        let mut history = vec![(created, version)];
        for _ in 0..20 {
            let (current, version) = history.last().unwrap();
            let ops = random.commit();
            let after = applied(current, &ops);
            let version = store.commit_document(&run, version, &ops, &after).await.unwrap();
            history.push((after, version));

            let (latest, latest_version) = history.last().unwrap();
            let (read, _) = whole(store, &run).await;
            assert_same(&read, latest);
            let (old, old_version) = &history[random.below(history.len())];
            let (read, version) = match store.read_document(&run, Some(old_version)).await.unwrap()
            {
                ReadDocument::Missing => panic!("seed {seed}: the document is missing"),
                ReadDocument::Unchanged => (old.clone(), old_version.clone()),
                ReadDocument::Changes(ops, version) => (applied(old, &ops), version),
                ReadDocument::Whole(document, version) => (*document, version),
            };
            assert_same(&read, latest);
            assert_eq!(version, *latest_version, "seed {seed}");
        }
    }
}

pub async fn what_is_removed_is_gone_and_may_return(subject: &Subject) {
    let store = &*subject.cluster.state;
    let run = RunId::from(fresh("removed"));
    let created = document(&[set("a", json!("a")), set("b", json!(2)), ready_node("n")]);
    let first = store.create_document(&run, &created).await.unwrap();
    let ops = [
        Op::Remove("a".into()),
        Op::RemoveNode(NodeId::from("n")),
        Op::Remove("never there".into()),
        Op::RemoveNode(NodeId::from("never there")),
    ];
    let after = applied(&created, &ops);
    let second = store.commit_document(&run, &first, &ops, &after).await.unwrap();
    let (read, _) = whole(store, &run).await;
    assert_same(&read, &after);
    assert_eq!(read.context().count(), 1);
    assert!(read.entry("n").is_none() && read.get("a").is_none());

    let ops = [set("a", json!("back")), ready_node("n")];
    let restored = applied(&after, &ops);
    store.commit_document(&run, &second, &ops, &restored).await.unwrap();
    assert_same(&whole(store, &run).await.0, &restored);
}

pub async fn a_document_that_is_too_large_changes_nothing(subject: &Subject) {
    let store = &*subject.cluster.state;
    let limit = store.document_limit();
    let too_large = |fault: &Fault| match fault {
        Fault::TooLarge { bytes, limit: told } => *bytes > limit && *told == limit,
        _ => false,
    };
    let filling = |bytes: usize| set("filling", json!("x".repeat(bytes)));

    let run = RunId::from(fresh("large"));
    let error = store.create_document(&run, &document(&[filling(limit)])).await.unwrap_err();
    assert!(too_large(&error.fault), "{error}");
    assert!(matches!(store.read_document(&run, None).await.unwrap(), ReadDocument::Missing));

    let created = document(&[filling(limit - 64 * 1024)]);
    let first = store.create_document(&run, &created).await.unwrap();
    assert_same(&whole(store, &run).await.0, &created);
    let ops = [set("small", json!(1)), set("more", json!("y".repeat(128 * 1024)))];
    let after = applied(&created, &ops);
    let error = store.commit_document(&run, &first, &ops, &after).await.unwrap_err();
    assert!(too_large(&error.fault), "{error}");
    let read = store.read_document(&run, Some(&first)).await.unwrap();
    assert!(matches!(read, ReadDocument::Unchanged));
    assert_same(&whole(store, &run).await.0, &created);

    let ops = [Op::Remove("filling".into()), set("more", json!("y".repeat(128 * 1024)))];
    let after = applied(&created, &ops);
    store.commit_document(&run, &first, &ops, &after).await.unwrap();
    assert_same(&whole(store, &run).await.0, &after);
}

pub async fn names_and_values_may_hold_any_character(subject: &Subject) {
    let store = &*subject.cluster.state;
    let names = ["", "\0", "a\0b", "a\0c", "🦀", "é", "e\u{301}", "'; --", "%", "\\u0000", "\n"];
    let mut ops = Vec::new();
    for name in names {
        ops.push(set(name, json!({ name: format!("{name}\0{name}") })));
        ops.push(ready_node(name));
    }
    let run = RunId::from(fresh("odd é 🦀 '"));
    let created = document(&ops);
    let version = store.create_document(&run, &created).await.unwrap();
    assert_same(&whole(store, &run).await.0, &created);

    let head = Head { warnings: vec!["\0 \u{7f} 🦀".to_owned()], ..plain_head() };
    let ops =
        [Op::Remove("a\0b".into()), Op::RemoveNode(NodeId::from("\0")), Op::Head(Arc::new(head))];
    let after = applied(&created, &ops);
    store.commit_document(&run, &version, &ops, &after).await.unwrap();
    let (read, _) = whole(store, &run).await;
    assert_same(&read, &after);
    assert_eq!(read.context().count(), names.len() - 1);
}
