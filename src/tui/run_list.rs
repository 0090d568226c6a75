//! The runs that a filter lets through, in an order: made once in the background where there are
//! many, then kept up with what changes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{filter::Filter, message::Message, order::RunOrder};
use crate::{
    blueprint::RunId,
    engine::Timestamp,
    monitor::{RunRow, RunsView},
};

/// Up to so many runs are listed at once, within a key press.
pub(super) const AT_ONCE: usize = 5_000;

/// Up to so many changes are worked into a list; beyond it is made anew.
const CHANGES: usize = 250;

/// How soon a long list is made anew because of time alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how many runs a job looks whether it is still wanted.
const STRETCH: usize = 2_048;

/// Rows that never change. Cloning is cheap.
#[derive(Clone, Default)]
pub(super) struct RunRows {
    view: Arc<RunsView>,
    order: RunOrder,
    rows: Arc<Vec<Arc<RunRow>>>,
}

impl RunRows {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Arc<RunRow>> {
        self.rows.get(at)
    }

    /// The row of a run.
    pub(super) fn position(&self, run: &str) -> Option<usize> {
        self.place(self.view.get(run)?).ok()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &RunId> {
        self.rows.iter().map(|row| &row.item.run_id)
    }

    fn place(&self, row: &RunRow) -> Result<usize, usize> {
        self.rows.binary_search_by(|other| self.order.compare(other, row))
    }
}

impl fmt::Debug for RunRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} runs", self.len(), self.view.len())
    }
}

/// What a list is made by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Recipe {
    pub(super) filter: String,
    pub(super) order: RunOrder,
}

/// The list.
pub(super) struct RunList {
    recipe: Recipe,
    filter: Filter,
    rows: RunRows,
    /// When the filter may say something else although no run changes.
    turns_at: Option<Timestamp>,
    made_at: Timestamp,
}

/// What came of bringing a list up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caught {
    /// It is.
    Up,
    /// Too much has changed for that.
    NotUp,
}

impl Default for RunList {
    fn default() -> Self {
        Self {
            recipe: Recipe::default(),
            filter: Filter::of_runs(""),
            rows: RunRows::default(),
            turns_at: None,
            made_at: Timestamp::default(),
        }
    }
}

impl RunList {
    /// Lists the runs of a view.
    pub(super) fn new(view: Arc<RunsView>, recipe: Recipe, now: Timestamp) -> Self {
        let going_on = |_| Wanted::Still;
        Self::make(view, recipe, now, going_on).unwrap_or_default()
    }

    /// Lists the runs of a view. Says how many it has looked at, and gives up when it is told to.
    fn make(
        view: Arc<RunsView>,
        recipe: Recipe,
        now: Timestamp,
        mut looked_at: impl FnMut(usize) -> Wanted,
    ) -> Option<Self> {
        let mut filter = Filter::of_runs(&recipe.filter);
        let mut turns_at = None;
        let mut rows: Vec<Arc<RunRow>> = Vec::new();
        for (at, row) in view.iter().enumerate() {
            if at % STRETCH == 0 && looked_at(at) == Wanted::NoMore {
                return None;
            }
            if filter.is_empty() || filter.takes_run(row, now) {
                rows.push(row.clone());
            }
            turns_at = earlier(turns_at, filter.turns_at(row, now));
        }
        rows.shrink_to_fit();
        recipe.order.sort(&mut rows);
        let rows = RunRows { view, order: recipe.order, rows: Arc::new(rows) };
        Some(Self { recipe, filter, rows, turns_at, made_at: now })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(&self, at: usize) -> Option<&Arc<RunRow>> {
        self.rows.get(at)
    }

    pub(super) fn position(&self, run: &str) -> Option<usize> {
        self.rows.position(run)
    }

    /// The rows as they are now.
    pub(super) fn rows(&self) -> &RunRows {
        &self.rows
    }

    pub(super) fn shows(&self, view: &Arc<RunsView>) -> bool {
        Arc::ptr_eq(&self.rows.view, view)
    }

    /// Whether time alone may have changed which runs the filter lets through.
    pub(super) fn has_turned(&self, now: Timestamp) -> bool {
        let at_once = self.rows.view.len() <= AT_ONCE;
        self.turns_at.is_some_and(|at| at <= now)
            && (at_once || now.since(self.made_at) >= PATIENCE)
    }

    /// Works the difference between its view and a newer one into it.
    pub(super) fn catch_up(&mut self, view: &Arc<RunsView>, now: Timestamp) -> Caught {
        if self.shows(view) {
            return Caught::Up;
        }
        let changes: Vec<_> = view.changes(&self.rows.view).take(CHANGES + 1).collect();
        if changes.len() > CHANGES {
            return Caught::NotUp;
        }
        let mut gone = Vec::new();
        let mut come = Vec::new();
        for change in changes {
            // Whether it is listed is a question to the list: the filter may have turned.
            let was = change.was.map(|was| (was, self.rows.place(was)));
            gone.extend(was.and_then(|(_, place)| place.ok()));
            if let Some(row) = change.now {
                self.turns_at = earlier(self.turns_at, self.filter.turns_at(row, now));
                if self.filter.takes_run(row, now) {
                    let alike = was.filter(|(was, _)| self.rows.order.compare(was, row).is_eq());
                    let place = alike.map_or_else(|| self.rows.place(row), |(_, place)| place);
                    come.push((place.unwrap_or_else(|place| place), row.clone()));
                }
            }
        }
        let order = self.rows.order;
        gone.sort_unstable();
        come.sort_by(|(_, a), (_, b)| order.compare(a, b));
        self.rows.view = view.clone();
        if !gone.is_empty() || !come.is_empty() {
            replace(Arc::make_mut(&mut self.rows.rows), &gone, come);
        }
        Caught::Up
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Takes the rows at some places out, and puts others in before the rows that are at theirs. Both
/// in order.
fn replace(rows: &mut Vec<Arc<RunRow>>, gone: &[usize], come: Vec<(usize, Arc<RunRow>)>) {
    // Mostly a run that moved on has kept its place.
    if gone.len() == come.len() && gone.iter().zip(&come).all(|(was, (is, _))| was == is) {
        for (at, row) in come {
            if let Some(place) = rows.get_mut(at) {
                *place = row;
            }
        }
        return;
    }
    let mut old = std::mem::take(rows).into_iter();
    rows.reserve_exact(old.len() + come.len() - gone.len().min(old.len()));
    let mut at = 0;
    let mut gone = gone.iter().copied().peekable();
    let mut pass = |rows: &mut Vec<Arc<RunRow>>, to: usize| {
        while let Some(next) = gone.next_if(|next| *next < to) {
            rows.extend(old.by_ref().take(next - at));
            // The one that is gone.
            old.next();
            at = next + 1;
        }
        rows.extend(old.by_ref().take(to - at));
        at = to;
    };
    for (place, row) in come {
        pass(rows, place);
        rows.push(row);
    }
    pass(rows, usize::MAX);
}

/// Whether somebody still waits for what a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Still,
    NoMore,
}

/// Lists many runs. To be run where waiting harms nobody.
#[derive(Clone)]
pub struct ListJob {
    number: u64,
    /// The number of the latest job: all before it may give up.
    latest: Arc<AtomicU64>,
    view: Arc<RunsView>,
    recipe: Recipe,
    now: Timestamp,
}

impl ListJob {
    /// Does it. Says now and then how far it is; nothing in the end if nobody wants it any more.
    pub fn run(self, mut tell: impl FnMut(Message)) -> Option<Message> {
        let Self { number, latest, view, recipe, now } = self;
        let all = view.len().max(1);
        let mut told = 0;
        let list = RunList::make(view, recipe, now, |count| {
            if latest.load(Ordering::Relaxed) != number {
                return Wanted::NoMore;
            }
            let percent = count * 100 / all;
            if percent >= told + 10 {
                told = percent;
                let part = Part::Percent(u8::try_from(percent).unwrap_or(100));
                tell(Message::Listed(Listed { number, part }));
            }
            Wanted::Still
        })?;
        Some(Message::Listed(Listed { number, part: Part::List(Box::new(list)) }))
    }
}

impl fmt::Debug for ListJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListJob {} of {} runs", self.number, self.view.len())
    }
}

/// How far a [`ListJob`] is, or what it made.
pub struct Listed {
    number: u64,
    part: Part,
}

enum Part {
    Percent(u8),
    List(Box<RunList>),
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Part::Percent(percent) => write!(f, "job {} is at {percent} %", self.number),
            Part::List(list) => write!(f, "job {} has listed {:?}", self.number, list.rows),
        }
    }
}

/// The list that is shown, and the one that is being made.
#[derive(Default)]
pub(super) struct Lister {
    latest: Arc<AtomicU64>,
    /// What the latest job makes, and how far it is.
    under_way: Option<(Recipe, u8)>,
    /// A job that nobody has begun.
    waiting: Option<ListJob>,
}

impl Lister {
    /// Brings a list up to date with a view and a recipe: at once where that is quick, else by a
    /// job.
    pub(super) fn bring(
        &mut self,
        list: &mut RunList,
        view: &Arc<RunsView>,
        recipe: &Recipe,
        now: Timestamp,
    ) {
        let making = self.under_way.as_ref().map(|(making, _)| making);
        if making == Some(&list.recipe) && making == Some(recipe) {
            // It was too much to be worked in, and will be there in a moment.
            return;
        }
        let caught = list.catch_up(view, now);
        if list.recipe == *recipe && caught == Caught::Up && !list.has_turned(now) {
            self.cancel();
            return;
        }
        if view.len() <= AT_ONCE {
            self.cancel();
            *list = RunList::new(view.clone(), recipe.clone(), now);
            return;
        }
        // One that is under way works on older data: what changed since is worked in at its end.
        if self.under_way.as_ref().is_some_and(|(making, _)| making == recipe) {
            return;
        }
        let number = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
        self.under_way = Some((recipe.clone(), 0));
        self.waiting = Some(ListJob {
            number,
            latest: self.latest.clone(),
            view: view.clone(),
            recipe: recipe.clone(),
            now,
        });
    }

    fn cancel(&mut self) {
        if self.under_way.take().is_some() {
            self.latest.fetch_add(1, Ordering::Relaxed);
            self.waiting = None;
        }
    }

    /// The job that is to be begun.
    pub(super) fn job(&mut self) -> Option<ListJob> {
        self.waiting.take()
    }

    /// Takes in what a job says. Returns its list once it has made it.
    pub(super) fn hear(&mut self, listed: Listed) -> Option<RunList> {
        if listed.number != self.latest.load(Ordering::Relaxed) {
            return None;
        }
        match listed.part {
            Part::Percent(percent) => {
                if let Some((_, at)) = &mut self.under_way {
                    *at = percent;
                }
                None
            }
            Part::List(list) => {
                self.under_way = None;
                Some(*list)
            }
        }
    }

    /// How far the list is that will take the place of the one that is shown, where that is not
    /// what was asked for.
    pub(super) fn percent(&self, shown: &RunList) -> Option<u8> {
        let (making, percent) = self.under_way.as_ref()?;
        (*making != shown.recipe).then_some(*percent)
    }
}

#[cfg(test)]
#[path = "run_list_tests.rs"]
mod tests;
