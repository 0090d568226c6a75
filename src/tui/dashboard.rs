//! The loop: hear everything that happened, then draw once if anything changed.

use std::{
    collections::HashMap,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crossterm::event::{Event, EventStream};
use futures::{FutureExt, Stream, StreamExt};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    app::{Access, App},
    catalog::Catalog,
    keymap::Keymap,
    log::{LogPipe, log_pipe},
    message::{Command, ExitReason, Message, WorkerStatus},
    operator::{Operation, Operator, OperatorError, Oversight, Preview},
    run_list::ListJob,
    run_log::RunLog,
    signals::Signals,
    terminal::{Screen, Surface, on_stage},
    theme::{Colours, Theme},
    update::update,
    view::view,
};
use crate::{
    blueprint::{LibraryState, RunId},
    cluster::Clock,
    monitor::MonitorHandle,
    recording::{Moment, RecorderState, ReplayControls, Scrub},
};

/// The shortest time between two frames: thirty a second.
const FRAME: Duration = Duration::from_millis(33);

/// How long a plan may take, and how long carrying it out may without saying how far it is.
const PREVIEW_LIMIT: Duration = Duration::from_mins(1);
const APPLY_LIMIT: Duration = Duration::from_mins(10);

/// How long finding out why a run is not moving may take.
const EXPLAIN_LIMIT: Duration = Duration::from_mins(1);

/// How often the monitor is told that the operator is there, at most.
const STIR: Duration = Duration::from_secs(1);

/// How many events are taken in between two frames at most: a flood must not keep the screen from
/// being drawn.
const DRAIN: usize = 1_000;

/// Everything a dashboard needs.
pub struct DashboardDeps {
    /// What it shows.
    pub monitor: MonitorHandle,
    /// Who carries out what the operator asks for.
    pub operator: Arc<dyn Operator>,
    /// What the worker in this process is doing; nothing if there is none.
    pub worker: Option<watch::Receiver<WorkerStatus>>,
    /// The blueprints that are loaded (`Library::subscribe`).
    pub library: watch::Receiver<Arc<LibraryState>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The themes to choose from.
    pub themes: Vec<Theme>,
    /// The name of the one to begin with; the first one if there is none of that name.
    pub theme: String,
    /// How many colours the terminal has.
    pub colours: Colours,
    /// The keys.
    pub keymap: Keymap,
    /// Whether what changes the cluster is allowed.
    pub access: Access,
    /// How the recording of what is shown goes, if it is recorded.
    pub recorder: Option<watch::Receiver<RecorderState>>,
    /// The time line, if what is shown is a recording.
    pub replay: Option<ReplayControls>,
}

/// Shows the dashboard until the operator leaves or the terminal is gone. Takes the terminal and
/// gives it back, whatever happens. The worker is the caller's business: see [`ExitReason`].
pub async fn run_dashboard(deps: DashboardDeps) -> io::Result<ExitReason> {
    // Before the terminal is taken: from then on no signal may end the process as it stands.
    let signals = Signals::new()?;
    let mut screen = Screen::take_over()?;
    // Apart: all of the dashboard's state is in it.
    let driven = Box::pin(drive(&mut screen, EventStream::new(), signals, log_pipe(), deps));
    let ended = on_stage(driven).await;
    match ended {
        Err(error) if is_lost(&error) => Ok(ExitReason::TerminalLost),
        ended => ended,
    }
}

/// Runs the dashboard on any surface and any stream of events.
async fn drive(
    surface: &mut impl Surface,
    events: impl Stream<Item = io::Result<Event>> + Unpin,
    signals: Signals,
    log: Arc<LogPipe>,
    deps: DashboardDeps,
) -> io::Result<ExitReason> {
    let DashboardDeps {
        monitor,
        operator,
        worker,
        library,
        clock,
        themes,
        theme,
        colours,
        keymap,
        access,
        recorder,
        replay,
    } = deps;
    // Not in the future itself, which is moved about.
    let mut app =
        Box::new(App::new(monitor.snapshots.borrow().clone(), keymap, access, clock.now()));
    app.run_log = RunLog::of_process();
    app.zone = jiff::tz::TimeZone::system();
    let first = themes.iter().position(|it| it.name == theme).unwrap_or(0);
    app.set_themes(themes.iter().map(|theme| theme.on(colours)).collect(), first);
    let (results, answers) = mpsc::channel(64);
    let (replay, scrub) = match replay {
        Some(ReplayControls { moments, problems, scrub }) => {
            (Some((moments, problems)), Some(scrub))
        }
        None => (None, None),
    };
    let mut ears = Ears {
        events,
        snapshots: monitor.snapshots.clone(),
        worker,
        library,
        recorder,
        replay,
        answers,
        log,
        clock,
        tick: tokio::time::interval(Duration::from_secs(1)),
        signals,
    };
    ears.tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let under_way = Arc::default();
    let stirred = Instant::now();
    let mut hands = Hands { monitor, operator, results, under_way, scrub, stirred };
    for message in ears.first() {
        for command in update(&mut app, message) {
            hands.carry_out(surface, command)?;
        }
    }
    for command in draw(surface, &mut app)? {
        hands.carry_out(surface, command)?;
    }
    let mut drawn = Instant::now();
    loop {
        let next_frame = app.dirty.then_some(drawn + FRAME);
        let mut heard = ears.listen(next_frame).await;
        // Everything that has happened by now goes into the same frame.
        for _ in 0..DRAIN {
            let Some(next) = heard else { break };
            match next {
                Heard::Message(message) => {
                    if matches!(message, Message::Input(_)) {
                        hands.stir();
                    }
                    for command in update(&mut app, message) {
                        match hands.carry_out(surface, command)? {
                            Next::GoOn => {}
                            Next::Suspend => ears.signals.suspend(surface).await?,
                            Next::End(reason) => return Ok(reason),
                        }
                    }
                }
                Heard::Stop => {
                    ears.signals.suspend(surface).await?;
                    app.dirty = true;
                }
                Heard::End(reason) => return Ok(reason),
            }
            // Polled by this task itself: an event stream that is polled for somebody else forgets
            // to wake it for the next key.
            heard = tokio::select! {
                biased;
                heard = ears.listen(None) => heard,
                () = std::future::ready(()) => None,
            };
        }
        if app.dirty && drawn.elapsed() >= FRAME {
            for command in draw(surface, &mut app)? {
                hands.carry_out(surface, command)?;
            }
            drawn = Instant::now();
        }
    }
}

/// Draws the screen; a second time where only the first one told how much room there is. Returns
/// what drawing asks for.
fn draw(surface: &mut impl Surface, app: &mut App) -> io::Result<Vec<Command>> {
    for _ in 0..2 {
        app.prepare();
        let mut hits = Vec::new();
        surface.draw(&mut |frame| hits = view(app, frame))?;
        app.drawn(hits);
        if !app.dirty {
            break;
        }
    }
    Ok(std::mem::take(&mut app.outbox))
}

/// Whether an error of the terminal means that there is none any more.
fn is_lost(error: &io::Error) -> bool {
    /// `EIO`: what a write to a terminal that was closed gives.
    const IO_ERROR: i32 = 5;
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(IO_ERROR)
}

/// Something that was heard.
pub(super) enum Heard {
    Message(Message),
    /// The shell wants the terminal (SIGTSTP).
    Stop,
    End(ExitReason),
}

/// Everything that can be heard from.
struct Ears<E> {
    events: E,
    snapshots: watch::Receiver<Arc<crate::monitor::Snapshot>>,
    worker: Option<watch::Receiver<WorkerStatus>>,
    library: watch::Receiver<Arc<LibraryState>>,
    recorder: Option<watch::Receiver<RecorderState>>,
    replay: Option<(watch::Receiver<Arc<Moment>>, mpsc::Receiver<String>)>,
    answers: mpsc::Receiver<Message>,
    log: Arc<LogPipe>,
    clock: Arc<dyn Clock>,
    tick: tokio::time::Interval,
    signals: Signals,
}

impl<E: Stream<Item = io::Result<Event>> + Unpin> Ears<E> {
    /// What is known already.
    fn first(&mut self) -> Vec<Message> {
        let mut messages = vec![self.catalog()];
        if let Some(worker) = &mut self.worker {
            messages.push(Message::Worker(*worker.borrow_and_update()));
        }
        if let Some(recorder) = &mut self.recorder {
            messages.push(Message::Recorder(recorder.borrow_and_update().clone()));
        }
        if let Some((moments, _)) = &mut self.replay {
            messages.push(Message::Moment(moments.borrow_and_update().clone()));
        }
        messages
    }

    fn catalog(&mut self) -> Message {
        Message::Catalog(Arc::new(Catalog::from(&**self.library.borrow_and_update())))
    }

    /// Waits until something happens, or until the next frame is due: nothing then.
    async fn listen(&mut self, until: Option<Instant>) -> Option<Heard> {
        let frame = async {
            match until {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        Some(tokio::select! {
            // Keys come first: they never wait behind a flood of data.
            biased;
            event = self.events.next() => match event {
                Some(Ok(event)) => Heard::Message(Message::Input(event)),
                // A terminal that can't be read is gone.
                Some(Err(_)) | None => Heard::End(ExitReason::TerminalLost),
            },
            signal = self.signals.next() => signal,
            () = frame => return None,
            Some(answer) = self.answers.recv() => Heard::Message(answer),
            Some(message) = replayed(self.replay.as_mut()) => Heard::Message(message),
            Ok(()) = self.snapshots.changed() => {
                Heard::Message(Message::Snapshot(self.snapshots.borrow_and_update().clone()))
            }
            Some(status) = changed(self.worker.as_mut()) => {
                Heard::Message(Message::Worker(status))
            }
            Some(state) = changed(self.recorder.as_mut()) => {
                Heard::Message(Message::Recorder(state))
            }
            Ok(()) = self.library.changed() => Heard::Message(self.catalog()),
            _ = self.tick.tick() => Heard::Message(Message::Tick(self.clock.now())),
            () = self.log.arrived() => Heard::Message(Message::LogLines(self.log.fetch())),
        })
    }
}

/// Waits for a change of something; nothing where there is none to come.
async fn changed<T: Clone>(watched: Option<&mut watch::Receiver<T>>) -> Option<T> {
    let watched = watched?;
    watched.changed().await.ok()?;
    Some(watched.borrow_and_update().clone())
}

/// Waits for news of the recording that is shown.
async fn replayed(
    replay: Option<&mut (watch::Receiver<Arc<Moment>>, mpsc::Receiver<String>)>,
) -> Option<Message> {
    let (moments, problems) = replay?;
    tokio::select! {
        moment = changed(Some(moments)) => moment.map(Message::Moment),
        Some(problem) = problems.recv() => Some(Message::Unreadable(problem)),
    }
}

/// What follows a command.
enum Next {
    GoOn,
    Suspend,
    End(ExitReason),
}

/// What carries commands out.
struct Hands {
    monitor: MonitorHandle,
    operator: Arc<dyn Operator>,
    results: mpsc::Sender<Message>,
    /// What stops the operations that are under way, by their tickets.
    under_way: Arc<Tokens>,
    scrub: Option<mpsc::Sender<Scrub>>,
    /// When the monitor was last told that the operator is there.
    stirred: Instant,
}

/// What stops operations, by their tickets.
type Tokens = Mutex<HashMap<u64, CancellationToken>>;

fn tokens(tokens: &Tokens) -> MutexGuard<'_, HashMap<u64, CancellationToken>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hands {
    /// Tells the monitor that the operator is there: it may have become slow.
    fn stir(&mut self) {
        if self.stirred.elapsed() >= STIR {
            self.stirred = Instant::now();
            self.monitor.stir();
        }
    }

    /// Carries a command out; what takes time does so in the background.
    fn carry_out(&self, surface: &mut impl Surface, command: Command) -> io::Result<Next> {
        match command {
            Command::Preview { ticket, operation } => self.preview(ticket, operation),
            Command::Apply { ticket, operation, preview } => self.apply(ticket, operation, preview),
            Command::Explain { ticket, run } => self.explain(ticket, run),
            Command::Stop { ticket } => {
                if let Some(stop) = tokens(&self.under_way).get(&ticket) {
                    stop.cancel();
                }
            }
            Command::List(job) => self.list(job),
            Command::Chart(request) => self.in_background(move || request.carry_out()),
            Command::WatchRun(run) => self.monitor.watch_run(run),
            Command::Refresh => self.monitor.refresh(),
            Command::Work(work) => self.in_background(move || work.run()),
            Command::Export(export) => self.in_background(move || {
                let result = export.write().map_err(|error| error.to_string());
                Message::Exported { title: export.title, result }
            }),
            Command::Scrub(wish) => {
                // Where many wait already, one more of a held key makes no difference.
                let _ = self.scrub.as_ref().map(|scrub| scrub.try_send(wish));
            }
            Command::Copy(text) => surface.copy(&text)?,
            Command::Redraw => surface.redraw(),
            Command::Suspend => return Ok(Next::Suspend),
            Command::Exit(reason) => return Ok(Next::End(reason)),
        }
        Ok(Next::GoOn)
    }

    fn list(&self, job: ListJob) {
        let results = self.results.clone();
        tokio::task::spawn_blocking(move || {
            // How far it is may be left out where the dashboard has enough to hear.
            let listed = job.run(|part| drop(results.try_send(part)));
            if let Some(listed) = listed {
                let _ = results.blocking_send(listed);
            }
        });
    }

    /// Does something that waits or computes, where that holds nobody up.
    fn in_background(&self, work: impl FnOnce() -> Message + Send + 'static) {
        let results = self.results.clone();
        tokio::task::spawn_blocking(move || {
            // Without a receiver the dashboard has ended.
            let _ = results.blocking_send(work());
        });
    }

    fn explain(&self, ticket: u64, run: RunId) {
        let (operator, results) = (self.operator.clone(), self.results.clone());
        tokio::spawn(self.monitor.meter().overhead(async move {
            let result = bounded(EXPLAIN_LIMIT, operator.explain(&run)).await;
            let _ = results.send(Message::Explained { ticket, result }).await;
        }));
    }

    fn preview(&self, ticket: u64, operation: Operation) {
        let (operator, results) = (self.operator.clone(), self.results.clone());
        tokio::spawn(self.monitor.meter().overhead(async move {
            let result = bounded(PREVIEW_LIMIT, operator.preview(&operation)).await;
            // Without a receiver the dashboard has ended.
            let _ = results.send(Message::Previewed { ticket, result }).await;
        }));
    }

    fn apply(&self, ticket: u64, operation: Operation, preview: Preview) {
        let (operator, results) = (self.operator.clone(), self.results.clone());
        let under_way = self.under_way.clone();
        let stop = CancellationToken::new();
        tokens(&under_way).insert(ticket, stop.clone());
        tokio::spawn(self.monitor.meter().overhead(async move {
            // Of many reports only the latest is of interest.
            let (reports, mut reported) = watch::channel(None);
            let oversight = Oversight::new(
                move |progress| {
                    reports.send_replace(Some(progress));
                },
                stop,
            );
            let result = {
                let answer = caught(operator.apply(&operation, &preview, &oversight));
                let mut answer = std::pin::pin!(answer);
                loop {
                    tokio::select! {
                        biased;
                        result = &mut answer => break result,
                        Ok(()) = reported.changed() => {
                            let progress = reported.borrow_and_update().clone();
                            if let Some(progress) = progress {
                                let _ = results.send(Message::Progress { ticket, progress }).await;
                            }
                        }
                        () = tokio::time::sleep(APPLY_LIMIT) => break Err(no_answer(APPLY_LIMIT)),
                    }
                }
            };
            tokens(&under_way).remove(&ticket);
            let _ = results.send(Message::Applied { operation, result }).await;
        }));
    }
}

/// Waits for an operator's answer, but not for ever, and takes a panic for a failure.
async fn bounded<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, OperatorError>>,
) -> Result<T, OperatorError> {
    tokio::time::timeout(limit, caught(answer)).await.unwrap_or_else(|_| Err(no_answer(limit)))
}

/// Takes a panic for a failure.
async fn caught<T>(
    answer: impl Future<Output = Result<T, OperatorError>>,
) -> Result<T, OperatorError> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        Err(OperatorError::Failed(
            "a defect in this program: it panicked, the log says where".to_owned(),
        ))
    })
}

fn no_answer(limit: Duration) -> OperatorError {
    OperatorError::Failed(format!(
        "no answer within {}; it may have happened, look before you try again",
        humantime::format_duration(limit)
    ))
}

#[cfg(test)]
#[path = "dashboard_tests.rs"]
mod tests;
