#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    blueprint::Blueprint,
    cluster::{Heartbeat, HeldLock, Holder, Key, Remarks, StatusItem, contract::ManualClock},
    monitor::{DeadLetterRow, LocksView, QueueView, QueuedJob, RunsView, WorkersView},
};

struct Rig {
    clock: Arc<ManualClock>,
    source: WarningsSource,
    snapshot: Snapshot,
}

fn live<T>(data: T) -> Sourced<T> {
    Sourced { data: Arc::new(data), state: SourceState::Live, updated_at: None, slow: None }
}

fn rig() -> Rig {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_seconds(1_000_000)));
    let metadata = [("version".to_owned(), serde_json::json!("2"))].into_iter().collect();
    let blueprint =
        Arc::new(Blueprint { id: "b".into(), nodes: Vec::new(), edges: Vec::new(), metadata });
    let library: BlueprintLookup =
        Arc::new(move |id| (id.as_str() == "b").then(|| blueprint.clone()));
    let limits = WarningLimits::usual(Duration::from_mins(5), Duration::from_mins(1), 2_000_000);
    let source = WarningsSource::new(clock.clone(), library, limits);
    let mut snapshot = Snapshot::empty("test");
    snapshot.queue = live(QueueView::default());
    snapshot.locks = live(LocksView::default());
    snapshot.workers = live(WorkersView { workers: vec![worker("w")], ..WorkersView::default() });
    Rig { clock, source, snapshot }
}

impl Rig {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn later(&mut self, seconds: u64) -> Vec<(WarningKind, String)> {
        self.clock.advance(Duration::from_secs(seconds));
        self.look()
    }

    fn look(&mut self) -> Vec<(WarningKind, String)> {
        let found = self.source.find(&self.snapshot);
        found.into_iter().map(|it| (it.kind, it.subject.to_string())).collect()
    }

    fn runs(&mut self, items: Vec<StatusItem>) {
        let mut view = RunsView::default();
        for item in items {
            view.put(RunRow { item, stalled: false });
        }
        self.snapshot.runs = live(view);
    }
}

fn worker(name: &str) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "h".to_owned(),
        pid: 1,
        version: "1".to_owned(),
        started_at: Timestamp::from_seconds(1),
        slots: 1,
        in_flight: 0,
        done: 0,
        mode: WorkerMode::Running,
        sent_at: None,
        cost: None,
    }
}

fn item(run: &str, at: Timestamp) -> StatusItem {
    StatusItem {
        run_id: run.into(),
        status: Some(RunStatus::Running),
        last_updated: at,
        blueprint_id: Some("b".into()),
        started_at: Some(at),
        nodes: Some(NodeCounts { total: 3, completed: 1, failed: 0 }),
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: Remarks::default(),
    }
}

#[test]
fn nothing_is_wrong_with_a_quiet_cluster() {
    let mut rig = rig();
    rig.runs(vec![item("r", rig.now())]);
    assert_eq!(rig.look(), []);
    assert_eq!(rig.later(600), []);
}

#[test]
fn a_run_that_is_touched_and_gets_nowhere_makes_no_progress() {
    let mut rig = rig();
    rig.runs(vec![item("r", rig.now())]);
    assert_eq!(rig.look(), []);
    rig.runs(vec![item("r", rig.now() + Duration::from_secs(890))]);
    assert_eq!(rig.later(899), []);
    assert_eq!(rig.later(1), [(WarningKind::NoProgress, "run r".to_owned())]);
    let further = NodeCounts { total: 3, completed: 2, failed: 0 };
    rig.runs(vec![StatusItem { nodes: Some(further), ..item("r", rig.now()) }]);
    assert_eq!(rig.look(), [], "a node has ended");
    let due = rig.now() + Duration::from_secs(100_000);
    rig.runs(vec![StatusItem {
        next_due_at: Some(due),
        nodes: Some(further),
        ..item("r", rig.now())
    }]);
    assert_eq!(rig.later(5_000), [], "it waits for a timer");
}

#[test]
fn a_stalled_run_is_one_and_nothing_else() {
    let mut rig = rig();
    let mut view = RunsView::default();
    view.put(RunRow { item: item("r", rig.now()), stalled: true });
    rig.snapshot.runs = live(view);
    rig.look();
    assert_eq!(rig.later(5_000), [(WarningKind::StalledRun, "run r".to_owned())]);
}

#[test]
fn remarks_of_a_run_are_warnings() {
    let mut rig = rig();
    let remarks = |version: &str, size, warnings: &[&str]| Remarks {
        blueprint_version: Some(version.to_owned()),
        document_size: size,
        warnings: warnings.iter().map(|it| (*it).to_owned()).collect(),
    };
    rig.runs(vec![
        StatusItem { remarks: remarks("2", Some(1_100_000), &[]), ..item("fine", rig.now()) },
        StatusItem { remarks: remarks("1", None, &[]), ..item("old", rig.now()) },
        StatusItem { remarks: remarks("2", Some(1_600_000), &[]), ..item("large", rig.now()) },
        StatusItem { remarks: remarks("2", None, &["odd"]), ..item("odd", rig.now()) },
        StatusItem {
            blueprint_id: Some("not-loaded".into()),
            remarks: remarks("1", None, &[]),
            ..item("other", rig.now())
        },
    ]);
    let mut found = rig.look();
    found.sort();
    assert_eq!(
        found,
        [
            (WarningKind::VersionMismatch, "run old".to_owned()),
            (WarningKind::LargeDocument, "run large".to_owned()),
            (WarningKind::Remark, "run odd".to_owned()),
        ]
    );
}

#[test]
fn locks_of_the_dead_and_locks_about_to_end() {
    let mut rig = rig();
    let lock = |node: &str, holder: &str, left: u64| {
        let key = Key::node_lock(&"r".into(), &node.into());
        HeldLock::describe(key.as_str(), holder, rig.now() + Duration::from_secs(left))
    };
    let of = |worker: &str| Holder::new(&worker.into(), 1).to_string();
    let locks = vec![
        lock("fresh", &of("w"), 45),
        lock("late", &of("w"), 9),
        lock("dead", &of("gone"), 45),
        lock("js", "locked", 5),
    ];
    rig.snapshot.locks = live(LocksView { locks, ..LocksView::default() });
    let late = (WarningKind::LockExpiring, "lock flowcraft:nodelock:r:late".to_owned());
    assert_eq!(rig.look(), [late], "the heartbeat of a new worker may just not have been seen");
    let found = rig.later(5);
    assert!(
        found.contains(&(WarningKind::LockOrphaned, "lock flowcraft:nodelock:r:dead".to_owned())),
        "{found:?}"
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn messages_that_wait_and_poison() {
    let mut rig = rig();
    let oldest = Some(rig.now());
    rig.snapshot.queue = live(QueueView { depth: 3, oldest, ..QueueView::default() });
    assert_eq!(rig.look(), []);
    assert_eq!(rig.later(119), []);
    assert_eq!(rig.later(1), [], "a timer's message is old at once, and taken at once");
    assert_eq!(rig.later(20), [(WarningKind::QueueOld, "queue".to_owned())]);
    let letter = DeadLetterRow::new("m".to_owned(), rig.now(), 1, "?".to_owned());
    rig.snapshot.queue =
        live(QueueView { poison: 1, dead_letters: vec![letter], ..QueueView::default() });
    assert_eq!(rig.look(), [(WarningKind::Poison, "poison queue".to_owned())]);
}

#[test]
fn messages_that_nobody_takes() {
    let mut rig = rig();
    let oldest = Some(rig.now());
    rig.snapshot.queue = live(QueueView { depth: 3, oldest, ..QueueView::default() });
    let paused = Heartbeat { mode: WorkerMode::Paused, ..worker("w") };
    rig.snapshot.workers = live(WorkersView { workers: vec![paused], ..WorkersView::default() });
    assert_eq!(rig.look(), []);
    assert_eq!(rig.later(5), [(WarningKind::NoWorkers, "queue".to_owned())]);
}

#[test]
fn a_queue_that_keeps_growing_is_told_from_one_that_goes_up_and_down() {
    let mut rig = rig();
    let mut found = Vec::new();
    for step in 0..20u64 {
        rig.snapshot.queue = live(QueueView { depth: 10 + 5 * step, ..QueueView::default() });
        found = rig.later(10);
    }
    assert_eq!(found, [(WarningKind::QueueGrowing, "queue".to_owned())]);
    for step in 0..20u64 {
        let depth = if step % 2 == 0 { 500 } else { 3 };
        rig.snapshot.queue = live(QueueView { depth, ..QueueView::default() });
        found = rig.later(10);
    }
    assert_eq!(found, []);
}

#[test]
fn clocks_that_differ_are_found_by_what_they_say() {
    let mut rig = rig();
    let beat = |name: &str, at: Timestamp| Heartbeat { sent_at: Some(at), ..worker(name) };
    let back = |at: Timestamp, seconds: u64| {
        Timestamp::from_millis(at.millis() - 1_000 * i64::try_from(seconds).unwrap())
    };
    let at = rig.now();
    let workers = vec![beat("right", back(at, 29)), beat("ahead", at + Duration::from_secs(30))];
    rig.snapshot.workers = live(WorkersView { workers, ..WorkersView::default() });
    let ahead = (WarningKind::ClockSkew, "worker ahead".to_owned());
    assert_eq!(rig.look(), std::slice::from_ref(&ahead), "an old first heartbeat proves nothing");
    rig.clock.advance(Duration::from_secs(10));
    let at = rig.now();
    let workers = vec![
        beat("right", back(at, 3)),
        beat("ahead", at + Duration::from_secs(30)),
        beat("behind", back(at, 90)),
    ];
    rig.snapshot.workers = live(WorkersView { workers: workers.clone(), ..WorkersView::default() });
    assert_eq!(rig.look(), std::slice::from_ref(&ahead));
    assert_eq!(rig.later(25), std::slice::from_ref(&ahead), "the same heartbeat, looked at later");
    let mut workers = workers;
    workers[2] = beat("behind", back(rig.now(), 90));
    rig.snapshot.workers = live(WorkersView { workers, ..WorkersView::default() });
    assert_eq!(rig.look().len(), 2);
    let job = QueuedJob {
        message_id: "m".to_owned(),
        job: None,
        inserted_at: rig.now() + Duration::from_secs(60),
        dequeue_count: 0,
    };
    rig.snapshot.queue = live(QueueView { next: vec![job], ..QueueView::default() });
    assert!(rig.look().contains(&(WarningKind::ClockSkew, "queue".to_owned())));
}

#[test]
fn sources_that_fail_or_are_slow() {
    let mut rig = rig();
    rig.snapshot.locks.state = SourceState::Stale { error: "refused".into(), next_try: rig.now() };
    rig.snapshot.runs.slow = Some(Duration::from_millis(1_500));
    assert_eq!(
        rig.look(),
        [
            (WarningKind::ServiceSlow, "runs".to_owned()),
            (WarningKind::ServiceAway, "locks".to_owned()),
        ]
    );
}

#[test]
fn what_goes_on_keeps_its_beginning() {
    let mut rig = rig();
    rig.snapshot.runs.slow = Some(Duration::from_secs(2));
    let begun = rig.now();
    rig.look();
    rig.clock.advance(Duration::from_secs(60));
    let found = rig.source.find(&rig.snapshot);
    assert_eq!(found[0].since, begun);
}
