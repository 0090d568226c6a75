//! When the attempts at a node ran: kept for those who look at a run, and nothing else.

use serde::{Deserialize, Serialize};

use super::{
    ledger::{Entry, NodeState},
    time::Timestamp,
};

/// An attempt that ended: an array on the wire, since there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, Timestamp, Timestamp, bool)", into = "(u32, Timestamp, Timestamp, bool)")]
pub struct Try {
    /// The iteration that it belongs to.
    pub iteration: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether it failed.
    pub failed: bool,
}

impl From<(u32, Timestamp, Timestamp, bool)> for Try {
    fn from((iteration, started_at, ended_at, failed): (u32, Timestamp, Timestamp, bool)) -> Self {
        Self { iteration, started_at, ended_at, failed }
    }
}

impl From<Try> for (u32, Timestamp, Timestamp, bool) {
    fn from(tried: Try) -> Self {
        (tried.iteration, tried.started_at, tried.ended_at, tried.failed)
    }
}

impl Entry {
    /// How many attempts are remembered.
    pub const TRIES: usize = 10;

    /// Takes attempts down that ended. A single one that went well at once is told by the entry's
    /// own times.
    pub(super) fn remember(&mut self, tries: impl IntoIterator<Item = Try>) {
        let mut tries: Vec<Try> = tries.into_iter().collect();
        if self.tries.is_empty() && tries.iter().all(|tried| !tried.failed) {
            return;
        }
        self.tries.append(&mut tries);
        let old = self.tries.len().saturating_sub(Self::TRIES);
        self.tries.drain(..old);
    }

    /// The attempts to carry over to the next iteration or generation: the last one among them.
    pub(super) fn tries_so_far(&self) -> Vec<Try> {
        let mut tries = self.tries.clone();
        let is_there = |started_at| {
            let of_this = |tried: &&Try| tried.iteration == self.iteration;
            tries.iter().rfind(of_this).is_some_and(|tried| tried.ended_at >= started_at)
        };
        if let (Some(started_at), Some(ended_at)) = (self.started_at, self.finished_at)
            && !is_there(started_at)
        {
            let failed = self.state == NodeState::Failed;
            tries.push(Try { iteration: self.iteration, started_at, ended_at, failed });
        }
        let old = tries.len().saturating_sub(Self::TRIES);
        tries.split_off(old)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn tried(iteration: u32, from: i64, to: i64, failed: bool) -> Try {
        let (started_at, ended_at) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        Try { iteration, started_at, ended_at, failed }
    }

    #[test]
    fn an_attempt_that_goes_well_at_once_leaves_the_entry_as_it_was() {
        let mut entry = Entry::default();
        let before = serde_json::to_value(&entry).unwrap();
        entry.remember([tried(1, 5, 9, false)]);
        assert_eq!(serde_json::to_value(&entry).unwrap(), before);
        assert!(before.get("tries").is_none());
    }

    #[test]
    fn failed_attempts_are_remembered_with_those_that_follow_the_last_ten() {
        let mut entry = Entry::default();
        entry.remember([tried(1, 0, 5, true)]);
        entry.remember([tried(1, 7, 9, false)]);
        let value = serde_json::to_value(&entry).unwrap();
        assert_eq!(value["tries"], json!([[1, 0, 5, true], [1, 7, 9, false]]));
        let again: Entry = serde_json::from_value(value).unwrap();
        assert_eq!(again, entry);
        entry.remember((10..30).map(|at| tried(1, at, at + 1, true)));
        assert_eq!(entry.tries.len(), Entry::TRIES);
        assert_eq!(entry.tries[9], tried(1, 29, 30, true));
    }

    #[test]
    fn the_next_iteration_keeps_the_times_of_the_one_before() {
        let times =
            |from, to| (Some(Timestamp::from_millis(from)), Some(Timestamp::from_millis(to)));
        let (started_at, finished_at) = times(5, 9);
        let first =
            Entry { state: NodeState::Completed, started_at, finished_at, ..Entry::default() };
        assert_eq!(first.tries_so_far(), [tried(1, 5, 9, false)]);
        // Its last attempt is among those that were remembered already.
        let mut retried = Entry { started_at: times(0, 0).0, ..first.clone() };
        retried.remember([tried(1, 0, 4, true), tried(1, 5, 9, false)]);
        assert_eq!(retried.tries_so_far(), retried.tries);
        let second = Entry { iteration: 2, tries: first.tries_so_far(), ..first };
        assert_eq!(second.tries_so_far().len(), 2);
    }

    #[test]
    fn older_documents_are_read() {
        let old: Entry =
            serde_json::from_value(json!({ "state": "completed", "iteration": 1 })).unwrap();
        assert_eq!(old.tries, []);
        assert_eq!(serde_json::to_value(old).unwrap().get("tries"), None::<&Value>);
    }
}
