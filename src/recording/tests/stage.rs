//! Snapshots to record, and a recorder that can be told what time it is.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::{
    cluster::{Clock, Heartbeat, HeldLock, NodeCounts, StatusItem, WorkerMode},
    engine::{RunStatus, Timestamp},
    monitor::{RunRow, RunsView, Snapshot, SourceState, Sourced, WorkersView},
    recording::{Masker, RecordOptions, Recorder, RecorderState, Recording},
};

pub(super) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// So many seconds after the start.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START.seconds() + seconds)
}

/// A clock that stands still until it is set.
pub(super) struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(super) fn stopped(now: Timestamp) -> Arc<Stopped> {
    Arc::new(Stopped(AtomicI64::new(now.millis())))
}

/// A recorder with its file in a folder of its own.
pub(super) struct Stage {
    pub(super) folder: tempfile::TempDir,
    pub(super) recorder: Recorder,
    clock: Arc<Stopped>,
}

impl Stage {
    pub(super) fn new(limit: u64) -> Self {
        Self::with(limit, Masker::default())
    }

    pub(super) fn with(limit: u64, masker: Masker) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = stopped(START);
        let recorder = start(&folder.path().join("it.rec"), limit, masker, clock.clone()).unwrap();
        Self { folder, recorder, clock }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("it.rec")
    }

    pub(super) fn set(&self, now: Timestamp) {
        self.clock.0.store(now.millis(), Ordering::SeqCst);
    }

    /// Records a snapshot at a time.
    pub(super) async fn snapshot(&self, now: Timestamp, snapshot: &Snapshot) {
        self.set(now);
        self.recorder.snapshot(Arc::new(snapshot.clone())).await;
    }

    /// Ends the recording and opens it. The folder is gone when the first is dropped.
    pub(super) async fn read(self) -> (tempfile::TempDir, Recording) {
        let file = self.file();
        let mut state = self.recorder.state();
        self.recorder.finish().await;
        // However busy the machine is.
        state.wait_for(|state| *state != RecorderState::Recording).await.unwrap();
        (self.folder, Recording::open(file).unwrap())
    }
}

pub(super) fn start(
    file: &Path,
    limit: u64,
    masker: Masker,
    clock: Arc<dyn Clock>,
) -> Result<Recorder, crate::recording::RecordingError> {
    let options = RecordOptions { file: file.to_owned(), limit };
    Recorder::start(&options, "shop", masker, clock)
}

pub(super) fn live<T>(data: T, now: Timestamp) -> Sourced<T> {
    Sourced { data: Arc::new(data), state: SourceState::Live, updated_at: Some(now), slow: None }
}

pub(super) fn item(run: &str, status: RunStatus, touched: i64) -> StatusItem {
    StatusItem {
        run_id: run.into(),
        status: Some(status),
        last_updated: at(touched),
        blueprint_id: Some("order-intake".into()),
        started_at: Some(at(-60)),
        nodes: Some(NodeCounts { total: 12, completed: 5, failed: 0 }),
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: Some("worker-1".into()),
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    }
}

pub(super) fn row(item: StatusItem) -> RunRow {
    RunRow { item, stalled: false }
}

pub(super) fn runs(rows: impl IntoIterator<Item = RunRow>) -> RunsView {
    let mut view = RunsView::default();
    for row in rows {
        view.put(row);
    }
    view
}

pub(super) fn worker(name: &str, done: u64) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "host-1".to_owned(),
        pid: 1,
        version: "0.1.0".to_owned(),
        started_at: START,
        slots: 4,
        in_flight: 1,
        done,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    }
}

pub(super) fn workers(done: u64, now: Timestamp) -> Sourced<WorkersView> {
    live(WorkersView { workers: vec![worker("worker-1", done)], ..WorkersView::default() }, now)
}

pub(super) fn lock(run: &str, ends: i64) -> HeldLock {
    let key = format!("flowcraft:nodelock:{run}:charge");
    HeldLock::describe(&key, "worker:worker-1#00000000000000ff", at(ends))
}

/// Whether two snapshots say the same.
pub(super) fn assert_same(read: &Snapshot, published: &Snapshot) {
    fn parts<T: PartialEq + std::fmt::Debug>(read: &Sourced<T>, published: &Sourced<T>) {
        assert_eq!(read.data, published.data);
        assert_eq!(read.state, published.state);
        assert_eq!(read.updated_at, published.updated_at);
    }
    assert_eq!(read.cluster, published.cluster);
    parts(&read.queue, &published.queue);
    parts(&read.locks, &published.locks);
    parts(&read.workers, &published.workers);
    parts(&read.detail, &published.detail);
    let rows = |snapshot: &Snapshot| snapshot.runs.data.iter().cloned().collect::<Vec<_>>();
    assert_eq!(rows(read), rows(published));
    assert_eq!(read.runs.data.counts(), published.runs.data.counts());
    assert_eq!(read.runs.state, published.runs.state);
    assert_eq!(read.runs.updated_at, published.runs.updated_at);
}
