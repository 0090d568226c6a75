//! What was done from here, and what came of it.

use ratatui::layout::Rect;

use super::{
    super::{
        app::{App, Tone},
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus, Piece},
    pane,
    table::{Column, Table, flexible, number},
    words,
};
use crate::monitor::Sourced;

const COLUMNS: [Column; 3] =
    [number("ago", 6, 0), flexible("what", 20, 3, 0), flexible("result", 20, 4, 1)];

/// The most lines in which one action is told.
const LINES: usize = 400;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let count = app.rows.count(ListId::History);
    let below = if area.height >= 12 { area.height / 2 } else { 0 };
    let list = Rect { height: area.height - below, ..area };
    let title = match (count, app.under_way.len()) {
        _ if app.replay.is_some() => format!("Actions  {count} done by then"),
        (_, 0) => format!("Actions  {count} done from here"),
        (_, more) => format!("Actions  {count} done from here, {more} under way"),
    };
    let inside = pane::open(app, canvas, list, ListId::History, &title, None::<&Sourced<()>>);
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::History, None::<&Sourced<()>>);
        return;
    }
    let table = Table {
        list: ListId::History,
        columns: &COLUMNS,
        state: app.list(ListId::History),
        count,
        focus: Focus::when(app.focus == ListId::History),
        stale: false,
    };
    table.draw(canvas, inside, |row| {
        let done = app.done_at(app.rows.place(ListId::History, row)?)?;
        let (symbol, role) = words::tone(done.tone);
        let cells = vec![
            (words::ago(app.now(), Some(done.at)), Role::TextDim),
            (format!("{symbol} {}", done.what).into(), role),
            (done.result.as_str().into(), if done.tone == Tone::Bad { role } else { Role::Text }),
        ];
        Some((done.number.to_string().into(), cells))
    });
    if below > 0 {
        let place = Rect { y: list.bottom(), height: below, ..area };
        let inside = canvas.pane(place, &[("In full".into(), Role::PaneTitle)], Focus::Elsewhere);
        let lines = in_full(app, usize::from(inside.width));
        canvas.lines(inside, &lines, 0);
    }
}

/// The selected action: when, on which runs, and everything that came of it.
fn in_full(app: &App, width: usize) -> Vec<Piece<'_>> {
    let Some(done) = app.selected_done() else { return Vec::new() };
    let (_, role) = words::tone(done.tone);
    let mut lines: Vec<Piece<'_>> =
        vec![(format!("{}  {}", done.at, done.what).into(), Role::Text)];
    let mut put = |text: &str, role| {
        let wrapped = text::wrap(text, width, LINES);
        lines.extend(wrapped.into_iter().map(|line| (line.into(), role)));
    };
    put(&done.result, role);
    for problem in &done.problems {
        put(&format!("✗ {problem}"), Role::TextError);
    }
    if !done.runs.is_empty() {
        put(&format!("runs: {}", done.runs.join(", ")), Role::TextDim);
    }
    lines
}
