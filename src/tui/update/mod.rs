//! From a message to a change of the state and a list of commands. Nothing here waits, reads or
//! writes anything.

mod act;
mod dialogs;
mod explain;
mod export;
mod forms;
mod graph;
mod kin;
mod letters;
mod logs;
mod mouse;
mod navigate;
mod replay;
mod values;

pub(super) use act::example;
pub(super) use dialogs::{actions_for, blueprints_for, children_for};
pub(super) use forms::{answered, waiting};
pub(super) use letters::copied;

use crossterm::event::{Event, KeyEvent, KeyEventKind};

use super::{
    actions::Action,
    app::{Access, App, Header, Tone},
    dialog::{Choice, Dialog, Picker},
    message::{Command, ExitReason, Message},
    run_logs,
    screen::Screen,
    under_way, visits,
    work::{Answer, Worked},
};

/// Takes a message in.
pub(crate) fn update(app: &mut App, message: Message) -> Vec<Command> {
    let mut commands = take(app, message);
    commands.extend(act::follow_child(app));
    visits::catch_up(app);
    run_logs::catch_up(app);
    commands.extend(super::values::catch_up(app));
    commands.extend(app.rows.job().map(Command::List));
    commands
}

fn take(app: &mut App, message: Message) -> Vec<Command> {
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
            if app.rows.runs.has_turned(app.now()) {
                app.relist();
            }
            app.toasts.retain(|toast| toast.until > now);
            let mut commands = explain::tick(app, now);
            commands.extend(left(app));
            commands
        }
        Message::LogLines(lines) => {
            app.logs.book.add(lines);
            Vec::new()
        }
        Message::Listed(listed) => {
            app.listed(listed);
            Vec::new()
        }
        Message::Moment(moment) => replay::moved(app, moment),
        Message::Unreadable(problem) => replay::unreadable(app, problem),
        Message::Recorder(state) => replay::recorder(app, state),
        Message::Charted(made) => {
            graph::charted(app, made);
            Vec::new()
        }
        Message::Previewed { ticket, result } => act::previewed(app, ticket, result),
        Message::Progress { ticket, progress } => {
            under_way::progressed(app, ticket, progress);
            Vec::new()
        }
        Message::Explained { ticket, result } => {
            explain::explained(app, ticket, result);
            Vec::new()
        }
        Message::Applied { operation, result } => {
            let mut commands = act::applied(app, operation, result);
            commands.extend(explain::after_a_change(app));
            commands
        }
        Message::Exported { title, result } => export::ended(app, title, result),
        Message::Worked(Worked(answer)) => {
            match answer {
                Answer::Values { ticket, of, tree } => app.values.take_tree(ticket, of, tree),
                Answer::Found { ticket, query, tree, places } => {
                    app.values.take_found(ticket, query, tree, places);
                }
            }
            Vec::new()
        }
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
        Event::Resize(..) => {
            app.dirty = true;
            // There and back again between two frames: as large as before, but not as it was.
            vec![Command::Redraw]
        }
        Event::FocusGained => {
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
    if let Some(refusal) = app.access.refusal(action) {
        app.notify(Tone::Bad, refusal);
        return Vec::new();
    }
    if let Some(commands) = replay::perform(app, action) {
        return commands;
    }
    match action {
        Action::Start => act::start(app),
        Action::Explain => explain::explain(app),
        Action::Requeue => act::requeue(app),
        Action::Reconcile => act::reconcile(app),
        Action::Cancel => act::cancel(app),
        Action::Answer => act::answer(app),
        Action::Replay | Action::Purge => letters::act_on(app, action),
        Action::Stop => under_way::stop(app),
        Action::Release => act::release(app),
        Action::Pause => act::pause(app),
        Action::Drain => act::drain(app),
        Action::Quit => quit(app),
        Action::Help => open(app, Dialog::Help { scroll: 0 }),
        Action::Palette => open(app, Dialog::Palette(Picker::default())),
        Action::Warnings => navigate::visit(app, Screen::Warnings),
        Action::History => navigate::visit(app, Screen::History),
        Action::Refresh => vec![Command::Refresh],
        Action::Redraw => vec![Command::Redraw],
        Action::Suspend => vec![Command::Suspend],
        Action::Theme => {
            app.theme = (app.theme + 1) % app.themes.len();
            let name = format!("theme: {}", app.current_theme().name);
            app.notify(Tone::Good, name);
            Vec::new()
        }
        Action::Detail => {
            app.header = match app.header {
                Header::Brief => Header::Detailed,
                Header::Detailed => Header::Brief,
            };
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
        Action::Parent => kin::parent(app),
        Action::Children => kin::children(app),
        Action::Export => export::ask(app),
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
    // A recorded worker needs nobody to wait for it.
    if app.access != Access::Recording && app.worker.is_some_and(|worker| worker.in_flight > 0) {
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
