//! `start`: a run of a loaded blueprint on the cluster.

use std::time::Duration;

use serde_json::json;

use super::run::input;
use crate::{
    blueprint::{LoadError, RunId},
    cli::{
        args::{Consent, StartArgs},
        change::print_plan,
        context::{Context, Ended, is_missing},
        exit::{CliError, Exit},
        follow::{Progress, Timers, follow},
        report,
        signals::Signals,
        text::sanitize,
    },
    config::Config,
    operations::{Change, Lint, OperationError, Operations, StartRequest},
};

/// How long a run may take to be picked up before a missing worker is mentioned.
const PICKED_UP: Duration = Duration::from_secs(3);

/// Starts a run, and follows it if that is wanted.
pub(in crate::cli) async fn run(context: Context<'_>, args: StartArgs) -> Ended {
    let input = input(args.input).await?;
    let operations = context.operations().await?;
    let lint = if args.force {
        Lint::Overlook
    } else {
        context.known_kinds().map_or(Lint::Enforce, Lint::EnforceWith)
    };
    let request = StartRequest {
        blueprint: args.blueprint,
        input,
        run: args.run_id.map(|run| run.to_string()),
        lint,
    };
    if args.change.consent() == Consent::DryRun {
        let changes = operations
            .preview_start(&request)
            .await
            .map_err(|e| explain(e, &operations, &context.config))?;
        let run = changes.iter().find_map(|change| match change {
            Change::Created(run, _) => Some(run.clone()),
            _ => None,
        });
        print_plan(run.as_ref(), &changes, context.output)?;
        return Ok(Exit::Done);
    }
    let started = operations
        .start(request)
        .await
        .map_err(|error| explain(error, &operations, &context.config))?;
    if args.wait {
        return wait(context, &operations, &started.run, args.timeout).await;
    }
    let shown = json!({ "runId": started.run, "status": started.status.as_str() });
    context.output.report(&shown, |output| {
        let verb = if started.again { "had been started before" } else { "was started" };
        output.line(&format!("Run {} {verb}; it is {}.", sanitize(&started.run), started.status))
    })?;
    Ok(Exit::Done)
}

/// Follows a run to its end, or to where it waits for an answer.
async fn wait(
    context: Context<'_>,
    operations: &Operations,
    run: &RunId,
    timeout: Option<Duration>,
) -> Ended {
    let mut signals = Signals::listen()?;
    let progress = Progress::new(context.output);
    let following = follow(operations, run, Timers::WaitOut, &progress);
    let in_time = async {
        match timeout {
            Some(limit) => tokio::time::timeout(limit, following).await.ok().transpose(),
            None => following.await.map(Some),
        }
    };
    let followed = tokio::select! {
        followed = in_time => followed?,
        () = mention_missing_workers(operations) => None,
        exit = signals.next() => {
            progress.clear();
            return Ok(exit);
        }
    };
    progress.clear();
    let view = operations.view(run).await?;
    let exit = report::print(&view, context.output)?;
    match (followed, timeout) {
        (None, Some(limit)) => Err(CliError::failed(format!(
            "run \"{run}\" is {} after {}",
            view.status,
            humantime::format_duration(limit)
        ))
        .hint("it goes on by itself; `flowcraft-tui explain` says what it waits for")),
        _ => Ok(exit),
    }
}

/// Says so once if nobody is there to do the work. Never ends.
async fn mention_missing_workers(operations: &Operations) {
    tokio::time::sleep(PICKED_UP).await;
    let workers = operations.cluster().coordination.workers().await;
    if workers.is_ok_and(|workers| workers.is_empty()) {
        tracing::warn!("no worker is alive: `flowcraft-tui --no-ui` starts one");
    }
    std::future::pending::<()>().await;
}

/// An error of a start. A blueprint that is not there may be in a file that could not be loaded: the
/// one of its name, or else any.
fn explain(error: OperationError, operations: &Operations, config: &Config) -> CliError {
    let state = operations.library().state();
    let OperationError::UnknownBlueprint { near: None, id } = &error else { return error.into() };
    let mut broken = state.errors().iter().filter(|broken| !is_missing(config, broken));
    let named = |broken: &&LoadError| broken.file().file_stem().is_some_and(|it| it == id.as_str());
    let Some(broken) = broken.clone().find(named).or_else(|| broken.next()) else {
        return error.into();
    };
    CliError::usage(error.to_string()).hint(format!("this file could not be loaded: {broken}"))
}
