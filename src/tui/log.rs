//! The log inside the dashboard: tui-logger's buffer, and a thread that says when it has new lines.

use std::{sync::Arc, thread, time::Duration};

use tokio::sync::Notify;
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::run_log::{RunLog, RunLogLayer};
use crate::nodes::IN_NODE;

/// How many lines are kept.
const LINES: usize = 20_000;

/// How many lines may arrive between two moves, ten milliseconds apart, before some are lost.
const HOT_LINES: usize = 4_000;

/// Starts tui-logger and gives back the layer that feeds it, and the log by run. Only for the
/// dashboard: it keeps a thread that wakes a hundred times a second. Levels beyond `level` are not
/// kept.
pub fn start_log<S>(level: tracing::level_filters::LevelFilter) -> std::io::Result<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    use tracing::level_filters::LevelFilter as Tracing;
    let level = match level {
        Tracing::OFF => tui_logger::LevelFilter::Off,
        Tracing::ERROR => tui_logger::LevelFilter::Error,
        Tracing::WARN => tui_logger::LevelFilter::Warn,
        Tracing::INFO => tui_logger::LevelFilter::Info,
        Tracing::DEBUG => tui_logger::LevelFilter::Debug,
        _ => tui_logger::LevelFilter::Trace,
    };
    tui_logger::set_buffer_depth(LINES);
    tui_logger::set_hot_buffer_depth(HOT_LINES);
    tui_logger::init_logger(level).map_err(std::io::Error::other)?;
    // The spans around attempts are for the log by run: in every line they would be noise.
    let lines = tui_logger::TuiTracingSubscriberLayer
        .with_filter(filter_fn(|metadata| metadata.target() != IN_NODE));
    Ok(lines.and_then(RunLogLayer(RunLog::of_process())))
}

/// Tells the one who waits on it that there are new lines. Several in a row count as one.
pub(super) fn new_lines() -> Arc<Notify> {
    let notify = Arc::new(Notify::new());
    let weak = Arc::downgrade(&notify);
    // The wait blocks, so it has a thread of its own, which ends with the dashboard.
    let spawned = thread::Builder::new().name("log-waiter".to_owned()).spawn(move || {
        while let Some(notify) = weak.upgrade() {
            if tui_logger::wait_timeout(Duration::from_secs(2)).is_some() {
                notify.notify_one();
            }
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("can't start the thread that waits for log lines, they show late: {error}");
    }
    notify
}
