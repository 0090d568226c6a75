//! What a worker and an operator have in common: the sessions of the runs they touch, and carrying
//! out what follows from a commit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    graphs::Graphs,
    neighbours::Looks,
    patience::Patience,
    session::{Freshness, Loyalty, Session, SessionError, Settled, Shared},
    status::{self, Touched, Urgency},
};
use crate::{
    blueprint::{Library, RunId, WorkerName},
    cluster::{Cluster, Job, Lane},
    engine::{
        Awaits, Closing, Continuation, Effects, Event, Graph, Head, RunDocument, RunStatus,
        Timestamp, Verdict, Work,
    },
};

/// How many runs a process remembers the documents of.
const SESSIONS: usize = 512;
/// The part of this program that changes runs.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: WorkerName,
    sessions: Arc<Mutex<HashMap<RunId, Arc<Session>>>>,
    /// Told whenever a message has been sent that can be received at once.
    pub(crate) sent: Arc<Notify>,
    pub(super) looks: Arc<Looks>,
}

/// A graph without nodes, for a run whose blueprint is not loaded here.
pub(crate) fn stand_in(head: &Head) -> Arc<Graph> {
    Graphs::stand_in(head)
}

/// What a chain of work goes on with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Next {
    pub(crate) job: Job,
    /// The finished child run whose closing work is done once this job is.
    pub(crate) closes: Option<RunId>,
}

impl Core {
    pub(crate) fn new(
        cluster: Cluster,
        library: Library,
        name: WorkerName,
        seed: Option<u64>,
    ) -> Self {
        let shared =
            Shared { cluster, graphs: Graphs::new(library), patience: Patience::new(seed) };
        Self {
            shared: Arc::new(shared),
            name,
            sessions: Arc::default(),
            sent: Arc::default(),
            looks: Arc::default(),
        }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    pub(crate) fn graphs(&self) -> &Graphs {
        &self.shared.graphs
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.shared.patience
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.cluster.clock.now()
    }

    /// The session of a run.
    pub(crate) fn session(&self, run: &RunId) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(run) {
            return session.clone();
        }
        if sessions.len() >= SESSIONS {
            sessions.retain(|_, session| Arc::strong_count(session) > 1);
        }
        let session = Arc::new(Session::new(run.clone(), self.shared.clone()));
        sessions.insert(run.clone(), session.clone());
        session
    }

    /// Forgets a run, unless somebody is at it or its next message should find it known.
    pub(crate) fn leave(&self, run: &RunId) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |session: &Arc<Session>| Arc::strong_count(session) == 1;
        if sessions.get(run).is_some_and(|session| idle(session) && !session.is_worth_keeping()) {
            sessions.remove(run);
        }
    }

    /// Has something happen to a run, and carries out what follows from it. Returns what became of
    /// it, and what a chain goes on with.
    pub(crate) async fn happen(
        &self,
        session: &Session,
        event: Event,
        continues: Continuation,
        loyalty: Loyalty,
    ) -> Result<(Settled, Option<Next>), SessionError> {
        let settled = session.submit(event, continues, loyalty).await?;
        let next = match &settled.verdict {
            Verdict::Applied(effects) => {
                self.follow(session, &settled, (**effects).clone(), continues).await?
            }
            _ => None,
        };
        Ok((settled, next))
    }

    /// Carries out what follows from a commit: messages, child runs, the run's status.
    async fn follow(
        &self,
        session: &Session,
        settled: &Settled,
        mut effects: Effects,
        continues: Continuation,
    ) -> Result<Option<Next>, SessionError> {
        let run = session.run();
        self.look_later(run);
        let document = &settled.document;
        let status = document.status();
        let changed = status != settled.status_before;
        // The status item says when the next timer is due: the reconciler goes by that.
        let urgent = changed || !effects.timers.is_empty();
        if urgent && !status.is_final() {
            // First: whatever is interrupted after this, the reconciler looks for in running runs.
            self.touch(session, document, &settled.graph, Urgency::Now).await?;
        }
        self.tell_neighbours(session, document, &mut effects).await?;
        let mut ready = effects.ready.into_iter();
        let mut next = match continues {
            Continuation::Inline => ready.next().map(|work| job_for(run, document, work)),
            Continuation::Enqueue => None,
        };
        let jobs: Vec<Job> = ready.map(|work| job_for(run, document, work)).collect();
        self.send(jobs).await?;
        for (work, due) in effects.timers {
            let mut job = job_for(run, document, work);
            // A child that the node waits for is to be looked at.
            job.redrive = Some(true);
            self.send_later(job, self.now().until(due)).await?;
        }
        if let Some(work) = effects.child {
            let mut job = job_for(run, document, work);
            job.redrive = Some(true);
            next = self.pass_on(next, job, continues).await?;
        }
        for child in effects.cancel_children {
            Box::pin(self.cancel(&child)).await?;
        }
        if status.is_final() {
            if changed && let Some(close) = self.close(session, document, &settled.graph).await? {
                if continues == Continuation::Inline && next.is_none() {
                    return Ok(Some(close));
                }
                self.send(vec![close.job]).await?;
                self.closed(run).await;
            }
        } else {
            if !urgent {
                self.touch(session, document, &settled.graph, Urgency::WhenDue).await?;
            }
            if changed && let Some(job) = parent_job(document) {
                next = self.pass_on(next, job, continues).await?;
            }
        }
        Ok(next.map(|job| Next { job, closes: None }))
    }

    /// Goes on with a job, or sends it if the chain has something to go on with already.
    async fn pass_on(
        &self,
        next: Option<Job>,
        job: Job,
        continues: Continuation,
    ) -> Result<Option<Job>, SessionError> {
        if next.is_none() && continues == Continuation::Inline {
            return Ok(Some(job));
        }
        self.send(vec![job]).await?;
        Ok(next)
    }

    /// Writes a run's status item, if its status has changed or the last touch is a while ago; and
    /// then those of its ancestors, for which a child that moves is a sign of life.
    pub(crate) async fn touch(
        &self,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
        urgency: Urgency,
    ) -> Result<(), SessionError> {
        let mut wrote =
            status::touch(&self.shared, session, &self.name, document, graph, urgency).await?;
        let mut parent = document.head().parent.clone();
        while let (Touched::Yes, Some(link)) = (wrote, parent.take()) {
            let session = self.session(&link.run);
            let Some(document) = session.document(Freshness::AtLeast(0)).await? else { break };
            let Ok(graph) = self.graphs().of_run(document.head()) else { break };
            if document.status().is_final() {
                break;
            }
            let urgency = Urgency::WhenDue;
            wrote = status::touch(&self.shared, &session, &self.name, &document, &graph, urgency)
                .await?;
            parent.clone_from(&document.head().parent);
        }
        Ok(())
    }

    /// Does a finished run's closing work: its final status, and the job by which its parent takes
    /// notice. Without a parent the run is closed after this, and its status item is the record of
    /// that; with one, it is once that job is done.
    pub(crate) async fn close(
        &self,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<Option<Next>, SessionError> {
        if document.status() == RunStatus::Cancelled {
            // Whoever cancelled the run may have died before it came to its children.
            for child in children(document) {
                Box::pin(self.cancel(&child)).await?;
            }
        }
        self.touch(session, document, graph, Urgency::Now).await?;
        if let Some(job) = parent_job(document) {
            return Ok(Some(Next { job, closes: Some(session.run().clone()) }));
        }
        Ok(None)
    }

    /// Does a finished run's closing work, unless it is done.
    pub(crate) async fn ensure_closed(
        &self,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<Option<Next>, SessionError> {
        if self.is_closed(session.run(), document).await? {
            tracing::debug!(run = %session.run(), "the run has ended and is closed");
            return Ok(None);
        }
        self.close(session, document, graph).await
    }

    /// Whether a finished run's closing work is done. A run that works for another notes that in its
    /// ledger; any other one's is its final status, which is written last.
    pub(crate) async fn is_closed(
        &self,
        run: &RunId,
        document: &RunDocument,
    ) -> Result<bool, SessionError> {
        let head = document.head();
        if head.parent.is_some() {
            return Ok(head.closed == Closing::Closed);
        }
        let state = &self.cluster().state;
        let known = self.patience().call(|| state.read_status(run)).await?;
        Ok(known.is_some_and(|known| known.item.status == Some(head.status)))
    }

    /// Notes that the closing work of a finished run that works for another is done. Where that
    /// fails, whoever meets the run next finds it open, and closes it.
    pub(crate) async fn closed(&self, run: &RunId) {
        let session = self.session(run);
        let closed = session.submit(Event::Close, Continuation::Enqueue, Loyalty::Anyway).await;
        if let Err(error) = closed {
            tracing::warn!(%run, %error, "could not note that the run is closed");
        }
    }

    /// Cancels a run and its children.
    pub(crate) async fn cancel(&self, run: &RunId) -> Result<RunStatus, SessionError> {
        let session = self.session(run);
        let cancelled =
            self.happen(&session, Event::Cancel, Continuation::Enqueue, Loyalty::Anyway).await;
        match cancelled {
            Ok((settled, _)) => Ok(settled.document.status()),
            // A child that was never started has nothing to stop.
            Err(SessionError::NoSuchRun(_)) => Ok(RunStatus::Cancelled),
            Err(error) => Err(error),
        }
    }

    /// Sends jobs that can be received at once.
    pub(crate) async fn send(&self, jobs: Vec<Job>) -> Result<(), SessionError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let bodies: Vec<String> = jobs.iter().map(Job::encode).collect();
        let queue = &self.cluster().queue;
        self.patience().call(|| queue.send_all(Lane::Jobs, bodies.clone())).await?;
        self.sent.notify_waiters();
        Ok(())
    }

    /// Sends a job that can be received after a while.
    pub(crate) async fn send_later(&self, job: Job, delay: Duration) -> Result<(), SessionError> {
        let body = job.encode();
        let queue = &self.cluster().queue;
        self.patience().call(|| queue.send(Lane::Jobs, body.clone(), delay)).await?;
        if delay.is_zero() {
            self.sent.notify_waiters();
        }
        Ok(())
    }

    /// The document of a run, as the store has it now.
    pub(crate) async fn fresh(&self, run: &RunId) -> Result<Option<RunDocument>, SessionError> {
        Ok(self.session(run).document(Freshness::Now).await?)
    }
}

/// The job by which a child run's parent looks at it.
fn parent_job(document: &RunDocument) -> Option<Job> {
    let parent = document.head().parent.as_ref()?;
    let mut job = Job::new(parent.run.clone(), parent.blueprint.clone(), parent.node.clone());
    // Any revision will do. Without one it would look like a neighbour's.
    job.rev = Some(0);
    job.redrive = Some(true);
    Some(job)
}

/// The job for a node of a run.
pub(crate) fn job_for(run: &RunId, document: &RunDocument, work: Work) -> Job {
    let mut job = Job::new(run.clone(), document.head().blueprint_id.clone(), work.node);
    job.iteration = Some(work.iteration);
    job.generation = Some(work.generation);
    job.rev = Some(document.head().rev);
    job
}

/// The child runs that nodes of a run wait for.
fn children(document: &RunDocument) -> Vec<RunId> {
    document
        .awaiting()
        .filter_map(|node| match &document.entry(node)?.awaits {
            Some(Awaits::Child { run, .. }) => Some(run.clone()),
            _ => None,
        })
        .collect()
}
