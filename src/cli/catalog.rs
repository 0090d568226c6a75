//! The loaded blueprints as the dashboard lists them.

use std::sync::Arc;

use tokio::sync::watch;

use super::context::is_missing;
use crate::{
    blueprint::{Blueprint, BlueprintId, Issue, Library, LibraryState},
    tui::{CatalogEntry, Finding, FindingSeverity},
};

/// The blueprints of a library, kept up until nobody looks any more.
pub(super) fn follow(library: &Library) -> watch::Receiver<Arc<[CatalogEntry]>> {
    let mut states = library.subscribe();
    let first = entries(&states.borrow_and_update());
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
            let state = states.borrow_and_update().clone();
            for error in state.errors().iter().filter(|error| !is_missing(error)) {
                tracing::warn!(%error, "a blueprint is left out");
            }
            sender.send_replace(entries(&state));
        }
    });
    receiver
}

fn entries(state: &LibraryState) -> Arc<[CatalogEntry]> {
    let entry = |(id, blueprint): (&BlueprintId, &Arc<Blueprint>)| {
        let mut findings: Vec<Finding> = state.issues(id).iter().map(finding).collect();
        findings.sort_by_key(|finding| finding.severity != FindingSeverity::Error);
        CatalogEntry {
            blueprint: blueprint.clone(),
            source: state.file(id).map(|file| file.display().to_string()).unwrap_or_default(),
            findings,
        }
    };
    state.blueprints().iter().map(entry).collect()
}

fn finding(issue: &Issue) -> Finding {
    let severity = if issue.is_error() { FindingSeverity::Error } else { FindingSeverity::Warning };
    let text = match &issue.node_id {
        Some(node) => format!("{node}: {} ({})", issue.message, issue.code),
        None => format!("{} ({})", issue.message, issue.code),
    };
    Finding { severity, text }
}
