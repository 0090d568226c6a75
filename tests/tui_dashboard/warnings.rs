//! The list of warnings, the list of what was done, and the ways from there.

use flowcraft_tui::tui::{Command, Message, Operation, OperatorError, Outcome};

use crate::fixture::dashboard;

const SIZE: (u16, u16) = (100, 30);

#[track_caller]
fn shows(dashboard: &mut flowcraft_tui::tui::Headless, text: &str) {
    let screen = dashboard.text();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

#[test]
fn warnings_are_counted_on_every_screen_and_listed() {
    let mut dashboard = dashboard(SIZE);
    shows(&mut dashboard, "W▲5");
    dashboard.press("W");
    shows(&mut dashboard, "Warnings  5, 3 urgent");
    shows(&mut dashboard, "▲ stalled");
    shows(&mut dashboard, "its clock is 14 s ahead");
    dashboard.press("W");
    shows(&mut dashboard, "┏ Runs");
}

#[test]
fn a_warning_leads_to_what_it_is_about_and_back() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("W enter");
    assert!(matches!(
        dashboard.asked().last(),
        Some(Command::WatchRun(Some(run))) if run.as_str() == "order-0815"
    ));
    dashboard.press("esc j enter");
    shows(&mut dashboard, "▶ order-0815");
    shows(&mut dashboard, "dead: worker-dead");
    dashboard.press("esc j enter");
    shows(&mut dashboard, "┏ Dead letters");
    dashboard.press("esc j enter");
    shows(&mut dashboard, "▶ ! worker-us-1");
    dashboard.press("esc esc");
    shows(&mut dashboard, "┏ Runs");
}

#[test]
fn badges_mark_the_rows_that_are_warned_of() {
    let mut dashboard = dashboard((160, 30));
    dashboard.press("2");
    shows(&mut dashboard, "● running!");
    dashboard.press("5");
    shows(&mut dashboard, "! worker-us-1");
}

#[test]
fn what_was_done_is_listed_with_its_outcome() {
    let mut dashboard = dashboard(SIZE);
    let runs = vec!["order-0815".into(), "order-4711".into()];
    let outcome = Outcome {
        summary: "cancelled 1 run".to_owned(),
        run: None,
        problems: vec!["run order-4711: it has ended".to_owned()],
    };
    dashboard.hear(Message::Applied { operation: Operation::Cancel(runs), result: Ok(outcome) });
    let result = Err(OperatorError::Failed("the queue service is away".to_owned()));
    dashboard.hear(Message::Applied { operation: Operation::PauseWorker, result });
    dashboard.press("H");
    shows(&mut dashboard, "✗ Pause this worker");
    shows(&mut dashboard, "the queue service is away");
    dashboard.press("j");
    shows(&mut dashboard, "Cancel 2 runs");
    shows(&mut dashboard, "runs: order-0815, order-4711");
    shows(&mut dashboard, "✗ run order-4711: it has ended");
    dashboard.press("/");
    dashboard.type_text("pause");
    dashboard.press("enter");
    shows(&mut dashboard, "/pause");
    assert!(!dashboard.text().contains("Cancel 2 runs"));
}

#[test]
fn a_lease_is_released_as_it_was_seen() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("L");
    shows(&mut dashboard, "choose a lease among the locks first");
    dashboard.press("4 j L");
    let operation = dashboard.asked().into_iter().find_map(|command| match command {
        Command::Preview { operation, .. } => Some(operation),
        _ => None,
    });
    let Some(Operation::ReleaseLocks { run, locks }) = operation else {
        panic!("no plan was asked for");
    };
    assert_eq!((run.as_str(), locks[0].node.as_str()), ("order-0815", "pack"));
    assert!(locks[0].value.starts_with("worker:worker-dead#"), "{locks:?}");
    shows(&mut dashboard, "Release the lease of node pack of run order-0815?");
}

#[test]
fn several_runs_are_requeued_at_once() {
    let mut dashboard = dashboard(SIZE);
    dashboard.press("2 space space r");
    let asked = dashboard.asked();
    let operation = asked.iter().find_map(|command| match command {
        Command::Preview { operation, .. } => Some(operation),
        _ => None,
    });
    assert!(
        matches!(operation, Some(Operation::RequeueAll(runs)) if runs.len() == 2),
        "{operation:?}"
    );
}
