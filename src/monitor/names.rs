//! Names that many runs have in common, held once.

use std::collections::HashSet;

use crate::{
    blueprint::{BlueprintId, RunId, WorkerName},
    cluster::StatusItem,
};

/// How many names of a kind are kept. A cluster with more of them goes without sharing for a while.
const LIMIT: usize = 10_000;

/// The names seen so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    blueprints: HashSet<BlueprintId>,
    workers: HashSet<WorkerName>,
}

impl Names {
    /// Has an item share its names with those before it, and drops what no list shows. What is its
    /// own is copied: kept where it was read, it would keep the memory around it from being used
    /// again.
    pub(super) fn slim(&mut self, mut item: StatusItem) -> StatusItem {
        item.final_status = None;
        item.run_id = RunId::from(item.run_id.as_str());
        item.parent_run_id = item.parent_run_id.map(|parent| RunId::from(parent.as_str()));
        item.error = item.error.map(|error| error.as_str().to_owned());
        if let Some(id) = &mut item.blueprint_id {
            share(&mut self.blueprints, id);
        }
        if let Some(name) = &mut item.worker {
            share(&mut self.workers, name);
        }
        item
    }
}

fn share<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<T>, name: &mut T) {
    if let Some(same) = known.get(name) {
        name.clone_from(same);
        return;
    }
    if known.len() >= LIMIT {
        known.clear();
    }
    known.insert(name.clone());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;
    use crate::engine::{RunStatus, Timestamp};

    fn item(blueprint: &str) -> StatusItem {
        StatusItem {
            run_id: "r".into(),
            status: Some(RunStatus::Failed),
            last_updated: Timestamp::default(),
            blueprint_id: Some(blueprint.into()),
            started_at: None,
            nodes: None,
            error: Some("disk full".to_owned()),
            parent_run_id: None,
            next_due_at: None,
            worker: Some("w".into()),
            final_status: Some(Box::new(serde_json::json!({"status": "failed"}))),
            remarks: crate::cluster::Remarks::default(),
        }
    }

    #[test]
    fn runs_of_one_blueprint_share_its_name() {
        let mut names = Names::default();
        let (first, second) = (names.slim(item("order")), names.slim(item("order")));
        let (one, two) = (first.blueprint_id.unwrap(), second.blueprint_id.unwrap());
        assert!(std::ptr::eq(one.as_str(), two.as_str()));
        assert_eq!((second.error.as_deref(), second.final_status), (Some("disk full"), None));
        let other = names.slim(item("bill"));
        assert_eq!(other.blueprint_id.as_deref(), Some("bill"));
    }

    #[test]
    fn the_names_kept_are_bounded() {
        let mut names = Names::default();
        for at in 0..LIMIT + 5 {
            names.slim(item(&at.to_string()));
        }
        assert!(names.blueprints.len() <= LIMIT);
    }
}
