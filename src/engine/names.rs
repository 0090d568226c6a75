//! The names that conditions, transforms and nodes see.

use serde_json::{Map, Value};

use super::{
    document::{OUTPUTS, RunDocument},
    ledger::NodeState,
};

/// Keys that a run in one process does not have.
const DISTRIBUTED_ONLY: [&str; 3] = ["_catch_error", "_resume.action", "_resume.output"];

/// The value of a name: the output of the node with that id if it has one, else the context key.
pub(crate) fn lookup<'a>(document: &'a RunDocument, name: &str) -> Option<&'a Value> {
    own_output(document, name).or_else(|| document.get(name).map(|value| &**value))
}

/// A node's output, unless the run's input brought it along and the node has not run.
fn own_output<'a>(document: &'a RunDocument, node: &str) -> Option<&'a Value> {
    let brought_along = document.entry(node).is_some_and(|entry| {
        entry.generation > 0
            && entry.iteration == 1
            && !matches!(entry.state, NodeState::Completed | NodeState::Failed)
    });
    document.output(node).filter(|_| !brought_along).map(|value| &**value)
}

/// The outputs so far, by node id.
pub(crate) fn outputs(document: &RunDocument) -> Map<String, Value> {
    document
        .context()
        .filter_map(|(key, value)| Some((key.strip_prefix(OUTPUTS)?.to_owned(), (**value).clone())))
        .collect()
}

/// The user's own keys: none that begins with `_`, no batch bookkeeping, and none that a node's
/// output hides.
pub(crate) fn user_context(document: &RunDocument) -> Map<String, Value> {
    document
        .context()
        .filter(|(key, _)| is_user_key(document, key))
        .map(|(key, value)| (key.to_string(), (**value).clone()))
        .collect()
}

/// Whether a key is one of the user's own.
pub(crate) fn is_user_key(document: &RunDocument, key: &str) -> bool {
    !key.starts_with('_') && own_output(document, key).is_none() && !is_bookkeeping(document, key)
}

/// Whether a key belongs to a batch: `X_currentIndex` of a scatter, `X_hasMore` and
/// `X_allWorkerIds` of a gather.
fn is_bookkeeping(document: &RunDocument, key: &str) -> bool {
    ["_currentIndex", "_hasMore", "_allWorkerIds"]
        .iter()
        .filter_map(|suffix| key.strip_suffix(suffix))
        .any(|node| document.is_batch_node(node))
}

/// The whole context as a run in one process has it: every key, and every output under its bare id.
pub(crate) fn in_process(document: &RunDocument) -> Map<String, Value> {
    let mut context: Map<String, Value> = document
        .context()
        .filter(|(key, _)| !DISTRIBUTED_ONLY.contains(&&***key))
        .map(|(key, value)| (key.to_string(), (**value).clone()))
        .collect();
    for (node, entry) in document.entries() {
        if let Some(source) = &entry.input_from
            && let Some(value) = document.output(source)
        {
            context.insert(super::document::input_key(node), (**value).clone());
        }
    }
    let outputs: Vec<_> = outputs(document)
        .into_iter()
        .filter(|(node, _)| own_output(document, node).is_some())
        .collect();
    context.extend(outputs);
    context
}
