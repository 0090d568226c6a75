//! The `flowcraft-tui` program.

use std::process::ExitCode;

use async_trait::async_trait;
use flowcraft_tui::cli::{
    self, CliError, Context, Exit, Runner,
    args::{DeadLetterChange, EngineCommand, ServeArgs},
};

/// The parts of the program that the command line drives.
struct Program;

#[async_trait]
impl Runner for Program {
    async fn serve(&self, _: Context<'_>, _: ServeArgs) -> Result<Exit, CliError> {
        Err(not_in_this_build())
    }

    async fn run(&self, _: Context<'_>, _: EngineCommand) -> Result<Exit, CliError> {
        Err(not_in_this_build())
    }

    async fn change_dead_letters(
        &self,
        _: Context<'_>,
        _: DeadLetterChange,
    ) -> Result<Exit, CliError> {
        Err(not_in_this_build())
    }
}

fn not_in_this_build() -> CliError {
    CliError::failed("this build has no worker")
}

fn main() -> ExitCode {
    cli::main(&Program)
}
