//! The real binary on a terminal: questions before changes, progress, interruptions.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use program::{Program, finish, signal};
use rustix::process::Signal;
use serde_json::json;

/// Runs a command on a terminal, types something, and gives back its exit code and what it showed.
fn on_a_terminal(program: &Program, arguments: &[&str], typed: &str) -> (u32, String) {
    let size = PtySize { rows: 40, cols: 100, ..PtySize::default() };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowcraft-tui"));
    command.args(arguments);
    command.env_clear();
    command.env("HOME", program.path(""));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.env("TERM", "xterm");
    command.env("NO_COLOR", "1");
    command.cwd(program.path(""));
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let mut reader = terminal.master.try_clone_reader().unwrap();
    terminal.master.take_writer().unwrap().write_all(typed.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // The end of a pseudo-terminal is an error on Linux; what came before it counts.
    let _ = reader.read_to_end(&mut bytes);
    (child.wait().unwrap().exit_code(), String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn changes_are_shown_and_asked_about() {
    let program = Program::new();
    program.blueprint(&json!({ "id": "ask", "nodes": [{ "id": "w", "uses": "wait" }] }));
    for run in ["r1", "r2"] {
        program.json(0, &["start", "ask", "--run-id", run]);
    }
    let status = |run| program.json(0, &["show", run])["status"].clone();
    let (code, shown) = on_a_terminal(&program, &["cancel", "r1", "r2"], "n\r");
    assert_eq!(code, 0);
    assert!(shown.contains("status: running -> cancelled"), "{shown}");
    assert!(shown.contains("Cancel 2 runs? [y/N]"), "{shown}");
    assert_eq!((status("r1"), status("r2")), (json!("running"), json!("running")));
    let (_, shown) = on_a_terminal(&program, &["cancel", "r1"], "y\r");
    assert!(shown.contains("Run r1 is cancelled."), "{shown}");
    assert_eq!((status("r1"), status("r2")), (json!("cancelled"), json!("running")));
    let (_, shown) = on_a_terminal(&program, &["cancel", "r2", "--yes"], "");
    assert!(!shown.contains("[y/N]"), "{shown}");
    assert_eq!(status("r2"), json!("cancelled"));
}

#[test]
fn a_run_shows_where_its_nodes_stand() {
    let program = Program::new();
    let slow = json!({ "id": "slow", "nodes": [
        { "id": "turtle", "uses": "slow", "params": { "seconds": 0.8 } }
    ]});
    program.blueprint(&slow);
    let (code, shown) = on_a_terminal(&program, &["run", "blueprints/slow.json"], "");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("ready      turtle"), "{shown}");
    assert!(shown.contains("is completed."), "{shown}");
    let (_, shown) = on_a_terminal(&program, &["run", "blueprints/slow.json", "--json"], "");
    let shown = shown.trim_start(); // The end of the input is echoed.
    assert!(shown.starts_with("{\"runId\"") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn an_interrupted_run_takes_its_processes_with_it() {
    let program = Program::new();
    let slow = json!({ "id": "slow", "nodes": [
        { "id": "a", "uses": "slow", "params": { "seconds": 31.25 } }
    ]});
    program.blueprint(&slow);
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let run = program.spawn(&["run", "blueprints/slow.json"]);
        program.wait_for_slow_nodes(if code == 130 { 1 } else { 2 });
        let told = Instant::now();
        signal(&run, number);
        let output = finish(run);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        let sleeping = std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            let told = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            told.starts_with(b"sleep\x0031.25")
        });
        assert!(!sleeping, "its node is still running");
    }
}
