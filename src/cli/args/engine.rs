//! Commands that need the engine, or the operations on runs.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Subcommand};

use super::{
    ChangeArgs,
    value::{self, JsonArg},
};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    config::parse_duration,
};

/// Commands that need the engine, or the operations on runs.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Run a blueprint file in this process, in memory, to its end
    #[command(after_help = "\
Examples:
  flowcraft-tui run hello.json
  flowcraft-tui run hello.json --input @in.json --json")]
    Run(RunArgs),
    /// Start a run of a loaded blueprint on the cluster
    #[command(after_help = "\
Examples:
  flowcraft-tui start hello --input '{\"n\":1}'
  flowcraft-tui start hello --run-id order-17 --wait --timeout 60s")]
    Start(StartArgs),
    /// One run: its nodes with their state, and its context
    #[command(after_help = "Examples:\n  flowcraft-tui show order-17")]
    Show(ShowArgs),
    /// Why is this run not moving? Ranked causes, with evidence and remedy
    #[command(after_help = "Examples:\n  flowcraft-tui explain order-17")]
    Explain(ExplainArgs),
    /// Run failed, stuck or chosen nodes again
    #[command(after_help = "\
Examples:
  flowcraft-tui requeue order-17
  flowcraft-tui requeue order-17 --node charge --dry-run")]
    Requeue(RequeueArgs),
    /// Find and resume stalled runs
    #[command(after_help = "\
Examples:
  flowcraft-tui reconcile --dry-run
  flowcraft-tui reconcile --stalled-after 60s --yes")]
    Reconcile(ReconcileArgs),
    /// Answer a node that waits
    #[command(after_help = "\
Examples:
  flowcraft-tui resume order-17 --node approval --action approve --output '{\"by\":\"me\"}'")]
    Resume(ResumeArgs),
    /// Stop runs: nothing more of them is executed
    #[command(after_help = "Examples:\n  flowcraft-tui cancel order-17 order-18 --yes")]
    Cancel(CancelArgs),
    /// Loaded blueprints: list, show, check, draw
    #[command(after_help = "\
Examples:
  flowcraft-tui blueprints
  flowcraft-tui blueprints lint hello.json
  flowcraft-tui blueprints mermaid hello")]
    Blueprints(BlueprintsArgs),
    /// Check that every service answers, and that configuration and blueprints are sound
    #[command(after_help = "Examples:\n  flowcraft-tui doctor --json")]
    Doctor,
}

/// Arguments of `run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// The blueprint's file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The run's input
    #[arg(long, value_name = "JSON|@FILE", value_parser = value::json,
          allow_negative_numbers = true)]
    pub input: Option<JsonArg>,
    /// Stop where a timer would have to be waited for
    #[arg(long)]
    pub no_timers: bool,
}

/// Arguments of `start`.
#[derive(Debug, ClapArgs)]
pub struct StartArgs {
    /// The blueprint's id
    #[arg(value_name = "BLUEPRINT")]
    pub blueprint: BlueprintId,
    /// The run's input
    #[arg(long, value_name = "JSON|@FILE", value_parser = value::json,
          allow_negative_numbers = true)]
    pub input: Option<JsonArg>,
    /// The run's id; made up if it is not given
    #[arg(long, value_name = "ID", value_parser = value::run_id)]
    pub run_id: Option<RunId>,
    /// Follow the run to its end, or to where it waits for an answer
    #[arg(long)]
    pub wait: bool,
    /// Follow it no longer than this
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Start the blueprint although lint found errors in it
    #[arg(long)]
    pub force: bool,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `show`.
#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// The run's id
    #[arg(value_name = "RUN", value_parser = value::run_id)]
    pub run: RunId,
}

/// Arguments of `explain`.
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// The run's id
    #[arg(value_name = "RUN", value_parser = value::run_id)]
    pub run: RunId,
}

/// Arguments of `requeue`.
#[derive(Debug, ClapArgs)]
pub struct RequeueArgs {
    /// The run's id
    #[arg(value_name = "RUN", value_parser = value::run_id)]
    pub run: RunId,
    /// Only this node; may be repeated
    #[arg(long = "node", value_name = "NODE")]
    pub nodes: Vec<NodeId>,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `reconcile`.
#[derive(Debug, ClapArgs)]
pub struct ReconcileArgs {
    /// Only these runs
    #[arg(value_name = "RUN", value_parser = value::run_id)]
    pub runs: Vec<RunId>,
    /// A running run that nobody touched for this long is stalled [default: as configured]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub stalled_after: Option<Duration>,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `resume`.
#[derive(Debug, ClapArgs)]
pub struct ResumeArgs {
    /// The run's id
    #[arg(value_name = "RUN", value_parser = value::run_id)]
    pub run: RunId,
    /// The node that waits; needed where several do
    #[arg(long, value_name = "NODE")]
    pub node: Option<NodeId>,
    /// Which of its edges to take
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Its output
    #[arg(long, value_name = "JSON|@FILE", value_parser = value::json,
          allow_negative_numbers = true)]
    pub output: Option<JsonArg>,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `cancel`.
#[derive(Debug, ClapArgs)]
pub struct CancelArgs {
    /// The runs' ids
    #[arg(value_name = "RUN", required = true, value_parser = value::run_id)]
    pub runs: Vec<RunId>,
    /// Plan or consent.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `blueprints`.
#[derive(Debug, ClapArgs)]
pub struct BlueprintsArgs {
    /// What to do; nothing: list.
    #[command(subcommand)]
    pub command: Option<BlueprintsCommand>,
}

/// What to do with blueprints.
#[derive(Debug, Subcommand)]
pub enum BlueprintsCommand {
    /// List what is loaded
    List,
    /// One blueprint
    Show {
        /// Its id
        #[arg(value_name = "BLUEPRINT")]
        blueprint: BlueprintId,
    },
    /// Check blueprints; exit code 1 if one has an error
    Lint {
        /// Ids of loaded ones, or files [default: all that are loaded]
        #[arg(value_name = "BLUEPRINT|FILE")]
        targets: Vec<String>,
    },
    /// A diagram in Mermaid's notation
    Mermaid {
        /// The blueprint's id
        #[arg(value_name = "BLUEPRINT")]
        blueprint: BlueprintId,
    },
}
