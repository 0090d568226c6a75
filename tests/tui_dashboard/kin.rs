//! From a run to its parent and its children and back, and what is written to files.

use flowcraft_tui::{
    engine::{Parent, RunStatus},
    monitor::{RunDetail, RunRow},
    tui::{Access, Command, Headless, Message},
};
use serde_json::{Value, json};

use crate::{
    faces::{opened, rich, selected, shows, snapshot_of, with_lines},
    fixture::{HOSTILE, dashboard, dashboard_of, detail, item, live, runs, snapshot},
};

/// The parent's and the child's details, as the monitor gives them when they are watched.
pub(crate) fn child_detail() -> RunDetail {
    let mut detail = detail("order-4711.pay");
    detail.parent = Some(Parent {
        run: "order-4711".into(),
        blueprint: "order-intake".into(),
        node: "pay".into(),
    });
    detail
}

#[test]
fn down_to_a_child_run_and_back_to_the_same_node() {
    let mut dashboard = opened(rich(), (120, 40), 1);
    dashboard.press("j j j");
    dashboard.asked();
    dashboard.press("enter");
    assert!(matches!(
        dashboard.asked().as_slice(),
        [Command::WatchRun(Some(run))] if run.as_str() == "order-4711.pay"
    ));
    dashboard.hear(Message::Snapshot(snapshot_of(child_detail()).into()));
    shows(&mut dashboard, "Run order-4711 › pay");
    dashboard.press("j");
    dashboard.press("esc");
    assert!(matches!(
        dashboard.asked().as_slice(),
        [Command::WatchRun(Some(run))] if run.as_str() == "order-4711"
    ));
    shows(&mut dashboard, "Reading the run");
    dashboard.hear(Message::Snapshot(snapshot_of(rich()).into()));
    assert!(selected(&mut dashboard).contains("pay"), "{}", selected(&mut dashboard));
    dashboard.press("esc");
    shows(&mut dashboard, "┏ Runs");
}

#[test]
fn up_to_the_parent_run_and_down_again() {
    let mut dashboard = dashboard((120, 40));
    dashboard.press("2 j u");
    shows(&mut dashboard, "Run order-4711  ● running");
    dashboard.press("esc");
    shows(&mut dashboard, "┏ Runs");
    dashboard.press("enter");
    shows(&mut dashboard, "Run order-4711 › ship");
    dashboard.press("u");
    shows(&mut dashboard, "Run order-4711  ●");
    dashboard.press("esc");
    shows(&mut dashboard, "Run order-4711 › ship");
    dashboard.press("1 2 g u");
    shows(&mut dashboard, "works for no other run");
}

#[test]
fn of_several_child_runs_one_is_chosen() {
    let mut dashboard = opened(rich(), (100, 30), 1);
    dashboard.press("j j j j c");
    shows(&mut dashboard, "Open which child run?");
    insta::assert_snapshot!("choose_child_100x30", dashboard.text());
    dashboard.type_text("2.1");
    dashboard.press("enter");
    shows(&mut dashboard, "Run order-4711 › x.2.1");
    let mut dashboard = opened(rich(), (100, 30), 1);
    dashboard.press("c");
    shows(&mut dashboard, "order-4711.ship");
    let mut alone = rich();
    alone.run = "order-0815".into();
    alone.children.clear();
    let mut dashboard = dashboard_of(snapshot_of(alone), (100, 30), Access::Full);
    dashboard.press("2 enter c");
    shows(&mut dashboard, "this run has no child runs");
}

#[test]
fn a_way_round_in_circles_ends() {
    let mut snapshot = snapshot();
    let row = |run: &str, parent: &str| {
        let mut item = item(run, RunStatus::Running, 10, 10);
        item.parent_run_id = Some(parent.into());
        RunRow { item, stalled: false }
    };
    snapshot.runs = live(runs([row("a", "b"), row("b", "a"), row("self", "self")]));
    for keys in ["2 enter", "2 j enter", "2 j j enter"] {
        let mut dashboard = dashboard_of(snapshot.clone(), (100, 30), Access::Full);
        dashboard.press(keys);
        shows(&mut dashboard, "Run ");
        for _ in 0..60 {
            dashboard.press("u");
        }
        for _ in 0..70 {
            dashboard.press("esc");
        }
        shows(&mut dashboard, "┏ Runs");
    }
}

/// Writes what was asked to be exported into a folder, and tells the dashboard.
fn export(dashboard: &mut Headless, folder: &std::path::Path) -> (String, Value) {
    let command = dashboard.asked().into_iter().find_map(|command| match command {
        Command::Export(export) => Some(export),
        _ => None,
    });
    let mut export = command.expect("a file was asked for");
    let name = export.file.display().to_string();
    export.file = folder.join(&export.file);
    let (file, size) = export.write().unwrap();
    let value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    dashboard
        .hear(Message::Exported { title: export.title, result: Ok((name.clone().into(), size)) });
    (name, value)
}

#[test]
fn a_run_a_value_lines_and_lists_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut dashboard = opened(rich(), (100, 40), 1);
    dashboard.press("e");
    shows(&mut dashboard, "● run order-4711");
    shows(&mut dashboard, "file: order-4711.json");
    insta::assert_snapshot!("export_100x40", dashboard.text());
    dashboard.press("enter");
    let (name, run) = export(&mut dashboard, folder.path());
    assert_eq!(name, "order-4711.json");
    shows(&mut dashboard, "written to order-4711.json (");
    let mut members: Vec<&str> = run.as_object().unwrap().keys().map(String::as_str).collect();
    members.truncate(11);
    // As `show --json` has them.
    let expected = [
        "runId",
        "status",
        "outputs",
        "context",
        "awaiting",
        "errors",
        "blueprintId",
        "parentRunId",
        "startedAt",
        "lastUpdated",
        "nodes",
    ];
    assert_eq!(members, expected);
    assert_eq!(run["errors"][0]["nodeId"], "pay");
    assert_eq!(run["nodes"][0]["startedAt"], json!(1_799_999_940.0));

    dashboard.press("v v /");
    dashboard.type_text("pen-003");
    dashboard.press("enter left e");
    shows(&mut dashboard, "● the value context.items[3]");
    dashboard.press("tab");
    shows(&mut dashboard, "file: order-4711.json");
    dashboard.press("tab enter");
    let (name, value) = export(&mut dashboard, folder.path());
    assert_eq!(
        (name.as_str(), value),
        ("order-4711-context.items_3.json", json!({"sku": "pen-003", "n": 3}))
    );

    dashboard.press("2 e");
    shows(&mut dashboard, "● 10 runs");
    dashboard.press("backspace backspace backspace backspace backspace");
    dashboard.type_text("-mine.json");
    dashboard.press("enter");
    let (name, list) = export(&mut dashboard, folder.path());
    assert_eq!((name.as_str(), list.as_array().unwrap().len()), ("runs-mine.json", 10));
    let members: Vec<&str> = list[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["runId", "blueprintId", "status", "stalled", "startedAt", "lastUpdated", "nodes", "error"];
    assert_eq!(members, expected);
    dashboard.press("space space e");
    shows(&mut dashboard, "● 2 marked runs");
    dashboard.press("enter");
    let (_, list) = export(&mut dashboard, folder.path());
    assert_eq!(list.as_array().unwrap().len(), 2);
    for (keys, what, count) in [
        ("3", "3 messages", 3),
        ("tab", "3 dead letters", 3),
        ("4", "3 locks", 3),
        ("5", "3 workers", 3),
    ] {
        dashboard.press(keys);
        dashboard.press("e");
        shows(&mut dashboard, what);
        dashboard.press("enter");
        let (_, list) = export(&mut dashboard, folder.path());
        assert_eq!(list.as_array().unwrap().len(), count);
    }
    dashboard.press("6 e");
    shows(&mut dashboard, "there is nothing here to export");

    let mut dashboard = with_lines((100, 40));
    dashboard.press("e enter");
    let (name, lines) = export(&mut dashboard, folder.path());
    assert_eq!(name, "order-4711-log.json");
    assert_eq!((&lines[0]["node"], &lines[3]["text"]), (&json!("check"), &json!(HOSTILE)));
}

#[test]
fn an_export_that_fails_says_why() {
    let mut dashboard = opened(rich(), (100, 40), 1);
    dashboard.press("e enter");
    let title = "Export of run order-4711".to_owned();
    dashboard.hear(Message::Exported { title, result: Err("the disk is full".to_owned()) });
    shows(&mut dashboard, "✗ nothing was written: the disk is full");
}
