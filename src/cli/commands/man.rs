//! `man`: the manual page, all commands on it.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::{
    args::Args,
    exit::{CliError, Exit},
    output::Output,
};

/// Prints the page, in roff.
pub(in crate::cli) fn run(output: &mut Output) -> Result<Exit, CliError> {
    let page =
        page().map_err(|error| CliError::failed("can't make the manual page").because(error))?;
    output.write(&page)?;
    Ok(Exit::Done)
}

fn page() -> io::Result<String> {
    let mut command = Args::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in described(&command) {
        render(subcommand, &mut page)?;
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(tidy(&String::from_utf8_lossy(&page)))
}

/// Adds a section for a command, and for each of its own commands.
fn render(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    page.extend_from_slice(format!(".SH \"{name}\"\n").as_bytes());
    let man = Man::new(without_global(command.clone()));
    let mut parts = Vec::new();
    man.render_description_section(&mut parts)?;
    man.render_synopsis_section(&mut parts)?;
    if command.get_arguments().any(|argument| !argument.is_global_set() && !is_help(argument)) {
        man.render_options_section(&mut parts)?;
    }
    man.render_extra_section(&mut parts)?;
    // Parts of a section are subsections, save the description, which needs no heading.
    let parts = String::from_utf8_lossy(&parts);
    page.extend_from_slice(
        parts.replace(".SH DESCRIPTION\n", "").replace(".SH ", ".SS ").as_bytes(),
    );
    described(command).try_for_each(|subcommand| render(subcommand, page))
}

/// The page without the preamble that every section brings, and with examples as they are written.
fn tidy(page: &str) -> String {
    const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
    let body = page.replace(PREAMBLE, "");
    let mut tidied = PREAMBLE.to_owned();
    let mut lines = body.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(heading) = line.strip_suffix(" EXTRA") else {
            tidied.extend([line, "\n"]);
            continue;
        };
        lines.next_if_eq(&"Examples:");
        tidied.extend([heading, " EXAMPLES\n.nf\n"]);
        while let Some(example) = lines.next_if(|line| !line.starts_with(".S")) {
            tidied.extend([example, "\n"]);
        }
        tidied.push_str(".fi\n");
    }
    tidied
}

/// The commands worth a section.
fn described(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn is_help(argument: &clap::Arg) -> bool {
    argument.get_id() == "help"
}

/// The command without what is the same for every command and is told once.
fn without_global(command: Command) -> Command {
    command.mut_args(|argument| {
        let told = argument.is_global_set() || is_help(&argument);
        argument.hide(told)
    })
}
