//! Moving about: screens, panes, rows.

use std::collections::BTreeSet;

use tui_logger::TuiWidgetEvent;

use super::{
    super::{
        actions::Action,
        app::{App, Screen, Tone},
        dialog::Dialog,
        list::{ListState, Step},
        message::Command,
        rows::ListId,
        timeline::Timeline,
    },
    open,
};
use crate::blueprint::RunId;

pub(super) fn perform(app: &mut App, action: Action) -> Vec<Command> {
    if let Some((screen, ..)) = Screen::TABS.iter().find(|(_, of, _)| *of == action) {
        return go(app, *screen);
    }
    if let Some(commands) = super::graph::perform(app, action) {
        return commands;
    }
    match action {
        Action::NextPane | Action::Right
            if app.focus != ListId::Logs || action == Action::NextPane =>
        {
            shift_focus(app, 1);
        }
        Action::PreviousPane | Action::Left
            if app.focus != ListId::Logs || action == Action::PreviousPane =>
        {
            shift_focus(app, -1);
        }
        Action::NextFace if app.screen == Screen::Run => turn(app, 1),
        Action::PreviousFace if app.screen == Screen::Run => turn(app, -1),
        Action::Open => return enter(app),
        Action::Back => return back(app),
        Action::Mark => mark(app),
        Action::MarkAll => mark_all(app),
        Action::Sort => {
            app.order = app.order.next();
            app.relist();
            let order = format!("ordered by {}", app.order.name());
            app.notify(Tone::Good, order);
        }
        Action::Filter if app.focus.can_filter() => {
            let list = app.focus;
            let before = app.filter(list).to_owned();
            return open(app, Dialog::Filter { list, before });
        }
        Action::Copy => return copy(app),
        action => step(app, action),
    }
    Vec::new()
}

/// Shows a screen, with a way back.
pub(super) fn go(app: &mut App, screen: Screen) -> Vec<Command> {
    if app.screen == screen {
        return Vec::new();
    }
    // Going by number starts over: Esc leads to the overview from there.
    app.trail.clear();
    if screen != Screen::Overview {
        app.trail.push((Screen::Overview, Screen::Overview.first_focus()));
    }
    show(app, screen, screen.first_focus())
}

fn show(app: &mut App, screen: Screen, focus: ListId) -> Vec<Command> {
    let was = app.screen;
    app.screen = screen;
    app.focus = focus;
    if was == Screen::Run && screen != Screen::Run {
        app.open_run = None;
        return vec![Command::WatchRun(None)];
    }
    Vec::new()
}

/// Shows a run, with a way back.
pub(super) fn open_run(app: &mut App, run: RunId) -> Vec<Command> {
    if app.screen != Screen::Run {
        app.trail.push((app.screen, app.focus));
    }
    app.screen = Screen::Run;
    app.focus = app.face.list();
    app.lists[ListId::Nodes as usize] = ListState::default();
    for list in [ListId::Inspector, ListId::Context, ListId::RunLogs] {
        app.lists[list as usize] = ListState::default();
    }
    app.open_run = Some(run.clone());
    app.graph.reset();
    app.timeline = Timeline::default();
    app.relist();
    vec![Command::WatchRun(Some(run))]
}

/// Sees the run in another way.
fn turn(app: &mut App, by: isize) {
    app.face = app.face.turned(by);
    app.focus = app.face.list();
}

fn shift_focus(app: &mut App, by: isize) {
    let lists = app.lists_here();
    let at = lists.iter().position(|list| *list == app.focus).unwrap_or(0);
    let count = isize::try_from(lists.len()).unwrap_or(1);
    let next = (isize::try_from(at).unwrap_or(0) + by).rem_euclid(count);
    app.focus = lists[usize::try_from(next).unwrap_or(0)];
}

/// Zooms into a pane of the overview; elsewhere opens what is selected.
fn enter(app: &mut App) -> Vec<Command> {
    if app.screen == Screen::Overview {
        let screen = match app.focus {
            ListId::Jobs => Screen::Queue,
            ListId::Locks => Screen::Locks,
            ListId::Logs => Screen::Logs,
            _ => Screen::Runs,
        };
        app.trail.push((app.screen, app.focus));
        return show(app, screen, screen.first_focus());
    }
    match app.focus {
        ListId::Nodes => {
            app.focus = ListId::Inspector;
            Vec::new()
        }
        ListId::Logs => {
            app.logs.screen.transition(TuiWidgetEvent::FocusKey);
            Vec::new()
        }
        ListId::Blueprints => super::act::start(app),
        list => match app.run_of_row(list) {
            Some(run) if list != ListId::Inspector => open_run(app, run),
            _ => Vec::new(),
        },
    }
}

/// Undoes the last thing that narrowed the view, else goes where one came from.
fn back(app: &mut App) -> Vec<Command> {
    let list = app.focus;
    if app.focus == ListId::Logs && app.screen == Screen::Logs && app.logs.scrolled {
        app.logs.screen.transition(TuiWidgetEvent::EscapeKey);
        app.logs.scrolled = false;
        return Vec::new();
    }
    if !app.lists[list as usize].marked.is_empty() {
        app.lists[list as usize].marked.clear();
        return Vec::new();
    }
    if app.filters.remove(&list).is_some_and(|filter| !filter.is_empty()) {
        app.relist();
        return Vec::new();
    }
    if list == ListId::Inspector {
        app.focus = ListId::Nodes;
        return Vec::new();
    }
    match app.trail.pop() {
        Some((screen, focus)) => show(app, screen, focus),
        None => Vec::new(),
    }
}

fn mark(app: &mut App) {
    if app.focus == ListId::Logs {
        app.logs.screen.transition(TuiWidgetEvent::HideKey);
        app.logs.targets = !app.logs.targets;
        return;
    }
    if !matches!(app.focus, ListId::Runs | ListId::Letters) {
        app.notify(Tone::Bad, "only runs and dead letters can be marked");
        return;
    }
    let list = app.focus;
    if let Some(key) = app.selected_key(list) {
        let marked = &mut app.lists[list as usize].marked;
        if !marked.remove(&key) {
            marked.insert(key);
        }
        step(app, Action::Down);
    }
}

/// Marks all rows that the filter leaves; with marks already, drops them.
fn mark_all(app: &mut App) {
    let list = app.focus;
    if !matches!(list, ListId::Runs | ListId::Letters) {
        app.notify(Tone::Bad, "only runs and dead letters can be marked");
        return;
    }
    let all = if app.list(list).marked.is_empty() {
        (0..app.rows.count(list)).filter_map(|row| app.key(list, row)).collect()
    } else {
        BTreeSet::new()
    };
    app.lists[list as usize].marked = all;
}

fn copy(app: &mut App) -> Vec<Command> {
    let text = if app.screen == Screen::Run {
        app.open_run.as_ref().map(ToString::to_string)
    } else {
        app.selected_key(app.focus)
    };
    let Some(text) = text else {
        app.notify(Tone::Bad, "nothing is selected");
        return Vec::new();
    };
    app.notify(Tone::Good, format!("copied {}", super::super::text::fit(&text, 60)));
    vec![Command::Copy(text)]
}

fn step(app: &mut App, action: Action) {
    let step = match action {
        Action::Up => Step::By(-1),
        Action::Down => Step::By(1),
        Action::PageUp => Step::Page(-1),
        Action::PageDown => Step::Page(1),
        Action::Top => Step::Top,
        Action::Bottom => Step::Bottom,
        Action::Left | Action::Right => return log_key(app, action),
        _ => return,
    };
    if app.focus == ListId::Logs {
        return log_key(app, action);
    }
    move_in(app, app.focus, step);
}

/// Moves the selection of a list.
pub(super) fn move_in(app: &mut App, list: ListId, step: Step) {
    let mut state = std::mem::take(&mut app.lists[list as usize]);
    if list == ListId::Inspector {
        // Lines have no keys, and how many there are depends on the width: the view limits it.
        let page = isize::try_from(state.height.max(2) - 1).unwrap_or(1);
        state.offset = match step {
            Step::By(by) => state.offset.saturating_add_signed(by),
            Step::Page(pages) => state.offset.saturating_add_signed(pages.saturating_mul(page)),
            Step::To(line) => line,
            Step::Top => 0,
            Step::Bottom => usize::MAX,
        };
    } else {
        let count = app.rows.count(list);
        state.step(step, count, |row| app.key(list, row));
        if list == ListId::Nodes {
            app.lists[ListId::Inspector as usize].offset = 0;
        }
    }
    app.lists[list as usize] = state;
}

/// Hands a key to the log widget.
fn log_key(app: &mut App, action: Action) {
    if app.screen != Screen::Logs {
        return;
    }
    let event = match action {
        Action::Up => TuiWidgetEvent::UpKey,
        Action::Down => TuiWidgetEvent::DownKey,
        Action::Left => TuiWidgetEvent::LeftKey,
        Action::Right => TuiWidgetEvent::RightKey,
        Action::PageUp | Action::Top => TuiWidgetEvent::PrevPageKey,
        Action::PageDown => TuiWidgetEvent::NextPageKey,
        _ => TuiWidgetEvent::EscapeKey,
    };
    match event {
        TuiWidgetEvent::PrevPageKey => app.logs.scrolled = true,
        TuiWidgetEvent::EscapeKey => app.logs.scrolled = false,
        _ => {}
    }
    app.logs.screen.transition(event);
}
