//! A run's status as an item of the statuses container: written exactly, read leniently.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::whole_seconds;
use crate::{
    blueprint::{BlueprintId, RunId, WorkerName},
    cluster::{NodeCounts, Remarks, StatusItem, Version},
    engine::{RunStatus, Timestamp},
};

/// Numbers from here on are no seconds of this era: somebody wrote milliseconds.
const SURELY_MILLIS: f64 = 1e11;

/// An item as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    id: &'a RunId,
    run_id: &'a RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<RunStatus>,
    last_updated: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blueprint_id: Option<&'a BlueprintId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<NodeCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a WorkerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_status: Option<&'a Value>,
    #[serde(flatten)]
    remarks: &'a Remarks,
}

impl<'a> Written<'a> {
    pub(super) fn of(item: &'a StatusItem) -> Self {
        Self {
            id: &item.run_id,
            run_id: &item.run_id,
            status: item.status,
            last_updated: item.last_updated.seconds(),
            blueprint_id: item.blueprint_id.as_ref(),
            started_at: item.started_at.map(Timestamp::seconds),
            nodes: item.nodes,
            error: item.error.as_deref(),
            parent_run_id: item.parent_run_id.as_ref(),
            next_due_at: item.next_due_at.map(Timestamp::seconds),
            worker: item.worker.as_ref(),
            final_status: item.final_status.as_deref(),
            remarks: &item.remarks,
        }
    }
}

/// An item as it is read. Anything may have written it, so that members of a wrong kind count as
/// missing.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    id: String,
    #[serde(default, rename = "runId")]
    run_id: Value,
    #[serde(default)]
    status: Value,
    #[serde(default, rename = "lastUpdated")]
    last_updated: Value,
    #[serde(default, rename = "blueprintId")]
    blueprint_id: Value,
    #[serde(default, rename = "startedAt")]
    started_at: Value,
    #[serde(default)]
    nodes: Value,
    #[serde(default)]
    error: Value,
    #[serde(default, rename = "parentRunId")]
    parent_run_id: Value,
    #[serde(default, rename = "nextDueAt")]
    next_due_at: Value,
    #[serde(default)]
    worker: Value,
    #[serde(default, rename = "finalStatus")]
    final_status: Option<Value>,
    #[serde(default, rename = "blueprintVersion")]
    blueprint_version: Value,
    #[serde(default, rename = "documentSize")]
    document_size: Value,
    #[serde(default)]
    warnings: Value,
    #[serde(default, rename = "_ts")]
    written_at: Value,
    #[serde(default, rename = "_etag")]
    etag: Value,
}

impl Stored {
    /// When it was written, in whole seconds of the service's clock.
    pub(super) fn written_at(&self) -> i64 {
        self.written_at.as_f64().map_or(0, whole_seconds)
    }

    /// Whether it has a run id of its own, and so lies in the run's partition.
    pub(super) fn has_run_id(&self) -> bool {
        !self.run_id.is_null()
    }

    /// The item's ETag, if it came with one.
    pub(super) fn etag(&self) -> Option<Version> {
        self.etag.as_str().map(|etag| Version(etag.to_owned()))
    }

    pub(super) fn into_item(self) -> StatusItem {
        let written_at = Timestamp::from_seconds(self.written_at());
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        StatusItem {
            run_id: text(self.run_id).unwrap_or(self.id).into(),
            status: self.status.as_str().and_then(RunStatus::parse),
            last_updated: time(&self.last_updated).unwrap_or(written_at),
            blueprint_id: text(self.blueprint_id).map(Into::into),
            started_at: time(&self.started_at),
            nodes: serde_json::from_value(self.nodes).ok(),
            error: text(self.error),
            parent_run_id: text(self.parent_run_id).map(Into::into),
            next_due_at: time(&self.next_due_at),
            worker: text(self.worker).map(Into::into),
            final_status: self.final_status.filter(|status| !status.is_null()).map(Box::new),
            remarks: Remarks {
                blueprint_version: text(self.blueprint_version),
                document_size: self.document_size.as_u64(),
                warnings: serde_json::from_value(self.warnings).unwrap_or_default(),
            },
        }
    }
}

/// A time that is a number of seconds, a number of milliseconds, or an RFC 3339 text.
fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number.abs() >= SURELY_MILLIS { number / 1000.0 } else { number };
            Some(Timestamp::from_seconds(whole_seconds(seconds)))
        }
        Value::String(text) => {
            let time = Timestamp::parse_rfc3339(text)?;
            Some(Timestamp::from_seconds(time.seconds()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use serde_json::json;

    use super::*;

    fn read(item: Value) -> StatusItem {
        serde_json::from_value::<Stored>(item).unwrap().into_item()
    }

    #[test]
    fn what_is_written_is_what_other_programs_expect() {
        let item = StatusItem {
            run_id: "r".into(),
            status: Some(RunStatus::Running),
            last_updated: Timestamp::from_millis(1_795_428_784_999),
            blueprint_id: Some("b".into()),
            started_at: Some(Timestamp::from_seconds(1_795_428_000)),
            nodes: Some(NodeCounts { total: 3, completed: 1, failed: 0 }),
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: Some("w".into()),
            final_status: None,
            remarks: crate::cluster::Remarks::default(),
        };
        let written = serde_json::to_value(Written::of(&item)).unwrap();
        let expected = json!({
            "id": "r", "runId": "r", "status": "running", "lastUpdated": 1_795_428_784,
            "blueprintId": "b", "startedAt": 1_795_428_000,
            "nodes": {"total": 3, "completed": 1, "failed": 0}, "worker": "w"
        });
        assert_eq!(written, expected);
        let back = read(written);
        assert_eq!(back.last_updated, Timestamp::from_seconds(1_795_428_784));
        assert_eq!(StatusItem { last_updated: item.last_updated, ..back }, item);
    }

    #[test]
    fn what_others_write_is_read_leniently() {
        let at = |item: Value| read(item).last_updated.seconds();
        assert_eq!(at(json!({"id": "r", "lastUpdated": "2026-11-20T09:33:04.5Z"})), 1_795_167_184);
        assert_eq!(at(json!({"id": "r", "lastUpdated": 1_795_167_184.7})), 1_795_167_184);
        assert_eq!(at(json!({"id": "r", "lastUpdated": 1_795_167_184_700_i64})), 1_795_167_184);
        assert_eq!(at(json!({"id": "r", "_ts": 1_795_167_184})), 1_795_167_184);
        assert_eq!(at(json!({"id": "r", "_ts": 17, "lastUpdated": "yesterday"})), 17);
        assert_eq!(at(json!({"id": "r"})), 0, "a run without any time counts as old");
        let odd = read(json!({
            "id": "r", "status": "paused", "blueprintId": 7, "nodes": "many", "error": {"a": 1}
        }));
        assert_eq!(&*odd.run_id, "r");
        assert_eq!((odd.status, odd.blueprint_id, odd.nodes, odd.error), (None, None, None, None));
    }
}
