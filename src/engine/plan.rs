//! Plans: what an event does to a run's document, and what must happen beside it.

use std::sync::Arc;

use super::{
    builtin::{Builtin, waits_for},
    document::{Measure, Op, RunDocument},
    draft::{Draft, Effects, Work},
    event::{ChildNews, Event, Refusal, Verdict},
    graph::Graph,
    ledger::{Awaits, Closing, Entry, NodeState, RunStatus},
    outcome::{Continuation, ExecutionRecord, Failure, FailureKind},
    time::Timestamp,
    tries::Try,
};
use crate::blueprint::{NodeId, RunId};

/// The largest document, in bytes, that a commit may make: what is left below the service's 2 MB
/// lets the failure itself still be written down.
pub const COMMIT_LIMIT: usize = 1_900_000;

/// How deep lists and objects may be nested in a value: what every store can read back as a part of
/// a document.
const NESTING_LIMIT: usize = 100;

/// Plans the events of one commit, one after the other.
pub struct Planner<'a> {
    draft: Draft<'a>,
    changed: bool,
    taken_over: bool,
    measure: Measure,
}

impl<'a> Planner<'a> {
    /// Begins with the document as it was read.
    pub fn new(graph: &'a Graph, run: &'a RunId, document: RunDocument, now: Timestamp) -> Self {
        Self {
            draft: Draft::new(graph, run, document, now),
            changed: false,
            taken_over: false,
            measure: Measure::Item,
        }
    }

    /// First takes over what JavaScript workers did, in the same commit: for a run that they may
    /// share, and for a document without a ledger.
    #[must_use]
    pub fn taking_over(mut self) -> Self {
        self.taken_over |= self.draft.take_over();
        self
    }

    /// For a store that measures documents this way.
    #[must_use]
    pub fn measuring(mut self, measure: Measure) -> Self {
        self.measure = measure;
        self
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
        if *event == Event::Adopt {
            let verdict = if self.taken_over && !self.changed {
                Verdict::Applied(Box::default())
            } else {
                Verdict::Stale
            };
            return self.noted(verdict);
        }
        let before = self.draft.checkpoint();
        let size = self.draft.document.measured(self.measure);
        let verdict = self.draft.take_event(event, continues);
        if let Some((key, depth)) = self.draft.nested_since(&before, NESTING_LIMIT) {
            let message = format!(
                "the value of {key} is nested {depth} levels deep, more than the {NESTING_LIMIT} that can be \
                 stored: make it flatter, or keep it as text"
            );
            self.draft.roll_back(before);
            return self.refused(event, message, continues);
        }
        let grown = self.draft.document.measured(self.measure);
        if grown > COMMIT_LIMIT && grown > size {
            let message = too_large(&self.draft.document, grown);
            self.draft.roll_back(before);
            return self.refused(event, message, continues);
        }
        self.noted(verdict)
    }

    /// Plans what an event comes to whose values can't be stored.
    fn refused(&mut self, event: &Event, message: String, continues: Continuation) -> Verdict {
        let verdict = self.draft.refuse_large(event, message, continues);
        self.noted(verdict)
    }

    fn noted(&mut self, verdict: Verdict) -> Verdict {
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

/// Whether a document that is to be created is small enough for a run to go on with; if not, why.
pub(crate) fn fits(document: &RunDocument, measure: Measure) -> Result<(), String> {
    let bytes = document.measured(measure);
    if bytes > COMMIT_LIMIT { Err(too_large(document, bytes)) } else { Ok(()) }
}

fn too_large(document: &RunDocument, bytes: usize) -> String {
    let keys: Vec<_> = document
        .largest_keys(3)
        .into_iter()
        .map(|(key, bytes)| format!("{key} ({bytes} bytes)"))
        .collect();
    format!(
        "the run's document would have {} bytes, more than the {COMMIT_LIMIT} that fit; the largest keys are {}: \
         keep large values elsewhere and pass on where they are",
        bytes,
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
            Event::Reached { node } => self.reached(node),
            // Seen to by the planner.
            Event::IfUnmoved { .. } | Event::Adopt => Err(Verdict::Stale),
            Event::Close => self.close(),
            Event::Warn(warning) => self.warn(warning),
        };
        if let Err(verdict) = verdict {
            return verdict;
        }
        self.concluded(continues)
    }

    /// Brings the run as a whole in line with what the event has done to its nodes.
    fn concluded(&mut self, continues: Continuation) -> Verdict {
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
            Event::TimerDue { work } => {
                self.effects = Effects::default();
                self.fail(&work.node, &message, FailureKind::Exhausted);
                return self.concluded(continues);
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
                let now = self.now;
                self.update(node, |entry| {
                    entry.attempts = attempts;
                    let started_at = entry.started_at.unwrap_or(now);
                    let iteration = entry.iteration;
                    entry.remember([Try { iteration, started_at, ended_at: now, failed: true }]);
                });
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
            // Those that it took to make the lost output don't count against it.
            self.update(node, |entry| entry.attempts = 0);
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
