//! From a message to a change of the state and a list of commands. Nothing here waits, reads or
//! writes anything.

mod act;
mod dialogs;
mod forms;
mod graph;
mod mouse;
mod navigate;

pub(super) use dialogs::{actions_for, blueprints_for};
pub(super) use forms::{answered, waiting};

use crossterm::event::{Event, KeyEvent, KeyEventKind};

use super::{
    actions::Action,
    app::{Access, App, Tone},
    dialog::{Choice, Dialog, Picker},
    message::{Command, ExitReason, Message},
};

/// Takes a message in.
pub(crate) fn update(app: &mut App, message: Message) -> Vec<Command> {
    let commands = match message {
        Message::Input(event) => return input(app, event),
        Message::Snapshot(snapshot) => {
            app.snapshot = snapshot;
            if app.frozen.is_none() {
                app.relist();
            }
            Vec::new()
        }
        Message::Catalog(catalog) => {
            app.catalog = catalog;
            app.relist();
            Vec::new()
        }
        Message::Worker(status) => {
            app.worker = Some(status);
            left(app)
        }
        Message::Tick(now) => {
            app.clock = now;
            app.toasts.retain(|toast| toast.until > now);
            left(app)
        }
        Message::LogLines => {
            app.logs.any = true;
            Vec::new()
        }
        Message::Charted(made) => {
            graph::charted(app, made);
            Vec::new()
        }
        Message::Previewed { ticket, result } => act::previewed(app, ticket, result),
        Message::Applied { operation, result } => act::applied(app, operation, result),
    };
    app.dirty = true;
    commands
}

fn input(app: &mut App, event: Event) -> Vec<Command> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            app.dirty = true;
            pressed(app, key)
        }
        Event::Paste(text) => {
            app.dirty = true;
            forms::paste(app, &text);
            Vec::new()
        }
        Event::Mouse(event) => mouse::mouse(app, event),
        Event::Resize(..) | Event::FocusGained => {
            app.dirty = true;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn pressed(app: &mut App, key: KeyEvent) -> Vec<Command> {
    if app.dialog.is_some() {
        return dialogs::pressed(app, key);
    }
    app.keymap.action(key).map_or_else(Vec::new, |action| perform(app, action))
}

/// Does what an action says.
fn perform(app: &mut App, action: Action) -> Vec<Command> {
    if app.access == Access::ReadOnly && action.changes() {
        app.notify(Tone::Bad, format!("read-only: `{action}` is switched off"));
        return Vec::new();
    }
    match action {
        Action::Start => act::start(app),
        Action::Requeue => act::requeue(app),
        Action::Reconcile => act::reconcile(app),
        Action::Cancel => act::cancel(app),
        Action::Answer => act::answer(app),
        Action::Replay | Action::Purge => act::letters(app, action),
        Action::Pause => act::pause(app),
        Action::Drain => act::drain(app),
        Action::Quit => quit(app),
        Action::Help => open(app, Dialog::Help { scroll: 0 }),
        Action::Palette => open(app, Dialog::Palette(Picker::default())),
        Action::History => open(app, Dialog::History { scroll: 0 }),
        Action::Refresh => vec![Command::Refresh],
        Action::Redraw => vec![Command::Redraw],
        Action::Suspend => vec![Command::Suspend],
        Action::Theme => {
            app.theme = (app.theme + 1) % app.themes.len();
            let name = format!("theme: {}", app.current_theme().name);
            app.notify(Tone::Good, name);
            Vec::new()
        }
        Action::Freeze => {
            app.frozen = match app.frozen.take() {
                Some(_) => None,
                None => Some((app.snapshot.clone(), app.clock)),
            };
            app.relist();
            Vec::new()
        }
        action => navigate::perform(app, action),
    }
}

fn open(app: &mut App, dialog: Dialog) -> Vec<Command> {
    app.dialog = Some(dialog);
    Vec::new()
}

/// Leaves, or asks first where nodes are still running.
fn quit(app: &mut App) -> Vec<Command> {
    if app.leaving {
        return vec![Command::Exit(ExitReason::QuitAtOnce)];
    }
    if app.worker.is_some_and(|worker| worker.in_flight > 0) {
        return open(app, Dialog::Leave(Choice::default()));
    }
    vec![Command::Exit(ExitReason::Quit)]
}

/// Ends the dashboard once the operator has left and nothing is running any more.
fn left(app: &App) -> Vec<Command> {
    if app.leaving && app.worker.is_none_or(|worker| worker.in_flight == 0) {
        vec![Command::Exit(ExitReason::Quit)]
    } else {
        Vec::new()
    }
}
