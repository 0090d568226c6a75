//! `--no-ui`: a worker without a dashboard.

use std::sync::Arc;

use crate::{
    blueprint::{BlueprintId, Library},
    cli::{
        context::{Context, Ended, is_missing},
        dashboard::report,
        exit::{CliError, Exit},
        idle::{Tally, Watch},
        kinds,
        output::Output,
        record::{RecordPlan, Recording},
        signals::Signals,
    },
    cluster::Cluster,
    config::{Backend, Config},
    monitor::{Monitor, MonitorConfig},
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
pub(in crate::cli) async fn run(
    context: Context<'_>,
    until: Until,
    record: Option<RecordPlan>,
) -> Ended {
    let mut signals = Signals::listen()?;
    let registry = kinds::registry(&context.config)?;
    let library = context.watched_library().await?;
    let state = library.state();
    for error in state.errors().iter().filter(|error| !is_missing(&context.config, error)) {
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
    let config = &context.config;
    let recording = match record {
        Some(plan) => Some(plan.start(config, &cluster).await?),
        None => None,
    };
    let worker =
        Worker::new(cluster.clone(), library.clone(), registry, kinds::worker_config(config));
    let recording = recording.map(|recording| follow(recording, config, cluster, library, &worker));
    let ended = work(&worker, until, &mut watch, &mut signals).await;
    if matches!(ended, Ok(Stopped::Drained)) {
        tracing::info!(done = worker.status().done, "worker {} has ended", worker.name());
    }
    if let Some(recording) = recording {
        recording.finish().await;
    }
    if let Stopped::Early(exit) = ended? {
        return Ok(exit);
    }
    match until {
        Until::Told => Ok(Exit::Done),
        Until::Idle => {
            let tally = watch.tally().await?;
            print(&tally, context.output)?;
            Ok(tally.exit())
        }
    }
}

/// Has all that a dashboard would show recorded: only for that is anything looked at.
fn follow(
    mut recording: Recording,
    config: &Config,
    cluster: Cluster,
    library: Library,
    worker: &Worker,
) -> Recording {
    let loaded = library.subscribe();
    let stalled_after = config.reconciler.stalled_after;
    let monitor = Monitor::spawn(
        cluster,
        MonitorConfig { stalled_after, ..MonitorConfig::default() },
        Arc::new(move |id: &BlueprintId| library.get(id)),
    );
    recording.follow(monitor, loaded);
    recording.follow_worker(report(worker));
    recording
}

/// How a worker came to its end.
enum Stopped {
    /// It finished what it was doing.
    Drained,
    /// It did not: a second signal came.
    Early(Exit),
}

/// Has a worker work, and drains it.
async fn work(
    worker: &Worker,
    until: Until,
    watch: &mut Watch,
    signals: &mut Signals,
) -> Result<Stopped, CliError> {
    let running = worker.clone();
    let mut work = tokio::spawn(async move { running.run().await });
    let idle = async {
        match until {
            Until::Told => std::future::pending().await,
            Until::Idle => watch.until_idle(worker).await,
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
            return Ok(Stopped::Early(exit));
        }
    }
    Ok(Stopped::Drained)
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
