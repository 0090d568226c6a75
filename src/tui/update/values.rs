//! In the tree of a run's values: folding, searching, opening what is too long for its line.

use super::{
    super::{
        actions::Action,
        app::{App, Tone},
        dialog::{Dialog, Whole},
        message::Command,
        rows::ListId,
        screen::RunFace,
        values::{Kind, Way, find_next, fold_all, pointer_of, selected, step_in, toggle},
        view::whole_width,
    },
    open,
};

/// Does what an action says there. Returns whether it means anything there.
pub(super) fn perform(app: &mut App, action: Action) -> bool {
    match action {
        Action::Mark => {
            toggle(app);
        }
        Action::Right => step_in(app, Way::In),
        Action::Left => step_in(app, Way::Out),
        Action::UnfoldAll => fold_all(app, Way::In),
        Action::FoldAll => fold_all(app, Way::Out),
        Action::NextMatch | Action::PreviousMatch => {
            let way = if action == Action::NextMatch { Way::In } else { Way::Out };
            if !find_next(app, way) {
                let key = app.keymap.key(Action::Filter);
                let said = match app.filter(ListId::Context) {
                    "" => format!("press {key} to look for a text"),
                    query => format!("\"{query}\" is not found"),
                };
                app.notify(Tone::Bad, said);
            }
        }
        _ => return false,
    }
    true
}

/// Folds or unfolds the selected value; a plain one is shown whole.
pub(super) fn open_value(app: &mut App) -> Vec<Command> {
    if toggle(app) {
        return Vec::new();
    }
    let (Some(at), Some((tree, _))) = (selected(app), app.values.shown()) else {
        return Vec::new();
    };
    if !matches!(tree.kind(at), Kind::Text | Kind::Number | Kind::Word) {
        return Vec::new();
    }
    let whole = Whole::new(tree.path(at), tree.text(at), room(app));
    open(app, Dialog::Whole(whole))
}

/// How wide a text can be that is shown whole. Drawing it says whether that was right.
fn room(app: &App) -> usize {
    let terminal = app.hits.iter().map(|hit| hit.area.right()).max().unwrap_or(80);
    usize::from(whole_width(terminal))
}

/// Shows the selected log line whole.
pub(super) fn open_line(app: &mut App) -> Vec<Command> {
    let place = app.selected_place(ListId::RunLogs);
    let Some(line) = place.and_then(|at| app.run_logs.lines.get(at)) else { return Vec::new() };
    let node = line.node.as_ref().map(|node| format!("  node {node}")).unwrap_or_default();
    let title = format!("{}  {}{node}  {}", line.at, line.level, line.target);
    let whole = Whole::new(title, line.text.trim(), room(app));
    open(app, Dialog::Whole(whole))
}

/// Shows the output of the selected node in the tree of values; its input where it has none.
pub(super) fn open_node(app: &mut App) {
    let Some(detail) = app.detail_of(app.shown()) else { return };
    let Some(node) = app.selected_node() else { return };
    let pointer = if detail.outputs.contains_key(node.id.as_str()) {
        pointer_of(&["outputs", &node.id])
    } else if node.input.is_empty() {
        pointer_of(&["outputs"])
    } else {
        pointer_of(&node.input.iter().map(String::as_str).collect::<Vec<_>>())
    };
    app.face = RunFace::Context;
    app.focus = app.face.list();
    app.values.want(pointer);
}
