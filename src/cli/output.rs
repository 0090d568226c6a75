//! The one place that writes to stdout: JSON for programs, text for people.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use serde::Serialize;

use super::{exit::CliError, table::Table};

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People.
    Human,
    /// Programs: one line of JSON.
    Json,
}

/// What the output is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    colours: Colours,
    width: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

impl Screen {
    /// A pipe or a file: no colours, no limit to a line.
    pub(super) const fn plain() -> Self {
        Self { colours: Colours::Off, width: None }
    }

    /// What stdout of this process is.
    fn of_stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self::plain();
        }
        let width = crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
        let screen = Self { colours: Colours::Off, width: width.filter(|width| *width > 0) };
        if colours_wanted(|name| std::env::var_os(name)) { screen.with_colours() } else { screen }
    }

    /// With colours.
    pub(super) const fn with_colours(mut self) -> Self {
        self.colours = Colours::On;
        self
    }

    /// With lines of at most this many columns.
    #[cfg(test)]
    pub(super) const fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Whether it shows colours.
    pub(super) fn colours(self) -> bool {
        self.colours == Colours::On
    }

    /// How many columns a line has, if that is limited.
    pub(super) fn width(self) -> Option<usize> {
        self.width
    }
}

/// Whether a terminal is to get colours, going by its variables.
pub(super) fn colours_wanted<T: AsRef<std::ffi::OsStr>>(
    variable: impl Fn(&str) -> Option<T>,
) -> bool {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.as_ref().is_empty());
    let dumb = variable("TERM").is_some_and(|value| value.as_ref() == "dumb");
    !refused && !dumb
}

/// Where a command's result goes.
pub struct Output {
    format: Format,
    screen: Screen,
    sink: Box<dyn Write + Send>,
}

impl Output {
    /// Stdout of this process.
    pub fn of_process(format: Format) -> Self {
        Self { format, screen: Screen::of_stdout(), sink: Box::new(io::stdout()) }
    }

    /// Anything else that can be written to, plain.
    pub fn to(sink: impl Write + Send + 'static, format: Format) -> Self {
        Self { format, screen: Screen::plain(), sink: Box::new(sink) }
    }

    /// Who reads the output.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes a result: as JSON, or as what `human` makes of it.
    pub fn report<T: Serialize>(
        &mut self,
        result: &T,
        human: impl FnOnce(&mut Self) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Human => human(self),
            Format::Json => self.json(result),
        }
    }

    /// Writes a line of JSON.
    pub fn json<T: Serialize>(&mut self, value: &T) -> Result<(), CliError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CliError::failed("can't write the result as JSON").because(error))?;
        self.write(&format!("{text}\n"))
    }

    /// Writes a table.
    pub fn table(&mut self, table: &Table) -> Result<(), CliError> {
        self.write(&table.render(self.screen))
    }

    /// Writes a line of our own words: parts that come from outside must be sanitised.
    pub fn line(&mut self, text: &str) -> Result<(), CliError> {
        self.write(&format!("{text}\n"))
    }

    /// Writes a text as it is. A reader that has gone away is no error.
    pub fn write(&mut self, text: &str) -> Result<(), CliError> {
        match self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(CliError::failed(format!("can't write the result: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &'static str)]) -> bool {
        colours_wanted(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value))
    }

    #[test]
    fn colours_give_way_to_no_color_and_dumb_terminals() {
        assert!(wanted(&[]));
        assert!(wanted(&[("NO_COLOR", ""), ("TERM", "xterm")]));
        assert!(!wanted(&[("NO_COLOR", "1")]));
        assert!(!wanted(&[("TERM", "dumb")]));
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(Output::to(Closed, Format::Human).line("x").is_ok());
    }
}
