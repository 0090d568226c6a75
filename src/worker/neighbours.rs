//! JavaScript workers on the same cluster: keeping up the keys that they look at, and taking over
//! what they did.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use tokio::sync::Notify;

use super::{
    core::{Core, job_for},
    graphs::UnusableBlueprint,
    session::{Freshness, Loyalty, Session, SessionError},
};
use crate::{
    blueprint::{JoinStrategy, NodeId, RunId},
    cluster::{Job, Key, Lane, Neighbours, meter},
    engine::{
        Continuation, Effects, Event, Graph, Head, JoinArrival, NodeState, RunDocument, RunStatus,
        Timestamp, Verdict, Work, lost_inputs,
    },
};

/// How long counters and marks for neighbours live.
const TTL: Duration = Duration::from_hours(1);
/// How long after a commit to look whether it is still there: longer than a neighbour takes from
/// reading an item to replacing it.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// What became of making a document.
#[derive(Debug)]
pub(crate) enum Made {
    /// It is there.
    Document(Box<RunDocument>),
    /// This worker can't.
    Not(UnusableBlueprint),
    /// The run has ended, and somebody has removed its document since.
    Ended,
}

/// The runs that are to be looked at, and since when; nothing where nobody would.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    line: Mutex<Option<Line>>,
    joined: Notify,
}

/// Those that wait longest first.
type Line = VecDeque<(Timestamp, Arc<Session>)>;

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Option<Line>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.lock().as_ref().is_none_or(VecDeque::is_empty)
    }

    /// Takes out those whose time has come.
    fn due(&self, now: Timestamp) -> Line {
        let mut line = self.lock();
        let Some(line) = line.as_mut() else { return Line::new() };
        let due = line.iter().take_while(|(since, _)| now.since(*since) >= LOOK_AFTER).count();
        line.drain(..due).collect()
    }
}

/// Ends the looks when dropped.
struct Ending<'a>(&'a Looks);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let left = self.0.lock().take();
        for (_, session) in left.into_iter().flatten() {
            session.stop_watch();
        }
    }
}

/// How many keys are removed at a time.
const KEYS_AT_ONCE: usize = 500;
/// How many runs are looked at at a time.
const LOOKS_AT_ONCE: usize = 16;

impl Core {
    /// Whether a job was sent by a JavaScript worker or client.
    pub(crate) fn is_neighbours(&self, job: &Job) -> bool {
        self.has_neighbours() && job.rev.is_none()
    }

    fn has_neighbours(&self) -> bool {
        self.cluster().neighbours == Neighbours::JavaScript
    }

    /// Has a run looked at a while after a commit: a neighbour that read its item before may replace
    /// it afterwards, and nobody else remembers what was there. Reading it puts that back.
    pub(crate) fn look_later(&self, run: &RunId) {
        if self.has_neighbours()
            && let Some(looks) = &mut *self.looks.lock()
        {
            let session = self.session(run);
            if session.begin_watch() {
                looks.push_back((self.now(), session));
                self.looks.joined.notify_one();
            }
        }
    }

    /// Looks at runs a while after commits to them, until dropped.
    pub(crate) async fn look_after_commits(&self) {
        if !self.has_neighbours() {
            return;
        }
        self.looks.lock().get_or_insert_default();
        // Whoever commits after this has ended has nobody to look.
        let _ending = Ending(&self.looks);
        loop {
            if self.looks.is_empty() {
                self.looks.joined.notified().await;
            }
            tokio::time::sleep(LOOK_AFTER / 5).await;
            let due = self.looks.due(self.now());
            stream::iter(due)
                .for_each_concurrent(LOOKS_AT_ONCE, |(since, session)| self.look(since, session))
                .await;
        }
    }

    /// Looks at once at all runs that are still to be looked at: this worker is about to end.
    pub(crate) async fn look_now(&self) {
        let all = self.looks.lock().as_mut().map(std::mem::take).unwrap_or_default();
        stream::iter(all)
            .for_each_concurrent(LOOKS_AT_ONCE, |(_, session)| async move {
                self.look_at_as_its_blueprint(&session).await;
            })
            .await;
    }

    async fn look(&self, since: Timestamp, session: Arc<Session>) {
        let looked = self.look_at_as_its_blueprint(&session).await;
        if (!looked || !session.end_watch(since))
            && let Some(looks) = &mut *self.looks.lock()
        {
            looks.push_back((self.now(), session));
            return;
        }
        let run = session.run().clone();
        drop(session);
        self.leave(&run);
    }

    /// The run pays for it, as for all that its commits cost.
    async fn look_at_as_its_blueprint(&self, session: &Session) -> bool {
        meter::on_behalf_of(session.named_blueprint(), self.look_at(session)).await
    }

    /// Reads a run's document, which puts back what a neighbour wrote over. Returns whether that was
    /// possible.
    async fn look_at(&self, session: &Session) -> bool {
        if let Err(error) = session.document(Freshness::Now).await {
            tracing::debug!(run = %session.run(), %error, "could not look after a commit");
            return !error.is_transient();
        }
        let nodes = session.take_undone().await;
        if !nodes.is_empty() {
            tracing::warn!(run = %session.run(), ?nodes, "results were lost: these nodes run again");
            let event = Event::Enqueue { nodes };
            let sent = self.happen(session, event, Continuation::Enqueue, Loyalty::Blueprint).await;
            if let Err(error) = sent {
                // The reconciler finds them.
                tracing::warn!(run = %session.run(), %error, "could not send messages for them");
            }
        }
        true
    }

    /// Commits what JavaScript workers did to a run, if its ledger lacks it.
    pub(crate) async fn adopt(&self, session: &Session) -> Result<(), SessionError> {
        if session.lags().await {
            let event = Event::Adopt;
            // Boxed, for what follows from a commit may come back to here.
            Box::pin(self.happen(session, event, Continuation::Enqueue, Loyalty::Blueprint))
                .await?;
        }
        Ok(())
    }

    /// A neighbour's message for a node that is not ready. Where that is only because nobody knows
    /// what the nodes before it did, the message says so. Returns the document if the node is ready
    /// now.
    pub(crate) async fn reached(
        &self,
        session: &Session,
        node: &NodeId,
    ) -> Result<Option<RunDocument>, SessionError> {
        let event = Event::Reached { node: node.clone() };
        let (settled, _) =
            self.happen(session, event, Continuation::Enqueue, Loyalty::Blueprint).await?;
        let applied = matches!(settled.verdict, Verdict::Applied(_));
        let ready = applied && settled.document.state(node) == NodeState::Ready;
        Ok(ready.then_some(settled.document))
    }

    /// Whether inputs of a ready node have been lost. They are then made again, if that is not under
    /// way.
    pub(crate) async fn lacks_inputs(
        &self,
        session: &Session,
        graph: &Graph,
        document: &RunDocument,
        node: &NodeId,
    ) -> Result<bool, SessionError> {
        if !self.has_neighbours() {
            return Ok(false);
        }
        let lost = lost_inputs(graph, document, node);
        if lost.is_empty() {
            return Ok(false);
        }
        tracing::warn!(run = %session.run(), %node, ?lost, "inputs of the node are gone: they are made again");
        let now = self.now();
        let mut idle: Vec<NodeId> = Vec::new();
        for source in lost {
            let Some(entry) = document.entry(&source) else { continue };
            let sent = entry.enqueued_at.is_some_and(|at| now.since(at) < LOOK_AFTER);
            if entry.state == NodeState::Ready
                && !sent
                && !self.is_leased(session.run(), &source).await?
            {
                idle.push(source);
            }
        }
        let mut events = vec![Event::RecoverOutputs];
        if !idle.is_empty() {
            events.push(Event::Enqueue { nodes: idle });
        }
        for event in events {
            Box::pin(self.happen(session, event, Continuation::Enqueue, Loyalty::Blueprint))
                .await?;
        }
        Ok(true)
    }

    /// Makes the document of a run that somebody sent a message for without writing one.
    pub(crate) async fn make_document(
        &self,
        session: &Session,
        job: &Job,
    ) -> Result<Made, SessionError> {
        let Some(graph) = self.graphs().get(&job.blueprint_id) else {
            return Ok(Made::Not(UnusableBlueprint::Unknown(job.blueprint_id.clone())));
        };
        let run = session.run();
        let state = &self.cluster().state;
        let known = self.patience().call(|| state.read_status(run)).await?;
        if known.is_some_and(|known| known.item.status.is_some_and(RunStatus::is_final)) {
            return Ok(Made::Ended);
        }
        let version = graph.blueprint().version().map(str::to_owned);
        let head = Head::unadopted(Some(job.blueprint_id.clone()), version, self.now());
        let mut planner = self.shared.planner(&graph, run, RunDocument::new(head), self.now());
        planner.apply(&Event::Adopt, Continuation::Enqueue);
        let token = format!("{:016x}", self.patience().nonce());
        if let Some((document, _)) = planner.finish(&token) {
            tracing::info!(%run, "a message came for a run without a document: it is made");
            self.begin(run, &document, &graph).await?;
        }
        Ok(Made::Document(Box::new(session.existing(Freshness::AtLeast(0)).await?)))
    }

    /// Has neighbours know which blueprint a run follows. Returns whether they may know of an earlier
    /// run by this id.
    pub(crate) async fn tell_blueprint(
        &self,
        run: &RunId,
        graph: &Graph,
    ) -> Result<bool, SessionError> {
        if !self.has_neighbours() {
            return Ok(false);
        }
        let store = &self.cluster().coordination;
        let (key, id) = (Key::blueprint(run), &graph.blueprint().id);
        Ok(!self.patience().call(|| store.set_if_absent(&key, id, TTL)).await?)
    }

    /// Removes the marks that an earlier run by the same id left on joins: its document is gone, and
    /// its marks would keep the joins of this one from firing.
    pub(crate) async fn clear_joins(&self, run: &RunId, graph: &Graph) -> Result<(), SessionError> {
        let mut keys: Vec<Key> = Vec::new();
        for (join, sources) in graph.joins() {
            keys.extend([
                Key::join_lock(run, join),
                Key::fan_in(run, join),
                Key::fan_in_poison(run, join),
                Key::fan_in_cancel(run, join),
            ]);
            keys.extend(sources.iter().map(|source| Key::fan_in_seen(run, join, source, 1)));
        }
        let store = &self.cluster().coordination;
        for some in keys.chunks(KEYS_AT_ONCE) {
            self.patience().call(|| store.remove(some)).await?;
        }
        Ok(())
    }

    /// Keeps up what JavaScript workers look at: fan-in counters, join locks, and marks of failures.
    /// A join that one of them has fired is taken out of what became ready: its message is under
    /// way.
    pub(crate) async fn tell_neighbours(
        &self,
        session: &Session,
        document: &RunDocument,
        effects: &mut Effects,
    ) -> Result<(), SessionError> {
        if !self.has_neighbours() {
            return Ok(());
        }
        let run = session.run();
        self.clear_marks(run, effects).await?;
        self.mark_failures(run, effects).await?;
        let mut locked: HashSet<NodeId> = HashSet::new();
        for arrival in std::mem::take(&mut effects.arrivals) {
            let join = &arrival.join;
            let fires = effects.ready.iter().any(|work| work.node == *join);
            match arrival.strategy {
                // It may have been reached over several edges at once.
                JoinStrategy::Any if fires && locked.insert(join.clone()) => {
                    // Neighbours fire a join once: in a later turn the lock is an old one.
                    let first_turn = effects.ready.iter().any(|work| {
                        work.node == *join && (work.iteration, work.generation) == (1, 0)
                    });
                    if !self.lock_join(run, join).await? && first_turn {
                        effects.ready.retain(|work| work.node != *join);
                    }
                }
                JoinStrategy::All if fires => self.reset_counter(run, join).await?,
                // A predecessor that ended in the same commit fires it, or it has fired before.
                JoinStrategy::All if document.state(join) == NodeState::Pending => {
                    if self.count(run, &arrival).await? {
                        self.fire(session, join).await?;
                    }
                }
                JoinStrategy::Any | JoinStrategy::All => {}
            }
        }
        Ok(())
    }

    /// Takes the lock of an `any` join. Returns whether a neighbour had not.
    async fn lock_join(&self, run: &RunId, join: &NodeId) -> Result<bool, SessionError> {
        let store = &self.cluster().coordination;
        let lock = Key::join_lock(run, join);
        match store.set_if_absent(&lock, "locked", TTL).await {
            Ok(ours) => Ok(ours),
            // Taken again it may be found taken, and by whom, nobody can say: two messages for the
            // join do no harm, none would.
            Err(error) if error.is_transient() => {
                self.patience().failed(&error);
                self.patience().call(|| store.set_if_absent(&lock, "locked", TTL)).await?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn reset_counter(&self, run: &RunId, join: &NodeId) -> Result<(), SessionError> {
        let store = &self.cluster().coordination;
        let counter = Key::fan_in(run, join);
        self.patience().call(|| store.remove(std::slice::from_ref(&counter))).await?;
        Ok(())
    }

    /// Counts a node before an `all` join as often as it has edges into it: neighbours fire the join
    /// when the count is that of all edges. Returns whether it is now.
    async fn count(&self, run: &RunId, arrival: &JoinArrival) -> Result<bool, SessionError> {
        let JoinArrival { join, source, iteration, edges, of, .. } = arrival;
        let store = &self.cluster().coordination;
        // Marked before it is counted: a counter that is too low heals, one that is too high makes
        // the join fire early.
        let seen = Key::fan_in_seen(run, join, source, *iteration);
        if !self.patience().call(|| store.set_if_absent(&seen, "1", TTL)).await? {
            return Ok(false);
        }
        let counter = Key::fan_in(run, join);
        let mut count = 0;
        for _ in 0..*edges {
            count = match store.increment(&counter, TTL).await {
                Ok(count) => count,
                // Counted once more it might fire the join early; counted once too little, the
                // ledger fires it.
                Err(error) if error.is_transient() => {
                    self.patience().failed(&error);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok(count >= u64::from(*of))
    }

    /// Fires a join that was counted to its end here, while a neighbour's part of the count came
    /// after the commit: its output is in the document by now.
    async fn fire(&self, session: &Session, join: &NodeId) -> Result<(), SessionError> {
        let run = session.run();
        self.reset_counter(run, join).await?;
        session.existing(Freshness::Now).await?;
        self.adopt(session).await?;
        let document = session.existing(Freshness::AtLeast(0)).await?;
        if document.state(join) == NodeState::Ready
            && let Some(entry) = document.entry(join)
        {
            let work = Work {
                node: join.clone(),
                iteration: entry.iteration,
                generation: entry.generation,
            };
            self.send(vec![job_for(run, &document, work)]).await?;
        }
        Ok(())
    }

    /// Marks the joins of which a predecessor failed.
    async fn mark_failures(&self, run: &RunId, effects: &Effects) -> Result<(), SessionError> {
        let store = &self.cluster().coordination;
        for (join, strategy) in &effects.failures {
            let (key, value) = match strategy {
                JoinStrategy::All => (Key::fan_in_poison(run, join), "poisoned"),
                JoinStrategy::Any => (Key::fan_in_cancel(run, join), "cancelled"),
            };
            self.patience().call(|| store.set_if_absent(&key, value, TTL)).await?;
        }
        Ok(())
    }

    /// Removes the marks of nodes that start anew, and of the joins after them.
    async fn clear_marks(&self, run: &RunId, effects: &Effects) -> Result<(), SessionError> {
        let mut keys: Vec<Key> = Vec::new();
        for node in &effects.reset {
            keys.extend([Key::join_lock(run, node), Key::fan_in(run, node)]);
        }
        for node in effects.reset.iter().chain(&effects.revived) {
            keys.extend([Key::fan_in_poison(run, node), Key::fan_in_cancel(run, node)]);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let store = &self.cluster().coordination;
        self.patience().call(|| store.remove(&keys)).await?;
        Ok(())
    }

    /// Whether a message of a run may still be in the queue: then somebody will see to the run.
    pub(crate) async fn may_be_queued(&self, since: Timestamp) -> Result<bool, SessionError> {
        let queue = &self.cluster().queue;
        let depth = self.patience().call(|| queue.depth(Lane::Jobs)).await?;
        // The message is sent a moment after the status is written; hidden ones have no age here.
        let sent_by = since + Duration::from_mins(1);
        Ok(depth.messages > 0 && depth.oldest.is_none_or(|oldest| oldest <= sent_by))
    }
}
