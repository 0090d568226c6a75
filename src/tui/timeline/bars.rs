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
        let kind = if node.due_at.is_some() { BarKind::Awaited } else { BarKind::Queued };
        bars.push(Bar { from: sent, to: Some(taken), kind });
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        blueprint::{Blueprint, sanitize},
        cluster::{HeldLock, Holder, Key},
        engine::{Head, Op, RunDocument},
        tui::timeline::critical::critical,
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn blueprint() -> Blueprint {
        sanitize(json!({
            "id": "b",
            "nodes": [
                { "id": "a", "uses": "x" },
                { "id": "quick", "uses": "x" },
                { "id": "slow", "uses": "wait" },
                { "id": "last", "uses": "x" },
            ],
            "edges": [
                { "source": "a", "target": "quick" },
                { "source": "a", "target": "slow" },
                { "source": "quick", "target": "last" },
                { "source": "slow", "target": "last" },
            ],
        }))
        .unwrap()
    }

    fn detail(entries: &[(&str, Value)], running: &[&str]) -> RunDetail {
        let head: Head = serde_json::from_value(json!({
            "blueprintId": "b", "rev": 1, "status": "running", "startedAt": 0,
        }))
        .unwrap();
        let mut document = RunDocument::new(head);
        for (id, entry) in entries {
            let entry = serde_json::from_value(entry.clone()).unwrap();
            document.apply(&Op::Node((*id).into(), Arc::new(entry)));
        }
        let run = "r".into();
        let holder = Holder::new(&"w".into(), 1).to_string();
        let lock = |node: &&str| {
            let key = Key::node_lock(&run, &(*node).into());
            HeldLock::describe(key.as_str(), &holder, at(9_999))
        };
        let locks: Vec<HeldLock> = running.iter().map(lock).collect();
        RunDetail::render(&run, &document, Some(&blueprint()), &locks)
    }

    fn all(detail: &RunDetail) -> Vec<Vec<Bar>> {
        let begin = beginnings(detail);
        detail.nodes.iter().zip(begin).map(|(node, begin)| bars(node, begin)).collect()
    }

    /// Bars as from, to and kind.
    fn short(bars: &[Bar]) -> Vec<(i64, Option<i64>, BarKind)> {
        bars.iter()
            .map(|bar| (bar.from.millis(), bar.to.map(Timestamp::millis), bar.kind))
            .collect()
    }

    fn done(from: i64, to: i64, routes: &[&str]) -> Value {
        json!({
            "state": "completed", "iteration": 1, "startedAt": from, "finishedAt": to,
            "routes": routes,
        })
    }

    #[test]
    fn attempts_pauses_and_waiting_have_their_bars() {
        let mut retried = done(100, 700, &[]);
        retried["enqueuedAt"] = json!(40);
        retried["tries"] = json!([[1, 100, 200, true], [1, 500, 700, false]]);
        let detail = detail(&[("a", retried), ("slow", done(10, 90, &[]))], &[]);
        let bars = all(&detail);
        assert_eq!(
            short(&bars[0]),
            [
                (40, Some(100), BarKind::Queued),
                (100, Some(200), BarKind::Failed),
                (200, Some(500), BarKind::Awaited),
                (500, Some(700), BarKind::Done),
            ]
        );
        assert_eq!(short(&bars[2]), [(10, Some(90), BarKind::Awaited)]);
        assert_eq!(short(&bars[1]), []);
    }

    #[test]
    fn earlier_iterations_keep_their_bars() {
        let again = json!({
            "state": "completed", "iteration": 3, "startedAt": 50, "finishedAt": 60,
            "tries": [[1, 0, 10, false], [2, 20, 30, true]],
        });
        let bars = all(&detail(&[("a", again)], &[]));
        assert_eq!(
            short(&bars[0]),
            [
                (0, Some(10), BarKind::Done),
                (20, Some(30), BarKind::Failed),
                (50, Some(60), BarKind::Done),
            ]
        );
    }

    #[test]
    fn what_runs_began_when_the_node_before_it_ended() {
        let ready = json!({ "state": "ready", "iteration": 1 });
        let retries = json!({
            "state": "ready", "iteration": 1, "attempts": 1, "dueAt": 500, "enqueuedAt": 300,
            "startedAt": 200, "finishedAt": 300, "tries": [[1, 200, 300, true]],
        });
        let entries =
            [("a", done(0, 200, &["quick", "slow"])), ("quick", ready), ("slow", retries)];
        let bars = all(&detail(&entries, &["quick"]));
        assert_eq!(short(&bars[1]), [(200, None, BarKind::Running)]);
        assert_eq!(
            short(&bars[2]),
            [(200, Some(300), BarKind::Failed), (300, None, BarKind::Awaited)]
        );
        let bars = all(&detail(&entries, &["quick", "slow"]));
        let pause = (300, Some(500), BarKind::Awaited);
        assert_eq!(short(&bars[2])[1..], [pause, (500, None, BarKind::Running)]);
    }

    #[test]
    fn the_critical_path_goes_through_what_ended_last() {
        let entries = [
            ("a", done(0, 10, &["quick", "slow"])),
            ("quick", done(10, 20, &["last"])),
            ("slow", done(10, 90, &["last"])),
            ("last", done(90, 100, &[])),
        ];
        let detail = detail(&entries, &[]);
        assert_eq!(critical(&detail, &all(&detail), at(1_000)), [3, 2, 0]);
    }
}
