//! The dialog that says why a run is not moving.

use std::fmt::Write as _;

use super::reason::Reason;
use crate::{blueprint::RunId, engine::Timestamp};

/// Why is a run not moving? Asked in the background; what was found stays until there is news.
pub(super) struct Explaining {
    pub(super) run: RunId,
    /// The runs one came from: those that wait for this one, the nearest last.
    pub(super) trail: Vec<RunId>,
    /// Which answer it waits for.
    pub(super) ticket: u64,
    pub(super) state: Asked,
    pub(super) found: Found,
    /// The reason that is chosen.
    pub(super) index: usize,
    /// The first line of its evidence that is in view.
    pub(super) scroll: usize,
    /// When to ask again by itself: a moment after something was done.
    pub(super) again: Option<Timestamp>,
}

/// Whether an answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Awaited,
    /// It came at this time.
    At(Timestamp),
}

/// What was last found.
pub(super) enum Found {
    Nothing,
    Reasons(Vec<Reason>),
    Failed(String),
}

impl Explaining {
    pub(super) fn new(run: RunId, trail: Vec<RunId>, ticket: u64) -> Self {
        Self {
            run,
            trail,
            ticket,
            state: Asked::Awaited,
            found: Found::Nothing,
            index: 0,
            scroll: 0,
            again: None,
        }
    }

    pub(super) fn reasons(&self) -> &[Reason] {
        match &self.found {
            Found::Reasons(reasons) => reasons,
            Found::Nothing | Found::Failed(_) => &[],
        }
    }

    /// The reason that is chosen.
    pub(super) fn chosen(&self) -> Option<&Reason> {
        self.reasons().get(self.index)
    }

    /// Takes in what was found. The choice stays with its reason as long as that is there.
    pub(super) fn take(&mut self, reasons: Vec<Reason>) {
        let chosen = self.chosen().map(|reason| reason.name.clone());
        let place = chosen.and_then(|name| reasons.iter().position(|it| it.name == name));
        if place != Some(self.index) {
            self.scroll = 0;
        }
        // Where the first one was chosen, what is first now is what matters.
        self.index = if self.index == 0 { 0 } else { place.unwrap_or(0) };
        self.found = Found::Reasons(reasons);
    }

    /// Everything that was found, as text.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Why is run {} not moving?\n", self.run);
        for reason in self.reasons() {
            // Writing to a String can't fail.
            let _ = writeln!(text, "\n{} ({}): {}", reason.name, reason.sureness, reason.title);
            for line in &reason.evidence {
                let _ = writeln!(text, "  - {line}");
            }
            let _ = writeln!(text, "  do: {}", reason.advice);
        }
        if let Found::Failed(why) = &self.found {
            text.push_str(why);
            text.push('\n');
        }
        text
    }
}
