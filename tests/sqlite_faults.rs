//! What goes wrong with the file of a SQLite cluster gives a clear error and loses nothing saved.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{
        Cluster, ClusterError, Fault, Lane, MAX_RECEIVE, ReadDocument, SqliteOptions, SystemClock,
        contract::empty_document, sqlite_cluster, sqlite_cluster_with,
    },
    engine::{Op, RunDocument},
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

fn document(value: Value) -> RunDocument {
    let mut document = empty_document();
    document.apply(&Op::Set("value".into(), Arc::new(value)));
    document
}

async fn open(path: &Path) -> Result<Cluster, ClusterError> {
    let options =
        SqliteOptions { patience: Duration::from_millis(300), ..SqliteOptions::default() };
    sqlite_cluster_with(path, Arc::new(SystemClock), options).await
}

/// Waits until a dropped cluster has closed its file.
async fn closed(path: &Path) {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.exists() {
        assert!(Instant::now() < deadline, "the file was never closed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[track_caller]
fn assert_refusal(error: &ClusterError, fault: &Fault, path: &Path, text: &str) {
    let message = error.to_string();
    assert_eq!(error.fault, *fault, "{message}");
    assert!(message.contains(&path.display().to_string()), "names the file: {message}");
    assert!(message.contains(text), "{message}");
}

async fn value_of(cluster: &Cluster, run: &str) -> Option<Value> {
    match cluster.state.read_document(&RunId::from(run), None).await.unwrap() {
        ReadDocument::Whole(document, _) => Some((**document.get("value").unwrap()).clone()),
        _ => None,
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    for round in 0..3 {
        let cluster = open(&path).await.unwrap();
        for earlier in 0..round {
            assert_eq!(value_of(&cluster, &format!("run {earlier}")).await, Some(json!(earlier)));
        }
        let run = RunId::from(format!("run {round}"));
        cluster.state.create_document(&run, &document(json!(round))).await.unwrap();
        drop(cluster);
        closed(&path).await;
    }
}

#[tokio::test]
async fn a_full_file_refuses_keeps_what_it_has_and_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let options = SqliteOptions { max_pages: Some(120), ..SqliteOptions::default() };
    let cluster = sqlite_cluster_with(&path, Arc::new(SystemClock), options).await.unwrap();
    let body = "x".repeat(20_000);
    let mut sent = 0;
    let error = loop {
        match cluster.queue.send(Lane::Jobs, body.clone(), Duration::ZERO).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(sent > 5);
    assert_refusal(&error, &Fault::Refused, &path, "the disk is full; free some space");
    let run = RunId::from("too much");
    let large = document(json!("y".repeat(50_000)));
    let error = cluster.state.create_document(&run, &large).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, &path, "run \"too much\"");
    assert_eq!(value_of(&cluster, "too much").await, None);

    // Nothing that was reported is lost.
    assert_eq!(cluster.queue.depth(Lane::Jobs).await.unwrap().messages, sent);
    let peeked = cluster.queue.peek(Lane::Jobs, MAX_RECEIVE).await.unwrap();
    assert!(peeked.iter().all(|message| message.body == body));

    // Another process makes room.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("DELETE FROM messages WHERE id <= 4", []).unwrap();
    let received = cluster.queue.receive(Lane::Jobs, 1, HOUR).await.unwrap();
    cluster.queue.delete(Lane::Jobs, &received[0].receipt).await.unwrap();
    cluster.state.create_document(&run, &large).await.unwrap();
    assert_eq!(value_of(&cluster, "too much").await, Some(json!("y".repeat(50_000))));
}

#[tokio::test]
async fn on_a_full_file_small_writes_do_not_fail_with_a_large_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let options = SqliteOptions { max_pages: Some(200), ..SqliteOptions::default() };
    let cluster = sqlite_cluster_with(&path, Arc::new(SystemClock), options).await.unwrap();
    let mut writes = Vec::new();
    for number in 0..60 {
        let state = cluster.state.clone();
        let size = if number % 6 == 3 { 1_500_000 } else { 10 };
        writes.push(tokio::spawn(async move {
            let run = RunId::from(format!("run {number}"));
            let result = state.create_document(&run, &document(json!("z".repeat(size)))).await;
            (number, result)
        }));
    }
    for write in writes {
        let (number, result) = write.await.unwrap();
        assert_eq!(result.is_ok(), number % 6 != 3, "{number}: {result:?}");
        let stored = value_of(&cluster, &format!("run {number}")).await;
        assert_eq!(stored.is_some(), result.is_ok());
    }
}

#[tokio::test]
async fn a_file_that_another_process_locks_is_waited_for_and_then_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let cluster = open(&path).await.unwrap();
    cluster.state.create_document(&RunId::from("before"), &document(json!(1))).await.unwrap();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let run = RunId::from("meanwhile");
    let error = cluster.state.create_document(&run, &document(json!(2))).await.unwrap_err();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_refusal(&error, &Fault::Unavailable, &path, "locked by another process");
    assert!(error.is_transient());
    // Reading goes on.
    assert_eq!(value_of(&cluster, "before").await, Some(json!(1)));
    assert_eq!(value_of(&cluster, "meanwhile").await, None);

    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        other.execute_batch("ROLLBACK").unwrap();
    });
    cluster.state.create_document(&run, &document(json!(3))).await.unwrap();
    release.join().unwrap();
    assert_eq!(value_of(&cluster, "meanwhile").await, Some(json!(3)));
}

#[tokio::test]
async fn a_file_of_garbage_is_not_taken_for_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let garbage = "This is a letter to my aunt.\n".repeat(1000);
    fs::write(&path, &garbage).unwrap();
    let error = open(&path).await.unwrap_err();
    assert_refusal(&error, &Fault::Corrupt, &path, "not a SQLite database");
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage, "it was left alone");
}

/// A closed file with a hundred runs.
async fn file_with_runs(path: &Path) {
    let cluster = open(path).await.unwrap();
    for number in 0..100 {
        let run = RunId::from(format!("run {number}"));
        let value = json!([number, "v".repeat(5000)]);
        cluster.state.create_document(&run, &document(value)).await.unwrap();
    }
    drop(cluster);
    closed(path).await;
}

/// How many of the runs can be read. What can't must be reported as damage.
async fn readable_runs(cluster: &Cluster) -> usize {
    let mut readable = 0;
    for number in 0..100 {
        let run = RunId::from(format!("run {number}"));
        match cluster.state.read_document(&run, None).await {
            Ok(ReadDocument::Whole(document, _)) => {
                assert_eq!(document.get("value").unwrap()[0], json!(number));
                readable += 1;
            }
            Ok(other) => panic!("{number} was answered by {other:?}"),
            Err(error) => assert_eq!(error.fault, Fault::Corrupt, "{error}"),
        }
    }
    readable
}

#[tokio::test]
async fn a_truncated_file_is_reported_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    file_with_runs(&path).await;
    assert_eq!(readable_runs(&open(&path).await.unwrap()).await, 100);
    closed(&path).await;
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    match open(&path).await {
        Ok(cluster) => assert!(readable_runs(&cluster).await < 100),
        Err(error) => assert_refusal(&error, &Fault::Corrupt, &path, "damaged"),
    }
}

#[tokio::test]
async fn damage_within_the_file_is_reported_for_what_it_hits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    file_with_runs(&path).await;
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 100_000;
    for byte in &mut bytes[200_000..end] {
        *byte = b'#';
    }
    fs::write(&path, bytes).unwrap();
    let cluster = open(&path).await.unwrap();
    let readable = readable_runs(&cluster).await;
    assert!(readable < 100, "{readable}");
}

#[tokio::test]
async fn a_file_overwritten_under_way_gives_errors_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    file_with_runs(&path).await;
    let cluster = open(&path).await.unwrap();
    let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    fs::write(&path, vec![b'#'; length]).unwrap();
    let mut failed = 0;
    for number in 0..100 {
        let run = RunId::from(format!("run {number}"));
        if let Err(error) = cluster.state.read_document(&run, None).await {
            assert_eq!(error.fault, Fault::Corrupt, "{error}");
            failed += 1;
        }
    }
    assert!(failed > 0);
    // The threads are still there to say so.
    let error = cluster.queue.receive(Lane::Jobs, 1, HOUR).await.unwrap_err();
    assert_eq!(error.fault, Fault::Corrupt, "{error}");
}

#[tokio::test]
async fn a_file_deleted_or_replaced_under_way_takes_no_more_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let moved = folder.path().join("moved.db");
    let cluster = open(&path).await.unwrap();
    let run = RunId::from("lost");
    fs::rename(&path, &moved).unwrap();
    for _ in 0..2 {
        let error = cluster.state.create_document(&run, &document(json!(1))).await.unwrap_err();
        assert_refusal(&error, &Fault::Refused, &path, "deleted, moved or replaced");
        fs::write(&path, "another file").unwrap();
    }
    fs::rename(&moved, &path).unwrap();
    cluster.state.create_document(&run, &document(json!(2))).await.unwrap();
    assert_eq!(value_of(&cluster, "lost").await, Some(json!(2)));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    drop(open(&path).await.unwrap());
    closed(&path).await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let error = open(&path).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, &path, "made by a newer version of this program");
    assert_refusal(&error, &Fault::Refused, &path, "version 7");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bookmarks.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let error = open(&path).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, &path, "a SQLite database of another program");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below_a_file = file.join("folder").join("cluster.db");
    let error = open(&below_a_file).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, &below_a_file, "its folder can't be created");
    let error = open(folder.path()).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, folder.path(), "can't be opened");
    let nowhere = Path::new("/proc/no such folder/cluster.db");
    let error = sqlite_cluster(nowhere, Arc::new(SystemClock)).await.unwrap_err();
    assert_refusal(&error, &Fault::Refused, nowhere, "its folder can't be created");
}
