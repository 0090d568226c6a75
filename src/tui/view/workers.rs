//! The workers of the cluster.

use ratatui::layout::Rect;

use super::{
    super::{app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus},
    pane,
    table::{Column, Table, fixed, flexible, number},
    words,
};
use crate::monitor::{SourceState, Subject};

const COLUMNS: [Column; 8] = [
    flexible("worker", 16, 3, 0),
    fixed("mode", 10, 0),
    number("slots", 9, 0),
    number("done", 7, 1),
    number("up", 6, 2),
    flexible("host", 10, 2, 3),
    number("pid", 7, 4),
    fixed("version", 10, 5),
];

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().workers;
    let count = app.rows.count(ListId::Workers);
    let title = if source.updated_at.is_none() {
        "Workers".to_owned()
    } else {
        format!("Workers  {count} alive")
    };
    let inside = pane::open(app, canvas, area, ListId::Workers, &title, Some(source));
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Workers, Some(source));
        return;
    }
    let now = app.now();
    let table = Table {
        list: ListId::Workers,
        columns: &COLUMNS,
        state: app.list(ListId::Workers),
        count,
        focus: Focus::when(app.focus == ListId::Workers),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let worker = source.data.workers.get(app.rows.place(ListId::Workers, row)?)?;
        let (symbol, word, role) = words::worker(worker.mode);
        let warned = app.shown().warnings.data.about(&Subject::Worker(worker.name.clone())).next();
        let name = match warned {
            Some(_) => (format!("! {}", worker.name).into(), Role::WarningMild),
            None => (worker.name.as_str().into(), Role::Text),
        };
        let full = worker.in_flight >= worker.slots;
        let cells = vec![
            name,
            (format!("{symbol} {word}").into(), role),
            (
                format!("{}/{}", worker.in_flight, worker.slots).into(),
                if full { Role::TextStrong } else { Role::Text },
            ),
            (text::short(worker.done).into(), Role::Text),
            (words::ago(now, Some(worker.started_at)), Role::TextDim),
            (worker.host.as_str().into(), Role::Text),
            (worker.pid.to_string().into(), Role::TextDim),
            (worker.version.as_str().into(), Role::TextDim),
        ];
        Some((worker.name.as_str().into(), cells))
    });
}
