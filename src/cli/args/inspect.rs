//! Commands that look at the cluster's services or at this program.

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use clap_complete::Shell;

use super::{ChangeArgs, value};
use crate::{
    blueprint::BlueprintId,
    cluster::MAX_RECEIVE,
    config::parse_duration,
    engine::RunStatus,
    operations::{CanaryRule, Fingerprint, Letters},
};

/// Arguments of `runs`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  flowcraft-tui runs --status failed --status awaiting
  flowcraft-tui runs --blueprint hello --limit 20
  flowcraft-tui runs --stalled --json")]
pub struct RunsArgs {
    /// Only runs in this status: running, awaiting, completed, failed or cancelled; may be repeated
    #[arg(long = "status", value_name = "STATUS", value_parser = value::status)]
    pub statuses: Vec<RunStatus>,
    /// Only runs of this blueprint
    #[arg(long, value_name = "BLUEPRINT")]
    pub blueprint: Option<BlueprintId>,
    /// Only stalled runs: running, but not touched for a while
    #[arg(long)]
    pub stalled: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// Arguments of `queue`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  flowcraft-tui queue\n  flowcraft-tui queue peek -n 5")]
pub struct QueueArgs {
    /// What to look at; nothing: how full it is.
    #[command(subcommand)]
    pub command: Option<QueueCommand>,
}

/// What to look at in the queue.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// The next messages, left where they are
    Peek(PeekArgs),
}

/// Arguments of `queue peek`.
#[derive(Debug, ClapArgs)]
pub struct PeekArgs {
    /// How many, at most 32
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(1..=MAX_PEEK))]
    pub count: u8,
}

/// The most messages that one look gives.
#[allow(clippy::cast_possible_wrap)] // A small constant.
const MAX_PEEK: i64 = MAX_RECEIVE as i64;

/// Arguments of `dead-letters`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  flowcraft-tui dead-letters
  flowcraft-tui dead-letters list --group
  flowcraft-tui dead-letters replay --group 3fa81c09
  flowcraft-tui dead-letters purge --all --yes")]
pub struct DeadLettersArgs {
    /// What to do; nothing: list.
    #[command(subcommand)]
    pub command: Option<DeadLettersCommand>,
}

/// What to do with the poison queue.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List them
    List(ListLettersArgs),
    /// What changes it.
    #[command(flatten)]
    Change(DeadLetterChange),
}

/// Arguments of `dead-letters list`.
#[derive(Debug, Clone, Copy, Default, ClapArgs)]
#[command(after_help = "\
Examples:
  flowcraft-tui dead-letters list --group
  flowcraft-tui dead-letters list --deep --json")]
pub struct ListLettersArgs {
    /// Show those together that failed alike
    #[arg(long)]
    pub group: bool,
    /// Look at all of them: each is received, hidden for up to half a minute, and given back;
    /// otherwise at the first 32
    #[arg(long)]
    pub deep: bool,
}

/// What changes the poison queue.
#[derive(Debug, Subcommand)]
pub enum DeadLetterChange {
    /// Run the nodes again that they stand for: one as a canary first, the others if it passes
    Replay(ReplayArgs),
    /// Delete them for good
    Purge(LettersArgs),
}

/// Arguments of `dead-letters replay`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  flowcraft-tui dead-letters replay 7 8
  flowcraft-tui dead-letters replay --group 3fa81c09 --dry-run
  flowcraft-tui dead-letters replay --all --canary-timeout 5m --yes

Of several, one of each group goes first; the others follow once its node has completed or moved on,
and stay where they are if it fails again (exit code 1).")]
pub struct ReplayArgs {
    /// Which ones.
    #[command(flatten)]
    pub letters: LettersArgs,
    /// Replay all at once, without waiting for what becomes of the first
    #[arg(long)]
    pub no_canary: bool,
    /// How long to wait for what becomes of the canary
    #[arg(long, value_name = "DURATION", default_value = "60s", conflicts_with = "no_canary",
          value_parser = parse_duration)]
    pub canary_timeout: Duration,
}

/// Which dead letters are meant.
#[derive(Debug, ClapArgs)]
pub struct LettersArgs {
    /// The messages' ids, as listed
    #[arg(value_name = "ID", required_unless_present_any = ["all", "group"])]
    ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// All that failed alike, as `dead-letters list --group` shows them
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["ids", "all"])]
    group: Option<Fingerprint>,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

impl LettersArgs {
    /// Which ones are meant.
    pub fn letters(&self) -> Letters {
        match self.group {
            Some(group) => Letters::Group(group),
            None if self.all => Letters::All,
            None => Letters::Ids(self.ids.clone()),
        }
    }
}

impl ReplayArgs {
    /// Whether one letter goes first.
    pub fn canary(&self) -> CanaryRule {
        if self.no_canary { CanaryRule::Skip } else { CanaryRule::First(self.canary_timeout) }
    }
}

/// Arguments of `provision`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  flowcraft-tui provision --dry-run")]
pub struct ProvisionArgs {
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `config`.
#[derive(Debug, ClapArgs)]
pub struct ConfigArgs {
    /// What to do; nothing: print.
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// The configuration in force and where each value came from, secrets masked
    #[command(after_help = "\
Examples:
  flowcraft-tui config print --json
  flowcraft-tui config print --sample > flowcraft.toml")]
    Print {
        /// Print a file with every setting at its default instead
        #[arg(long)]
        sample: bool,
    },
}

/// Arguments of `completions`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  flowcraft-tui completions bash > ~/.local/share/bash-completion/completions/flowcraft-tui
  flowcraft-tui completions zsh > ~/.zfunc/_flowcraft-tui")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}
