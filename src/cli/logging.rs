//! Logs on stderr, for everything but the dashboard (which shows its own).

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{exit::CliError, output::colours_wanted};
use crate::{nodes::IN_NODE, recording::LogTap, tui::log_layer};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// How lines are written.
    pub format: LogFormat,
    /// A level (`debug`), or levels by part of the program (`flowcraft_tui::worker=debug,info`).
    pub level: String,
    /// Who asked for that level, for messages.
    pub source: &'static str,
}

/// What the Azure SDK says of its own working: only what is asked for by name, else its warnings.
const QUIET: &str = "azure_core=warn,azure_data_cosmos=warn,azure_data_cosmos_driver=warn,\
                     azure_identity=warn,azure_storage_queue=warn,typespec_client_core=warn";

/// The filter that a level stands for.
pub(super) fn filter(options: &LogOptions) -> Result<EnvFilter, CliError> {
    EnvFilter::builder().parse(format!("{QUIET},{}", options.level)).map_err(|error| {
        CliError::usage(format!("{}: \"{}\" is not a log level", options.source, options.level))
            .hint("use error, warn, info, debug or trace, or target=level, separated by commas")
            .because(error)
    })
}

/// Has everything that is logged from now on written to stderr, and go through `tap`.
pub(super) fn init(options: &LogOptions, tap: Option<LogTap>) -> Result<(), CliError> {
    let colours = io::stderr().is_terminal() && colours_wanted(|name| std::env::var_os(name));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(options)?)
        .with_writer(io::stderr)
        .with_ansi(colours);
    let set = match options.format {
        LogFormat::Text => builder.finish().with(tap).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(tap).try_init(),
    };
    set.map_err(|error| CliError::failed("can't set up logging").because(error))
}

/// Has everything that is logged from now on kept for the dashboard, and go through `tap`.
pub(super) fn init_dashboard(options: &LogOptions, tap: Option<LogTap>) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::failed("can't set up logging").because(error);
    let filter = filter(options)?;
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let in_node = format!("{IN_NODE}=trace").parse().map_err(io::Error::other).map_err(failed)?;
    let filter = filter.add_directive(in_node);
    tracing_subscriber::registry()
        .with(log_layer(level))
        .with(filter)
        .with(tap)
        .try_init()
        .map_err(|error| failed(io::Error::other(error)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(level: &str) -> LogOptions {
        LogOptions { format: LogFormat::Text, level: level.to_owned(), source: "--log-level" }
    }

    #[test]
    fn levels_and_targets_are_understood() {
        for level in ["debug", "warn,flowcraft_tui::worker=trace", "off"] {
            assert!(filter(&options(level)).is_ok(), "{level}");
        }
    }

    #[test]
    fn a_wrong_level_names_its_source() {
        let error = filter(&options("a=loud")).unwrap_err();
        assert_eq!(error.exit(), super::super::exit::Exit::Usage);
        assert!(error.to_string().starts_with("--log-level: \"a=loud\" is not a log level"));
    }
}
