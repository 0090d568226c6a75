//! Dead letters on the queue's screen: groups, marks, filter, one letter read closely, and replays
//! under way.

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{DeadLetter, Job},
    engine::Timestamp,
    monitor::{DeadLetterRow, QueueView, Snapshot},
    tui::{Access, Command, Headless, Letters, Message, Operation, Outcome, Preview, Progress},
};
use serde_json::json;

use crate::fixture::{HOSTILE, ago, dashboard_of, live, snapshot};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

fn job(run: &str, blueprint: &str, node: &str) -> Job {
    Job { iteration: Some(1), rev: Some(7), ..Job::new(run.into(), blueprint.into(), node.into()) }
}

fn letter(id: &str, job: &Job, reason: &str, seconds: i64) -> DeadLetterRow {
    let letter = DeadLetter::new(&job.encode(), reason, 6, ago(seconds), "worker-eu-1".into());
    let letter = letter.from_queue("flowcraft-jobs");
    DeadLetterRow::new(id.to_owned(), ago(seconds), 0, letter.encode())
}

/// Letters of five kinds.
fn letters() -> Vec<DeadLetterRow> {
    let mut letters: Vec<DeadLetterRow> = (0..7)
        .map(|at| {
            let run = format!("order-47{at:02}");
            let reason = format!(
                "POST https://pay.example.com/v1/charges/{at}: HTTP 503 after {at}.5s, run {run}"
            );
            letter(&format!("p{at}"), &job(&run, "order-intake", "charge"), &reason, 95 + at * 400)
        })
        .collect();
    let crash = "received 6 times, and it was never finished";
    letters.extend((0..2).map(|at| {
        let job = job(&format!("intake-{at}"), "supplier-onboarding", "extract-text");
        letter(&format!("c{at}"), &job, crash, 60 + at * 7_000)
    }));
    let hostile = DeadLetter::new("???", HOSTILE, 1, ago(600), "worker-eu-2-日本".into());
    letters.push(DeadLetterRow::new("h".to_owned(), ago(600), 0, hostile.encode()));
    let raw = Job::new("js-9".into(), "legacy".into(), "mail".into());
    letters.push(DeadLetterRow::new("raw".to_owned(), ago(9_000), 3, raw.encode()));
    let event = json!({"orderId": 7, "kind": "created"}).to_string();
    letters.push(DeadLetterRow::new("event".to_owned(), ago(30), 1, event));
    letters
}

fn with(letters: Vec<DeadLetterRow>, poison: u64) -> Snapshot {
    let mut shown = snapshot();
    let queue = QueueView { poison, dead_letters: letters, ..(*shown.queue.data).clone() };
    shown.queue = live(queue);
    shown
}

fn dashboard(size: (u16, u16)) -> Headless {
    let mut dashboard = dashboard_of(with(letters(), 140), size, Access::Full);
    dashboard.press("3 tab");
    dashboard
}

fn check(name: &str, prepare: impl Fn(&mut Headless)) {
    for size in SIZES {
        let mut dashboard = dashboard(size);
        prepare(&mut dashboard);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), dashboard.text());
    }
}

#[test]
fn groups() {
    check("letters", |_| {});
}

#[test]
fn a_group_unfolded_with_marks() {
    check("letters_unfolded", |it| it.press("enter j j space space"));
}

#[test]
fn one_letter() {
    check("letter", |it| it.press("enter j enter"));
}

#[test]
fn one_letter_of_hostile_text() {
    check("letter_hostile", |it| {
        it.press("j j j right j enter");
    });
}

#[test]
fn a_replay_that_is_planned() {
    check("letters_plan", |it| {
        it.press("P");
        it.hear(plan(7));
    });
}

#[test]
fn a_replay_under_way() {
    check("letters_progress", |it| {
        it.press("P");
        it.hear(plan(7));
        it.press("y");
        it.hear(progress(2, 7, "replaying"));
    });
}

fn plan(affects: usize) -> Message {
    let lines = [
        "canary, first: dead letter p0: run node \"charge\" of run \"order-4700\" again: it has failed",
        "chosen as the newest of group bfbbe7ec for which a replay does something",
        "then, if that node completes or moves on within 1m, the 6 others that failed alike:",
        "dead letter p1: run node \"charge\" of run \"order-4701\" again: it has failed",
    ];
    let lines = lines.map(str::to_owned).to_vec();
    Message::Previewed { ticket: 1, result: Ok(Preview { lines, affects, plan: None }) }
}

fn progress(done: usize, total: usize, what: &str) -> Message {
    // The plan had the first ticket.
    Message::Progress { ticket: 2, progress: Progress { done, total, what: what.to_owned() } }
}

#[track_caller]
fn shows(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

#[track_caller]
fn shows_not(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(!screen.contains(text), "{text:?} is on the screen:\n{screen}");
}

fn planned(dashboard: &mut Headless) -> Operation {
    let asked = dashboard.asked();
    let plan = asked.into_iter().rev().find_map(|command| match command {
        Command::Preview { operation, .. } => Some(operation),
        _ => None,
    });
    plan.expect("a plan was asked for")
}

fn these(ids: &[&str]) -> Letters {
    Letters::These(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn what_is_said_of_those_that_are_not_seen() {
    let mut it = dashboard(SIZES[0]);
    shows(&mut it, "Dead letters  12 seen of 140 in 5 groups");
    let mut it = dashboard_of(with(letters(), 12), SIZES[0], Access::Full);
    it.press("3 tab");
    shows(&mut it, "Dead letters  12 in 5 groups");
    let mut it = dashboard_of(with(Vec::new(), 3), SIZES[0], Access::Full);
    it.press("3 tab");
    shows(&mut it, "Dead letters  0 seen of 3");
    shows(&mut it, "None can be seen now: somebody is going through them.");
    let mut it = dashboard_of(with(Vec::new(), 0), SIZES[0], Access::Full);
    it.press("3 tab");
    shows(&mut it, "No dead letters.");
}

#[test]
fn a_group_a_letter_or_the_marks_are_replayed_and_purged() {
    let mut it = dashboard(SIZES[0]);
    let group = letters()[0].symptom.fingerprint;
    it.press("P");
    assert_eq!(planned(&mut it), Operation::Replay(Letters::Group(group)));
    it.press("esc X");
    assert_eq!(planned(&mut it), Operation::Purge(Letters::Group(group)));
    it.press("esc enter j P");
    assert_eq!(planned(&mut it), Operation::Replay(these(&["p0"])));
    // A mark on a group is one on each of its letters.
    it.press("esc k space X");
    let ids = ["p0", "p1", "p2", "p3", "p4", "p5", "p6"];
    assert_eq!(planned(&mut it), Operation::Purge(these(&ids)));
    it.press("esc");
    shows(&mut it, "◆ 7 marked");
    it.press("k space");
    shows_not(&mut it, "marked");
    it.press("j j space esc");
    shows_not(&mut it, "marked");
}

#[test]
fn a_partly_marked_group_says_so() {
    let mut it = dashboard(SIZES[0]);
    it.press("enter j space space");
    shows(&mut it, "◆2/7");
    it.press("* *");
    shows(&mut it, "◆ 12 marked");
}

#[test]
fn the_filter_narrows_letters_and_what_is_done_to_a_group() {
    let mut it = dashboard(SIZES[0]);
    it.press("/");
    it.type_text("order-4702");
    it.press("enter");
    shows(&mut it, "Dead letters  1 of 12 seen of 140 in 1 group");
    it.press("P");
    assert_eq!(planned(&mut it), Operation::Replay(these(&["p2"])));
    it.press("esc esc");
    shows(&mut it, "in 5 groups");
    it.press("/");
    it.type_text("never finished");
    it.press("enter");
    shows(&mut it, "2 of 12");
    it.press("esc /");
    it.type_text("nothing of that kind");
    it.press("enter");
    shows(&mut it, "No dead letters match");
}

#[test]
fn folds_and_selection_follow_their_group() {
    let mut it = dashboard(SIZES[0]);
    it.press("j right j");
    shows(&mut it, "▾ ↻ received");
    // Another reason is more frequent now, and the selected letter is still there.
    let mut more = letters();
    more.extend(
        (0..9)
            .map(|at| letter(&format!("n{at}"), &job(&format!("n-{at}"), "b", "n"), "no room", 10)),
    );
    it.hear(Message::Snapshot(std::sync::Arc::new(with(more, 150))));
    shows(&mut it, "▾ ↻ received");
    it.press("P");
    assert_eq!(planned(&mut it), Operation::Replay(these(&["c0"])));
    it.press("esc left");
    shows(&mut it, "▸ ↻ received");
    shows(&mut it, "▶ ▸ ↻");
}

#[test]
fn a_letter_is_read_copied_replayed_and_its_run_opened() {
    let mut it = dashboard(SIZES[1]);
    it.press("enter j enter");
    shows(&mut it, "JSON under base64");
    shows(&mut it, "iteration 1, revision 7");
    shows(&mut it, "from queue flowcraft-jobs");
    it.press("y");
    let copied = it.asked().into_iter().find_map(|command| match command {
        Command::Copy(text) => Some(text),
        _ => None,
    });
    assert!(copied.unwrap().contains("\"runId\": \"order-4700\""));
    it.press("X");
    assert_eq!(planned(&mut it), Operation::Purge(these(&["p0"])));
    it.press("esc");
    shows(&mut it, "JSON under base64");
    it.press("enter");
    let run = RunId::from("order-4700");
    assert!(matches!(
        it.asked().last(),
        Some(Command::WatchRun(Some(watched))) if *watched == run
    ));
    it.press("esc");
    shows(&mut it, "Dead letters");
    it.press("k y");
    let print = letters()[0].symptom.fingerprint.to_string();
    assert!(matches!(it.asked().last(), Some(Command::Copy(text)) if *text == print));
}

#[test]
fn a_canary_can_be_left_out() {
    let mut it = dashboard(SIZES[0]);
    let group = Letters::Group(letters()[0].symptom.fingerprint);
    it.press("P");
    planned(&mut it);
    it.hear(plan(7));
    shows(&mut it, "c: without a canary");
    it.press("c");
    assert_eq!(planned(&mut it), Operation::ReplayAtOnce(group.clone()));
    it.press("c");
    assert_eq!(planned(&mut it), Operation::Replay(group));
    it.press("esc enter j P");
    planned(&mut it);
    it.press("c");
    assert!(it.asked().is_empty(), "one alone has none");
}

#[test]
fn a_replay_shows_how_far_it_is_and_is_stopped() {
    let mut it = dashboard(SIZES[0]);
    it.press("S");
    shows(&mut it, "nothing is under way");
    it.press("P");
    let operation = planned(&mut it);
    it.hear(plan(7));
    it.press("y");
    it.hear(progress(1, 7, "canary running for 3s: node charge of run order-4700;"));
    shows(&mut it, "canary running for 3s: node charge");
    it.hear(progress(4, 7, "replaying"));
    shows(&mut it, "replaying 4/7");
    shows(&mut it, "S stops it");
    it.asked();
    it.press("S S");
    assert!(matches!(it.asked()[..], [Command::Stop { ticket: 2 }]), "once");
    shows(&mut it, "stopping …");
    let problems = vec!["stopped; the other 3 stay where they are".to_owned()];
    let outcome = Outcome { summary: "replayed 4 dead letters".to_owned(), run: None, problems };
    it.hear(Message::Applied { operation, result: Ok(outcome) });
    shows_not(&mut it, "stopping …");
    shows_not(&mut it, "1 under way");
    shows(&mut it, "replayed 4 dead letters; stopped; the other 3");
}

#[test]
fn read_only_nothing_is_replayed_from_a_letter_either() {
    let mut it = dashboard_of(with(letters(), 12), SIZES[1], Access::ReadOnly);
    it.press("3 tab enter j enter P");
    assert!(!it.asked().iter().any(|it| matches!(it, Command::Preview { .. })));
    shows_not(&mut it, "X purge");
    it.hear(Message::Tick(Timestamp::from_seconds(1)));
}

#[test]
fn a_letter_fits_every_size() {
    for keys in ["", "enter", "enter j enter", "P", "* X"] {
        let mut it = dashboard(SIZES[0]);
        it.press(keys);
        for width in (1..100).step_by(3) {
            for height in 1..30 {
                it.resize((width, height));
                it.draw();
            }
        }
    }
}
