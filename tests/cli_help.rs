//! What the help, the manual page and the completions say. A change shows as a changed snapshot.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use clap::CommandFactory as _;
use flowcraft_tui::cli::args::Args;

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_flowcraft-tui"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

/// Every command with its commands: their names from the top.
fn paths(command: &clap::Command, path: &[String]) -> Vec<Vec<String>> {
    let mut found = vec![path.to_vec()];
    for subcommand in command.get_subcommands() {
        let mut below = path.to_vec();
        below.push(subcommand.get_name().to_owned());
        found.extend(paths(subcommand, &below));
    }
    found
}

#[test]
fn help_of_every_command() {
    for path in paths(&Args::command(), &[]) {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        let name = format!("help {}", arguments.join(" ")).trim().replace(' ', "_");
        arguments.push("--help");
        insta::assert_snapshot!(name, printed(&arguments));
    }
}

#[test]
fn manual_page() {
    insta::assert_snapshot!(printed(&["man"]));
}

#[test]
fn the_manual_has_a_section_for_every_command() {
    let page = printed(&["man"]);
    for path in paths(&Args::command(), &[]).iter().skip(1) {
        let heading = format!(".SH \"FLOWCRAFT-TUI {}\"", path.join(" ").to_uppercase());
        assert!(page.contains(&heading), "{heading}");
    }
}

#[test]
fn completions_begin_as_the_shell_expects() {
    let start: Vec<String> =
        printed(&["completions", "bash"]).lines().take(20).map(str::to_owned).collect();
    insta::assert_snapshot!(start.join("\n"));
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for command in Args::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
    }
}
