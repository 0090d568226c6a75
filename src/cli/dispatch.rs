//! From a command to the code that does it.

use async_trait::async_trait;

use super::{
    args::{
        Args, Command, ConfigCommand, DeadLetterChange, DeadLettersCommand, EngineCommand,
        QueueCommand, ServeArgs,
    },
    commands,
    exit::{CliError, Exit},
    open::open,
    output::Output,
};
use crate::{
    cluster::Cluster,
    config::{Config, Environment},
};

/// What a command works with.
pub struct Context<'a> {
    /// The configuration in force.
    pub config: Config,
    /// Where its result goes.
    pub output: &'a mut Output,
}

/// What the command line needs from the layers below it.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Opens the cluster that the configuration names, creating it where it is missing.
    async fn open(&self, config: &Config) -> Result<Cluster, CliError> {
        open(config).await
    }

    /// Serves: a dashboard, a worker, or both.
    async fn serve(&self, context: Context<'_>, args: ServeArgs) -> Result<Exit, CliError>;

    /// Does what needs the engine, or the operations on runs.
    async fn run(&self, context: Context<'_>, command: EngineCommand) -> Result<Exit, CliError>;

    /// Replays or purges dead letters.
    async fn change_dead_letters(
        &self,
        context: Context<'_>,
        change: DeadLetterChange,
    ) -> Result<Exit, CliError>;
}

/// Does what the arguments say.
pub(super) async fn dispatch(
    args: Args,
    environment: &Environment,
    output: &mut Output,
    runner: &dyn Runner,
) -> Result<Exit, CliError> {
    let overrides = args.overrides();
    let load = || Config::load(environment, &overrides);
    let Some(command) = args.command else {
        return runner.serve(Context { config: load()?, output }, args.serve).await;
    };
    match command {
        Command::Completions(args) => commands::completions::run(&args, output),
        Command::Man => commands::man::run(output),
        Command::Config(args) => match args.command {
            Some(ConfigCommand::Print { sample: true }) => commands::config::print_sample(output),
            None | Some(ConfigCommand::Print { sample: false }) => {
                commands::config::print(&load()?, output)
            }
        },
        Command::Engine(command) => runner.run(Context { config: load()?, output }, command).await,
        Command::Runs(args) => {
            let config = load()?;
            let cluster = runner.open(&config).await?;
            let stalled_after = config.reconciler.stalled_after;
            commands::runs::run(&cluster, stalled_after, &args, output).await
        }
        Command::Queue(args) => {
            let cluster = runner.open(&load()?).await?;
            match args.command {
                None => commands::queue::depth(&cluster, output).await,
                Some(QueueCommand::Peek(args)) => {
                    commands::queue::peek(&cluster, args.count.into(), output).await
                }
            }
        }
        Command::DeadLetters(args) => match args.command {
            None | Some(DeadLettersCommand::List) => {
                let cluster = runner.open(&load()?).await?;
                commands::dead_letters::list(&cluster, output).await
            }
            Some(DeadLettersCommand::Change(change)) => {
                runner.change_dead_letters(Context { config: load()?, output }, change).await
            }
        },
        Command::Locks => {
            let cluster = runner.open(&load()?).await?;
            commands::locks::run(&cluster, output).await
        }
        Command::Workers => {
            let cluster = runner.open(&load()?).await?;
            commands::workers::run(&cluster, output).await
        }
        Command::Provision(args) => {
            commands::provision::run(&load()?, runner, args.change.consent(), output).await
        }
    }
}
