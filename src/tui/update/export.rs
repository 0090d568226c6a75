//! Writing what is on the screen to a file.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent};

use super::{
    super::{
        app::{App, Tone},
        dialog::{Choosable, Dialog, ExportForm},
        export::Content,
        export_file::file_name,
        message::{Command, Export},
        rows::ListId,
        screen::Screen,
        text,
        values::selected,
    },
    dialogs::typed,
    open,
};

/// Asks what to export, and to which file.
pub(super) fn ask(app: &mut App) -> Vec<Command> {
    let choices = choices(app);
    let Some(first) = choices.first() else {
        app.notify(Tone::Bad, "there is nothing here to export");
        return Vec::new();
    };
    let name = first.name.clone();
    open(app, Dialog::Export(ExportForm { choices, choice: 0, name }))
}

/// What can be exported from here, the most likely first.
fn choices(app: &App) -> Vec<Choosable> {
    let snapshot = app.shown();
    let mut choices = Vec::new();
    let mut offer = |what: String, parts: &[&str], content| {
        choices.push(Choosable { what, name: file_name(parts), content });
    };
    if app.screen == Screen::Run {
        let Some(run) = &app.open_run else { return choices };
        match app.focus {
            ListId::Context => {
                if let (Some(at), Some((tree, _))) = (selected(app), app.values.shown())
                    && let Some(of) = app.values.published().cloned()
                {
                    let path = tree.path(at);
                    let what = format!("the value {}", text::fit_end(&path, 50));
                    offer(what, &[run, &path], Content::Value { of, tree: tree.clone(), at });
                }
            }
            ListId::RunLogs => {
                let lines: Vec<_> = (0..app.rows.count(ListId::RunLogs))
                    .filter_map(|row| app.rows.place(ListId::RunLogs, row))
                    .filter_map(|at| app.run_logs.lines.get(at).cloned())
                    .collect();
                if !lines.is_empty() {
                    let what = text::count(lines.len(), "log line");
                    offer(what, &[run, "log"], Content::Lines(lines));
                }
            }
            _ => {}
        }
        if app.detail_of(snapshot).is_some_and(|detail| detail.found) {
            let row = snapshot.runs.data.get(run).cloned();
            let of = snapshot.detail.data.clone();
            offer(format!("run {run}"), &[run], Content::Run { of, row });
        }
        return choices;
    }
    let list = app.focus;
    let marked = &app.list(list).marked;
    let places = || -> Vec<usize> {
        (0..app.rows.count(list))
            .filter(|row| {
                marked.is_empty() || app.key(list, *row).is_some_and(|key| marked.contains(&key))
            })
            .filter_map(|row| app.rows.place(list, row))
            .collect()
    };
    let say = |count: usize, thing: &str| {
        let which = if marked.is_empty() { "" } else { "marked " };
        text::count(count, &format!("{which}{thing}"))
    };
    match list {
        ListId::Runs => {
            let taken = |key: &str| marked.is_empty() || marked.contains(key);
            let rows: Vec<_> = (0..app.rows.runs.len())
                .filter_map(|at| app.rows.runs.get(at))
                .filter(|row| taken(&row.item.run_id))
                .cloned()
                .collect();
            if !rows.is_empty() {
                offer(say(rows.len(), "run"), &["runs"], Content::Runs(rows));
            }
        }
        ListId::Jobs if app.rows.count(list) > 0 => {
            let places = places();
            let queue = snapshot.queue.data.clone();
            offer(say(places.len(), "message"), &["messages"], Content::Jobs(queue, places));
        }
        ListId::Letters if app.rows.count(list) > 0 => {
            let queue = snapshot.queue.data.clone();
            // Those in folded groups, too.
            let groups = app.rows.letters.groups.iter();
            let places: Vec<usize> = groups
                .flat_map(|group| group.letters.iter().copied())
                .filter(|at| {
                    let id = queue.dead_letters.get(*at).map(|row| row.message_id.as_str());
                    marked.is_empty() || id.is_some_and(|id| marked.contains(id))
                })
                .collect();
            let what = say(places.len(), "dead letter");
            offer(what, &["dead-letters"], Content::Letters(queue, places));
        }
        ListId::Locks if app.rows.count(list) > 0 => {
            let places = places();
            let locks = snapshot.locks.data.clone();
            let what = say(places.len(), "lock");
            offer(what, &["locks"], Content::Locks(locks, places, app.now()));
        }
        ListId::Workers if app.rows.count(list) > 0 => {
            let places = places();
            let workers = snapshot.workers.data.clone();
            offer(say(places.len(), "worker"), &["workers"], Content::Workers(workers, places));
        }
        _ => {}
    }
    choices
}

pub(super) fn key(app: &mut App, mut form: ExportForm, key: KeyEvent, leave: bool) -> Vec<Command> {
    if leave {
        return Vec::new();
    }
    let count = form.choices.len().max(1);
    match key.code {
        KeyCode::Tab | KeyCode::Down => choose(&mut form, |at| (at + 1) % count),
        KeyCode::BackTab | KeyCode::Up => choose(&mut form, |at| (at + count - 1) % count),
        KeyCode::Enter if !form.name.trim().is_empty() => {
            let file = PathBuf::from(form.name.trim());
            let Some(chosen) = form.choices.into_iter().nth(form.choice) else {
                return Vec::new();
            };
            let title = format!("Export of {}", chosen.what);
            return vec![Command::Export(Export { title, content: chosen.content, file })];
        }
        _ => typed(&mut form.name, key),
    }
    app.dialog = Some(Dialog::Export(form));
    Vec::new()
}

/// Chooses something else. The name goes along, unless it was changed.
fn choose(form: &mut ExportForm, turn: impl Fn(usize) -> usize) {
    let proposed = form.choices.get(form.choice).is_some_and(|it| it.name == form.name);
    form.choice = turn(form.choice);
    if let (true, Some(chosen)) = (proposed, form.choices.get(form.choice)) {
        form.name.clone_from(&chosen.name);
    }
}

/// An export ended.
pub(super) fn ended(
    app: &mut App,
    title: String,
    result: Result<(PathBuf, u64), String>,
) -> Vec<Command> {
    match result {
        Ok((file, size)) => {
            let said = format!("written to {} ({})", file.display(), text::bytes(size));
            app.record_other(Tone::Good, title, said);
        }
        Err(why) => {
            app.record_other(Tone::Bad, title, format!("nothing was written: {why}"));
        }
    }
    Vec::new()
}
