#![allow(clippy::unwrap_used)]

use std::time::Duration;

use async_trait::async_trait;
use clap::Parser as _;
use serde_json::{Value, json};

use super::fake::{Fake, NOW, Printed};
use crate::{
    blueprint::WorkerName,
    cli::{
        CliError, Exit, Format,
        args::{Args, ServeMode},
        dispatch::dispatch,
        open::Opener,
    },
    cluster::{
        Cluster, DeadLetter, Heartbeat, HeldLock, Job, NodeCounts, Peeked, Service, StatusItem,
        WorkerMode,
    },
    config::{Config, Environment},
    engine::{RunStatus, Timestamp},
};

/// Runs commands on the fake cluster.
#[async_trait]
impl Opener for Fake {
    async fn open(&self, config: &Config) -> Result<Cluster, CliError> {
        if let crate::config::Storage::Sqlite(path) = config.storage()? {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        Ok(self.clone().cluster())
    }
}

struct Ran {
    result: Result<Exit, CliError>,
    printed: Printed,
}

async fn run_in(fake: &Fake, environment: &Environment, arguments: &[&str]) -> Ran {
    let args = Args::try_parse_from([&["flowcraft-tui"], arguments].concat()).unwrap();
    let printed = Printed::default();
    let mut output = printed.output(args.global.format());
    let result = dispatch(args, environment, &mut output, fake).await;
    Ran { result, printed }
}

async fn run(fake: &Fake, arguments: &[&str]) -> Printed {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        working_folder: folder.path().to_owned(),
        data_folder: Some(folder.path().join("data")),
        ..Environment::default()
    };
    let ran = run_in(fake, &environment, arguments).await;
    assert_eq!(ran.result.unwrap(), Exit::Done);
    ran.printed
}

async fn json_of(fake: &Fake, arguments: &[&str]) -> Value {
    run(fake, &[arguments, &["--json"]].concat()).await.json()
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - seconds)
}

fn peeked(id: &str, body: String, seconds: i64) -> Peeked {
    Peeked { message_id: id.to_owned(), body, dequeue_count: 2, inserted_at: ago(seconds) }
}

fn item(id: &str, status: RunStatus, started: i64, touched: i64) -> StatusItem {
    StatusItem {
        run_id: id.into(),
        status: Some(status),
        last_updated: ago(touched),
        blueprint_id: Some("bp".into()),
        started_at: Some(ago(started)),
        nodes: Some(NodeCounts { total: 3, completed: 1, failed: 0 }),
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    }
}

fn beat(name: &str) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "h".to_owned(),
        pid: 7,
        version: "0.1.0".to_owned(),
        started_at: ago(90),
        slots: 16,
        in_flight: 3,
        done: 12,
        mode: WorkerMode::Paused,
        sent_at: None,
        cost: None,
    }
}

fn full() -> Fake {
    let job = Job { iteration: Some(2), ..Job::new("r1".into(), "bp".into(), "n1".into()) };
    let letter = |body: &str| {
        DeadLetter::new(body, "tried 5 times", 5, ago(60), WorkerName::from("w1")).encode()
    };
    let lock = |run: &str, holder: &str, left: u64| {
        let key = format!("flowcraft:nodelock:{run}:n1");
        HeldLock::describe(&key, holder, NOW + Duration::from_secs(left))
    };
    Fake {
        jobs: vec![peeked("m1", job.encode(), 75), peeked("m2", "no\u{1b}[2Jjob".to_owned(), 5)],
        poison: vec![peeked("p1", letter(&job.encode()), 60), peeked("p2", "junk".to_owned(), 9)],
        oldest: Some(ago(75)),
        statuses: vec![
            item("old", RunStatus::Running, 5000, 301),
            item("fresh", RunStatus::Running, 4000, 300),
            StatusItem {
                error: Some("boom\nbang".to_owned()),
                ..item("bad", RunStatus::Failed, 100, 90)
            },
            StatusItem {
                status: None,
                blueprint_id: None,
                started_at: None,
                nodes: None,
                ..item("odd", RunStatus::Failed, 0, 90)
            },
        ],
        locks: vec![
            lock("r1", "worker:w1#00", 50),
            lock("r2", "worker:gone#00", 9),
            lock("r3", "locked", 100),
        ],
        workers: vec![beat("w1")],
        down: None,
    }
}

#[tokio::test]
async fn queue_reports_its_depth() {
    let expected = json!({ "depth": 2, "oldestAgeSeconds": 75, "poison": 2 });
    assert_eq!(json_of(&full(), &["queue"]).await, expected);
    let expected = json!({ "depth": 0, "oldestAgeSeconds": null, "poison": 0 });
    assert_eq!(json_of(&Fake::default(), &["queue"]).await, expected);
    let text = run(&full(), &["queue"]).await.text();
    assert_eq!(text, "DEPTH  OLDEST  IN FLIGHT  POISON\n    2   1m15s          3       2\n");
}

#[tokio::test]
async fn queue_peek_shows_jobs_and_what_is_none() {
    let expected = json!([
        { "id": "m1", "runId": "r1", "blueprintId": "bp", "nodeId": "n1", "iteration": 2,
          "ageSeconds": 75, "dequeueCount": 2 },
        { "id": "m2", "runId": null, "blueprintId": null, "nodeId": null, "iteration": null,
          "ageSeconds": 5, "dequeueCount": 2, "body": "no\u{1b}[2Jjob" },
    ]);
    assert_eq!(json_of(&full(), &["queue", "peek"]).await, expected);
    let one = json_of(&full(), &["queue", "peek", "-n", "1"]).await;
    assert_eq!(one.as_array().unwrap().len(), 1);
    let text = run(&full(), &["queue", "peek"]).await.text();
    assert!(text.contains("not a job: no\\u{1b}[2Jjob") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn dead_letters_are_listed_whoever_put_them_there() {
    let entries = json_of(&full(), &["dead-letters"]).await;
    let body = Job { iteration: Some(2), ..Job::new("r1".into(), "bp".into(), "n1".into()) };
    let expected = json!([
        { "id": "p1", "fingerprint": entries[0]["fingerprint"],
          "job": { "runId": "r1", "blueprintId": "bp", "nodeId": "n1", "iteration": 2 },
          "body": body.encode(), "truncated": false, "reason": "tried 5 times",
          "dequeueCount": 5, "failedAt": ago(60).to_string(), "worker": "w1", "queue": null },
        { "id": "p2", "fingerprint": entries[1]["fingerprint"], "job": null, "body": "junk", "truncated": false,
          "reason": "unknown: not put here by flowcraft-tui", "dequeueCount": 2,
          "failedAt": ago(9).to_string(), "worker": null, "queue": null },
    ]);
    assert_eq!(entries, expected);
    assert_eq!(json_of(&full(), &["dead-letters", "list"]).await, expected);
    let mut many = full();
    many.poison = (0..40).map(|n| peeked(&n.to_string(), "junk".to_owned(), 9)).collect();
    let text = run(&many, &["dead-letters"]).await.text();
    assert!(text.ends_with("The first 32 of 40; --deep shows all.\n"), "{text}");
    let text = run(&many, &["dead-letters", "list", "--group"]).await.text();
    assert!(text.contains("32 dead letters in 1 group.\nThe first 32 of 40;"), "{text}");
    let text = run(&full(), &["dead-letters", "list", "--group"]).await.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("GROUP     LETTERS  RUNS  OLDEST  NEWEST  BLUEPRINT/NODE"),
        "{text}"
    );
    let print = entries[0]["fingerprint"].as_str().unwrap();
    let ours = lines.iter().find(|line| line.starts_with(print)).unwrap();
    assert!(ours.contains("bp/n1") && ours.ends_with("tried # times"), "{text}");
    assert_eq!(json_of(&full(), &["dead-letters", "list", "--group"]).await, expected);
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let runs = json_of(&full(), &["runs"]).await;
    let ids: Vec<&str> =
        runs.as_array().unwrap().iter().map(|run| run["runId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["bad", "fresh", "old", "odd"]);
    let expected = json!({
        "runId": "bad", "blueprintId": "bp", "status": "failed", "stalled": false,
        "startedAt": NOW.seconds() - 100, "lastUpdated": NOW.seconds() - 90,
        "nodes": { "total": 3, "completed": 1, "failed": 0 }, "error": "boom\nbang",
    });
    assert_eq!(runs[0], expected);
    let expected = json!({
        "runId": "odd", "blueprintId": null, "status": null, "stalled": false, "startedAt": null,
        "lastUpdated": NOW.seconds() - 90, "nodes": null, "error": null,
    });
    assert_eq!(runs[3], expected);
    let text = run(&full(), &["runs"]).await.text();
    assert!(text.contains("boom\\nbang") && text.contains("running, stalled"), "{text}");
}

#[tokio::test]
async fn runs_with_an_overdue_timer_are_stalled() {
    let asleep = |id: &str, touched, due| StatusItem {
        next_due_at: Some(due),
        ..item(id, RunStatus::Awaiting, 5000, touched)
    };
    let statuses = vec![
        asleep("overdue", 4000, ago(301)),
        asleep("lately", 4000, ago(300)),
        asleep("to come", 4000, NOW + Duration::from_secs(60)),
        asleep("touched", 10, ago(301)),
        StatusItem {
            next_due_at: Some(NOW + Duration::from_secs(60)),
            ..item("busy", RunStatus::Running, 5000, 4000)
        },
        item("asks", RunStatus::Awaiting, 5000, 4000),
    ];
    let fake = Fake { statuses, ..full() };
    let runs = json_of(&fake, &["runs", "--stalled"]).await;
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    assert_eq!((&runs[0]["runId"], &runs[0]["status"]), (&json!("overdue"), &json!("awaiting")));
    let text = run(&fake, &["runs", "--stalled"]).await.text();
    assert!(text.contains("awaiting, stalled"), "{text}");
    let running = json_of(&fake, &["runs", "--stalled", "--status", "running"]).await;
    assert_eq!(running, json!([]));
}

#[tokio::test]
async fn runs_are_chosen_by_status_blueprint_and_stalling() {
    let ids = async |arguments: &[&str]| -> Vec<String> {
        let runs = json_of(&full(), &[&["runs"], arguments].concat()).await;
        runs.as_array().unwrap().iter().map(|r| r["runId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--status", "failed", "--status", "awaiting"]).await, ["bad"]);
    assert_eq!(ids(&["--blueprint", "other"]).await, Vec::<String>::new());
    assert_eq!(ids(&["--limit", "1"]).await, ["bad"]);
    assert_eq!(ids(&["--stalled"]).await, ["old"]);
    assert_eq!(ids(&["--stalled", "--status", "running"]).await, ["old"]);
    assert_eq!(ids(&["--stalled", "--status", "failed"]).await, Vec::<String>::new());
    let sooner = ["--stalled", "--set", "reconciler.stalled_after_seconds=200"];
    assert_eq!(ids(&sooner).await, ["fresh", "old"]);
    let text = run(&full(), &["runs", "--limit", "2"]).await.text();
    assert!(text.ends_with("The first 2; --limit shows more.\n"), "{text}");
}

#[tokio::test]
async fn locks_name_their_holders() {
    let locks = json_of(&full(), &["locks"]).await;
    let expected = json!({
        "key": "flowcraft:nodelock:r1:n1", "runId": "r1", "nodeId": "n1", "holder": "w1",
        "value": "worker:w1#00", "secondsLeft": 50,
    });
    assert_eq!(locks[0], expected);
    assert_eq!(locks[2]["holder"], Value::Null);
    let text = run(&full(), &["locks"]).await.text();
    assert!(text.contains("gone (no heartbeat)") && text.contains("owner unknown"), "{text}");
    assert!(!text.contains("w1 (no heartbeat)"), "{text}");
}

#[tokio::test]
async fn workers_say_what_they_do() {
    let expected = json!([{
        "name": "w1", "host": "h", "pid": 7, "version": "0.1.0", "startedAt": NOW.seconds() - 90,
        "slots": 16, "inFlight": 3, "done": 12, "mode": "paused",
    }]);
    assert_eq!(json_of(&full(), &["workers"]).await, expected);
    let text = run(&full(), &["workers"]).await.text();
    assert!(text.contains("paused") && text.contains("3/16") && text.contains("1m30s"), "{text}");
}

#[tokio::test]
async fn an_empty_cluster_says_so_and_gives_empty_arrays() {
    for arguments in
        [&["runs"][..], &["locks"], &["workers"], &["dead-letters"], &["queue", "peek"]]
    {
        assert_eq!(json_of(&Fake::default(), arguments).await, json!([]), "{arguments:?}");
        let text = run(&Fake::default(), arguments).await.text();
        assert!(text.ends_with(".\n") && text.lines().count() == 1, "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn a_service_that_is_down_leads_to_exit_code_3() {
    let cases = [
        (Service::Queue, &["queue"][..]),
        (Service::Queue, &["queue", "peek"]),
        (Service::Queue, &["dead-letters"]),
        (Service::State, &["runs"]),
        (Service::Coordination, &["locks"]),
        (Service::Coordination, &["workers"]),
    ];
    let environment =
        Environment { data_folder: Some(std::env::temp_dir()), ..Environment::default() };
    for (service, arguments) in cases {
        let fake = Fake { down: Some(service), ..Fake::default() };
        let arguments = [arguments, &["--set", "cluster.backend=memory"]].concat();
        let ran = run_in(&fake, &environment, &arguments).await;
        let error = ran.result.unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable, "{arguments:?}");
        assert!(error.to_string().contains("flowcraft-tui doctor"), "{error}");
        assert_eq!(ran.printed.text(), "");
    }
}

#[tokio::test]
async fn provision_tells_created_from_existing() {
    let folder = tempfile::tempdir().unwrap();
    let environment =
        Environment { data_folder: Some(folder.path().to_owned()), ..Environment::default() };
    let path = folder.path().join("flowcraft-tui/flowcraft.db");
    let provision = async |more: &[&str]| {
        let arguments = [&["provision", "--json"], more].concat();
        let ran = run_in(&Fake::default(), &environment, &arguments).await;
        assert_eq!(ran.result.unwrap(), Exit::Done);
        ran.printed.json()
    };
    let created = json!({ "created": [path], "existing": [] });
    assert_eq!(provision(&["--dry-run"]).await, created);
    assert!(!path.exists());
    assert_eq!(provision(&[]).await, created);
    assert!(path.exists());
    assert_eq!(provision(&[]).await, json!({ "created": [], "existing": [path] }));
    let memory = provision(&["--set", "cluster.backend=memory"]).await;
    assert_eq!(memory, json!({ "created": [], "existing": [] }));
}

#[test]
fn flags_without_a_command_choose_what_is_served() {
    let mode = |arguments: &[&str]| {
        let args = Args::try_parse_from([&["flowcraft-tui"], arguments].concat()).unwrap();
        assert!(args.command.is_none());
        args.serve.mode()
    };
    assert_eq!(mode(&[]), ServeMode::Dashboard);
    assert_eq!(mode(&["--read-only"]), ServeMode::Dashboard);
    assert_eq!(mode(&["--watch-only"]), ServeMode::WatchOnly);
    assert_eq!(mode(&["--demo"]), ServeMode::Demo);
    assert_eq!(mode(&["--no-ui"]), ServeMode::Headless);
    assert_eq!(mode(&["--no-ui", "--until-idle"]), ServeMode::UntilIdle);
}

#[test]
fn formats_follow_the_flag_before_and_behind_the_command() {
    for arguments in [["flowcraft-tui", "--json", "runs"], ["flowcraft-tui", "runs", "--json"]] {
        assert_eq!(Args::try_parse_from(arguments).unwrap().global.format(), Format::Json);
    }
}
