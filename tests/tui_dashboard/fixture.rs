//! A cluster that never changes, with awkward names in it.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::{Blueprint, BlueprintId, Edge, Inputs, Node, NodeConfig, RunId, Severity},
    cluster::{
        CostReport, DeadLetter, Heartbeat, HeldLock, Holder, Job, Key, NodeCounts, PerService,
        StatusItem, WorkerMode,
    },
    engine::{Awaits, Entry, Head, NodeState, Op, RunDocument, RunStatus, Timestamp},
    monitor::{
        Cost, CostOf, CostRow, CostView, DeadLetterRow, LocksView, QueueView, QueuedJob, RunDetail,
        RunRow, RunsView, Snapshot, SourceState, Sourced, Subject, Warning, WarningKind, Warnings,
        WorkerCost, WorkersView,
    },
    tui::{Access, Catalog, CatalogEntry, Finding, Headless, Message, WorkerStatus},
};
use serde_json::{Map, Value, json};

/// The time on the clock of every test.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// So many seconds before that.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - seconds)
}

/// A text that would clear the screen, turn it around and be wider than it looks.
pub(crate) const HOSTILE: &str = "boom \u{1b}[2J\u{1b}]0;owned\u{7} \u{202e}txet\u{202c} 日本語 e\u{301}\u{301}\u{301}\u{301}\nsecond line\ttab";

pub(crate) fn live<T>(data: T) -> Sourced<T> {
    Sourced { data: Arc::new(data), state: SourceState::Live, updated_at: Some(ago(1)), slow: None }
}

pub(crate) fn item(run: &str, status: RunStatus, started: i64, touched: i64) -> StatusItem {
    StatusItem {
        run_id: run.into(),
        status: Some(status),
        last_updated: ago(touched),
        blueprint_id: Some("order-intake".into()),
        started_at: Some(ago(started)),
        nodes: Some(NodeCounts { total: 12, completed: 5, failed: 0 }),
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: Some("worker-eu-1".into()),
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

fn rows() -> Vec<RunRow> {
    let plain = |item| RunRow { item, stalled: false };
    let failed = StatusItem {
        error: Some(HOSTILE.to_owned()),
        ..item("failed-1", RunStatus::Failed, 700, 600)
    };
    let child = StatusItem {
        parent_run_id: Some("order-4711".into()),
        blueprint_id: Some("ship".into()),
        nodes: Some(NodeCounts { total: 3, completed: 0, failed: 0 }),
        ..item("order-4711.ship", RunStatus::Running, 40, 2)
    };
    let long = "a-run-id-that-is-much-longer-than-any-column-will-ever-be-".repeat(4);
    let timer = StatusItem {
        next_due_at: Some(Timestamp::from_seconds(NOW.seconds() + 90)),
        ..item("cool-down-7", RunStatus::Awaiting, 400, 60)
    };
    vec![
        plain(item("order-4711", RunStatus::Running, 65, 1)),
        plain(child),
        RunRow { item: item("order-0815", RunStatus::Running, 4_000, 900), stalled: true },
        plain(item("approve-発注-42", RunStatus::Awaiting, 300, 250)),
        plain(timer),
        plain(failed),
        plain(StatusItem {
            nodes: Some(NodeCounts { total: 12, completed: 12, failed: 0 }),
            ..item("order-4709", RunStatus::Completed, 90_000, 89_000)
        }),
        plain(item("order-4708", RunStatus::Cancelled, 5_000, 4_000)),
        plain(StatusItem {
            nodes: None,
            blueprint_id: None,
            ..item(&long, RunStatus::Completed, 200_000, 190_000)
        }),
        plain(StatusItem { status: None, ..item("odd-status", RunStatus::Running, 100, 100) }),
    ]
}

pub(crate) fn runs(rows: impl IntoIterator<Item = RunRow>) -> RunsView {
    let mut view = RunsView::default();
    for row in rows {
        view.put(row);
    }
    view
}

fn lock(run: &str, node: &str, value: &str, seconds: i64) -> HeldLock {
    let key = Key::node_lock(&run.into(), &node.into());
    HeldLock::describe(key.as_str(), value, Timestamp::from_seconds(NOW.seconds() + seconds))
}

fn locks() -> Vec<HeldLock> {
    let holder = |name: &str| Holder::new(&name.into(), 7).to_string();
    vec![
        lock("order-4711", "charge", &holder("worker-eu-1"), 42),
        lock("order-0815", "pack", &holder("worker-dead"), 8),
        lock("js-run", "legacy", "reconciler", 250),
    ]
}

fn worker(name: &str, mode: WorkerMode, in_flight: u32) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "eu-west-1a.internal.example".into(),
        pid: 4242,
        version: "0.1.0".into(),
        started_at: ago(7_500),
        slots: 16,
        in_flight,
        done: 123_456,
        mode,
        sent_at: None,
        cost: (name != "worker-us-1").then(CostReport::default),
    }
}

fn dead_letter(id: &str, reason: &str, job: bool) -> DeadLetterRow {
    let body = if job {
        Job::new("failed-1".into(), "order-intake".into(), "pay".into()).encode()
    } else {
        "???".to_owned()
    };
    let letter = DeadLetter::new(&body, reason, 5, ago(600), "worker-eu-1".into());
    DeadLetterRow::new(id.to_owned(), ago(600), 0, letter.encode())
}

fn queue() -> QueueView {
    let job = |id: &str, run: &str, node: &str, age| QueuedJob {
        message_id: id.to_owned(),
        job: Some((run.into(), node.into(), "order-intake".into())),
        inserted_at: ago(age),
        dequeue_count: 0,
    };
    QueueView {
        depth: 42,
        oldest: Some(ago(17)),
        poison: 3,
        next: vec![
            job("m1", "order-4711", "charge", 17),
            job("m2", "order-4711", "発注ノード", 9),
            QueuedJob { job: None, ..job("m3", "", "", 3) },
        ],
        dead_letters: vec![
            dead_letter("d1", "failed 5 times: timeout after 30s", true),
            dead_letter("d2", HOSTILE, false),
            DeadLetterRow::new("d3".to_owned(), ago(30), 2, json!({"orderId": 7}).to_string()),
        ],
        history: (0..120).map(|at| (at * at) % 60).collect(),
        completions: Some(3.2),
        arrivals: Some(4.0),
    }
}

fn node(id: &str, uses: &str) -> Node {
    Node {
        id: id.into(),
        uses: uses.to_owned(),
        params: Map::new(),
        inputs: Inputs::Edge,
        config: NodeConfig::default(),
    }
}

fn edge(source: &str, target: &str, action: Option<&str>) -> Edge {
    Edge {
        source: source.into(),
        target: target.into(),
        action: action.map(str::to_owned),
        condition: None,
        transform: None,
    }
}

/// The blueprint of the run that is looked at.
pub(crate) fn blueprint() -> Blueprint {
    let metadata = json!({"version": "3", "example": {"order": 4711, "items": ["pen"]}});
    let Value::Object(metadata) = metadata else { unreachable!() };
    Blueprint {
        id: "order-intake".into(),
        nodes: vec![
            node("check", "validate"),
            node("approve", "wait"),
            node("charge", "http-charge"),
            node("pay", "exec"),
            node("発注ノード", "exec"),
            node("refuse", "mail"),
        ],
        edges: vec![
            edge("check", "approve", None),
            edge("approve", "charge", Some("approve")),
            edge("approve", "refuse", Some("reject")),
            edge("charge", "pay", None),
            edge("pay", "発注ノード", None),
        ],
        metadata,
    }
}

pub(crate) fn catalog() -> Arc<Catalog> {
    let small = |id: &str| Blueprint {
        id: BlueprintId::from(id),
        nodes: vec![node("only", "wait")],
        edges: Vec::new(),
        metadata: Map::new(),
    };
    let finding = |severity, text: &str| Finding { severity, text: text.to_owned() };
    let blueprints = vec![
        CatalogEntry {
            blueprint: Arc::new(blueprint()),
            source: "blueprints/order-intake.json".to_owned(),
            findings: Vec::new(),
        },
        CatalogEntry {
            blueprint: Arc::new(small("ship")),
            source: "blueprints/ship.json".to_owned(),
            findings: vec![
                finding(
                    Severity::Error,
                    "INVALID_EDGE_TARGET: edge only → gone: there is no node `gone`",
                ),
                finding(
                    Severity::Warning,
                    "RETRY_DELAY_ALONE: node only: retryDelay without maxRetries",
                ),
            ],
        },
    ];
    let broken = "blueprints/broken.json:3:7: expected `,` or `}`, found `nodes`".to_owned();
    Arc::new(Catalog { blueprints, broken: vec![broken] })
}

/// A run with a node in every state.
pub(crate) fn detail(run: &str) -> RunDetail {
    let head = Head {
        blueprint_id: "order-intake".into(),
        blueprint_version: Some("3".to_owned()),
        blueprint_hash: String::new(),
        rev: 9,
        status: RunStatus::Running,
        closed: flowcraft_tui::engine::Closing::Open,
        parent: None,
        started_at: ago(65),
        status_version: None,
        finished_at: None,
        awaited: 1,
        past_failures: Vec::new(),
        warnings: vec!["the blueprint changed since the run was started".to_owned()],
        commit: String::new(),
    };
    let mut document = RunDocument::new(head);
    let entry = |state| Entry { state, ..Entry::default() };
    let done = Entry {
        attempts: 1,
        by: Some(Holder::new(&"worker-eu-1".into(), 7).to_string()),
        started_at: Some(ago(60)),
        finished_at: Some(ago(57)),
        ..entry(NodeState::Completed)
    };
    let waits = Entry {
        started_at: Some(ago(50)),
        awaits: Some(Awaits::Answer),
        awaits_since: Some(1),
        ..entry(NodeState::Awaiting)
    };
    let failed = Entry {
        attempts: 3,
        iteration: 2,
        error: Some(HOSTILE.to_owned()),
        started_at: Some(ago(30)),
        finished_at: Some(ago(20)),
        ..entry(NodeState::Failed)
    };
    let running = Entry { started_at: Some(ago(12)), ..entry(NodeState::Ready) };
    for (id, entry) in [
        ("check", done),
        ("approve", waits),
        ("charge", running),
        ("pay", failed),
        ("refuse", entry(NodeState::Skipped)),
    ] {
        document.apply(&Op::Node(id.into(), Arc::new(entry)));
    }
    for (key, value) in [
        ("_outputs.check", json!({"ok": true, "total": 129.5, "items": [{"sku": "pen", "n": 2}]})),
        ("customer", json!({"name": "Ada 日本", "vip": false})),
        ("note", json!(HOSTILE)),
    ] {
        document.apply(&Op::Set(Arc::from(key), Arc::new(value)));
    }
    RunDetail::render(&RunId::from(run), &document, Some(&blueprint()), &locks())
}

/// What somebody costs: requests to all services and request units a second, nodes a second, 429s.
fn spent(requests: f64, units: f64, nodes: f64, refused: u64) -> Cost {
    let a_node = |of: f64| (nodes > 0.0).then(|| (of / nodes * 10.0).round() / 10.0);
    let share = |part: f64| (requests * part * 10.0).round() / 10.0;
    Cost {
        requests: PerService { queue: share(0.2), state: share(0.3), coordination: share(0.5) },
        throttled: PerService { queue: 0, state: refused, coordination: 0 },
        units: Some(units),
        nodes,
        requests_a_node: a_node(requests),
        units_a_node: a_node(units),
    }
}

/// Two workers that say what they ask, and one of an older version.
fn cost() -> CostView {
    let of = |name: &str, cost| WorkerCost { name: name.into(), cost };
    let row = |of, cost| CostRow { of, cost };
    let blueprint = |id: &str| CostOf::Blueprint(id.into());
    CostView {
        all: Some(spent(137.6, 412.0, 30.4, 3)),
        workers: vec![
            of("worker-eu-1", Some(spent(131.2, 409.5, 30.4, 3))),
            of("worker-eu-2-日本", Some(spent(6.4, 2.5, 0.0, 0))),
            of("worker-us-1", None),
        ],
        rows: vec![
            row(blueprint("order-intake"), spent(98.2, 350.1, 24.2, 3)),
            row(blueprint("発注\u{1b}[2J-と-とても長い名前-ship"), spent(22.0, 55.4, 6.0, 0)),
            row(CostOf::OtherBlueprints, spent(1.2, 3.4, 0.2, 0)),
            row(CostOf::Overhead, spent(16.2, 3.1, 0.0, 0)),
            row(CostOf::Dashboard, spent(12.5, 6.2, 0.0, 0)),
        ],
        dashboard: Some(spent(12.5, 6.2, 0.0, 0)),
        took: PerService {
            queue: Some(Duration::from_millis(3)),
            state: Some(Duration::from_millis(12)),
            coordination: Some(Duration::from_micros(400)),
        },
        told: 2,
        silent: 1,
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let workers = vec![
        worker("worker-eu-1", WorkerMode::Running, 16),
        worker("worker-eu-2-日本", WorkerMode::Paused, 0),
        worker("worker-us-1", WorkerMode::Draining, 3),
    ];
    Snapshot {
        cluster: Arc::from("~/.local/share/flowcraft/demo.db"),
        queue: live(queue()),
        runs: live(runs(rows())),
        locks: live(LocksView { locks: locks(), ..LocksView::default() }),
        workers: live(WorkersView { workers, cost: cost() }),
        detail: live(Some(detail("order-4711"))),
        warnings: live(warnings()),
    }
}

fn warnings() -> Warnings {
    let warning = |kind, subject, text: &str, seconds| Warning {
        kind,
        subject,
        text: text.to_owned(),
        since: ago(seconds),
    };
    let stalled = Subject::Run("order-0815".into());
    let lock = Key::node_lock(&"order-0815".into(), &"pack".into()).to_string();
    Warnings::new(vec![
        warning(WarningKind::StalledRun, stalled, "nobody has touched it for too long", 900),
        warning(
            WarningKind::LockOrphaned,
            Subject::Lock(lock),
            "node pack of run order-0815 is held by worker-dead, which has no heartbeat",
            52,
        ),
        warning(
            WarningKind::Poison,
            Subject::PoisonQueue,
            "3 messages are in the poison queue",
            600,
        ),
        warning(
            WarningKind::ClockSkew,
            Subject::Worker("worker-us-1".into()),
            "its clock is 14 s ahead of this machine's",
            3_600,
        ),
        warning(WarningKind::Remark, Subject::Run("order-4711".into()), HOSTILE, 30),
    ])
}

/// A dashboard that shows all that.
pub(crate) fn dashboard(size: (u16, u16)) -> Headless {
    dashboard_of(snapshot(), size, Access::Full)
}

pub(crate) fn dashboard_of(snapshot: Snapshot, size: (u16, u16), access: Access) -> Headless {
    let mut headless = Headless::new(Arc::new(snapshot), NOW, size, access);
    headless.hear(Message::Catalog(catalog()));
    headless.hear(Message::Worker(worker_status(3)));
    headless
}

pub(crate) fn worker_status(in_flight: u32) -> WorkerStatus {
    WorkerStatus { mode: WorkerMode::Running, slots: 16, in_flight, done: 99 }
}
