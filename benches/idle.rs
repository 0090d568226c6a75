//! What a dashboard costs while nothing happens: the real binary on a terminal, on an embedded
//! cluster with 1,000 runs that have ended, watching only and with a worker in it.
//!
//! Each is left alone for 20 seconds to settle, then watched for a minute: processor time from
//! `/proc/PID/stat` (`utime` and `stime`, of all its threads), wake-ups from the context switches
//! of its threads, and what it wrote to the terminal. The limit is 0.5 % of one core, with the
//! monitor polling.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use flowcraft_tui::{
    cluster::{NodeCounts, StatusItem, SystemClock, sqlite_cluster},
    engine::{RunStatus, Timestamp},
};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const BINARY: &str = env!("CARGO_BIN_EXE_flowcraft-tui");
const SIZE: PtySize = PtySize { rows: 48, cols: 160, pixel_width: 0, pixel_height: 0 };
const RUNS: usize = 1_000;
const SETTLE: Duration = Duration::from_secs(20);
const WATCH: Duration = Duration::from_secs(60);
/// Of one core.
const LIMIT: f64 = 0.5;
/// Linux counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// A folder with a configuration, a blueprint and a cluster with runs in it.
fn prepare(folder: &Path) {
    fs::create_dir(folder.join("blueprints")).unwrap();
    let blueprint = r#"{"id": "ask", "nodes": [{"id": "answer", "uses": "wait"}]}"#;
    fs::write(folder.join("blueprints/ask.json"), blueprint).unwrap();
    fs::write(folder.join("flowcraft.toml"), "[cluster]\npath = \"cluster.db\"\n").unwrap();
    let now = jiff::Timestamp::now().as_second();
    let items: Vec<StatusItem> = (0..RUNS)
        .map(|at| {
            let started = now - 7_200 - i64::try_from(at).unwrap();
            StatusItem {
                run_id: format!("order-intake-0190f3c2-{at:06}").into(),
                status: Some(if at % 20 == 0 { RunStatus::Failed } else { RunStatus::Completed }),
                last_updated: Timestamp::from_seconds(started + 60),
                blueprint_id: Some("order-intake".into()),
                started_at: Some(Timestamp::from_seconds(started)),
                nodes: Some(NodeCounts { total: 12, completed: 12, failed: 0 }),
                error: (at % 20 == 0).then(|| "disk full".to_owned()),
                parent_run_id: None,
                next_due_at: None,
                worker: Some("worker-1".into()),
                final_status: None,
                remarks: flowcraft_tui::cluster::Remarks::default(),
            }
        })
        .collect();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let path = folder.join("cluster.db");
        let cluster = sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap();
        let written = items.iter().map(|item| cluster.state.create_status(item));
        futures::future::try_join_all(written).await.unwrap();
    });
}

/// What a process has used up so far.
#[derive(Debug, Clone, Copy)]
struct Used {
    ticks: u64,
    wakes: u64,
    written: u64,
}

impl Used {
    fn of(pid: u32, written: &AtomicU64) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name of the program, between brackets, may have spaces in it.
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        // `utime` and `stime`: the 14th and 15th of all, of which two are gone.
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Self {
            ticks,
            wakes: wakes(pid).iter().map(|(_, count)| count).sum(),
            written: written.load(Ordering::Relaxed),
        }
    }
}

/// How often each thread has given up the processor by itself.
fn wakes(pid: u32) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |folder: std::path::PathBuf| {
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let count = line("voluntary_ctxt_switches:")?.trim().parse().ok()?;
        Some((line("Name:")?.trim().to_owned(), count))
    };
    tasks.filter_map(|task| of(task.ok()?.path())).collect()
}

/// Lets a dashboard run and prints what it used. Returns its share of a core, in per cent.
fn watch(folder: &Path, name: &str, arguments: &[&str]) -> f64 {
    let terminal = native_pty_system().openpty(SIZE).unwrap();
    let mut reader = terminal.master.try_clone_reader().unwrap();
    let mut keys = terminal.master.take_writer().unwrap();
    let mut command = CommandBuilder::new(BINARY);
    command.args(arguments);
    command.env_clear();
    command.env("HOME", folder);
    command.env("TERM", "xterm-256color");
    command.cwd(folder);
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let pid = child.process_id().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let counter = written.clone();
    let listener = thread::spawn(move || {
        let mut bytes = [0; 8_192];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    });
    thread::sleep(SETTLE);
    let threads = wakes(pid);
    let (before, began) = (Used::of(pid, &written), Instant::now());
    thread::sleep(WATCH);
    let (after, seconds) = (Used::of(pid, &written), began.elapsed().as_secs_f64());
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = |count: u64| count as f64 / seconds;
    let percent = per_second(after.ticks - before.ticks) / TICKS * 100.0;
    println!(
        "{name:<24}{percent:>8.2} % of a core{:>10.1} wake-ups/s{:>10} bytes written",
        per_second(after.wakes - before.wakes),
        after.written - before.written,
    );
    for ((thread, now), (_, then)) in wakes(pid).into_iter().zip(threads) {
        if now > then {
            println!("    {thread:<20}{:>10.1} wake-ups/s", per_second(now - then));
        }
    }
    keys.write_all(b"q").unwrap();
    keys.flush().unwrap();
    child.wait().unwrap();
    listener.join().unwrap();
    percent
}

fn main() {
    // Cargo says so where it is to measure, and not only to see whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let shares = [
        watch(folder.path(), "watching only", &["--watch-only"]),
        watch(folder.path(), "with a worker", &[]),
    ];
    let within = if shares.iter().all(|share| *share < LIMIT) { "within" } else { "ABOVE" };
    println!("{within} the limit of {LIMIT} % of a core");
}
