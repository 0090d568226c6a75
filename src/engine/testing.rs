//! What the engine's unit tests share.

use std::sync::Arc;

use serde_json::Value;

use super::{Closing, Head, Op, RunDocument, RunStatus, Timestamp};

/// A head for tests.
pub(crate) fn head() -> Head {
    Head {
        blueprint_id: "test".into(),
        blueprint_version: None,
        blueprint_hash: String::new(),
        rev: 1,
        status: RunStatus::Running,
        closed: Closing::Open,
        parent: None,
        started_at: Timestamp::default(),
        status_version: None,
        finished_at: None,
        awaited: 0,
        past_failures: Vec::new(),
        warnings: Vec::new(),
        commit: String::new(),
    }
}

/// A document with these context keys.
pub(crate) fn document_with(context: &[(&str, Value)]) -> RunDocument {
    let mut document = RunDocument::new(head());
    for (key, value) in context {
        document.apply(&Op::Set(Arc::from(*key), Arc::new(value.clone())));
    }
    document
}
