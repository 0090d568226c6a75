//! The recorder: a thread that writes what it is handed. Nobody ever waits for it: what it can't
//! keep up with is left out, and when it can't write any more it says so and ends.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    changes::{Differ, Haste, Room},
    error::RecordingError,
    file::{BoundedFile, Kind},
    format::{Event, LogLine, WorkerSeen},
    mask::Masker,
};
use crate::{blueprint::LibraryState, cluster::Clock, engine::Timestamp, monitor::Snapshot};

/// How many entries may wait to be written.
const WAITING: usize = 2_048;

/// How many log lines a second are kept, and how many at once.
const LINES_A_SECOND: u32 = 100;
const LINES_AT_ONCE: u32 = 1_000;

/// How long the end may take.
const END_LIMIT: Duration = Duration::from_secs(5);

/// How long something that was written may take until it is in the file.
const FLUSH: Duration = Duration::from_secs(1);

/// The pause before something is handed over again for which there was no room.
const RETRY: Duration = Duration::from_millis(50);

/// How a recording is made.
#[derive(Debug, Clone)]
pub struct RecordOptions {
    /// The file.
    pub file: PathBuf,
    /// The most bytes it may have.
    pub limit: u64,
}

impl RecordOptions {
    /// The most bytes unless it is said otherwise.
    pub const DEFAULT_LIMIT: u64 = 64 * 1000 * 1000;
    /// The least limit: below there is no room for a cluster.
    pub const LEAST_LIMIT: u64 = 1000 * 1000;
}

/// How a recording goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecorderState {
    /// It is being made.
    Recording,
    /// It ended because it can't be written any more; what there is can be read.
    Stopped(Arc<str>),
    /// It ended as it should.
    Ended,
}

/// Something to be written.
enum Entry {
    Snapshot(Arc<Snapshot>),
    Worker(WorkerSeen),
    Blueprints(Arc<LibraryState>),
    Event(Event),
    Log(LogLine),
    End,
}

/// Takes what is to be recorded. Cloning is cheap.
#[derive(Clone)]
pub struct Recorder {
    entries: SyncSender<(Timestamp, Entry)>,
    lost: Arc<AtomicU64>,
    state: watch::Receiver<RecorderState>,
    clock: Arc<dyn Clock>,
}

impl Recorder {
    /// Creates the file, or goes on with the recording of the same cluster that is there, and
    /// starts to write into it. Blocks while it reads what is there.
    pub fn start(
        options: &RecordOptions,
        cluster: &str,
        masker: Masker,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RecordingError> {
        let cluster = masker.text(cluster).into_owned();
        let limit = options.limit.max(RecordOptions::LEAST_LIMIT);
        let (file, last) = BoundedFile::open(&options.file, limit, &cluster, clock.now())?;
        let room = |parts: u64| usize::try_from(limit / 64 * parts).unwrap_or(usize::MAX);
        let room = Room { runs: room(20), part: room(1) };
        let (entries, queue) = sync_channel(WAITING);
        let (states, state) = watch::channel(RecorderState::Recording);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            file,
            differ: Differ::new(masker, room, &cluster),
            latest: None,
            worker: None,
            last: last.unwrap_or(Timestamp::from_millis(i64::MIN)),
            largest: room.part * 2,
            lost: lost.clone(),
            lines: LINES_AT_ONCE,
            refilled: Instant::now(),
            flushed: Instant::now(),
        };
        let path = options.file.clone();
        thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(writer, &queue, &states, &path))
            .map_err(|error| RecordingError::Write { path: options.file.clone(), error })?;
        Ok(Self { entries, lost, state, clock })
    }

    /// How it goes.
    pub fn state(&self) -> watch::Receiver<RecorderState> {
        self.state.clone()
    }

    /// Records a snapshot; waits while there is no room for it.
    pub async fn snapshot(&self, snapshot: Arc<Snapshot>) {
        self.hand_over(Entry::Snapshot(snapshot)).await;
    }

    /// Records which blueprints are loaded.
    pub async fn blueprints(&self, library: Arc<LibraryState>) {
        self.hand_over(Entry::Blueprints(library)).await;
    }

    /// Records what the worker of this process does.
    pub async fn worker(&self, worker: WorkerSeen) {
        self.hand_over(Entry::Worker(worker)).await;
    }

    /// Records that something happened, if there is room for it.
    pub fn event(&self, event: Event) {
        self.offer(Entry::Event(event));
    }

    /// Records a log line, if there is room for it.
    pub fn log(&self, line: LogLine) {
        self.offer(Entry::Log(line));
    }

    fn offer(&self, entry: Entry) {
        if let Err(TrySendError::Full(_)) = self.entries.try_send((self.clock.now(), entry)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn hand_over(&self, entry: Entry) {
        let mut waiting = (self.clock.now(), entry);
        // Once the thread has ended there is nobody to hand it to.
        while let Err(TrySendError::Full(back)) = self.entries.try_send(waiting) {
            waiting = back;
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Ends the recording, and waits a moment until it is all written.
    pub async fn finish(self) {
        let mut state = self.state.clone();
        let end = async {
            self.hand_over(Entry::End).await;
            let _ = state.wait_for(|state| *state != RecorderState::Recording).await;
        };
        if tokio::time::timeout(END_LIMIT, end).await.is_err() {
            tracing::warn!("the end of the recording could not be written in time");
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

fn run(
    mut writer: Writer,
    queue: &Receiver<(Timestamp, Entry)>,
    states: &watch::Sender<RecorderState>,
    path: &Path,
) {
    let ended = writer.write_all(queue);
    // What is left of a line that could not be written can be read past.
    drop(writer);
    let state = match ended {
        Ok(()) => RecorderState::Ended,
        Err(error) => {
            let text = format!("recording stopped: {}: {error}", path.display());
            tracing::error!("{text}; everything else goes on");
            RecorderState::Stopped(text.into())
        }
    };
    states.send_replace(state);
}

/// Writes entries into the file.
struct Writer {
    file: BoundedFile,
    differ: Differ,
    latest: Option<Arc<Snapshot>>,
    /// What the worker does, as far as it is known.
    worker: Option<WorkerSeen>,
    /// The time of the last line.
    last: Timestamp,
    /// The largest change that is written as one.
    largest: usize,
    lost: Arc<AtomicU64>,
    /// How many log lines may be written at once.
    lines: u32,
    refilled: Instant,
    flushed: Instant,
}

impl Writer {
    /// Writes until the end is asked for, or nobody is left to hand anything over.
    fn write_all(&mut self, queue: &Receiver<(Timestamp, Entry)>) -> std::io::Result<()> {
        while let Some((at, entry)) = self.next(queue)? {
            // Times never go backwards, whatever the clock does.
            self.last = self.last.max(at);
            if matches!(entry, Entry::End) {
                break;
            }
            self.write(entry)?;
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                self.event(&Event::Lost { count: lost })?;
            }
        }
        self.end()
    }

    /// The next entry; nothing once nobody is left to hand one over. What is written is in the file
    /// before this waits, and soon also while there is always more.
    fn next(
        &mut self,
        queue: &Receiver<(Timestamp, Entry)>,
    ) -> std::io::Result<Option<(Timestamp, Entry)>> {
        if self.flushed.elapsed() > FLUSH {
            self.flush()?;
        }
        if let Ok(entry) = queue.try_recv() {
            return Ok(Some(entry));
        }
        self.flush()?;
        Ok(queue.recv().ok())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.flushed = Instant::now();
        self.file.flush()
    }

    fn write(&mut self, entry: Entry) -> std::io::Result<()> {
        match entry {
            Entry::Snapshot(snapshot) => {
                self.worker()?;
                self.snapshot(&snapshot, Haste::Measured)
            }
            Entry::Worker(worker) => {
                self.worker = Some(worker);
                self.worker()
            }
            Entry::Blueprints(library) => {
                let change = self.differ.blueprints(library);
                self.change(change)
            }
            Entry::Event(event) => self.event(&event),
            Entry::Log(line) => {
                let seconds = self.refilled.elapsed().as_secs();
                if seconds > 0 {
                    let more = u32::try_from(seconds).unwrap_or(u32::MAX);
                    let more = more.saturating_mul(LINES_A_SECOND);
                    self.lines = self.lines.saturating_add(more).min(LINES_AT_ONCE);
                    self.refilled = Instant::now();
                }
                if self.lines == 0 {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                self.lines -= 1;
                let line = self.differ.masked(&line);
                self.add(Kind::Other, "log", line)
            }
            Entry::End => Ok(()),
        }
    }

    fn worker(&mut self) -> std::io::Result<()> {
        let Some(worker) = self.worker else { return Ok(()) };
        let (change, event) = self.differ.worker(worker, self.last);
        self.change(change)?;
        event.map_or(Ok(()), |event| self.event(&event))
    }

    fn snapshot(&mut self, snapshot: &Arc<Snapshot>, haste: Haste) -> std::io::Result<()> {
        let is_first = self.latest.is_none();
        self.latest = Some(snapshot.clone());
        if is_first {
            let program = env!("CARGO_PKG_VERSION").to_owned();
            self.event(&Event::Began { program })?;
            return self.key(snapshot);
        }
        let (change, events) = self.differ.change(snapshot, self.last, haste);
        let is_large = change.as_ref().is_some_and(|change| change.len() > self.largest);
        if self.file.wants_key() || is_large {
            self.key(snapshot)?;
        } else {
            self.change(change)?;
        }
        events.iter().try_for_each(|event| self.event(event))
    }

    fn key(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
        let key = self.differ.key(snapshot, self.last);
        self.add(Kind::Key, "key", key)?;
        // From the first one on there is something to show.
        self.flush()
    }

    /// Changes count from the first key frame on.
    fn change(&mut self, change: Option<String>) -> std::io::Result<()> {
        if self.latest.is_none() {
            return Ok(());
        }
        self.add(Kind::Other, "change", change)
    }

    fn event(&mut self, event: &Event) -> std::io::Result<()> {
        let event = self.differ.masked(event);
        self.add(Kind::Other, "event", event)
    }

    fn add(&mut self, kind: Kind, name: &str, json: Option<String>) -> std::io::Result<()> {
        let Some(json) = json else { return Ok(()) };
        let line = format!("{{\"t\":{},\"{name}\":{json}}}", self.last.millis());
        self.file.add(kind, &line)
    }

    fn end(&mut self) -> std::io::Result<()> {
        if let Some(latest) = self.latest.clone() {
            self.snapshot(&latest, Haste::Now)?;
        }
        self.file.flush()
    }
}
