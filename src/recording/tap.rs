//! Log lines on their way to a recording.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{Layer, layer::Context};

use super::{
    format::{LogLevel, LogLine},
    recorder::Recorder,
};
use crate::log_text::log_text;

/// Hands log lines to a recorder once there is one. Cloning is cheap, and all clones are one.
#[derive(Clone, Default)]
pub struct LogTap {
    recorder: Arc<OnceLock<Recorder>>,
}

/// The one that the log of this process goes through.
static OF_PROCESS: OnceLock<LogTap> = OnceLock::new();

impl LogTap {
    /// The one that the log of this process goes through, if it was set up so.
    pub fn of_process() -> Self {
        OF_PROCESS.get_or_init(Self::default).clone()
    }

    /// From now on log lines go to this recorder. Only the first one counts.
    pub fn open(&self, recorder: &Recorder) {
        // A process records once.
        let _ = self.recorder.set(recorder.clone());
    }
}

impl fmt::Debug for LogTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTap").finish_non_exhaustive()
    }
}

impl<S: Subscriber> Layer<S> for LogTap {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(recorder) = self.recorder.get() else { return };
        let meta = event.metadata();
        recorder.log(LogLine {
            level: match *meta.level() {
                Level::ERROR => LogLevel::Error,
                Level::WARN => LogLevel::Warn,
                Level::INFO => LogLevel::Info,
                Level::DEBUG => LogLevel::Debug,
                Level::TRACE => LogLevel::Trace,
            },
            target: meta.target().to_owned(),
            text: log_text(event),
        });
    }
}
