//! `w`: why a run is not moving.

use flowcraft_tui::{
    engine::Timestamp,
    operations::HeldNode,
    tui::{
        Access, Command, Headless, Message, Operation, OperatorError, Outcome, Preview, Reason,
        Runs, Step, Weight,
    },
};

use crate::fixture::{HOSTILE, NOW, dashboard, dashboard_of, snapshot};

fn reason(name: &str, weight: Weight, sureness: &str, title: &str) -> Reason {
    Reason {
        name: name.to_owned(),
        title: title.to_owned(),
        weight,
        sureness: sureness.to_owned(),
        evidence: Vec::new(),
        advice: String::new(),
        step: Step::Nothing,
    }
}

fn orphaned() -> Reason {
    Reason {
        evidence: vec![
            "node \"pack\" is leased by worker \"worker-dead\", which has not been seen for 30s or more"
                .to_owned(),
            "the lease ends 08:00:08 UTC (in 8s)".to_owned(),
            "its message has been put back 3 times meanwhile".to_owned(),
            "node \"pack\" is ready since 07:56:48 UTC (3m12 ago)".to_owned(),
        ],
        advice: "wait until 08:00:08 UTC (in 8s) for the lease to end, or take it from its dead holder \
                 now"
            .to_owned(),
        step: Step::Do(Operation::ReleaseLocks {
            run: "order-0815".into(),
            locks: vec![HeldNode { node: "pack".into(), value: "worker:worker-dead#7".to_owned() }],
        }),
        ..reason("lock-orphaned", Weight::Blocks, "certain", "a dead worker holds a lease")
    }
}

fn lost() -> Reason {
    Reason {
        evidence: vec![
            "node \"ship\" is ready since 07:56:48 UTC (3m12 ago)".to_owned(),
            "nobody holds it, and no message for it is visible; 2 are hidden (in a worker's hands, or \
             held until later)"
                .to_owned(),
        ],
        advice: "reconcile the run: what is missing is put back on its way".to_owned(),
        step: Step::Do(Operation::Reconcile(Runs::These(vec!["order-0815".into()]))),
        ..reason("no-message", Weight::Blocks, "likely", "no message is on its way")
    }
}

fn child() -> Reason {
    Reason {
        evidence: vec![
            "node \"bill\" waits for run \"order-0815.bill\", which is running".to_owned(),
            "run \"order-0815.bill\" (no-message): node \"print\" is ready since 07:50:00 UTC (10m00 ago)"
                .to_owned(),
        ],
        advice: "see why run \"order-0815.bill\" does not move".to_owned(),
        step: Step::Explain("order-0815.bill".into()),
        ..reason("waiting-for-child", Weight::Blocks, "certain", "a node waits for a child run")
    }
}

fn answer() -> Reason {
    Reason {
        evidence: vec![
            "node \"approve\" waits for an answer since 2027-01-12 04:00 UTC (3d4h ago)".to_owned(),
        ],
        advice: "answer node \"approve\": approve or reject".to_owned(),
        step: Step::Answer { run: "order-4711".into(), node: "approve".into() },
        ..reason("waiting-for-answer", Weight::Waits, "certain", "a node waits for an answer")
    }
}

fn busy() -> Reason {
    Reason {
        evidence: vec![
            "worker \"worker-eu-1\" is running node \"charge\", ready since 07:59:48 UTC (12s ago)"
                .to_owned(),
        ],
        advice: "wait: it goes on by itself".to_owned(),
        step: Step::Wait(None),
        ..reason("running", Weight::Waits, "certain", "a worker is at it")
    }
}

fn old_letter() -> Reason {
    Reason {
        evidence: vec![
            "the message of node \"charge\" is in the poison queue since 07:50:00 UTC (10m00 ago): timeout"
                .to_owned(),
            "that is old news: the run has gone on since".to_owned(),
        ],
        advice: "nothing is to be done".to_owned(),
        ..reason("poisoned", Weight::Aside, "possible", "a message of it is in the poison queue")
    }
}

fn all() -> Vec<Reason> {
    vec![orphaned(), lost(), child(), answer(), busy(), old_letter()]
}

/// The question that was asked: its ticket and its run.
fn asked(dashboard: &mut Headless) -> (u64, String) {
    let asked = dashboard.asked().into_iter().find_map(|command| match command {
        Command::Explain { ticket, run } => Some((ticket, run.to_string())),
        _ => None,
    });
    asked.expect("it was asked")
}

fn tell(dashboard: &mut Headless, ticket: u64, reasons: Vec<Reason>) {
    dashboard.hear(Message::Explained { ticket, result: Ok(reasons) });
}

/// A dashboard that explains the stalled run.
fn explaining(size: (u16, u16), reasons: Vec<Reason>) -> Headless {
    let mut dashboard = dashboard(size);
    dashboard.press("2 w");
    let (ticket, _) = asked(&mut dashboard);
    tell(&mut dashboard, ticket, reasons);
    dashboard
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

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

#[test]
fn what_is_drawn() {
    for size in SIZES {
        let name = |what: &str| format!("explain_{what}_{}x{}", size.0, size.1);
        let mut all = explaining(size, all());
        insta::assert_snapshot!(name("all"), all.text());
        all.press("down down");
        insta::assert_snapshot!(name("child"), all.text());
        let mut one = explaining(size, vec![answer()]);
        insta::assert_snapshot!(name("one"), one.text());
        let mut awaited = dashboard(size);
        awaited.press("2 w");
        insta::assert_snapshot!(name("awaited"), awaited.text());
        let (ticket, _) = asked(&mut awaited);
        let error = OperatorError::Failed(
            "state: can't read run \"order-0815\": no answer within 10 s".to_owned(),
        );
        awaited.hear(Message::Explained { ticket, result: Err(error) });
        insta::assert_snapshot!(name("failed"), awaited.text());
    }
}

#[test]
fn every_list_that_is_about_runs_has_the_key() {
    // Runs, an open run, the queue's jobs and dead letters, locks, the overview.
    let cases = [
        ("2 j", "order-4711.ship"),
        ("2 j j enter", "order-4711"),
        ("3", "order-4711"),
        ("3 tab j j enter j", "failed-1"),
        ("4", "order-4711"),
        ("1", "order-0815"),
    ];
    for (keys, run) in cases {
        let mut dashboard = dashboard((100, 30));
        dashboard.press(keys);
        dashboard.asked();
        shows(&mut dashboard, "w why");
        dashboard.press("w");
        assert_eq!(asked(&mut dashboard).1, run, "{keys}");
        shows(&mut dashboard, &format!("Why is run {run} not moving?"));
        dashboard.press("w");
        shows_not(&mut dashboard, "Why is run");
    }
    for keys in ["5", "6", "7"] {
        let mut dashboard = dashboard((100, 30));
        dashboard.press(keys);
        shows_not(&mut dashboard, "w why");
        dashboard.press("w");
        shows(&mut dashboard, "choose a run first");
    }
}

#[test]
fn a_key_applies_the_remedy_after_its_plan_was_agreed_to() {
    let mut dashboard = explaining((100, 30), all());
    dashboard.press("enter");
    shows(&mut dashboard, "Release the lease of node pack of run order-0815?");
    let Some(Command::Preview { ticket, operation }) = dashboard.asked().pop() else { panic!() };
    assert!(
        matches!(&operation, Operation::ReleaseLocks { run, .. } if run.as_str() == "order-0815")
    );
    // Leaving the question leads back to the explanation.
    dashboard.press("esc");
    shows(&mut dashboard, "Why is run order-0815 not moving?");
    dashboard.press("enter");
    let Some(Command::Preview { ticket: second, .. }) = dashboard.asked().pop() else { panic!() };
    assert_ne!(ticket, second);
    let preview = Preview { lines: vec!["lease: delete it".to_owned()], affects: 1, plan: None };
    dashboard.hear(Message::Previewed { ticket: second, result: Ok(preview) });
    shows(&mut dashboard, "lease: delete it");
    dashboard.press("y");
    assert!(matches!(dashboard.asked().as_slice(), [Command::Apply { .. }]));
    shows(&mut dashboard, "Why is run order-0815 not moving?");
    // Once it is done, what is said of the run is asked for anew; and again a moment later.
    let outcome =
        Outcome { summary: "released 1 lease".to_owned(), run: None, problems: Vec::new() };
    dashboard.hear(Message::Applied { operation, result: Ok(outcome) });
    let (ticket, run) = asked(&mut dashboard);
    assert_eq!(run, "order-0815");
    tell(&mut dashboard, ticket, vec![busy()]);
    shows(&mut dashboard, "a worker is at it");
    let later = |seconds| Message::Tick(Timestamp::from_seconds(NOW.seconds() + seconds));
    dashboard.hear(later(2));
    assert!(dashboard.asked().is_empty());
    dashboard.hear(later(4));
    let (ticket, _) = asked(&mut dashboard);
    let over = reason("finished", Weight::Over, "certain", "the run has ended");
    tell(&mut dashboard, ticket, vec![over]);
    shows(&mut dashboard, "✓ over");
    dashboard.hear(later(30));
    assert!(dashboard.asked().is_empty(), "that is enough");
}

#[test]
fn a_child_is_explained_and_esc_leads_back_to_its_parent() {
    let mut dashboard = explaining((100, 30), vec![child(), answer()]);
    shows(&mut dashboard, "enter that run");
    dashboard.press("enter");
    let (ticket, run) = asked(&mut dashboard);
    assert_eq!(run, "order-0815.bill");
    tell(&mut dashboard, ticket, vec![lost()]);
    shows(&mut dashboard, "Why is run order-0815.bill not moving?");
    shows(&mut dashboard, "esc back");
    dashboard.press("esc");
    assert_eq!(asked(&mut dashboard).1, "order-0815");
    shows(&mut dashboard, "Why is run order-0815 not moving?");
    dashboard.press("esc");
    shows_not(&mut dashboard, "Why is run");
}

#[test]
fn an_answer_opens_its_form() {
    let mut dashboard = dashboard((100, 30));
    dashboard.press("2 j j enter w");
    let (ticket, run) = asked(&mut dashboard);
    assert_eq!(run, "order-4711");
    tell(&mut dashboard, ticket, vec![answer()]);
    dashboard.press("enter");
    shows(&mut dashboard, "Answer a node of run order-4711");
    shows(&mut dashboard, "approve");
}

#[test]
fn what_only_takes_time_is_said_to() {
    let mut dashboard = explaining((100, 30), vec![busy()]);
    shows_not(&mut dashboard, "enter wait");
    dashboard.press("enter");
    shows(&mut dashboard, "nothing to press here: wait: it goes on by itself");
    shows(&mut dashboard, "Why is run");
}

#[test]
fn it_is_asked_again_and_the_choice_stays_with_its_reason() {
    let mut dashboard = explaining((100, 30), all());
    dashboard.press("down down");
    shows(&mut dashboard, "order-0815.bill\" (no-message)");
    dashboard.hear(Message::Tick(Timestamp::from_seconds(NOW.seconds() + 12)));
    shows(&mut dashboard, "12s ago");
    dashboard.press("r");
    shows(&mut dashboard, "asking …");
    shows(&mut dashboard, "order-0815.bill\" (no-message)");
    let (ticket, _) = asked(&mut dashboard);
    // An answer to an older question is nobody's any more.
    tell(&mut dashboard, ticket - 1, vec![busy()]);
    shows(&mut dashboard, "asking …");
    tell(&mut dashboard, ticket, vec![lost(), child()]);
    shows(&mut dashboard, "order-0815.bill\" (no-message)");
    shows_not(&mut dashboard, "lock-orphaned");
    dashboard.press("y");
    let Some(Command::Copy(text)) = dashboard.asked().pop() else { panic!("nothing was copied") };
    assert!(text.contains("no-message (likely): no message is on its way"), "{text}");
    dashboard.press("o");
    shows(&mut dashboard, "Run order-0815");
    shows_not(&mut dashboard, "Why is run");
}

#[test]
fn an_answer_that_comes_while_a_plan_is_shown_is_kept() {
    let mut dashboard = explaining((100, 30), all());
    dashboard.press("r enter");
    let asked = dashboard.asked();
    let [Command::Explain { ticket, .. }, Command::Preview { .. }] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    tell(&mut dashboard, *ticket, vec![busy()]);
    dashboard.press("esc");
    shows(&mut dashboard, "a worker is at it");
    shows_not(&mut dashboard, "asking …");
}

#[test]
fn read_only_explains_and_changes_nothing() {
    let mut dashboard = dashboard_of(snapshot(), (100, 30), Access::ReadOnly);
    dashboard.press("2 w");
    let (ticket, _) = asked(&mut dashboard);
    tell(&mut dashboard, ticket, all());
    shows(&mut dashboard, "(read-only)");
    dashboard.press("enter");
    shows(&mut dashboard, "read-only: nothing can be changed from here");
    assert!(dashboard.asked().is_empty());
    dashboard.press("down down enter");
    assert_eq!(asked(&mut dashboard).1, "order-0815.bill", "looking is allowed");
}

#[test]
fn hostile_reasons_at_any_size() {
    let hostile = Reason {
        name: HOSTILE.to_owned(),
        sureness: HOSTILE.to_owned(),
        evidence: vec![HOSTILE.repeat(10); 6],
        advice: HOSTILE.repeat(10),
        ..reason("x", Weight::Delays, "x", HOSTILE)
    };
    for width in (1..=100).step_by(3) {
        for height in 1..=30 {
            let mut dashboard =
                explaining((width, height), vec![hostile.clone(), lost(), hostile.clone()]);
            dashboard.press("pagedown down pagedown pagedown");
            let screen = dashboard.text();
            assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{width}x{height}");
        }
    }
    let mut dashboard = explaining((80, 24), vec![hostile]);
    shows(&mut dashboard, "more (pagedown)");
}

#[test]
fn many_reasons_scroll_with_the_choice() {
    let many: Vec<Reason> = (0..30)
        .map(|at| reason(&format!("cause-{at}"), Weight::Blocks, "certain", "one of many"))
        .collect();
    let mut dashboard = explaining((80, 24), many);
    shows_not(&mut dashboard, "cause-29");
    for _ in 0..40 {
        dashboard.press("down");
    }
    shows(&mut dashboard, "▶ ▲ blocks cause-29");
}
