//! Workers without a dashboard: signals, dead workers, and when nothing is left to do.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::time::{Duration, Instant};

use program::{Program, finish, json_of, signal};
use rustix::process::Signal;
use serde_json::json;

/// A program with a blueprint of a slow node and a quick one behind it.
fn slow(seconds: f64) -> Program {
    let program = Program::with_config("[worker]\nlease_seconds = 5\n");
    program.blueprint(&json!({
        "id": "slow",
        "nodes": [
            { "id": "a", "uses": "slow", "params": { "seconds": seconds } },
            { "id": "b", "uses": "echo" },
        ],
        "edges": [{ "source": "a", "target": "b" }],
    }));
    program
}

#[test]
fn a_signal_drains_and_what_was_under_way_is_committed() {
    let program = slow(2.0);
    program.json(0, &["start", "slow", "--run-id", "r"]);
    let worker = program.spawn(&["--no-ui", "--log-format", "json"]);
    program.wait_for_slow_nodes(1);
    signal(&worker, Signal::TERM);
    let output = finish(worker);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, b"");
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
    }
    let run = program.json(0, &["show", "r"]);
    // It takes nothing new: what follows waits in the queue.
    assert_eq!((&run["status"], &run["outputs"]), (&json!("running"), &json!({ "a": "slept" })));
    assert_eq!(program.json(0, &["workers"]), json!([]));
    assert_eq!(program.json(0, &["locks"]), json!([]));
    let tally = program.json(0, &["--no-ui", "--until-idle"]);
    assert_eq!(tally, json!({ "completed": 1, "failed": 0, "awaiting": 0 }));
    assert_eq!(program.json(0, &["show", "r"])["outputs"], json!({ "a": "slept", "b": "slept" }));
}

#[test]
fn a_second_signal_stops_at_once() {
    let program = slow(30.0);
    program.json(0, &["start", "slow"]);
    for (first, second, code) in
        [(Signal::INT, Signal::INT, 130), (Signal::TERM, Signal::TERM, 143)]
    {
        let worker = program.spawn(&["--no-ui", "--set", "worker.name=short-lived"]);
        let began = Instant::now();
        // The second worker gets the message when the first one's hold on it ends.
        while program.json(0, &["workers"]) == json!([]) {
            assert!(began.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(50));
        }
        if code == 130 {
            program.wait_for_slow_nodes(1);
        } else {
            program.wait_for_slow_nodes(2);
        }
        signal(&worker, first);
        std::thread::sleep(Duration::from_millis(300));
        let told = Instant::now();
        signal(&worker, second);
        let output = finish(worker);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    }
}

#[test]
fn another_worker_finishes_what_a_killed_one_had() {
    let program = slow(1.5);
    program.json(0, &["start", "slow", "--run-id", "r"]);
    let doomed = program.spawn(&["--no-ui", "--set", "worker.name=doomed"]);
    program.wait_for_slow_nodes(1);
    let heir = program.spawn(&["--no-ui", "--until-idle", "--json", "--set", "worker.name=heir"]);
    signal(&doomed, Signal::KILL);
    assert_eq!(finish(doomed).status.code(), None);
    let locks = program.json(0, &["locks"]);
    assert_eq!((&locks[0]["nodeId"], &locks[0]["holder"]), (&json!("a"), &json!("doomed")));
    let tally = json_of(0, &finish(heir));
    assert_eq!(tally, json!({ "completed": 1, "failed": 0, "awaiting": 0 }));
    let run = program.json(0, &["show", "r"]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["nodes"][0]["worker"], "heir");
}

#[test]
fn a_worker_needs_no_configuration_at_all() {
    let program = Program::new();
    std::fs::remove_file(program.path("flowcraft.toml")).unwrap();
    std::fs::remove_dir(program.path("blueprints")).unwrap();
    let output = program.run(&["--no-ui", "--until-idle"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(program.path(".local/share/flowcraft-tui/flowcraft.db").exists());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("WARN"), "{said}");
}

#[test]
fn idle_is_when_nothing_runs_and_nothing_is_due_soon() {
    let program = Program::new();
    let of = |id: &str, nodes: serde_json::Value| {
        program.blueprint(&json!({ "id": id, "nodes": nodes, "edges": [] }));
    };
    of("fine", json!([{ "id": "a", "uses": "const", "params": { "value": 1 } }]));
    of("broken", json!([{ "id": "a", "uses": "fail" }]));
    of("nap", json!([{ "id": "a", "uses": "sleep", "params": { "duration": "2s" } }]));
    of("night", json!([{ "id": "a", "uses": "sleep", "params": { "duration": "8h" } }]));
    of("ask", json!([{ "id": "a", "uses": "wait" }]));
    of("parent", json!([{ "id": "a", "uses": "subflow", "params": { "blueprintId": "ask" } }]));
    let idle = |code| program.json(code, &["--no-ui", "--until-idle"]);
    assert_eq!(idle(0), json!({ "completed": 0, "failed": 0, "awaiting": 0 }));
    for id in ["fine", "nap", "night", "ask", "parent"] {
        program.json(0, &["start", id, "--run-id", id]);
    }
    let began = Instant::now();
    // The run that works for "parent" counts with it.
    assert_eq!(idle(0), json!({ "completed": 2, "failed": 0, "awaiting": 3 }));
    assert!(began.elapsed() > Duration::from_secs(2), "it did not wait for the timer");
    assert_eq!(idle(0), json!({ "completed": 0, "failed": 0, "awaiting": 0 }));
    program.json(0, &["start", "broken"]);
    program.json(0, &["resume", "parent"]);
    assert_eq!(idle(1), json!({ "completed": 1, "failed": 1, "awaiting": 0 }));
    let text = program.text(&["--no-ui", "--until-idle"]);
    assert_eq!(text, "0 completed, 0 failed, 0 awaiting.\n");
}
