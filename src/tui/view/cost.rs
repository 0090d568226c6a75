//! What runs cost, by blueprint; and how figures of cost are written.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus},
    pane,
    table::{Cell, Column, Table, flexible, number},
};
use crate::monitor::{Cost, CostOf, SourceState};

const COLUMNS: [Column; 9] = [
    flexible("blueprint", 19, 3, 0),
    number("nodes/s", 7, 4),
    number("queue/s", 7, 5),
    number("state/s", 7, 2),
    number("locks/s", 7, 6),
    number("RU/s", 7, 1),
    number("RU/node", 7, 3),
    number("429s", 5, 1),
    number("req/node", 8, 7),
];

/// The blueprints, the dearest first; below them what is for none of them.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().workers;
    let view = &source.data.cost;
    let count = app.rows.count(ListId::Costs);
    let note = if view.all.is_none() && view.silent < source.data.workers.len() {
        "  waiting for a second heartbeat".to_owned()
    } else if view.silent > 0 {
        format!("  without {} of an older version", text::count(view.silent, "worker"))
    } else {
        String::new()
    };
    let title = format!("Cost by blueprint  last minute{note}");
    let inside = pane::open(app, canvas, area, ListId::Costs, &title, Some(source));
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Costs, Some(source));
        return;
    }
    let table = Table {
        list: ListId::Costs,
        columns: &COLUMNS,
        state: app.list(ListId::Costs),
        count,
        focus: Focus::when(app.focus == ListId::Costs),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let row = view.rows.get(app.rows.place(ListId::Costs, row)?)?;
        let cost = &row.cost;
        let role = match row.of {
            CostOf::Blueprint(_) => Role::Text,
            _ => Role::TextDim,
        };
        let is_for_nodes = !matches!(row.of, CostOf::Overhead | CostOf::Dashboard);
        let of_nodes = |text: String| if is_for_nodes { text } else { String::new() };
        let cells: Vec<Cell<'_>> = vec![
            (row.of.name().into(), role),
            (of_nodes(rate(cost.nodes)).into(), role),
            (rate(cost.requests.queue).into(), role),
            (rate(cost.requests.state).into(), role),
            (rate(cost.requests.coordination).into(), role),
            (known(cost.units).into(), role),
            (of_nodes(known(cost.units_a_node)).into(), role),
            refusals(cost),
            (of_nodes(known(cost.requests_a_node)).into(), role),
        ];
        Some((row.of.name().into(), cells))
    });
}

/// How often a service said that it was too much, as a cell.
pub(super) fn refusals(cost: &Cost) -> Cell<'static> {
    match cost.throttled.sum() {
        0 => (Cow::Borrowed("0"), Role::TextDim),
        count => (format!("▲{}", text::short(count)).into(), Role::SourceStale),
    }
}

/// A rate in at most six characters.
pub(super) fn rate(rate: f64) -> String {
    // Never negative, and a float that large is a whole number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    if rate >= 1_000.0 { text::short(rate.round() as u64) } else { format!("{rate:.1}") }
}

/// The same for one that may not be known, or not be.
pub(super) fn known(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), self::rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        let of = [0.0, 0.04, 3.25, 999.9, 1_234.5, 123_456.0, f64::INFINITY];
        let written = of.map(rate);
        assert!(written.iter().all(|text| text.len() <= 18), "{written:?}");
        assert_eq!(written[..6], ["0.0", "0.0", "3.2", "999.9", "1235", "123k"]);
        assert_eq!(known(None), "–");
    }
}
