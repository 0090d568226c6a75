//! Asking why a run is not moving, and doing something about it.

use crossterm::event::{KeyCode, KeyEvent};

use super::{
    super::{
        actions::Action,
        app::{Access, App, Tone},
        dialog::{AnswerField, AnswerForm, Dialog, JsonInput, WantedJson},
        explaining::{Asked, Explaining, Found},
        message::Command,
        operator::OperatorError,
        reason::{Reason, Step},
        screen::Screen,
    },
    act,
    navigate::open_run,
};
use crate::{
    blueprint::{NodeId, RunId},
    engine::Timestamp,
};

/// How long after something was done what came of it is looked at once more.
const AFTERWARDS: std::time::Duration = std::time::Duration::from_secs(3);

/// The run that is open, or the one that the selected row is about.
pub(in crate::tui) fn run_here(app: &App) -> Option<RunId> {
    match app.screen {
        Screen::Run => app.open_run.clone(),
        _ => app.run_of_row(app.focus),
    }
}

pub(super) fn explain(app: &mut App) -> Vec<Command> {
    let Some(run) = run_here(app) else {
        app.notify(Tone::Bad, "choose a run first");
        return Vec::new();
    };
    ask(app, run, Vec::new())
}

fn ask(app: &mut App, run: RunId, trail: Vec<RunId>) -> Vec<Command> {
    app.tickets += 1;
    let ticket = app.tickets;
    app.dialog = Some(Dialog::Explain(Explaining::new(run.clone(), trail, ticket)));
    vec![Command::Explain { ticket, run }]
}

/// Asks once more; what was found stays until the answer is here.
fn ask_again(tickets: &mut u64, explaining: &mut Explaining) -> Vec<Command> {
    *tickets += 1;
    explaining.ticket = *tickets;
    explaining.state = Asked::Awaited;
    explaining.again = None;
    vec![Command::Explain { ticket: *tickets, run: explaining.run.clone() }]
}

/// The explanation that is open, or that lies under a question about what it advises.
fn open_one(dialog: Option<&mut Dialog>) -> Option<&mut Explaining> {
    match dialog? {
        Dialog::Explain(explaining) => Some(explaining),
        Dialog::Confirm(confirm) => match confirm.back.as_deref_mut()? {
            Dialog::Explain(explaining) => Some(explaining),
            _ => None,
        },
        _ => None,
    }
}

/// An explanation came. One that nobody waits for any more is dropped.
pub(super) fn explained(app: &mut App, ticket: u64, result: Result<Vec<Reason>, OperatorError>) {
    let clock = app.clock;
    let Some(explaining) =
        open_one(app.dialog.as_mut()).filter(|explaining| explaining.ticket == ticket)
    else {
        return;
    };
    explaining.state = Asked::At(clock);
    match result {
        Ok(reasons) => explaining.take(reasons),
        Err(error) => explaining.found = Found::Failed(error.to_string()),
    }
}

/// Something was done: what is said of the run may not be so any more.
pub(super) fn after_a_change(app: &mut App) -> Vec<Command> {
    let again = app.clock + AFTERWARDS;
    let Some(Dialog::Explain(explaining)) = &mut app.dialog else { return Vec::new() };
    let commands = ask_again(&mut app.tickets, explaining);
    explaining.again = Some(again);
    commands
}

/// A second passed.
pub(super) fn tick(app: &mut App, now: Timestamp) -> Vec<Command> {
    match &mut app.dialog {
        Some(Dialog::Explain(explaining)) if explaining.again.is_some_and(|again| again <= now) => {
            ask_again(&mut app.tickets, explaining)
        }
        _ => Vec::new(),
    }
}

pub(super) fn key(
    app: &mut App,
    mut explaining: Explaining,
    key: KeyEvent,
    leave: bool,
) -> Vec<Command> {
    let last = explaining.reasons().len().saturating_sub(1);
    let mut commands = Vec::new();
    match (key.code, app.keymap.action(key)) {
        (KeyCode::Esc | KeyCode::Backspace, _) => {
            // To the run that waits for this one, if one came from there.
            return match explaining.trail.pop() {
                Some(run) => ask(app, run, explaining.trail),
                None => Vec::new(),
            };
        }
        _ if leave => return Vec::new(),
        (KeyCode::Char('q'), _) | (_, Some(Action::Explain)) => return Vec::new(),
        (KeyCode::Enter, _) => return act(app, explaining),
        (KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab, _) => {
            explaining.index = (explaining.index + 1).min(last);
            explaining.scroll = 0;
        }
        (KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab, _) => {
            explaining.index = explaining.index.saturating_sub(1);
            explaining.scroll = 0;
        }
        (KeyCode::PageDown | KeyCode::Char(' '), _) => {
            explaining.scroll = explaining.scroll.saturating_add(5);
        }
        (KeyCode::PageUp, _) => explaining.scroll = explaining.scroll.saturating_sub(5),
        (KeyCode::Char('r'), _) | (_, Some(Action::Refresh)) => {
            commands = ask_again(&mut app.tickets, &mut explaining);
        }
        (KeyCode::Char('o'), _) => return look_at(app, explaining.run),
        (KeyCode::Char('y'), _) => {
            app.notify(Tone::Good, "copied the explanation");
            commands = vec![Command::Copy(explaining.text())];
        }
        _ => {}
    }
    app.dialog = Some(Dialog::Explain(explaining));
    commands
}

/// Opens a run, unless it is open.
fn look_at(app: &mut App, run: RunId) -> Vec<Command> {
    if app.screen == Screen::Run && app.open_run.as_ref() == Some(&run) {
        return Vec::new();
    }
    open_run(app, run)
}

/// Does what the chosen reason asks for.
fn act(app: &mut App, explaining: Explaining) -> Vec<Command> {
    let Some((step, advice)) =
        explaining.chosen().map(|reason| (reason.step.clone(), reason.advice.clone()))
    else {
        app.dialog = Some(Dialog::Explain(explaining));
        return Vec::new();
    };
    let changes = matches!(step, Step::Do(_) | Step::Answer { .. } | Step::Start(_));
    if changes && app.access == Access::ReadOnly {
        app.notify(Tone::Bad, "read-only: nothing can be changed from here");
        app.dialog = Some(Dialog::Explain(explaining));
        return Vec::new();
    }
    match step {
        Step::Nothing | Step::Wait(_) => {
            app.notify(Tone::Good, format!("nothing to press here: {advice}"));
            app.dialog = Some(Dialog::Explain(explaining));
            Vec::new()
        }
        Step::Do(operation) => {
            act::confirm(app, operation, Some(Box::new(Dialog::Explain(explaining))))
        }
        Step::Answer { run, node } => answer(app, run, &node),
        Step::Explain(run) => {
            let mut trail = explaining.trail;
            trail.push(explaining.run);
            ask(app, run, trail)
        }
        Step::Start(blueprint) => act::start_form(app, &blueprint),
    }
}

/// Opens the run and the form that answers the node.
fn answer(app: &mut App, run: RunId, node: &NodeId) -> Vec<Command> {
    let commands = look_at(app, run.clone());
    let place = app
        .detail_of(app.shown())
        .and_then(|detail| detail.awaiting.iter().position(|waiting| waiting.node == *node));
    // Where it is not known yet which nodes wait, the operator sees which one is meant.
    let field = if place.is_some() { AnswerField::Action } else { AnswerField::Node };
    app.dialog = Some(Dialog::Answer(AnswerForm {
        run,
        node: place.unwrap_or(0),
        action: 0,
        output: JsonInput::new("", WantedJson::Any),
        field,
    }));
    commands
}
