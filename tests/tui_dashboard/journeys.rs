//! What an operator does, key by key, and what comes of it.

use flowcraft_tui::{
    blueprint::RunId,
    engine::{RunStatus, Timestamp},
    monitor::RunRow,
    tui::{
        ACTIONS, Access, Command, ExitReason, Headless, Letters, Message, Operation, OperatorError,
        Outcome, Preview, Runs,
    },
};
use serde_json::json;

use crate::fixture::{NOW, dashboard, dashboard_of, item, live, runs, snapshot, worker_status};

const SIZE: (u16, u16) = (100, 30);

/// The operation whose plan was asked for, with its ticket.
fn planned(dashboard: &mut Headless) -> (u64, Operation) {
    let asked = dashboard.asked();
    let plan = asked.into_iter().find_map(|command| match command {
        Command::Preview { ticket, operation } => Some((ticket, operation)),
        _ => None,
    });
    plan.expect("a plan was asked for")
}

/// The operation that was let go ahead.
fn applied(dashboard: &mut Headless) -> Option<Operation> {
    dashboard.asked().into_iter().find_map(|command| match command {
        Command::Apply { operation, .. } => Some(operation),
        _ => None,
    })
}

fn answer_plan(dashboard: &mut Headless, ticket: u64, affects: usize) {
    let preview = Preview { lines: vec!["send 1 message".to_owned()], affects, plan: None };
    dashboard.hear(Message::Previewed { ticket, result: Ok(preview) });
}

fn report(dashboard: &mut Headless, operation: Operation, summary: &str) {
    let outcome = Outcome { summary: summary.to_owned(), run: None, problems: Vec::new() };
    dashboard.hear(Message::Applied { operation, result: Ok(outcome) });
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

#[test]
fn every_action_is_in_the_help_with_its_keys() {
    let mut dashboard = dashboard((120, 120));
    dashboard.press("?");
    for info in &ACTIONS {
        shows(&mut dashboard, &format!(" {} ", info.id));
    }
}

#[test]
fn a_long_text_is_scrolled_to_its_end_and_back() {
    let mut dashboard = dashboard((80, 24));
    dashboard.press("? end");
    shows(&mut dashboard, "The mouse works too");
    let end = dashboard.text();
    dashboard.press("down down down up");
    assert_ne!(dashboard.text(), end, "one step up is one line up, from the end too");
    dashboard.press("home");
    shows(&mut dashboard, "Acting on the cluster");
}

#[test]
fn enter_zooms_a_pane_and_esc_comes_back_to_it() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("tab tab enter");
    shows(&mut dashboard, "Dead letters");
    dashboard.press("esc");
    shows(&mut dashboard, "┏ Queue");
    dashboard.press("tab tab enter enter");
    shows(&mut dashboard, "Run order-0815");
    assert!(matches!(
        dashboard.asked().last(),
        Some(Command::WatchRun(Some(run))) if run.as_str() == "order-0815"
    ));
    dashboard.press("esc esc");
    shows(&mut dashboard, "┏ Runs");
    shows(&mut dashboard, "┌ Queue");
    assert!(matches!(dashboard.asked().as_slice(), [Command::WatchRun(None)]));
}

#[test]
fn a_stalled_run_is_found_and_reconciled() {
    let mut dashboard = dashboard(SIZE);
    shows(&mut dashboard, "▲1 stalled");
    dashboard.press("R");
    let (ticket, operation) = planned(&mut dashboard);
    assert_eq!(operation, Operation::Reconcile(Runs::AllStalled));
    dashboard.press("y");
    assert_eq!(applied(&mut dashboard), None, "there is no plan to agree to yet");
    answer_plan(&mut dashboard, ticket, 1);
    shows(&mut dashboard, "it concerns 1");
    dashboard.press("enter");
    assert_eq!(applied(&mut dashboard), None, "the focus is on the harmless button at first");
    dashboard.press("R");
    let (ticket, operation) = planned(&mut dashboard);
    answer_plan(&mut dashboard, ticket, 1);
    dashboard.press("y");
    assert_eq!(applied(&mut dashboard), Some(operation.clone()));
    shows(&mut dashboard, "1 under way");
    report(&mut dashboard, operation, "reconciled 1 run: 1 node enqueued");
    shows(&mut dashboard, "✓ reconciled 1 run: 1 node enqueued");
    shows_not(&mut dashboard, "under way");
    assert!(matches!(dashboard.asked().as_slice(), [Command::Refresh]));
    dashboard.hear(Message::Tick(Timestamp::from_seconds(NOW.seconds() + 7)));
    shows_not(&mut dashboard, "reconciled 1 run");
    dashboard.press("H");
    shows(&mut dashboard, "Reconcile all stalled runs");
}

#[test]
fn several_marked_runs_are_cancelled_at_once() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 space j space");
    shows(&mut dashboard, "◆ 2 marked");
    dashboard.press("x");
    let (ticket, operation) = planned(&mut dashboard);
    let Operation::Cancel(chosen) = &operation else { panic!("{operation:?}") };
    assert_eq!(chosen.len(), 2);
    answer_plan(&mut dashboard, ticket, 2);
    shows(&mut dashboard, "Cancel 2 runs?");
    shows(&mut dashboard, "This can't be undone.");
    dashboard.press("tab enter");
    assert_eq!(applied(&mut dashboard), Some(operation.clone()));
    report(&mut dashboard, operation, "cancelled 2 runs");
    shows_not(&mut dashboard, "marked");
}

#[test]
fn everything_that_matches_the_filter_is_marked() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 /");
    dashboard.type_text("status:await");
    dashboard.press("enter *");
    shows(&mut dashboard, "◆ 2 marked");
    dashboard.press("x");
    let (_, operation) = planned(&mut dashboard);
    let Operation::Cancel(runs) = operation else { panic!("{operation:?}") };
    let mut ids: Vec<&str> = runs.iter().map(RunId::as_str).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["approve-発注-42", "cool-down-7"]);
    dashboard.press("esc *");
    shows_not(&mut dashboard, "marked");
}

#[test]
fn a_plan_that_comes_too_late_is_not_shown_for_another_question() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 x");
    let (first, _) = planned(&mut dashboard);
    dashboard.press("esc r");
    let (second, operation) = planned(&mut dashboard);
    answer_plan(&mut dashboard, first, 1);
    shows(&mut dashboard, "Making the plan");
    dashboard.press("y");
    assert_eq!(applied(&mut dashboard), None);
    answer_plan(&mut dashboard, second, 1);
    dashboard.press("y");
    assert_eq!(applied(&mut dashboard), Some(operation));
}

#[test]
fn when_something_moved_a_new_plan_is_made() {
    let mut dashboard = dashboard(SIZE);
    let operation = Operation::Requeue { run: "order-0815".into(), nodes: Vec::new() };
    let moved = OperatorError::Moved("node pack was started".to_owned());
    dashboard.hear(Message::Applied { operation: operation.clone(), result: Err(moved) });
    let (ticket, again) = planned(&mut dashboard);
    assert_eq!(again, operation);
    answer_plan(&mut dashboard, ticket, 1);
    shows(&mut dashboard, "Something changed meanwhile (node pack was started)");
}

#[test]
fn a_failure_is_reported() {
    let mut dashboard = dashboard(SIZE);
    let error = OperatorError::Failed("queue: can't send: the disk is full".to_owned());
    let operation = Operation::Requeue { run: "order-0815".into(), nodes: Vec::new() };
    dashboard.hear(Message::Applied { operation, result: Err(error) });
    shows(&mut dashboard, "✗ queue: can't send: the disk is full");
}

#[test]
fn the_chosen_node_of_a_run_is_requeued() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 j j enter j j j r");
    let (_, operation) = planned(&mut dashboard);
    let expected = Operation::Requeue { run: "order-4711".into(), nodes: vec!["pay".into()] };
    assert_eq!(operation, expected);
}

#[test]
fn a_run_is_started_with_a_checked_input() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("s");
    dashboard.type_text("order");
    dashboard.press("enter");
    shows(&mut dashboard, "the blueprint's example");
    dashboard.type_text("oops");
    shows(&mut dashboard, "✗ line 1, column 1");
    dashboard.press("tab enter");
    assert!(dashboard.asked().is_empty(), "what is not JSON can't be sent");
    dashboard.press("backspace backspace backspace backspace");
    shows(&mut dashboard, "✓ valid JSON");
    dashboard.press("tab enter");
    let (ticket, operation) = planned(&mut dashboard);
    let input = json!({"order": 4711, "items": ["pen"]});
    assert_eq!(operation, Operation::Start { blueprint: "order-intake".into(), input });
    answer_plan(&mut dashboard, ticket, 1);
    dashboard.press("n");
    shows(&mut dashboard, "Input as JSON");
    dashboard.press("enter");
    let (ticket, operation) = planned(&mut dashboard);
    answer_plan(&mut dashboard, ticket, 1);
    dashboard.press("y");
    assert_eq!(applied(&mut dashboard), Some(operation.clone()));
    let outcome = Outcome {
        summary: "started run order-4712".to_owned(),
        run: Some("order-4712".into()),
        problems: Vec::new(),
    };
    dashboard.hear(Message::Applied { operation, result: Ok(outcome) });
    shows(&mut dashboard, "Run order-4712");
}

#[test]
fn what_was_typed_is_still_there_after_esc() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("s enter");
    dashboard.type_text("draft ");
    dashboard.press("esc s enter");
    shows(&mut dashboard, "draft {");
}

#[test]
fn a_waiting_node_is_answered_with_one_of_its_actions() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 j j a right right");
    shows(&mut dashboard, "reject");
    dashboard.press("tab");
    dashboard.type_text("{\"why\":1}");
    dashboard.press("tab enter");
    let (_, operation) = planned(&mut dashboard);
    let expected = Operation::Resume {
        run: "order-4711".into(),
        node: "approve".into(),
        action: Some("reject".to_owned()),
        output: Some(json!({"why": 1})),
    };
    assert_eq!(operation, expected);
}

#[test]
fn dead_letters_are_replayed_one_by_one_or_all() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("3 tab enter j P");
    let (_, operation) = planned(&mut dashboard);
    assert_eq!(operation, Operation::Replay(Letters::These(vec!["d3".to_owned()])));
    dashboard.press("esc tab X");
    let (_, operation) = planned(&mut dashboard);
    assert_eq!(operation, Operation::Purge(Letters::All));
}

#[test]
fn the_worker_is_paused_and_goes_on() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("p");
    assert_eq!(planned(&mut dashboard).1, Operation::PauseWorker);
    dashboard.press("esc");
    let mut paused = worker_status(0);
    paused.mode = flowcraft_tui::cluster::WorkerMode::Paused;
    dashboard.hear(Message::Worker(paused));
    shows(&mut dashboard, "‖ paused");
    dashboard.press("p");
    assert_eq!(planned(&mut dashboard).1, Operation::ResumeWorker);
}

#[test]
fn leaving_waits_for_what_is_running() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("q");
    shows(&mut dashboard, "3 nodes are still running");
    dashboard.press("esc");
    assert!(dashboard.asked().is_empty());
    dashboard.press("q y");
    assert_eq!(applied(&mut dashboard), Some(Operation::DrainWorker));
    shows(&mut dashboard, "LEAVING: 3 left, q: at once");
    dashboard.hear(Message::Worker(worker_status(1)));
    assert!(dashboard.asked().is_empty());
    dashboard.hear(Message::Worker(worker_status(0)));
    assert!(matches!(dashboard.asked().as_slice(), [Command::Exit(ExitReason::Quit)]));
}

#[test]
fn a_second_quit_leaves_at_once() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("q y");
    dashboard.asked();
    dashboard.press("q");
    assert!(matches!(dashboard.asked().as_slice(), [Command::Exit(ExitReason::QuitAtOnce)]));
}

#[test]
fn with_nothing_running_quit_quits() {
    let mut dashboard = dashboard(SIZE);
    dashboard.hear(Message::Worker(worker_status(0)));
    dashboard.press("q");
    assert!(matches!(dashboard.asked().as_slice(), [Command::Exit(ExitReason::Quit)]));
}

#[test]
fn read_only_refuses_everything_that_changes_the_cluster() {
    let mut dashboard = dashboard_of(snapshot(), SIZE, Access::ReadOnly);
    for info in ACTIONS.iter().filter(|info| info.action.changes()) {
        dashboard.press(info.keys[0]);
        shows(&mut dashboard, &format!("read-only: `{}` is switched off", info.id));
        shows_not(&mut dashboard, &format!("{} {}  ", info.keys[0], info.hint));
    }
    assert!(dashboard.asked().is_empty());
    dashboard.press(":");
    dashboard.type_text("cancel");
    shows(&mut dashboard, "Nothing matches");
    dashboard.press("esc ?");
    shows(&mut dashboard, "(off: read-only)");
}

#[test]
fn the_selection_follows_its_run() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 j j");
    shows(&mut dashboard, "▶ ● running!  order-4711 ");
    let mut next = snapshot();
    let fresh = (0..5).map(|at| RunRow {
        item: item(&format!("fresh-{at}"), RunStatus::Running, 1, 1),
        stalled: true,
    });
    let known: Vec<RunRow> = next.runs.data.iter().map(|row| (**row).clone()).collect();
    next.runs = live(runs(known.into_iter().chain(fresh)));
    dashboard.hear(Message::Snapshot(next.into()));
    shows(&mut dashboard, "fresh-3");
    shows(&mut dashboard, "▶ ● running!  order-4711 ");
}

#[test]
fn at_the_top_the_selection_stays_at_the_top() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 j g");
    let mut next = snapshot();
    let first = RunRow { item: item("brand-new", RunStatus::Running, 1, 1), stalled: true };
    next.runs = live(runs([first]));
    dashboard.hear(Message::Snapshot(next.into()));
    shows(&mut dashboard, "▶ ▲ stalled   brand-new");
}

#[test]
fn a_frozen_display_holds_still_and_catches_up() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("f");
    shows(&mut dashboard, "FROZEN");
    let mut next = snapshot();
    next.runs =
        live(runs([RunRow { item: item("brand-new", RunStatus::Running, 1, 1), stalled: false }]));
    dashboard.hear(Message::Snapshot(next.into()));
    shows(&mut dashboard, "order-4711");
    shows_not(&mut dashboard, "brand-new");
    dashboard.press("f");
    shows(&mut dashboard, "brand-new");
    shows_not(&mut dashboard, "FROZEN");
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_esc_drops_it() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 /");
    dashboard.type_text("status:fai");
    shows(&mut dashboard, "failed-1");
    shows_not(&mut dashboard, "cool-down-7");
    dashboard.press("esc");
    shows(&mut dashboard, "cool-down-7");
    dashboard.press("/");
    dashboard.type_text("nothing-like-it");
    dashboard.press("enter");
    shows(&mut dashboard, "No runs match \"nothing-like-it\"");
    dashboard.press("esc");
    shows(&mut dashboard, "cool-down-7");
}

#[test]
fn the_palette_does_what_it_names() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press(":");
    dashboard.type_text("workers");
    dashboard.press("enter");
    shows(&mut dashboard, "Workers  3 alive");
}

#[test]
fn a_run_id_is_copied() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 j j y");
    assert!(matches!(dashboard.asked().as_slice(), [Command::Copy(text)] if text == "order-4711"));
    shows(&mut dashboard, "copied order-4711");
}

#[test]
fn a_lock_leads_to_its_run() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("4 j enter");
    shows(&mut dashboard, "Run order-0815");
    dashboard.press("esc");
    shows(&mut dashboard, "Locks  3 held");
}

#[test]
fn the_mouse_focuses_selects_and_scrolls() {
    use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let at = |kind, column, row| {
        Message::Input(Event::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }))
    };
    let click = |column, row| at(MouseEventKind::Down(MouseButton::Left), column, row);
    let mut dashboard = dashboard(SIZE);
    let screen = dashboard.text();
    let row = screen.lines().position(|line| line.contains("cool-down-7")).unwrap();
    dashboard.hear(click(20, u16::try_from(row).unwrap()));
    shows(&mut dashboard, "▶ ◷ awaiting  cool-down-7");
    dashboard.hear(at(MouseEventKind::ScrollUp, 20, u16::try_from(row).unwrap()));
    shows(&mut dashboard, "▶ ● running   order-4711.ship");
    dashboard.hear(click(5, 4));
    shows(&mut dashboard, "┏ Queue");
    let tab = dashboard.text().lines().nth(1).unwrap().find("Workers").unwrap();
    dashboard.hear(click(u16::try_from(tab).unwrap(), 1));
    shows(&mut dashboard, "Workers  3 alive");
}

#[test]
fn nothing_is_drawn_anew_for_what_nobody_sees() {
    use crossterm::event::{Event, KeyModifiers, MouseEvent, MouseEventKind};
    let mut dashboard = dashboard(SIZE);
    dashboard.draw();
    let moved = MouseEvent {
        kind: MouseEventKind::Moved,
        column: 3,
        row: 3,
        modifiers: KeyModifiers::NONE,
    };
    dashboard.hear(Message::Input(Event::Mouse(moved)));
    assert!(!dashboard.is_dirty());
    dashboard.press("j");
    dashboard.hear(Message::Tick(NOW));
    assert!(dashboard.is_dirty());
}

#[test]
fn a_megabyte_that_is_pasted_is_cut_and_said_so() {
    use crossterm::event::Event;
    let mut dashboard = dashboard(SIZE);
    dashboard.press("s enter");
    dashboard.hear(Message::Input(Event::Paste("x\u{1b}[31m".repeat(200_000))));
    shows(&mut dashboard, "the paste was cut");
    shows(&mut dashboard, "✗ line 1, column 1");
}
