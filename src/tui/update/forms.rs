//! Keys in the forms: start a run, answer a node.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    super::{
        app::{App, Tone},
        dialog::{
            AnswerField::{self, Action, Go, Node, Output},
            AnswerForm, Dialog, INPUT_LIMIT, JsonInput, StartField, StartForm,
        },
        message::Command,
        operator::Operation,
        text::clean,
    },
    act,
    dialogs::paste_line,
};
use crate::monitor::AwaitingNode;

/// Takes a pasted text into whatever is being typed.
pub(super) fn paste(app: &mut App, pasted: &str) {
    let fitted = match &mut app.dialog {
        Some(Dialog::Start(form)) => form.input.paste(pasted),
        Some(Dialog::Answer(form)) if form.field == AnswerField::Output => {
            form.output.paste(pasted)
        }
        Some(Dialog::Palette(picker) | Dialog::ChooseBlueprint(picker)) => {
            paste_line(&mut picker.text, pasted);
            true
        }
        Some(Dialog::ChooseChild(choice)) => {
            paste_line(&mut choice.picker.text, pasted);
            true
        }
        Some(Dialog::Export(form)) => {
            paste_line(&mut form.name, pasted);
            true
        }
        Some(Dialog::Filter { list, .. }) => {
            let list = *list;
            paste_line(app.filters.entry(list).or_default(), pasted);
            app.relist();
            true
        }
        _ => true,
    };
    if !fitted {
        app.notify(
            Tone::Bad,
            format!("the paste was cut: an input takes {} KiB", INPUT_LIMIT / 1024),
        );
    }
}

fn edit(input: &mut JsonInput, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        // As most editors have it; the text area's own keys for it (ctrl-u, ctrl-r) differ.
        KeyCode::Char('z') if control => {
            input.area.undo();
            return input.check();
        }
        KeyCode::Char('y') if control => {
            input.area.redo();
            return input.check();
        }
        _ => {}
    }
    if let KeyCode::Char(c) = key.code {
        // What the screen can't show as it is has no place in the text either.
        let harmless = clean(c.encode_utf8(&mut [0; 4])).chars().eq([c]);
        if !harmless || input.bytes() >= INPUT_LIMIT {
            return;
        }
    }
    if input.area.input(key) {
        input.check();
    }
}

pub(super) fn start_key(
    app: &mut App,
    mut form: StartForm,
    key: KeyEvent,
    leave: bool,
) -> Vec<Command> {
    if leave {
        app.drafts.insert(form.blueprint.clone(), form.input.text());
        return Vec::new();
    }
    match (key.code, form.field) {
        (KeyCode::Tab, StartField::Input) => form.field = StartField::Go,
        (KeyCode::Tab | KeyCode::BackTab, _) => form.field = StartField::Input,
        (KeyCode::Enter, StartField::Go) => match &form.input.value {
            Ok(value) => {
                let input = value.clone().unwrap_or_else(|| serde_json::json!({}));
                app.drafts.insert(form.blueprint.clone(), form.input.text());
                let operation = Operation::Start { blueprint: form.blueprint.clone(), input };
                return act::confirm(app, operation, Some(Box::new(Dialog::Start(form))));
            }
            Err(_) => form.field = StartField::Input,
        },
        (KeyCode::Char('r'), _) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            if let Some(example) = act::example(app, &form.blueprint) {
                form.input.replace(&example);
                form.field = StartField::Input;
            }
        }
        (_, StartField::Go) => {}
        (_, StartField::Input) => edit(&mut form.input, key),
    }
    app.dialog = Some(Dialog::Start(form));
    Vec::new()
}

/// The nodes of a form's run that wait, as far as is known.
pub(in crate::tui) fn waiting<'a>(app: &'a App, form: &AnswerForm) -> &'a [AwaitingNode] {
    app.detail_of(app.shown())
        .filter(|detail| detail.run == form.run)
        .map_or(&[], |detail| &detail.awaiting)
}

/// The node that a form answers, and the action it gives.
pub(in crate::tui) fn answered<'a>(
    app: &'a App,
    form: &AnswerForm,
) -> Option<(&'a AwaitingNode, Option<&'a str>)> {
    let nodes = waiting(app, form);
    let node = nodes.get(form.node).or(nodes.last())?;
    let action = form.action.checked_sub(1).and_then(|at| node.actions.get(at));
    Some((node, action.map(String::as_str)))
}

pub(super) fn answer_key(
    app: &mut App,
    mut form: AnswerForm,
    key: KeyEvent,
    leave: bool,
) -> Vec<Command> {
    if leave {
        return Vec::new();
    }
    let nodes = waiting(app, &form).len();
    let actions = answered(app, &form).map_or(1, |(node, _)| node.actions.len() + 1);
    let turn = |at: usize, count: usize, forward: bool| {
        let count = count.max(1);
        if forward { (at + 1) % count } else { (at + count - 1) % count }
    };
    let forward = matches!(key.code, KeyCode::Right | KeyCode::Char('l' | ' '));
    match (key.code, form.field) {
        (KeyCode::Tab, field) | (KeyCode::Enter | KeyCode::Down, field @ (Node | Action)) => {
            form.field = match field {
                Node => Action,
                Action => Output,
                Output => Go,
                Go => Node,
            };
        }
        (KeyCode::BackTab, field) | (KeyCode::Up, field @ (Node | Action | Go)) => {
            form.field = match field {
                Node => Go,
                Action => Node,
                Output => Action,
                Go => Output,
            };
        }
        (KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l' | ' '), Node) => {
            form.node = turn(form.node, nodes, forward);
            form.action = 0;
        }
        (KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l' | ' '), Action) => {
            form.action = turn(form.action, actions, forward);
        }
        (_, Output) => edit(&mut form.output, key),
        (KeyCode::Enter, Go) => {
            if form.output.value.is_err() {
                form.field = Output;
            } else if let Some((node, action)) = answered(app, &form) {
                let operation = Operation::Resume {
                    run: form.run.clone(),
                    node: node.node.clone(),
                    action: action.map(str::to_owned),
                    output: form.output.value.clone().unwrap_or_default(),
                };
                return act::confirm(app, operation, Some(Box::new(Dialog::Answer(form))));
            }
        }
        _ => {}
    }
    app.dialog = Some(Dialog::Answer(form));
    Vec::new()
}
