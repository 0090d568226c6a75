//! One run as this process knows it: its document, and the queue of results that are to be
//! committed to it. Results that arrive while a commit is under way go into the next one together.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::{
    graphs::{Graphs, UnusableBlueprint},
    overwritten::restore,
    patience::Patience,
    status::StatusTouch,
};
use crate::{
    blueprint::RunId,
    cluster::{Cluster, ClusterError, Fault, ReadDocument, Version},
    engine::{Continuation, Event, Graph, Planner, RunDocument, RunStatus, Verdict},
};

/// What became of an event, and the document after it.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) verdict: Verdict,
    pub(crate) document: RunDocument,
    pub(crate) graph: Arc<Graph>,
    /// The run's status before the commit.
    pub(crate) status_before: RunStatus,
}

/// Why a run could not be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SessionError {
    /// A service failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The run's blueprint can't be used here.
    #[error(transparent)]
    Blueprint(#[from] UnusableBlueprint),
    /// There is no such run.
    #[error("there is no run \"{0}\"")]
    NoSuchRun(RunId),
}

/// What a session shares with the other sessions of its process.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) graphs: Graphs,
    pub(crate) patience: Patience,
}

/// The largest document, in bytes, that is remembered while nothing of its run is at work here.
const KEPT_BYTES: usize = 128 * 1024;

/// One run.
#[derive(Debug)]
pub(crate) struct Session {
    run: RunId,
    shared: Arc<Shared>,
    waiting: Mutex<Vec<Waiting>>,
    known: tokio::sync::Mutex<Known>,
    pub(crate) touch: tokio::sync::Mutex<StatusTouch>,
}

#[derive(Debug, Default)]
struct Known {
    document: Option<(RunDocument, Version)>,
    /// Whether the document must be read again before it is used.
    doubtful: bool,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    continues: Continuation,
    planned_with: Loyalty,
    answer: oneshot::Sender<Result<Settled, SessionError>>,
}

/// Whether an event can be planned without the run's blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loyalty {
    /// It needs the blueprint in the run's version.
    Blueprint,
    /// It does without, where the blueprint is not loaded here.
    Anyway,
}

/// How fresh a document must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// What this process knows will do, if it has at least this revision.
    AtLeast(u64),
    /// As the store has it now.
    Now,
}

impl Session {
    pub(crate) fn new(run: RunId, shared: Arc<Shared>) -> Self {
        Self {
            run,
            shared,
            waiting: Mutex::default(),
            known: tokio::sync::Mutex::default(),
            touch: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// The run's document; nothing if there is none.
    pub(crate) async fn document(
        &self,
        freshness: Freshness,
    ) -> Result<Option<RunDocument>, ClusterError> {
        let mut known = self.known.lock().await;
        if let (Some((document, _)), Freshness::AtLeast(rev), false) =
            (&known.document, freshness, known.doubtful)
            && document.head().rev >= rev
        {
            return Ok(Some(document.clone()));
        }
        known.doubtful = true;
        self.read(&mut known).await?;
        Ok(known.document.as_ref().map(|(document, _)| document.clone()))
    }

    /// Whether what is known here saves a read later: the run goes on, and its document is small.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        // Whoever has it locked will ask again when it is done.
        let Ok(known) = self.known.try_lock() else { return true };
        known.document.as_ref().is_some_and(|(document, _)| {
            !document.status().is_final() && document.size() <= KEPT_BYTES
        })
    }

    /// The document of a run that exists.
    pub(crate) async fn existing(&self, freshness: Freshness) -> Result<RunDocument, SessionError> {
        self.document(freshness).await?.ok_or_else(|| SessionError::NoSuchRun(self.run.clone()))
    }

    /// Takes the document that this process has just created.
    pub(crate) async fn created(&self, document: RunDocument, version: Version) {
        let mut known = self.known.lock().await;
        *known = Known { document: Some((document, version)), doubtful: false };
    }

    /// Plans an event and commits what follows, together with what others have waiting.
    pub(crate) async fn submit(
        &self,
        event: Event,
        continues: Continuation,
        planned_with: Loyalty,
    ) -> Result<Settled, SessionError> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            let waiting = Waiting { event: event.clone(), continues, planned_with, answer };
            self.waiting().push(waiting);
            let mut known = tokio::select! {
                biased;
                settled = &mut answered => match settled {
                    Ok(settled) => return settled,
                    // Whoever was committing it has been cancelled.
                    Err(_) => continue,
                },
                known = self.known.lock() => known,
            };
            if let Ok(settled) = answered.try_recv() {
                return settled;
            }
            let batch = std::mem::take(&mut *self.waiting());
            self.commit(&mut known, batch).await;
            drop(known);
            if let Ok(settled) = answered.try_recv() {
                return settled;
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the known document up to date, if it is in doubt. A document with a lower revision
    /// than ours was written over by a neighbour: then ours is put back.
    async fn read(&self, known: &mut Known) -> Result<(), ClusterError> {
        let Shared { cluster, patience, .. } = &*self.shared;
        while known.document.is_none() || known.doubtful {
            let version = known.document.as_ref().map(|(_, version)| version);
            let read = patience.call(|| cluster.state.read_document(&self.run, version)).await?;
            let (document, version) = match read {
                ReadDocument::Missing => {
                    *known = Known::default();
                    return Ok(());
                }
                ReadDocument::Unchanged => break,
                ReadDocument::Whole(document, version) => (*document, version),
                ReadDocument::Changes(ops, version) => {
                    let Some((document, _)) = &known.document else { continue };
                    let mut document = document.clone();
                    for op in &ops {
                        document.apply(op);
                    }
                    (document, version)
                }
            };
            match &known.document {
                Some((ours, _)) if ours.head().rev > document.head().rev => {
                    tracing::warn!(run = %self.run, "a neighbour wrote over commits of ours: putting them back");
                    let (after, ops) = restore(ours, &document);
                    let state = &cluster.state;
                    match state.commit_document(&self.run, &version, &ops, &after).await {
                        Ok(version) => known.document = Some((after, version)),
                        Err(error) if error.fault == Fault::Conflict => continue,
                        Err(error) => return Err(error),
                    }
                }
                _ => known.document = Some((document, version)),
            }
            break;
        }
        known.doubtful = false;
        Ok(())
    }

    /// Commits a batch of events in as few writes as possible.
    async fn commit(&self, known: &mut Known, batch: Vec<Waiting>) {
        if let Err(batch) = self.commit_together(known, batch).await {
            // Together they were too large, or one of them can't be planned: one after the other.
            for waiting in batch {
                if let Err(rest) = self.commit_together(known, vec![waiting]).await {
                    for waiting in rest {
                        let limit = self.shared.cluster.state.document_limit();
                        let error = ClusterError::new(
                            crate::cluster::Service::State,
                            format!("commit to run \"{}\"", self.run),
                            Fault::TooLarge { bytes: limit, limit },
                            "the store refuses the document as too large",
                        );
                        let _ = waiting.answer.send(Err(error.into()));
                    }
                }
            }
        }
    }

    /// Commits a batch in one write. Gives it back if it is too large for that.
    async fn commit_together(
        &self,
        known: &mut Known,
        batch: Vec<Waiting>,
    ) -> Result<(), Vec<Waiting>> {
        let patience = &self.shared.patience;
        let mut uncertain: Option<(String, Vec<Verdict>, RunStatus)> = None;
        let mut tries = 0u32;
        loop {
            if let Err(error) = self.read(known).await {
                return answer_all(batch, &error.into());
            }
            let Some((document, version)) = known.document.clone() else {
                let error = SessionError::NoSuchRun(self.run.clone());
                return answer_all(batch, &error);
            };
            let graph = match self.shared.graphs.of_run(document.head()) {
                Ok(graph) => graph,
                Err(_) if batch.iter().all(|one| one.planned_with == Loyalty::Anyway) => {
                    Graphs::stand_in(document.head())
                }
                Err(_) if batch.len() > 1 => return Err(batch),
                Err(error) => return answer_all(batch, &error.into()),
            };
            // The answer to a commit was lost, but the document shows that it took effect.
            if let Some((token, verdicts, status_before)) = uncertain.take()
                && document.head().commit == token
            {
                settle(batch, verdicts, &document, &graph, status_before);
                return Ok(());
            }
            let status_before = document.status();
            let now = self.shared.cluster.clock.now();
            let mut planner = Planner::new(&graph, &self.run, document.clone(), now)
                .measuring(self.shared.cluster.state.measure());
            let verdicts: Vec<_> =
                batch.iter().map(|one| planner.apply(&one.event, one.continues)).collect();
            let token = format!("{:016x}", patience.nonce());
            let Some((after, ops)) = planner.finish(&token) else {
                settle(batch, verdicts, &document, &graph, status_before);
                return Ok(());
            };
            // Until the answer is here, nobody can say what the store has.
            known.doubtful = true;
            let state = &self.shared.cluster.state;
            let error = match state.commit_document(&self.run, &version, &ops, &after).await {
                Ok(version) => {
                    *known = Known { document: Some((after.clone(), version)), doubtful: false };
                    settle(batch, verdicts, &after, &graph, status_before);
                    return Ok(());
                }
                Err(error) => error,
            };
            tries += 1;
            match &error.fault {
                Fault::Conflict => {
                    if tries > 3 {
                        patience.pause(&error, std::time::Duration::from_millis(20)).await;
                    }
                }
                Fault::TooLarge { .. } => {
                    known.doubtful = false;
                    return Err(batch);
                }
                _ if error.is_transient() && tries < 8 => {
                    patience.failed(&error);
                    if error.may_have_happened() {
                        uncertain = Some((token, verdicts, status_before));
                    }
                    let pause = std::time::Duration::from_millis(50) * 2u32.pow(tries.min(6));
                    patience.pause(&error, pause).await;
                }
                _ => return answer_all(batch, &error.into()),
            }
        }
    }
}

fn settle(
    batch: Vec<Waiting>,
    verdicts: Vec<Verdict>,
    document: &RunDocument,
    graph: &Arc<Graph>,
    status_before: RunStatus,
) {
    for (waiting, verdict) in batch.into_iter().zip(verdicts) {
        let settled =
            Settled { verdict, document: document.clone(), graph: graph.clone(), status_before };
        // Nobody listens any more: then nobody needs the answer.
        let _ = waiting.answer.send(Ok(settled));
    }
}

// The same type as its caller's, for a short `return`.
#[allow(clippy::unnecessary_wraps)]
fn answer_all(batch: Vec<Waiting>, error: &SessionError) -> Result<(), Vec<Waiting>> {
    for waiting in batch {
        let _ = waiting.answer.send(Err(error.clone()));
    }
    Ok(())
}
