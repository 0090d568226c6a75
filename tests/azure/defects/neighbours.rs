//! Runs that a JavaScript client began: messages and items of its making, none of ours.

use std::time::{SystemTime, UNIX_EPOCH};

use flowcraft_tui::{
    blueprint::{Blueprint, RunId},
    cluster::Lane,
    engine::RunStatus,
};
use serde_json::{Value, json};

use super::{ended, once, run_worker, staged, until_status};
use crate::{
    raw::Raw,
    services::{fresh, services},
    stage::{outputs, versioned},
};

/// `a` gives what is in the context, `b` and `c` add to it, `d` has the sum.
fn diamond(version: Option<&str>) -> Blueprint {
    versioned(
        "b",
        version,
        &json!([
            ["a", "get-ctx", {"key": "x"}], ["b", "add", {"n": 1}], ["c", "add", {"n": 10}],
            ["d", "sum", {}, {}, {"b": "b", "c": "c"}],
        ]),
        &json!([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]),
    )
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// C1
#[tokio::test]
async fn a_document_without_a_version_is_run_and_given_one() {
    let Some(services) = services() else { return };
    for version in [None, Some("2")] {
        let (mut stage, settings) = staged(services, vec![diamond(version)]).await;
        let raw = Raw::of(services, &settings.names.database);
        let run = RunId::from(fresh("run"));
        let context = json!({"id": &*run, "runId": &*run, "blueprintId": "b", "x": 5});
        raw.upsert("contexts", Some(&run), &context).await;
        let status =
            json!({"id": &*run, "runId": &*run, "status": "running", "lastUpdated": now()});
        raw.upsert("statuses", Some(&run), &status).await;
        stage.send(stage.plain_job(&run, "a").encode()).await;
        run_worker(&mut stage, "w");
        until_status(&stage, &run, RunStatus::Completed).await;
        let view = ended(&stage, &run).await;
        assert_eq!(outputs(&view), json!({"a": 5, "b": 6, "c": 15, "d": 21}));
        assert_eq!(stage.counts(), once(&["a", "b", "c", "d"]));
        let item = raw.read("contexts", Some(&run), &run).await.unwrap();
        let written = item.get("blueprintVersion").expect("neighbours need the key");
        assert_eq!(written.as_str(), version);
        assert_eq!(stage.depth(Lane::Poison).await, 0);
    }
}

/// C1
#[tokio::test]
async fn a_run_of_which_there_is_only_a_message_is_run() {
    let Some(services) = services() else { return };
    let (mut stage, settings) = staged(services, vec![diamond(None)]).await;
    let run = RunId::from(fresh("run"));
    stage.send(stage.plain_job(&run, "a").encode()).await;
    run_worker(&mut stage, "w");
    until_status(&stage, &run, RunStatus::Completed).await;
    let view = ended(&stage, &run).await;
    assert_eq!(outputs(&view), json!({"a": null, "b": 1, "c": 10, "d": 11}));
    assert_eq!(stage.counts(), once(&["a", "b", "c", "d"]));
    let raw = Raw::of(services, &settings.names.database);
    let item = raw.read("contexts", Some(&run), &run).await.unwrap();
    assert_eq!(item["blueprintId"], "b");
    assert_eq!(item.get("blueprintVersion"), Some(&Value::Null));
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

/// C4
#[tokio::test]
async fn a_client_written_after_the_readme_is_understood() {
    let Some(services) = services() else { return };
    let (mut stage, settings) = staged(services, vec![diamond(None)]).await;
    let raw = Raw::of(services, &settings.names.database);
    let run = RunId::from(fresh("run"));
    let context = json!({"id": &*run, "blueprintId": "b", "blueprintVersion": null, "x": 5});
    raw.upsert("contexts", None, &context).await;
    let began = flowcraft_tui::engine::Timestamp::from_seconds(i64::try_from(now()).unwrap());
    let status = json!({"id": &*run, "status": "running", "lastUpdated": began.to_string()});
    raw.upsert("statuses", None, &status).await;
    stage.send(json!({"runId": &*run, "blueprintId": "b", "nodeId": "a"}).to_string()).await;
    run_worker(&mut stage, "w");
    until_status(&stage, &run, RunStatus::Completed).await;
    let view = ended(&stage, &run).await;
    assert_eq!(outputs(&view), json!({"a": 5, "b": 6, "c": 15, "d": 21}));
    assert_eq!(stage.counts(), once(&["a", "b", "c", "d"]));
    for container in ["contexts", "statuses"] {
        assert_eq!(raw.read(container, None, &run).await, None, "{container}: one item a run");
        let item = raw.read(container, Some(&run), &run).await.unwrap();
        assert_eq!(item["runId"], *run, "{container}");
    }
    let status = raw.read("statuses", Some(&run), &run).await.unwrap();
    assert!(status["lastUpdated"].is_u64(), "{status}");
    assert_eq!(status["finalStatus"]["status"], "completed");
}
