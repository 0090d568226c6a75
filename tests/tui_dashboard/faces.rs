//! The run beside its graph: inspector, values, log lines; what is copied.

use flowcraft_tui::{
    engine::{RunStatus, Timestamp},
    monitor::{ChildRun, RunDetail, Snapshot},
    tui::{Access, Command, Headless, Message},
};
use serde_json::{Value, json};
use tracing::Level;

use crate::fixture::{HOSTILE, NOW, ago, dashboard_of, detail, live, snapshot};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

/// A run with something of every kind in it.
pub(crate) fn rich() -> RunDetail {
    let mut detail = detail("order-4711");
    let object = |value: Value| match value {
        Value::Object(members) => members,
        _ => unreachable!(),
    };
    detail.context = object(json!({
        "customer": {"name": "Ada 日本", "vip": false, "since": null, "tags": []},
        "items": (0..120).map(|at| json!({"sku": format!("pen-{at:03}"), "n": at})).collect::<Vec<_>>(),
        "note": HOSTILE,
        "letter": "Dear reader, this goes on. ".repeat(90),
        "a key with spaces": {"x": 1.5},
    }));
    detail.inputs = object(json!({"charge": {"amount": 129.5, "card": "tok_1"}}));
    for node in &mut detail.nodes {
        match node.id.as_str() {
            "charge" => node.input = vec!["inputs".to_owned(), "charge".to_owned()],
            "approve" => node.input = vec!["outputs".to_owned(), "check".to_owned()],
            _ => {}
        }
    }
    let child = |node: &str, run: &str| ChildRun {
        node: node.into(),
        run: run.into(),
        status: Some(RunStatus::Running),
        certain: true,
    };
    detail.children = vec![
        child("pay", "order-4711.pay"),
        child("発注ノード", "order-4711.x.2.1"),
        child("発注ノード", "order-4711.x"),
    ];
    detail
}

pub(crate) fn snapshot_of(detail: RunDetail) -> Snapshot {
    Snapshot { detail: live(Some(detail)), ..snapshot() }
}

/// The dashboard with the run open, turned to a face: 0 graph, 1 nodes, 2 timeline, 3 context,
/// 4 logs.
pub(crate) fn opened(detail: RunDetail, size: (u16, u16), face: usize) -> Headless {
    let mut dashboard = dashboard_of(snapshot_of(detail), size, Access::Full);
    dashboard.press("2 j j enter");
    for _ in 0..face {
        dashboard.press("v");
    }
    dashboard
}

#[track_caller]
pub(crate) fn shows(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

#[track_caller]
pub(crate) fn shows_not(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(!screen.contains(text), "{text:?} is on the screen:\n{screen}");
}

/// The selected line.
pub(crate) fn selected(dashboard: &mut Headless) -> String {
    let text = dashboard.text();
    let line = text.lines().find(|line| line.contains("▶ ")).unwrap_or_default();
    line.split("▶ ").nth(1).unwrap_or_default().split('┃').next().unwrap().trim().to_owned()
}

fn copied(dashboard: &mut Headless) -> Option<String> {
    dashboard.asked().into_iter().find_map(|command| match command {
        Command::Copy(text) => Some(text),
        _ => None,
    })
}

fn picture(name: &str, prepare: impl Fn((u16, u16)) -> Headless) {
    for size in SIZES {
        let text = prepare(size).text();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text);
    }
}

#[test]
fn the_context_in_pictures() {
    picture("context", |size| {
        let mut dashboard = opened(rich(), size, 3);
        dashboard.press("down space down down");
        dashboard
    });
    picture("context_text", |size| {
        let mut dashboard = opened(rich(), size, 3);
        dashboard.press("down down down down");
        dashboard
    });
    picture("context_search", |size| {
        let mut dashboard = opened(rich(), size, 3);
        dashboard.press("/");
        dashboard.type_text("pen-04");
        dashboard.press("enter n n");
        dashboard
    });
    picture("context_whole", |size| {
        let mut dashboard = opened(rich(), size, 3);
        dashboard.press("down down down down enter down");
        dashboard
    });
}

#[test]
fn values_fold_and_unfold() {
    let mut dashboard = opened(rich(), (100, 40), 3);
    shows(&mut dashboard, "▾ context {5}");
    shows(&mut dashboard, "▸ customer {4}  name: \"Ada 日本\", vip: false, since: null");
    dashboard.press("down");
    assert!(selected(&mut dashboard).starts_with("▸ customer"));
    dashboard.press("right");
    shows(&mut dashboard, "name: \"Ada 日本\"");
    shows(&mut dashboard, "since: null");
    dashboard.press("right");
    assert!(selected(&mut dashboard).starts_with("name:"));
    dashboard.press("left");
    assert!(selected(&mut dashboard).starts_with("▾ customer"));
    dashboard.press("left");
    shows_not(&mut dashboard, "vip: false\n");
    dashboard.press("left");
    assert!(selected(&mut dashboard).starts_with("▾ context"));
    dashboard.press("space");
    shows(&mut dashboard, "▸ context {5}");
    shows_not(&mut dashboard, "customer {4}  name");
    dashboard.press("+");
    shows(&mut dashboard, "▾ items [120]");
    shows(&mut dashboard, "▾ [0] {2}");
    dashboard.press("-");
    shows(&mut dashboard, "▸ items [120]");
    dashboard.press("enter");
    shows(&mut dashboard, "▸ context {5}");
}

#[test]
fn the_path_and_the_value_are_shown_and_copied() {
    let mut dashboard = opened(rich(), (100, 40), 3);
    dashboard.press("/");
    dashboard.type_text("pen-047");
    dashboard.press("enter");
    shows(&mut dashboard, "context.items[47].sku  (text, 7 characters)");
    dashboard.press("y");
    assert_eq!(copied(&mut dashboard).as_deref(), Some("\"pen-047\""));
    shows(&mut dashboard, "copied context.items[47].sku");
    dashboard.press("left y");
    let text = copied(&mut dashboard).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, json!({"sku": "pen-047", "n": 47}));
    dashboard.press("Y");
    assert_eq!(copied(&mut dashboard).as_deref(), Some("context.items[47]"));
    dashboard.press("g y");
    let section: Value = serde_json::from_str(&copied(&mut dashboard).unwrap()).unwrap();
    assert_eq!(section["customer"]["vip"], json!(false));
}

#[test]
fn search_is_incremental_counts_and_goes_round() {
    let mut dashboard = opened(rich(), (100, 40), 3);
    dashboard.press("down /");
    dashboard.type_text("pen-11");
    shows(&mut dashboard, "search: pen-11");
    shows(&mut dashboard, "1 of 10  enter keep");
    assert!(selected(&mut dashboard).starts_with("sku: \"pen-110\""));
    dashboard.type_text("7");
    shows(&mut dashboard, "1 of 1 ");
    assert!(selected(&mut dashboard).starts_with("sku: \"pen-117\""));
    dashboard.press("backspace enter n n");
    shows(&mut dashboard, "3 of 10");
    dashboard.press("N N N");
    shows(&mut dashboard, "10 of 10");
    dashboard.press("n");
    shows(&mut dashboard, "1 of 10");
    dashboard.press("/");
    dashboard.type_text("zzz");
    shows(&mut dashboard, "no match");
    dashboard.press("enter n");
    shows(&mut dashboard, "\"pen-11zzz\" is not found");
    dashboard.press("esc");
    shows_not(&mut dashboard, "/pen-11zzz");
    dashboard.press("n");
    shows(&mut dashboard, "press / to look for a text");
}

#[test]
fn leaving_a_search_leads_back_to_where_it_began() {
    let mut dashboard = opened(rich(), (100, 40), 3);
    dashboard.press("down down down /");
    assert!(selected(&mut dashboard).starts_with("note:"));
    dashboard.type_text("check");
    assert!(selected(&mut dashboard).contains("check"));
    dashboard.press("esc");
    assert!(selected(&mut dashboard).starts_with("note:"), "{}", selected(&mut dashboard));
}

#[test]
fn folds_and_selection_outlive_a_change_of_the_document() {
    let mut dashboard = opened(rich(), (100, 40), 3);
    dashboard.press("down space down down");
    assert!(selected(&mut dashboard).starts_with("vip:"));
    let mut changed = rich();
    let mut context = serde_json::Map::new();
    context.insert("first".to_owned(), json!({"a": 1}));
    context.extend(std::mem::take(&mut changed.context));
    context["customer"]["vip"] = json!(true);
    changed.context = context;
    dashboard.hear(Message::Snapshot(snapshot_of(changed).into()));
    assert!(selected(&mut dashboard).starts_with("vip: true"));
    shows(&mut dashboard, "▸ first {1}");
    shows(&mut dashboard, "▾ customer {4}");
    let mut gone = rich();
    gone.context.shift_remove("customer");
    dashboard.hear(Message::Snapshot(snapshot_of(gone).into()));
    assert!(selected(&mut dashboard).starts_with("▾ context"), "what held it is selected");
}

#[test]
fn a_large_document_is_gone_through_in_the_background() {
    let mut large = rich();
    let items: Vec<Value> =
        (0..25_000).map(|at| json!({"id": at, "name": format!("item {at}"), "ok": true})).collect();
    large.context.insert("many".to_owned(), Value::from(items));
    large.size = 1_900_000;
    let mut dashboard = dashboard_of(snapshot_of(large), (100, 30), Access::Full);
    dashboard.hold_work();
    dashboard.press("2 j j enter v v v");
    shows(&mut dashboard, "Reading the values …");
    dashboard.release_work();
    shows(&mut dashboard, "▸ many [25000]");
    dashboard.press("+ G");
    shows(&mut dashboard, "100384/100384");
}

#[test]
fn a_search_in_a_large_document_says_that_it_goes_on() {
    let mut large = rich();
    large.context.insert("long".to_owned(), Value::from("needle ".repeat(40_000)));
    large.size = 300_000;
    let mut dashboard = opened(large, (100, 30), 3);
    dashboard.hold_work();
    dashboard.press("/");
    dashboard.type_text("needle");
    shows(&mut dashboard, "searching …");
    dashboard.release_work();
    shows(&mut dashboard, "1 of 1");
    dashboard.press("enter y");
    assert_eq!(copied(&mut dashboard), None);
    shows(&mut dashboard, "context.long is too large: terminals take 73 KiB. e writes a file");
}

#[test]
fn the_inspector_in_pictures() {
    for (name, downs) in [("check", ""), ("approve", "j"), ("charge", "j j"), ("pay", "j j j")] {
        picture(&format!("inspector_{name}"), |size| {
            let mut dashboard = opened(rich(), size, 1);
            dashboard.press(downs);
            dashboard
        });
    }
}

#[test]
fn the_inspector_leads_to_the_value() {
    let mut large = rich();
    large.outputs.insert("check".to_owned(), json!((0..50).collect::<Vec<_>>()));
    let mut dashboard = opened(large, (80, 48), 1);
    dashboard.press("tab");
    shows(&mut dashboard, "… enter here: all of it, in the context");
    dashboard.press("enter");
    shows(&mut dashboard, "[Context]");
    shows(&mut dashboard, "outputs.check  (50 items)");
    assert!(selected(&mut dashboard).starts_with("▾ check [50]"));
}

#[test]
fn a_node_and_its_error_are_copied() {
    let mut dashboard = opened(rich(), (100, 40), 1);
    dashboard.press("j j j y");
    assert_eq!(copied(&mut dashboard).as_deref(), Some("pay"));
    dashboard.press("Y");
    assert_eq!(copied(&mut dashboard).as_deref(), Some("order-4711"));
    dashboard.press("tab y");
    assert_eq!(copied(&mut dashboard).as_deref(), Some(HOSTILE));
    shows(&mut dashboard, "copied the error of pay");
}

pub(crate) fn with_lines(size: (u16, u16)) -> Headless {
    let mut dashboard = opened(rich(), size, 4);
    let lines = [
        (Level::INFO, "check", "3 items, 129.50"),
        (Level::DEBUG, "", "the run is looked at"),
        (Level::WARN, "charge", "the card is slow: trying again in 3 s"),
        (Level::ERROR, "pay", HOSTILE),
    ];
    for (at, (level, node, text)) in lines.into_iter().enumerate() {
        let age = 60 - 10 * i64::try_from(at).unwrap();
        dashboard.log(ago(age), level, "order-4711", node, text);
    }
    let long = "a long line that needs more than one row ".repeat(8);
    dashboard.log(ago(5), Level::INFO, "order-4711", "発注ノード", &long);
    dashboard.log(ago(4), Level::INFO, "another", "check", "not about this run");
    dashboard
}

#[test]
fn log_lines_in_pictures() {
    picture("run_logs", with_lines);
    picture("run_logs_empty", |size| opened(rich(), size, 4));
}

#[test]
fn log_lines_follow_until_one_goes_up() {
    let mut dashboard = with_lines((100, 20));
    shows_not(&mut dashboard, "not about this run");
    for at in 0..40 {
        dashboard.log(ago(3), Level::INFO, "order-4711", "check", &format!("line {at}."));
    }
    shows(&mut dashboard, "line 39.");
    shows(&mut dashboard, "following");
    dashboard.press("up up pageup");
    let held = selected(&mut dashboard);
    shows(&mut dashboard, "held: G follows");
    dashboard.log(ago(2), Level::INFO, "order-4711", "check", "one more");
    shows_not(&mut dashboard, "one more");
    assert_eq!(selected(&mut dashboard), held);
    dashboard.press("y");
    assert!(copied(&mut dashboard).unwrap().contains("INFO check: line "));
    dashboard.press("G");
    dashboard.hear(Message::Tick(Timestamp::from_seconds(NOW.seconds() + 7)));
    shows(&mut dashboard, "one more");
    shows(&mut dashboard, "following");
}

#[test]
fn log_lines_are_narrowed_by_level_and_text() {
    let mut dashboard = with_lines((100, 30));
    shows(&mut dashboard, "trace and up  5 lines");
    dashboard.press("left left left");
    shows(&mut dashboard, "warn and up  2 of 5 lines");
    shows_not(&mut dashboard, "129.50");
    dashboard.press("right right /");
    dashboard.type_text("card slow");
    shows(&mut dashboard, "1 of 5 lines");
    dashboard.press("enter");
    shows(&mut dashboard, "/card slow");
    dashboard.press("/");
    dashboard.type_text(" nowhere");
    shows(&mut dashboard, "No line matches");
    dashboard.press("enter esc");
    shows(&mut dashboard, "129.50");
    dashboard.press("g enter");
    shows(&mut dashboard, "node check  flowcraft_tui");
    dashboard.press("esc");
}

#[test]
fn every_face_at_every_small_size() {
    for face in 0..5 {
        for keys in ["", "tab", "e", "c", "enter", "/ p", "+ G", "G"] {
            let mut dashboard = opened(rich(), (80, 24), face);
            dashboard.log(ago(3), Level::INFO, "order-4711", HOSTILE, HOSTILE);
            dashboard.press(keys);
            for width in (1..130).step_by(16) {
                for height in (1..30).step_by(5) {
                    dashboard.resize((width, height));
                    let buffer = dashboard.draw();
                    for cell in buffer.content() {
                        assert!(!cell.symbol().chars().any(char::is_control));
                    }
                }
            }
        }
    }
}

#[test]
fn times_have_a_zone_and_a_distance() {
    let mut dashboard = opened(rich(), (100, 40), 1);
    shows(&mut dashboard, "UTC  (1m ago)");
    dashboard.hear(Message::Tick(Timestamp::from_seconds(NOW.seconds() + 60)));
    shows(&mut dashboard, "UTC  (2m ago)");
}
