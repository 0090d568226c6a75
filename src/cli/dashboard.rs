//! The dashboard: what it shows, and what becomes of the worker when it is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};

use super::{
    audit::Audit,
    context::{Context, Ended, is_missing},
    exit::{CliError, Exit},
    kinds,
    operator::LocalOperator,
    record::{RecordPlan, Recording},
    signals::Signals,
};
use crate::{
    blueprint::{BlueprintId, Library},
    cluster::Cluster,
    config::Config,
    demo::{Demo, DemoError},
    monitor::{Monitor, MonitorConfig},
    operations::Operations,
    tui::{
        Access, Colours, DashboardDeps, ExitReason, Keymap, KeymapError, Operator, Theme,
        WorkerStatus, run_dashboard,
    },
    worker::Worker,
};

/// How often the worker's own state is looked at.
const WORKER_LOOKS: Duration = Duration::from_millis(200);

/// The same while it has nothing to do.
const IDLE_LOOKS: Duration = Duration::from_secs(1);

/// How long saying goodbye to the cluster may take when the worker is stopped at once.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the dashboard shows.
struct Stage {
    cluster: Cluster,
    library: Library,
    /// The kinds of node that lint takes for all there are.
    kinds: Option<BTreeSet<String>>,
    /// The worker behind it, if there is one.
    worker: Option<Worker>,
}

/// Whether a worker works behind the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// One does.
    Worker,
    /// Nobody does.
    Nobody,
}

/// Shows the dashboard of the configured cluster until it is left.
pub(super) async fn run(context: Context<'_>, behind: Behind, record: Option<RecordPlan>) -> Ended {
    let looks = Looks::of(&context.config)?;
    needs_terminal()?;
    let registry = kinds::registry(&context.config)?;
    let library = context.watched_library().await?;
    let cluster = context.cluster().await?;
    let worker = (behind == Behind::Worker).then(|| {
        let config = kinds::worker_config(&context.config);
        Worker::new(cluster.clone(), library.clone(), registry, config)
    });
    let stage = Stage { cluster, library, kinds: context.known_kinds(), worker };
    show(&context.config, looks, stage, record).await
}

/// Shows the dashboard of a temporary cluster with something going on in it.
pub(super) async fn run_demo(context: Context<'_>, record: Option<RecordPlan>) -> Ended {
    let looks = Looks::of(&context.config)?;
    needs_terminal()?;
    let broken = |error: DemoError| CliError::failed(error.to_string()).because(error);
    let demo = Demo::open().await.map_err(broken)?;
    let (cluster, library) = (demo.cluster().clone(), demo.library().clone());
    let registry = demo.registry().clone();
    let kinds = Some(registry.names().map(str::to_owned).collect());
    let worker = Worker::new(cluster.clone(), library.clone(), registry, demo.worker_config());
    let play = tokio::spawn(demo.play());
    let stage = Stage { cluster, library, kinds, worker: Some(worker) };
    let ended = show(&context.config, looks, stage, record).await;
    play.abort();
    ended
}

pub(super) fn needs_terminal() -> Result<(), CliError> {
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::usage("the dashboard needs a terminal")
        .hint("use --no-ui to work without one, or a command such as `runs --json`"))
}

/// How the dashboard looks and is steered.
pub(super) struct Looks {
    pub(super) themes: Vec<Theme>,
    pub(super) keymap: Keymap,
}

impl Looks {
    /// As configured. Themes of the user's own are beside the user's configuration.
    pub(super) fn of(config: &Config) -> Result<Self, CliError> {
        let keys: BTreeMap<String, String> =
            config.keys.iter().map(|(action, bound)| (action.clone(), bound.key.clone())).collect();
        let keymap = Keymap::from_overrides(&keys).map_err(|error| {
            let bound = match &error {
                KeymapError::UnknownAction { id, .. } | KeymapError::BadKey { id, .. } => {
                    config.keys.get(id)
                }
                KeymapError::Clash { .. } => config.keys.values().next(),
            };
            let place = bound.map(|bound| format!("{}: ", bound.origin)).unwrap_or_default();
            CliError::usage(format!("{place}{error}"))
        })?;
        let themes = match &config.themes {
            Some(folder) => {
                Theme::with_folder(folder).map_err(|error| CliError::usage(error.to_string()))?
            }
            None => Theme::built_in(),
        };
        let wanted = &config.ui.theme;
        if themes.iter().all(|theme| theme.name != *wanted) {
            let known: Vec<&str> = themes.iter().map(|theme| theme.name.as_str()).collect();
            let place = config.origin("ui.theme");
            return Err(CliError::usage(format!("{place}: there is no theme \"{wanted}\""))
                .hint(format!("the themes are {}", known.join(", "))));
        }
        Ok(Self { themes, keymap })
    }
}

/// Opens the audit file, if one is configured.
fn open_audit(config: &Config, cluster: &Cluster) -> Result<Option<Audit>, CliError> {
    let Some(file) = &config.ui.audit_file else { return Ok(None) };
    Audit::open(file, cluster).map(Some).map_err(|error| {
        let place = config.origin("ui.audit_file");
        CliError::usage(format!("{place}: {} can't be written: {error}", file.display()))
            .hint("choose a file in a folder that exists, or leave ui.audit_file out")
    })
}

async fn show(config: &Config, looks: Looks, stage: Stage, record: Option<RecordPlan>) -> Ended {
    let mut signals = Signals::listen()?;
    let Stage { cluster, library, kinds, worker } = stage;
    let audit = open_audit(config, &cluster)?;
    let mut recording = match record {
        Some(plan) => Some(plan.start(config, &cluster).await?),
        None => None,
    };
    for error in library.state().errors().iter().filter(|error| !is_missing(config, error)) {
        tracing::warn!(%error, "a blueprint is left out");
    }
    let operations = if let Some(worker) = &worker {
        Operations::beside(worker)
    } else {
        let name = format!("{}-watch", config.worker.name);
        Operations::new(cluster.clone(), library.clone(), name)
    };
    let stalled_after = config.reconciler.stalled_after;
    let operator =
        LocalOperator { operations, worker: worker.clone(), stalled_after, kinds, audit };
    let looked_up = library.clone();
    let monitor = Monitor::spawn(
        cluster.clone(),
        MonitorConfig { stalled_after, lease: config.worker.lease, ..MonitorConfig::default() },
        Arc::new(move |id: &BlueprintId| looked_up.get(id)),
    );
    let mut operator: Arc<dyn Operator> = Arc::new(operator);
    let status = worker.as_ref().map(report);
    if let Some(recording) = &mut recording {
        operator = recording.operator(operator);
        recording.follow(monitor.clone(), library.subscribe());
        status.clone().into_iter().for_each(|status| recording.follow_worker(status));
    }
    let deps = DashboardDeps {
        monitor,
        operator,
        worker: status,
        library: library.subscribe(),
        clock: cluster.clock.clone(),
        themes: looks.themes,
        theme: config.ui.theme.clone(),
        colours: Colours::detect(),
        keymap: looks.keymap,
        access: if config.ui.read_only { Access::ReadOnly } else { Access::Full },
        recorder: recording.as_ref().map(Recording::state),
        replay: None,
    };
    let work = worker.as_ref().map(|worker| {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    });
    let reason = tokio::select! {
        left = run_dashboard(deps) => left.unwrap_or_else(|error| {
            // Nobody may be there to read an error: what is running is finished first of all.
            tracing::error!(%error, "the terminal failed");
            ExitReason::TerminalLost
        }),
        _ = signals.next() => ExitReason::Terminated,
    };
    let ended = match (worker, work) {
        (Some(worker), Some(work)) => leave(&worker, work, reason).await,
        _ => Ok(Exit::Done),
    };
    if let Some(recording) = recording {
        recording.finish().await;
    }
    ended
}

/// Has the worker finish what it is doing, unless that is not wanted.
async fn leave(worker: &Worker, mut work: JoinHandle<()>, reason: ExitReason) -> Ended {
    // The signal that ended the dashboard must not count as a second one.
    let mut signals = Signals::listen()?;
    if reason == ExitReason::QuitAtOnce {
        work.abort();
        let _ = tokio::time::timeout(GOODBYE, worker.leave()).await;
        return Ok(Exit::Done);
    }
    worker.drain();
    let running = worker.status().in_flight;
    if running > 0 && reason != ExitReason::TerminalLost {
        // Not `eprintln`, which panics where nobody listens.
        let _ = writeln!(
            std::io::stderr(),
            "draining: {running} still running; Ctrl-C or a signal stops at once"
        );
    }
    tokio::select! {
        ended = &mut work => {
            ended.map_err(|error| CliError::failed("the worker broke").because(error))?;
            Ok(Exit::Done)
        }
        exit = signals.next() => {
            work.abort();
            let _ = tokio::time::timeout(GOODBYE, worker.leave()).await;
            Ok(exit)
        }
    }
}

/// What a worker is doing, kept up until nobody looks any more.
pub(super) fn report(worker: &Worker) -> watch::Receiver<WorkerStatus> {
    let (sender, receiver) = watch::channel(status(worker));
    let worker = worker.clone();
    tokio::spawn(async move {
        let mut pause = WORKER_LOOKS;
        while !sender.is_closed() {
            tokio::time::sleep(pause).await;
            let now = status(&worker);
            let changed = sender.send_if_modified(|shown| std::mem::replace(shown, now) != now);
            pause = if changed || now.in_flight > 0 { WORKER_LOOKS } else { IDLE_LOOKS };
        }
    });
    receiver
}

fn status(worker: &Worker) -> WorkerStatus {
    let status = worker.status();
    WorkerStatus {
        mode: status.mode,
        slots: u32::try_from(status.slots).unwrap_or(u32::MAX),
        in_flight: u32::try_from(status.in_flight).unwrap_or(u32::MAX),
        done: status.done,
    }
}
