//! Putting back commits that a neighbour has written over: JavaScript workers replace whole items
//! without a precondition.

use std::sync::Arc;

use crate::engine::{Op, RunDocument};

/// The document with our ledger and values put back over what the neighbour left, and the
/// operations for that. Keys that only the neighbour has stay.
pub(crate) fn restore(ours: &RunDocument, theirs: &RunDocument) -> (RunDocument, Vec<Op>) {
    let mut ops: Vec<Op> = Vec::new();
    for (key, value) in ours.context() {
        if theirs.get(key) != Some(value) {
            ops.push(Op::Set(key.clone(), value.clone()));
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
        let (after, ops) = restore(&ours, &theirs);
        assert_eq!(after.output("a").map(|value| (**value).clone()), Some(json!(1)));
        assert_eq!(after.output("js").map(|value| (**value).clone()), Some(json!(2)));
        assert_eq!(after.get("k").map(|value| (**value).clone()), Some(json!("new")));
        assert!(after.entry("a").is_some());
        assert_eq!(after.head().rev, 8);
        assert_eq!(ops.len(), 4);
    }
}
