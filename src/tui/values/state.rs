//! Where the tree of values stands: which document it shows, what is folded, what was found.

use std::sync::Arc;

use super::{
    super::{
        app::App,
        dialog::Dialog,
        message::Command,
        rows::ListId,
        screen::{RunFace, Screen},
        work::{Job, Work},
    },
    folding::{Folding, Untouched},
    search::matches,
    tree::ValueTree,
};
use crate::{blueprint::RunId, monitor::RunDetail};

/// Documents and trees up to this many bytes are gone through at once; larger ones in the
/// background, so that no key waits for them.
const AT_ONCE: usize = 128 * 1024;

/// With so many values at most, everything is unfolded at first.
const OPEN_UP_TO: usize = 24;

/// A document of a run as the monitor published it.
pub(in crate::tui) type Published = Arc<Option<RunDetail>>;

/// The tree of values of the run that is open.
#[derive(Default)]
pub(in crate::tui) struct Values {
    made: Option<Made>,
    /// Which tree is being made.
    making: Option<u64>,
    pub(in crate::tui) folding: Folding,
    /// Whether the rows don't show the tree and the folding as they are now.
    rows_are_old: bool,
    found: Option<Found>,
    /// Which search is under way.
    searching: Option<u64>,
    /// Whether the selection is to go to the first match once it is known.
    jump: bool,
    /// What was selected when the search began.
    origin: Option<String>,
    /// The pointer to what is to be selected as soon as there is a tree.
    wanted: Option<String>,
}

struct Made {
    run: RunId,
    of: Published,
    tree: Arc<ValueTree>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(in crate::tui) struct Found {
    query: String,
    tree: Arc<ValueTree>,
    /// The places, in order.
    pub(in crate::tui) places: Vec<usize>,
}

impl Found {
    /// Which of the matches the value at a place is, from 1.
    pub(in crate::tui) fn number(&self, at: usize) -> Option<usize> {
        self.places.binary_search(&at).ok().map(|index| index + 1)
    }
}

impl Values {
    /// The tree and the run it was made of, if there is one.
    pub(in crate::tui) fn shown(&self) -> Option<(&Arc<ValueTree>, &RunDetail)> {
        let made = self.made.as_ref()?;
        Some((&made.tree, (*made.of).as_ref()?))
    }

    /// The document that the tree was made of.
    pub(in crate::tui) fn published(&self) -> Option<&Published> {
        self.made.as_ref().map(|made| &made.of)
    }

    /// What was found; nothing while nothing is looked for, or as long as it is being looked for.
    pub(in crate::tui) fn found(&self) -> Option<&Found> {
        self.found.as_ref().filter(|_| self.searching.is_none())
    }

    /// Takes in a tree that was made in the background.
    pub(in crate::tui) fn take_tree(&mut self, ticket: u64, of: Published, tree: Arc<ValueTree>) {
        if self.making == Some(ticket) {
            self.making = None;
            self.put(of, tree);
        }
    }

    /// Takes in what was found in the background.
    pub(in crate::tui) fn take_found(
        &mut self,
        ticket: u64,
        query: String,
        tree: Arc<ValueTree>,
        places: Vec<usize>,
    ) {
        if self.searching == Some(ticket) {
            self.searching = None;
            self.found = Some(Found { query, tree, places });
        }
    }

    /// Has a value selected and unfolded as soon as there is a tree.
    pub(in crate::tui) fn want(&mut self, pointer: String) {
        self.wanted = Some(pointer);
        self.rows_are_old = self.made.is_some();
    }

    fn put(&mut self, of: Published, tree: Arc<ValueTree>) {
        let Some(run) = (*of).as_ref().map(|detail| detail.run.clone()) else { return };
        self.made = Some(Made { run, of, tree });
        self.rows_are_old = true;
    }
}

/// The place of the selected value.
pub(in crate::tui) fn selected(app: &App) -> Option<usize> {
    app.selected_place(ListId::Context)
}

/// Brings the tree up to date with what is shown. To be called after every change of the state:
/// mostly there is nothing to do.
pub(in crate::tui) fn catch_up(app: &mut App) -> Vec<Command> {
    if app.screen != Screen::Run {
        app.values = Values::default();
        return Vec::new();
    }
    if app.face != RunFace::Context {
        return Vec::new();
    }
    let mut commands = Vec::new();
    let published = app.shown().detail.data.clone();
    if app.detail_of(app.shown()).is_some() {
        commands.extend(make(app, published));
    } else if app.values.made.as_ref().is_some_and(|it| Some(&it.run) != app.open_run.as_ref()) {
        app.values.made = None;
        app.rows.set_places(ListId::Context, Vec::new());
    }
    if std::mem::take(&mut app.values.rows_are_old) {
        list(app);
    }
    commands.extend(search(app));
    commands
}

/// Makes the tree of a document, unless there is one.
fn make(app: &mut App, published: Published) -> Option<Command> {
    let values = &mut app.values;
    if values.making.is_some()
        || values.made.as_ref().is_some_and(|it| Arc::ptr_eq(&it.of, &published))
    {
        return None;
    }
    let detail = (*published).as_ref()?;
    let first = values.made.as_ref().is_none_or(|it| it.run != detail.run);
    if first {
        values.made = None;
    }
    if detail.size > AT_ONCE {
        app.tickets += 1;
        values.making = Some(app.tickets);
        return Some(Command::Work(Work(Job::Values { ticket: app.tickets, of: published })));
    }
    let tree = Arc::new(ValueTree::of(detail));
    if first && values.wanted.is_none() && tree.len() <= OPEN_UP_TO {
        values.folding = Folding::new(Untouched::Open);
    }
    values.put(published, tree);
    None
}

/// Lists the rows that the folding leaves. The selection stays on its value, or on what holds it.
fn list(app: &mut App) {
    let Some(made) = &app.values.made else { return };
    let tree = made.tree.clone();
    let wanted = app.values.wanted.take();
    let pinned = wanted.as_ref().or(app.list(ListId::Context).pinned.as_ref());
    let place = pinned.and_then(|pointer| tree.place(pointer)).map(|(at, _)| at);
    if let (Some(at), true) = (place, wanted.is_some()) {
        app.values.folding.reveal(&tree, at);
        if !app.values.folding.is_open(&tree, at) {
            app.values.folding.turn(&tree, at);
        }
    }
    app.rows.set_places(ListId::Context, app.values.folding.rows(&tree));
    if let Some(at) = place {
        put_selection(app, &tree, at);
    } else {
        let last = app.rows.count(ListId::Context).saturating_sub(1);
        let state = &mut app.lists[ListId::Context as usize];
        state.index = state.index.min(last);
    }
}

/// Puts the selection on the row of a value, or of the nearest one around it that has a row.
fn put_selection(app: &mut App, tree: &ValueTree, at: usize) {
    let mut here = Some(at);
    while let Some(at) = here {
        if let Some(row) = app.rows.row_of(ListId::Context, at) {
            let state = &mut app.lists[ListId::Context as usize];
            state.index = row;
            state.pinned = Some(tree.pointer(at));
            return;
        }
        here = tree.parent(at);
    }
}

/// Selects a value, unfolding what holds it.
pub(in crate::tui) fn select(app: &mut App, at: usize) {
    let Some(tree) = app.values.made.as_ref().map(|made| made.tree.clone()) else { return };
    if app.values.folding.reveal(&tree, at) {
        app.rows.set_places(ListId::Context, app.values.folding.rows(&tree));
    }
    put_selection(app, &tree, at);
}

/// Folds or unfolds the selected value. Returns whether it is one that folds.
pub(in crate::tui) fn toggle(app: &mut App) -> bool {
    let (Some(at), Some(made)) = (selected(app), &app.values.made) else { return false };
    let tree = made.tree.clone();
    if !tree.kind(at).folds() {
        return false;
    }
    app.values.folding.turn(&tree, at);
    app.rows.set_places(ListId::Context, app.values.folding.rows(&tree));
    put_selection(app, &tree, at);
    true
}

/// Which way one goes in the tree: from outside to inside, which is from above to below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Way {
    In,
    Out,
}

/// Goes into the selected value, unfolding it first, or out of it, folding it first.
pub(in crate::tui) fn step_in(app: &mut App, way: Way) {
    let (Some(at), Some(made)) = (selected(app), &app.values.made) else { return };
    let tree = made.tree.clone();
    let open = tree.kind(at).folds() && app.values.folding.is_open(&tree, at);
    match way {
        Way::In if open => put_selection(app, &tree, at + 1),
        Way::In => {
            toggle(app);
        }
        Way::Out if open => {
            toggle(app);
        }
        Way::Out => {
            if let Some(parent) = tree.parent(at) {
                put_selection(app, &tree, parent);
            }
        }
    }
}

/// Unfolds everything, or folds everything but the sections.
pub(in crate::tui) fn fold_all(app: &mut App, way: Way) {
    let Some(made) = &app.values.made else { return };
    let tree = made.tree.clone();
    let untouched = if way == Way::In { Untouched::Open } else { Untouched::Sections };
    app.values.folding = Folding::new(untouched);
    let at = selected(app).unwrap_or(0);
    app.rows.set_places(ListId::Context, app.values.folding.rows(&tree));
    put_selection(app, &tree, at);
}

/// Brings what was found up to date with what is looked for.
fn search(app: &mut App) -> Option<Command> {
    let query = app.filter(ListId::Context).to_owned();
    let typing = matches!(&app.dialog, Some(Dialog::Filter { list: ListId::Context, .. }));
    if typing && app.values.origin.is_none() {
        app.values.origin = Some(app.list(ListId::Context).pinned.clone().unwrap_or_default());
    }
    let tree = app.values.made.as_ref()?.tree.clone();
    let before = app.values.found.as_ref();
    let is_new = before.is_none_or(|found| found.query != query);
    if is_new || before.is_none_or(|found| !Arc::ptr_eq(&found.tree, &tree)) {
        if !query.is_empty() && tree.bytes() > AT_ONCE {
            app.tickets += 1;
            app.values.searching = Some(app.tickets);
            // So that it is not asked for again, and a jump follows when it is answered.
            app.values.found =
                Some(Found { query: query.clone(), tree: tree.clone(), places: Vec::new() });
            app.values.jump = is_new;
            return Some(Command::Work(Work(Job::Search { ticket: app.tickets, tree, query })));
        }
        app.values.searching = None;
        let places = matches(&tree, &query);
        app.values.found = Some(Found { query: query.clone(), tree, places });
        app.values.jump = is_new;
    }
    if app.values.searching.is_none() && std::mem::take(&mut app.values.jump) {
        jump(app, &query);
    }
    if !typing {
        app.values.origin = None;
    }
    None
}

/// Goes to the first match from where the search began; back to there where nothing is looked for.
fn jump(app: &mut App, query: &str) {
    let Some(tree) = app.values.made.as_ref().map(|made| made.tree.clone()) else { return };
    let Some(origin) = app.values.origin.clone() else { return };
    let from = tree.place(&origin).map_or(0, |(at, _)| at);
    if query.is_empty() {
        put_selection(app, &tree, from);
        return;
    }
    let Some(found) = &app.values.found else { return };
    let index = found.places.partition_point(|at| *at < from);
    let next = found.places.get(index).or(found.places.first()).copied();
    if let Some(at) = next {
        select(app, at);
    }
}

/// Goes to the next match, or to the one before. Returns whether there is any.
pub(in crate::tui) fn find_next(app: &mut App, way: Way) -> bool {
    let at = selected(app).unwrap_or(0);
    let Some(found) = app.values.found() else { return false };
    let places = &found.places;
    let next = if way == Way::In {
        let index = places.partition_point(|place| *place <= at);
        places.get(index).or(places.first())
    } else {
        let index = places.partition_point(|place| *place < at);
        index.checked_sub(1).map_or(places.last(), |index| places.get(index))
    };
    let Some(next) = next.copied() else { return false };
    select(app, next);
    true
}
