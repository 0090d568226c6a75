//! Makes the pictures in `screenshots/`: drives the real program on the demo cluster in a
//! pseudo-terminal, draws what it shows, and opens the recording of it.
//!
//! `cargo build --release && cargo run --release --example screenshots`

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const ROWS: u16 = 36;
const COLUMNS: u16 = 120;

/// The pictures of the demo, each with the keys that lead to it from the one before and how long to
/// wait then, in seconds.
const DEMO: [(&str, &[&str], u64); 13] = [
    ("overview", &[], 6),
    ("runs", &["2", "/", "status:completed,running age<1h\r"], 1),
    ("run", &[ESC, "/", "stalled\r", "\x1b[F", "\r"], 2),
    ("timeline", &["v", "v"], 1),
    ("context", &["v"], 1),
    ("why", &["w"], 2),
    ("reconcile", &[ESC, "1", "R"], 1),
    ("warnings", &[ESC, "W"], 1),
    ("dead-letters", &["3", "\t", "\r"], 1),
    ("workers", &["5", "i"], 12),
    ("blueprints", &["i", "6", "j", "j"], 1),
    ("start", &["s"], 1),
    ("help", &[ESC, "?"], 1),
];

/// Those of a recording of all that.
const RECORDING: [(&str, &[&str], u64); 1] = [("replay", &["^", ")", ")", ")"], 2)];

const ESC: &str = "\x1b";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    fs::create_dir_all(&folder)?;
    let program = std::env::current_exe()?
        .ancestors()
        .nth(2)
        .map(|target| target.join("flowcraft-tui"))
        .filter(|program| program.exists())
        .ok_or("flowcraft-tui is not built: run `cargo build --release` first")?;
    let scratch = tempfile::tempdir()?;
    let recording = scratch.path().join("demo.rec");
    let recording = recording.to_str().ok_or("the temporary folder's name is not a text")?;
    let mut demo = Session::open(&program, &["--demo", "--record", recording])?;
    demo.picture(&folder, &DEMO)?;
    demo.leave()?;
    let mut replay = Session::open(&program, &["replay", recording])?;
    replay.picture(&folder, &RECORDING)?;
    replay.leave()
}

/// The program in a pseudo-terminal.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn std::io::Write + Send>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Session {
    fn open(program: &Path, arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let terminal = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let child = terminal.slave.spawn_command(command)?;
        drop(terminal.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let mut output = terminal.master.try_clone_reader()?;
        let shown = screen.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..read]);
            }
        });
        let keys = terminal.master.take_writer()?;
        Ok(Self { child, screen, keys, _terminal: terminal.master })
    }

    fn press(&mut self, keys: &str) -> std::io::Result<()> {
        self.keys.write_all(keys.as_bytes())?;
        self.keys.flush()?;
        thread::sleep(Duration::from_millis(400));
        Ok(())
    }

    fn picture(
        &mut self,
        folder: &Path,
        pictures: &[(&str, &[&str], u64)],
    ) -> Result<(), Box<dyn Error>> {
        for (name, presses, seconds) in pictures {
            for press in *presses {
                self.press(press)?;
            }
            thread::sleep(Duration::from_secs(*seconds));
            let text = ansi(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen());
            let picture = anstyle_svg::Term::new().min_width_px(0).render_svg(&text);
            fs::write(folder.join(format!("{name}.svg")), picture)?;
            println!("screenshots/{name}.svg");
        }
        Ok(())
    }

    /// Leaves, at once where something is still running.
    fn leave(mut self) -> Result<(), Box<dyn Error>> {
        self.press(ESC)?;
        self.press("q")?;
        self.press("y")?;
        thread::sleep(Duration::from_secs(3));
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// A screen as text with colours.
fn ansi(screen: &vt100::Screen) -> String {
    let mut text = String::new();
    for row in 0..ROWS {
        let mut last = String::new();
        for column in 0..COLUMNS {
            let Some(cell) = screen.cell(row, column) else { continue };
            if cell.is_wide_continuation() {
                continue;
            }
            let style = style(cell);
            if style != last {
                text.push_str("\x1b[0m");
                text.push_str(&style);
                last = style;
            }
            text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

/// The escape sequence for a cell's colours and attributes.
fn style(cell: &vt100::Cell) -> String {
    let mut style = String::new();
    let flags = [
        (cell.bold(), 1),
        (cell.dim(), 2),
        (cell.italic(), 3),
        (cell.underline(), 4),
        (cell.inverse(), 7),
    ];
    for (set, code) in flags {
        if set {
            // Writing to a String can't fail.
            let _ = write!(style, "\x1b[{code}m");
        }
    }
    for (color, base) in [(cell.fgcolor(), 38), (cell.bgcolor(), 48)] {
        let _ = match color {
            vt100::Color::Default => Ok(()),
            vt100::Color::Idx(index) => write!(style, "\x1b[{base};5;{index}m"),
            vt100::Color::Rgb(r, g, b) => write!(style, "\x1b[{base};2;{r};{g};{b}m"),
        };
    }
    style
}
