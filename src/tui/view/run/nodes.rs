//! The nodes of a run as a table.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{
        super::{app::App, rows::ListId, theme::Role},
        canvas::{Canvas, Focus},
        table::{Column, Table, fixed, flexible, ids, number},
        words,
    },
    took,
};
use crate::monitor::{RunDetail, SourceState};

const COLUMNS: [Column; 6] = [
    fixed("state", 11, 0),
    ids("node", 12, 3, 0),
    flexible("uses", 8, 2, 3),
    number("tries", 5, 2),
    number("took", 6, 1),
    flexible("worker", 10, 2, 4),
];

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, inside: Rect, detail: &RunDetail) {
    let source = &app.shown().detail;
    let now = app.now();
    let table = Table {
        list: ListId::Nodes,
        columns: &COLUMNS,
        state: app.list(ListId::Nodes),
        count: app.rows.count(ListId::Nodes),
        focus: Focus::when(app.focus == ListId::Nodes),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let node = detail.nodes.get(app.rows.place(ListId::Nodes, row)?)?;
        let (symbol, word, role) = words::node(node.state);
        let id = if node.iteration > 1 {
            Cow::Owned(format!("{} ↻{}", node.id, node.iteration))
        } else {
            Cow::Borrowed(node.id.as_str())
        };
        let tries = if node.attempts > 0 { node.attempts.to_string() } else { String::new() };
        let cells = vec![
            (format!("{symbol} {word}").into(), role),
            (id, Role::Text),
            (node.uses.as_deref().unwrap_or("?").into(), Role::TextDim),
            (tries.into(), Role::Text),
            (took(node, now).into(), Role::Text),
            (node.worker.as_deref().unwrap_or("").into(), Role::TextDim),
        ];
        Some((node.id.as_str().into(), cells))
    });
}
