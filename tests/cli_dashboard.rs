//! The dashboard of the real binary on a terminal: it shows the cluster, works, acts, and leaves.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;
#[allow(dead_code)] // Likewise.
#[path = "support/terminal.rs"]
mod terminal;

use std::time::Duration;

use program::Program;
use serde_json::json;
use terminal::Dashboard;

fn open(program: &Program, arguments: &[&str]) -> Dashboard {
    Dashboard::open(&program.path(""), arguments, &[])
}

fn asks() -> Program {
    let program = Program::new();
    program.blueprint(&json!({
        "id": "ask",
        "nodes": [{ "id": "a", "uses": "noop" }, { "id": "w", "uses": "wait" }],
        "edges": [{ "source": "a", "target": "w" }],
    }));
    program
}

#[test]
fn it_works_shows_what_happens_and_acts() {
    let program = asks();
    program.json(0, &["start", "ask", "--run-id", "run-1"]);
    let mut dashboard = open(&program, &["--set", "worker.name=behind"]);
    dashboard.wait_for("run-1");
    dashboard.wait_for("awaiting");
    assert_eq!(program.json(0, &["workers"])[0]["name"], "behind");
    // Cancels the run it shows: asked for with a key, agreed to with another.
    dashboard.press("2x");
    dashboard.wait_for("awaiting -> cancelled");
    dashboard.press("y");
    dashboard.wait_for("cancelled run run-1");
    assert_eq!(program.json(0, &["show", "run-1"])["status"], "cancelled");
    // Pauses its worker and lets it go on.
    dashboard.press("p");
    dashboard.wait_for("Pause this worker?");
    dashboard.press("y");
    dashboard.wait_for("paused 0/16");
    dashboard.press("p");
    dashboard.wait_for("Let this worker go on?");
    dashboard.press("y");
    dashboard.wait_for("running 0/16");
    dashboard.press("6");
    dashboard.wait_for("ask.json");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["workers"]), json!([]));
}

#[test]
fn a_signal_gives_the_terminal_back_and_drains() {
    let program = Program::new();
    program.blueprint(&json!({
        "id": "slow",
        "nodes": [{ "id": "a", "uses": "slow", "params": { "seconds": 2 } }],
    }));
    program.json(0, &["start", "slow", "--run-id", "run-1"]);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let dashboard = open(&program, &[]);
        dashboard.wait_for("run-1");
        if signal == rustix::process::Signal::TERM {
            program.wait_for_slow_nodes(1);
        }
        dashboard.signal(signal);
        assert_eq!(dashboard.end(), 0);
        assert_eq!(program.json(0, &["show", "run-1"])["outputs"], json!({ "a": "slept" }));
    }
}

#[test]
fn without_a_worker_it_only_watches() {
    let program = asks();
    program.json(0, &["start", "ask", "--run-id", "run-1"]);
    let mut dashboard = open(&program, &["--watch-only", "--read-only"]);
    dashboard.wait_for("run-1");
    let text = dashboard.wait_for("watch only");
    assert!(text.contains("running"), "{text}");
    assert_eq!(program.json(0, &["workers"]), json!([]));
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["show", "run-1"])["status"], "running");
}

#[test]
fn the_demo_has_something_to_look_at() {
    let program = Program::new();
    let mut dashboard = open(&program, &["--demo"]);
    dashboard.wait_for("stalled");
    dashboard.press("q");
    dashboard.press("y");
    assert_eq!(dashboard.end(), 0);
    assert!(!program.path("cluster.db").exists(), "it has a cluster of its own");
}

#[test]
fn a_run_is_seen_from_within_and_exported() {
    let program = Program::with_config(
        "[nodes.say]\nkind = \"exec\"\nmode = \"per-job\"\ncommand = [\"sh\", \"say.sh\"]\n",
    );
    let say = r#"read -r request
id=$(printf '%s' "$request" | sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "said on stderr" >&2
echo "{\"id\":\"$id\",\"output\":{\"words\":[\"one\",\"two\"]}}"
"#;
    std::fs::write(program.path("say.sh"), say).unwrap();
    program.blueprint(&json!({ "id": "talk", "nodes": [{ "id": "speak", "uses": "say" }] }));
    let mut dashboard = open(&program, &[]);
    dashboard.wait_for("No runs yet");
    program.json(0, &["start", "talk", "--run-id", "run-1", "--input", "{\"k\":1}"]);
    dashboard.wait_for("completed");
    dashboard.press("2\rvvv");
    dashboard.wait_for("[Context]");
    dashboard.press("+/two\r");
    dashboard.wait_for("outputs.speak.words[1]");
    dashboard.press("v");
    dashboard.wait_for("speak said on stderr");
    dashboard.press("Ve\t\r");
    dashboard.wait_for("written to run-1.json");
    let written = std::fs::read_to_string(program.path("run-1.json")).unwrap();
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    let shown = program.json(0, &["show", "run-1"]);
    for (member, value) in shown.as_object().unwrap() {
        if member != "nodes" {
            assert_eq!(&written[member], value, "{member}");
        }
    }
    for (member, value) in shown["nodes"][0].as_object().unwrap() {
        assert_eq!(&written["nodes"][0][member], value, "{member}");
    }
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
}

#[test]
fn the_demo_is_recorded_and_replayed() {
    let program = Program::new();
    let mut demo = open(&program, &["--demo", "--record", "it.rec"]);
    demo.wait_for("● REC");
    demo.wait_for("stalled");
    demo.press("p");
    demo.wait_for("Pause this worker?");
    demo.press("y");
    demo.wait_for("takes no new jobs");
    demo.press("q");
    std::thread::sleep(Duration::from_millis(300));
    demo.press("y");
    assert_eq!(demo.end(), 0);
    let text = std::fs::read_to_string(program.path("it.rec")).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));

    let mut replay = open(&program, &["replay", "it.rec", "--at", "-0s"]);
    replay.wait_for("RECORDING");
    replay.wait_for("stalled");
    replay.press("^");
    replay.wait_for("now: recording began");
    replay.press(")");
    let shown = replay.wait_for("now: Pause this worker: this worker takes no new jobs");
    assert!(shown.contains("‖ "), "held:\n{shown}");
    replay.press("x");
    replay.wait_for("this is a recording: `cancel` is switched off");
    // Played to its end, and left without a question.
    replay.press(">>>>>> ");
    replay.wait_for("the worker is draining");
    replay.press("q");
    assert_eq!(replay.end(), 0);
}

#[test]
fn what_is_wrong_with_a_recording_is_said_before_the_terminal_is_taken() {
    let program = Program::new();
    std::fs::write(program.path("notes.txt"), "my notes\n").unwrap();
    std::fs::write(program.path("empty.rec"), "").unwrap();
    let error = program.error(2, &["replay", "notes.txt"]);
    assert!(error.contains("notes.txt: line 1: this is not a recording"), "{error}");
    let error = program.error(2, &["replay", "empty.rec"]);
    assert!(error.contains("empty.rec: the file is empty"), "{error}");
    let error = program.error(2, &["replay", "none.rec"]);
    assert!(error.contains("none.rec: can't read it"), "{error}");
    for arguments in [["--demo", "--record"], ["--watch-only", "--record"]] {
        let dashboard = open(&program, &[&arguments[..], &["notes.txt"]].concat());
        dashboard.wait_for("is not overwritten (not a recording); choose another name");
        assert_eq!(dashboard.end(), 2);
    }
    let text = std::fs::read_to_string(program.path("notes.txt")).unwrap();
    assert_eq!(text, "my notes\n");
    let error = program.error(2, &["runs", "--record", "x.rec"]);
    assert!(error.contains("--record"), "{error}");
    let error = program.error(2, &["--no-ui", "--record-limit", "64MB"]);
    assert!(error.contains("--record <FILE>"), "{error}");
}

#[test]
fn a_worker_without_a_dashboard_is_recorded_too() {
    let program = asks();
    program.json(0, &["start", "ask", "--run-id", "run-1"]);
    let arguments = ["--no-ui", "--until-idle", "--record", "it.rec"];
    let output = program.command(&arguments).env("MY_TOKEN", "hunter2-hunter2").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut recording = flowcraft_tui::recording::Recording::open(program.path("it.rec")).unwrap();
    let end = recording.end();
    let last = recording.snapshot(end).unwrap();
    assert_eq!(last.runs.data.counts().awaiting, 1, "{:?}", last.runs);
    let logs = recording.logs(end).unwrap();
    assert!(logs.iter().any(|logged| logged.line.text.contains("has ended")), "{logs:?}");
    // Once more: it is continued.
    assert_eq!(program.run(&arguments).status.code(), Some(0));
    let again = flowcraft_tui::recording::Recording::open(program.path("it.rec")).unwrap();
    assert_eq!(again.start(), recording.start());
    assert!(again.end() > end);
}

#[test]
fn what_it_needs_is_checked_before_the_terminal_is_taken() {
    let program = asks();
    let error = program.error(2, &[]);
    assert!(error.contains("needs a terminal") && error.contains("--no-ui"), "{error}");
    let error = program.error(2, &["--demo", "--set", "ui.theme=nrod"]);
    assert!(error.contains("there is no theme \"nrod\"") && error.contains("nord"), "{error}");
    let file = program.path("flowcraft.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{config}[keys]\nrecncile = \"R\"\n")).unwrap();
    let error = program.error(2, &[]);
    assert!(error.contains("keys.recncile") && error.contains("flowcraft.toml:"), "{error}");
}
