//! Keys while a dialog is open. Which keys a dialog takes is fixed: it says so itself.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    super::{
        actions::{ACTIONS, Action, ActionInfo},
        app::{App, Target, Tone},
        dialog::{ChildPicker, Choice, Confirm, Dialog, Picker, Plan},
        filter::Filter,
        message::Command,
        operator::{Operation, Preview},
        query::Query,
        rows::ListId,
        under_way,
    },
    act, explain, export, forms, letters,
    navigate::open_run,
    perform,
};
use crate::{blueprint::BlueprintId, monitor::ChildRun};

/// Takes a key for the dialog that is open.
pub(super) fn pressed(app: &mut App, key: KeyEvent) -> Vec<Command> {
    let Some(dialog) = app.dialog.take() else { return Vec::new() };
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let leave = control_c || key.code == KeyCode::Esc;
    match dialog {
        Dialog::Confirm(confirm) => confirm_key(app, confirm, key, leave),
        Dialog::Leave(choice) => leave_key(app, choice, key, leave),
        Dialog::Start(form) => forms::start_key(app, form, key, leave),
        Dialog::Answer(form) => forms::answer_key(app, form, key, leave),
        Dialog::Explain(explaining) => explain::key(app, explaining, key, leave),
        Dialog::Filter { list, before } => {
            filter_key(app, list, before, key, leave);
            Vec::new()
        }
        Dialog::ChooseBlueprint(picker) => blueprint_key(app, picker, key, leave),
        Dialog::Palette(picker) => palette_key(app, picker, key, leave),
        Dialog::Letter(view) => letters::key(app, view, key, leave),
        Dialog::ChooseChild(picker) => child_key(app, picker, key, leave),
        Dialog::Export(form) => export::key(app, form, key, leave),
        Dialog::Whole(mut whole) => {
            app.dialog = scrolled(app, whole.scroll, key, leave, Action::Open).map(|scroll| {
                whole.scroll = scroll;
                Dialog::Whole(whole)
            });
            Vec::new()
        }
        Dialog::Help { scroll } => {
            app.dialog = scrolled(app, scroll, key, leave, Action::Help)
                .map(|scroll| Dialog::Help { scroll });
            Vec::new()
        }
    }
}

/// Where a text that is only read is scrolled to; nothing once it is closed.
fn scrolled(app: &App, scroll: usize, key: KeyEvent, leave: bool, own: Action) -> Option<usize> {
    match (key.code, app.keymap.action(key)) {
        _ if leave => None,
        (KeyCode::Char('q') | KeyCode::Enter, _) => None,
        (_, Some(action)) if action == own => None,
        (KeyCode::Down | KeyCode::Char('j'), _) => Some(scroll.saturating_add(1)),
        (KeyCode::Up | KeyCode::Char('k'), _) => Some(scroll.saturating_sub(1)),
        (KeyCode::PageDown | KeyCode::Char(' '), _) => Some(scroll.saturating_add(10)),
        (KeyCode::PageUp, _) => Some(scroll.saturating_sub(10)),
        (KeyCode::Home | KeyCode::Char('g'), _) => Some(0),
        (KeyCode::End | KeyCode::Char('G'), _) => Some(usize::MAX),
        _ => Some(scroll),
    }
}

/// The least room, in cells, in which a plan and both buttons can be seen.
const LEAST: (u16, u16) = (30, 2);

fn confirm_key(app: &mut App, mut confirm: Confirm, key: KeyEvent, leave: bool) -> Vec<Command> {
    let yes = match key.code {
        _ if leave => return close(app, confirm),
        KeyCode::Char('n' | 'q') => return close(app, confirm),
        KeyCode::Enter if confirm.choice == Choice::No => return close(app, confirm),
        KeyCode::Char('c') if confirm.operation.other_canary().is_some() => {
            return with_other_canary(app, confirm);
        }
        KeyCode::Char('y') | KeyCode::Enter => true,
        KeyCode::Tab
        | KeyCode::BackTab
        | KeyCode::Left
        | KeyCode::Right
        | KeyCode::Char('h' | 'l') => {
            confirm.choice = confirm.choice.other();
            false
        }
        KeyCode::Down | KeyCode::Char('j') => {
            confirm.scroll = confirm.scroll.saturating_add(1);
            false
        }
        KeyCode::Up | KeyCode::Char('k') => {
            confirm.scroll = confirm.scroll.saturating_sub(1);
            false
        }
        KeyCode::PageDown => {
            confirm.scroll = confirm.scroll.saturating_add(10);
            false
        }
        KeyCode::PageUp => {
            confirm.scroll = confirm.scroll.saturating_sub(10);
            false
        }
        _ => false,
    };
    let seen = app.hits.iter().rev().find(|hit| matches!(hit.target, Target::Text { .. }));
    if yes && seen.is_some_and(|hit| hit.area.width < LEAST.0 || hit.area.height < LEAST.1) {
        app.notify(Tone::Bad, "make the window larger: what would be done can't be seen");
        app.dialog = Some(Dialog::Confirm(confirm));
        return Vec::new();
    }
    match confirm.plan {
        Plan::Ready(preview) if yes && preview.affects > 0 => {
            // What was explained is looked at again once it is done.
            app.dialog = confirm.back.map(|it| *it).filter(|it| matches!(it, Dialog::Explain(_)));
            apply(app, confirm.operation, preview)
        }
        _ => {
            app.dialog = Some(Dialog::Confirm(confirm));
            Vec::new()
        }
    }
}

/// Asks for the same replay with a canary, or without one.
fn with_other_canary(app: &mut App, confirm: Confirm) -> Vec<Command> {
    let operation = confirm.operation.other_canary().unwrap_or(confirm.operation);
    act::confirm(app, operation, confirm.back)
}

fn apply(app: &mut App, operation: Operation, preview: Preview) -> Vec<Command> {
    under_way::begin(app, operation, preview)
}

fn close(app: &mut App, confirm: Confirm) -> Vec<Command> {
    app.dialog = confirm.back.map(|dialog| *dialog);
    Vec::new()
}

fn leave_key(app: &mut App, choice: Choice, key: KeyEvent, leave: bool) -> Vec<Command> {
    match key.code {
        _ if leave => Vec::new(),
        KeyCode::Char('n') => Vec::new(),
        KeyCode::Enter if choice == Choice::No => Vec::new(),
        KeyCode::Enter | KeyCode::Char('y') => {
            app.leaving = true;
            apply(app, Operation::DrainWorker, Preview::default())
        }
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => {
            app.dialog = Some(Dialog::Leave(choice.other()));
            Vec::new()
        }
        _ => {
            app.dialog = Some(Dialog::Leave(choice));
            Vec::new()
        }
    }
}

fn filter_key(app: &mut App, list: ListId, before: String, key: KeyEvent, leave: bool) {
    let mut text = app.filter(list).to_owned();
    let done = if leave {
        text.clone_from(&before);
        true
    } else if key.code == KeyCode::Enter {
        // What can't be understood would leave every row, as if it had been asked for.
        let problem = match list {
            ListId::Runs => Query::parse(&text).problem,
            _ => None,
        };
        if let Some(problem) = &problem {
            app.notify(Tone::Bad, format!("the filter can't be used: {problem}"));
        }
        problem.is_none()
    } else if key.code == KeyCode::Tab {
        if let Some(completed) = app.completion(list).apply(&text) {
            text = completed;
        }
        false
    } else {
        typed(&mut text, key);
        false
    };
    if text.is_empty() {
        app.filters.remove(&list);
    } else {
        app.filters.insert(list, text);
    }
    app.relist();
    if !done {
        app.dialog = Some(Dialog::Filter { list, before });
    }
}

/// The most a line of input takes, in characters.
const LINE_LIMIT: usize = 200;

/// Takes a key into a line of text.
pub(super) fn typed(text: &mut String, key: KeyEvent) {
    match key.code {
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
        KeyCode::Char('w') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        KeyCode::Char(c)
            if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
                && text.chars().count() < LINE_LIMIT =>
        {
            text.push_str(&super::super::text::clean(&c.to_string()));
        }
        KeyCode::Backspace => {
            text.pop();
        }
        _ => {}
    }
}

/// Takes a pasted text into a line of text.
pub(super) fn paste_line(text: &mut String, pasted: &str) {
    let line = pasted.lines().next().unwrap_or_default();
    let room = LINE_LIMIT.saturating_sub(text.chars().count());
    let short: String = line.chars().take(room).collect();
    text.push_str(&super::super::text::clean(&short));
}

/// Takes a key into a choice. Returns whether it was made.
fn pick(picker: &mut Picker, key: KeyEvent, count: usize) -> bool {
    let last = count.saturating_sub(1);
    match key.code {
        KeyCode::Enter => return true,
        KeyCode::Down | KeyCode::Tab => picker.index += 1,
        KeyCode::Up | KeyCode::BackTab => picker.index = picker.index.saturating_sub(1),
        KeyCode::PageDown => picker.index += 10,
        KeyCode::PageUp => picker.index = picker.index.saturating_sub(10),
        _ => {
            typed(&mut picker.text, key);
            picker.index = 0;
        }
    }
    picker.index = picker.index.min(last);
    false
}

/// The blueprints that a choice leaves.
pub(in crate::tui) fn blueprints_for(app: &App, text: &str) -> Vec<usize> {
    let mut filter = Filter::parse(text);
    (0..app.catalog.blueprints.len())
        .filter(|at| filter.takes_words(&app.catalog.blueprints[*at].blueprint.id))
        .collect()
}

/// The actions that a choice leaves: those of a fitting name, else of a fitting description.
pub(in crate::tui) fn actions_for(app: &App, text: &str) -> Vec<Action> {
    let mut filter = Filter::parse(text);
    let mut fitting = |what: fn(&ActionInfo) -> &str| -> Vec<Action> {
        let offered = |action: &Action| *action != Action::Palette && app.offers(*action);
        let infos = ACTIONS.iter().filter(|info| filter.takes_words(what(info)));
        infos.map(|info| info.action).filter(offered).collect()
    };
    let mut actions = fitting(|info| info.id);
    if actions.is_empty() {
        actions = fitting(|info| info.description);
    }
    // What begins as it was typed comes first.
    actions.sort_by_key(|action| !action.info().id.starts_with(text.trim()));
    actions
}

fn blueprint_key(app: &mut App, mut picker: Picker, key: KeyEvent, leave: bool) -> Vec<Command> {
    if leave {
        return Vec::new();
    }
    let choices = blueprints_for(app, &picker.text);
    if pick(&mut picker, key, choices.len())
        && let Some(at) = choices.get(picker.index)
    {
        let id: BlueprintId = app.catalog.blueprints[*at].blueprint.id.clone();
        return act::start_form(app, &id);
    }
    app.dialog = Some(Dialog::ChooseBlueprint(picker));
    Vec::new()
}

/// The child runs that a choice leaves.
pub(in crate::tui) fn children_for(picker: &ChildPicker) -> Vec<&ChildRun> {
    let mut filter = Filter::parse(&picker.picker.text);
    let fits = |child: &&ChildRun| {
        let status = child.status.map_or("", |status| status.as_str());
        filter.takes_words(&format!("{} {} {status}", child.run, child.node))
    };
    picker.children.iter().filter(fits).collect()
}

fn child_key(app: &mut App, mut picker: ChildPicker, key: KeyEvent, leave: bool) -> Vec<Command> {
    if leave {
        return Vec::new();
    }
    let count = children_for(&picker).len();
    if pick(&mut picker.picker, key, count)
        && let Some(run) = children_for(&picker).get(picker.picker.index).map(|it| it.run.clone())
    {
        return open_run(app, run);
    }
    app.dialog = Some(Dialog::ChooseChild(picker));
    Vec::new()
}

fn palette_key(app: &mut App, mut picker: Picker, key: KeyEvent, leave: bool) -> Vec<Command> {
    if leave {
        return Vec::new();
    }
    let choices = actions_for(app, &picker.text);
    if pick(&mut picker, key, choices.len())
        && let Some(action) = choices.get(picker.index)
    {
        return perform(app, *action);
    }
    app.dialog = Some(Dialog::Palette(picker));
    Vec::new()
}
