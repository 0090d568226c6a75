//! From the arguments of the process to [`Args`], or to a message about what is wrong with them.

use std::{ffi::OsString, io::Write as _};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{args::Args, exit::Exit, text::sanitize};

/// Reads the arguments. Prints help and errors itself, and then says how to exit.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, Exit> {
    let error = match Args::try_parse_from(arguments) {
        Ok(args) => match args.conflict() {
            None => return Ok(args),
            Some(message) => Args::command().error(ErrorKind::ArgumentConflict, message),
        },
        Err(error) => error,
    };
    if !error.use_stderr() {
        // Help or the version, on stdout: a reader that has gone away is no error.
        let _ = error.print();
        return Err(Exit::Done);
    }
    let _ = writeln!(std::io::stderr(), "{}", one_line(&error.render().to_string()));
    Err(Exit::Usage)
}

/// What an error of the parser says, on one line, without the usage that `--help` shows better.
fn one_line(error: &str) -> String {
    let mut said = String::new();
    let lines = error
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .map(str::trim)
        .filter(|line| !line.is_empty());
    for line in lines {
        match said.chars().last() {
            None => {}
            Some(':' | ',') => said.push(' '),
            Some(_) => said.push_str("; "),
        }
        said.push_str(&sanitize(line.strip_prefix("tip: ").unwrap_or(line)));
    }
    format!("{said}; see --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_many_lines_becomes_one() {
        let error = "error: unexpected '--x'\n\n  tip: did you mean '--y'?\n\nUsage: a\n\nmore";
        assert_eq!(one_line(error), "error: unexpected '--x'; did you mean '--y'?; see --help");
        let error = "error: these are missing:\n  <RUN>\n\nFor more information, try '--help'.";
        assert_eq!(one_line(error), "error: these are missing: <RUN>; see --help");
    }

    #[test]
    fn arguments_can_t_reach_the_terminal_raw() {
        assert!(!one_line("error: unexpected '\u{1b}[2J'").contains('\u{1b}'));
    }
}
