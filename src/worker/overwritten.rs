//! Putting back commits that a neighbour has written over: JavaScript workers replace whole items
//! without a precondition.

use std::sync::Arc;

use crate::engine::{OUTPUTS, Op, RunDocument};

/// The document with our ledger and values put back over what the neighbour left, and the
/// operations for that. `base` is ours as the neighbour found it, if that is remembered.
///
/// Keys that only the neighbour changed since then stay as it left them. Of those that both changed
/// ours count: the ledger has them as the result of a node that is done, and its routes were decided
/// by them, while the neighbour did not know of that. Without `base` everything counts as changed by
/// us. An output that is gone altogether was lost and not removed.
pub(crate) fn restore(
    base: Option<&RunDocument>,
    ours: &RunDocument,
    theirs: &RunDocument,
) -> (RunDocument, Vec<Op>) {
    let mut ops: Vec<Op> = Vec::new();
    for (key, value) in ours.context() {
        let changed = base.is_none_or(|base| base.get(key) != Some(value));
        let lost = theirs.get(key).is_none() && key.starts_with(OUTPUTS);
        if (changed || lost) && theirs.get(key) != Some(value) {
            ops.push(Op::Set(key.clone(), value.clone()));
        }
    }
    for (key, _) in base.into_iter().flat_map(RunDocument::context) {
        if ours.get(key).is_none() && theirs.get(key).is_some() {
            ops.push(Op::Remove(key.clone()));
        }
    }
    for (node, entry) in ours.entries() {
        if theirs.entry(node) != Some(entry) {
            ops.push(Op::Node(node.clone(), entry.clone()));
        }
    }
    for (node, _) in theirs.entries() {
        if ours.entry(node).is_none() {
            ops.push(Op::RemoveNode(node.clone()));
        }
    }
    let mut head = ours.head().clone();
    head.rev += 1;
    ops.push(Op::Head(Arc::new(head)));
    let mut after = theirs.clone();
    for op in &ops {
        after.apply(op);
    }
    (after, ops)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::testing::document_with;

    #[test]
    fn commits_come_back_and_the_neighbours_keys_stay() {
        let mut ours = document_with(&[("_outputs.a", json!(1)), ("k", json!("new"))]);
        ours.apply(&Op::Node("a".into(), Arc::default()));
        let mut head = ours.head().clone();
        head.rev = 7;
        ours.apply(&Op::Head(Arc::new(head)));
        let theirs = document_with(&[("k", json!("old")), ("_outputs.js", json!(2))]);
        let (after, ops) = restore(None, &ours, &theirs);
        assert_eq!(after.output("a").map(|value| (**value).clone()), Some(json!(1)));
        assert_eq!(after.output("js").map(|value| (**value).clone()), Some(json!(2)));
        assert_eq!(after.get("k").map(|value| (**value).clone()), Some(json!("new")));
        assert!(after.entry("a").is_some());
        assert_eq!(after.head().rev, 8);
        assert_eq!(ops.len(), 4);
    }

    #[test]
    fn only_what_we_changed_since_the_neighbour_read_is_put_back() {
        let base = document_with(&[
            ("kept", json!(1)),
            ("ours", json!(1)),
            ("both", json!(1)),
            ("removed", json!(1)),
            ("deleted", json!(1)),
            ("_outputs.a", json!(1)),
        ]);
        let mut ours = base.clone();
        for (key, value) in [("ours", 2), ("both", 2)] {
            ours.apply(&Op::Set(key.into(), Arc::new(json!(value))));
        }
        ours.apply(&Op::Remove("removed".into()));
        let theirs = document_with(&[
            ("kept", json!(3)),
            ("ours", json!(1)),
            ("both", json!(3)),
            ("removed", json!(1)),
        ]);
        let (after, _) = restore(Some(&base), &ours, &theirs);
        let found: Vec<(String, i64)> = after
            .context()
            .map(|(key, value)| (key.to_string(), value.as_i64().unwrap_or_default()))
            .collect();
        let expected = [("_outputs.a", 1), ("both", 2), ("kept", 3), ("ours", 2)]
            .map(|(k, v)| (k.to_owned(), v));
        assert_eq!(found, expected);
    }
}
