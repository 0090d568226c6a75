//! The mouse: a click focuses and selects, a second one opens, the wheel scrolls.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{
    super::{
        actions::Action,
        app::{App, Target},
        dialog::Dialog,
        list::Step,
        message::Command,
        rows::ListId,
        screen::Screen,
    },
    logs, navigate, perform,
};

/// How many rows one notch of the wheel moves.
const NOTCH: isize = 3;

/// The same in lines of the log.
const LINES: i32 = 3;

pub(super) fn mouse(app: &mut App, event: MouseEvent) -> Vec<Command> {
    if let Some(commands) = super::graph::mouse(app, event) {
        return commands;
    }
    let wheel = match event.kind {
        MouseEventKind::ScrollDown => NOTCH,
        MouseEventKind::ScrollUp => -NOTCH,
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => 0,
        _ => return Vec::new(),
    };
    app.dirty = true;
    if let Some(dialog) = &mut app.dialog {
        if let Dialog::Help { scroll } = dialog {
            *scroll = scroll.saturating_add_signed(wheel);
        } else if let Dialog::Letter(view) = dialog {
            view.scroll = view.scroll.saturating_add_signed(wheel);
        } else if let Dialog::Whole(whole) = dialog {
            whole.scroll = whole.scroll.saturating_add_signed(wheel);
        } else if let Dialog::Confirm(confirm) = dialog {
            confirm.scroll = confirm.scroll.saturating_add_signed(wheel);
        } else if let Dialog::Explain(explaining) = dialog {
            explaining.scroll = explaining.scroll.saturating_add_signed(wheel);
        }
        return Vec::new();
    }
    let at = Position::new(event.column, event.row);
    // What was drawn last lies on top.
    let Some(hit) = app.hits.iter().rev().find(|hit| hit.area.contains(at)).copied() else {
        return Vec::new();
    };
    if let (Target::TimeLine, Some(replay)) = (hit.target, &app.replay) {
        let step = if wheel > 0 { Action::StepForward } else { Action::StepBack };
        if wheel != 0 {
            return perform(app, step);
        }
        return vec![Command::Scrub(replay.clicked(hit.area, event.column))];
    }
    // Only along a time line is there anything to drag.
    if matches!(event.kind, MouseEventKind::Drag(_)) {
        return Vec::new();
    }
    match hit.target {
        Target::Tab(screen) if wheel == 0 => navigate::go(app, screen),
        Target::Heading { list, title } if wheel == 0 => {
            app.focus = list;
            if let Some(order) = app.order.clicked(title).filter(|_| list == ListId::Runs) {
                navigate::order_by(app, order);
            }
            Vec::new()
        }
        Target::Pane(list) if wheel == 0 => {
            app.focus = list;
            Vec::new()
        }
        Target::Pane(list) | Target::Rows { list, .. } if wheel != 0 => {
            if list == ListId::Logs {
                if app.screen == Screen::Logs {
                    app.focus = list;
                    logs::scroll(app, if wheel > 0 { LINES } else { -LINES });
                }
            } else {
                navigate::move_in(app, list, Step::By(wheel));
            }
            Vec::new()
        }
        Target::LogTargets { first } => {
            app.focus = ListId::Logs;
            if wheel == 0 {
                logs::choose(app, first + usize::from(event.row.saturating_sub(hit.area.y)));
            } else {
                perform(app, if wheel > 0 { Action::Down } else { Action::Up });
            }
            Vec::new()
        }
        Target::Tab(_)
        | Target::Pane(_)
        | Target::Text { .. }
        | Target::Heading { .. }
        | Target::Graph(_)
        | Target::Timeline { .. }
        | Target::TimeLine => Vec::new(),
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
