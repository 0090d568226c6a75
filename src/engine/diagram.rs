//! A run as a Mermaid diagram.

use super::{
    document::RunDocument,
    ledger::{NodeState, StandInOutcome},
};
use crate::blueprint::{Blueprint, Mark, NodeId, Progress, mermaid_with};

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
            routes: router.routes.iter().map(NodeId::as_str).collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        blueprint::sanitize,
        engine::{Entry, Head, Op, StandIn},
    };

    #[test]
    fn states_become_colours_and_a_fallback_takes_the_edges_it_inherits() {
        let blueprint = sanitize(json!({
            "id": "b",
            "nodes": [
                { "id": "a", "uses": "x", "config": { "fallback": "f" } },
                { "id": "f", "uses": "x" },
                { "id": "c", "uses": "x" },
                { "id": "d", "uses": "x" },
                { "id": "e", "uses": "x" },
            ],
            "edges": [
                { "source": "a", "target": "c" },
                { "source": "a", "target": "d", "action": "other" },
            ],
        }))
        .unwrap();
        let head: Head = serde_json::from_value(json!({
            "blueprintId": "b", "rev": 1, "status": "running", "startedAt": 0,
        }))
        .unwrap();
        let mut document = RunDocument::new(head);
        let mut enter = |id: &str, entry: Entry| {
            document.apply(&Op::Node(id.into(), Arc::new(entry)));
        };
        let stand_in = StandIn { node: "f".into(), outcome: StandInOutcome::Completed };
        enter(
            "a",
            Entry { state: NodeState::Failed, fallback: Some(stand_in), ..Entry::default() },
        );
        let routes = vec!["c".into()];
        enter("f", Entry { state: NodeState::Completed, routes, ..Entry::default() });
        enter("c", Entry { state: NodeState::Awaiting, ..Entry::default() });
        enter("d", Entry { state: NodeState::Skipped, ..Entry::default() });
        enter("e", Entry::default());
        let text = run_diagram(&blueprint, &document);
        let lines: Vec<&str> = text.lines().skip(6).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "style a fill:#f8d7da,stroke:#f5c6cb",
                "style f fill:#d4edda,stroke:#c3e6cb",
                "style c fill:#fff3cd,stroke:#ffeeba",
                "style d fill:#e2e3e5,stroke:#d6d8db,stroke-dasharray:4",
                "a --> c",
                "linkStyle 0 stroke:#007bff,stroke-width:3px",
                "a -- \"other\" --> d",
            ]
        );
    }
}
