//! The workers of the cluster, and what their runs cost.

use ratatui::layout::Rect;

use super::{
    super::{app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus},
    cost, pane,
    table::{Cell, Column, Table, fixed, flexible, number},
    words,
};
use crate::monitor::{Cost, SourceState, Sourced, Subject, WorkersView};

const COLUMNS: [Column; 11] = [
    flexible("worker", 16, 3, 0),
    fixed("mode", 10, 0),
    number("slots", 7, 0),
    number("done", 6, 3),
    number("req/s", 6, 1),
    number("RU/s", 6, 2),
    number("429s", 5, 4),
    number("up", 6, 5),
    flexible("host", 10, 2, 6),
    number("pid", 7, 7),
    fixed("version", 10, 8),
];

/// Below this height only the pane with the focus is shown.
const BOTH: u16 = 12;

/// The workers above, the cost below.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < BOTH {
        match app.focus {
            ListId::Costs => cost::draw(app, canvas, area),
            _ => draw_workers(app, canvas, area),
        }
        return;
    }
    // As many rows as there are workers, with frame, head and one to spare.
    let rows = u16::try_from(app.rows.count(ListId::Workers)).unwrap_or(u16::MAX);
    let tall = rows.saturating_add(4).clamp(area.height / 3, area.height / 2);
    draw_workers(app, canvas, Rect { height: tall, ..area });
    cost::draw(app, canvas, Rect { y: area.y + tall, height: area.height - tall, ..area });
}

fn draw_workers(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().workers;
    let count = app.rows.count(ListId::Workers);
    let inside =
        pane::open(app, canvas, area, ListId::Workers, &title(source, count), Some(source));
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
        let place = app.rows.place(ListId::Workers, row)?;
        let worker = source.data.workers.get(place)?;
        let cost = source.data.cost.workers.get(place).filter(|cost| cost.name == worker.name);
        let cost = cost.and_then(|worker| worker.cost.as_ref());
        // One of an older version never says; of another it will be known soon.
        let unknown = if worker.cost.is_none() { "–" } else { "…" };
        let figure = |figure: fn(&Cost) -> String| -> Cell<'_> {
            (cost.map_or(unknown.into(), |cost| figure(cost).into()), Role::Text)
        };
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
            figure(|cost| cost::rate(cost.requests_in_all())),
            figure(|cost| cost::known(cost.units)),
            cost.map_or((unknown.into(), Role::TextDim), cost::refusals),
            (words::ago(now, Some(worker.started_at)), Role::TextDim),
            (worker.host.as_str().into(), Role::Text),
            (worker.pid.to_string().into(), Role::TextDim),
            (worker.version.as_str().into(), Role::TextDim),
        ];
        Some((worker.name.as_str().into(), cells))
    });
}

/// How many there are, and what they ask for together.
fn title(source: &Sourced<WorkersView>, count: usize) -> String {
    if source.updated_at.is_none() {
        return "Workers".to_owned();
    }
    let mut parts = vec![format!("Workers  {count} alive")];
    if let Some(all) = &source.data.cost.all {
        parts.push(format!("{} req/s", cost::rate(all.requests_in_all())));
        parts.extend(all.units.map(|units| format!("{} RU/s", cost::rate(units))));
        let refused = all.throttled.sum();
        parts.extend((refused > 0).then(|| format!("▲ {} 429s", text::short(refused))));
    }
    parts.join("  ")
}
