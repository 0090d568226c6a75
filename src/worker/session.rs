//! One run as this process knows it: its document, and the queue of results that are to be
//! committed to it. Results that arrive while a commit is under way go into the next one together.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::oneshot;

use super::{
    graphs::{Graphs, UnusableBlueprint},
    known::{Known, Watch},
    overwritten::restore,
    patience::Patience,
    route_unknown::RouteUnknown,
    status::StatusTouch,
};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    cluster::{Cluster, ClusterError, Fault, Key, Neighbours, ReadDocument, Version},
    engine::{
        Continuation, Event, Graph, NodeState, Planner, RunDocument, RunStatus, Timestamp, Verdict,
    },
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
    /// The run can't begin: its document would be too large.
    #[error("run \"{0}\" can't be started: {1}")]
    TooLarge(RunId, String),
    /// A JavaScript worker ran a node, and nobody knows where it led to.
    #[error("{0}")]
    RouteUnknown(RouteUnknown),
}

/// What a session shares with the other sessions of its process.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) graphs: Graphs,
    pub(crate) patience: Patience,
}

impl Shared {
    /// Whether JavaScript workers may have run nodes of this run: what they did is taken over
    /// before anything else is planned.
    fn takes_over(&self, document: &RunDocument) -> bool {
        self.cluster.neighbours == Neighbours::JavaScript || document.head().is_unadopted()
    }

    /// Plans what happens to a run.
    pub(crate) fn planner<'a>(
        &self,
        graph: &'a Graph,
        run: &'a RunId,
        document: RunDocument,
        now: Timestamp,
    ) -> Planner<'a> {
        let takes_over = self.takes_over(&document);
        let planner =
            Planner::new(graph, run, document, now).measuring(self.cluster.state.measure());
        if takes_over { planner.taking_over() } else { planner }
    }
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
    /// The run's blueprint, for a document that does not say.
    named: OnceLock<BlueprintId>,
    watch: Mutex<Watch>,
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
            named: OnceLock::new(),
            watch: Mutex::default(),
        }
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it upon the caller to watch the document. Returns whether nobody does.
    pub(crate) fn begin_watch(&self) -> bool {
        !std::mem::replace(&mut self.watch().watched, true)
    }

    /// Ends the watch, if this process has not written the document since.
    pub(crate) fn end_watch(&self, since: Timestamp) -> bool {
        let mut watch = self.watch();
        watch.watched = watch.wrote.is_some_and(|wrote| wrote > since);
        !watch.watched
    }

    /// Ends the watch: nobody looks any more.
    pub(crate) fn stop_watch(&self) {
        self.watch().watched = false;
    }

    fn wrote(&self) {
        self.watch().wrote = Some(self.shared.cluster.clock.now());
    }

    /// Notes which blueprint the run follows, for a document that does not say.
    pub(crate) fn name_blueprint(&self, id: &BlueprintId) {
        self.named.get_or_init(|| id.clone());
    }

    /// Which blueprint the run follows, if a message of it said so here.
    pub(crate) fn named_blueprint(&self) -> Option<&BlueprintId> {
        self.named.get()
    }

    /// The graph that a document of this run follows.
    pub(crate) fn graph(&self, document: &RunDocument) -> Result<Arc<Graph>, UnusableBlueprint> {
        self.shared.graphs.of_run_or(document.head(), self.named.get())
    }

    /// The document as it will be once what JavaScript workers did is taken over.
    fn taken_over(&self, document: &RunDocument) -> RunDocument {
        if !self.is_behind(document) {
            return document.clone();
        }
        let Ok(graph) = self.graph(document) else { return document.clone() };
        let now = self.shared.cluster.clock.now();
        self.shared.planner(&graph, &self.run, document.clone(), now).document().clone()
    }

    fn is_behind(&self, document: &RunDocument) -> bool {
        document.head().is_unadopted()
            || (self.shared.takes_over(document) && document.foreign_outputs().next().is_some())
    }

    /// Whether the ledger may lack something that JavaScript workers did, and it can be added here.
    pub(crate) async fn lags(&self) -> bool {
        let known = self.known.lock().await;
        known
            .document
            .as_ref()
            .is_some_and(|(document, _)| self.is_behind(document) && self.graph(document).is_ok())
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// The run's document, as it is once what JavaScript workers did is taken over; nothing if there
    /// is none.
    pub(crate) async fn document(
        &self,
        freshness: Freshness,
    ) -> Result<Option<RunDocument>, ClusterError> {
        let mut known = self.known.lock().await;
        if let (Some((document, _)), Freshness::AtLeast(rev), false) =
            (&known.document, freshness, known.doubtful)
            && document.head().rev >= rev
        {
            return Ok(Some(self.taken_over(document)));
        }
        known.doubtful = true;
        self.read(&mut known).await?;
        Ok(known.document.as_ref().map(|(document, _)| self.taken_over(document)))
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
        *known = Known::default();
        known.renew(document, version);
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
                    let base = known.at(document.head().rev);
                    let (after, ops) = restore(base, ours, &document);
                    let state = &cluster.state;
                    match state.commit_document(&self.run, &version, &ops, &after).await {
                        Ok(version) => {
                            self.wrote();
                            self.renew(known, after, version);
                        }
                        Err(error) if error.fault == Fault::Conflict => continue,
                        Err(error) => return Err(error),
                    }
                }
                Some((ours, _)) if self.shared.cluster.neighbours == Neighbours::JavaScript => {
                    // Another worker may have gone on from what a neighbour left.
                    known.undone.extend(undone(ours, &document));
                    self.renew(known, document, version);
                }
                _ => self.renew(known, document, version),
            }
            break;
        }
        known.doubtful = false;
        self.find_blueprint(known).await
    }

    /// The nodes that this process saw completed and that are to be run once more, though nobody may
    /// have sent a message for that. Each is named once.
    pub(crate) async fn take_undone(&self) -> Vec<NodeId> {
        std::mem::take(&mut self.known.lock().await.undone).into_iter().collect()
    }

    fn renew(&self, known: &mut Known, document: RunDocument, version: Version) {
        if self.shared.cluster.neighbours == Neighbours::JavaScript {
            known.remember();
        }
        known.renew(document, version);
    }

    /// Looks which blueprint the run follows, where its document does not say.
    async fn find_blueprint(&self, known: &Known) -> Result<(), ClusterError> {
        let unnamed = known.document.as_ref().is_some_and(|(document, _)| {
            document.head().blueprint().is_none() && self.named.get().is_none()
        });
        if unnamed {
            let Shared { cluster, patience, .. } = &*self.shared;
            let key = Key::blueprint(&self.run);
            if let Some(id) = patience.call(|| cluster.coordination.get(&key)).await? {
                self.name_blueprint(&id.into());
            }
        }
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
            let (graph, stands_in) = match self.graph(&document) {
                Ok(graph) => (graph, false),
                // A ledger can't be made without the blueprint.
                Err(_)
                    if !document.head().is_unadopted()
                        && batch.iter().all(|one| one.planned_with == Loyalty::Anyway) =>
                {
                    (Graphs::stand_in(document.head()), true)
                }
                Err(_) if batch.len() > 1 => return Err(batch),
                Err(error) => return answer_all(batch, &error.into()),
            };
            // The answer to a commit was lost, but the document shows that it took effect.
            if let Some((token, verdicts, status_before)) = uncertain.take()
                && document.head().commit == token
            {
                self.wrote();
                settle(batch, verdicts, &document, &graph, status_before);
                return Ok(());
            }
            let status_before = document.status();
            let now = self.shared.cluster.clock.now();
            let mut planner = if stands_in {
                Planner::new(&graph, &self.run, document.clone(), now)
                    .measuring(self.shared.cluster.state.measure())
            } else {
                self.shared.planner(&graph, &self.run, document.clone(), now)
            };
            let verdicts: Vec<_> =
                batch.iter().map(|one| planner.apply(&one.event, one.continues)).collect();
            let token = format!("{:016x}", patience.nonce());
            let seen = planner.document().clone();
            let Some((after, ops)) = planner.finish(&token) else {
                settle(batch, verdicts, &seen, &graph, status_before);
                return Ok(());
            };
            // Until the answer is here, nobody can say what the store has.
            known.doubtful = true;
            let state = &self.shared.cluster.state;
            let error = match state.commit_document(&self.run, &version, &ops, &after).await {
                Ok(version) => {
                    self.wrote();
                    self.renew(known, after.clone(), version);
                    settle(batch, verdicts, &after, &graph, status_before);
                    return Ok(());
                }
                Err(error) => error,
            };
            tries += 1;
            match &error.fault {
                Fault::Conflict => {
                    // It may be this very commit: a store's client may repeat what took effect.
                    uncertain = Some((token, verdicts, status_before));
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

/// The nodes that are completed in one state of a document and in a later one, in the same turn, are
/// still to be run.
fn undone<'a>(
    before: &'a RunDocument,
    after: &'a RunDocument,
) -> impl Iterator<Item = NodeId> + 'a {
    after.ready().filter_map(|node| {
        let (was, is) = (before.entry(node)?, after.entry(node)?);
        let same_turn = (was.iteration, was.generation) == (is.iteration, is.generation);
        (was.state == NodeState::Completed && same_turn).then(|| node.clone())
    })
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
