//! The `flowcraft-tui` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowcraft_tui::cli::main()
}
