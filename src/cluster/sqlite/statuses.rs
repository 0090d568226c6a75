//! Status items as rows, with indexes for each kind of list.

use std::{cmp::Reverse, collections::BTreeSet, slice};

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::fault::Trouble;
use crate::{
    blueprint::RunId,
    cluster::{ChangeMark, Fault, StatusItem, StatusPage, StatusQuery, Version, VersionedStatus},
    engine::{RunStatus, Timestamp},
};

const CREATE: &str = "\
INSERT INTO statuses \
(run, change, status, blueprint, started_at, last_updated, next_due_at, item) \
VALUES (?1, (SELECT coalesce(max(change), 0) + 1 FROM statuses), ?2, ?3, ?4, ?5, ?6, ?7) \
ON CONFLICT (run) DO NOTHING RETURNING change";

const REPLACE: &str = "\
UPDATE statuses SET change = (SELECT max(change) + 1 FROM statuses), status = ?2, \
blueprint = ?3, started_at = ?4, last_updated = ?5, next_due_at = ?6, item = ?7 \
WHERE run = ?1 AND change = ?8 RETURNING change";

pub(super) const READ: &str = "SELECT change, item FROM statuses WHERE run = ?1";

const LAST_CHANGE: &str = "SELECT coalesce(max(change), 0) FROM statuses";

/// A status item, ready to be written.
pub(super) struct StatusRow {
    run: RunId,
    status: Option<RunStatus>,
    blueprint: Option<String>,
    started_at: Option<i64>,
    last_updated: i64,
    next_due_at: Option<i64>,
    item: String,
}

impl StatusRow {
    pub(super) fn of(item: &StatusItem) -> Result<Self, Trouble> {
        let text = serde_json::to_string(item).map_err(|error| {
            Trouble::new(Fault::Refused, format!("it can't be written as JSON ({error})"))
        })?;
        Ok(Self {
            run: item.run_id.clone(),
            status: item.status,
            blueprint: item.blueprint_id.as_ref().map(ToString::to_string),
            started_at: item.started_at.map(Timestamp::millis),
            last_updated: item.last_updated.millis(),
            next_due_at: item.next_due_at.map(Timestamp::millis),
            item: text,
        })
    }

    fn status(&self) -> Option<&'static str> {
        self.status.map(RunStatus::as_str)
    }

    pub(super) fn create(&self, connection: &Connection) -> Result<Version, Trouble> {
        let change = connection
            .prepare_cached(CREATE)?
            .query_row(
                params![
                    self.run.as_str(),
                    self.status(),
                    self.blueprint,
                    self.started_at,
                    self.last_updated,
                    self.next_due_at,
                    self.item
                ],
                |row| row.get(0),
            )
            .optional()?;
        change.map(version).ok_or_else(Trouble::exists)
    }

    /// Replaces the item that has this version.
    pub(super) fn replace(
        &self,
        connection: &Connection,
        expected: i64,
    ) -> Result<Version, Trouble> {
        let change = connection
            .prepare_cached(REPLACE)?
            .query_row(
                params![
                    self.run.as_str(),
                    self.status(),
                    self.blueprint,
                    self.started_at,
                    self.last_updated,
                    self.next_due_at,
                    self.item,
                    expected
                ],
                |row| row.get(0),
            )
            .optional()?;
        change.map(version).ok_or_else(Trouble::changed)
    }
}

fn version(change: i64) -> Version {
    Version(change.to_string())
}

/// A row of a list, not decoded yet: more may be read than are shown.
struct Found {
    change: i64,
    item: String,
    started_at: Option<i64>,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { change: row.get(0)?, item: row.get(1)?, started_at: row.get(2)? })
    }

    fn decode(self) -> Result<VersionedStatus, Trouble> {
        let item = serde_json::from_str(&self.item)
            .map_err(|error| Trouble::unreadable("a run's status item", &error))?;
        Ok(VersionedStatus { item, version: version(self.change) })
    }
}

/// Reads a run's item.
pub(super) fn read(
    connection: &Connection,
    run: &RunId,
) -> Result<Option<VersionedStatus>, Trouble> {
    let found = connection
        .prepare_cached(READ)?
        .query_row(params![run.as_str()], |row| {
            Ok(Found { change: row.get(0)?, item: row.get(1)?, started_at: None })
        })
        .optional()?;
    found.map(Found::decode).transpose()
}

/// Lists items.
pub(super) fn list(connection: &Connection, query: &StatusQuery) -> Result<StatusPage, Trouble> {
    let last_change: i64 =
        connection.prepare_cached(LAST_CHANGE)?.query_row([], |row| row.get(0))?;
    // One more than asked for shows whether the list goes on.
    let mut found = Vec::new();
    for selection in selections(query, query.limit.saturating_add(1)) {
        let mut statement = connection.prepare_cached(&selection.sql)?;
        let rows = statement.query_map(params_from_iter(selection.values), Found::read)?;
        for row in rows {
            found.push(row?);
        }
    }
    let goes_on = found.len() > query.limit;
    if query.changed_after.is_none() {
        // Each selection is in this order already; several need to be merged.
        found.sort_by_key(|row| Reverse(row.started_at));
    }
    found.truncate(query.limit);
    let mark = match query.changed_after {
        // What did not fit on the page must be after its mark.
        Some(after) if goes_on => found.last().map_or(after.0, |row| row.change),
        _ => last_change,
    };
    let items = found.into_iter().map(Found::decode).collect::<Result<_, _>>()?;
    Ok(StatusPage { items, mark: ChangeMark(mark) })
}

/// A statement with its values.
pub(super) struct Selection {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// The statements that together give a list, each by the index that has the least to look at and,
/// where it can, the order asked for.
pub(super) fn selections(query: &StatusQuery, limit: usize) -> Vec<Selection> {
    let by_each_status = query.changed_after.is_none()
        && query.due_before.is_none()
        && query.blueprint.is_none()
        && !query.statuses.is_empty();
    if by_each_status {
        let each = |status: &RunStatus| {
            select("statuses_by_status", query, slice::from_ref(status), limit)
        };
        return query.statuses.iter().collect::<BTreeSet<_>>().into_iter().map(each).collect();
    }
    let index = if query.changed_after.is_some() {
        "statuses_by_change"
    } else if query.due_before.is_some() {
        "statuses_by_due"
    } else if query.blueprint.is_some() {
        "statuses_by_blueprint"
    } else {
        "statuses_by_start"
    };
    vec![select(index, query, &query.statuses, limit)]
}

fn select(index: &str, query: &StatusQuery, statuses: &[RunStatus], limit: usize) -> Selection {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if !statuses.is_empty() {
        let places = vec!["?"; statuses.len()].join(", ");
        conditions.push(format!("status IN ({places})"));
        values.extend(statuses.iter().map(|status| Value::from(status.as_str().to_owned())));
    }
    let mut condition = |text: &str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(text.to_owned());
            values.push(value);
        }
    };
    let millis = |time: Timestamp| Value::from(time.millis());
    condition("blueprint = ?", query.blueprint.as_ref().map(|id| Value::from(id.to_string())));
    condition("change > ?", query.changed_after.map(|mark| Value::from(mark.0)));
    condition("last_updated < ?", query.touched_before.map(millis));
    condition("next_due_at < ?", query.due_before.map(millis));
    condition("(started_at <= ? OR started_at IS NULL)", query.started_until.map(millis));
    let filter = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let order = if query.changed_after.is_some() { "change" } else { "started_at DESC" };
    values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT change, item, started_at FROM statuses INDEXED BY {index} \
         WHERE {filter} ORDER BY {order} LIMIT ?"
    );
    Selection { sql, values }
}
