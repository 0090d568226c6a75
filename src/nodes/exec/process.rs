//! One process of a program: its pipes, and its end.

use std::{io, process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, ChildStdout},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    lines::{LineError, Lines},
    program::{Program, ProgramError},
    stderr::{Tail, follow},
};
use crate::nodes::protocol::AnswerError;

/// How long a process has to end itself before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// How long what is still in a pipe is waited for once the process is gone, and how long its end is
/// waited for once the pipe has ended. Only a process that does strange things with its pipes needs
/// as much.
const DRAIN: Duration = Duration::from_millis(500);

/// How often a group that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Why a process gave no (proper) answer. The texts follow the program's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Program(#[from] ProgramError),
    #[error("can't be started: {0}")]
    Start(io::Error),
    #[error("{} before it answered", status_text(*.0))]
    ExitedBefore(Option<ExitStatus>),
    #[error("answered, but {}", status_text(*.0))]
    ExitedAfter(Option<ExitStatus>),
    #[error("closed its stdout without an answer")]
    ClosedStdout,
    #[error("closed its stdin before it had read the request")]
    ClosedStdin,
    #[error("can't be written to: {0}")]
    Write(io::Error),
    #[error("{0}")]
    Line(#[from] LineError),
    #[error("wrote a line on stdout that is not an answer: it {0} (logs belong on stderr)")]
    Answer(#[from] AnswerError),
    #[error("wrote more than one line for one request")]
    SecondLine,
    #[error("gave no answer within {} and was killed", humantime::format_duration(*.0))]
    TimedOut(Duration),
}

/// How a process ended, in words.
fn status_text(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("exited with code {code}"),
        Some((None, Some(signal))) => {
            let name = match signal {
                6 => " (aborted)",
                9 => " (killed, perhaps for its use of memory)",
                11 => " (invalid memory access)",
                15 => " (asked to end)",
                _ => "",
            };
            format!("was ended by signal {signal}{name}")
        }
        _ => "ended".to_owned(),
    }
}

/// How a process that is no longer needed is ended.
enum Farewell {
    /// Its stdin is closed, which tells it to end.
    Retire,
}

/// What is known of a process's end.
#[derive(Clone, Copy)]
enum Life {
    Alive,
    Ended(Option<ExitStatus>),
}

/// A running process. Dropping it kills it with its children, without waiting for that.
pub(super) struct Process {
    stdin: Option<ChildStdin>,
    stdout: Lines<ChildStdout>,
    pub(super) tail: Tail,
    watched: watch::Receiver<Life>,
    farewell: Option<oneshot::Sender<Farewell>>,
}

impl Process {
    /// Starts a process, with a task that reads its stderr and sees to its end.
    pub(super) fn start(program: &Program) -> Result<Self, Fault> {
        let mut child = program.command()?.spawn().map_err(Fault::Start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let group = Group::new(child);
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Fault::Start(io::Error::other("it has no pipes")));
        };
        let tail = Tail::default();
        let log =
            tokio::spawn(follow(stderr, program.name.clone(), program.mask.clone(), tail.clone()));
        let (ended, watched) = watch::channel(Life::Alive);
        let (farewell, stop) = oneshot::channel();
        tokio::spawn(keep(group, stop, log, ended));
        Ok(Self {
            stdin: Some(stdin),
            stdout: Lines::new(stdout),
            tail,
            watched,
            farewell: Some(farewell),
        })
    }

    /// Whether it can be asked: it lives, listens, and has written nothing that it was not asked for.
    pub(super) fn is_usable(&mut self) -> bool {
        self.stdin.is_some()
            && matches!(*self.watched.borrow(), Life::Alive)
            && self.stdout.is_silent()
    }

    /// Lets it end by itself, which it should once its stdin is closed.
    pub(super) fn retire(mut self) {
        if let Some(farewell) = self.farewell.take() {
            // Where nobody listens it has ended.
            let _ = farewell.send(Farewell::Retire);
        }
    }

    /// Writes a request and reads the answer's line.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Fault> {
        let Self { stdin, stdout, watched, .. } = self;
        let Some(pipe) = stdin else { return Err(Fault::ClosedStdin) };
        let (answer, written) = {
            let read = read_answer(stdout, watched);
            let write = write_request(pipe, request);
            tokio::pin!(read, write);
            tokio::select! {
                answer = &mut read => match answer {
                    // The next request can only follow the whole of this one.
                    Ok(line) => (Ok(line), write.await),
                    fault => (fault, Ok(())),
                },
                written = &mut write => match written {
                    Ok(()) => (read.await, Ok(())),
                    // It has most likely ended, and how, or what it said, tells more.
                    Err(error) => match timeout(DRAIN * 2, read).await {
                        Ok(answer) => (answer, Err(error)),
                        Err(_) => (Err(unwritable(error)), Ok(())),
                    },
                },
            }
        };
        if written.is_err() {
            *stdin = None;
        }
        answer
    }

    /// Writes the only request, closes stdin, and reads the answer's line.
    pub(super) async fn ask_once(&mut self, request: &[u8]) -> Result<Vec<u8>, Fault> {
        let Self { stdin, stdout, watched, .. } = self;
        let stdin = stdin.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that answers without reading everything is fine; what matters is its answer.
                let _ = write_request(&mut stdin, request).await;
            }
        };
        let read = read_answer(stdout, watched);
        tokio::pin!(read);
        tokio::select! {
            line = &mut read => line,
            () = write => read.await,
        }
    }

    /// After the answer to the only request: waits for the process's end, which must be a success
    /// without another line.
    pub(super) async fn finish(&mut self) -> Result<(), Fault> {
        let Self { stdout, watched, .. } = self;
        let more = tokio::select! {
            more = stdout.next() => more?,
            _ = ended(watched) => timeout(DRAIN, stdout.next()).await.unwrap_or(Ok(None))?,
        };
        if more.is_some() {
            return Err(Fault::SecondLine);
        }
        match ended(watched).await {
            Some(status) if status.success() => Ok(()),
            status => Err(Fault::ExitedAfter(status)),
        }
    }
}

fn unwritable(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::ClosedStdin,
        _ => Fault::Write(error),
    }
}

async fn write_request(stdin: &mut ChildStdin, request: &[u8]) -> io::Result<()> {
    stdin.write_all(request).await?;
    stdin.write_all(b"\n").await?;
    stdin.flush().await
}

async fn read_answer(
    stdout: &mut Lines<ChildStdout>,
    watched: &mut watch::Receiver<Life>,
) -> Result<Vec<u8>, Fault> {
    let (line, status) = tokio::select! {
        biased;
        line = stdout.next() => (line?, None),
        status = ended(watched) => {
            // What it wrote last may still be on its way.
            (timeout(DRAIN, stdout.next()).await.unwrap_or(Ok(None))?, Some(status))
        }
    };
    match (line, status) {
        (Some(line), _) => Ok(line),
        (None, Some(status)) => Err(Fault::ExitedBefore(status)),
        (None, None) => Err(match timeout(DRAIN, ended(watched)).await {
            Ok(status) => Fault::ExitedBefore(status),
            Err(_) => Fault::ClosedStdout,
        }),
    }
}

/// Waits for the end of a process, and of what it wrote on its stderr.
async fn ended(watched: &mut watch::Receiver<Life>) -> Option<ExitStatus> {
    match watched.wait_for(|life| matches!(life, Life::Ended(_))).await.as_deref() {
        Ok(Life::Ended(status)) => *status,
        // The task is gone with the runtime.
        Ok(Life::Alive) | Err(_) => None,
    }
}

/// Sees to the end of a process: its own, or the one that is wanted. Leaves no zombie and no child.
async fn keep(
    mut group: Group,
    stop: oneshot::Receiver<Farewell>,
    mut log: JoinHandle<()>,
    ended: watch::Sender<Life>,
) {
    let status = tokio::select! {
        status = group.child.wait() => status.ok(),
        farewell = stop => {
            if farewell.is_ok() {
                // Its stdin is closed by now. That it does not end is for the kill below.
                let _ = timeout(GRACE, group.child.wait()).await;
            }
            group.end().await
        }
    };
    group.kill();
    group.reaped = true;
    // Its stderr ends with the last process that holds it, which may be one that left the group.
    if timeout(DRAIN, &mut log).await.is_err() {
        log.abort();
    }
    ended.send_replace(Life::Ended(status));
}

/// A process and all that it started, unless they moved to a group of their own.
struct Group {
    child: Child,
    id: Option<Pid>,
    reaped: bool,
}

impl Group {
    fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self { child, id, reaped: false }
    }

    /// Asks all to end, kills those that don't, and waits for the process itself.
    async fn end(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let until = Instant::now() + GRACE;
        let ended = timeout(GRACE, self.child.wait()).await;
        while self.has_members() && Instant::now() < until {
            sleep(LOOK).await;
        }
        self.kill();
        match ended {
            Ok(status) => status.ok(),
            Err(_) => self.child.wait().await.ok(),
        }
    }

    /// Kills what is left of the group. The group keeps its number as long as it has members, and a
    /// number that has just become free is not given out again at once: this meets nobody else.
    fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It fails where there is nobody left, which is what is wanted.
            let _ = kill_process_group(id, signal);
        }
    }

    fn has_members(&self) -> bool {
        self.id.is_some_and(|id| test_kill_process_group(id).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only when the runtime goes away before the process is ended.
        if !self.reaped {
            self.kill();
        }
    }
}
