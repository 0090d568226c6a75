//! From the start of the program to the first frame of the dashboard, and to the first that shows
//! what is in the embedded cluster: the real binary on a terminal.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const BINARY: &str = env!("CARGO_BIN_EXE_flowcraft-tui");
const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
const STARTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);
/// A run in the cluster.
const RUN: &str = "the-run";
const BLUEPRINT: &str = r#"{"id": "ask", "nodes": [{"id": "answer", "uses": "wait"}]}"#;

/// A folder with a configuration, a blueprint and a cluster with a run.
fn prepare(folder: &Path) {
    fs::create_dir(folder.join("blueprints")).unwrap();
    fs::write(folder.join("blueprints/ask.json"), BLUEPRINT).unwrap();
    fs::write(folder.join("flowcraft.toml"), "[cluster]\npath = \"cluster.db\"\n").unwrap();
    let status = Command::new(BINARY)
        .args(["start", "ask", "--run-id", RUN])
        .current_dir(folder)
        .env("HOME", folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "the run could not be started");
}

/// How long the first frame takes, and the first one with the run on it.
fn start(folder: &Path) -> (Duration, Duration) {
    let terminal = native_pty_system().openpty(SIZE).unwrap();
    let mut reader = terminal.master.try_clone_reader().unwrap();
    let mut keys = terminal.master.take_writer().unwrap();
    let mut command = CommandBuilder::new(BINARY);
    command.env_clear();
    command.env("HOME", folder);
    command.env("TERM", "xterm-256color");
    command.cwd(folder);
    let began = Instant::now();
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let mut screen = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
    let mut bytes = [0; 8192];
    let mut first = None;
    let with_content = loop {
        let count = reader.read(&mut bytes).unwrap();
        assert!(count > 0 && began.elapsed() < PATIENCE, "{}", screen.screen().contents());
        screen.process(&bytes[..count]);
        let text = screen.screen().contents();
        if first.is_none() && text.contains("Overview") {
            first = Some(began.elapsed());
        }
        if text.contains(RUN) {
            break began.elapsed();
        }
    };
    keys.write_all(b"q").unwrap();
    keys.flush().unwrap();
    // It says goodbye to the terminal, and somebody must listen.
    while matches!(reader.read(&mut bytes), Ok(1..)) {}
    child.wait().unwrap();
    (first.unwrap_or(with_content), with_content)
}

fn summary(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let (median, last) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{name:<24}{median:>10.1?} in the median, at most {last:.1?}");
}

fn main() {
    // Cargo says so where it is to measure, and not only to see whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let (first, content): (Vec<_>, Vec<_>) = (0..STARTS).map(|_| start(folder.path())).unzip();
    summary("first frame", first);
    summary("first frame with the run", content);
}
