//! The terminal itself: taken over, given back, drawn on.

use std::{
    cell::Cell,
    io::{self, Stdout, Write},
    mem::ManuallyDrop,
    sync::atomic::{AtomicBool, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crossterm::{
    QueueableCommand,
    cursor::Show,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    terminal::{
        EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend, layout::Rect};

use super::quiet::Quiet;

/// Whether the terminal is taken: it must be given back exactly then, whoever does it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What a dashboard is drawn on.
pub(super) trait Surface {
    /// Draws a frame.
    fn draw(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()>;

    /// Forgets what was drawn, so that the next frame draws everything.
    fn redraw(&mut self);

    /// Puts a text on the clipboard of whoever looks.
    fn copy(&mut self, text: &str) -> io::Result<()>;

    /// Gives the terminal back until it is taken again.
    fn release(&mut self) -> io::Result<()>;

    /// Takes the terminal again.
    fn take(&mut self) -> io::Result<()>;
}

/// The real terminal. Given back when this is dropped.
pub(super) struct Screen {
    /// Never dropped: its own clean-up prints, and panics where the terminal is gone.
    terminal: ManuallyDrop<Terminal<Quiet<CrosstermBackend<Stdout>>>>,
    /// Whether what the terminal shows is not what was drawn last.
    lost: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn take_over() -> io::Result<Self> {
        enter()?;
        let made = Terminal::new(Quiet::new(CrosstermBackend::new(io::stdout())));
        match made {
            Ok(terminal) => Ok(Self { terminal: ManuallyDrop::new(terminal), lost: false }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }
}

impl Surface for Screen {
    fn draw(&mut self, draw: &mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()> {
        if std::mem::take(&mut self.lost) {
            // Not `clear`: that asks the terminal where its cursor is, and waits for the answer.
            let size = self.terminal.size()?;
            self.terminal.resize(Rect::new(0, 0, size.width, size.height))?;
        }
        self.terminal.draw(|frame| draw(frame)).map(|_| ())
    }

    fn redraw(&mut self) {
        self.lost = true;
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "{}", osc52(text))?;
        out.flush()
    }

    fn release(&mut self) -> io::Result<()> {
        restore();
        Ok(())
    }

    fn take(&mut self) -> io::Result<()> {
        enter()?;
        self.redraw();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// The sequence that puts a text on the terminal's clipboard, also over SSH.
fn osc52(text: &str) -> String {
    format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(text))
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let entered = io::stdout()
        .queue(EnterAlternateScreen)
        .and_then(|out| out.queue(EnableMouseCapture))
        .and_then(|out| out.queue(EnableBracketedPaste))
        .and_then(Write::flush);
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives the terminal back as it was, if it is taken. What fails is left: there is nobody to tell,
/// and the rest is still worth doing.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = disable_raw_mode();
    let mut out = io::stdout();
    let _ = out.queue(EndSynchronizedUpdate);
    let _ = out.queue(LeaveAlternateScreen);
    let _ = out.queue(DisableMouseCapture);
    let _ = out.queue(DisableBracketedPaste);
    let _ = out.queue(Show);
    let _ = out.flush();
}

thread_local! {
    /// Whether this thread is running the dashboard's own code at the moment.
    static ON_STAGE: Cell<bool> = const { Cell::new(false) };
}

/// Runs the dashboard so that its own panics can be told from those of other tasks.
pub(super) async fn on_stage<F: Future>(dashboard: F) -> F::Output {
    /// Leaves the stage, also when what is polled panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            ON_STAGE.set(false);
        }
    }
    let mut dashboard = std::pin::pin!(dashboard);
    std::future::poll_fn(|context| {
        ON_STAGE.set(true);
        let _leave = Leave;
        dashboard.as_mut().poll(context)
    })
    .await
}

/// Has a panic of the dashboard give the terminal back before its report is printed. A panic of
/// another task while the dashboard is shown (a node's code, say) becomes a log line: the dashboard
/// goes on. To be called once, after the hook that prints reports was installed, and before
/// [`super::run_dashboard`].
pub fn restore_terminal_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if TAKEN.load(Ordering::SeqCst) && !ON_STAGE.get() {
            tracing::error!("{info}");
            return;
        }
        restore();
        report(info);
    }));
}

#[cfg(all(test, unix))]
#[path = "terminal_tests.rs"]
mod tests;
