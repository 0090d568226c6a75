//! The loop, on a surface in memory, a fake cluster and a fake operator.
#![allow(clippy::unwrap_used)] // Tests.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use ratatui::{Frame, Terminal, backend::TestBackend};
use tokio::sync::watch;

use super::{
    super::{
        app::Access,
        keymap::Keymap,
        log::{LogLine, LogPipe},
        message::{ExitReason, WorkerStatus},
        operator::{Operation, Operator, OperatorError, Outcome, Oversight, Preview},
        reason::{Reason, Step, Weight},
        terminal::Surface,
        theme::{Colours, Theme},
    },
    DashboardDeps, Signals, drive,
};
use crate::{
    blueprint::{LibraryState, RunId},
    cluster::{SystemClock, WorkerMode},
    monitor::{Monitor, MonitorConfig, fake::Fake},
};

/// What was last drawn, and how often anything was.
struct Memory {
    terminal: Terminal<TestBackend>,
    shown: watch::Sender<String>,
    frames: Arc<AtomicUsize>,
    clipboard: watch::Sender<Vec<String>>,
}

impl Surface for Memory {
    fn draw(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()> {
        let Ok(drawn) = self.terminal.draw(|frame| draw(frame));
        let text: String =
            drawn.buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        self.shown.send_replace(text);
        self.frames.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn redraw(&mut self) {}
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.clipboard.send_modify(|copied| copied.push(text.to_owned()));
        Ok(())
    }
    fn release(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn take(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An operator that takes its time and remembers what it was asked.
#[derive(Default)]
struct Slow {
    applied: std::sync::Mutex<Vec<Operation>>,
}

#[async_trait]
impl Operator for Slow {
    async fn preview(&self, operation: &Operation) -> Result<Preview, OperatorError> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let lines = vec![format!("the plan: {}", operation.title())];
        Ok(Preview { lines, affects: 1, plan: Some(Arc::new(42_u32)) })
    }

    async fn explain(&self, run: &RunId) -> Result<Vec<Reason>, OperatorError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(vec![Reason {
            name: "no-message".to_owned(),
            title: "no message is on its way".to_owned(),
            weight: Weight::Blocks,
            sureness: "certain".to_owned(),
            evidence: vec![format!("nothing is queued for {run}")],
            advice: "reconcile the run".to_owned(),
            step: Step::Nothing,
        }])
    }

    async fn apply(
        &self,
        operation: &Operation,
        preview: &Preview,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let plan = preview.plan.as_ref().and_then(|plan| plan.downcast_ref::<u32>());
        if *operation != Operation::DrainWorker {
            assert_eq!(plan, Some(&42), "the plan comes back to the one who made it");
        }
        if let Operation::Purge(_) = operation {
            for done in 0.. {
                oversight.report(done, 1_000, "purging");
                tokio::select! {
                    () = oversight.stopped() => break,
                    () = tokio::time::sleep(Duration::from_secs(40)) => {}
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.applied.lock().unwrap().push(operation.clone());
        Ok(Outcome { summary: "it was done".to_owned(), run: None, problems: Vec::new() })
    }
}

struct Rig {
    events: UnboundedSender<io::Result<Event>>,
    shown: watch::Receiver<String>,
    frames: Arc<AtomicUsize>,
    copied: watch::Receiver<Vec<String>>,
    worker: watch::Sender<WorkerStatus>,
    operator: Arc<Slow>,
    fake: Arc<Fake>,
    log: Arc<LogPipe>,
    dashboard: tokio::task::JoinHandle<io::Result<ExitReason>>,
    _files: watch::Sender<Arc<LibraryState>>,
}

fn line(text: &str) -> LogLine {
    LogLine {
        at: crate::engine::Timestamp::default(),
        level: tracing::Level::INFO,
        target: "test".into(),
        text: text.to_owned(),
    }
}

fn worker(in_flight: u32) -> WorkerStatus {
    WorkerStatus { mode: WorkerMode::Running, slots: 4, in_flight, done: 0 }
}

fn rig() -> Rig {
    let (events, stream) = unbounded();
    let (shown, seen) = watch::channel(String::new());
    let (clipboard, copies) = watch::channel(Vec::new());
    let (status, worker_status) = watch::channel(worker(0));
    let (files, library) = watch::channel(Arc::default());
    let frames = Arc::new(AtomicUsize::new(0));
    let operator = Arc::new(Slow::default());
    let fake = Arc::new(Fake::default());
    let log = Arc::new(LogPipe::default());
    let mut surface = Memory {
        terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(),
        shown,
        frames: frames.clone(),
        clipboard,
    };
    let deps = DashboardDeps {
        monitor: Monitor::spawn(fake.cluster(), MonitorConfig::default(), Arc::new(|_| None)),
        operator: operator.clone(),
        worker: Some(worker_status),
        library,
        clock: Arc::new(SystemClock),
        themes: Theme::built_in(),
        theme: "nord".to_owned(),
        colours: Colours::True,
        keymap: Keymap::from_overrides(&BTreeMap::new()).unwrap(),
        access: Access::Full,
        recorder: None,
        replay: None,
    };
    let pipe = log.clone();
    let dashboard =
        tokio::spawn(async move { drive(&mut surface, stream, Signals::new()?, pipe, deps).await });
    Rig {
        events,
        shown: seen,
        frames,
        copied: copies,
        worker: status,
        operator,
        fake,
        log,
        dashboard,
        _files: files,
    }
}

impl Rig {
    fn press(&self, keys: &str) {
        for c in keys.chars() {
            let event = Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            self.events.unbounded_send(Ok(event)).unwrap();
        }
    }

    async fn sees(&mut self, text: &str) {
        let seen = self.shown.wait_for(|shown| shown.contains(text));
        let seen =
            tokio::time::timeout(Duration::from_secs(30), seen).await.map(|seen| seen.is_ok());
        assert_eq!(seen, Ok(true), "{text:?} never showed");
    }

    async fn ends(self) -> ExitReason {
        tokio::time::timeout(Duration::from_secs(30), self.dashboard)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_comes_before_any_data() {
    let mut rig = rig();
    rig.fake.held.lock().hangs = true;
    rig.shown.changed().await.unwrap();
    assert!(rig.shown.borrow_and_update().contains("Reading the messages"));
    rig.press("3");
    rig.sees("Dead letters").await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_made_agreed_to_and_carried_out_while_keys_go_on() {
    let mut rig = rig();
    rig.sees("No runs yet").await;
    rig.press("R");
    rig.press("D");
    rig.sees("Making the plan").await;
    // The plan takes seconds; meanwhile one can leave the question and look around.
    rig.press("n3");
    rig.sees("Dead letters").await;
    rig.press("D");
    rig.sees("the plan: Drain this worker").await;
    rig.press("y");
    rig.sees("1 under way").await;
    rig.press("2");
    rig.sees("it was done").await;
    assert_eq!(*rig.operator.applied.lock().unwrap(), [Operation::DrainWorker]);
}

#[tokio::test(start_paused = true)]
async fn an_operation_on_many_says_how_far_it_is_and_can_be_stopped() {
    let mut rig = rig();
    rig.fake.held.lock().poison = 3;
    rig.sees("3 poison").await;
    rig.press("3X");
    rig.sees("the plan: Purge all dead letters").await;
    rig.press("y");
    rig.sees("purging 0/1000").await;
    // Longer than an operation may be silent.
    tokio::time::sleep(Duration::from_mins(20)).await;
    rig.sees("purging 30/1000").await;
    rig.press("S");
    rig.sees("it was done").await;
    assert_eq!(rig.operator.applied.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_events_costs_thirty_frames_a_second_at_most() {
    let mut rig = rig();
    rig.sees("No runs yet").await;
    let before = rig.frames.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        rig.press("jk");
        rig.log.put(line("one of many"));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let frames = rig.frames.load(Ordering::Relaxed) - before;
    assert!((10..=32).contains(&frames), "{frames}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_dashboard_is_drawn_for_its_clock_alone() {
    let mut rig = rig();
    rig.sees("No runs yet").await;
    tokio::time::sleep(Duration::from_mins(3)).await;
    let before = rig.frames.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let frames = rig.frames.load(Ordering::Relaxed) - before;
    assert!(frames <= 32, "{frames}");
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_cluster_and_the_worker_show() {
    let mut rig = rig();
    rig.fake.held.lock().depth = 777;
    rig.sees("777 waiting").await;
    rig.worker.send_replace(worker(2));
    rig.sees("2/4 slots").await;
    rig.press("7");
    rig.log.put(line("something was logged"));
    rig.sees("something was logged").await;
    rig.press("q");
    rig.sees("2 nodes are still running").await;
    rig.press("y");
    rig.sees("LEAVING").await;
    rig.worker.send_replace(worker(0));
    assert_eq!(rig.ends().await, ExitReason::Quit);
}

#[tokio::test(start_paused = true)]
async fn a_lost_terminal_ends_the_dashboard() {
    let rig = rig();
    rig.events.unbounded_send(Err(io::Error::other("gone"))).unwrap();
    assert_eq!(rig.ends().await, ExitReason::TerminalLost);
}

#[tokio::test(start_paused = true)]
async fn copying_reaches_the_terminal() {
    let mut rig = rig();
    rig.fake.held.lock().workers = vec![crate::cluster::Heartbeat {
        name: "w-1".into(),
        host: String::new(),
        pid: 1,
        version: String::new(),
        started_at: crate::engine::Timestamp::default(),
        slots: 1,
        in_flight: 0,
        done: 0,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    }];
    rig.press("5");
    rig.sees("w-1").await;
    rig.press("y");
    let copied = rig.copied.wait_for(|copied| !copied.is_empty());
    assert_eq!(
        *tokio::time::timeout(Duration::from_secs(9), copied).await.unwrap().unwrap(),
        ["w-1"]
    );
}
