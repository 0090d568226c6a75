//! The timeline as it is seen.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    super::{actions::Action, list::Step, text},
    bars::{Bar, BarKind, bars, beginnings},
    critical::critical,
    scale::Scale,
};
use crate::{engine::Timestamp, monitor::RunDetail};

/// The timeline of a run.
#[derive(Default)]
pub(in crate::tui) struct Timeline {
    /// What it was made of.
    made_of: Option<(Arc<Option<RunDetail>>, String)>,
    bars: Vec<Vec<Bar>>,
    /// The nodes that are listed, in the order in which they began; then those that did not.
    order: Vec<usize>,
    /// The place of each node in that order.
    rank: HashMap<usize, usize>,
    /// The cells of the widest name.
    widest: usize,
    critical: Vec<usize>,
    on_path: HashSet<usize>,
    begin: Option<Timestamp>,
    /// Nothing: the run goes on.
    end: Option<Timestamp>,
    /// The part of the time that is in view; nothing: all of it.
    window: Option<(Timestamp, Duration)>,
    offset: usize,
    height: usize,
}

/// What a run took in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) struct Totals {
    pub(in crate::tui) took: Duration,
    /// What its nodes ran, added up.
    pub(in crate::tui) work: Duration,
    /// What they were ready and nobody ran them, added up.
    pub(in crate::tui) queued: Duration,
    /// What the nodes on the critical path ran.
    pub(in crate::tui) critical: Duration,
    /// How many nodes are on it.
    pub(in crate::tui) path: usize,
}

/// The least that is shown of the time.
const LEAST: Duration = Duration::from_millis(200);

impl Timeline {
    /// Makes it anew if the run or the filter has changed.
    pub(in crate::tui) fn prepare(
        &mut self,
        data: &Arc<Option<RunDetail>>,
        detail: &RunDetail,
        filter: &str,
        listed: impl Fn(usize) -> bool,
    ) {
        let same =
            self.made_of.as_ref().is_some_and(|(of, by)| Arc::ptr_eq(of, data) && by == filter);
        if same {
            return;
        }
        self.made_of = Some((data.clone(), filter.to_owned()));
        let begin = beginnings(detail);
        self.bars = detail.nodes.iter().zip(begin).map(|(node, begin)| bars(node, begin)).collect();
        let first = |node: &usize| self.bars[*node].first().map(|bar| bar.from);
        self.order = (0..detail.nodes.len()).filter(|node| listed(*node)).collect();
        self.order.sort_by_key(|node| (first(node).is_none(), first(node)));
        self.rank = self.order.iter().enumerate().map(|(at, node)| (*node, at)).collect();
        self.widest = detail.nodes.iter().map(|node| text::width(&node.id)).max().unwrap_or(0);
        // Whatever goes on ends last; when exactly makes no difference.
        self.critical = critical(detail, &self.bars, Timestamp::from_millis(i64::MAX));
        self.on_path = self.critical.iter().copied().collect();
        let all = || self.bars.iter().flatten();
        let earliest = all().map(|bar| bar.from).min();
        self.begin = detail.started_at.into_iter().chain(earliest).min();
        let latest = all().filter_map(|bar| bar.to).max();
        self.end = detail.finished_at.map(|at| latest.map_or(at, |latest| latest.max(at)));
    }

    /// The nodes, as places in the run's rows, in the order in which they began.
    pub(in crate::tui) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(in crate::tui) fn bars(&self, node: usize) -> &[Bar] {
        self.bars.get(node).map_or(&[], Vec::as_slice)
    }

    /// Whether the end of the run waited for a node.
    pub(in crate::tui) fn is_critical(&self, node: usize) -> bool {
        self.on_path.contains(&node)
    }

    /// The row of a node.
    pub(in crate::tui) fn place(&self, node: Option<usize>) -> usize {
        node.and_then(|node| self.rank.get(&node).copied()).unwrap_or(0)
    }

    /// The cells of the widest name.
    pub(in crate::tui) fn widest(&self) -> usize {
        self.widest
    }

    /// All of the time: a little of the future, too, while the run goes on.
    fn whole(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let from = self.begin.unwrap_or(now);
        let to = self.end.unwrap_or_else(|| now + now.since(from) / 24).max(from);
        (from, to)
    }

    /// The scale on so many columns.
    pub(in crate::tui) fn scale(&self, columns: u16, now: Timestamp) -> Scale {
        let (from, to) = self.whole(now);
        let (first, last) = match self.window {
            Some((at, length)) => (at, at + length),
            None => (from, to),
        };
        Scale::new(first, last, from, columns)
    }

    /// Whether only a part of the time is in view.
    pub(in crate::tui) fn is_zoomed(&self) -> bool {
        self.window.is_some()
    }

    /// Shows less or more of the time, around what the selected node did.
    pub(in crate::tui) fn zoom(&mut self, action: Action, selected: Option<usize>, now: Timestamp) {
        let (from, to) = self.whole(now);
        let all = to.since(from);
        let (at, length) = self.window.unwrap_or((from, all));
        let wanted = match action {
            Action::ZoomIn => (length / 2).max(LEAST),
            Action::ZoomOut => length.saturating_mul(2),
            _ => all,
        };
        if wanted >= all {
            self.window = None;
            return;
        }
        let bar = selected.and_then(|node| self.bars(node).first().copied());
        let middle = bar.map_or_else(
            || at + length / 2,
            |bar| bar.from + bar.end(now).since(bar.from).min(wanted) / 2,
        );
        self.window = Some(clamped(middle, wanted, (from, to)));
    }

    /// Shows an earlier or a later part of the time.
    pub(in crate::tui) fn pan(&mut self, by: i32, now: Timestamp) {
        let Some((at, length)) = self.window else { return };
        let step = i64::try_from(length.as_millis() / 4).unwrap_or(i64::MAX);
        let middle = (at + length / 2).millis().saturating_add(step.saturating_mul(by.into()));
        self.window = Some(clamped(Timestamp::from_millis(middle), length, self.whole(now)));
    }

    /// The node that a step leads to, from the selected one.
    pub(in crate::tui) fn step(&self, step: Step, selected: Option<usize>) -> Option<usize> {
        let at = self.place(selected);
        let page = self.height.max(2) - 1;
        let last = self.order.len().checked_sub(1)?;
        let to = match step {
            Step::By(by) => at.saturating_add_signed(by),
            Step::Page(pages) => {
                let page = isize::try_from(page).unwrap_or(1);
                at.saturating_add_signed(pages.saturating_mul(page))
            }
            Step::To(to) => to,
            Step::Top => 0,
            Step::Bottom => last,
        };
        self.order.get(to.min(last)).copied()
    }

    /// Takes in which rows were drawn.
    pub(in crate::tui) fn scrolled(&mut self, first: usize, height: usize) {
        (self.offset, self.height) = (first, height);
    }

    /// The first row in view, so that the selected node is.
    pub(in crate::tui) fn first(&self, selected: Option<usize>, height: usize) -> usize {
        let at = self.place(selected);
        let lowest = (at + 1).saturating_sub(height);
        self.offset.clamp(lowest, at.max(lowest)).min(self.order.len().saturating_sub(height))
    }

    pub(in crate::tui) fn totals(&self, now: Timestamp) -> Totals {
        let (from, to) = (self.begin.unwrap_or(now), self.end.unwrap_or(now));
        let ran =
            |bar: &&Bar| matches!(bar.kind, BarKind::Done | BarKind::Failed | BarKind::Running);
        let length = |bar: &Bar| bar.end(now).since(bar.from);
        let all = || self.bars.iter().flatten();
        let path = self.critical.iter().flat_map(|node| self.bars(*node));
        Totals {
            took: to.since(from),
            work: sum(all().filter(ran).map(length)),
            queued: sum(all().filter(|bar| bar.kind == BarKind::Queued).map(length)),
            critical: sum(path.filter(|bar| bar.kind > BarKind::Queued).map(length)),
            path: self.critical.len(),
        }
    }
}

/// Times added up, whatever clocks they come from.
fn sum(times: impl Iterator<Item = Duration>) -> Duration {
    times.fold(Duration::ZERO, Duration::saturating_add)
}

/// A part of the time around a moment that stays within all of it.
fn clamped(
    middle: Timestamp,
    length: Duration,
    (from, to): (Timestamp, Timestamp),
) -> (Timestamp, Duration) {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let latest = to.millis().saturating_sub(millis).max(from.millis());
    let first = middle.millis().saturating_sub(millis / 2).clamp(from.millis(), latest);
    (Timestamp::from_millis(first), length)
}
