//! What text alone does not show: colours, and what is left without them.

use flowcraft_tui::{
    monitor::SourceState,
    tui::{Access, Colours, Headless, Role, Theme},
};
use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use crate::{
    fixture::{NOW, dashboard, dashboard_of, snapshot},
    picture::theme,
};

/// The cell where a text begins.
fn find<'a>(buffer: &'a Buffer, text: &str) -> &'a Cell {
    let area = buffer.area;
    for y in 0..area.height {
        for x in 0..area.width {
            let here: String = (x..area.width)
                .take(text.chars().count())
                .map(|x| buffer[(x, y)].symbol())
                .collect();
            if here == text {
                return &buffer[(x, y)];
            }
        }
    }
    panic!("{text:?} is not on the screen");
}

#[test]
fn the_selected_row_is_reversed_and_marked_without_colours() {
    let mut dashboard = dashboard((80, 24));
    dashboard.set_theme(&theme("nord"), Colours::None);
    dashboard.press("2 j");
    let buffer = dashboard.draw();
    assert!(find(&buffer, "▶ ").modifier.contains(Modifier::REVERSED));
    assert!(find(&buffer, "order-4711.ship").modifier.contains(Modifier::REVERSED));
    assert!(!find(&buffer, "cool-down-7").modifier.contains(Modifier::REVERSED));
    for cell in buffer.content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[test]
fn a_stalled_run_stands_out_in_every_theme() {
    for theme in Theme::built_in() {
        for colours in [Colours::True, Colours::Sixteen, Colours::None] {
            let mut dashboard = dashboard((80, 24));
            dashboard.set_theme(&theme, colours);
            // Another row is selected.
            dashboard.press("2 j");
            let buffer = dashboard.draw();
            let stalled = find(&buffer, "▲ stalled");
            let running = find(&buffer, "◷ awaiting");
            assert_ne!(stalled.style(), running.style(), "{} on {colours:?}", theme.name);
            assert!(stalled.modifier.contains(Modifier::BOLD), "{} on {colours:?}", theme.name);
        }
    }
}

#[test]
fn a_theme_fills_the_whole_screen_with_its_background() {
    let theme = theme("gruvbox-dark");
    let page = theme.style(Role::Text).bg.unwrap();
    let mut dashboard = dashboard((80, 24));
    dashboard.set_theme(&theme, Colours::True);
    let buffer = dashboard.draw();
    // The second cell of a wide character is never drawn.
    let wide = |at: usize| at > 0 && !buffer.content()[at - 1].symbol().is_ascii();
    let cells = buffer.content().iter().enumerate();
    let bare = cells.filter(|(at, cell)| cell.bg == Color::Reset && !wide(*at)).count();
    assert_eq!(bare, 0, "cells without a background");
    assert!(buffer.content().iter().filter(|cell| cell.bg == page).count() > 1_500);
}

#[test]
fn old_data_is_faint() {
    let mut snapshot = snapshot();
    snapshot.runs.state = SourceState::Stale { error: "away".into(), next_try: NOW };
    let theme = theme("catppuccin-mocha");
    let mut dashboard: Headless = dashboard_of(snapshot, (80, 24), Access::Full);
    dashboard.set_theme(&theme, Colours::True);
    dashboard.press("2 j");
    let buffer = dashboard.draw();
    assert_eq!(Some(find(&buffer, "cool-down-7").fg), theme.style(Role::TextDim).fg);
    assert_eq!(Some(find(&buffer, "✗ runs").fg), theme.style(Role::SourceStale).fg);
}

#[test]
fn the_focus_shows_in_the_frame() {
    let theme = theme("nord");
    let mut dashboard = dashboard((80, 24));
    dashboard.set_theme(&theme, Colours::True);
    dashboard.press("tab tab");
    let buffer = dashboard.draw();
    assert_eq!(Some(buffer[(0, 2)].fg), theme.style(Role::PaneBorderFocused).fg);
    assert_eq!(buffer[(0, 2)].symbol(), "┏");
    assert_eq!(Some(buffer[(0, 8)].fg), theme.style(Role::PaneBorder).fg);
    assert_eq!(buffer[(0, 8)].symbol(), "┌");
}
