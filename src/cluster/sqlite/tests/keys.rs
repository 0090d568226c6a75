//! That expired keys do not pile up in the file.

use std::time::Duration;

use super::{file_of, setup};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::Key,
};

#[tokio::test]
async fn expired_keys_are_deleted_now_and_then() {
    let subject = setup().await;
    let store = &*subject.cluster.coordination;
    let key =
        |number: u32| Key::fan_in(&RunId::from(format!("run {number}")), &NodeId::from("join"));
    for number in 0..900 {
        store.set_if_absent(&key(number), "value", Duration::from_secs(1)).await.unwrap();
    }
    store.set_if_absent(&key(900), "kept", Duration::from_hours(1)).await.unwrap();
    subject.time.pass(Duration::from_secs(2)).await;
    for number in 0..200 {
        store.increment(&key(2000 + number), Duration::from_hours(1)).await.unwrap();
    }
    let connection = rusqlite::Connection::open(file_of(&subject)).unwrap();
    let rows: i64 =
        connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 201);
    assert_eq!(store.get(&key(900)).await.unwrap().as_deref(), Some("kept"));
}
