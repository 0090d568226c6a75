//! Log lines on the screen. Apart from the other tests: tui-logger's buffer is one for a process.
#![allow(clippy::unwrap_used)] // Tests.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    cluster::StatusItem,
    engine::{Head, RunDocument, RunStatus, Timestamp},
    monitor::{RunDetail, RunRow, RunsView, Snapshot, Sourced},
    tui::{Access, Headless, Message, start_log},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

fn settle() {
    // Lines are moved to where widgets see them every ten milliseconds.
    std::thread::sleep(Duration::from_millis(60));
    tui_logger::move_events();
}

fn item(run: &str) -> StatusItem {
    StatusItem {
        run_id: run.into(),
        status: Some(RunStatus::Running),
        last_updated: Timestamp::default(),
        blueprint_id: None,
        started_at: None,
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

fn detail() -> RunDetail {
    let document = RunDocument::new(Head::unadopted(None, None, Timestamp::default()));
    RunDetail::render(&"order-1".into(), &document, None, &[])
}

#[test]
fn lines_show_harmless_and_follow_until_scrolled() {
    let layer = start_log(LevelFilter::DEBUG).unwrap();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    tracing::error!(run = "order-1", "boom \u{1b}[2J\u{202e}txet 日本語日本語");
    tracing::warn!("\u{7}");
    tracing::info!("{}", "a long line ".repeat(40));
    settle();
    let snapshot = Arc::new(Snapshot::empty("logs"));
    let mut dashboard =
        Headless::new(snapshot, Timestamp::from_seconds(1_800_000_000), (80, 24), Access::Full);
    dashboard.hear(Message::LogLines);
    let overview = dashboard.text();
    assert!(overview.contains("a long line"), "{overview}");
    dashboard.press("7");
    let logs = dashboard.text();
    assert!(logs.contains("ERROR boom ␛[2Jtxet"), "{logs}");
    assert!(logs.contains("Targets"), "{logs}");
    assert!(logs.contains("tui_logs"), "the target is listed: {logs}");
    assert!(!logs.contains(['\u{1b}', '\u{7}', '\u{202e}']));

    for at in 0..200 {
        tracing::debug!("line {at}");
    }
    settle();
    dashboard.hear(Message::LogLines);
    let logs = dashboard.text();
    assert!(logs.contains("line 199"), "{logs}");
    dashboard.press("pageup pageup");
    let held = dashboard.text();
    assert!(!held.contains("line 199") && held.contains("Logs, held: G follows again"), "{held}");
    tracing::debug!("a new one");
    settle();
    dashboard.hear(Message::LogLines);
    assert!(!dashboard.text().contains("a new one"), "it is held");
    dashboard.press("G");
    assert!(dashboard.text().contains("a new one"));
    dashboard.press("space");
    assert!(!dashboard.text().contains("Targets"));

    let span = tracing::info_span!("node", run = "order-1", node = "pay");
    span.in_scope(|| tracing::info!("from inside"));
    tracing::info!("Cancel run order-1: done");
    let status = item("order-1");
    let mut runs = RunsView::default();
    runs.put(RunRow { item: status, stalled: false });
    let mut snapshot = Snapshot::empty("logs");
    snapshot.runs = Sourced { data: Arc::new(runs), ..Sourced::default() };
    snapshot.detail = Sourced { data: Arc::new(Some(detail())), ..Sourced::default() };
    dashboard.hear(Message::Snapshot(snapshot.into()));
    dashboard.hear_process_log();
    dashboard.press("2 enter V");
    let logs = dashboard.text();
    assert!(logs.contains("ERROR     boom ␛[2Jtxet"), "{logs}");
    assert!(logs.contains("info  pay from inside"), "{logs}");
    assert!(logs.contains("Cancel run order-1: done"), "{logs}");
    assert!(!logs.contains("line 199"), "{logs}");

    for width in 1..90 {
        for height in [1, 2, 3, 5, 8, 13, 24] {
            dashboard.resize((width, height));
            dashboard.press("7 pageup space pagedown enter esc 1");
        }
    }
}
