//! What a node did when, as bars.

use crate::{
    engine::{Timestamp, Try},
    monitor::{NodeRow, NodeShown, RunDetail},
};

/// Something that took a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Bar {
    pub(in crate::tui) from: Timestamp,
    /// Nothing: it goes on.
    pub(in crate::tui) to: Option<Timestamp>,
    pub(in crate::tui) kind: BarKind,
}

/// What took a while. Of two in the same place the later kind is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::tui) enum BarKind {
    /// Ready, and nobody ran it.
    Queued,
    /// It waited: for an answer, a time, another run, or its next attempt.
    Awaited,
    /// It ran, and went well.
    Done,
    /// It is running.
    Running,
    /// It ran, and failed.
    Failed,
}

impl Bar {
    pub(in crate::tui) fn end(&self, now: Timestamp) -> Timestamp {
        self.to.unwrap_or(now).max(self.from)
    }
}

/// What a node did when, in order. `begin` is when it could begin at the earliest: a node that is
/// running has nothing of this execution in its document yet.
pub(super) fn bars(node: &NodeRow, begin: Option<Timestamp>) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    let ran = |from, to, failed| Bar {
        from,
        to: Some(to),
        kind: if failed { BarKind::Failed } else { BarKind::Done },
    };
    let mut before: Option<&Try> = None;
    for tried in &node.tries {
        // Between two attempts it waited for the next one.
        if let Some(before) = before.filter(|before| before.iteration == tried.iteration)
            && before.ended_at < tried.started_at
        {
            let (from, to) = (before.ended_at, Some(tried.started_at));
            bars.push(Bar { from, to, kind: BarKind::Awaited });
        }
        bars.push(ran(tried.started_at, tried.ended_at, tried.failed));
        before = Some(tried);
    }
    let last_end = bars.last().and_then(|bar| bar.to);
    let executed = node.started_at.zip(node.finished_at);
    let told = last_end.zip(node.started_at).is_some_and(|(end, start)| end >= start);
    let waits = matches!(node.uses.as_deref(), Some("wait" | "sleep" | "subflow" | "SubflowNode"));
    match node.state {
        NodeShown::Completed | NodeShown::Failed => {
            if let Some((from, to)) = executed.filter(|_| !told || waits) {
                let failed = node.state == NodeShown::Failed;
                let kind = match (failed, waits) {
                    (true, _) => BarKind::Failed,
                    (false, true) => BarKind::Awaited,
                    (false, false) => BarKind::Done,
                };
                if !(told && failed) {
                    bars.push(Bar { from, to: Some(to), kind });
                }
            }
        }
        NodeShown::Awaiting => {
            if let Some(from) = node.started_at.or(node.enqueued_at).or(begin) {
                bars.push(Bar { from, to: None, kind: BarKind::Awaited });
            }
        }
        NodeShown::Running | NodeShown::Ready => {
            if let (Some((from, to)), false) = (executed, told) {
                // An attempt that failed: another one follows.
                bars.push(ran(from, to, true));
            }
            let since = [bars.last().and_then(|bar| bar.to), node.enqueued_at, begin];
            let since = since.into_iter().flatten().max();
            let running = node.state == NodeShown::Running;
            let from = match (running, node.due_at, node.started_at) {
                (true, Some(due), _) => since.map(|since| since.max(due)),
                (true, None, started) if executed.is_none() => started.or(since),
                _ => since,
            };
            let kind = match (running, node.due_at) {
                (true, _) => BarKind::Running,
                (false, Some(_)) => BarKind::Awaited,
                (false, None) => BarKind::Queued,
            };
            if let Some(from) = from {
                bars.push(Bar { from, to: None, kind });
            }
        }
        NodeShown::Pending | NodeShown::Skipped => {}
    }
    // From when a message was sent until somebody took it.
    let first_after = |at: Timestamp| bars.iter().map(|bar| bar.from).find(|from| *from > at);
    if let Some(sent) = node.enqueued_at
        && let Some(taken) = first_after(sent)
        && bars.iter().all(|bar| bar.from > sent || bar.to.is_some_and(|to| to <= sent))
    {
        bars.push(Bar { from: sent, to: Some(taken), kind: BarKind::Queued });
    }
    bars.sort_by_key(|bar| bar.from);
    bars
}

/// When each node could begin at the earliest, as far as the nodes before it tell.
pub(super) fn beginnings(detail: &RunDetail) -> Vec<Option<Timestamp>> {
    let mut begin: Vec<Option<Timestamp>> = vec![detail.started_at; detail.nodes.len()];
    for (edge, shown) in detail.shape.edges.iter().zip(&detail.edges) {
        let source = detail.nodes.get(edge.source).and_then(|node| node.finished_at);
        let target = begin.get_mut(edge.target);
        if let (Some(end), Some(target)) = (source, target)
            && *shown == crate::monitor::EdgeShown::Taken
        {
            *target = (*target).max(Some(end));
        }
    }
    begin
}
