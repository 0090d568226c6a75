//! Dead letters: unfolding groups, marking, reading one, and what is done with which of them.

use crossterm::event::{KeyCode, KeyEvent};

use super::{
    super::{
        actions::Action,
        app::{Access, App, Tone},
        dialog::{Dialog, LetterView},
        letters::{LetterRow, group_key},
        message::Command,
        operator::{Letters, Operation},
        rows::ListId,
    },
    act,
    navigate::open_run,
};

/// The letters that an action is about: the marked ones, else the selected group or letter; all of
/// them where another list has the focus.
fn chosen(app: &App) -> Option<Letters> {
    if app.focus != ListId::Letters {
        return Some(Letters::All);
    }
    let marked = &app.list(ListId::Letters).marked;
    if !marked.is_empty() {
        return Some(Letters::These(marked.iter().map(str::to_owned).collect()));
    }
    match app.selected_letter_row()? {
        LetterRow::Letter(at) => Some(Letters::These(app.letter_ids(&[at]))),
        LetterRow::Group(at) => {
            let group = app.rows.letters.groups.get(at)?;
            Some(if app.filter(ListId::Letters).is_empty() {
                Letters::Group(group.symptom.fingerprint)
            } else {
                // What the filter hides is not meant.
                Letters::These(app.letter_ids(&group.letters))
            })
        }
    }
}

/// Asks to replay or purge letters.
pub(super) fn act_on(app: &mut App, action: Action) -> Vec<Command> {
    let which = chosen(app).filter(|which| *which != Letters::These(Vec::new()));
    let Some(which) = which.filter(|_| app.shown().queue.data.poison > 0) else {
        app.notify(Tone::Bad, "there are no dead letters");
        return Vec::new();
    };
    act::confirm(app, operation(action, which), None)
}

fn operation(action: Action, which: Letters) -> Operation {
    if action == Action::Replay { Operation::Replay(which) } else { Operation::Purge(which) }
}

/// Unfolds or folds a group, or opens a letter.
pub(super) fn enter(app: &mut App) -> Vec<Command> {
    match app.selected_letter_row() {
        Some(LetterRow::Group(at)) => {
            let group = app.rows.letters.groups.get(at);
            if let Some(fingerprint) = group.map(|group| group.symptom.fingerprint) {
                if !app.unfolded.remove(&fingerprint) {
                    app.unfolded.insert(fingerprint);
                }
                app.relist();
            }
        }
        Some(LetterRow::Letter(_)) => {
            if let Some(row) = app.selected_letter().cloned() {
                app.dialog = Some(Dialog::Letter(LetterView { row: Box::new(row), scroll: 0 }));
            }
        }
        None => {}
    }
    Vec::new()
}

/// Unfolds the selected group, or folds it from any of its rows. Returns whether there was
/// something to do.
pub(super) fn fold(app: &mut App, action: Action) -> bool {
    let Some(fingerprint) = app.selected_letter_group().map(|group| group.symptom.fingerprint)
    else {
        return false;
    };
    let changed = match action {
        Action::Right => app.unfolded.insert(fingerprint),
        _ => app.unfolded.remove(&fingerprint),
    };
    if changed {
        // Its letters' rows may go: the selection stays with the group.
        app.lists[ListId::Letters as usize].pinned = Some(group_key(fingerprint));
        app.relist();
    }
    changed
}

/// The ids that a mark on the selected row is about: its own, or those of all of the group.
fn markable(app: &App) -> Vec<String> {
    match app.selected_letter_row() {
        Some(LetterRow::Letter(at)) => app.letter_ids(&[at]),
        Some(LetterRow::Group(at)) => {
            let group = app.rows.letters.groups.get(at);
            group.map(|group| app.letter_ids(&group.letters)).unwrap_or_default()
        }
        None => Vec::new(),
    }
}

/// Marks the letter or all of the group, or takes the marks off again.
pub(super) fn mark(app: &mut App) {
    let ids = markable(app);
    let marked = &mut app.lists[ListId::Letters as usize].marked;
    if ids.iter().all(|id| marked.contains(id)) {
        for id in &ids {
            marked.remove(id);
        }
    } else {
        for id in ids {
            marked.insert(id);
        }
    }
}

/// The ids of all letters that pass the filter.
pub(super) fn all(app: &App) -> Vec<String> {
    app.rows.letters.groups.iter().flat_map(|group| app.letter_ids(&group.letters)).collect()
}

/// What is copied of the selected row: a letter's id, a group's fingerprint.
pub(in crate::tui) fn copied(app: &App) -> Option<String> {
    match app.selected_letter_row()? {
        LetterRow::Letter(at) => app.letter_ids(&[at]).pop(),
        LetterRow::Group(at) => {
            Some(app.rows.letters.groups.get(at)?.symptom.fingerprint.to_string())
        }
    }
}

/// Takes a key while a letter is read.
pub(super) fn key(app: &mut App, mut view: LetterView, key: KeyEvent, leave: bool) -> Vec<Command> {
    let action = app.keymap.action(key);
    match (key.code, action) {
        _ if leave => return Vec::new(),
        (KeyCode::Char('q') | KeyCode::Backspace, _) => return Vec::new(),
        (_, Some(action @ (Action::Replay | Action::Purge))) => {
            if app.access == Access::ReadOnly {
                app.notify(Tone::Bad, format!("read-only: `{action}` is switched off"));
            } else {
                let which = Letters::These(vec![view.row.message_id.clone()]);
                let back = Some(Box::new(Dialog::Letter(view)));
                return act::confirm(app, operation(action, which), back);
            }
        }
        (_, Some(Action::Copy)) => {
            let text = super::super::view::letter_text(&view.row);
            app.notify(Tone::Good, "copied the dead letter");
            app.dialog = Some(Dialog::Letter(view));
            return vec![Command::Copy(text)];
        }
        (KeyCode::Enter, _) => {
            if let Some(job) = &view.row.job {
                return open_run(app, job.run_id.clone());
            }
        }
        (KeyCode::Down | KeyCode::Char('j'), _) => view.scroll = view.scroll.saturating_add(1),
        (KeyCode::Up | KeyCode::Char('k'), _) => view.scroll = view.scroll.saturating_sub(1),
        (KeyCode::PageDown | KeyCode::Char(' '), _) => {
            view.scroll = view.scroll.saturating_add(10);
        }
        (KeyCode::PageUp, _) => view.scroll = view.scroll.saturating_sub(10),
        (KeyCode::Home | KeyCode::Char('g'), _) => view.scroll = 0,
        (KeyCode::End | KeyCode::Char('G'), _) => view.scroll = usize::MAX,
        _ => {}
    }
    app.dialog = Some(Dialog::Letter(view));
    Vec::new()
}
