//! How large boxes are drawn.

use super::super::graph::{Frames, Room};

/// How large boxes are drawn, the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::tui) enum Zoom {
    /// A symbol each.
    Symbols,
    /// A line of text each.
    Lines,
    /// A box with one line.
    Boxes,
    /// A box with everything that is known at a glance.
    Full,
}

impl Zoom {
    pub(in crate::tui) const ALL: [Self; 4] = [Self::Symbols, Self::Lines, Self::Boxes, Self::Full];

    pub(in crate::tui) fn name(self) -> &'static str {
        match self {
            Self::Symbols => "symbols",
            Self::Lines => "names",
            Self::Boxes => "boxes",
            Self::Full => "details",
        }
    }

    /// The next larger or smaller one, as far as there is one.
    pub(in crate::tui) fn by(self, steps: isize) -> Self {
        let at = (self as usize).saturating_add_signed(steps);
        Self::ALL[at.min(Self::ALL.len() - 1)]
    }

    pub(in crate::tui) fn frames(self) -> Frames {
        if self >= Self::Boxes { Frames::Drawn } else { Frames::Bare }
    }

    pub(super) fn room(self) -> Room {
        match self {
            Self::Symbols => Room::Tight,
            Self::Lines | Self::Boxes => Room::Plain,
            Self::Full => Room::Wide,
        }
    }
}
