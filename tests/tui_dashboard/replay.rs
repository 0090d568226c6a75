//! The dashboard on a recording of the demo (`tests/fixtures/recordings/demo.rec`, made with
//! `flowcraft-tui --demo --record FILE` while a run was started, one opened and cancelled, and the
//! worker paused; the host's name was replaced): its time line, and what is different.

use std::{path::PathBuf, sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::Library,
    engine::Timestamp,
    recording::{Player, RecorderState, Recording, Scrub, Speed},
    tui::{Access, Catalog, Command, Headless, Message},
};
use jiff::tz::TimeZone;

use crate::fixture::dashboard;

fn demo() -> Recording {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings/demo.rec");
    Recording::open(file).unwrap()
}

/// A dashboard on the recording, with a player that does what it asks for.
struct Replayed {
    dashboard: Headless,
    player: Player,
}

impl Replayed {
    fn new(size: (u16, u16)) -> Self {
        let mut player = Player::new(demo(), TimeZone::UTC);
        let (start, _) = player.span();
        let snapshot = player.snapshot().unwrap();
        let mut dashboard = Headless::new(snapshot, start, size, Access::Recording);
        let library = Library::fixed(player.blueprints().unwrap()).state();
        dashboard.hear(Message::Catalog(Arc::new(Catalog::from(&*library))));
        let mut replayed = Self { dashboard, player };
        replayed.show();
        replayed
    }

    fn show(&mut self) {
        self.dashboard.hear(Message::Moment(Arc::new(self.player.moment().unwrap())));
        self.dashboard.hear(Message::Snapshot(self.player.snapshot().unwrap()));
    }

    fn press(&mut self, keys: &str) {
        self.dashboard.press(keys);
        self.obey();
    }

    /// Carries out what the dashboard asks for.
    fn obey(&mut self) {
        for command in self.dashboard.asked() {
            match command {
                Command::Scrub(scrub) => self.player.scrub(scrub),
                Command::WatchRun(run) => self.player.watch(run),
                // After a change of size.
                Command::Redraw => {}
                other => panic!("asked for {other:?}"),
            }
        }
        self.show();
    }

    fn seconds(&mut self) -> i64 {
        let moment = self.player.moment().unwrap();
        moment.at.seconds() - moment.start.seconds()
    }

    fn to(&mut self, seconds: u64) {
        let (start, _) = self.player.span();
        self.player.scrub(Scrub::To(start + Duration::from_secs(seconds)));
        self.show();
    }
}

#[test]
fn screens() {
    for size in [(80, 24), (160, 48)] {
        let mut replayed = Replayed::new(size);
        let name = |what: &str| format!("replay_{what}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("start"), replayed.dashboard.text());
        replayed.to(17);
        insta::assert_snapshot!(name("overview"), replayed.dashboard.text());
        replayed.press("2 ; > >");
        insta::assert_snapshot!(name("runs_playing"), replayed.dashboard.text());
        replayed.press("7");
        insta::assert_snapshot!(name("logs"), replayed.dashboard.text());
        replayed.press("?");
        insta::assert_snapshot!(name("help"), replayed.dashboard.text());
        replayed.press("esc H");
        insta::assert_snapshot!(name("history"), replayed.dashboard.text());
    }
    for size in [(40, 10), (24, 6)] {
        let mut replayed = Replayed::new(size);
        replayed.to(17);
        let name = format!("replay_small_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, replayed.dashboard.text());
    }
}

#[test]
fn a_run_that_was_open_is_shown_as_it_was_and_others_say_why_not() {
    let mut replayed = Replayed::new((80, 24));
    replayed.to(14);
    replayed.press("2 /");
    replayed.dashboard.type_text("photo-1016");
    replayed.press("enter enter v");
    let text = replayed.dashboard.text();
    assert!(text.contains("Run photo-1016") && text.contains("resize-"), "{text}");
    insta::assert_snapshot!("replay_run_80x24", text);
    // Before it was opened nothing is known of it.
    replayed.to(2);
    let text = replayed.dashboard.text();
    assert!(text.contains("it was not open in the dashboard that"), "{text}");
    assert!(!text.contains("next try"), "{text}");
}

#[test]
fn keys_move_through_time() {
    let mut replayed = Replayed::new((80, 24));
    assert_eq!(replayed.seconds(), 0);
    replayed.press(")");
    let operation = replayed.seconds();
    assert!(replayed.dashboard.text().contains("◆ now: Start a run of database-backup"));
    replayed.press(") )");
    assert!(replayed.seconds() > operation);
    replayed.press("( (");
    assert_eq!(replayed.seconds(), operation);
    let before = replayed.player.moment().unwrap().at;
    replayed.press(".");
    assert!(replayed.player.moment().unwrap().at > before);
    replayed.press(",");
    assert!(replayed.player.moment().unwrap().at <= before);
    replayed.press("$");
    let end = replayed.seconds();
    replayed.press("{");
    assert_eq!(replayed.seconds(), 0, "less than a minute long");
    replayed.press("}");
    assert_eq!(replayed.seconds(), end);
    replayed.press("^ <");
    assert_eq!(replayed.player.moment().unwrap().speed, Speed::new(0.5).unwrap());
    // Space plays and holds, and so does f: there is nothing to mark and nothing to freeze.
    for key in [";", "space", "f"] {
        replayed.press("^");
        assert!(replayed.dashboard.text().contains("‖ "));
        replayed.press(key);
        assert!(replayed.dashboard.text().contains("▶ "), "{key}");
        replayed.player.advance(Duration::from_secs(10));
        assert_eq!(replayed.seconds(), 5, "at half the speed");
    }
}

#[test]
fn a_click_on_the_bar_goes_there_and_the_wheel_steps() {
    use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut replayed = Replayed::new((80, 24));
    let text = replayed.dashboard.text();
    let bar = text.lines().nth(21).unwrap().to_owned();
    let first = bar.chars().position(|c| "●┃".contains(c)).unwrap();
    let last = bar.chars().collect::<Vec<_>>().iter().rposition(|c| "─◇".contains(*c)).unwrap();
    let (_, end) = replayed.player.span();
    let mut mouse = |kind, column: usize| {
        let column = u16::try_from(column).unwrap();
        let event = MouseEvent { kind, column, row: 21, modifiers: KeyModifiers::NONE };
        replayed.dashboard.hear(Message::Input(Event::Mouse(event)));
        replayed.obey();
        replayed.dashboard.draw();
        replayed.player.moment().unwrap().at
    };
    let at = mouse(MouseEventKind::Down(MouseButton::Left), last);
    assert!(end.since(at) < Duration::from_secs(1), "{at} of {end}");
    let middle = mouse(MouseEventKind::Drag(MouseButton::Left), middle_of(first, last));
    assert!((9..18).contains(&end.since(middle).as_secs()), "{middle} of {end}");
    assert!(mouse(MouseEventKind::ScrollDown, middle_of(first, last)) > middle);
    // A mark is met exactly: the failure.
    let failure = bar.chars().position(|c| c == '✗').unwrap();
    mouse(MouseEventKind::Down(MouseButton::Left), failure);
    let text = replayed.dashboard.text();
    assert!(text.contains("✗ now: run b983f22a"), "{text}");
}

fn middle_of(first: usize, last: usize) -> usize {
    usize::midpoint(first, last)
}

#[test]
fn nothing_can_be_changed_in_a_recording() {
    let mut replayed = Replayed::new((80, 24));
    replayed.to(17);
    for key in ["s", "r", "R", "x", "a", "p", "D"] {
        replayed.press(&format!("2 {key}"));
        let text = replayed.dashboard.text();
        assert!(text.contains("this is a recording: `"), "{key}:\n{text}");
    }
    replayed.press("6 enter");
    assert!(replayed.dashboard.text().contains("this is a recording: `start` is switched off"));
    replayed.dashboard.press("q");
    assert!(matches!(replayed.dashboard.asked().as_slice(), [Command::Exit(_)]), "no question");
}

#[test]
fn ages_are_of_the_recorded_time() {
    let mut replayed = Replayed::new((120, 40));
    replayed.to(17);
    // Whatever the clock on the wall says.
    replayed.dashboard.hear(Message::Tick(Timestamp::from_seconds(1_999_999_999)));
    replayed.press("5");
    let text = replayed.dashboard.text();
    let worker = text.lines().find(|line| line.contains("demo-worker")).unwrap();
    assert!(worker.contains(" 17s") || worker.contains(" 16s"), "{worker}");
}

#[test]
fn keys_of_recordings_say_so_where_there_is_none() {
    let mut live = dashboard((80, 24));
    live.press(")");
    assert!(live.text().contains("`event-forward` is for recordings"), "{}", live.text());
    assert!(!live.text().contains("next event"));
    assert!(live.asked().is_empty());
}

#[test]
fn a_recording_that_is_made_shows_and_says_when_it_stops() {
    let mut live = dashboard((80, 24));
    live.hear(Message::Recorder(RecorderState::Recording));
    assert!(live.text().contains("● REC"), "{}", live.text());
    let why = "recording stopped: it.rec: No space left on device";
    live.hear(Message::Recorder(RecorderState::Stopped(why.into())));
    let text = live.text();
    assert!(text.contains("✗ REC STOPPED") && text.contains(why), "{text}");
}

#[test]
fn any_size_can_be_drawn() {
    let mut replayed = Replayed::new((80, 24));
    replayed.to(9);
    for (width, height) in [(1, 1), (2, 7), (9, 7), (20, 20), (3, 30), (300, 8), (7, 90)] {
        replayed.dashboard.resize((width, height));
        for keys in ["1", "2 enter", "7 pageup", "? esc"] {
            replayed.press(keys);
            replayed.dashboard.draw();
        }
    }
}
