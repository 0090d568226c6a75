//! That no query looks at more rows than it must, however many finished runs there are.

use std::time::Duration;

use rusqlite::{Connection, params_from_iter, types::Value};

use super::super::{coordination, documents, open, queue, statuses};
use crate::{
    blueprint::BlueprintId,
    cluster::{ChangeMark, SqliteOptions, StatusQuery},
    engine::{RunStatus, Timestamp},
};

fn connection(folder: &tempfile::TempDir) -> Connection {
    let options = SqliteOptions { patience: Duration::ZERO, ..SqliteOptions::default() };
    open::writing(&folder.path().join("cluster.db"), options).unwrap()
}

/// The steps of a statement's plan. Its values do not matter.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let values = vec![Value::Integer(1); statement.parameter_count()];
    let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

#[test]
fn every_fixed_query_has_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connection(&folder);
    for (sql, step) in [
        (documents::FIND, "sqlite_autoindex_documents_1 (run=?)"),
        (documents::WHOLE, "PRIMARY KEY (document=?)"),
        (documents::CHANGES, "parts_by_rev (document=? AND rev>?)"),
        (statuses::READ, "sqlite_autoindex_statuses_1 (run=?)"),
        (queue::PEEK, "messages_by_visibility (lane=? AND visible_at<?)"),
        (queue::DEPTH, "COVERING INDEX messages_by_visibility (lane=?)"),
        (coordination::LOCKS, "keys_by_expiry (lease=? AND expires_at>?)"),
        (coordination::SWEEP_KEYS, "keys_by_expiry (lease=? AND expires_at<?)"),
    ] {
        let steps = plan(&connection, sql);
        assert!(steps.iter().any(|found| found.contains(step)), "{sql}\n{steps:?}");
        let extra = |found: &String| found.starts_with("SCAN") || found.contains("TEMP B-TREE");
        assert!(!steps.iter().any(extra), "{sql}\n{steps:?}");
    }
}

#[test]
fn lists_of_runs_read_an_index_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let connection = connection(&folder);
    let all = StatusQuery { limit: 50, ..StatusQuery::default() };
    let running = StatusQuery {
        statuses: vec![RunStatus::Running, RunStatus::Awaiting],
        touched_before: Some(Timestamp::from_seconds(1)),
        ..all.clone()
    };
    let of_blueprint = StatusQuery { blueprint: Some(BlueprintId::from("b")), ..running.clone() };
    let changed = StatusQuery { changed_after: Some(ChangeMark(1)), ..of_blueprint.clone() };
    for (query, step, statements) in [
        (all, "SCAN statuses USING INDEX statuses_by_start", 1),
        (running, "statuses_by_status (status=?)", 2),
        (of_blueprint, "statuses_by_blueprint (blueprint=?)", 1),
        (changed, "statuses_by_change (change>?)", 1),
    ] {
        let selections = statuses::selections(&query, 50);
        assert_eq!(selections.len(), statements);
        for selection in selections {
            let steps = plan(&connection, &selection.sql);
            assert!(steps.len() == 1 && steps[0].contains(step), "{}\n{steps:?}", selection.sql);
        }
    }
    // What is due is little, so only that is sorted.
    let due =
        StatusQuery { due_before: Some(Timestamp::from_seconds(1)), ..StatusQuery::default() };
    let steps = plan(&connection, &statuses::selections(&due, 50)[0].sql);
    assert!(steps[0].contains("statuses_by_due (next_due_at<?)"), "{steps:?}");
}
