//! One message and the chain of nodes that follows from it: lease, read, gate, execute, commit,
//! continue.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Worker,
    core::{Next, job_for},
    exchange::{Exchanged, Leases},
    execute::{Attempts, Executed},
    graphs::UnusableBlueprint,
    lease::{Guard, NodeLease},
    neighbours::Made,
    session::{Freshness, Loyalty, Session, SessionError},
};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Holder, Job},
    engine::{
        Awaits, Builtin, Continuation, Entry, Event, ExecutionRecord, Failure, FailureKind, Graph,
        NodeState, RunDocument, Verdict, Work, reachable_work,
    },
};

/// How a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// How often its message was received, holds not counted. A job within a chain was never one.
    pub(crate) tries: u32,
    /// How old its message is.
    pub(crate) age: Duration,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Handled {
    /// It is done, and this follows.
    Done(Option<Next>),
    /// It can't be done yet, for a reason that is not its fault.
    Hold(Duration, &'static str),
    /// It will never be done.
    Poison(String),
    /// This worker may not go on with it: its lease was lost, or the run was cancelled.
    Abandoned(&'static str),
}

/// How long a message waits at first for a node's lease, doubled each further time: the next attempt
/// of a node may be sent a moment before the lease of the one before is given back.
const LEASED_PAUSE: Duration = Duration::from_millis(20);
/// How long a message waits for another worker that knows its blueprint.
const UNKNOWN_BLUEPRINT_LIMIT: Duration = Duration::from_hours(1);
/// How often a message is held at least before that time counts: it may have been hidden for longer,
/// as that of a timer is, without any worker having seen it.
const UNKNOWN_BLUEPRINT_HOLDS: u32 = 30;
/// How long a message waits for its run's document to appear.
const NO_DOCUMENT_LIMIT: Duration = Duration::from_mins(5);
/// How old a neighbour's message must be before what the document says counts against it.
const NEIGHBOUR_GRACE: Duration = Duration::from_secs(10);

impl Worker {
    /// Does one job under the lease of its node. `leases` are those the chain has in hand: that of
    /// the node before is given back meanwhile; afterwards they are for the caller to give back.
    pub(crate) async fn handle(
        &self,
        job: &Job,
        arrived: Arrived,
        guard: &Guard,
        leases: &mut Leases,
    ) -> Result<Handled, SessionError> {
        let session = self.core.session(&job.run_id);
        let (lease, before) = match self.exchange(leases, &job.run_id, &job.node_id).await? {
            Exchanged::Ours { lease, before } => (lease, before),
            Exchanged::HeldBy(other) => {
                tracing::debug!(run = %job.run_id, node = %job.node_id, holder = %other, "leased by another");
                let pause = LEASED_PAUSE.saturating_mul(1 << job.holds.unwrap_or(0).min(10));
                let pause = pause.min(self.config.lease / 4);
                return Ok(Handled::Hold(pause, "the node is leased by another worker"));
            }
        };
        let held = guard.hold(lease.clone());
        let within = (&lease.holder, &mut leases.ahead);
        let gate = self.gate(job, arrived, &session, within, held.lost());
        let (handled, ()) = tokio::join!(gate, self.give_back(before));
        handled
    }

    /// Decides by the run's document what the job comes to, and does it.
    async fn gate(
        &self,
        job: &Job,
        arrived: Arrived,
        session: &Arc<Session>,
        (holder, ahead): (&Holder, &mut Option<NodeLease>),
        lost: &CancellationToken,
    ) -> Result<Handled, SessionError> {
        let core = &self.core;
        let redrives = arrived.tries > 1 || job.redrive == Some(true);
        let freshness = match job.rev {
            // One that was held has been overtaken by others meanwhile.
            Some(rev) if !redrives && job.holds.is_none() => Freshness::AtLeast(rev),
            _ => Freshness::Now,
        };
        session.name_blueprint(&job.blueprint_id);
        let mut document = match session.document(freshness).await? {
            Some(document) => document,
            None if core.is_neighbours(job) && arrived.age >= NEIGHBOUR_GRACE => {
                match core.make_document(session, job).await? {
                    Made::Document(document) => *document,
                    Made::Not(error) => return Ok(hold_for_others(job, arrived, &error)),
                    Made::Ended => return Ok(drop_or_wait(job, arrived, "the run has ended")),
                }
            }
            None => return Ok(without_document(job, arrived)),
        };
        let mut entry = document.entry(&job.node_id).cloned();
        let expected = entry.as_ref().is_some_and(|entry| {
            entry.state == NodeState::Ready && same_turn(job, entry) && !is_newer(job, &document)
        });
        if !expected && freshness != Freshness::Now {
            // What this process remembers must not be held against the job.
            document = session.existing(Freshness::Now).await?;
            entry = document.entry(&job.node_id).cloned();
        }
        if is_newer(job, &document) {
            // It may have been written over by a neighbour, too: then it takes longer.
            return Ok(Handled::Hold(longer(job), "the store lags behind the message"));
        }
        let graph = match session.graph(&document) {
            Ok(graph) => graph,
            Err(error) if document.status().is_final() => {
                tracing::debug!(run = %job.run_id, %error, "a finished run");
                super::graphs::Graphs::stand_in(document.head())
            }
            Err(error) => return Ok(hold_for_others(job, arrived, &error)),
        };
        if document.status().is_final() {
            return self.close_finished(session, &document, &graph).await;
        }
        self.warn_of_changed_blueprint(session, &document, &graph).await?;
        let unreached = entry
            .as_ref()
            .is_none_or(|entry| entry.state == NodeState::Pending && entry.iteration == 1);
        if unreached && core.is_neighbours(job) {
            let Some(reached) = core.reached(session, &job.node_id).await? else {
                return Ok(drop_or_wait(job, arrived, "no edge to the node was taken"));
            };
            entry = reached.entry(&job.node_id).cloned();
            document = reached;
        }
        let Some(entry) = entry else {
            if redrives {
                return self.redrive(job, session, &document, &graph).await;
            }
            return Ok(drop_or_wait(job, arrived, "the node was not reached"));
        };
        let work = Work {
            node: job.node_id.clone(),
            iteration: entry.iteration,
            generation: entry.generation,
        };
        let this_turn = same_turn(job, &entry);
        match entry.state {
            NodeState::Ready if this_turn || redrives => {
                let now = core.now();
                if let Some(due) = entry.due_at.filter(|due| *due > now) {
                    return Ok(Handled::Hold(now.until(due), "the node is not due yet"));
                }
                if core.lacks_inputs(session, &graph, &document, &job.node_id).await? {
                    return Ok(Handled::Hold(longer(job), "inputs of the node were lost"));
                }
                self.run_node(job, work, &entry, &graph, session, (holder, ahead), lost).await
            }
            NodeState::Awaiting if this_turn || redrives => {
                self.attend(job, work, &entry, &document, &graph, session).await
            }
            NodeState::Completed | NodeState::Failed | NodeState::Pending | NodeState::Skipped
                if redrives =>
            {
                self.redrive(job, session, &document, &graph).await
            }
            NodeState::Ready | NodeState::Awaiting => {
                Ok(drop_or_wait(job, arrived, "the message means an earlier turn of the node"))
            }
            state => Ok(drop_or_wait(job, arrived, state.as_str())),
        }
    }

    async fn close_finished(
        &self,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<Handled, SessionError> {
        // A neighbour may have done the last of it.
        self.core.adopt(session).await?;
        Ok(Handled::Done(self.core.ensure_closed(session, document, graph).await?))
    }

    async fn warn_of_changed_blueprint(
        &self,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<(), SessionError> {
        let head = document.head();
        if head.blueprint_hash == graph.fingerprint() {
            return Ok(());
        }
        let warning = format!(
            "blueprint \"{}\" changed while the run was under way, without a new version",
            head.blueprint_id
        );
        if !head.warnings.contains(&warning) {
            tracing::warn!(run = %session.run(), "{warning}");
            session.submit(Event::Warn(warning), Continuation::Enqueue, Loyalty::Blueprint).await?;
        }
        Ok(())
    }

    /// Executes a ready node and commits what comes of it.
    // All of it belongs together: which node, how it is held, and where it is recorded.
    #[allow(clippy::too_many_arguments)]
    async fn run_node(
        &self,
        job: &Job,
        work: Work,
        entry: &Entry,
        graph: &Graph,
        session: &Arc<Session>,
        (holder, ahead): (&Holder, &mut Option<NodeLease>),
        lost: &CancellationToken,
    ) -> Result<Handled, SessionError> {
        let record = ExecutionRecord {
            by: holder.as_str().to_owned(),
            started_at: self.core.now(),
            attempts: entry.attempts,
            tries: Vec::new(),
        };
        let document = session.existing(Freshness::AtLeast(0)).await?;
        let definition = graph
            .definition(&work.node)
            .cloned()
            .or_else(|| crate::engine::dynamic_definition(&document, &work.node));
        let event = match definition {
            None => Event::Failed {
                failure: Failure {
                    message: format!(
                        "node \"{}\" is no longer in blueprint \"{}\", which changed while the run was under way",
                        work.node, job.blueprint_id
                    ),
                    kind: FailureKind::Fatal,
                    writes: Vec::new(),
                },
                work,
                record,
            },
            Some(definition) if Builtin::of(&definition.uses).is_some() => {
                Event::Builtin { work, record }
            }
            Some(definition) => {
                let attempts = Attempts { job, work: &work, definition: &definition, record };
                match self.execute(attempts, session, lost).await? {
                    Executed::Event(event) => event,
                    Executed::Stopped => return Ok(Handled::Abandoned("it was stopped")),
                }
            }
        };
        if lost.is_cancelled() {
            return Ok(Handled::Abandoned("its lease was lost"));
        }
        let continues = self.continuation();
        let following = match (&event, continues) {
            (Event::Completed { work, .. }, Continuation::Inline) => graph.likely_next(&work.node),
            _ => None,
        };
        let happens = self.core.happen(session, event, continues, Loyalty::Blueprint);
        let (happened, taken) = tokio::join!(happens, self.take_ahead(&job.run_id, following));
        *ahead = taken;
        let (settled, next) = happened?;
        match settled.verdict {
            Verdict::Applied(_) => {
                self.count_done(&job.blueprint_id);
                Ok(Handled::Done(next))
            }
            Verdict::AlreadyApplied => {
                self.redrive(job, session, &settled.document, &settled.graph).await
            }
            Verdict::Stale | Verdict::Refused(_) => {
                tracing::debug!(run = %job.run_id, node = %job.node_id, "a result came too late");
                Ok(Handled::Done(None))
            }
        }
    }

    /// Looks after a node that waits.
    async fn attend(
        &self,
        job: &Job,
        work: Work,
        entry: &Entry,
        document: &RunDocument,
        graph: &Graph,
        session: &Arc<Session>,
    ) -> Result<Handled, SessionError> {
        match &entry.awaits {
            Some(Awaits::Timer) => {
                let now = self.core.now();
                if let Some(due) = entry.due_at.filter(|due| *due > now) {
                    return Ok(Handled::Hold(now.until(due), "the timer is not due yet"));
                }
                let event = Event::TimerDue { work };
                let (settled, next) = self
                    .core
                    .happen(session, event, self.continuation(), Loyalty::Blueprint)
                    .await?;
                if matches!(settled.verdict, Verdict::Applied(_)) {
                    return Ok(Handled::Done(next));
                }
                // It was ended before: by a commit of ours, perhaps, of which the answer was lost.
                self.redrive(job, session, &settled.document, &settled.graph).await
            }
            Some(Awaits::Child { run, .. }) => {
                let next = self.attend_child(&work.node, run, document, graph, session).await?;
                Ok(Handled::Done(next))
            }
            Some(Awaits::Answer) | None => Ok(Handled::Done(None)),
        }
    }

    /// Takes up the unfinished work that a completed node led to: whoever completed it may have
    /// died before sending the messages.
    async fn redrive(
        &self,
        job: &Job,
        session: &Session,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<Handled, SessionError> {
        if document.status().is_final() {
            return self.close_finished(session, document, graph).await;
        }
        Ok(Handled::Done(self.take_up(&job.run_id, document, graph, &job.node_id).await?))
    }

    /// Goes on with one of the unfinished nodes that a node led to, and sends messages for the
    /// others.
    pub(crate) async fn take_up(
        &self,
        run: &RunId,
        document: &RunDocument,
        graph: &Graph,
        node: &NodeId,
    ) -> Result<Option<Next>, SessionError> {
        let core = &self.core;
        let now = core.now();
        let mut next = None;
        let mut jobs = Vec::new();
        for work in reachable_work(graph, document, node) {
            let Some(entry) = document.entry(&work.node).cloned() else { continue };
            let mut found = job_for(run, document, work);
            if let Some(due) = entry.due_at.filter(|due| *due > now) {
                core.send_later(found, now.until(due)).await?;
                continue;
            }
            match (&entry.state, &entry.awaits) {
                (NodeState::Awaiting, Some(Awaits::Answer) | None) => continue,
                (NodeState::Awaiting, _) => found.redrive = Some(true),
                _ => {}
            }
            if next.is_none() && self.continuation() == Continuation::Inline {
                next = Some(Next { job: found, closes: None });
            } else {
                jobs.push(found);
            }
        }
        core.send(jobs).await?;
        Ok(next)
    }
}

/// Whether a job means the node's present iteration and generation, or does not say.
fn same_turn(job: &Job, entry: &Entry) -> bool {
    job.iteration.is_none_or(|iteration| iteration == entry.iteration)
        && job.generation.is_none_or(|generation| generation == entry.generation)
}

/// Whether a job was made by a later commit than the document shows.
fn is_newer(job: &Job, document: &RunDocument) -> bool {
    job.rev.is_some_and(|rev| rev > document.head().rev)
}

/// How long to hide a message that waits for others' work: longer each time, half a minute at most.
fn longer(job: &Job) -> Duration {
    Duration::from_secs(1 << job.holds.unwrap_or(0).min(5))
}

/// A job that the document does not ask for. A neighbour's may be right all the same, for what it
/// wrote may not be seen yet.
fn drop_or_wait(job: &Job, arrived: Arrived, why: &'static str) -> Handled {
    if job.rev.is_none() && arrived.age < NEIGHBOUR_GRACE {
        return Handled::Hold(NEIGHBOUR_GRACE.saturating_sub(arrived.age), why);
    }
    tracing::debug!(run = %job.run_id, node = %job.node_id, why, "the message is dropped");
    Handled::Done(None)
}

/// The message of a run without a document: one that has just begun, perhaps.
fn without_document(job: &Job, arrived: Arrived) -> Handled {
    if arrived.age >= NO_DOCUMENT_LIMIT {
        let reason = format!("run \"{}\" has no document: start it again", job.run_id);
        return Handled::Poison(reason);
    }
    let pause = (arrived.age / 2).clamp(NEIGHBOUR_GRACE / 2, Duration::from_secs(60));
    Handled::Hold(pause, "the run has no document yet")
}

/// A job whose blueprint another worker may know.
fn hold_for_others(job: &Job, arrived: Arrived, error: &UnusableBlueprint) -> Handled {
    let held_often = job.holds.unwrap_or(0) >= UNKNOWN_BLUEPRINT_HOLDS;
    if arrived.age >= UNKNOWN_BLUEPRINT_LIMIT && held_often {
        return Handled::Poison(error.to_string());
    }
    tracing::debug!(%error, "left to a worker that has it");
    // Soon at first, when another worker is probably there; less and less often.
    let pause = (arrived.age / 2).clamp(Duration::from_secs(2), Duration::from_mins(1));
    Handled::Hold(pause, "its blueprint is not loaded here")
}
