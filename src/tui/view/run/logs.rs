//! The log lines that are about the run.

use ratatui::layout::Rect;
use tracing::Level;

use super::super::{
    super::{actions::Action, app::App, rows::ListId, run_log::RunLine, text, theme::Role},
    canvas::{Canvas, Piece},
    words,
};
use crate::monitor::RunDetail;

/// The cells that the node's name gets at most.
const NODE: usize = 18;

/// From this height on, a line that is too long is shown whole below.
const BELOW: u16 = 8;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, _detail: &RunDetail) {
    let list = ListId::RunLogs;
    let count = app.rows.count(list);
    let edge = Rect { y: area.bottom(), height: 1, ..area };
    if area.width >= 30 {
        canvas.right(edge, &status(app), canvas.style(Role::TextDim));
    }
    if count == 0 {
        draw_empty(app, canvas, area);
        return;
    }
    let lines = &app.run_logs.lines;
    let line_of = |row| lines.get(app.rows.place(list, row)?);
    let state = app.list(list);
    let whole = line_of(state.index)
        .filter(|_| area.height >= BELOW)
        .map(|line| whole(app, line, area))
        .unwrap_or_default();
    let lower = u16::try_from(whole.len()).unwrap_or(0);
    let upper = area.height - lower.min(area.height);
    let rows = Rect { height: upper, ..area };
    let first = state.view(count, usize::from(upper));
    canvas.hit_rows(rows, list, first);
    let shown = (first..count).take(usize::from(upper));
    let node = shown
        .filter_map(|row| Some(text::width(line_of(row)?.node.as_deref()?)))
        .max()
        .unwrap_or(0)
        .min(NODE.min(usize::from(area.width) / 4));
    for (y, row) in (rows.top()..rows.bottom()).zip(first..count) {
        let Some(line) = line_of(row) else { continue };
        let place = Rect { y, height: 1, ..rows };
        draw_line(app, canvas, place, line, node);
        if row == state.index {
            if app.focus == list && !app.run_logs.following {
                canvas.select(place);
            } else {
                canvas.text(place.x, y, 1, "▷", canvas.style(Role::SelectedFaint));
            }
        }
    }
    let below = Rect { y: rows.bottom(), height: lower, ..area };
    canvas.lines(below, &whole, 0);
}

fn draw_line(app: &App, canvas: &mut Canvas<'_>, place: Rect, line: &RunLine, node: usize) {
    let (word, role) = level(line.level);
    let mut pieces: Vec<Piece<'_>> = vec![
        (format!("  {} ", words::clock(&app.zone, line.at)).into(), Role::TextDim),
        (format!("{word} ").into(), role),
    ];
    if node > 0 {
        let name = text::fit(line.node.as_deref().unwrap_or(""), node);
        let gap = " ".repeat(node.saturating_sub(text::width(&name)) + 1);
        pieces.push((format!("{name}{gap}").into(), Role::ValueKey));
    }
    pieces.push((line.text.trim().into(), role));
    canvas.pieces(place, &pieces);
}

/// The selected line whole, under a rule, where it is too long for its row.
fn whole<'a>(app: &App, line: &'a RunLine, area: Rect) -> Vec<Piece<'a>> {
    let width = usize::from(area.width);
    let room = width.saturating_sub(18 + NODE.min(width / 4));
    if text::width(&line.text) <= room {
        return Vec::new();
    }
    let most = usize::from(area.height / 3).max(2);
    let mut wrapped = text::wrap(line.text.trim(), width, most);
    let all = wrapped.len();
    wrapped.truncate(most.saturating_sub(1).max(1));
    let mut lines: Vec<Piece<'a>> = vec![("─".repeat(width).into(), Role::PaneBorder)];
    let cut = all > wrapped.len();
    lines.extend(wrapped.into_iter().map(|text| (text.into(), level(line.level).1)));
    if cut {
        let key = app.keymap.key(Action::Open);
        lines[0] = (format!("─ {key}: all of it {}", "─".repeat(width)).into(), Role::PaneBorder);
    }
    lines
}

/// A level's word, which says without colour what the colour says, and its role.
fn level(level: Level) -> (&'static str, Role) {
    match level {
        Level::ERROR => ("ERROR", Role::LogError),
        Level::WARN => ("WARN ", Role::LogWarn),
        Level::INFO => ("info ", Role::LogInfo),
        Level::DEBUG => ("debug", Role::LogDebug),
        _ => ("trace", Role::LogTrace),
    }
}

fn status(app: &App) -> String {
    let count = app.rows.count(ListId::RunLogs);
    let all = app.run_logs.lines.len();
    let (word, _) = level(app.run_logs.level);
    let levels = format!(
        "{}{} {} and up",
        app.keymap.key(Action::Left),
        app.keymap.key(Action::Right),
        word.trim().to_lowercase()
    );
    let place = match (count, app.run_logs.following) {
        (0, _) => String::new(),
        (_, true) => "  following".to_owned(),
        (_, false) => format!("  held: {} follows", app.keymap.key(Action::Bottom)),
    };
    let lines = if count < all {
        format!("{count} of {}", text::count(all, "line"))
    } else {
        text::count(all, "line")
    };
    format!(" {levels}  {lines}{place} ")
}

fn draw_empty(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let key = |action| app.keymap.key(action);
    let head = if app.run_logs.lines.is_empty() {
        "No log lines about this run yet.".to_owned()
    } else {
        format!(
            "No line matches: {} shows more levels, {} drops the filter.",
            key(Action::Right),
            key(Action::Back)
        )
    };
    let hint = "Lines of workers in other processes are not here: look at their own logs. With \
                --log-level debug, or a part of the program (flowcraft_tui::worker=debug), there \
                are more.";
    let width = usize::from(area.width.saturating_sub(2));
    let mut lines: Vec<Piece<'_>> =
        text::wrap(&head, width, 3).into_iter().map(|line| (line.into(), Role::Text)).collect();
    lines.extend(text::wrap(hint, width, 5).into_iter().map(|line| (line.into(), Role::TextDim)));
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX)) / 3;
    let place = Rect {
        x: area.x + 1.min(area.width),
        y: area.y + top,
        width: area.width.saturating_sub(2),
        height: area.height - top,
    };
    canvas.lines(place, &lines, 0);
}
