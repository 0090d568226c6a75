//! The runs that a run's subflows started, as far as its ledger tells.

use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{NodeId, RunId},
    engine::{Awaits, Entry, RunDocument, RunStatus, child_run_id},
};

/// The most child runs that are named of one node: the latest.
const OF_A_NODE: usize = 50;

/// A run that a node started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRun {
    /// The node.
    pub node: NodeId,
    /// The run.
    pub run: RunId,
    /// Its status, as far as the parent heard of it; of one that is over, its own status item knows
    /// more.
    pub status: Option<RunStatus>,
    /// Whether there surely is such a run. Of an earlier iteration the ledger does not say whether
    /// it got as far.
    pub certain: bool,
}

/// The child runs of a run, the latest of each node first.
pub(super) fn children(run: &RunId, document: &RunDocument) -> Vec<ChildRun> {
    document.entries().flat_map(|(node, entry)| of_node(run, node, entry)).collect()
}

fn of_node(run: &RunId, node: &NodeId, entry: &Entry) -> Vec<ChildRun> {
    let awaited = match &entry.awaits {
        Some(Awaits::Child { run, status }) => Some((run.clone(), *status)),
        _ => None,
    };
    let mut children: Vec<ChildRun> = awaited
        .into_iter()
        .map(|(run, status)| ChildRun {
            node: node.clone(),
            run,
            status: Some(status),
            certain: true,
        })
        .collect();
    if entry.children == 0 {
        return children;
    }
    let earlier = (1..entry.iteration).rev().map(|iteration| (iteration, 1));
    let numbers = (1..=entry.children).rev().map(|child| (entry.iteration, child));
    for (iteration, child) in numbers.chain(earlier) {
        if children.len() >= OF_A_NODE {
            break;
        }
        let numbered = Entry { iteration, children: child, ..Entry::default() };
        let id = child_run_id(run, node, &numbered);
        if children.iter().all(|known| known.run != id) {
            children.push(ChildRun {
                node: node.clone(),
                run: id,
                status: None,
                certain: iteration == entry.iteration,
            });
        }
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(entry: &Entry) -> Vec<(String, bool)> {
        let children = of_node(&"r".into(), &"n".into(), entry);
        children.into_iter().map(|child| (child.run.to_string(), child.certain)).collect()
    }

    #[test]
    fn the_latest_child_comes_first_and_no_node_names_too_many() {
        assert_eq!(ids(&Entry::default()), []);
        let once = Entry { children: 1, ..Entry::default() };
        assert_eq!(ids(&once), [("r.n".to_owned(), true)]);
        let again = Entry { children: 2, iteration: 3, ..Entry::default() };
        let expected = [("r.n.3.2", true), ("r.n.3.1", true), ("r.n.2.1", false), ("r.n", false)];
        assert_eq!(ids(&again), expected.map(|(id, certain)| (id.to_owned(), certain)));
        let often = Entry { children: 1, iteration: u32::MAX, ..Entry::default() };
        assert_eq!(ids(&often).len(), OF_A_NODE);
    }

    #[test]
    fn the_child_that_is_waited_for_is_named_once_with_its_status() {
        let waits = Entry {
            children: 1,
            awaits: Some(Awaits::Child { run: "r.n".into(), status: RunStatus::Awaiting }),
            ..Entry::default()
        };
        let children = of_node(&"r".into(), &"n".into(), &waits);
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].status, Some(RunStatus::Awaiting));
    }
}
