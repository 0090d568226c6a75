//! The graph and the timeline of runs of the demo's blueprints, as text at two sizes.

use std::sync::Arc;

use flowcraft_tui::{
    blueprint::{Blueprint, NodeId, RunId, sanitize},
    cluster::{HeldLock, Holder, Key},
    engine::{Entry, Head, Op, RunDocument},
    monitor::{RunDetail, Snapshot},
    tui::{Access, Catalog, CatalogEntry, Command, Headless, Message, Role, Theme},
};
use serde_json::{Value, json};

use crate::fixture::{HOSTILE, NOW, ago, dashboard_of, live, snapshot};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

/// The run that `open` opens.
const RUN: &str = "order-4711";

/// One of the demo's blueprints.
fn demo(name: &str) -> Blueprint {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo/blueprints");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    sanitize(serde_json::from_str(&text).unwrap()).unwrap()
}

/// A time so many milliseconds after the run began, 100 seconds ago.
fn at(millis: i64) -> i64 {
    ago(100).millis() + millis
}

/// A node that ran from a time to another one, and went on to these.
fn ran(from: i64, to: i64, routes: &[&str]) -> Value {
    json!({
        "state": "completed", "iteration": 1, "attempts": 1, "by": "worker:eu-1#7",
        "startedAt": at(from), "finishedAt": at(to), "routes": routes,
    })
}

fn with(mut entry: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(more);
    entry
}

fn skipped() -> Value {
    json!({ "state": "skipped", "iteration": 1 })
}

/// A run of a blueprint: entries of its ledger, and the nodes that somebody is running.
fn run(
    blueprint: Option<&Blueprint>,
    status: &str,
    entries: &[(&str, Value)],
    running: &[&str],
) -> RunDetail {
    let id = blueprint.map_or("gone", |blueprint| &blueprint.id);
    let mut head = json!({
        "blueprintId": id, "rev": 9, "status": status, "startedAt": at(0),
    });
    if status == "completed" || status == "failed" {
        head["finishedAt"] = json!(at(90_000));
    }
    let head: Head = serde_json::from_value(head).unwrap();
    let mut document = RunDocument::new(head);
    for (id, entry) in entries {
        let entry: Entry = serde_json::from_value(entry.clone()).unwrap();
        document.apply(&Op::Node(NodeId::from(*id), Arc::new(entry)));
    }
    let holder = Holder::new(&"worker-eu-1".into(), 7).to_string();
    let lock = |node: &&str| {
        let key = Key::node_lock(&RUN.into(), &NodeId::from(*node));
        HeldLock::describe(key.as_str(), &holder, NOW)
    };
    let locks: Vec<HeldLock> = running.iter().map(lock).collect();
    RunDetail::render(&RunId::from(RUN), &document, blueprint, &locks)
}

fn with_detail(detail: RunDetail) -> Snapshot {
    Snapshot { detail: live(Some(detail)), ..snapshot() }
}

/// A dashboard with the run open.
fn open(detail: RunDetail, size: (u16, u16)) -> Headless {
    let mut dashboard = dashboard_of(with_detail(detail), size, Access::Full);
    dashboard.press("2 j j enter");
    dashboard
}

/// Holds a run's graph against the stored picture, and its timeline.
fn check(name: &str, keys: &str, detail: &RunDetail) {
    for size in SIZES {
        let mut dashboard = open(detail.clone(), size);
        dashboard.press(keys);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), dashboard.text());
    }
}

fn order() -> RunDetail {
    let charge = json!({
        "state": "awaiting", "iteration": 1, "startedAt": at(9_000), "enqueuedAt": at(7_000),
        "awaits": { "reason": "child", "run": "order-4711.charge", "status": "running" },
    });
    run(
        Some(&demo("order-fulfilment")),
        "running",
        &[
            ("receive-order", ran(0, 2_000, &["check-stock"])),
            ("check-stock", ran(2_000, 7_000, &["charge"])),
            ("charge", charge),
            ("order-from-supplier", skipped()),
        ],
        &[],
    )
}

fn report() -> RunDetail {
    let tries = |step: i64, from: i64| {
        let one = |pass: i64| {
            json!([pass + 1, at(from + pass * step), at(from + pass * step + 8_000), false])
        };
        json!([one(0), one(1)])
    };
    let again = json!({ "state": "ready", "iteration": 3, "tries": tries(20_000, 4_000) });
    let controller = with(
        ran(52_000, 53_000, &["add-region"]),
        &json!({
            "iteration": 3, "passes": 3, "action": "continue",
            "tries": [[1, at(3_000), at(4_000), false], [2, at(23_000), at(24_000), false]],
        }),
    );
    run(
        Some(&demo("nightly-report")),
        "running",
        &[
            ("open-books", ran(0, 3_000, &["next-region"])),
            ("next-region", controller),
            ("add-region", with(again, &json!({ "enqueuedAt": at(53_000) }))),
        ],
        &["add-region"],
    )
}

fn expense() -> RunDetail {
    let waits = json!({
        "state": "awaiting", "iteration": 1, "startedAt": at(5_000), "awaits": { "reason": "answer" },
    });
    run(
        Some(&demo("expense-approval")),
        "awaiting",
        &[
            (
                "check-policy",
                with(ran(1_000, 5_000, &["manager-decides"]), &json!({ "action": "large" })),
            ),
            ("manager-decides", waits),
        ],
        &[],
    )
}

fn prices() -> RunDetail {
    let failed = with(
        ran(1_000, 16_000, &[]),
        &json!({
            "state": "failed", "attempts": 3, "error": "connection reset by the supplier's server",
            "fallback": { "node": "use-yesterdays-copy", "outcome": "open" },
            "tries": [
                [1, at(1_000), at(4_000), true],
                [1, at(6_000), at(9_000), true],
                [1, at(12_000), at(16_000), true],
            ],
        }),
    );
    let stands_in = json!({
        "state": "ready", "iteration": 1, "standsFor": "download", "enqueuedAt": at(16_000),
    });
    run(
        Some(&demo("price-import")),
        "running",
        &[("download", failed), ("use-yesterdays-copy", stands_in)],
        &["use-yesterdays-copy"],
    )
}

fn photos() -> RunDetail {
    let blueprint = demo("image-pipeline");
    let mut entries = Vec::new();
    let sizes: Vec<String> = (1..=50).map(|number| format!("resize-{number:02}")).collect();
    let targets: Vec<&str> = sizes.iter().map(String::as_str).collect();
    entries.push(("fetch-photo", ran(0, 3_000, &targets)));
    for (number, size) in (0..).zip(&targets) {
        let from = 3_000 + number * 700;
        let entry = match number {
            0..30 => ran(from, from + 9_000, &["publish-album"]),
            30 => with(
                ran(from, from + 500, &[]),
                &json!({ "state": "failed", "error": "no memory" }),
            ),
            _ => json!({ "state": "ready", "iteration": 1, "enqueuedAt": at(3_000) }),
        };
        entries.push((size, entry));
    }
    run(Some(&blueprint), "running", &entries, &targets[31..36])
}

fn invoices(count: usize) -> RunDetail {
    let items: Vec<String> = (0..count).map(|number| format!("each-invoice_{number:04}")).collect();
    let scatter = with(
        ran(4_000, 5_000, &["all-mailed"]),
        &json!({
            "created": items,
            "batch": {
                "role": "scatter", "gather": "all-mailed", "worker": "mail-invoice",
                "prefix": "p", "items": count, "handed_out": count, "chunk": count,
            },
        }),
    );
    let mut entries =
        vec![("list-invoices", ran(0, 4_000, &["each-invoice"])), ("each-invoice", scatter)];
    let mut running = Vec::new();
    for (number, id) in items.iter().enumerate() {
        let from = 5_000 + i64::try_from(number).unwrap() * 400;
        let entry = match number {
            7 => with(
                ran(from, from + 300, &[]),
                &json!({ "state": "failed", "error": "no address" }),
            ),
            0..96 => ran(from, from + 3_000, &[]),
            _ => json!({ "state": "ready", "iteration": 1, "enqueuedAt": at(5_000) }),
        };
        if (96..104).contains(&number) {
            running.push(id.as_str());
        }
        let dynamic = json!({
            "dynamic": { "uses": "mail-invoice", "parent": "each-invoice", "gather": "all-mailed" },
        });
        entries.push((id, with(entry, &dynamic)));
    }
    run(Some(&demo("invoice-mailing")), "running", &entries, &running)
}

fn backup() -> RunDetail {
    let failed = with(
        ran(20_000, 90_000, &[]),
        &json!({
            "state": "failed", "attempts": 2, "error": "checksum mismatch: the copy is damaged",
            "tries": [[1, at(20_000), at(50_000), true], [1, at(60_000), at(90_000), true]],
        }),
    );
    run(
        Some(&demo("database-backup")),
        "failed",
        &[
            ("dump-database", ran(0, 8_000, &["copy-offsite"])),
            ("copy-offsite", ran(9_000, 20_000, &["verify-copy"])),
            ("verify-copy", failed),
            ("tell-operators", skipped()),
        ],
        &[],
    )
}

#[test]
fn conditions_and_a_subflow() {
    check("graph_order", "l", &order());
}

#[test]
fn a_loop() {
    check("graph_report", "G", &report());
}

#[test]
fn actions_and_an_any_join() {
    check("graph_expense", "j", &expense());
}

#[test]
fn a_fallback() {
    check("graph_prices", "", &prices());
}

#[test]
fn a_wide_fan_out() {
    check("graph_photos", "l", &photos());
}

#[test]
fn a_batch() {
    check("graph_invoices", "l l", &invoices(120));
}

#[test]
fn a_chain() {
    check("graph_backup", "", &backup());
}

#[test]
fn blueprints_are_drawn_too() {
    let entry = |name| CatalogEntry {
        blueprint: Arc::new(demo(name)),
        source: format!("blueprints/{name}.json"),
        findings: Vec::new(),
    };
    let names = ["database-backup", "expense-approval", "nightly-report", "order-fulfilment"];
    let blueprints = names.into_iter().map(entry).collect();
    for size in SIZES {
        let mut dashboard = dashboard_of(snapshot(), size, Access::Full);
        let catalog = Catalog { blueprints: Vec::clone(&blueprints), broken: Vec::new() };
        dashboard.hear(Message::Catalog(Arc::new(catalog)));
        dashboard.press("6 j j j");
        insta::assert_snapshot!(format!("blueprint_{}x{}", size.0, size.1), dashboard.text());
    }
}

#[test]
fn a_run_of_an_unknown_blueprint_shows_what_it_did() {
    let detail = run(
        None,
        "running",
        &[
            ("first", ran(0, 2_000, &["second", "third"])),
            ("second", ran(2_000, 7_000, &[])),
            ("third", json!({ "state": "ready", "iteration": 1 })),
        ],
        &["third"],
    );
    check("graph_unknown", "", &detail);
}

#[test]
fn every_size_has_its_picture() {
    let sizes = [("boxes", "Z"), ("names", "Z Z"), ("symbols", "Z Z Z"), ("down", "|")];
    for (name, keys) in sizes {
        let mut dashboard = open(prices(), (100, 40));
        dashboard.press(keys);
        insta::assert_snapshot!(format!("graph_zoom_{name}"), dashboard.text());
    }
    let mut dashboard = open(prices(), (100, 40));
    let fitting = dashboard.text();
    dashboard.press("Z Z |");
    assert_ne!(dashboard.text(), fitting);
    dashboard.press("0");
    assert_eq!(dashboard.text(), fitting, "0 fits it again");
}

#[test]
fn arrows_follow_the_picture_and_all_views_share_the_node() {
    let mut dashboard = open(order(), (160, 48));
    shows(&mut dashboard, "┌ Node receive-order");
    dashboard.press("down down");
    shows(&mut dashboard, "┌ Node charge");
    dashboard.press("right");
    shows(&mut dashboard, "┌ Node order-from-supplier");
    dashboard.press("left");
    shows(&mut dashboard, "┌ Node charge");
    dashboard.press("v");
    shows(&mut dashboard, "▶ ◷ awaiting");
    dashboard.press("v");
    shows(&mut dashboard, "▶┃◷ charge");
    dashboard.press("V V G");
    shows(&mut dashboard, "┌ Node tell-customer");
    dashboard.press("g");
    shows(&mut dashboard, "┌ Node receive-order");
    dashboard.press("enter");
    shows(&mut dashboard, "┏ Node receive-order");
}

#[track_caller]
fn shows(dashboard: &mut Headless, text: &str) {
    let screen = dashboard.text();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

#[test]
fn a_box_of_many_is_opened_and_closed() {
    let mut dashboard = open(photos(), (160, 48));
    shows(&mut dashboard, "resize ×50");
    dashboard.press("l enter");
    shows(&mut dashboard, "resize-07");
    insta::assert_snapshot!("graph_photos_open", dashboard.text());
    dashboard.press("space");
    shows(&mut dashboard, "resize ×50");
    dashboard.press("z");
    shows(&mut dashboard, "resize ×50");
}

#[test]
fn the_mouse_chooses_moves_and_opens() {
    use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut dashboard = open(order(), (160, 48));
    let find = |dashboard: &mut Headless, text: &str| {
        let screen = dashboard.text();
        let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap();
        let column = line[..line.find(text).unwrap()].chars().count();
        (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
    };
    let mouse = |dashboard: &mut Headless, kind, (column, row): (u16, u16)| {
        let modifiers = KeyModifiers::NONE;
        dashboard.hear(Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers })));
    };
    let pack = find(&mut dashboard, "pack");
    mouse(&mut dashboard, MouseEventKind::Down(MouseButton::Left), pack);
    shows(&mut dashboard, "┌ Node pack");
    mouse(&mut dashboard, MouseEventKind::Down(MouseButton::Left), pack);
    shows(&mut dashboard, "┏ Node pack");
    // A graph that is larger than the pane moves along with the mouse that holds it.
    let mut dashboard = open(order(), (80, 24));
    dashboard.press("z z |");
    let before = find(&mut dashboard, "check-stock");
    mouse(&mut dashboard, MouseEventKind::Down(MouseButton::Left), before);
    let here = find(&mut dashboard, "check-stock");
    mouse(&mut dashboard, MouseEventKind::Drag(MouseButton::Left), (before.0, before.1 - 1));
    let there = find(&mut dashboard, "check-stock");
    assert_eq!(there, (here.0, here.1 - 1));
    mouse(&mut dashboard, MouseEventKind::Up(MouseButton::Left), there);
    mouse(&mut dashboard, MouseEventKind::ScrollDown, there);
    assert_eq!(find(&mut dashboard, "check-stock"), (there.0, there.1 - 3));
}

/// A run of so many nodes: a chain of diamonds.
fn large(diamonds: usize) -> RunDetail {
    let node = |id: String| json!({ "id": id, "uses": "work" });
    let edge = |source: String, target: String| json!({ "source": source, "target": target });
    let mut nodes = vec![node("n0".to_owned())];
    let mut edges = Vec::new();
    for number in 0..diamonds {
        for side in ["a", "b"] {
            nodes.push(node(format!("{side}{number}")));
            edges.push(edge(format!("n{number}"), format!("{side}{number}")));
            edges.push(edge(format!("{side}{number}"), format!("n{}", number + 1)));
        }
        nodes.push(node(format!("n{}", number + 1)));
    }
    let blueprint = sanitize(json!({ "id": "large", "nodes": nodes, "edges": edges })).unwrap();
    run(Some(&blueprint), "running", &[("n0", ran(0, 1_000, &["a0", "b0"]))], &["a0"])
}

/// Has what the dashboard asked for carried out.
fn carry_out(dashboard: &mut Headless) -> usize {
    let requests = dashboard.asked().into_iter().filter_map(|command| match command {
        Command::Chart(request) => Some(request),
        _ => None,
    });
    let requests: Vec<_> = requests.collect();
    let count = requests.len();
    for request in requests {
        dashboard.hear(request.carry_out());
    }
    count
}

#[test]
fn a_large_graph_is_laid_out_elsewhere_and_folded() {
    let mut dashboard = open(large(1_000), (160, 48));
    shows(&mut dashboard, "Laying out the graph …");
    dashboard.draw();
    assert_eq!(carry_out(&mut dashboard), 1, "it is asked for once");
    let screen = dashboard.text();
    assert!(!screen.contains("Laying out"), "{screen}");
    insta::assert_snapshot!("graph_large", screen);
    assert_eq!(carry_out(&mut dashboard), 0, "and not again");
    dashboard.press("z z");
    shows(&mut dashboard, "laying out …");
    assert_eq!(carry_out(&mut dashboard), 1);
    insta::assert_snapshot!("graph_large_zoomed", dashboard.text());
    dashboard.press("j pagedown G g");
}

#[test]
fn what_belongs_to_another_run_is_not_shown() {
    let mut dashboard = open(large(300), (120, 40));
    dashboard.draw();
    let asked = dashboard.asked();
    dashboard.press("esc enter");
    for command in asked {
        if let Command::Chart(request) = command {
            dashboard.hear(request.carry_out());
        }
    }
    shows(&mut dashboard, "Laying out the graph …");
}

#[test]
fn hostile_names_stay_within_their_boxes() {
    let long = "very-long-name-".repeat(40);
    let names = [HOSTILE, "\u{200b}", "日本語の名前", "👩‍👩‍👧‍👦🏳️‍🌈\u{202e}\u{301}", "\u{1b}[31m", &long];
    let nodes: Vec<Value> =
        names.iter().map(|id| json!({ "id": id, "uses": format!("{id}!") })).collect();
    let edge = |pair: &[&str]| json!({ "source": pair[0], "target": pair[1], "action": HOSTILE, "condition": long });
    let mut edges: Vec<Value> = names.windows(2).map(edge).collect();
    edges.push(edge(&[names[4], names[1]]));
    edges.push(edge(&[names[2], "nowhere \u{9b}2J"]));
    let blueprint = sanitize(json!({ "id": HOSTILE, "nodes": nodes, "edges": edges })).unwrap();
    let far = json!({
        "state": "completed", "iteration": u32::MAX, "attempts": u32::MAX,
        "startedAt": i64::MIN, "finishedAt": i64::MAX, "routes": [HOSTILE],
        "tries": [[1, i64::MAX, i64::MIN, true], [7, i64::MIN, i64::MAX, false]],
    });
    let entries = [(names[0], ran(0, 5, &[names[1]])), (names[2], far)];
    let detail = run(Some(&blueprint), "running", &entries, &[names[1]]);
    for size in [(80, 24), (160, 48), (37, 11)] {
        let mut dashboard = open(detail.clone(), size);
        for key in "z z Z Z Z Z | j j j l l l h G g pagedown space v v z z z l l h Z 0".split(' ') {
            dashboard.press(key);
            for cell in dashboard.draw().content() {
                let symbol = cell.symbol();
                assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
                assert!(!symbol.contains(['\u{202e}', '\u{200d}', '\u{9b}']), "{symbol:?}");
            }
        }
    }
}

#[test]
fn the_selected_box_shows_without_colours() {
    let theme = Theme::built_in().remove(0);
    let mut dashboard = open(prices(), (100, 40));
    dashboard.set_theme(&theme, flowcraft_tui::tui::Colours::None);
    shows(&mut dashboard, "┃▶✗ download ┣━");
    dashboard.press("tab");
    shows(&mut dashboard, "┃▷✗ download ┣━");
}

#[test]
fn taken_edges_and_those_that_are_not_have_their_roles() {
    let theme = Theme::built_in().into_iter().find(|theme| theme.name == "nord").unwrap();
    let mut dashboard = open(order(), (160, 48));
    dashboard.set_theme(&theme, flowcraft_tui::tui::Colours::True);
    // Not beside the selection, whose edges are bold.
    dashboard.press("G");
    let buffer = dashboard.draw();
    let cell = |symbol: &str| {
        let cells = buffer.content().iter();
        // The frame of the pane is heavy, too: the first one within it.
        let mut found = cells.enumerate().filter(|(at, cell)| {
            let (x, y) = (at % 160, at / 160);
            (2..80).contains(&x) && (5..46).contains(&y) && cell.symbol() == symbol
        });
        found.next().unwrap().1.clone()
    };
    assert_eq!(Some(cell("┰").fg), theme.style(Role::RunCompleted).fg, "the frame's part");
    assert_eq!(Some(cell("┏").fg), theme.style(Role::EdgeTaken).fg);
    assert_eq!(Some(cell("┄").fg), theme.style(Role::EdgeUntaken).fg);
}

#[test]
fn the_timeline_zooms_and_moves() {
    let mut dashboard = open(photos(), (160, 48));
    dashboard.press("v v");
    let whole = dashboard.text();
    dashboard.press("z z z");
    shows(&mut dashboard, "part of the time (0: all)");
    insta::assert_snapshot!("timeline_zoomed", dashboard.text());
    let left = dashboard.text();
    dashboard.press("l");
    assert_ne!(dashboard.text(), left);
    dashboard.press("h");
    assert_eq!(dashboard.text(), left);
    dashboard.press("Z 0");
    assert_eq!(dashboard.text(), whole);
    dashboard.press("G");
    shows(&mut dashboard, "▶");
}

#[test]
fn timelines() {
    check("timeline_order", "v v", &order());
    check("timeline_report", "v v", &report());
    check("timeline_prices", "v v", &prices());
    check("timeline_photos", "v v j j j", &photos());
    check("timeline_backup", "v v", &backup());
}
