//! The dashboard of the real binary on a terminal: it shows the cluster, works, acts, and leaves.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::{
    io::{Read as _, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use program::Program;
use serde_json::json;

const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };

/// A dashboard on a terminal of its own.
struct Dashboard {
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn std::io::Write + Send>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Dashboard {
    fn open(program: &Program, arguments: &[&str]) -> Self {
        let terminal = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowcraft-tui"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", program.path(""));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TERM", "xterm-256color");
        command.cwd(program.path(""));
        let child = terminal.slave.spawn_command(command).unwrap();
        drop(terminal.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(SIZE.rows, SIZE.cols, 0)));
        let mut reader = terminal.master.try_clone_reader().unwrap();
        let keys = terminal.master.take_writer().unwrap();
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { child, screen, keys, _terminal: terminal.master }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn wait_for(&self, what: &str) -> String {
        let limit = Instant::now() + Duration::from_secs(15);
        loop {
            let text = self.text();
            if text.contains(what) {
                return text;
            }
            assert!(Instant::now() < limit, "no {what:?} on the screen:\n{text}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// How it ended, and whether it gave the terminal back.
    fn end(mut self) -> u32 {
        let code = self.child.wait().unwrap().exit_code();
        let limit = Instant::now() + Duration::from_secs(5);
        while self.screen.lock().unwrap().screen().alternate_screen() {
            assert!(Instant::now() < limit, "the terminal was not given back");
            std::thread::sleep(Duration::from_millis(20));
        }
        code
    }
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
    let mut dashboard = Dashboard::open(&program, &["--set", "worker.name=behind"]);
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
        let dashboard = Dashboard::open(&program, &[]);
        dashboard.wait_for("run-1");
        if signal == rustix::process::Signal::TERM {
            program.wait_for_slow_nodes(1);
        }
        let pid = i32::try_from(dashboard.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(dashboard.end(), 0);
        assert_eq!(program.json(0, &["show", "run-1"])["outputs"], json!({ "a": "slept" }));
    }
}

#[test]
fn without_a_worker_it_only_watches() {
    let program = asks();
    program.json(0, &["start", "ask", "--run-id", "run-1"]);
    let mut dashboard = Dashboard::open(&program, &["--watch-only", "--read-only"]);
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
    let mut dashboard = Dashboard::open(&program, &["--demo"]);
    dashboard.wait_for("stalled");
    dashboard.press("q");
    dashboard.press("y");
    assert_eq!(dashboard.end(), 0);
    assert!(!program.path("cluster.db").exists(), "it has a cluster of its own");
}

#[test]
fn the_demo_is_recorded_and_replayed() {
    let program = Program::new();
    let mut demo = Dashboard::open(&program, &["--demo", "--record", "it.rec"]);
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

    let mut replay = Dashboard::open(&program, &["replay", "it.rec", "--at", "-0s"]);
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
        let mut dashboard = Dashboard::open(&program, &[&arguments[..], &["notes.txt"]].concat());
        assert_eq!(dashboard.child.wait().unwrap().exit_code(), 2);
        dashboard.wait_for("is not overwritten (not a recording); choose another name");
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
