//! The real binary on an embedded cluster that the test fills.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use flowcraft_tui::{
    blueprint::{RunId, WorkerName},
    cluster::{
        Cluster, DeadLetter, Holder, Job, Key, Lane, StatusItem, SystemClock, sqlite_cluster,
    },
    engine::{RunStatus, Timestamp},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with the file of an embedded cluster.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cluster.db")
    }

    async fn cluster(&self) -> Cluster {
        sqlite_cluster(&self.file(), Arc::new(SystemClock)).await.unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_flowcraft-tui"))
            .args(arguments)
            .env_clear()
            .env("FLOWCRAFT_CLUSTER_PATH", self.file())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn status(run: &str, status: RunStatus, started: Timestamp, touched: Timestamp) -> StatusItem {
    StatusItem {
        run_id: RunId::from(run),
        status: Some(status),
        last_updated: touched,
        blueprint_id: Some("hello".into()),
        started_at: Some(started),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

#[test]
fn provision_creates_the_file_once() {
    let place = Place::new();
    let file = json!([place.file()]);
    let planned = place.json(&["provision", "--dry-run"]);
    assert_eq!(planned, json!({ "created": file, "existing": [] }));
    assert!(!place.file().exists());
    assert_eq!(place.json(&["provision"]), planned);
    assert!(place.file().exists());
    assert_eq!(place.json(&["provision"]), json!({ "created": [], "existing": file }));
}

#[tokio::test]
async fn queue_and_dead_letters_show_what_others_sent() {
    let place = Place::new();
    let cluster = place.cluster().await;
    let job = Job::new("r1".into(), "hello".into(), "a".into());
    cluster.queue.send(Lane::Jobs, job.encode(), Duration::ZERO).await.unwrap();
    let worker = WorkerName::from("w1");
    let letter = DeadLetter::new("junk", "not a job", 5, cluster.clock.now(), worker);
    cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    let queue = place.json(&["queue"]);
    assert_eq!((&queue["depth"], &queue["poison"]), (&json!(1), &json!(1)));
    assert!(queue["oldestAgeSeconds"].as_u64().unwrap() < 60, "{queue}");
    let messages = place.json(&["queue", "peek", "-n", "1"]);
    assert_eq!((&messages[0]["runId"], &messages[0]["nodeId"]), (&json!("r1"), &json!("a")));
    let letters = place.json(&["dead-letters"]);
    assert_eq!((&letters[0]["body"], &letters[0]["reason"]), (&json!("junk"), &json!("not a job")));
}

#[tokio::test]
async fn runs_are_newest_first_and_stalled_ones_found() {
    let place = Place::new();
    let cluster = place.cluster().await;
    let now = cluster.clock.now().seconds();
    let ago = |seconds| Timestamp::from_seconds(now - seconds);
    for item in [
        status("stuck", RunStatus::Running, ago(9000), ago(8000)),
        status("done", RunStatus::Completed, ago(7000), ago(6000)),
        status("moving", RunStatus::Running, ago(50), ago(1)),
    ] {
        cluster.state.create_status(&item).await.unwrap();
    }
    let runs = place.json(&["runs"]);
    let ids: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["runId"]).collect();
    assert_eq!(ids, ["moving", "done", "stuck"]);
    let expected = json!([{
        "runId": "stuck", "blueprintId": "hello", "status": "running", "stalled": true,
        "startedAt": now - 9000, "lastUpdated": now - 8000, "nodes": null, "error": null,
    }]);
    assert_eq!(place.json(&["runs", "--stalled"]), expected);
}

#[tokio::test]
async fn locks_show_their_holder() {
    let place = Place::new();
    let cluster = place.cluster().await;
    let (run, worker) = (RunId::from("r1"), WorkerName::from("w1"));
    let key = Key::node_lock(&run, &"a".into());
    let holder = Holder::new(&worker, 7);
    cluster.coordination.acquire(&key, &holder, Duration::from_mins(1)).await.unwrap();
    let locks = place.json(&["locks"]);
    assert_eq!((&locks[0]["runId"], &locks[0]["holder"]), (&json!("r1"), &json!("w1")));
    let left = locks[0]["secondsLeft"].as_u64().unwrap();
    assert!((1..=60).contains(&left), "{left}");
}

#[test]
fn a_file_that_can_t_be_opened_is_exit_code_3() {
    let place = Place::new();
    fs::create_dir(place.file()).unwrap();
    let output = place.run(&["queue"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: ") && text.contains("cluster.db"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_file_that_is_something_else_is_exit_code_3() {
    let place = Place::new();
    fs::write(place.file(), "this is a letter to a friend, and no database at all").unwrap();
    let output = place.run(&["runs"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a SQLite database"));
    assert!(fs::read_to_string(place.file()).unwrap().starts_with("this is a letter"));
}
