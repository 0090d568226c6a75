//! The way from run to run: up to a parent, down to a child, and back.

use std::collections::HashSet;

use super::{
    app::App,
    list::{ListState, Step},
    rows::ListId,
    screen::{RunFace, Screen},
    values::{Folding, Values},
};
use crate::{
    blueprint::RunId,
    engine::RunStatus,
    monitor::{ChildRun, NodeShown},
};

/// A run that was left for one of its kin, as it was left.
pub(super) struct Visit {
    run: RunId,
    face: RunFace,
    focus: ListId,
    node: Option<String>,
    folding: Folding,
    value: Option<String>,
}

/// The node that is to be selected as soon as a run is read.
#[derive(Debug, Default)]
pub(super) enum WantedNode {
    /// None: whatever is.
    #[default]
    None,
    /// The one with this id.
    Named(String),
    /// The first one that failed, where the run has.
    Failed,
}

/// The most that is remembered of the way.
const WAY: usize = 50;

/// The most ancestors that a title names.
const ANCESTORS: usize = 8;

/// Remembers the run that is open, to come back to it.
pub(super) fn leave(app: &mut App) {
    let Some(run) = app.open_run.clone() else { return };
    let node = match std::mem::take(&mut app.wanted_node) {
        WantedNode::Named(node) => Some(node),
        WantedNode::None | WantedNode::Failed => app.list(ListId::Nodes).pinned.clone(),
    };
    let visit = Visit {
        run,
        face: app.face,
        focus: app.focus,
        node,
        folding: app.values.folding.clone(),
        value: app.list(ListId::Context).pinned.clone(),
    };
    if app.visits.len() >= WAY {
        app.visits.remove(0);
    }
    app.visits.push(visit);
}

/// Goes back to the run that was left last. Returns it, if there is one.
pub(super) fn come_back(app: &mut App) -> Option<RunId> {
    let visit = app.visits.pop()?;
    show(app, visit.run.clone());
    app.face = visit.face;
    app.focus = visit.focus;
    app.wanted_node = visit.node.map_or(WantedNode::None, WantedNode::Named);
    app.values.folding = visit.folding;
    app.lists[ListId::Context as usize].pinned = visit.value;
    Some(visit.run)
}

/// Has a run on the screen, as one that was never looked at.
pub(super) fn show(app: &mut App, run: RunId) {
    app.screen = Screen::Run;
    app.focus = app.face.list();
    for list in [ListId::Nodes, ListId::Inspector, ListId::Context, ListId::RunLogs] {
        app.lists[list as usize] = ListState::default();
        app.filters.remove(&list);
    }
    app.values = Values::default();
    app.run_logs.following = true;
    app.wanted_node = WantedNode::Failed;
    app.open_run = Some(run);
    app.relist();
}

/// Selects the node that is wanted, as soon as the run is read.
pub(super) fn catch_up(app: &mut App) {
    if matches!(app.wanted_node, WantedNode::None) {
        return;
    }
    let Some(detail) = app.detail_of(app.shown()) else { return };
    let failed = || {
        let mut nodes = detail.nodes.iter();
        let node = nodes.find(|node| node.state == NodeShown::Failed)?;
        (detail.status == Some(RunStatus::Failed)).then(|| node.id.to_string())
    };
    let node = match &app.wanted_node {
        WantedNode::None => None,
        WantedNode::Named(node) => Some(node.clone()),
        WantedNode::Failed => failed(),
    };
    app.wanted_node = WantedNode::None;
    let Some(node) = node else { return };
    let count = app.rows.count(ListId::Nodes);
    let row = (0..count).find(|row| app.key(ListId::Nodes, *row).as_deref() == Some(&*node));
    if let Some(row) = row {
        let mut state = std::mem::take(&mut app.lists[ListId::Nodes as usize]);
        state.step(Step::To(row), count, |row| app.key(ListId::Nodes, row));
        app.lists[ListId::Nodes as usize] = state;
    }
}

impl App {
    /// The run that a run works for, if it is known to work for one.
    pub(super) fn parent_of(&self, run: &str) -> Option<RunId> {
        let snapshot = self.shown();
        let read = self
            .detail_of(snapshot)
            .filter(|detail| detail.run.as_str() == run)
            .and_then(|detail| Some(detail.parent.as_ref()?.run.clone()));
        let listed = || snapshot.runs.data.get(run)?.item.parent_run_id.clone();
        // One came down from there, and the run is not read yet.
        let visited = || {
            let holds =
                |of: &RunId| run.strip_prefix(of.as_str()).is_some_and(|it| it.starts_with('.'));
            self.visits.last().map(|visit| visit.run.clone()).filter(holds)
        };
        read.or_else(listed).or_else(visited)
    }

    /// The way down to a run from the outermost one: `order-4711 › ship`.
    pub(super) fn lineage(&self, run: &RunId) -> Vec<String> {
        let mut runs = vec![run.clone()];
        while let Some(parent) = self.parent_of(&runs[runs.len() - 1]) {
            // What others write may go round in circles.
            if runs.len() > ANCESTORS || runs.contains(&parent) {
                break;
            }
            runs.push(parent);
        }
        runs.reverse();
        let mut names = vec![runs[0].to_string()];
        for pair in runs.windows(2) {
            let inside = pair[1].strip_prefix(pair[0].as_str());
            let short = inside.and_then(|rest| rest.strip_prefix('.')).filter(|it| !it.is_empty());
            names.push(short.unwrap_or(&pair[1]).to_owned());
        }
        names
    }

    /// The child runs that a node started, or all nodes of the run that is open did: those that the
    /// ledger knows of, and those that say so themselves.
    pub(super) fn children_of(&self, node: Option<&str>) -> Vec<ChildRun> {
        let (snapshot, Some(run)) = (self.shown(), &self.open_run) else { return Vec::new() };
        let runs = &snapshot.runs.data;
        let mut children: Vec<ChildRun> = self
            .detail_of(snapshot)
            .map_or(&[][..], |detail| &detail.children)
            .iter()
            .filter(|child| child.certain || runs.get(&child.run).is_some())
            .cloned()
            .collect();
        let known: HashSet<RunId> = children.iter().map(|child| child.run.clone()).collect();
        let prefix = format!("{run}.");
        let others = runs.iter().filter(|row| {
            row.item.parent_run_id.as_ref() == Some(run) && !known.contains(&row.item.run_id)
        });
        children.extend(others.map(|row| ChildRun {
            node: row.item.run_id.strip_prefix(&prefix).unwrap_or_default().into(),
            run: row.item.run_id.clone(),
            status: row.item.status,
            certain: true,
        }));
        for child in &mut children {
            if let Some(row) = runs.get(&child.run) {
                child.status = row.item.status.or(child.status);
            }
        }
        if let Some(node) = node {
            children.retain(|child| child.node.as_str() == node);
        }
        children
    }
}
