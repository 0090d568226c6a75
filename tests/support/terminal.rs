//! The real binary on a pseudo-terminal, and the screen that it draws there.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };

/// How long anything may take to be seen: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(40);

/// A dashboard on a terminal of its own.
pub(crate) struct Dashboard {
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn std::io::Write + Send>,
    terminal: Box<dyn MasterPty + Send>,
}

impl Dashboard {
    /// Opens it in a folder, with these variables and hardly any others.
    pub(crate) fn open(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let terminal = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowcraft-tui"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", folder);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(folder);
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
        Self { child, screen, keys, terminal: terminal.master }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str) -> String {
        self.wait_until(what, |text| text.contains(what))
    }

    /// Waits until a text is not on the screen any more.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, what: &str) -> String {
        self.wait_until(&format!("no {what}"), |text| !text.contains(what))
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let limit = Instant::now() + LIMIT;
        loop {
            let text = self.text();
            if is(&text) {
                return text;
            }
            assert!(Instant::now() < limit, "not seen: {what:?}. On the screen:\n{text}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(rows, cols);
        self.terminal.resize(PtySize { rows, cols, ..SIZE }).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        Pid::from_raw(pid).unwrap()
    }

    /// How it ended; it must have given the terminal back.
    #[track_caller]
    pub(crate) fn end(mut self) -> u32 {
        let code = self.child.wait().unwrap().exit_code();
        let limit = Instant::now() + LIMIT;
        while self.screen.lock().unwrap().screen().alternate_screen() {
            assert!(Instant::now() < limit, "the terminal was not given back");
            std::thread::sleep(Duration::from_millis(20));
        }
        code
    }
}

impl Drop for Dashboard {
    /// One that a failed test leaves behind must not live on.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
