//! From a command to the code that does it.

use super::{
    args::{
        Args, BlueprintsCommand, Command, ConfigCommand, DeadLettersCommand, EngineCommand,
        ListLettersArgs, LocalCommand, QueueCommand, ServeMode,
    },
    commands,
    context::Context,
    dashboard::{self, Behind},
    exit::{CliError, Exit},
    open::Opener,
    output::Output,
    record::RecordPlan,
    replay,
};
use crate::config::{Config, ConfigError, Environment};

/// Does what the arguments say.
pub(super) async fn dispatch(
    args: Args,
    environment: &Environment,
    output: &mut Output,
    opener: &dyn Opener,
) -> Result<Exit, CliError> {
    let overrides = args.overrides();
    let load = || Config::load(environment, &overrides);
    match args.command {
        Some(Command::Local(command)) => local(command, load, output),
        Some(command) => {
            // Of all commands the largest decides how much each carries along.
            Box::pin(run(Context { config: load()?, output, opener }, command)).await
        }
        None => {
            let record = args
                .serve
                .record
                .options()
                .map(|options| RecordPlan { options, variables: environment.variables.clone() });
            let context = Context { config: load()?, output, opener };
            // A dashboard is a large thing to carry along with every other command.
            Box::pin(serve(context, args.serve.mode(), record)).await
        }
    }
}

fn local(
    command: LocalCommand,
    load: impl FnOnce() -> Result<Config, ConfigError>,
    output: &mut Output,
) -> Result<Exit, CliError> {
    match command {
        LocalCommand::Completions(args) => commands::completions::run(&args, output),
        LocalCommand::Man => commands::man::run(output),
        LocalCommand::Config(args) => match args.command {
            Some(ConfigCommand::Print { sample: true }) => commands::config::print_sample(output),
            None | Some(ConfigCommand::Print { sample: false }) => {
                commands::config::print(&load()?, output)
            }
        },
    }
}

async fn serve(
    context: Context<'_>,
    mode: ServeMode,
    record: Option<RecordPlan>,
) -> Result<Exit, CliError> {
    use commands::headless::{Until, run};
    match mode {
        ServeMode::Headless => run(context, Until::Told, record).await,
        ServeMode::UntilIdle => run(context, Until::Idle, record).await,
        ServeMode::Dashboard => dashboard::run(context, Behind::Worker, record).await,
        ServeMode::Demo => dashboard::run_demo(context, record).await,
        ServeMode::WatchOnly => dashboard::run(context, Behind::Nobody, record).await,
    }
}

async fn run(context: Context<'_>, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Engine(command) => engine(context, command).await,
        Command::Runs(args) => {
            let cluster = context.cluster().await?;
            let stalled_after = context.config.reconciler.stalled_after;
            commands::runs::run(&cluster, stalled_after, &args, context.output).await
        }
        Command::Queue(args) => {
            let cluster = context.cluster().await?;
            match args.command {
                None => commands::queue::depth(&cluster, context.output).await,
                Some(QueueCommand::Peek(args)) => {
                    commands::queue::peek(&cluster, args.count.into(), context.output).await
                }
            }
        }
        Command::DeadLetters(args) => match args.command {
            None => commands::dead_letters::list(context, ListLettersArgs::default()).await,
            Some(DeadLettersCommand::List(args)) => {
                commands::dead_letters::list(context, args).await
            }
            Some(DeadLettersCommand::Change(change)) => {
                commands::letters::run(context, &change).await
            }
        },
        Command::Locks => commands::locks::run(&context.cluster().await?, context.output).await,
        Command::Workers => commands::workers::run(&context.cluster().await?, context.output).await,
        Command::Replay(args) => Box::pin(replay::run(&context.config, args)).await,
        Command::Provision(args) => commands::provision::run(context, args.change.consent()).await,
        Command::Local(command) => local(command, || Ok(context.config), context.output),
    }
}

async fn engine(context: Context<'_>, command: EngineCommand) -> Result<Exit, CliError> {
    match command {
        EngineCommand::Run(args) => commands::run::run(context, args).await,
        EngineCommand::Start(args) => commands::start::run(context, args).await,
        EngineCommand::Show(args) => commands::show::run(context, &args).await,
        EngineCommand::Explain(args) => commands::explain::run(context, &args).await,
        EngineCommand::Requeue(args) => commands::requeue::run(context, &args).await,
        EngineCommand::Reconcile(args) => commands::reconcile::run(context, &args).await,
        EngineCommand::Resume(args) => commands::resume::run(context, args).await,
        EngineCommand::Cancel(args) => commands::cancel::run(context, &args).await,
        EngineCommand::Doctor => commands::doctor::run(context).await,
        EngineCommand::Blueprints(args) => match args.command {
            None | Some(BlueprintsCommand::List) => commands::blueprints::list(context).await,
            Some(BlueprintsCommand::Show { blueprint }) => {
                commands::blueprints::show(context, &blueprint).await
            }
            Some(BlueprintsCommand::Lint { targets }) => {
                commands::lint::run(context, &targets).await
            }
            Some(BlueprintsCommand::Mermaid { blueprint }) => {
                commands::blueprints::mermaid(context, &blueprint).await
            }
        },
    }
}
