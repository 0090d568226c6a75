//! The document that a run begins with.

use serde_json::{Map, Value};

use super::{
    document::RunDocument,
    draft::{Draft, Effects},
    graph::Graph,
    ledger::{Closing, Head, Parent, RunStatus},
    outcome::{ContextWrite, Continuation},
    time::Timestamp,
};
use crate::blueprint::{NodeId, RunId};

/// The document that a run begins with, and what must be enqueued.
pub fn start(
    graph: &Graph,
    run: &RunId,
    input: Map<String, Value>,
    parent: Option<Parent>,
    now: Timestamp,
) -> (RunDocument, Effects) {
    let blueprint = graph.blueprint();
    let head = Head {
        blueprint_id: blueprint.id.clone(),
        blueprint_version: blueprint.version().map(str::to_owned),
        blueprint_hash: graph.fingerprint().to_owned(),
        rev: 1,
        status: RunStatus::Running,
        closed: Closing::Open,
        parent,
        started_at: now,
        status_version: None,
        finished_at: None,
        awaited: 0,
        past_failures: Vec::new(),
        warnings: Vec::new(),
        commit: String::new(),
    };
    let mut draft = Draft::new(graph, run, RunDocument::new(head), now);
    draft.write_context(
        input.into_iter().map(|(key, value)| ContextWrite::Set(key, value)).collect(),
    );
    // An output that the input brings along does not make its node completed. A generation of its
    // own tells it from one that a JavaScript worker stored.
    let brought: Vec<NodeId> = graph
        .definitions()
        .filter(|node| draft.document.output(&node.id).is_some())
        .map(|node| node.id.clone())
        .collect();
    for node in &brought {
        draft.update(node, |entry| entry.generation = 1);
    }
    for node in graph.starts() {
        draft.make_ready(node);
    }
    draft.settle_status();
    draft.enqueue_ready(Continuation::Enqueue);
    let effects = std::mem::take(&mut draft.effects);
    (draft.into_parts().0, effects)
}
