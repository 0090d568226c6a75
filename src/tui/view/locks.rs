//! The leases that are held.

use ratatui::layout::Rect;

use super::{
    super::{app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus},
    pane,
    table::{Column, Table, flexible, ids, number},
    words,
};
use crate::monitor::{SourceState, Subject, WarningKind};

const COLUMNS: [Column; 4] = [
    ids("run", 10, 3, 0),
    ids("node", 8, 2, 1),
    flexible("holder", 10, 3, 0),
    number("left", 5, 0),
];

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = app.shown();
    let source = &snapshot.locks;
    let count = app.rows.count(ListId::Locks);
    let more = if source.data.more { "+" } else { "" };
    let title = if source.updated_at.is_none() {
        "Locks".to_owned()
    } else {
        format!("Locks  {count}{more} held")
    };
    let inside = pane::open(app, canvas, area, ListId::Locks, &title, Some(source));
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Locks, Some(source));
        return;
    }
    let now = app.now();
    let table = Table {
        list: ListId::Locks,
        columns: &COLUMNS,
        state: app.list(ListId::Locks),
        count,
        focus: Focus::when(app.focus == ListId::Locks),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let lock = source.data.locks.get(app.rows.place(ListId::Locks, row)?)?;
        let (symbol, word, role) = words::holder(snapshot.holder(lock));
        let holder = match &lock.holder {
            Some(worker) if role == Role::LockGone => format!("{symbol} {word}: {worker}"),
            Some(worker) => format!("{symbol} {worker}"),
            None => format!("{symbol} {word}"),
        };
        let run = lock.run_id.as_deref().unwrap_or(&lock.key);
        let left = if lock.expires_at > now {
            text::whole_age(now.until(lock.expires_at))
        } else {
            "over".to_owned()
        };
        let expiring = snapshot
            .warnings
            .data
            .about(&Subject::Lock(lock.key.clone()))
            .any(|warning| warning.kind == WarningKind::LockExpiring);
        let (left, left_role) =
            if expiring { (format!("!{left}"), Role::WarningMild) } else { (left, Role::Text) };
        let cells = vec![
            (run.into(), Role::Text),
            (lock.node_id.as_deref().unwrap_or("").into(), Role::Text),
            (holder.into(), role),
            (left.into(), left_role),
        ];
        Some((lock.key.as_str().into(), cells))
    });
}
