//! `completions`: a completion script for a shell.

use clap::CommandFactory as _;

use crate::cli::{
    args::{Args, CompletionsArgs},
    exit::{CliError, Exit},
    output::Output,
};

/// Prints the script.
pub(in crate::cli) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "flowcraft-tui", &mut script);
    output.write(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
