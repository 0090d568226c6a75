//! What is on the dashboard: many runs as they really are, with long ids and some errors.

use std::sync::Arc;

use flowcraft_tui::{
    blueprint::{Blueprint, Edge, Inputs, Node, NodeConfig},
    cluster::{
        DeadLetter, Heartbeat, HeldLock, Holder, Job, Key, NodeCounts, StatusItem, WorkerMode,
    },
    engine::{Closing, Entry, Head, NodeState, Op, RunDocument, RunStatus, Timestamp},
    monitor::{
        DeadLetterRow, LocksView, QueueView, QueuedJob, RunDetail, RunRow, RunsView, Snapshot,
        SourceState, Sourced, Subject, Warning, WarningKind, Warnings, WorkersView,
    },
    tui::{Catalog, CatalogEntry, LogLine},
};
use serde_json::{Map, json};
use tracing::Level;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const RUNS: usize = 100_000;
pub(crate) const LOCKS: usize = 10_000;
pub(crate) const LINES: usize = 100_000;

/// How many nodes the run has that is looked at closely.
const NODES: usize = 200;

fn ago(seconds: usize) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - i64::try_from(seconds).unwrap())
}

fn id(at: usize) -> String {
    format!("order-intake-0190f3c2-7d1e-7a33-9e53-{at:012x}")
}

fn live<T>(data: T) -> Sourced<T> {
    Sourced { data: Arc::new(data), state: SourceState::Live, updated_at: Some(ago(1)), slow: None }
}

/// The status item of a run: most have completed, some failed, one in ten is part of another, a
/// few hundred are under way.
pub(crate) fn run(at: usize) -> StatusItem {
    let status = match at % 200 {
        0 => RunStatus::Running,
        1 => RunStatus::Awaiting,
        2..=7 => RunStatus::Failed,
        8 => RunStatus::Cancelled,
        _ => RunStatus::Completed,
    };
    let total = u32::try_from(5 + at % 40).unwrap();
    let completed = if status == RunStatus::Completed { total } else { total / 2 };
    let failed = status == RunStatus::Failed;
    let error = "charge: 503 from payments.example: disk full on node-7, try again later; \
                 request 5f2b7c1e, tries 3 of 3, the last after 30s";
    let last = json!({"status": status.as_str(), "payload": {"total": 129.5, "currency": "EUR"}});
    StatusItem {
        run_id: id(at).into(),
        status: Some(status),
        last_updated: ago(at * 3 / 4),
        blueprint_id: Some(format!("order-intake-v{}", at % 20).into()),
        started_at: Some(ago(at + 30)),
        nodes: Some(NodeCounts { total, completed, failed: u32::from(failed) }),
        error: failed.then(|| error.to_owned()),
        parent_run_id: (at % 10 == 3).then(|| id(at + 1).into()),
        next_due_at: None,
        worker: Some(format!("worker-eu-west-{}", at % 12).into()),
        final_status: status.is_final().then(|| Box::new(last)),
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

fn row(at: usize) -> RunRow {
    let mut item = run(at);
    item.final_status = None;
    let stalled = item.status == Some(RunStatus::Running) && at.is_multiple_of(1_000);
    RunRow { item, stalled }
}

fn runs() -> RunsView {
    let mut view = RunsView::default();
    for at in 0..RUNS {
        view.put(row(at));
    }
    view
}

/// The same with some runs that have moved on.
pub(crate) fn some_changed(before: &Snapshot, count: usize, round: usize) -> Snapshot {
    let mut view = (*before.runs.data).clone();
    for number in 0..count {
        let mut row = row((number * 7_919 + round) % RUNS);
        row.item.last_updated = ago(0);
        if let Some(nodes) = &mut row.item.nodes {
            nodes.completed = u32::try_from(round % 4).unwrap();
        }
        // One in five goes from one status to another.
        if number % 5 == 0 {
            let ended = (round + number).is_multiple_of(2);
            row.item.status = Some(if ended { RunStatus::Completed } else { RunStatus::Running });
        }
        view.put(row);
    }
    Snapshot { runs: live(view), ..before.clone() }
}

fn node_name(at: usize) -> String {
    format!("step-{:03}-{}", at, ["validate", "charge", "pack", "ship"][at % 4])
}

fn blueprint(id: &str, nodes: usize) -> Blueprint {
    let node = |at: usize| Node {
        id: node_name(at).into(),
        uses: "exec".to_owned(),
        params: Map::new(),
        inputs: Inputs::Edge,
        config: NodeConfig::default(),
    };
    let edge = |at: usize| Edge {
        source: node_name(at.saturating_sub(1 + at % 3)).into(),
        target: node_name(at).into(),
        action: None,
        condition: None,
        transform: None,
    };
    Blueprint {
        id: id.into(),
        nodes: (0..nodes).map(node).collect(),
        edges: (1..nodes).map(edge).collect(),
        metadata: Map::new(),
    }
}

pub(crate) fn catalog() -> Arc<Catalog> {
    let blueprints = (0..20).map(|at| CatalogEntry {
        blueprint: Arc::new(blueprint(&format!("order-intake-v{at}"), 45)),
        source: format!("blueprints/order-intake-v{at}.json"),
        findings: Vec::new(),
    });
    Arc::new(Catalog { blueprints: blueprints.collect(), broken: Vec::new() })
}

pub(crate) fn locks() -> Vec<HeldLock> {
    let lock = |at: usize| {
        let key = Key::node_lock(&id(at * 7).into(), &node_name(at % 40).into());
        let holder = Holder::new(&format!("worker-eu-west-{}", at % 15).into(), 7).to_string();
        let end = NOW.seconds() + i64::try_from(at % 60).unwrap();
        HeldLock::describe(key.as_str(), &holder, Timestamp::from_seconds(end))
    };
    (0..LOCKS).map(lock).collect()
}

fn workers() -> Vec<Heartbeat> {
    let worker = |at: usize| Heartbeat {
        name: format!("worker-eu-west-{at}").into(),
        host: "eu-west-1a.internal.example".to_owned(),
        pid: 4_242,
        version: "0.1.0".to_owned(),
        started_at: ago(7_500),
        slots: 16,
        in_flight: 16,
        done: 123_456,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    };
    (0..12).map(worker).collect()
}

fn queue() -> QueueView {
    let job = |at: usize| QueuedJob {
        message_id: format!("m{at}"),
        job: Some((id(at).into(), node_name(at).into(), "order-intake-v1".into())),
        inserted_at: ago(at),
        dequeue_count: 0,
    };
    let letter = |at: usize| {
        let body = Job::new(id(at).into(), "order-intake-v1".into(), node_name(at).into());
        let reason = "failed 5 times: timeout after 30s";
        let letter = DeadLetter::new(&body.encode(), reason, 5, ago(600), "worker-eu-1".into());
        DeadLetterRow::new(format!("d{at}"), ago(600), 1, letter.encode())
    };
    QueueView {
        depth: 54_321,
        oldest: Some(ago(17)),
        poison: 140,
        next: (0..32).map(job).collect(),
        dead_letters: (0..32).map(letter).collect(),
        history: (0..120).map(|at| (at * at) % 997).collect(),
        completions: Some(310.2),
        arrivals: Some(290.0),
    }
}

fn detail() -> RunDetail {
    let head = Head {
        blueprint_id: "order-intake-v0".into(),
        blueprint_version: None,
        blueprint_hash: String::new(),
        rev: 9,
        status: RunStatus::Running,
        closed: Closing::Open,
        parent: None,
        started_at: ago(65),
        status_version: None,
        finished_at: None,
        awaited: 0,
        past_failures: Vec::new(),
        warnings: Vec::new(),
        commit: String::new(),
    };
    let mut document = RunDocument::new(head);
    for at in 0..NODES {
        let state = if at < NODES / 2 { NodeState::Completed } else { NodeState::Ready };
        let entry = Entry {
            state,
            attempts: 1,
            by: Some(Holder::new(&"worker-eu-west-1".into(), 7).to_string()),
            started_at: Some(ago(60)),
            finished_at: (at < NODES / 2).then(|| ago(57)),
            ..Entry::default()
        };
        let name = node_name(at);
        document.apply(&Op::Node(name.as_str().into(), Arc::new(entry)));
        let output = json!({"ok": true, "total": at, "items": [{"sku": "pen", "n": 2}]});
        document.apply(&Op::Set(format!("_outputs.{name}").into(), Arc::new(output)));
    }
    // The run that is first in the list.
    let run = id(0);
    RunDetail::render(&run.into(), &document, Some(&blueprint("order-intake-v0", NODES)), &[])
}

/// The lines of a busy worker; one target has very few.
pub(crate) fn log_lines() -> Vec<LogLine> {
    (0..LINES).map(log_line).collect()
}

/// One for each tenth of the runs that can be warned of.
fn warnings() -> Warnings {
    let warning = |at: usize| Warning {
        kind: WarningKind::StalledRun,
        subject: Subject::Run(run(at).run_id),
        text: "nobody has touched it for too long".to_owned(),
        since: ago(900),
    };
    Warnings::new((0..1_000).map(warning).collect())
}

/// One of them.
pub(crate) fn log_line(at: usize) -> LogLine {
    let (level, target) = match at % 50_000 {
        7 => (Level::WARN, "a_rare_target"),
        at if at % 100 == 0 => (Level::ERROR, "flowcraft_tui::worker::chain"),
        at if at % 3 == 0 => (Level::DEBUG, "flowcraft_tui::worker::lease"),
        _ => (Level::INFO, "node::charge"),
    };
    let text = format!("took a job run={} node={} attempt=1", id(at), node_name(at % 40));
    LogLine { at: ago(LINES - at), level, target: target.into(), text }
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot {
        cluster: Arc::from("~/.local/share/flowcraft/cluster.db"),
        queue: live(queue()),
        runs: live(runs()),
        locks: live(LocksView { locks: locks(), more: true, ..LocksView::default() }),
        workers: live(WorkersView { workers: workers(), ..WorkersView::default() }),
        warnings: live(warnings()),
        detail: live(Some(detail())),
    }
}
