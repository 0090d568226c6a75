//! The way of log lines into the dashboard: whoever logs puts a line down and goes on, the dashboard
//! fetches what has come.
//!
//! The latest lines also go to tui-logger, which draws the overview's pane. It is not started: its
//! thread would wake a hundred times a second for nothing; lines are moved on when there are some.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::run_log::{RunLog, RunLogLayer};
use crate::{
    engine::Timestamp,
    log_text::{cut, log_text},
};

/// How many lines may wait to be fetched before some are lost.
const WAITING: usize = 20_000;

/// The most bytes of a line.
const LINE: usize = 8 * 1024;

/// How many lines the overview's pane keeps: more than any terminal is tall.
const TAIL: usize = 500;

/// A line of the log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// How grave it is.
    pub level: Level,
    /// Which part of the program wrote it.
    pub target: Cow<'static, str>,
    /// What it says.
    pub text: String,
}

/// Lines on their way.
#[derive(Default)]
pub(super) struct LogPipe {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<LogLine>,
    lost: usize,
}

impl LogPipe {
    /// The one of this process.
    fn of_process() -> &'static Arc<Self> {
        static PIPE: OnceLock<Arc<LogPipe>> = OnceLock::new();
        PIPE.get_or_init(Arc::default)
    }

    /// Puts a line down for whoever fetches.
    pub(super) fn put(&self, line: LogLine) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len() >= WAITING {
            waiting.lost += 1;
            return;
        }
        waiting.lines.push(line);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Waits until there are lines. Several in a row count as one.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Fetches what has come.
    pub(super) fn fetch(&self) -> Vec<LogLine> {
        tui_logger::move_events();
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        let mut lines = waiting.lines;
        if waiting.lost > 0 {
            let text = format!("{} log lines came too fast and are lost", waiting.lost);
            let target = Cow::Borrowed(module_path!());
            lines.push(LogLine { at: now(), level: Level::WARN, target, text });
        }
        lines
    }
}

/// The layer that keeps log lines for the dashboard, up to `level`, all together and by run. Only for
/// the dashboard: without one nobody fetches them.
pub fn log_layer<S>(level: LevelFilter) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tui_logger::set_buffer_depth(TAIL);
    // What is put there was asked for.
    tui_logger::set_default_level(log::LevelFilter::Trace);
    let all = Collect { level, pipe: LogPipe::of_process().clone() };
    all.and_then(RunLogLayer(RunLog::of_process()))
}

/// Where the log lines of this process are fetched.
pub(super) fn log_pipe() -> Arc<LogPipe> {
    LogPipe::of_process().clone()
}

/// Fetches the log lines that have come since the last time: what a dashboard does by itself.
pub fn fetch_log_lines() -> Vec<LogLine> {
    LogPipe::of_process().fetch()
}

struct Collect {
    level: LevelFilter,
    pipe: Arc<LogPipe>,
}

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > self.level {
            return;
        }
        let target = Cow::Borrowed(metadata.target());
        let text = cut(log_text(event), LINE);
        // As text: tui-logger's own layer puts the message among the fields, by their names.
        tui_logger::Drain::new().log(
            &log::Record::builder()
                .args(format_args!("{text}"))
                .level(tail_level(*metadata.level()))
                .target(&target)
                .build(),
        );
        self.pipe.put(LogLine { at: now(), level: *metadata.level(), target, text });
    }
}

fn tail_level(level: Level) -> log::Level {
    match level {
        Level::ERROR => log::Level::Error,
        Level::WARN => log::Level::Warn,
        Level::INFO => log::Level::Info,
        Level::DEBUG => log::Level::Debug,
        Level::TRACE => log::Level::Trace,
    }
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn line(text: &str) -> LogLine {
        let target = Cow::Borrowed("test");
        LogLine { at: Timestamp::default(), level: Level::INFO, target, text: text.to_owned() }
    }

    #[test]
    fn lines_that_nobody_fetches_are_counted_in_the_end() {
        let pipe = LogPipe::default();
        for at in 0..WAITING + 7 {
            pipe.put(line(&at.to_string()));
        }
        let lines = pipe.fetch();
        assert_eq!(lines.len(), WAITING + 1);
        assert!(lines.last().is_some_and(|line| line.text.starts_with("7 log lines came too")));
        assert!(pipe.fetch().is_empty());
    }

    #[test]
    fn a_line_says_its_message_then_its_fields_and_is_cut_between_characters() {
        let pipe = Arc::<LogPipe>::default();
        let all = Collect { level: LevelFilter::INFO, pipe: pipe.clone() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(all), || {
            tracing::info!(run = "a-1", error = %"oh", "failed");
            tracing::debug!("not asked for");
            tracing::info!("{}", "é".repeat(LINE));
        });
        let lines = pipe.fetch();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].text, "failed run=a-1 error=oh");
        assert!(lines[1].text.len() <= LINE + 3 && lines[1].text.ends_with("é…"));
    }
}
