//! The forms: what is shown before a start, and what a node was asked.

use flowcraft_tui::{engine::RunStatus, tui::Message};

use crate::{
    faces::{opened, rich, shows, snapshot_of},
    fixture::dashboard,
    kin::child_detail,
};

#[test]
fn the_example_is_put_back_by_a_key_and_taken_back_by_another() {
    let mut dashboard = dashboard((100, 40));
    dashboard.press("s enter");
    shows(&mut dashboard, "the blueprint's example):");
    for _ in 0..80 {
        dashboard.press("delete");
    }
    dashboard.press(
        "ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k ctrl-k",
    );
    shows(&mut dashboard, "empty: starts with {}; ctrl-r puts the example in");
    dashboard.type_text("[1");
    dashboard.press("ctrl-r");
    shows(&mut dashboard, "\"order\": 4711");
    shows(&mut dashboard, "✓ valid JSON");
    dashboard.press("ctrl-z ctrl-z");
    shows(&mut dashboard, "1 [1");
    dashboard.press("tab");
    shows(&mut dashboard, "▶ not valid yet ◀");
}

#[test]
fn a_mistake_is_marked_where_it_is() {
    let mut dashboard = dashboard((100, 30));
    dashboard.press("s enter down end");
    dashboard.type_text(" oops");
    shows(&mut dashboard, "✗2   \"order\": 4711, oops");
    insta::assert_snapshot!("start_form_mistake_100x30", dashboard.text());
}

#[test]
fn lint_is_shown_before_a_start() {
    let mut dashboard = dashboard((100, 30));
    dashboard.press("s");
    dashboard.type_text("ship");
    dashboard.press("enter");
    shows(&mut dashboard, "1 node  blueprints/ship.json");
    shows(&mut dashboard, "✗ 1 error: a start is refused.");
    shows(&mut dashboard, "INVALID_EDGE_TARGET");
}

#[test]
fn an_answer_says_what_was_asked() {
    let mut dashboard = opened(rich(), (100, 40), 1);
    dashboard.press("j a");
    shows(&mut dashboard, "Node   ");
    shows(&mut dashboard, "Input  {");
    shows(&mut dashboard, "\"total\": 129.5");
    insta::assert_snapshot!("answer_form_asked_100x40", dashboard.text());
}

#[test]
fn the_answer_goes_to_the_child_run_that_waits() {
    use flowcraft_tui::engine::Awaits;
    let mut parent = rich();
    parent.awaiting.clear();
    for node in &mut parent.nodes {
        node.awaits = None;
        if node.id.as_str() == "pay" {
            node.awaits =
                Some(Awaits::Child { run: "order-4711.pay".into(), status: RunStatus::Awaiting });
        }
    }
    let mut dashboard = opened(parent, (100, 30), 1);
    dashboard.asked();
    dashboard.press("a");
    shows(&mut dashboard, "Answer a node of run order-4711.pay");
    dashboard.hear(Message::Snapshot(snapshot_of(child_detail()).into()));
    shows(&mut dashboard, "approve");
    dashboard.press("esc esc");
    shows(&mut dashboard, "Run order-4711");
}
