//! That only a file that is to last makes anybody wait for the disk.

use crate::cluster::{
    SqliteOptions,
    sqlite::{
        open::{self, Lifetime, SameFile},
        writer::{Durability, Writer},
    },
};

/// How SQLite waits for the disk in a write of this durability: 0 not at all, 1 when the log is
/// emptied, 2 at each commit.
async fn waits(lifetime: Lifetime, durability: Durability) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let options = SqliteOptions { lifetime, ..SqliteOptions::default() };
    let connection = open::writing(&path, options).unwrap();
    let writer = Writer::start(connection, SameFile::at(&path), options, Vec::new()).unwrap();
    let asked = writer.write(durability, |connection| {
        Ok(connection.pragma_query_value(None, "synchronous", |row| row.get(0))?)
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn a_lasting_file_waits_and_a_temporary_one_never_does() {
    assert_eq!(waits(Lifetime::Lasting, Durability::Synced).await, 2);
    assert_eq!(waits(Lifetime::Lasting, Durability::Relaxed).await, 1);
    assert_eq!(waits(Lifetime::Temporary, Durability::Synced).await, 0);
    assert_eq!(waits(Lifetime::Temporary, Durability::Relaxed).await, 0);
}
