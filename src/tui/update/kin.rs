//! Up to the run that a run works for, and down to those that its subflows started.

use super::{
    super::{
        app::{App, Tone},
        dialog::{ChildPicker, Dialog},
        message::Command,
        rows::ListId,
        screen::Screen,
    },
    navigate::open_run,
    open,
};
use crate::monitor::ChildRun;

/// Opens the run that the selected run, or the one that is open, works for.
pub(super) fn parent(app: &mut App) -> Vec<Command> {
    let Some(run) = app.run_of_row(app.focus) else {
        app.notify(Tone::Bad, "choose a run first");
        return Vec::new();
    };
    let Some(parent) = app.parent_of(&run) else {
        app.notify(Tone::Bad, format!("run {run} works for no other run"));
        return Vec::new();
    };
    open_run(app, parent)
}

/// Opens a child run of the selected node; where it has none, one of the whole run.
pub(super) fn children(app: &mut App) -> Vec<Command> {
    if app.screen != Screen::Run {
        app.notify(Tone::Bad, "open a run first: its child runs are found from there");
        return Vec::new();
    }
    let node = match app.focus {
        ListId::Nodes | ListId::Inspector => app.selected_node().map(|node| node.id.clone()),
        _ => None,
    };
    let mut children = app.children_of(node.as_deref());
    if children.is_empty() {
        children = app.children_of(None);
    }
    if children.is_empty() {
        app.notify(Tone::Bad, "this run has no child runs");
        return Vec::new();
    }
    open_one(app, children)
}

/// Opens the child run of the selected node, if it started any: what `open` means there.
pub(super) fn open_child(app: &mut App) -> Option<Vec<Command>> {
    let node = app.selected_node()?.id.clone();
    let detail = app.detail_of(app.shown())?;
    if detail.children.iter().all(|child| child.node != node) {
        return None;
    }
    let children = app.children_of(Some(&node));
    (!children.is_empty()).then(|| open_one(app, children))
}

fn open_one(app: &mut App, children: Vec<ChildRun>) -> Vec<Command> {
    match children.as_slice() {
        [child] => open_run(app, child.run.clone()),
        _ => open(app, Dialog::ChooseChild(ChildPicker { children, ..ChildPicker::default() })),
    }
}
