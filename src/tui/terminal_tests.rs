//! The terminal is given back, whatever ends the dashboard: this test program runs itself in a
//! pseudo-terminal.
#![allow(clippy::unwrap_used)] // Tests.

use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::{
    super::{
        app::Access,
        dashboard::{DashboardDeps, run_dashboard},
        keymap::Keymap,
        operator::{Operation, Operator, OperatorError, Outcome, Oversight, Preview},
        reason::Reason,
        theme::{Colours, Theme},
    },
    osc52, restore_terminal_on_panic,
};
use crate::{
    blueprint::RunId,
    cluster::{Clock, SystemClock},
    engine::Timestamp,
    monitor::{Monitor, MonitorConfig, fake::Fake},
};

#[test]
fn what_is_copied_cannot_break_out_of_its_sequence() {
    let sequence = osc52("run\u{7}\u{1b}]0;title");
    assert_eq!(sequence.matches('\u{7}').count(), 1);
    assert!(sequence.starts_with("\u{1b}]52;c;") && sequence.ends_with('\u{7}'));
}

/// Says which way the program in the pseudo-terminal ends.
const ENDING: &str = "DASHBOARD_TEST_ENDING";

/// An operator that panics.
struct Panics;

#[async_trait]
impl Operator for Panics {
    async fn preview(&self, _: &Operation) -> Result<Preview, OperatorError> {
        panic!("the operator fell over")
    }
    async fn explain(&self, _: &RunId) -> Result<Vec<Reason>, OperatorError> {
        panic!("the operator fell over")
    }
    async fn apply(
        &self,
        _: &Operation,
        _: &Preview,
        _: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        panic!("the operator fell over")
    }
}

/// A clock that is asked by the dashboard itself, and panics after a while if it is to.
struct Bomb(Option<AtomicUsize>);

impl Clock for Bomb {
    fn now(&self) -> Timestamp {
        if let Some(fuse) = &self.0 {
            assert!(fuse.fetch_add(1, Ordering::Relaxed) < 2, "the dashboard fell over");
        }
        SystemClock.now()
    }
}

/// What runs in the pseudo-terminal; nothing when it is run as a test among others.
#[test]
fn inside() {
    let Ok(ending) = std::env::var(ENDING) else { return };
    restore_terminal_on_panic();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let (_files, library) = watch::channel(Arc::default());
        let fuse = (ending == "panic").then(|| AtomicUsize::new(0));
        run_dashboard(DashboardDeps {
            monitor: Monitor::spawn(
                Arc::new(Fake::default()).cluster(),
                MonitorConfig::default(),
                Arc::new(|_| None),
            ),
            operator: Arc::new(Panics),
            worker: None,
            library,
            clock: Arc::new(Bomb(fuse)),
            themes: Theme::built_in(),
            theme: String::new(),
            colours: Colours::Sixteen,
            keymap: Keymap::default(),
            access: Access::Full,
            recorder: None,
            replay: None,
        })
        .await
    });
    println!("the dashboard ended: {:?}", ended.unwrap());
}

/// A program in a pseudo-terminal.
struct Inside {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    /// Kept, for the terminal lives as long as it.
    _master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Inside {
    fn start(ending: &str) -> Self {
        let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tui::terminal::tests::inside", "--nocapture"]);
        command.env(ENDING, ending);
        command.env("TERM", "xterm-256color");
        // A report without the trace fits on the screen.
        command.env("RUST_BACKTRACE", "0");
        let child = pair.slave.spawn_command(command).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(24, 80, 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let parser = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                parser.lock().unwrap().process(&buffer[..read]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen, keys, _master: pair.master, child }
    }

    #[track_caller]
    fn until(&self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is(self.screen.lock().unwrap().screen()) {
            let shown = self.screen.lock().unwrap().screen().contents();
            assert!(
                Instant::now() < end,
                "{what} never came; the process is {}; the screen:\n{shown}",
                self.state()
            );

            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn sees(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    #[track_caller]
    fn is_taken(&self) {
        self.until("the alternate screen with mouse and paste", |screen| {
            screen.alternate_screen()
                && screen.bracketed_paste()
                && screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None
        });
    }

    #[track_caller]
    fn is_given_back(&self) {
        self.until("the terminal as it was", |screen| {
            !screen.alternate_screen()
                && !screen.bracketed_paste()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The process's state as the system has it: `T` is stopped.
    fn state(&self) -> char {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        state.unwrap_or('?')
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn ends(&mut self) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
    }
}

#[test]
fn quitting_gives_the_terminal_back() {
    let mut inside = Inside::start("quit");
    inside.is_taken();
    inside.sees("No runs yet");
    inside.press("q");
    inside.ends();
    inside.sees("the dashboard ended: Quit");
    inside.is_given_back();
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_reported() {
    let mut inside = Inside::start("panic");
    inside.ends();
    inside.sees("the dashboard fell over");
    inside.is_given_back();
}

#[test]
fn a_panic_elsewhere_leaves_the_dashboard_alone() {
    let mut inside = Inside::start("task");
    inside.is_taken();
    inside.sees("No runs yet");
    inside.press("R");
    inside.sees("it panicked, the log says where");
    inside.press("\r3");
    inside.sees("Dead letters");
    inside.is_taken();
    inside.press("q");
    inside.ends();
    inside.is_given_back();
}

#[test]
fn signals_end_it_properly() {
    for (signal, reason) in [(Signal::TERM, "Terminated"), (Signal::HUP, "TerminalLost")] {
        let mut inside = Inside::start("signal");
        inside.is_taken();
        inside.signal(signal);
        inside.ends();
        inside.sees(reason);
        inside.is_given_back();
    }
}

#[test]
fn it_can_be_stopped_and_goes_on() {
    let mut inside = Inside::start("stop");
    inside.is_taken();
    inside.sees("No runs yet");
    for stop in ["key", "signal"] {
        if stop == "key" {
            inside.press("\u{1a}");
        } else {
            inside.signal(Signal::TSTP);
        }
        inside.is_given_back();
        let end = Instant::now() + Duration::from_secs(30);
        while inside.state() != 'T' {
            assert!(Instant::now() < end, "it did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        inside.signal(Signal::CONT);
        inside.is_taken();
        inside.sees("No runs yet");
    }
    inside.press("q");
    inside.ends();
    inside.is_given_back();
}
