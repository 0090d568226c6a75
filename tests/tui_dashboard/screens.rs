//! Every screen and dialog: text and styles, at the size of an old terminal and of a comfortable
//! one, in two themes.

use flowcraft_tui::{
    engine::Timestamp,
    monitor::{CostView, LocksView, QueueView, RunsView, Snapshot, SourceState, WorkersView},
    tui::{Access, Headless, Message, Operation, OperatorError, Outcome, Preview},
};

use crate::{
    fixture::{NOW, ago, catalog, dashboard, dashboard_of, live, snapshot},
    picture,
};

/// Holds what the fixture's dashboard shows after some steps against the stored picture.
fn check(name: &str, steps: impl Fn(&mut Headless)) {
    picture::check(name, dashboard, steps);
}

#[test]
fn overview() {
    check("overview", |_| {});
}

#[test]
fn runs() {
    check("runs", |it| it.press("2 j j"));
}

#[test]
fn runs_marked_and_filtered() {
    check("runs_filtered", |it| {
        it.press("2 /");
        it.type_text("status:run order");
        it.press("enter space space");
    });
}

#[test]
fn run() {
    check("run", |it| it.press("2 j j enter j j j"));
}

#[test]
fn run_values() {
    check("run_values", |it| it.press("2 j j enter tab pagedown"));
}

#[test]
fn queue() {
    check("queue", |it| it.press("3 tab j"));
}

#[test]
fn locks() {
    check("locks", |it| it.press("4 j"));
}

#[test]
fn workers() {
    check("workers", |it| it.press("5"));
}

#[test]
fn cost_by_blueprint() {
    check("cost", |it| it.press("5 tab j"));
}

#[test]
fn more_in_the_header() {
    check("header_detail", |it| it.press("i"));
    let mut dashboard = dashboard((80, 24));
    let brief = dashboard.text();
    dashboard.press("i i");
    assert_eq!(dashboard.text(), brief, "the same key folds it up");
}

#[test]
fn cost_that_is_not_known_is_not_zero() {
    let mut snapshot = snapshot();
    let view = |change: &dyn Fn(&mut WorkersView)| {
        let mut workers = (*self::snapshot().workers.data).clone();
        change(&mut workers);
        live(workers)
    };
    let text = |snapshot: &Snapshot| {
        let mut dashboard = dashboard_of(snapshot.clone(), (100, 30), Access::Full);
        dashboard.press("5 i");
        dashboard.text()
    };
    // On a cluster where nothing is charged.
    snapshot.workers = view(&|workers| {
        let cost = &mut workers.cost;
        let each = cost.workers.iter_mut().filter_map(|worker| worker.cost.as_mut());
        let all = cost.all.iter_mut().chain(cost.dashboard.iter_mut()).chain(each);
        for cost in all.chain(cost.rows.iter_mut().map(|row| &mut row.cost)) {
            (cost.units, cost.units_a_node) = (None, None);
        }
    });
    insta::assert_snapshot!("cost_without_units_100x30", text(&snapshot));
    // Before the second heartbeat.
    snapshot.workers = view(&|workers| {
        workers.cost = CostView::default();
        workers.workers.truncate(2);
    });
    insta::assert_snapshot!("cost_unknown_100x30", text(&snapshot));
    // All workers are of an older version.
    snapshot.workers = view(&|workers| {
        workers.cost = CostView { silent: 3, ..CostView::default() };
        workers.workers.iter_mut().for_each(|worker| worker.cost = None);
    });
    let shown = text(&snapshot);
    assert!(shown.contains("no worker says: they are of an older version"), "{shown}");
    snapshot.workers = live(WorkersView::default());
    let shown = text(&snapshot);
    assert!(shown.contains("no worker is alive"), "{shown}");
}

#[test]
fn blueprints() {
    check("blueprints", |it| it.press("6 j"));
}

#[test]
fn logs() {
    check("logs", |it| it.press("7"));
}

#[test]
fn help() {
    check("help", |it| it.press("?"));
}

#[test]
fn palette() {
    check("palette", |it| it.press(": r e"));
}

#[test]
fn choose_blueprint() {
    check("choose_blueprint", |it| it.press("s down"));
}

#[test]
fn start_form() {
    check("start_form", |it| {
        it.press("s enter end");
        it.type_text("oops");
    });
}

#[test]
fn answer_form() {
    check("answer_form", |it| it.press("2 j j enter a right"));
}

/// The answer to the first plan that was asked for.
fn plan(lines: &[&str], affects: usize) -> Message {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    Message::Previewed { ticket: 1, result: Ok(Preview { lines, affects, plan: None }) }
}

#[test]
fn confirm() {
    check("confirm", |it| {
        it.press("2 x");
        it.hear(plan(
            &[
                "run order-0815: running → cancelled",
                "message m7 (node pack) stays: it is dropped when it is received",
            ],
            1,
        ));
    });
}

#[test]
fn confirm_while_the_plan_is_made() {
    check("confirm_awaited", |it| it.press("R"));
}

#[test]
fn confirm_without_anything_to_do() {
    check("confirm_nothing", |it| {
        it.press("R");
        it.hear(plan(&[], 0));
    });
}

#[test]
fn confirm_that_can_not_be_planned() {
    check("confirm_failed", |it| {
        it.press("r");
        let error =
            OperatorError::Failed("state: can't read run \"order-0815\": no answer".to_owned());
        it.hear(Message::Previewed { ticket: 1, result: Err(error) });
    });
}

#[test]
fn leave() {
    check("leave", |it| it.press("q"));
}

#[test]
fn history_and_toasts() {
    check("history", |it| {
        let outcome =
            Outcome { summary: "cancelled 1 run".to_owned(), run: None, problems: Vec::new() };
        it.hear(Message::Applied {
            operation: Operation::Cancel(vec!["order-0815".into()]),
            result: Ok(outcome),
        });
        it.hear(Message::Applied {
            operation: Operation::PauseWorker,
            result: Err(OperatorError::Failed("the worker has ended".to_owned())),
        });
        it.press("H");
    });
}

#[test]
fn warnings() {
    check("warnings", |it| it.press("W j"));
}

#[test]
fn before_anything_is_known() {
    let open = |size| Headless::new(Snapshot::empty("demo.db").into(), NOW, size, Access::Full);
    picture::check("loading", open, |_| {});
}

#[test]
fn an_empty_cluster_says_what_to_do() {
    let mut empty = Snapshot::empty("demo.db");
    empty.queue = live(QueueView::default());
    empty.runs = live(RunsView::default());
    empty.locks = live(LocksView::default());
    empty.workers = live(WorkersView::default());
    let mut dashboard = Headless::new(empty.into(), NOW, (80, 24), Access::Full);
    insta::assert_snapshot!("empty_80x24", dashboard.text());
    for (key, hint) in [
        ("2", "Press s to start one"),
        ("3", "No messages are waiting"),
        ("5", "flowcraft-tui --no-ui"),
        ("6", "Put JSON files into blueprints/"),
    ] {
        dashboard.press(key);
        let text = dashboard.text();
        assert!(text.contains(hint), "{key}: {text}");
    }
}

#[test]
fn messages_that_nobody_can_take_now_are_not_called_none() {
    let mut held = snapshot();
    held.queue = live(QueueView { depth: 3, ..QueueView::default() });
    let mut dashboard = Headless::new(held.into(), NOW, (80, 24), Access::Full);
    dashboard.press("3");
    let text = dashboard.text();
    assert!(text.contains("None of the messages can be taken now"), "{text}");
    assert!(!text.contains("No messages are waiting"), "{text}");
}

#[test]
fn services_that_are_away_keep_their_data_and_say_so() {
    let mut snapshot = snapshot();
    let stale = |error: &str| SourceState::Stale {
        error: error.into(),
        next_try: Timestamp::from_seconds(NOW.seconds() + 7),
    };
    snapshot.queue.state = stale("queue: can't look at the queue: connection refused");
    snapshot.queue.updated_at = Some(ago(95));
    snapshot.runs.state = stale("state: no answer within 10s");
    snapshot.runs.updated_at = Some(ago(40));
    picture::check("stale", |size| dashboard_of(snapshot.clone(), size, Access::Full), |_| {});
}

#[test]
fn read_only_and_frozen() {
    let mut dashboard = dashboard_of(snapshot(), (80, 24), Access::ReadOnly);
    dashboard.press("f 2");
    insta::assert_snapshot!("read_only_frozen_80x24", dashboard.text());
}

#[test]
fn small_terminals_show_the_pane_with_the_focus() {
    for size in [(50, 14), (30, 8), (20, 4)] {
        let mut dashboard = dashboard(size);
        insta::assert_snapshot!(format!("small_{}x{}", size.0, size.1), dashboard.text());
    }
}

#[test]
fn a_large_terminal_is_used() {
    let mut dashboard = dashboard((200, 60));
    insta::assert_snapshot!("overview_200x60", dashboard.text());
}

#[test]
fn without_a_worker() {
    let mut dashboard = Headless::new(snapshot().into(), NOW, (80, 24), Access::Full);
    dashboard.hear(Message::Catalog(catalog()));
    let text = dashboard.text();
    assert!(text.contains("watch only"), "{text}");
    assert!(!text.contains("p pause"), "{text}");
}
