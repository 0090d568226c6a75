//! Log lines on the screen. Apart from the other tests: where lines are collected is one for a
//! process.
#![allow(clippy::unwrap_used)] // Tests.

use std::sync::Arc;

use flowcraft_tui::{
    engine::Timestamp,
    monitor::Snapshot,
    tui::{Access, Headless, Message, fetch_log_lines, log_layer},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

fn hear(dashboard: &mut Headless) {
    dashboard.hear(Message::LogLines(fetch_log_lines()));
}

#[test]
fn lines_show_harmless_and_follow_until_scrolled() {
    let layer = log_layer(LevelFilter::DEBUG);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    tracing::error!(run = "order-1", "boom \u{1b}[2J\u{202e}txet 日本語日本語");
    tracing::warn!("\u{7}");
    tracing::info!("{}", "a long line ".repeat(40));
    tracing::trace!("too fine");
    let snapshot = Arc::new(Snapshot::empty("logs"));
    let mut dashboard =
        Headless::new(snapshot, Timestamp::from_seconds(1_800_000_000), (80, 24), Access::Full);
    hear(&mut dashboard);
    let overview = dashboard.text();
    assert!(overview.contains("a long line"), "{overview}");
    dashboard.press("7");
    let logs = dashboard.text();
    assert!(logs.contains("ERROR boom ␛[2Jtxet"), "{logs}");
    assert!(logs.contains("run=order-1"), "{logs}");
    assert!(logs.contains("▶ EWIDT tui_logs"), "the target is listed: {logs}");
    assert!(!logs.contains(['\u{1b}', '\u{7}', '\u{202e}']) && !logs.contains("too fine"));

    for at in 0..200 {
        tracing::debug!("line {at}");
    }
    hear(&mut dashboard);
    let logs = dashboard.text();
    assert!(logs.contains("line 199"), "{logs}");
    dashboard.press("pageup pageup");
    let held = dashboard.text();
    assert!(!held.contains("line 199") && held.contains("Logs, held: "), "{held}");
    tracing::debug!("a new one");
    hear(&mut dashboard);
    let still = dashboard.text();
    assert!(!still.contains("a new one") && still.contains("line 165"), "it is held: {still}");
    dashboard.press("G");
    assert!(dashboard.text().contains("a new one"));
    dashboard.press("g");
    let first = dashboard.text();
    assert!(first.contains("ERROR boom") && !first.contains("a new one"), "{first}");
    for _ in 0..15 {
        dashboard.press("pagedown");
    }
    let last = dashboard.text();
    assert!(last.contains("a new one") && !last.contains("held"), "it follows again: {last}");

    dashboard.press("/");
    dashboard.type_text("LINE 19 -190");
    let found = dashboard.text();
    assert!(found.contains("line 191") && found.contains("line 119"), "{found}");
    assert!(!found.contains("line 190") && found.contains("11 of 204"), "{found}");
    dashboard.press("esc");
    assert!(dashboard.text().contains("a new one"));

    dashboard.press("left left");
    let fewer = dashboard.text();
    assert!(fewer.contains("▶ EWI·· tui_logs") && !fewer.contains("line 199"), "{fewer}");
    dashboard.press("right");
    assert!(dashboard.text().contains("line 199"));
    dashboard.press("space");
    assert!(!dashboard.text().contains("Targets"));
    dashboard.press("up");
    assert!(!dashboard.text().contains("a new one"), "without targets the arrows scroll");
    dashboard.press("esc");
    assert!(dashboard.text().contains("a new one"));

    for width in 1..90 {
        for height in [1, 2, 3, 5, 8, 13, 24] {
            dashboard.resize((width, height));
            dashboard.press("7 pageup space pagedown up enter esc g 1");
        }
    }
}
