//! Log lines on the screen. Apart from the other tests: tui-logger's buffer is one for a process.
#![allow(clippy::unwrap_used)] // Tests.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    engine::Timestamp,
    monitor::Snapshot,
    tui::{Access, Headless, Message, start_log},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

fn settle() {
    // Lines are moved to where widgets see them every ten milliseconds.
    std::thread::sleep(Duration::from_millis(60));
    tui_logger::move_events();
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

    for width in 1..90 {
        for height in [1, 2, 3, 5, 8, 13, 24] {
            dashboard.resize((width, height));
            dashboard.press("7 pageup space pagedown enter esc 1");
        }
    }
}
