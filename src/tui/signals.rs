//! The signals of the terminal and the shell.

use std::{io, time::Duration};

use futures::FutureExt;

use super::{dashboard::Heard, message::ExitReason, terminal::Surface};

/// How long a stop may take to happen.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The signals that concern a dashboard.
#[cfg(unix)]
pub(super) struct Signals {
    hang_up: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    go_on: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        let other = |which: Signal| signal(SignalKind::from_raw(which.as_raw()));
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            stop: other(Signal::TSTP)?,
            go_on: other(Signal::CONT)?,
        })
    }

    /// Gives the terminal back, stops this process until the shell lets it go on, takes it again.
    pub(super) async fn suspend(&mut self, surface: &mut impl Surface) -> io::Result<()> {
        use rustix::process::{Signal, getpid, kill_process};
        surface.release()?;
        // One from before is none of this stop's.
        let _ = self.go_on.recv().now_or_never();
        kill_process(getpid(), Signal::STOP)?;
        // Another thread may take the stop, and this one run on for a moment: it must not take the
        // terminal before it was let go on. The limit only counts while the process runs.
        let _ = tokio::time::timeout(STOP_LIMIT, self.go_on.recv()).await;
        surface.take()
    }

    pub(super) async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.hang_up.recv() => Heard::End(ExitReason::TerminalLost),
            _ = self.terminate.recv() => Heard::End(ExitReason::Terminated),
            _ = self.stop.recv() => Heard::Stop,
        }
    }
}

/// Elsewhere there are none.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Heard {
        std::future::pending().await
    }

    pub(super) async fn suspend(&mut self, _: &mut impl Surface) -> io::Result<()> {
        Ok(())
    }
}
