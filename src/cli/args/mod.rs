//! What the program can be called with.

mod engine;
mod inspect;
mod record;
mod value;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub use engine::{
    BlueprintsArgs, BlueprintsCommand, CancelArgs, EngineCommand, ExplainArgs, ReconcileArgs,
    RequeueArgs, ResumeArgs, RunArgs, ShowArgs, StartArgs,
};
pub use inspect::{
    CompletionsArgs, ConfigArgs, ConfigCommand, DeadLetterChange, DeadLettersArgs,
    DeadLettersCommand, LettersArgs, ListLettersArgs, PeekArgs, ProvisionArgs, QueueArgs,
    QueueCommand, ReplayArgs, RunsArgs,
};
pub use record::{At, RecordArgs, RecordingArgs};
pub use value::JsonArg;

use super::{
    exit::Verbosity,
    logging::{LogFormat, LogOptions},
    output::Format,
};
use crate::config::{Assignment, Environment, Overrides};

const EXAMPLES: &str = "\
Examples:
  flowcraft-tui --demo              look around on a cluster of its own
  flowcraft-tui run hello.json      run a blueprint in this process
  flowcraft-tui start hello --wait  start a run on the cluster and follow it
  flowcraft-tui --no-ui             work without a dashboard
  flowcraft-tui runs --stalled      what is stuck?
  flowcraft-tui explain RUN         and why?

Exit codes: 0 done; 1 what was asked about failed; 2 bad usage, configuration or input;
3 a service can't be used; 130 or 143 SIGINT or SIGTERM ended it before it was done.";

/// A workflow engine for Flowcraft blueprints, with a live dashboard.
///
/// Without a command it opens the dashboard, with a worker in it.
#[derive(Debug, Parser)]
#[command(name = "flowcraft-tui", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// What applies to every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What applies where no command is given.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// What to do; nothing: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What applies to every command.
#[derive(Debug, ClapArgs)]
pub struct GlobalArgs {
    /// Configuration file, in place of flowcraft.toml
    #[arg(long, value_name = "FILE", global = true, help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// A setting, over file and environment, such as worker.slots=4
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, help_heading = "Global options",
          value_parser = value::assignment)]
    pub set: Vec<Assignment>,
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print the causes of errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
    /// How log lines are written: text or json
    #[arg(
        hide_possible_values = true,
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true,
        help_heading = "Global options"
    )]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or target=level
    #[arg(long, value_name = "LEVEL", global = true, help_heading = "Global options")]
    pub log_level: Option<String>,
}

impl GlobalArgs {
    /// Who reads the output.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// How much is printed about errors.
    pub(super) fn verbosity(&self) -> Verbosity {
        if self.verbose { Verbosity::Causes } else { Verbosity::Brief }
    }
}

/// What applies where no command is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[allow(clippy::struct_excessive_bools)] // One for each flag of the command line.
pub struct ServeArgs {
    /// Work without a dashboard: logs go to stderr, SIGTERM and SIGINT drain
    #[arg(long, help_heading = "Without a command", conflicts_with_all = ["watch_only", "demo"])]
    pub no_ui: bool,
    /// With --no-ui: end when nothing runs and nothing is due; exit code 1 if a run failed
    #[arg(long, help_heading = "Without a command", requires = "no_ui")]
    pub until_idle: bool,
    /// A dashboard without a worker
    #[arg(long, help_heading = "Without a command")]
    pub watch_only: bool,
    /// A dashboard on a temporary cluster with sample blueprints and runs
    #[arg(long, help_heading = "Without a command", conflicts_with = "watch_only")]
    pub demo: bool,
    /// Refuse everything in the dashboard that would change the cluster
    #[arg(long, help_heading = "Without a command", conflicts_with = "no_ui")]
    pub read_only: bool,
    /// What is recorded.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// What the program does when no command is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServeMode {
    /// A dashboard with a worker in it.
    Dashboard,
    /// A dashboard without a worker.
    WatchOnly,
    /// A dashboard with a worker in it, on a temporary cluster.
    Demo,
    /// A worker without a dashboard.
    Headless,
    /// A worker without a dashboard, until nothing is left to do.
    UntilIdle,
}

impl ServeArgs {
    /// What the flags ask for.
    pub fn mode(&self) -> ServeMode {
        if self.until_idle {
            ServeMode::UntilIdle
        } else if self.no_ui {
            ServeMode::Headless
        } else if self.demo {
            ServeMode::Demo
        } else if self.watch_only {
            ServeMode::WatchOnly
        } else {
            ServeMode::Dashboard
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What needs the engine or the operations on it.
    #[command(flatten)]
    Engine(EngineCommand),
    /// List runs, newest first
    Runs(RunsArgs),
    /// How full the queue is; `queue peek` shows the next messages
    Queue(QueueArgs),
    /// The poison queue: messages that could not be handled
    DeadLetters(DeadLettersArgs),
    /// Locks that are held: who is running what
    Locks,
    /// Workers that are alive
    Workers,
    /// Look at a recording made with --record: the dashboard, with a time line to scrub
    #[command(after_help = "\
Examples:
  flowcraft-tui replay incident.rec
  flowcraft-tui replay incident.rec --at 14:05 --speed 4")]
    Replay(RecordingArgs),
    /// Create the queues, the database and the containers where they are missing
    Provision(ProvisionArgs),
    /// What can be done without a cluster.
    #[command(flatten)]
    Local(LocalCommand),
}

/// What can be done without a cluster.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// The configuration
    Config(ConfigArgs),
    /// A completion script for a shell
    Completions(CompletionsArgs),
    /// The manual page
    #[command(
        after_help = "Examples:\n  flowcraft-tui man > ~/.local/share/man/man1/flowcraft-tui.1"
    )]
    Man,
}

/// How a command that changes something goes about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ClapArgs)]
pub struct ChangeArgs {
    /// Print what would be done and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Ask nothing
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// Whether a change may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Only print the plan.
    DryRun,
    /// Ask first, where it matters.
    Ask,
    /// Go ahead.
    Given,
}

impl ChangeArgs {
    /// Whether the change may be made. A dry run wins.
    pub fn consent(self) -> Consent {
        match (self.dry_run, self.yes) {
            (true, _) => Consent::DryRun,
            (false, true) => Consent::Given,
            (false, false) => Consent::Ask,
        }
    }
}

impl Args {
    /// What contradicts itself in a way that the parser can't see.
    pub(super) fn conflict(&self) -> Option<String> {
        (self.command.is_some() && self.serve != ServeArgs::default()).then(|| {
            "--no-ui, --until-idle, --watch-only, --demo, --read-only and --record \
             can't be used with a command"
                .to_owned()
        })
    }

    /// Whether logs go to stderr: not with a dashboard on the screen.
    pub(super) fn logs_to_stderr(&self) -> bool {
        match self.command {
            Some(Command::Replay(_)) => false,
            Some(_) => true,
            None => matches!(self.serve.mode(), ServeMode::Headless | ServeMode::UntilIdle),
        }
    }

    /// What is logged: as the flag says, else the variable; else workers tell what they do and
    /// commands only what is wrong.
    pub fn log_options(&self, environment: &Environment) -> LogOptions {
        let variable = environment.variables.get("FLOWCRAFT_LOG").cloned().flatten();
        let (level, source) = match (&self.global.log_level, variable) {
            (Some(level), _) => (level.clone(), "--log-level"),
            (None, Some(level)) if !level.is_empty() => (level, "FLOWCRAFT_LOG"),
            _ if self.command.is_some() => ("warn".to_owned(), "default"),
            _ => ("info".to_owned(), "default"),
        };
        LogOptions { format: self.global.log_format, level, source }
    }

    /// What the flags say about the configuration.
    pub fn overrides(&self) -> Overrides {
        let mut assignments = self.global.set.clone();
        if self.serve.read_only {
            assignments.push(Assignment {
                key: "ui.read_only".to_owned(),
                value: "true".to_owned(),
                flag: "--read-only".to_owned(),
            });
        }
        Overrides { file: self.global.config.clone(), assignments }
    }
}
