//! The queue: as a gauge on the overview, message by message on its screen.

use std::borrow::Cow;

use ratatui::{
    layout::Rect,
    widgets::{Sparkline, Widget},
};

use super::{
    super::{app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus, Piece},
    letters, pane,
    table::{Column, Table, flexible, ids, number},
    words,
};
use crate::monitor::SourceState;

const JOBS: [Column; 5] = [
    ids("run", 16, 3, 0),
    ids("node", 12, 2, 0),
    flexible("blueprint", 10, 2, 2),
    number("age", 6, 1),
    number("received", 8, 3),
];

/// The queue in a few numbers and its depth over time.
pub(super) fn draw_gauge(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().queue;
    let inside = pane::open(app, canvas, area, ListId::Jobs, "Queue", Some(source));
    if source.updated_at.is_none() {
        pane::empty(app, canvas, inside, ListId::Jobs, Some(source));
        return;
    }
    let view = &source.data;
    let stale = matches!(source.state, SourceState::Stale { .. });
    let plain = if stale { Role::TextDim } else { Role::Text };
    let mut first: Vec<Piece<'_>> = vec![
        (text::short(view.depth).into(), if stale { plain } else { Role::TextStrong }),
        (" waiting".into(), plain),
    ];
    if view.poison > 0 {
        let poison = format!("  ✗ {} poison", text::short(view.poison));
        first.push((poison.into(), Role::QueuePoison));
    }
    let rate = |rate: Option<f64>| rate.map_or("–".to_owned(), |rate| format!("{rate:.1}"));
    let mut second: Vec<Piece<'_>> = Vec::new();
    if view.oldest.is_some() {
        second.push(("oldest ".into(), Role::TextDim));
        second.push((words::ago(app.now(), view.oldest), plain));
        second.push(("  ".into(), plain));
    }
    second.push(("in ".into(), Role::TextDim));
    second.push((rate(view.arrivals).into(), plain));
    second.push(("  done ".into(), Role::TextDim));
    second.push((format!("{}/s", rate(view.completions)).into(), plain));
    canvas.pieces(inside, &first);
    let rest = below(inside, 1);
    canvas.pieces(rest, &second);
    let rest = below(rest, 1);
    if rest.height > 0 && rest.width > 0 {
        let from = view.history.len().saturating_sub(usize::from(rest.width));
        let data = view.history.get(from..).unwrap_or_default();
        let role = if stale { Role::TextDim } else { Role::QueueSpark };
        Sparkline::default().data(data).style(canvas.style(role)).render(rest, canvas.buffer);
    }
}

fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// The next messages above, the dead letters below.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 10 {
        match app.focus {
            ListId::Letters => letters::draw(app, canvas, area),
            _ => draw_jobs(app, canvas, area),
        }
        return;
    }
    // Most of the room is for the list that is looked at.
    let upper = match app.focus {
        ListId::Letters => (area.height / 3).max(5),
        _ => area.height / 2,
    };
    let upper = Rect { height: upper, ..area };
    draw_jobs(app, canvas, upper);
    letters::draw(app, canvas, below(area, upper.height));
}

fn draw_jobs(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().queue;
    let view = &source.data;
    let count = app.rows.count(ListId::Jobs);
    let title = format!("Next messages  {count} of {} waiting", view.depth);
    let inside = pane::open(app, canvas, area, ListId::Jobs, &title, Some(source));
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Jobs, Some(source));
        return;
    }
    let now = app.now();
    let table = Table {
        list: ListId::Jobs,
        columns: &JOBS,
        state: app.list(ListId::Jobs),
        count,
        focus: Focus::when(app.focus == ListId::Jobs),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let message = view.next.get(app.rows.place(ListId::Jobs, row)?)?;
        let (run, node, blueprint, role) = match &message.job {
            Some((run, node, blueprint)) => {
                (run.as_str(), node.as_str(), blueprint.as_str(), Role::Text)
            }
            None => ("not a job", "", "", Role::TextError),
        };
        let cells = vec![
            (run.into(), role),
            (node.into(), role),
            (blueprint.into(), role),
            (words::ago(now, Some(message.inserted_at)), Role::TextDim),
            (Cow::Owned(format!("{}×", message.dequeue_count)), Role::TextDim),
        ];
        Some((message.message_id.as_str().into(), cells))
    });
}
