//! Random events, sizes and data: nothing panics, and nothing raw reaches the terminal.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use flowcraft_tui::{
    cluster::DeadLetter,
    engine::{RunStatus, Timestamp},
    monitor::{DeadLetterRow, LocksView, QueueView, RunRow, Snapshot, SourceState, WorkersView},
    tui::{Access, Command, Message, Operation, OperatorError, Outcome, Preview},
};
use proptest::prelude::*;

use crate::fixture::{
    HOSTILE, NOW, catalog, dashboard_of, detail, item, live, runs, snapshot, worker_status,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        any::<String>(),
        Just(HOSTILE.to_owned()),
        Just("👩‍👩‍👧‍👦🏳️‍🌈\u{202e}\u{301}".repeat(20)),
        Just(String::new()),
    ]
}

fn key() -> impl Strategy<Value = Message> {
    let code = prop_oneof![
        8 => prop::sample::select(
            "srRxaPPPXSpDqyn/:?tfHojkhlgG* 1234567{}\"日\u{301}vVvvuceYN+-wWLizZ0|;()".chars().collect::<Vec<_>>()
        )
        .prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down,
            KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home,
            KeyCode::End, KeyCode::Backspace, KeyCode::Delete, KeyCode::F(5), KeyCode::Insert,
        ]),
        1 => any::<char>().prop_map(KeyCode::Char),
    ];
    let modifiers = prop_oneof![
        6 => Just(KeyModifiers::NONE),
        1 => any::<u8>().prop_map(KeyModifiers::from_bits_truncate),
    ];
    (code, modifiers)
        .prop_map(|(code, modifiers)| Message::Input(Event::Key(KeyEvent::new(code, modifiers))))
}

fn mouse() -> impl Strategy<Value = Message> {
    let kind = prop::sample::select(vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::ScrollRight,
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Moved,
    ]);
    (kind, 0..250_u16, 0..80_u16).prop_map(|(kind, column, row)| {
        let modifiers = KeyModifiers::NONE;
        Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers }))
    })
}

prop_compose! {
    fn some_snapshot()(
        names in prop::collection::vec((text(), text(), 0..6_u8, any::<i32>(), any::<bool>()), 0..12),
        stale in any::<[bool; 5]>(),
        error in text(),
        cut in any::<[bool; 4]>(),
        depth in any::<u64>(),
    ) -> Snapshot {
        let mut snapshot = snapshot();
        let statuses = [RunStatus::Running, RunStatus::Awaiting, RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
        let rows = names.into_iter().map(|(run, error, status, at, stalled)| {
            let mut item = item(&run, RunStatus::Running, i64::from(at), i64::from(at) / 2);
            item.status = statuses.get(usize::from(status)).copied();
            item.error = Some(error);
            item.next_due_at = Some(Timestamp::from_millis(i64::from(at) * 1_000_000_000));
            RunRow { item, stalled }
        });
        snapshot.runs = live(runs(rows));
        snapshot.cluster = error.as_str().into();
        let mut queue = (*snapshot.queue.data).clone();
        queue.depth = depth;
        queue.history = vec![depth, 0, u64::MAX];
        queue.completions = Some(f64::NAN);
        let letter = DeadLetter::new(&error, error.as_str(), 1, NOW, error.as_str().into()).encode();
        let bodies = [error.clone(), letter].into_iter().cycle().take(5).enumerate();
        queue.dead_letters.extend(
            bodies.map(|(at, body)| DeadLetterRow::new(format!("{error}{at}"), NOW, 1, body)),
        );
        snapshot.queue = live(queue);
        snapshot.detail = live(Some(detail("order-4711")));
        let away = || SourceState::Stale { error: error.as_str().into(), next_try: NOW };
        if stale[0] { snapshot.queue.state = away(); }
        if stale[1] { snapshot.runs.state = away(); }
        if stale[2] { snapshot.locks.state = away(); }
        if stale[3] { snapshot.workers.state = SourceState::Loading; }
        if stale[4] { snapshot.detail.state = away(); snapshot.detail.updated_at = None; }
        if cut[0] { snapshot.locks = live(LocksView::default()); }
        if cut[1] { snapshot.workers = live(WorkersView::default()); }
        if cut[2] { snapshot.detail = live(None); }
        if cut[3] { snapshot.queue = live(QueueView::default()); }
        snapshot
    }
}

fn result() -> impl Strategy<Value = Result<Outcome, OperatorError>> {
    prop_oneof![
        (text(), any::<bool>()).prop_map(|(summary, open)| {
            let run = open.then(|| "order-4711".into());
            Ok(Outcome { problems: vec![summary.clone()], summary, run })
        }),
        text().prop_map(|why| Err(OperatorError::Failed(why))),
        text().prop_map(|why| Err(OperatorError::Moved(why))),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let applied = result().prop_map(|result| Message::Applied {
        operation: Operation::Cancel(vec!["order-4711".into()]),
        result,
    });
    let previewed = (0..9_u64, prop::collection::vec(text(), 0..30), 0..3_usize).prop_map(
        |(ticket, lines, affects)| Message::Previewed {
            ticket,
            result: Ok(Preview { lines, affects, plan: None }),
        },
    );
    prop_oneof![
        20 => key(),
        4 => mouse(),
        2 => text().prop_map(|text| Message::Input(Event::Paste(text))),
        3 => some_snapshot().prop_map(|snapshot| Message::Snapshot(snapshot.into())),
        2 => previewed,
        2 => applied,
        1 => any::<i64>().prop_map(|at| Message::Tick(Timestamp::from_millis(at))),
        1 => any::<bool>().prop_map(|all| {
            Message::Catalog(if all { catalog() } else { std::sync::Arc::default() })
        }),
        1 => (0..4_u32).prop_map(|running| Message::Worker(worker_status(running))),
    ]
}

fn size() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![(1..12_u16, 1..12_u16), (1..220_u16, 1..70_u16), Just((80, 24)), Just((1, 1))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_raw_is_drawn(
        first in some_snapshot(),
        read_only in prop::bool::weighted(0.1),
        steps in prop::collection::vec((message(), prop::option::weighted(0.2, size())), 1..40),
    ) {
        let access = if read_only { Access::ReadOnly } else { Access::Full };
        let mut dashboard = dashboard_of(first, (80, 24), access);
        for (message, size) in steps {
            if let Some(size) = size {
                dashboard.resize(size);
            }
            dashboard.hear(message);
            let buffer = dashboard.draw();
            for cell in buffer.content() {
                prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
                prop_assert!(!cell.symbol().contains(['\u{202e}', '\u{200d}', '\u{2066}']), "{:?}", cell.symbol());
            }
            for command in dashboard.asked() {
                let changes = matches!(command, Command::Preview { .. });
                prop_assert!(!(read_only && changes && !matches!(
                    command,
                    // A plan that was made anew was agreed to before.
                    Command::Preview { operation: Operation::Cancel(_), .. }
                )), "{command:?} although read-only");
            }
        }
    }
}

#[test]
fn every_screen_at_every_small_size() {
    for keys in [
        "1",
        "2",
        "2 enter",
        "3",
        "3 tab enter j enter",
        "4",
        "5",
        "5 tab i",
        "i",
        "6",
        "7",
        "?",
        ":",
        "s",
        "s enter",
        "x",
        "q",
        "H",
        "2 j j enter a",
        "2 j j enter v v v",
        "2 j j enter v v v v",
        "2 j j enter e",
        "2 j j enter",
        "2 j j enter z z",
        "2 j j enter v v z",
        "6 Z Z",
        "2 /",
    ] {
        let mut dashboard = dashboard_of(snapshot(), (80, 24), Access::Full);
        dashboard.press(keys);
        for width in (1..90).step_by(4) {
            for height in 1..26 {
                dashboard.resize((width, height));
                dashboard.draw();
            }
        }
    }
}
