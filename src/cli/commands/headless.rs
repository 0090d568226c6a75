//! `--no-ui`: a worker without a dashboard.

use crate::{
    cli::{
        context::{Context, Ended, is_missing},
        exit::{CliError, Exit},
        idle::{Tally, Watch},
        kinds,
        output::Output,
        signals::Signals,
    },
    config::Backend,
    worker::Worker,
};

/// How long a headless worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Until {
    /// Until it is told to end.
    Told,
    /// Until nothing is left to do, or it is told to end.
    Idle,
}

/// Works until it is told to end, or nothing is left to do. What it is doing then is finished and
/// committed, unless it is told a second time.
pub(in crate::cli) async fn run(context: Context<'_>, until: Until) -> Ended {
    let mut signals = Signals::listen()?;
    let registry = kinds::registry(&context.config)?;
    let library = context.watched_library().await?;
    let state = library.state();
    for error in state.errors().iter().filter(|error| !is_missing(error)) {
        tracing::warn!(%error, "a blueprint is left out");
    }
    if context.config.cluster.backend == Backend::Memory {
        tracing::warn!("a cluster in memory is seen by nobody else: this worker gets no work");
    }
    let cluster = context.cluster().await?;
    let mut watch = Watch::begin(cluster.clone()).await?;
    tracing::info!(
        cluster = %cluster.name,
        blueprints = state.blueprints().len(),
        kinds = registry.names().count(),
        "worker {} starts", context.config.worker.name
    );
    let worker = Worker::new(cluster, library, registry, kinds::worker_config(&context.config));
    let running = worker.clone();
    let mut work = tokio::spawn(async move { running.run().await });
    let idle = async {
        match until {
            Until::Told => std::future::pending().await,
            Until::Idle => watch.until_idle(&worker).await,
        }
    };
    tokio::select! {
        ended = &mut work => return Err(broke(ended)),
        idle = idle => idle?,
        _ = signals.next() => {
            tracing::info!(in_flight = worker.status().in_flight, "draining: a second signal stops at once");
        }
    }
    worker.drain();
    tokio::select! {
        ended = &mut work => ended.map_err(|error| broke(Err(error)))?,
        exit = signals.next() => {
            work.abort();
            tracing::warn!(in_flight = worker.status().in_flight, "stopped at once");
            return Ok(exit);
        }
    }
    tracing::info!(done = worker.status().done, "worker {} has ended", worker.name());
    match until {
        Until::Told => Ok(Exit::Done),
        Until::Idle => {
            let tally = watch.tally().await?;
            print(&tally, context.output)?;
            Ok(tally.exit())
        }
    }
}

fn broke(ended: Result<(), tokio::task::JoinError>) -> CliError {
    let error = CliError::failed("the worker ended by itself");
    match ended {
        Ok(()) => error,
        Err(cause) => error.because(cause),
    }
}

fn print(tally: &Tally, output: &mut Output) -> Result<(), CliError> {
    output.report(tally, |output| {
        output.line(&format!(
            "{} completed, {} failed, {} awaiting.",
            tally.completed, tally.failed, tally.awaiting
        ))
    })
}
