//! What is read at a time is what was published then.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use serde_json::{Map, json};

use super::stage::{Stage, assert_same, at, item, live, lock, row, runs, workers};
use crate::{
    blueprint::{Library, sanitize},
    cluster::{DeadLetter, WorkerMode},
    engine::{Awaits, Parent, RunStatus, Timestamp},
    monitor::{
        AwaitingNode, DeadLetterRow, LocksView, NodeRow, NodeShown, QueueView, QueuedJob,
        RunDetail, RunRow, RunsView, Snapshot, SourceState,
    },
    recording::{
        Direction, Event, LogLevel, LogLine, Mark, Playback, Player, Recording, Scrub, Speed,
        WorkerSeen,
    },
};

fn queue(depth: u64) -> QueueView {
    let letter = DeadLetter::new("junk", "tried five times", 5, at(0), "worker-1".into());
    QueueView {
        depth,
        oldest: Some(at(-17)),
        poison: 1,
        next: vec![QueuedJob {
            message_id: format!("m{depth}"),
            job: Some(("order-1".into(), "charge".into(), "order-intake".into())),
            inserted_at: at(-3),
            dequeue_count: 0,
        }],
        dead_letters: vec![DeadLetterRow::new("p1".to_owned(), at(-600), 1, letter.encode())],
        history: (0..depth.min(120)).collect(),
        completions: Some(2.5),
        arrivals: None,
    }
}

fn detail(run: &str, attempts: u32) -> RunDetail {
    let node = NodeRow {
        id: "charge".into(),
        uses: Some("http".to_owned()),
        state: NodeShown::Running,
        iteration: 2,
        attempts,
        started_at: Some(at(-5)),
        finished_at: None,
        due_at: Some(at(60)),
        worker: Some("worker-1".to_owned()),
        error: Some("no answer within 10s".to_owned()),
        action: None,
        awaits: Some(Awaits::Child { run: "child".into(), status: RunStatus::Running }),
        ..NodeRow::unknown("charge")
    };
    RunDetail {
        run: run.into(),
        found: true,
        blueprint: Some("order-intake".into()),
        blueprint_version: Some("3".to_owned()),
        status: Some(RunStatus::Running),
        parent: Some(Parent { run: "p".into(), blueprint: "b".into(), node: "n".into() }),
        started_at: Some(at(-60)),
        finished_at: None,
        nodes: vec![node],
        outputs: Map::from_iter([("validate".to_owned(), json!({"ok": true, "n": [1, null]}))]),
        context: Map::from_iter([("amount".to_owned(), json!(12.5))]),
        awaiting: vec![AwaitingNode { node: "ask".into(), actions: vec!["yes".to_owned()] }],
        warnings: vec!["changed".to_owned()],
        size: 1_234,
        ..RunDetail::missing(run.into())
    }
}

/// A change of the cluster between two looks.
#[derive(Debug, Clone)]
enum Change {
    Queue(u64),
    Put(u8, RunStatus, bool),
    Locks(u8),
    Workers(u64),
    Open(Option<u8>, u32),
    Fail,
    Recover,
    Nothing,
}

fn change() -> impl Strategy<Value = Change> {
    let status = prop_oneof![
        Just(RunStatus::Running),
        Just(RunStatus::Failed),
        Just(RunStatus::Completed),
        Just(RunStatus::Awaiting)
    ];
    prop_oneof![
        (0..130_u64).prop_map(Change::Queue),
        (0..20_u8, status, any::<bool>())
            .prop_map(|(run, to, stalled)| Change::Put(run, to, stalled)),
        (0..4_u8).prop_map(Change::Locks),
        (0..9_u64).prop_map(Change::Workers),
        (proptest::option::of(0..3_u8), 0..5_u32).prop_map(|(run, tries)| Change::Open(run, tries)),
        Just(Change::Fail),
        Just(Change::Recover),
        Just(Change::Nothing),
    ]
}

fn apply(snapshot: &mut Snapshot, change: &Change, now: Timestamp) {
    match change {
        Change::Queue(depth) => snapshot.queue = live(queue(*depth), now),
        Change::Put(run, status, stalled) => {
            let mut view: RunsView = (*snapshot.runs.data).clone();
            let id = format!("run-{run}");
            if *run == 19 {
                view.remove(&"run-3".into());
            }
            view.put(RunRow { stalled: *stalled, ..row(item(&id, *status, now.seconds())) });
            snapshot.runs = live(view, now);
        }
        Change::Locks(count) => {
            let locks = (0..*count).map(|run| lock(&format!("run-{run}"), 60)).collect();
            snapshot.locks =
                live(LocksView { locks, more: *count > 2, ..LocksView::default() }, now);
        }
        Change::Workers(done) => snapshot.workers = workers(*done, now),
        Change::Open(None, _) => snapshot.detail = live(None, now),
        Change::Open(Some(run), tries) => {
            snapshot.detail = live(Some(detail(&format!("run-{run}"), *tries)), now);
        }
        Change::Fail => {
            let stale = |error: &str| SourceState::Stale { error: error.into(), next_try: now };
            snapshot.queue.state = stale("it is away");
            snapshot.runs.state = stale("it is gone");
        }
        Change::Recover => {
            snapshot.queue.state = SourceState::Live;
            snapshot.runs.state = SourceState::Live;
        }
        Change::Nothing => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_at_a_time_is_what_was_published(
        changes in proptest::collection::vec((change(), 1..40_i64), 1..60),
        looks in proptest::collection::vec(any::<proptest::sample::Index>(), 20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_folder, mut recording, published) = runtime.block_on(async {
            let stage = Stage::new(1_000_000);
            let mut snapshot = Snapshot::empty("shop");
            let mut published = Vec::new();
            let mut now = 0;
            for (change, pause) in &changes {
                apply(&mut snapshot, change, at(now));
                stage.snapshot(at(now), &snapshot).await;
                published.push((at(now), snapshot.clone()));
                now += pause;
            }
            let (folder, recording) = stage.read().await;
            (folder, recording, published)
        });
        // In any order: forward, back, and far away.
        for look in looks {
            let (time, expected) = look.get(&published);
            assert_same(&recording.snapshot(*time).unwrap(), expected);
            // Until the next change it stays so.
            let later = *time + Duration::from_millis(900);
            assert_same(&recording.snapshot(later).unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn long_recordings_are_found_their_way_in_by_key_frames() {
    let stage = Stage::new(4_000_000);
    let mut snapshot = Snapshot::empty("shop");
    let mut published = Vec::new();
    for second in 0..2_000 {
        let change = Change::Put(u8::try_from(second % 19).unwrap(), RunStatus::Running, false);
        apply(&mut snapshot, &change, at(second));
        apply(&mut snapshot, &Change::Queue(u64::try_from(second).unwrap()), at(second));
        stage.snapshot(at(second), &snapshot).await;
        published.push(snapshot.clone());
    }
    let (folder, mut recording) = stage.read().await;
    let text = std::fs::read_to_string(folder.path().join("it.rec")).unwrap();
    let keys = text.lines().filter(|line| line.contains("\"key\":")).count();
    assert!((4..100).contains(&keys), "{keys} key frames");
    for second in [1_999_usize, 0, 1_000, 1_001, 1_000, 3, 1_998] {
        let time = at(i64::try_from(second).unwrap());
        assert_same(&recording.snapshot(time).unwrap(), &published[second]);
    }
    // What did not change is the same object, so that lists need not be made again.
    let (a, b) = (recording.snapshot(at(5)).unwrap(), recording.snapshot(at(5)).unwrap());
    assert!(Arc::ptr_eq(&a.runs.data, &b.runs.data) && Arc::ptr_eq(&a.queue.data, &b.queue.data));
}

#[tokio::test]
async fn runs_that_were_open_are_known_and_others_are_not() {
    let stage = Stage::new(1_000_000);
    let mut snapshot = Snapshot::empty("shop");
    for (second, open) in [(0, Some(1)), (10, Some(2)), (20, None)] {
        apply(&mut snapshot, &Change::Open(open, 3), at(second));
        stage.snapshot(at(second), &snapshot).await;
    }
    let (_folder, mut recording) = stage.read().await;
    let mut look = |seconds, run: &str| {
        let run = run.into();
        let snapshot = recording.snapshot_of(at(seconds), Some(&run)).unwrap();
        (snapshot.detail.data.as_ref().clone(), snapshot.detail.clone())
    };
    assert_eq!(look(5, "run-1").0, Some(detail("run-1", 3)));
    let (known, slot) = look(25, "run-1");
    assert_eq!(known, Some(detail("run-1", 3)), "as it was known then");
    assert_eq!(slot.updated_at, Some(at(0)));
    let (unknown, slot) = look(5, "run-2");
    assert_eq!(unknown, None, "not open yet");
    assert!(matches!(slot.state, SourceState::Stale { error, .. } if error.contains("not open")));
}

#[tokio::test]
async fn what_happened_is_there_with_logs_worker_and_blueprints() {
    let stage = Stage::new(1_000_000);
    let blueprint = sanitize(json!({
        "id": "b",
        "nodes": [{"id": "a", "uses": "x", "params": {"password": "hunter2"}}],
        "edges": [],
    }))
    .unwrap();
    stage.recorder.blueprints(Library::fixed(vec![blueprint]).state()).await;
    let seen = |mode, done| WorkerSeen { mode, slots: 4, in_flight: 0, done };
    stage.recorder.worker(seen(WorkerMode::Running, 1)).await;
    let mut snapshot = Snapshot::empty("shop");
    let put = |run, status, stalled| Change::Put(run, status, stalled);
    apply(&mut snapshot, &put(1, RunStatus::Running, false), at(0));
    apply(&mut snapshot, &put(2, RunStatus::Running, false), at(0));
    stage.snapshot(at(0), &snapshot).await;
    apply(&mut snapshot, &put(1, RunStatus::Failed, false), at(60));
    stage.snapshot(at(60), &snapshot).await;
    apply(&mut snapshot, &put(2, RunStatus::Running, true), at(120));
    stage.snapshot(at(120), &snapshot).await;
    stage.set(at(180));
    let operation = Event::Operation {
        title: "Cancel run 2".to_owned(),
        result: "cancelled run 2".to_owned(),
        ok: true,
    };
    stage.recorder.event(operation.clone());
    stage.set(at(240));
    stage.recorder.worker(seen(WorkerMode::Paused, 2)).await;
    let line = |text: &str| LogLine {
        level: LogLevel::Warn,
        target: "t".to_owned(),
        text: text.to_owned(),
    };
    for number in 0..1_200 {
        stage.set(at(300 + number));
        if number % 300 == 0 {
            // A second of real time gives room for more lines.
            std::thread::sleep(Duration::from_millis(1_100));
        }
        stage.recorder.log(line(&format!("line {number}")));
    }
    let (_folder, mut recording) = stage.read().await;
    let events: Vec<Event> =
        recording.happened().until(at(900)).iter().map(|(_, event)| event.clone()).collect();
    let expected = [
        Event::Began { program: env!("CARGO_PKG_VERSION").to_owned() },
        Event::Failed { count: 1, runs: vec!["run-1".to_owned()] },
        Event::Stalled { count: 1, runs: vec!["run-2".to_owned()] },
        operation,
        Event::Worker { mode: WorkerMode::Paused },
    ];
    assert_eq!(events, expected);
    assert_eq!(recording.worker(at(239)).unwrap(), Some(seen(WorkerMode::Running, 1)));
    assert_eq!(recording.worker(at(240)).unwrap(), Some(seen(WorkerMode::Paused, 2)));
    let blueprints = recording.blueprints(at(0)).unwrap();
    assert_eq!(blueprints[0].nodes[0].params["password"], "***");
    let happened = recording.happened().clone();
    assert_eq!(happened.mark_between(at(30), at(200)), Some((Mark::Failure, at(60))));
    assert_eq!(happened.mark_between(at(61), at(200)), Some((Mark::Stall, at(120))));
    assert_eq!(happened.mark_between(at(10), at(60)), None);
    assert_eq!((happened.next(at(60)), happened.previous(at(60))), (Some(at(120)), Some(at(0))));
    // Logs up to a moment, forward and back.
    let mut texts = |seconds| {
        let logs = recording.logs(at(seconds)).unwrap();
        (logs.len(), logs.last().map(|logged| logged.line.text.clone()))
    };
    assert_eq!(texts(299), (0, None));
    assert_eq!(texts(302), (3, Some("line 2".to_owned())));
    assert_eq!(texts(1_450), (1_000, Some("line 1150".to_owned())));
    assert_eq!(texts(310), (11, Some("line 10".to_owned())));
}

#[tokio::test]
async fn a_player_goes_where_it_is_told() {
    let stage = Stage::new(1_000_000);
    let mut snapshot = Snapshot::empty("shop");
    for second in [0, 10, 20, 200] {
        let status = if second == 20 { RunStatus::Failed } else { RunStatus::Running };
        apply(&mut snapshot, &Change::Put(1, status, false), at(second));
        stage.snapshot(at(second), &snapshot).await;
    }
    let (_folder, recording) = stage.read().await;
    let mut player = Player::new(recording, jiff::tz::TimeZone::UTC);
    let mut go = |scrub| {
        player.scrub(scrub);
        player.moment().unwrap().at.seconds() - at(0).seconds()
    };
    assert_eq!(go(Scrub::Step(Direction::Forward)), 10);
    assert_eq!(go(Scrub::Event(Direction::Forward)), 20);
    assert_eq!(go(Scrub::Event(Direction::Forward)), 20, "there is none");
    assert_eq!(go(Scrub::Minute(Direction::Forward)), 80);
    assert_eq!(go(Scrub::Step(Direction::Back)), 20);
    assert_eq!(go(Scrub::Minute(Direction::Back)), 0);
    assert_eq!(go(Scrub::To(at(9_999))), 200);
    assert_eq!(go(Scrub::Toggle), 0, "from the start again");
    player.advance(Duration::from_secs(7));
    assert_eq!(player.moment().unwrap().at, at(7));
    player.set_speed(Speed::new(2.0).unwrap());
    player.scrub(Scrub::Faster);
    player.advance(Duration::from_secs(7));
    assert_eq!(player.moment().unwrap().at, at(35));
    assert_eq!(player.moment().unwrap().speed.to_string(), "4×");
    assert_eq!(player.snapshot().unwrap().runs.data.counts().failed, 1);
    player.advance(Duration::from_hours(1));
    let moment = player.moment().unwrap();
    assert_eq!((moment.at, moment.playback), (at(200), Playback::Held));
}

#[tokio::test]
async fn members_and_lines_of_newer_programs_are_read_past() {
    let stage = Stage::new(1_000_000);
    let snapshot = Snapshot {
        runs: live(runs([row(item("r", RunStatus::Running, 0))]), at(0)),
        ..Snapshot::empty("shop")
    };
    stage.snapshot(at(0), &snapshot).await;
    let file = stage.file();
    let (_folder, _) = stage.read().await;
    let text = std::fs::read_to_string(&file).unwrap();
    let newer = text
        .replace("\"runs\":{", "\"cost\":{\"data\":{\"x\":1}},\"runs\":{\"new\":[1],")
        .replace("\"stalled\"", "\"new\":1,\"stalled\"")
        .replace("{\"runId\"", "{\"new\":{},\"runId\"");
    let tail = "{\"t\":1800000001000,\"novelty\":{}}\n\
                {\"t\":1800000001500,\"event\":{\"kind\":\"novelty\",\"x\":1}}\n\
                {\"t\":1800000002000,\"change\":{\"cost\":{\"set\":{\"x\":2}}}}\n";
    assert_ne!(newer, text);
    std::fs::write(&file, newer + tail).unwrap();
    let mut recording = Recording::open(&file).unwrap();
    assert_same(&recording.snapshot(at(5)).unwrap(), &snapshot);
    assert_eq!(recording.end(), at(2));
}
