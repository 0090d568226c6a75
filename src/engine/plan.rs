//! Plans: what an event does to a run's document, and what must happen beside it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    builtin::{Builtin, waits_for},
    document::{Op, RunDocument},
    draft::{Draft, Effects, Work},
    graph::{Graph, edge_action},
    ledger::{Awaits, Closing, Entry, Head, NodeState, Parent, RunStatus},
    outcome::{Completion, ContextWrite, Continuation, ExecutionRecord, Failure, FailureKind},
    time::Timestamp,
};
use crate::blueprint::{NodeId, RunId};

/// The largest document, in bytes, that a commit may make: what is left below the service's 2 MB
/// lets the failure itself still be written down.
pub const COMMIT_LIMIT: usize = 1_900_000;

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A node was executed and succeeded.
    Completed {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
        /// With what.
        completion: Completion,
    },
    /// A node was executed and failed.
    Failed {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
        /// Why.
        failure: Failure,
    },
    /// A built-in node is ready and leased.
    Builtin {
        /// Which.
        work: Work,
        /// By whom.
        record: ExecutionRecord,
    },
    /// A node's timer is due, or was: the ledger is compared with the clock.
    TimerDue {
        /// Which.
        work: Work,
    },
    /// The child run of a subflow node has something to tell.
    Child {
        /// The waiting node.
        node: NodeId,
        /// The child.
        run: RunId,
        /// What it tells.
        news: ChildNews,
    },
    /// The failed child run of a failed subflow node has been requeued.
    ChildReopened {
        /// The node.
        node: NodeId,
        /// The child.
        run: RunId,
    },
    /// Somebody answers a waiting node.
    Answered(Answer),
    /// The message of a node went to the poison queue.
    Poisoned {
        /// Which.
        work: Work,
        /// Why.
        reason: String,
    },
    /// An operator stops the run.
    Cancel,
    /// An operator has nodes run again: the named ones, or those that failed, or those that are
    /// ready and nobody holds.
    Requeue {
        /// The named ones.
        nodes: Vec<NodeId>,
        /// The ready ones nobody holds.
        idle: Vec<NodeId>,
    },
    /// Messages are about to be sent for ready nodes, or for timers that are overdue.
    Enqueue {
        /// For these.
        nodes: Vec<NodeId>,
    },
    /// Completed nodes whose recorded output is gone are to run again.
    RecoverOutputs,
    /// Something that is meant only for the document as somebody saw it.
    IfUnmoved {
        /// The revision they saw.
        rev: u64,
        /// What is meant.
        event: Box<Event>,
    },
    /// The run's closing work is done.
    Close,
    /// Something an operator should know.
    Warn(String),
}

/// What a child run tells its parent.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildNews {
    /// It moves, or waits.
    Moved(RunStatus),
    /// It completed with this.
    Completed(Completion),
    /// It failed, or could not be started.
    Failed(String),
    /// It can't be started at all: neither retries nor a fallback help.
    Impossible(String),
    /// It was cancelled.
    Cancelled,
}

/// An answer to a waiting node.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Which node; may be left out where only one waits.
    pub node: Option<NodeId>,
    /// Which of its edges is meant.
    pub action: Option<String>,
    /// The node's output; without it the node completes without one (a sleep: with its input).
    pub output: Option<Value>,
    /// Tells this answer from any other.
    pub token: String,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It counts: this must happen beside the document.
    Applied(Box<Effects>),
    /// It had been taken into account before (the commit's answer was lost): its node's routes are
    /// to be followed again.
    AlreadyApplied,
    /// It comes too late, or means an earlier iteration: nothing follows.
    Stale,
    /// It can't be done.
    Refused(Refusal),
}

/// Why an operator's wish can't be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("the run is {0}: nothing of it can be answered or cancelled any more")]
    Ended(RunStatus),
    /// Nothing waits.
    #[error("no node of the run waits for an answer")]
    NothingWaits,
    /// Several wait.
    #[error("several nodes wait: name one of {}", list(.0))]
    SeveralWait(Vec<NodeId>),
    /// The named node does not wait.
    #[error("node \"{node}\" does not wait for an answer: it is {state}")]
    DoesNotWait {
        /// The node.
        node: NodeId,
        /// What it is.
        state: &'static str,
    },
    /// No edge has that action.
    #[error("node \"{node}\" has no edge for the action \"{action}\": its actions are {}", list(.actions))]
    NoSuchAction {
        /// The node.
        node: NodeId,
        /// The action.
        action: String,
        /// Those there are.
        actions: Vec<String>,
    },
    /// The node waits for a child run: that one is to be answered.
    #[error("node \"{node}\" waits for the run \"{run}\"")]
    AskChild {
        /// The node.
        node: NodeId,
        /// The child run.
        run: RunId,
    },
    /// There is no such node.
    #[error("the run has no node \"{0}\"")]
    NoSuchNode(NodeId),
    /// Nothing failed and nothing is idle.
    #[error("nothing to requeue: no node failed, and none is ready without a worker")]
    NothingToRequeue,
    /// The document is not the one that the plan was made from.
    #[error("the run has moved since the plan was made")]
    Moved,
    /// The document would become too large.
    #[error("{0}")]
    TooLarge(String),
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}

/// Plans the events of one commit, one after the other.
pub struct Planner<'a> {
    draft: Draft<'a>,
    changed: bool,
}

impl<'a> Planner<'a> {
    /// Begins with the document as it was read.
    pub fn new(graph: &'a Graph, run: &'a RunId, document: RunDocument, now: Timestamp) -> Self {
        Self { draft: Draft::new(graph, run, document, now), changed: false }
    }

    /// The document as it will be.
    pub fn document(&self) -> &RunDocument {
        &self.draft.document
    }

    /// Plans one event.
    pub fn apply(&mut self, event: &Event, continues: Continuation) -> Verdict {
        if let Event::IfUnmoved { rev, event } = event {
            if self.changed || self.draft.document.head().rev != *rev {
                return Verdict::Refused(Refusal::Moved);
            }
            return self.apply(event, continues);
        }
        let before = self.draft.checkpoint();
        let size = self.draft.document.size();
        let mut verdict = self.draft.take_event(event, continues);
        let grown = self.draft.document.size();
        if grown > COMMIT_LIMIT && grown > size {
            let message = too_large(&self.draft.document);
            self.draft.roll_back(before);
            verdict = self.draft.refuse_large(event, message, continues);
        }
        if let Verdict::Applied(_) = verdict {
            self.changed = true;
        }
        verdict
    }

    /// The changed document and the operations that lead to it; nothing if nothing changed.
    /// `commit` names the commit.
    pub fn finish(mut self, commit: &str) -> Option<(RunDocument, Vec<Op>)> {
        if !self.changed {
            return None;
        }
        self.draft.update_head(|head| {
            head.rev += 1;
            commit.clone_into(&mut head.commit);
        });
        Some(self.draft.into_parts())
    }
}

fn too_large(document: &RunDocument) -> String {
    let keys: Vec<_> = document
        .largest_keys(3)
        .into_iter()
        .map(|(key, bytes)| format!("{key} ({bytes} bytes)"))
        .collect();
    format!(
        "the run's document would have {} bytes, more than the {COMMIT_LIMIT} that fit; the largest keys are {}: \
         keep large values elsewhere and pass on where they are",
        document.size(),
        keys.join(", "),
    )
}

impl Draft<'_> {
    fn take_event(&mut self, event: &Event, continues: Continuation) -> Verdict {
        self.effects = Effects::default();
        let verdict = match event {
            Event::Completed { work, record, completion } => self.executed(work, record, |draft| {
                draft.complete(&work.node, completion.clone());
            }),
            Event::Failed { work, record, failure } => self.executed(work, record, |draft| {
                draft.write_context(failure.writes.clone());
                draft.fail(&work.node, &failure.message, failure.kind);
            }),
            Event::Builtin { work, record } => match self.definition(&work.node) {
                Some(definition) => self.executed(work, record, |draft| {
                    if let Some(kind) = Builtin::of(&definition.uses) {
                        draft.run_builtin(kind, &definition);
                    }
                }),
                None => Err(Verdict::Stale),
            },
            Event::TimerDue { work } => self.timer_due(work),
            Event::Child { node, run, news } => self.child_news(node, run, news),
            Event::ChildReopened { node, run } => self.reopen_child(node, run),
            Event::Answered(answer) => self.answered(answer),
            Event::Poisoned { work, reason } => self.poisoned(work, reason),
            Event::Cancel => self.cancel(),
            Event::Requeue { nodes, idle } => self.requeue(nodes, idle),
            Event::Enqueue { nodes } => self.enqueue(nodes),
            Event::RecoverOutputs => self.recover_outputs(),
            // Unwrapped by the planner.
            Event::IfUnmoved { .. } => Err(Verdict::Stale),
            Event::Close => self.close(),
            Event::Warn(warning) => self.warn(warning),
        };
        if let Err(verdict) = verdict {
            return verdict;
        }
        self.settle_status();
        self.record_awaiting();
        self.enqueue_ready(continues);
        Verdict::Applied(Box::new(std::mem::take(&mut self.effects)))
    }

    fn refuse_large(&mut self, event: &Event, message: String, continues: Continuation) -> Verdict {
        let (work, record) = match event {
            Event::Completed { work, record, .. }
            | Event::Failed { work, record, .. }
            | Event::Builtin { work, record } => (work.clone(), record.clone()),
            Event::Child { node, .. } => {
                let news = ChildNews::Impossible(message);
                let Event::Child { run, .. } = event else { return Verdict::Stale };
                let event = Event::Child { node: node.clone(), run: run.clone(), news };
                return self.take_event(&event, continues);
            }
            _ => return Verdict::Refused(Refusal::TooLarge(message)),
        };
        let failure = Failure { message, kind: FailureKind::Exhausted, writes: Vec::new() };
        self.take_event(&Event::Failed { work, record, failure }, continues)
    }

    /// Takes the result of an execution, if the node is still to be executed in that iteration and
    /// generation.
    fn executed(
        &mut self,
        work: &Work,
        record: &ExecutionRecord,
        then: impl FnOnce(&mut Self),
    ) -> Result<(), Verdict> {
        let entry = self.current(work).ok_or(Verdict::Stale)?;
        if entry.state != NodeState::Ready {
            let ours = entry.by.as_deref() == Some(&record.by);
            return Err(if ours { Verdict::AlreadyApplied } else { Verdict::Stale });
        }
        if self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        self.record_execution(&work.node, record);
        then(self);
        Ok(())
    }

    /// The entry of a node, if it is in the iteration and generation that is meant.
    fn current(&self, work: &Work) -> Option<Arc<Entry>> {
        let entry = self.document.entry(&work.node)?;
        ((entry.iteration, entry.generation) == (work.iteration, work.generation))
            .then(|| entry.clone())
    }

    fn timer_due(&mut self, work: &Work) -> Result<(), Verdict> {
        let entry = self.current(work).ok_or(Verdict::Stale)?;
        let due = entry.due_at.is_some_and(|due| due <= self.now);
        let sleeps = entry.state == NodeState::Awaiting && entry.awaits == Some(Awaits::Timer);
        if !sleeps || !due || self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        self.finish_sleep(&work.node);
        Ok(())
    }

    fn child_news(&mut self, node: &NodeId, run: &RunId, news: &ChildNews) -> Result<(), Verdict> {
        let entry = self.document.entry(node).cloned().ok_or(Verdict::Stale)?;
        if !waits_for(&entry, run) || self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        match news {
            ChildNews::Moved(status) => {
                let awaits = Awaits::Child { run: run.clone(), status: *status };
                if entry.awaits.as_ref() == Some(&awaits) {
                    return Err(Verdict::Stale);
                }
                self.update(node, |entry| entry.awaits = Some(awaits));
            }
            ChildNews::Completed(completion) => self.complete(node, completion.clone()),
            ChildNews::Failed(message) => {
                let config = self.definition(node).map(|node| node.config).unwrap_or_default();
                let attempts = entry.attempts + 1;
                self.update(node, |entry| entry.attempts = attempts);
                let kind = if attempts >= config.attempts() {
                    FailureKind::Exhausted
                } else {
                    FailureKind::Retry(self.now + config.retry_delay())
                };
                self.fail(node, message, kind);
            }
            ChildNews::Impossible(message) => self.fail(node, message, FailureKind::Fatal),
            ChildNews::Cancelled => {
                let message = format!("its run \"{run}\" was cancelled");
                self.fail(node, &message, FailureKind::Exhausted);
            }
        }
        Ok(())
    }

    fn answered(&mut self, answer: &Answer) -> Result<(), Verdict> {
        let refuse = |refusal| Err(Verdict::Refused(refusal));
        if let Some(node) = &answer.node
            && self.entry(node).by.as_deref() == Some(&answer.token)
        {
            return Err(Verdict::AlreadyApplied);
        }
        let status = self.document.status();
        if status.is_final() {
            return refuse(Refusal::Ended(status));
        }
        let waiting: Vec<NodeId> = self.document.awaiting().cloned().collect();
        let node = match (&answer.node, waiting.as_slice()) {
            (Some(node), _) => node.clone(),
            (None, []) => return refuse(Refusal::NothingWaits),
            (None, [only]) => only.clone(),
            (None, several) => return refuse(Refusal::SeveralWait(several.to_vec())),
        };
        let Some(definition) = self.definition(&node) else {
            return refuse(Refusal::NoSuchNode(node));
        };
        let entry = self.entry(&node);
        if entry.state != NodeState::Awaiting {
            return refuse(Refusal::DoesNotWait { node, state: entry.state.as_str() });
        }
        if let Some(Awaits::Child { run, .. }) = &entry.awaits {
            return refuse(Refusal::AskChild { node, run: run.clone() });
        }
        if let Some(action) = answer.action.as_deref().filter(|action| !action.is_empty()) {
            let mut actions: Vec<String> = Vec::new();
            let mut usable = false;
            let mut edges = 0;
            for edge in self.graph.outgoing(&definition.id) {
                edges += 1;
                let named = edge_action(edge);
                usable |= named.is_none_or(|named| named == action);
                actions.extend(named.map(str::to_owned));
            }
            if edges > 0 && !usable {
                actions.dedup();
                let action = action.to_owned();
                return refuse(Refusal::NoSuchAction { node, action, actions });
            }
        }
        match &answer.action {
            Some(action) => self.set("_resume.action", Value::from(action.as_str())),
            None => self.remove("_resume.action"),
        }
        match &answer.output {
            Some(output) => self.set("_resume.output", output.clone()),
            None => self.remove("_resume.output"),
        }
        let token = answer.token.clone();
        self.update(&node, |entry| entry.by = Some(token));
        let mut output = answer.output.clone().map(Arc::new);
        if output.is_none() && entry.awaits == Some(Awaits::Timer) {
            output = self.resolve_input(&node).unwrap_or_default();
        }
        let completion =
            Completion { output, action: answer.action.clone(), ..Completion::default() };
        self.complete(&node, completion);
        Ok(())
    }

    fn poisoned(&mut self, work: &Work, reason: &str) -> Result<(), Verdict> {
        let entry = self.current(work).ok_or(Verdict::Stale)?;
        if entry.state != NodeState::Ready || self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        let warning =
            format!("the message of node \"{}\" went to the poison queue: {reason}", work.node);
        self.update_head(|head| head.warnings.push(warning));
        self.fail(&work.node, reason, FailureKind::Fatal);
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Verdict> {
        let status = self.document.status();
        if status == RunStatus::Cancelled {
            return Err(Verdict::AlreadyApplied);
        }
        if status.is_final() {
            return Err(Verdict::Refused(Refusal::Ended(status)));
        }
        let waiting: Vec<NodeId> = self.document.awaiting().cloned().collect();
        for node in &waiting {
            self.abandon_child(node);
        }
        let now = self.now;
        self.update_head(|head| {
            head.status = RunStatus::Cancelled;
            head.finished_at = Some(now);
        });
        Ok(())
    }

    pub(super) fn enqueue(&mut self, nodes: &[NodeId]) -> Result<(), Verdict> {
        if self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        let now = self.now;
        for node in nodes {
            let entry = self.entry(node);
            match entry.state {
                NodeState::Ready => {}
                NodeState::Awaiting if entry.awaits == Some(Awaits::Timer) => {}
                NodeState::Awaiting if self.child_of(node).is_some() => {}
                _ => continue,
            }
            self.update(node, |entry| entry.enqueued_at = Some(now));
            let work = self.work(node);
            match entry.due_at.filter(|due| *due > now) {
                Some(due) => self.effects.timers.push((work, due)),
                None if entry.state == NodeState::Ready => self.effects.ready.push(work),
                None => self.effects.timers.push((work, now)),
            }
        }
        Ok(())
    }

    fn recover_outputs(&mut self) -> Result<(), Verdict> {
        let lost: Vec<NodeId> = lost_outputs(&self.document).cloned().collect();
        if lost.is_empty() || self.document.status().is_final() {
            return Err(Verdict::Stale);
        }
        for node in &lost {
            self.make_ready(node);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Verdict> {
        let head = self.document.head();
        if !head.status.is_final() || head.closed == Closing::Closed {
            return Err(Verdict::Stale);
        }
        self.update_head(|head| head.closed = Closing::Closed);
        Ok(())
    }

    fn warn(&mut self, warning: &str) -> Result<(), Verdict> {
        if self.document.head().warnings.iter().any(|known| known == warning) {
            return Err(Verdict::AlreadyApplied);
        }
        let warning = warning.to_owned();
        self.update_head(|head| head.warnings.push(warning));
        Ok(())
    }
}

/// The completed nodes whose recorded output is gone.
pub fn lost_outputs(document: &RunDocument) -> impl Iterator<Item = &NodeId> {
    document
        .entries()
        .filter(|(node, entry)| {
            entry.state == NodeState::Completed
                && entry.has_output
                && document.output(node).is_none()
        })
        .map(|(node, _)| node)
}

/// The document that a run begins with, and what must be enqueued.
pub fn start(
    graph: &Graph,
    run: &RunId,
    input: Map<String, Value>,
    parent: Option<Parent>,
    now: Timestamp,
) -> (RunDocument, Effects) {
    let blueprint = graph.blueprint();
    let head = Head {
        blueprint_id: blueprint.id.clone(),
        blueprint_version: blueprint.version().map(str::to_owned),
        blueprint_hash: graph.fingerprint().to_owned(),
        rev: 1,
        status: RunStatus::Running,
        closed: Closing::Open,
        parent,
        started_at: now,
        finished_at: None,
        awaited: 0,
        past_failures: Vec::new(),
        warnings: Vec::new(),
        commit: String::new(),
    };
    let mut draft = Draft::new(graph, run, RunDocument::new(head), now);
    draft.write_context(
        input.into_iter().map(|(key, value)| ContextWrite::Set(key, value)).collect(),
    );
    // An output that the input brings along does not make its node completed. A generation of its
    // own tells it from one that a JavaScript worker stored.
    let brought: Vec<NodeId> = graph
        .definitions()
        .filter(|node| draft.document.output(&node.id).is_some())
        .map(|node| node.id.clone())
        .collect();
    for node in &brought {
        draft.update(node, |entry| entry.generation = 1);
    }
    for node in graph.starts() {
        draft.make_ready(node);
    }
    draft.settle_status();
    draft.enqueue_ready(Continuation::Enqueue);
    let effects = std::mem::take(&mut draft.effects);
    (draft.into_parts().0, effects)
}
