//! A run as a Mermaid diagram.

use super::{
    document::RunDocument,
    ledger::{NodeState, StandInOutcome},
};
use crate::blueprint::{Blueprint, Mark, Progress, mermaid_with};

/// The diagram of a blueprint with the state of a run: nodes coloured by where they stand, taken
/// edges highlighted.
pub fn run_diagram(blueprint: &Blueprint, document: &RunDocument) -> String {
    mermaid_with(blueprint, |id| {
        let Some(entry) = document.entry(id) else { return Progress::default() };
        let mark = match entry.state {
            NodeState::Pending => None,
            NodeState::Ready => Some(Mark::Ready),
            NodeState::Awaiting => Some(Mark::Awaiting),
            NodeState::Completed => Some(Mark::Completed),
            NodeState::Failed => Some(Mark::Failed),
            NodeState::Skipped => Some(Mark::Skipped),
        };
        // A fallback takes the edges of the node that it stands in for.
        let router = entry
            .fallback
            .as_ref()
            .filter(|stand_in| stand_in.outcome == StandInOutcome::Completed)
            .and_then(|stand_in| document.entry(&stand_in.node))
            .unwrap_or(entry);
        Progress {
            mark,
            action: router.action.as_deref(),
            routes: router.routes.iter().map(|id| id.as_str()).collect(),
        }
    })
}
