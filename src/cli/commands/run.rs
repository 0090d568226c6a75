//! `run`: a blueprint file in this process, in memory, to its end.

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    blueprint::{Blueprint, load_file},
    cli::{
        args::{JsonArg, RunArgs},
        context::{Context, Ended, in_background, load},
        exit::CliError,
        follow::{Progress, Timers, follow},
        kinds, report,
        signals::Signals,
    },
    cluster::{SystemClock, memory_cluster},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};

/// How long the worker waits at most between two looks at its own queue.
const POLL: std::time::Duration = std::time::Duration::from_millis(20);

/// Runs a blueprint file and prints what came of it.
pub(in crate::cli) async fn run(context: Context<'_>, args: RunArgs) -> Ended {
    let mut signals = Signals::listen()?;
    let input = input(args.input).await?;
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    let shown = args.file.clone();
    let blueprint = in_background(move || load_file(&shown))
        .await?
        .map_err(|error| CliError::usage(error.to_string()))?;
    let library = load(sources(&context, &file)).await?;
    for error in library.state().errors() {
        tracing::info!(%error, "left out");
    }
    let registry = kinds::registry(&context.config)?;
    let cluster = memory_cluster(Arc::new(SystemClock));
    let config = WorkerConfig { poll_ceiling: POLL, ..kinds::worker_config(&context.config) };
    let worker = Worker::new(cluster, library, registry, config);
    let operations = Operations::beside(&worker);
    let request = request(&blueprint, input);
    let timers = if args.no_timers { Timers::StopAt } else { Timers::WaitOut };
    let progress = Progress::new(context.output);
    let following = async {
        let run = operations.start(request).await?.run;
        follow(&operations, &run, timers, &progress).await?;
        Ok::<_, CliError>(operations.view(&run).await?)
    };
    let view = tokio::select! {
        view = following => view?,
        () = worker.run() => return Err(CliError::failed("the worker ended before the run did")),
        exit = signals.next() => return Ok(exit),
    };
    report::print(&view, context.output)
}

fn request(blueprint: &Blueprint, input: Map<String, Value>) -> StartRequest {
    StartRequest { blueprint: blueprint.id.clone(), input, run: None, lint: Lint::Overlook }
}

/// The file, then what its subflows may name: its neighbours, and what is configured.
fn sources(context: &Context<'_>, file: &Path) -> Vec<std::path::PathBuf> {
    let folder = file.parent().map(Path::to_owned);
    let configured = context.config.blueprints.iter().cloned();
    std::iter::once(file.to_owned()).chain(folder).chain(configured).collect()
}

/// The context that a run begins with.
pub(in crate::cli) async fn input(
    argument: Option<JsonArg>,
) -> Result<Map<String, Value>, CliError> {
    let Some(argument) = argument else { return Ok(Map::new()) };
    match in_background(|| argument.read()).await?? {
        Value::Object(input) => Ok(input),
        other => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Number(_) => "a number",
                Value::String(_) => "text",
                Value::Array(_) | Value::Object(_) => "a list",
            };
            Err(CliError::usage(format!("--input must be a JSON object, not {kind}"))
                .hint("its members become the run's context: --input '{\"key\":1}'"))
        }
    }
}
