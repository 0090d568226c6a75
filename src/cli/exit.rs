//! Exit codes, and the errors that lead to them.

use std::{error::Error, fmt, process::ExitCode};

use super::text::sanitize;
use crate::{
    cluster::{ClusterError, Fault},
    config::ConfigError,
    engine::Refusal,
    operations::OperationError,
    worker::SessionError,
};

/// How the program ends. The numbers are part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Done = 0,
    /// What was asked about failed: a run, a service's health, a blueprint's lint.
    Failed = 1,
    /// Bad usage, bad configuration, bad input.
    Usage = 2,
    /// A service can't be used: it can't be reached, or its file is damaged or something else.
    Unreachable = 3,
    /// SIGINT ended it before it was done.
    Interrupted = 130,
    /// SIGTERM ended it before it was done.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How much is printed about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// One line.
    Brief,
    /// Its causes, too.
    Causes,
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl CliError {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, cause: None }
    }

    /// What was asked about failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Bad usage, bad configuration, bad input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A service can't be used.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, message)
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what caused it, shown with `-v`.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The exit code it leads to.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What is printed: one line, and one for each cause if they are wanted.
    pub(super) fn render(&self, verbosity: Verbosity) -> String {
        let mut text = format!("error: {}", sanitize(&self.to_string()));
        if verbosity == Verbosity::Causes {
            let mut cause = self.source();
            while let Some(error) = cause {
                text.push_str("\n  caused by: ");
                text.push_str(&sanitize(&error.to_string()));
                cause = error.source();
            }
        }
        text
    }

    /// Prints it to stderr.
    pub(super) fn print(&self, verbosity: Verbosity) {
        use std::io::Write as _;
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(std::io::stderr(), "{}", self.render(verbosity));
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let base = Self::usage(error.to_string());
        match error {
            ConfigError::Unreadable { source, .. } => base.because(source),
            _ => base,
        }
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        let message = error.to_string();
        match error.fault {
            Fault::Unavailable | Fault::Throttled { .. } => {
                Self::unreachable(message).hint("try again, or ask `flowcraft-tui doctor`")
            }
            Fault::Refused | Fault::Corrupt => Self::unreachable(message),
            Fault::Conflict => Self::failed(message).hint("try again"),
            Fault::NotFound | Fault::ReceiptLost | Fault::TooLarge { .. } => Self::failed(message),
        }
    }
}

impl From<OperationError> for CliError {
    fn from(error: OperationError) -> Self {
        let message = error.to_string();
        match error {
            OperationError::Cluster(error)
            | OperationError::Session(SessionError::Cluster(error)) => error.into(),
            OperationError::Session(SessionError::NoSuchRun(_)) => {
                Self::usage(message).hint("`flowcraft-tui runs` lists the runs there are")
            }
            OperationError::NoDocument(_) => {
                Self::failed(message).hint("`flowcraft-tui explain` says what to do about it")
            }
            OperationError::UnknownBlueprint { near: None, .. } => {
                Self::usage(message).hint("`flowcraft-tui blueprints` lists what is loaded")
            }
            OperationError::Lint { id, .. } => Self::failed(message).hint(format!(
                "see `flowcraft-tui blueprints lint {id}`; `--force` starts it all the same"
            )),
            OperationError::Refused { refusal, .. } => match refusal {
                Refusal::SeveralWait(_)
                | Refusal::DoesNotWait { .. }
                | Refusal::NoSuchAction { .. }
                | Refusal::AskChild { .. }
                | Refusal::NoSuchNode(_) => Self::usage(message),
                Refusal::Moved => Self::failed(message).hint("try again"),
                Refusal::Ended(_)
                | Refusal::NothingWaits
                | Refusal::NothingToRequeue
                | Refusal::TooLarge(_) => Self::failed(message),
            },
            OperationError::NoSuchLetter(_) => {
                Self::usage(message).hint("`flowcraft-tui dead-letters` lists them")
            }
            OperationError::NotAJob(_) | OperationError::NotReplayed { .. } => {
                Self::failed(message)
            }
            OperationError::Session(SessionError::RouteUnknown(unknown)) => Self::failed(message)
                .hint(format!(
                    "`flowcraft-tui requeue` with `--node {}` runs it again",
                    unknown.node
                )),
            OperationError::Session(SessionError::Blueprint(_) | SessionError::TooLarge(..))
            | OperationError::UnknownBlueprint { near: Some(_), .. }
            | OperationError::RunId { .. }
            | OperationError::Exists { .. } => Self::usage(message),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cluster::Service;

    #[test]
    fn an_error_is_one_line_whatever_is_in_it() {
        let error = CliError::failed("run \"a\nb\": \u{1b}[31mboom").hint("look\nhere");
        let line = error.render(Verbosity::Brief);
        assert_eq!(line, "error: run \"a\\nb\": \\u{1b}[31mboom; look\\nhere");
    }

    #[test]
    fn causes_show_only_when_wanted() {
        let error = CliError::usage("no").because(std::io::Error::other("because"));
        assert_eq!(error.render(Verbosity::Brief), "error: no");
        assert_eq!(error.render(Verbosity::Causes), "error: no\n  caused by: because");
    }

    #[test]
    fn faults_of_services_map_to_their_exit_codes() {
        let cases = [
            (Fault::Unavailable, Exit::Unreachable),
            (Fault::Throttled { retry_after: None }, Exit::Unreachable),
            (Fault::Refused, Exit::Unreachable),
            (Fault::Conflict, Exit::Failed),
            (Fault::NotFound, Exit::Failed),
            (Fault::ReceiptLost, Exit::Failed),
            (Fault::Corrupt, Exit::Unreachable),
            (Fault::TooLarge { bytes: 3, limit: 2 }, Exit::Failed),
        ];
        for (fault, exit) in cases {
            let error = ClusterError::new(Service::Queue, "peek", fault.clone(), "no");
            assert_eq!(CliError::from(error).exit(), exit, "{fault:?}");
        }
    }

    #[test]
    fn the_numbers_are_fixed() {
        let numbers = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Unreachable].map(|e| e as u8);
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!([Exit::Interrupted, Exit::Terminated].map(|e| e as u8), [130, 143]);
    }
}
