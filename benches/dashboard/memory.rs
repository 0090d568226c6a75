//! How much memory a dashboard needs: the monitor reads a real embedded cluster with all runs in it,
//! in a process of its own, in which nothing else ever was.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use flowcraft_tui::{
    cluster::{Cluster, Lifetime, SqliteOptions, SystemClock, sqlite_cluster_with},
    engine::Timestamp,
    monitor::{LocksView, Monitor, MonitorConfig, Snapshot, Sourced},
    tui::{Access, Command as Asked, Headless, Message},
};

use crate::cluster::{self, RUNS};

/// Has this program measure itself on the cluster in a file.
pub(crate) const FLAG: &str = "--measure-memory";

const LIMIT: u64 = 100_000_000;

async fn open(path: &Path) -> Cluster {
    let options = SqliteOptions { lifetime: Lifetime::Temporary, ..SqliteOptions::default() };
    sqlite_cluster_with(path, Arc::new(SystemClock), options).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Makes a cluster and measures a dashboard on it in another process.
pub(crate) fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    runtime().block_on(async {
        let cluster = open(&path).await;
        for from in (0..RUNS).step_by(2_000) {
            let items: Vec<_> = (from..RUNS.min(from + 2_000)).map(cluster::run).collect();
            let written = items.iter().map(|item| cluster.state.create_status(item));
            futures::future::try_join_all(written).await.unwrap();
        }
    });
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program).arg(FLAG).arg(&path).status().unwrap();
    assert!(status.success(), "the memory could not be measured");
}

/// Measures this process.
pub(crate) fn measure_here(path: &Path) {
    let runtime = runtime();
    let begun = resident();
    let (handle, snapshot) = runtime.block_on(async {
        let config = MonitorConfig { timeout: Duration::from_mins(5), ..MonitorConfig::default() };
        let mut handle = Monitor::spawn(open(path).await, config, Arc::new(|_| None));
        let all = handle.snapshots.wait_for(|snapshot| snapshot.runs.data.len() >= RUNS);
        let snapshot = all.await.unwrap().clone();
        (handle, snapshot)
    });
    let read = resident();
    let locks = cluster::locks();
    let locks: Sourced<LocksView> = Sourced {
        data: Arc::new(LocksView { locks, more: true, ..LocksView::default() }),
        ..snapshot.locks.clone()
    };
    let snapshot = Arc::new(Snapshot { locks, ..(*snapshot).clone() });
    let now = Timestamp::from_seconds(1_800_000_000);
    let mut dashboard = Headless::new(snapshot, now, (200, 60), Access::Full);
    dashboard.hear(Message::Tick(now));
    for command in dashboard.asked() {
        if let Asked::List(job) = command {
            dashboard.hear(job.run(drop).unwrap());
        }
    }
    dashboard.press("2 o");
    let listed = resident();
    // A few at a time, as they come.
    for from in (0..cluster::LINES).step_by(100) {
        let lines = (from..from + 100).map(cluster::log_line).collect();
        dashboard.hear(Message::LogLines(lines));
    }
    dashboard.press("7");
    let all = resident();
    drop(handle);
    println!("\nmemory of the whole process{:>25}", "resident");
    for (what, bytes) in [
        ("at its start", begun),
        ("100,000 runs read by the monitor", read),
        ("with 10,000 locks and the list of runs", listed),
        ("with 100,000 log lines", all),
    ] {
        println!("{what:<44}{:>8} MB", bytes / 1_000_000);
    }
    let limit = LIMIT / 1_000_000;
    println!("{:<44}{:>8} MB, limit {limit} MB", "at most", peak() / 1_000_000);
}

fn resident() -> u64 {
    status("VmRSS:")
}

fn peak() -> u64 {
    status("VmHWM:")
}

/// A line of what the system says about this process, in bytes; 0 where it doesn't.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}
