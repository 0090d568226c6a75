//! A recording that is shown: where it is, and how its time lies along a bar.

use std::{ops::Range, sync::Arc};

use ratatui::layout::Rect;

use super::actions::Action;
use crate::{
    engine::Timestamp,
    recording::{Mark, Moment, Scrub},
};

/// A recording that is shown.
pub(super) struct Replaying {
    /// Where it is.
    pub(super) moment: Arc<Moment>,
    /// How many log lines back the log is scrolled.
    pub(super) log_back: usize,
}

/// How many lines a page of the log is.
const PAGE: usize = 10;

impl Replaying {
    pub(super) fn new(moment: Arc<Moment>) -> Self {
        Self { moment, log_back: 0 }
    }

    /// The cell of a bar of so many cells in which the moment is.
    pub(super) fn cell(&self, width: u16) -> u16 {
        let last = i128::from(width.saturating_sub(1));
        let span = i128::from(self.span().max(1));
        let done = i128::from(self.moment.at.millis() - self.moment.start.millis());
        u16::try_from(((done * last * 2 + span) / (span * 2)).clamp(0, last)).unwrap_or(0)
    }

    /// The time that a cell of a bar stands for.
    fn times(&self, cell: u16, width: u16) -> Range<Timestamp> {
        let last = i128::from(width.saturating_sub(1)).max(1);
        let span = i128::from(self.span());
        let edge = |half_cells: i128| {
            let millis = (half_cells * span).div_euclid(last * 2);
            let at = i128::from(self.moment.start.millis()) + millis;
            Timestamp::from_millis(i64::try_from(at).unwrap_or(i64::MAX))
        };
        let cell = i128::from(cell) * 2;
        edge(cell - 1)..edge(cell + 1)
    }

    /// What happened in the time that a cell stands for.
    pub(super) fn mark(&self, cell: u16, width: u16) -> Option<Mark> {
        let Range { start, end } = self.times(cell, width);
        self.moment.happened.mark_between(start, end).map(|(mark, _)| mark)
    }

    /// Where a click on a bar leads to: to what happened there, else to the time itself.
    pub(super) fn clicked(&self, bar: Rect, column: u16) -> Scrub {
        let cell = column.saturating_sub(bar.x);
        let Range { start, end } = self.times(cell, bar.width);
        let middle = Timestamp::from_millis(start.millis().midpoint(end.millis()));
        let event = self.moment.happened.mark_between(start, end);
        Scrub::To(event.map_or(middle, |(_, at)| at))
    }

    /// How long the recording is, in milliseconds.
    pub(super) fn span(&self) -> i64 {
        (self.moment.end.millis() - self.moment.start.millis()).max(0)
    }

    /// Scrolls the log.
    pub(super) fn scroll_logs(&mut self, action: Action) {
        let last = self.moment.logs.len().saturating_sub(1);
        let back = match action {
            Action::Up => self.log_back.saturating_add(1),
            Action::Down => self.log_back.saturating_sub(1),
            Action::PageUp => self.log_back.saturating_add(PAGE),
            Action::PageDown => self.log_back.saturating_sub(PAGE),
            Action::Top => last,
            Action::Bottom => 0,
            _ => self.log_back,
        };
        self.log_back = back.min(last);
    }
}
