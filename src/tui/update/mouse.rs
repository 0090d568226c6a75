//! The mouse: a click focuses and selects, a second one opens, the wheel scrolls.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{
    super::{
        actions::Action,
        app::{App, Screen, Target},
        dialog::Dialog,
        list::Step,
        message::Command,
        rows::ListId,
    },
    navigate, perform,
};

/// How many rows one notch of the wheel moves.
const NOTCH: isize = 3;

pub(super) fn mouse(app: &mut App, event: MouseEvent) -> Vec<Command> {
    if let Some(commands) = super::graph::mouse(app, event) {
        return commands;
    }
    let wheel = match event.kind {
        MouseEventKind::ScrollDown => NOTCH,
        MouseEventKind::ScrollUp => -NOTCH,
        MouseEventKind::Down(MouseButton::Left) => 0,
        _ => return Vec::new(),
    };
    app.dirty = true;
    if let Some(dialog) = &mut app.dialog {
        if let Dialog::Help { scroll } | Dialog::History { scroll } = dialog {
            *scroll = scroll.saturating_add_signed(wheel);
        } else if let Dialog::Confirm(confirm) = dialog {
            confirm.scroll = confirm.scroll.saturating_add_signed(wheel);
        }
        return Vec::new();
    }
    let at = Position::new(event.column, event.row);
    // What was drawn last lies on top.
    let Some(hit) = app.hits.iter().rev().find(|hit| hit.area.contains(at)).copied() else {
        return Vec::new();
    };
    match hit.target {
        Target::Tab(screen) if wheel == 0 => navigate::go(app, screen),
        Target::Pane(list) if wheel == 0 => {
            app.focus = list;
            Vec::new()
        }
        Target::Pane(list) | Target::Rows { list, .. } if wheel != 0 => {
            if list == ListId::Logs {
                if app.screen == Screen::Logs {
                    let action = if wheel > 0 { Action::PageDown } else { Action::PageUp };
                    app.focus = list;
                    return perform(app, action);
                }
            } else {
                navigate::move_in(app, list, Step::By(wheel));
            }
            Vec::new()
        }
        Target::Tab(_)
        | Target::Pane(_)
        | Target::Text { .. }
        | Target::Graph(_)
        | Target::Timeline { .. } => Vec::new(),
        Target::Rows { list, first } => {
            let row = first + usize::from(event.row.saturating_sub(hit.area.y));
            let again = app.focus == list && app.list(list).index == row;
            app.focus = list;
            if list == ListId::Inspector || row >= app.rows.count(list) {
                return Vec::new();
            }
            if again {
                return perform(app, Action::Open);
            }
            navigate::move_in(app, list, Step::To(row));
            Vec::new()
        }
    }
}
