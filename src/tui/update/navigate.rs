//! Moving about: screens, panes, rows.

use super::{
    super::{
        actions::Action,
        app::{App, Tone},
        clipboard::{self, Copied},
        dialog::Dialog,
        list::Step,
        marks::Marks,
        message::Command,
        order::RunOrder,
        rows::ListId,
        run_logs,
        screen::Screen,
        timeline::Timeline,
        visits,
    },
    kin, letters, logs, open, values,
};
use crate::{blueprint::RunId, monitor::Subject};

pub(super) fn perform(app: &mut App, action: Action) -> Vec<Command> {
    if let Some((screen, ..)) = Screen::TABS.iter().find(|(_, of, _)| *of == action) {
        return go(app, *screen);
    }
    if app.focus == ListId::Letters
        && matches!(action, Action::Left | Action::Right)
        && letters::fold(app, action)
    {
        return Vec::new();
    }
    if app.focus == ListId::Context && values::perform(app, action) {
        return Vec::new();
    }
    if let Some(commands) = super::graph::perform(app, action) {
        return commands;
    }
    match action {
        Action::Left | Action::Right if app.focus == ListId::RunLogs => {
            run_logs::turn_level(app, action == Action::Right);
        }
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
        Action::Sort => order_by(app, app.order.next()),
        Action::Reverse => order_by(app, app.order.reversed()),
        Action::Filter if app.focus.can_filter() => {
            let list = app.focus;
            let before = app.filter(list).to_owned();
            return open(app, Dialog::Filter { list, before });
        }
        Action::Copy => return copy(app, clipboard::selection(app)),
        Action::CopyPlace => return copy(app, clipboard::place(app)),
        action => step(app, action),
    }
    Vec::new()
}

/// Lists the runs in an order.
pub(super) fn order_by(app: &mut App, order: RunOrder) {
    app.order = order;
    app.relist();
    app.notify(Tone::Good, format!("ordered by {} {}", order.by.name(), order.arrow()));
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

/// Shows a screen from wherever one is; Esc leads back there.
pub(super) fn visit(app: &mut App, screen: Screen) -> Vec<Command> {
    if app.screen == screen {
        return back(app);
    }
    app.trail.push((app.screen, app.focus));
    show(app, screen, screen.first_focus())
}

fn show(app: &mut App, screen: Screen, focus: ListId) -> Vec<Command> {
    let was = app.screen;
    app.screen = screen;
    app.focus = focus;
    if was == Screen::Run && screen != Screen::Run {
        app.open_run = None;
        app.visits.clear();
        return vec![Command::WatchRun(None)];
    }
    Vec::new()
}

/// Shows a run, with a way back.
pub(super) fn open_run(app: &mut App, run: RunId) -> Vec<Command> {
    if app.screen != Screen::Run {
        app.trail.push((app.screen, app.focus));
    } else if app.open_run.as_ref() != Some(&run) {
        visits::leave(app);
    }
    visits::show(app, run.clone());
    app.graph.reset();
    app.timeline = Timeline::default();
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
        ListId::Nodes => kin::open_child(app).unwrap_or_else(|| {
            app.focus = ListId::Inspector;
            Vec::new()
        }),
        ListId::Inspector => {
            values::open_node(app);
            Vec::new()
        }
        ListId::RunLogs => values::open_line(app),
        ListId::Context => values::open_value(app),
        ListId::Logs => {
            logs::only(app);
            Vec::new()
        }
        ListId::Blueprints => super::perform(app, Action::Start),
        ListId::Warnings => follow(app),
        ListId::Letters => letters::enter(app),
        list => match app.run_of_row(list) {
            Some(run) => open_run(app, run),
            None => Vec::new(),
        },
    }
}

/// Goes to what the selected warning is about.
fn follow(app: &mut App) -> Vec<Command> {
    let Some(subject) = app.selected_warning().map(|warning| warning.subject.clone()) else {
        return Vec::new();
    };
    let (screen, list, key) = match subject {
        Subject::Run(run) => return open_run(app, run),
        Subject::Lock(key) => (Screen::Locks, ListId::Locks, Some(key)),
        Subject::Worker(worker) => (Screen::Workers, ListId::Workers, Some(worker.to_string())),
        Subject::Queue => (Screen::Queue, ListId::Jobs, None),
        Subject::PoisonQueue => (Screen::Queue, ListId::Letters, None),
        // What is wrong with a source stands in the header of every screen.
        Subject::Source(_) => return Vec::new(),
    };
    app.trail.push((app.screen, app.focus));
    let commands = show(app, screen, list);
    if let Some(row) = key.and_then(|key| app.row_of(list, &key)) {
        move_in(app, list, Step::To(row));
    }
    commands
}

/// Undoes the last thing that narrowed the view, else goes where one came from.
fn back(app: &mut App) -> Vec<Command> {
    let list = app.focus;
    if app.focus == ListId::Logs && app.screen == Screen::Logs && app.logs.held.take().is_some() {
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
    if app.screen == Screen::Run
        && let Some(run) = visits::come_back(app)
    {
        return vec![Command::WatchRun(Some(run))];
    }
    match app.trail.pop() {
        Some((screen, focus)) => show(app, screen, focus),
        None => Vec::new(),
    }
}

fn mark(app: &mut App) {
    if app.focus == ListId::Logs {
        app.logs.targets = !app.logs.targets;
        return;
    }
    if !matches!(app.focus, ListId::Runs | ListId::Letters) {
        app.notify(Tone::Bad, "only runs and dead letters can be marked");
        return;
    }
    let list = app.focus;
    if list == ListId::Letters {
        letters::mark(app);
        step(app, Action::Down);
    } else if let Some(key) = app.selected_key(list) {
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
    let all = match list {
        _ if !app.list(list).marked.is_empty() => Marks::default(),
        ListId::Runs => Marks::all(app.rows.runs.rows()),
        ListId::Letters => letters::all(app).into_iter().collect(),
        list => (0..app.rows.count(list)).filter_map(|row| app.key(list, row)).collect(),
    };
    app.lists[list as usize].marked = all;
}

fn copy(app: &mut App, copied: Copied) -> Vec<Command> {
    match copied {
        Copied::Text { text, what } => {
            app.notify(Tone::Good, format!("copied {what}"));
            vec![Command::Copy(text)]
        }
        Copied::TooLarge { what } => {
            let key = app.keymap.key(Action::Export);
            let most = super::super::text::bytes(clipboard::LIMIT as u64);
            let said = format!("{what} is too large: terminals take {most}. {key} writes a file");
            app.notify(Tone::Bad, said);
            Vec::new()
        }
        Copied::Nothing => {
            app.notify(Tone::Bad, "nothing is selected");
            Vec::new()
        }
    }
}

fn step(app: &mut App, action: Action) {
    let step = match action {
        Action::Up => Step::By(-1),
        Action::Down => Step::By(1),
        Action::PageUp => Step::Page(-1),
        Action::PageDown => Step::Page(1),
        Action::Top => Step::Top,
        Action::Bottom => Step::Bottom,
        Action::Left | Action::Right => return logs::step(app, action),
        _ => return,
    };
    if app.focus == ListId::Logs {
        return logs::step(app, action);
    }
    move_in(app, app.focus, step);
}

/// Moves the selection of a list.
pub(super) fn move_in(app: &mut App, list: ListId, step: Step) {
    if list == ListId::RunLogs {
        return run_logs::step(app, step);
    }
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
