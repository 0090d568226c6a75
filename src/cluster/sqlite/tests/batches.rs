//! That writes which share a transaction do not share their failures, and wait for the disk only
//! if they must.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, params};

use super::super::{
    fault::Trouble,
    open::{self, SameFile},
    writer::{Durability, Writer},
};
use crate::cluster::{Fault, SqliteOptions};

fn writer(path: &Path) -> Writer {
    let connection = open::writing(path, SqliteOptions::default()).unwrap();
    let options = SqliteOptions { patience: Duration::from_secs(20), ..SqliteOptions::default() };
    Writer::start(connection, SameFile::at(path), options, Vec::new()).unwrap()
}

fn insert(connection: &Connection, key: usize) -> Result<(), Trouble> {
    let values = params![format!("key {key}")];
    connection.execute("INSERT INTO keys VALUES (?1, '', 0, 0)", values)?;
    Ok(())
}

/// How the connection waits for the disk: 1 not at each commit, 2 at each commit.
fn synchronous(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.pragma_query_value(None, "synchronous", |row| row.get(0))?)
}

#[tokio::test]
async fn a_request_that_fails_after_writing_leaves_nothing_and_spares_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let writer = Arc::new(writer(&path));
    // While another connection writes, the requests gather.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let requests: Vec<_> = (0..40)
        .map(|key| {
            let writer = writer.clone();
            tokio::spawn(async move {
                let work = move |connection: &Connection| {
                    insert(connection, key)?;
                    if key % 2 == 1 { Err(Trouble::changed()) } else { Ok(key) }
                };
                writer.write(Durability::Synced, work).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("ROLLBACK").unwrap();
    for (key, request) in requests.into_iter().enumerate() {
        match request.await.unwrap() {
            Ok(answer) => assert_eq!((answer, key % 2), (key, 0)),
            Err(trouble) => assert_eq!((trouble.fault, key % 2), (Fault::Conflict, 1)),
        }
    }
    let mut statement = other.prepare("SELECT key FROM keys").unwrap();
    let kept: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 20);
    assert!((0..40).step_by(2).all(|key| kept.contains(&format!("key {key}"))));
}

#[tokio::test]
async fn only_writes_that_must_survive_a_power_cut_wait_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let writer = Arc::new(writer(&path));
    for (durability, level) in
        [(Durability::Relaxed, 1), (Durability::Synced, 2), (Durability::Relaxed, 1)]
    {
        assert_eq!(writer.write(durability, synchronous).await.unwrap(), level);
    }
    // One in a transaction that must is enough.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let write = |durability| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.write(durability, synchronous).await })
    };
    let first = write(Durability::Relaxed);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gathered: Vec<_> = [Durability::Relaxed, Durability::Synced, Durability::Relaxed]
        .into_iter()
        .map(write)
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 1);
    for request in gathered {
        assert_eq!(request.await.unwrap().unwrap(), 2);
    }
}
