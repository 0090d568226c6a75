//! Lists, filtered and ordered: few runs at once, many in the background.

use std::sync::Arc;

use flowcraft_tui::{
    cluster::StatusItem,
    engine::{RunStatus, Timestamp},
    monitor::{OlderRuns, RunRow, RunsView, Snapshot},
    tui::{Access, Command, Headless, ListJob, Message, Operation, Preview},
};

use crate::fixture::{NOW, ago, dashboard, dashboard_of, item, live, runs, snapshot};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

fn shows(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(screen.contains(text), "{text:?} is not on\n{screen}");
}

fn lacks(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(!screen.contains(text), "{text:?} is on\n{screen}");
}

#[test]
fn a_filter_says_what_it_leaves_and_how_it_may_go_on() {
    for size in SIZES {
        let mut dashboard = dashboard(size);
        dashboard.press("2 /");
        let name = |what: &str| format!("filter_{what}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("begun"), dashboard.text());
        dashboard.type_text("status:failed,a");
        insta::assert_snapshot!(name("completed"), dashboard.text());
        dashboard.press("tab");
        shows(&mut dashboard, "filter: status:failed,awaiting ");
        shows(&mut dashboard, "3 of 10");
        dashboard.press("ctrl-u");
        dashboard.type_text("status:failed statsu:x");
        insta::assert_snapshot!(name("wrong"), dashboard.text());
        shows(&mut dashboard, "failed-1");
        dashboard.press("enter");
        shows(&mut dashboard, "failed-1");
        dashboard.press("esc");
        shows(&mut dashboard, "order-4709");
    }
}

#[test]
fn a_list_that_lacks_older_runs_says_so() {
    for (older, said) in [
        (OlderRuns::Coming, "done  reading older …"),
        (OlderRuns::LeftOut, "2 done  the newest 10  1 cancelled ━"),
        (OlderRuns::None, "2 done  1 cancelled ━"),
    ] {
        let mut snapshot = snapshot();
        let mut view = RunsView::clone(&snapshot.runs.data);
        view.set_older(older);
        snapshot.runs = live(view);
        let mut dashboard = dashboard_of(snapshot, (80, 24), Access::Full);
        dashboard.press("2");
        shows(&mut dashboard, said);
    }
}

#[test]
fn a_timer_is_told_from_an_answer() {
    let asleep =
        |due| StatusItem { next_due_at: Some(due), ..item("r", RunStatus::Awaiting, 900, 600) };
    let later = Timestamp::from_seconds(NOW.seconds() + 90);
    for (item, stalled, said) in [
        (asleep(later), false, "timer due in 1m"),
        (asleep(ago(2)), false, "timer due  "),
        (asleep(ago(20)), false, "timer due since 20s"),
        (asleep(ago(400)), true, "timer due since 6m"),
        (item("r", RunStatus::Awaiting, 900, 600), false, "waits for an answer"),
    ] {
        let view = runs([RunRow { item, stalled }]);
        let mut dashboard =
            dashboard_of(Snapshot { runs: live(view), ..snapshot() }, (160, 48), Access::Full);
        dashboard.press("2");
        shows(&mut dashboard, said);
        dashboard.press("/");
        let words = said.split(" since").next().unwrap().split(" in").next().unwrap();
        dashboard.type_text(words.trim());
        shows(&mut dashboard, "1 of 1");
    }
}

#[test]
fn a_filter_that_means_nothing_is_not_taken() {
    let mut dashboard = dashboard((80, 24));
    dashboard.press("2 /");
    dashboard.type_text("stat:failed");
    dashboard.press("enter");
    shows(&mut dashboard, "the filter can't be used");
    shows(&mut dashboard, "filter: stat:failed");
    dashboard.press("ctrl-u");
    dashboard.type_text("status:failed");
    dashboard.press("enter");
    shows(&mut dashboard, "/status:failed ━");
    lacks(&mut dashboard, "filter: ");
}

#[test]
fn marks_that_the_list_does_not_show_are_told_before_anything_is_done() {
    let mut dashboard = dashboard((80, 24));
    dashboard.press("2 space space /");
    dashboard.type_text("status:failed");
    dashboard.press("enter x");
    shows(&mut dashboard, "2 marked runs are not among those that the list shows.");
    dashboard.press("esc esc esc space space x");
    lacks(&mut dashboard, "not among those");
}

#[test]
fn terms_with_times_turn_as_time_passes() {
    let mut dashboard = dashboard((80, 24));
    dashboard.press("2 /");
    dashboard.type_text("age>70s status:running -stalled");
    dashboard.press("enter");
    lacks(&mut dashboard, "order-4711");
    dashboard.hear(Message::Tick(Timestamp::from_seconds(NOW.seconds() + 6)));
    shows(&mut dashboard, "order-4711");
    lacks(&mut dashboard, "order-4711.ship");
}

#[test]
fn lists_are_ordered_by_keys_and_by_clicks() {
    use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut dashboard = dashboard((160, 48));
    let first = |dashboard: &mut Headless| {
        let screen = dashboard.text();
        let line = screen.lines().nth(4).unwrap().to_owned();
        line.split_whitespace().find(|word| word.contains('-')).unwrap().to_owned()
    };
    dashboard.press("2 g");
    assert_eq!(first(&mut dashboard), "order-0815", "what needs attention comes first");
    dashboard.press("o o");
    shows(&mut dashboard, "Runs by run ↑");
    shows(&mut dashboard, "run ↑");
    assert!(first(&mut dashboard).starts_with("a-run-id"));
    dashboard.press("O");
    shows(&mut dashboard, "run ↓");
    assert_eq!(first(&mut dashboard), "order-4711.ship");
    let head = dashboard.text().lines().nth(3).unwrap().to_owned();
    let column = |title: &str| {
        let at = head.find(title).unwrap();
        u16::try_from(head[..at].chars().count()).unwrap()
    };
    for (title, shown, run) in [
        ("age", "age ↑", "order-4711.ship"),
        ("age", "age ↓", "a-run-id"),
        ("note", "", "order-0815"),
    ] {
        let click = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: column(title),
            row: 3,
            modifiers: KeyModifiers::NONE,
        };
        dashboard.hear(Message::Input(Event::Mouse(click)));
        shows(&mut dashboard, shown);
        let first = first(&mut dashboard);
        assert!(first.starts_with(run), "{title}: {first}");
    }
}

fn many() -> RunsView {
    let statuses = [RunStatus::Completed, RunStatus::Failed, RunStatus::Running];
    runs((0..6_000_usize).map(|at| {
        let age = i64::try_from(at).unwrap();
        let item = item(&format!("run-{at:05}"), statuses[at % 3], age + 60, age);
        RunRow { item, stalled: false }
    }))
}

fn of_many(view: RunsView) -> Snapshot {
    Snapshot { runs: live(view), ..snapshot() }
}

fn jobs(dashboard: &mut Headless) -> Vec<ListJob> {
    let asked = dashboard.asked().into_iter();
    let jobs = asked.filter_map(|command| match command {
        Command::List(job) => Some(job),
        _ => None,
    });
    jobs.collect()
}

#[test]
fn many_runs_are_filtered_in_the_background_with_progress() {
    let mut dashboard = dashboard_of(of_many(many()), (80, 24), Access::Full);
    let first = jobs(&mut dashboard).pop().unwrap();
    dashboard.hear(first.run(drop).unwrap());
    dashboard.press("2 down down");
    shows(&mut dashboard, "▶ ● running   run-00008");

    dashboard.press("/");
    dashboard.type_text("stat");
    let skipped = jobs(&mut dashboard);
    dashboard.type_text("us:failed");
    let wanted = jobs(&mut dashboard).pop().unwrap();
    for job in skipped {
        assert!(job.run(drop).is_none(), "the next key ended it");
    }
    shows(&mut dashboard, "filtering …");
    shows(&mut dashboard, "▶ ● running   run-00008");
    let mut half = None;
    let done = wanted
        .run(|part| {
            if half.is_none() {
                half = Some(part);
            }
        })
        .unwrap();
    dashboard.hear(half.unwrap());
    let screen = dashboard.text();
    assert!(screen.contains(" %") && screen.contains("run-00008"), "{screen}");
    insta::assert_snapshot!("filtering_80x24", screen);
    dashboard.press("enter");
    dashboard.hear(done);
    shows(&mut dashboard, "run-00007");
    lacks(&mut dashboard, "run-00008");
    lacks(&mut dashboard, "filtering");

    // A change is worked in without another job.
    let mut view = many();
    view.put(RunRow { item: item("run-99999", RunStatus::Failed, 1, 1), stalled: false });
    dashboard.hear(Message::Snapshot(Arc::new(of_many(view))));
    shows(&mut dashboard, "run-99999");
    assert!(jobs(&mut dashboard).is_empty());
}

#[test]
fn all_rows_are_marked_and_acted_on() {
    let mut dashboard = dashboard_of(of_many(many()), (80, 24), Access::Full);
    let first = jobs(&mut dashboard).pop().unwrap();
    dashboard.hear(first.run(drop).unwrap());
    dashboard.press("2 *");
    shows(&mut dashboard, "◆ 6000 marked");
    dashboard.press("space");
    shows(&mut dashboard, "◆ 5999 marked");
    dashboard.press("x");
    let asked = dashboard.asked();
    let Some(Command::Preview { operation: Operation::Cancel(runs), .. }) = asked.first() else {
        panic!("{asked:?}")
    };
    assert_eq!(runs.len(), 5_999);
    dashboard.press("esc *");
    lacks(&mut dashboard, "marked");
}

#[test]
fn a_plan_of_many_lines_can_be_read_to_its_end() {
    let mut dashboard = dashboard((80, 24));
    dashboard.press("2 x");
    let lines = (0..5_000).map(|at| format!("run run-{at:05}: running → cancelled")).collect();
    let plan = Preview { lines, affects: 5_000, plan: None };
    dashboard.hear(Message::Previewed { ticket: 1, result: Ok(plan) });
    shows(&mut dashboard, "it concerns 5000:");
    shows(&mut dashboard, "run-00000: running");
    dashboard.press("pagedown j j");
    lacks(&mut dashboard, "it concerns");
    shows(&mut dashboard, "run-00011: running");
    for _ in 0..600 {
        dashboard.press("pagedown");
    }
    shows(&mut dashboard, "run-04999: running");
    shows(&mut dashboard, "This can't be undone.");
    dashboard.press("k");
    lacks(&mut dashboard, "This can't be undone.");
}
