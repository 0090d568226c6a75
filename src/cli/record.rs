//! `--record`: what is seen goes into a file, too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinHandle};

use super::{context::in_background, exit::CliError, secrets::secrets};
use crate::{
    blueprint::LibraryState,
    blueprint::RunId,
    cluster::Cluster,
    config::Config,
    monitor::MonitorHandle,
    recording::{
        Event, LogTap, Masker, RecordOptions, Recorder, RecorderState, RecordingError, WorkerSeen,
    },
    tui::{Operation, Operator, OperatorError, Outcome, Oversight, Preview, Reason, WorkerStatus},
};

/// What the file is called on its way, and where secrets come from.
pub(super) struct RecordPlan {
    /// The file and its limit.
    pub(super) options: RecordOptions,
    /// The environment, whose secrets are masked.
    pub(super) variables: BTreeMap<String, Option<String>>,
}

/// A recording that is being made.
pub(super) struct Recording {
    recorder: Recorder,
    feeds: Vec<JoinHandle<()>>,
    /// Kept so that the last looks are recorded, too, after a dashboard was left.
    monitor: Option<MonitorHandle>,
}

impl From<RecordingError> for CliError {
    fn from(error: RecordingError) -> Self {
        Self::usage(error.to_string()).because(error)
    }
}

impl RecordPlan {
    /// Creates the file, or goes on with the one that is there.
    pub(super) async fn start(
        self,
        config: &Config,
        cluster: &Cluster,
    ) -> Result<Recording, CliError> {
        let masker = Masker::new(secrets(config, &self.variables));
        let (name, clock) = (cluster.name.clone(), cluster.clock.clone());
        let options = self.options;
        let shown = options.file.display().to_string();
        let recorder =
            in_background(move || Recorder::start(&options, &name, masker, clock)).await??;
        // Said before lines go into it: a recording does not tell where it was made.
        tracing::info!("recording into {shown}");
        LogTap::of_process().open(&recorder);
        Ok(Recording { recorder, feeds: Vec::new(), monitor: None })
    }
}

impl Recording {
    /// Records every snapshot and the blueprints from now on.
    pub(super) fn follow(
        &mut self,
        monitor: MonitorHandle,
        mut library: watch::Receiver<Arc<LibraryState>>,
    ) {
        let recorder = self.recorder.clone();
        let mut snapshots = monitor.snapshots.clone();
        self.monitor = Some(monitor);
        self.feeds.push(tokio::spawn(async move {
            let loaded = library.borrow_and_update().clone();
            recorder.blueprints(loaded).await;
            loop {
                let snapshot = snapshots.borrow_and_update().clone();
                recorder.snapshot(snapshot).await;
                tokio::select! {
                    changed = snapshots.changed() => if changed.is_err() { return },
                    Ok(()) = library.changed() => {
                        let loaded = library.borrow_and_update().clone();
                        recorder.blueprints(loaded).await;
                    }
                }
            }
        }));
    }

    /// Records what the worker of this process does from now on.
    pub(super) fn follow_worker(&mut self, mut worker: watch::Receiver<WorkerStatus>) {
        let recorder = self.recorder.clone();
        self.feeds.push(tokio::spawn(async move {
            loop {
                let WorkerStatus { mode, slots, in_flight, done } = *worker.borrow_and_update();
                recorder.worker(WorkerSeen { mode, slots, in_flight, done }).await;
                if worker.changed().await.is_err() {
                    return;
                }
            }
        }));
    }

    /// An operator whose doings are recorded.
    pub(super) fn operator(&self, operator: Arc<dyn Operator>) -> Arc<dyn Operator> {
        Arc::new(Recorded { operator, recorder: self.recorder.clone() })
    }

    /// How it goes.
    pub(super) fn state(&self) -> watch::Receiver<RecorderState> {
        self.recorder.state()
    }

    /// Ends it, after a moment for what was seen last.
    pub(super) async fn finish(self) {
        /// How long what just happened takes to be seen.
        const LAST_LOOK: Duration = Duration::from_millis(250);
        if let Some(monitor) = &self.monitor {
            monitor.refresh();
            tokio::time::sleep(LAST_LOOK).await;
        }
        for feed in self.feeds {
            feed.abort();
        }
        self.recorder.finish().await;
    }
}

/// An operator whose doings are recorded.
struct Recorded {
    operator: Arc<dyn Operator>,
    recorder: Recorder,
}

#[async_trait]
impl Operator for Recorded {
    async fn preview(&self, operation: &Operation) -> Result<Preview, OperatorError> {
        self.operator.preview(operation).await
    }

    async fn explain(&self, run: &RunId) -> Result<Vec<Reason>, OperatorError> {
        self.operator.explain(run).await
    }

    async fn apply(
        &self,
        operation: &Operation,
        preview: &Preview,
        oversight: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        let outcome = self.operator.apply(operation, preview, oversight).await;
        let (result, ok) = match &outcome {
            Ok(outcome) => {
                let problems = outcome.problems.iter().map(|problem| format!("; {problem}"));
                let result = format!("{}{}", outcome.summary, problems.collect::<String>());
                (result, outcome.problems.is_empty())
            }
            Err(error) => (error.to_string(), false),
        };
        self.recorder.event(Event::Operation { title: operation.title(), result, ok });
        outcome
    }
}
