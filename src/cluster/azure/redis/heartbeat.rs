//! Heartbeats as hashes: `flowcraft:worker:<name>`.

use std::collections::HashMap;

use crate::{
    blueprint::WorkerName,
    cluster::{Heartbeat, WorkerMode},
    engine::Timestamp,
};

/// What the keys of heartbeats begin with.
pub(super) const PREFIX: &str = "flowcraft:worker:";

/// The names of the workers, by when their heartbeats end; a hint.
pub(super) const WORKERS: &str = "flowcraft:workers";

/// The key of a worker's heartbeat.
pub(super) fn key(worker: &WorkerName) -> String {
    format!("{PREFIX}{worker}")
}

/// A heartbeat as fields of a hash.
pub(super) fn fields(heartbeat: &Heartbeat) -> Vec<(&'static str, String)> {
    let cost = heartbeat.cost.as_ref().and_then(|cost| serde_json::to_string(cost).ok());
    vec![
        ("host", heartbeat.host.clone()),
        ("pid", heartbeat.pid.to_string()),
        ("version", heartbeat.version.clone()),
        ("started", heartbeat.started_at.millis().to_string()),
        ("slots", heartbeat.slots.to_string()),
        ("inFlight", heartbeat.in_flight.to_string()),
        ("done", heartbeat.done.to_string()),
        ("mode", mode_name(heartbeat.mode).to_owned()),
        ("sent", heartbeat.sent_at.map_or_else(String::new, |at| at.millis().to_string())),
        ("paused", u8::from(heartbeat.mode == WorkerMode::Paused).to_string()),
        // Always there: a worker of the same name before this one may have left its own.
        ("cost", cost.unwrap_or_default()),
    ]
}

/// A heartbeat from the fields of a hash. What another version of this program left out is 0 or
/// empty; nothing at all is no heartbeat.
pub(super) fn from_fields(name: &str, fields: &HashMap<String, String>) -> Option<Heartbeat> {
    fn number<T: std::str::FromStr + Default>(
        fields: &HashMap<String, String>,
        field: &str,
    ) -> Option<T> {
        fields.get(field).map_or(Some(T::default()), |text| text.parse().ok())
    }
    let text = |field: &str| fields.get(field).cloned().unwrap_or_default();
    if fields.is_empty() {
        return None;
    }
    Some(Heartbeat {
        name: WorkerName::from(name),
        host: text("host"),
        pid: number(fields, "pid")?,
        version: text("version"),
        started_at: Timestamp::from_millis(number(fields, "started")?),
        slots: number(fields, "slots")?,
        in_flight: number(fields, "inFlight")?,
        done: number(fields, "done")?,
        mode: match fields.get("mode").map(String::as_str) {
            Some("paused") => WorkerMode::Paused,
            Some("draining") => WorkerMode::Draining,
            None if fields.get("paused").is_some_and(|paused| paused == "1") => WorkerMode::Paused,
            _ => WorkerMode::Running,
        },
        sent_at: fields.get("sent").and_then(|at| at.parse().ok()).map(Timestamp::from_millis),
        cost: fields.get("cost").and_then(|cost| serde_json::from_str(cost).ok()),
    })
}

fn mode_name(mode: WorkerMode) -> &'static str {
    match mode {
        WorkerMode::Running => "running",
        WorkerMode::Paused => "paused",
        WorkerMode::Draining => "draining",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::CostReport;

    fn heartbeat(mode: WorkerMode) -> Heartbeat {
        Heartbeat {
            name: WorkerName::from("w:1"),
            host: "höst".to_owned(),
            pid: 1,
            version: "1.2.3".to_owned(),
            started_at: Timestamp::from_millis(1_700_000_000_123),
            slots: 2,
            in_flight: 3,
            done: u64::MAX,
            mode,
            sent_at: Some(Timestamp::from_millis(1_700_000_009_000)),
            cost: None,
        }
    }

    fn hash(fields: &[(&str, String)]) -> HashMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_heartbeat_is_read_as_it_was_written() {
        for mode in [WorkerMode::Running, WorkerMode::Paused, WorkerMode::Draining] {
            let beat = heartbeat(mode);
            assert_eq!(from_fields("w:1", &hash(&fields(&beat))), Some(beat));
        }
        let mut beat = heartbeat(WorkerMode::Running);
        let mut cost = CostReport { at: Timestamp::from_millis(9), ..CostReport::default() };
        cost.total.requests.state = 7;
        beat.cost = Some(cost);
        assert_eq!(from_fields("w:1", &hash(&fields(&beat))), Some(beat));
    }

    #[test]
    fn a_cost_that_is_not_understood_hides_no_worker() {
        let read = from_fields("w", &hash(&[("cost", "{\"total\":7}".to_owned())]));
        assert_eq!(read.expect("valid").cost, None);
    }

    #[test]
    fn fields_may_be_missing_but_not_senseless() {
        assert_eq!(from_fields("w", &HashMap::new()), None);
        let paused = from_fields("w", &hash(&[("paused", "1".to_owned())])).expect("valid");
        assert_eq!((paused.mode, paused.slots), (WorkerMode::Paused, 0));
        assert_eq!(from_fields("w", &hash(&[("pid", "many".to_owned())])), None);
    }
}
