//! Makes the pictures in `screenshots/`: drives the real program on the demo cluster in a
//! pseudo-terminal and draws what it shows.
//!
//! `cargo build --release && cargo run --release --example screenshots`

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const ROWS: u16 = 36;
const COLUMNS: u16 = 120;

/// The pictures, each with the keys that lead to it from the one before and how long to wait then.
const PICTURES: [(&str, &[&str], u64); 6] = [
    ("overview", &[], 6),
    ("runs", &["2"], 1),
    ("run", &["\r"], 2),
    ("reconcile", &["\x1b", "1", "R"], 1),
    ("start", &["\x1b", "s"], 1),
    ("help", &["\x1b", "?"], 1),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    fs::create_dir_all(&folder)?;
    let program = std::env::current_exe()?
        .ancestors()
        .nth(2)
        .map(|target| target.join("flowcraft-tui"))
        .filter(|program| program.exists())
        .ok_or("flowcraft-tui is not built: run `cargo build --release` first")?;
    let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
    let terminal = native_pty_system().openpty(size)?;
    let mut command = CommandBuilder::new(program);
    command.arg("--demo");
    command.env("TERM", "xterm-256color");
    command.env_remove("NO_COLOR");
    let mut child = terminal.slave.spawn_command(command)?;
    drop(terminal.slave);
    let parser = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let mut output = terminal.master.try_clone_reader()?;
    let screen = parser.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(read) = output.read(&mut buffer) {
            if read == 0 {
                break;
            }
            screen.lock().unwrap_or_else(PoisonError::into_inner).process(&buffer[..read]);
        }
    });
    let mut keys = terminal.master.take_writer()?;
    for (name, presses, seconds) in PICTURES {
        for press in presses {
            keys.write_all(press.as_bytes())?;
            keys.flush()?;
            thread::sleep(Duration::from_millis(400));
        }
        thread::sleep(Duration::from_secs(seconds));
        let text = ansi(parser.lock().unwrap_or_else(PoisonError::into_inner).screen());
        let picture = anstyle_svg::Term::new().min_width_px(0).render_svg(&text);
        fs::write(folder.join(format!("{name}.svg")), picture)?;
        println!("screenshots/{name}.svg");
    }
    keys.write_all(b"\x1bq")?;
    thread::sleep(Duration::from_secs(1));
    keys.write_all(b"y")?;
    thread::sleep(Duration::from_secs(3));
    child.kill()?;
    child.wait()?;
    Ok(())
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
