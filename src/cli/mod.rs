//! The command line: what the program is called with, and what it prints.

mod age;
pub mod args;
mod audit;
mod change;
mod commands;
mod confirm;
mod context;
mod dashboard;
mod dispatch;
mod exit;
mod follow;
mod idle;
mod kinds;
mod logging;
mod open;
mod operator;
mod output;
mod parse;
mod reasons;
mod record;
mod replay;
mod report;
mod secrets;
mod signals;
mod table;
mod text;

use std::{io::IsTerminal as _, process::ExitCode};

use color_eyre::config::{HookBuilder, Theme};
use exit::Verbosity;

pub use confirm::{Decision, confirm};
pub use exit::{CliError, Exit};
pub use logging::{LogFormat, LogOptions};
pub use output::{Format, Output};
pub use table::{Cell, Column, Table, Tone};
pub use text::sanitize;

use crate::{config::Environment, recording::LogTap, tui::restore_terminal_on_panic};

/// How long work in the background may take to end after the command is done.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs the program: reads the arguments, does what they say, prints errors, gives the exit code.
pub fn main() -> ExitCode {
    if let Err(error) = install_reports() {
        error.print(Verbosity::Causes);
    }
    let args = match parse::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let verbosity = args.global.verbosity();
    let mut output = Output::of_process(args.global.format());
    let result = run(args, &mut output);
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print(verbosity);
            error.exit().into()
        }
    }
}

/// Has panics reported readably, without colours where they are not wanted.
fn install_reports() -> Result<(), CliError> {
    let colours =
        std::io::stderr().is_terminal() && output::colours_wanted(|name| std::env::var_os(name));
    let theme = if colours { Theme::dark() } else { Theme::new() };
    HookBuilder::default()
        .theme(theme)
        .display_env_section(false)
        .install()
        .map_err(|error| CliError::failed(format!("can't set up panic reports: {error}")))
}

fn run(args: args::Args, output: &mut Output) -> Result<Exit, CliError> {
    let environment = Environment::of_process();
    let options = args.log_options(&environment);
    let tap = args.serve.record.record.is_some().then(LogTap::of_process);
    if args.logs_to_stderr() {
        logging::init(&options, tap)?;
    } else {
        logging::init_dashboard(&options, tap)?;
        restore_terminal_on_panic();
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::failed("can't start the async runtime").because(error))?;
    let result =
        runtime.block_on(dispatch::dispatch(args, &environment, output, &open::AsConfigured));
    runtime.shutdown_timeout(SHUTDOWN);
    result
}
