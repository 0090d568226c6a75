//! Following a run until it rests, with the states of its nodes on the screen meanwhile.

use std::{fmt::Write as _, io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    exit::CliError,
    output::{Format, Output},
    text::sanitize,
};
use crate::{
    blueprint::RunId,
    engine::NodeState,
    operations::{Glance, Operations, Rest},
};

/// How often a run is looked at: at first, and once it takes longer.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(200)];
/// How many nodes are shown at once.
const SHOWN: usize = 12;

/// What is waited out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timers {
    /// Timers are.
    WaitOut,
    /// They are not: a run that sleeps rests.
    StopAt,
}

/// Waits until a run rests: until it has ended, or nothing happens in it without an answer, or, if
/// so wished, without a timer.
pub(super) async fn follow(
    operations: &Operations,
    run: &RunId,
    timers: Timers,
    progress: &Progress,
) -> Result<(), CliError> {
    let [mut pause, longest] = PAUSES;
    loop {
        let glance = operations.glance(run).await?;
        progress.show(&glance);
        let now = operations.cluster().clock.now();
        let rests = match glance.rest {
            Rest::Moving => false,
            Rest::Timer(due) => timers == Timers::StopAt && due > now,
            Rest::Answer | Rest::Ended => true,
        };
        if rests {
            progress.clear();
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(longest);
    }
}

/// The states of a run's nodes on the screen, while the run goes on. Not there where nobody looks.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// On stderr, if that is a terminal and people read the result.
    pub(super) fn new(output: &Output) -> Self {
        if output.format() == Format::Json || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    fn show(&self, glance: &Glance) {
        if let Some(bar) = &self.0 {
            bar.set_message(describe(glance));
        }
    }

    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The states of nodes, those first in which something happens.
fn describe(glance: &Glance) -> String {
    let mut nodes: Vec<_> = glance.nodes.iter().map(|(node, state)| (*state, node)).collect();
    nodes.sort_by_key(|(state, node)| (interest(*state), *node));
    let mut text = glance.status.to_string();
    for (state, node) in nodes.iter().take(SHOWN) {
        // Writing into a text can't fail.
        let _ = write!(text, "\n  {:9}  {}", state.as_str(), sanitize(node));
    }
    if nodes.len() > SHOWN {
        let _ = write!(text, "\n  and {} more", nodes.len() - SHOWN);
    }
    text
}

fn interest(state: NodeState) -> u8 {
    match state {
        NodeState::Ready => 0,
        NodeState::Awaiting => 1,
        NodeState::Failed => 2,
        NodeState::Completed => 3,
        NodeState::Pending | NodeState::Skipped => 4,
    }
}
