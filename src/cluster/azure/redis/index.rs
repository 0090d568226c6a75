//! The sorted set of the lease keys that our workers hold: a hint for those who list leases.
//!
//! Nobody waits for it. Changes are gathered for a moment and sent together, and a lease that is
//! taken and given back within that moment costs nothing here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::lane::{Lane, Repeat};
use crate::{
    cluster::{Clock as _, SystemClock, meter::carried_as_overhead},
    engine::Timestamp,
};

/// The key of the index: lease keys by when they end, in milliseconds since 1970.
pub(super) const LOCKS: &str = "flowcraft:locks";

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(250);

/// How many changes go into one command.
const CHUNK: usize = 500;

/// How often leases that ended long ago are swept out, if somebody takes leases.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How long after its end a lease may stay: more than clocks differ.
const SWEEP_AFTER: Duration = Duration::from_secs(3600);

/// How long the index outlives the last change.
const LIFE: Duration = Duration::from_secs(2 * 3600);

/// Changes to the index that are still to be sent.
#[derive(Default)]
pub(super) struct Index(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    changes: BTreeMap<String, Change>,
    /// Whether somebody will send them.
    scheduled: bool,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It ends then. `fresh` if it can't be in the index yet.
    Put { ends: Timestamp, fresh: bool },
    /// It is gone.
    Remove,
}

impl Pending {
    fn put(&mut self, key: &str, ends: Timestamp, taken: bool) {
        let fresh = match self.changes.get(key) {
            None => taken,
            Some(Change::Put { fresh, .. }) => *fresh,
            Some(Change::Remove) => false,
        };
        self.changes.insert(key.to_owned(), Change::Put { ends, fresh });
    }

    fn remove(&mut self, key: &str) {
        if let Some(Change::Put { fresh: true, .. }) = self.changes.get(key) {
            self.changes.remove(key);
        } else {
            self.changes.insert(key.to_owned(), Change::Remove);
        }
    }
}

impl Index {
    /// Takes note that a lease was taken.
    pub(super) fn taken(self: &Arc<Self>, lane: &Arc<Lane>, key: &str, ends: Timestamp) {
        self.change(lane, |pending| pending.put(key, ends, true));
    }

    /// Takes note that a lease was extended.
    pub(super) fn extended(self: &Arc<Self>, lane: &Arc<Lane>, key: &str, ends: Timestamp) {
        self.change(lane, |pending| pending.put(key, ends, false));
    }

    /// Takes note that a lease is gone.
    pub(super) fn gone(self: &Arc<Self>, lane: &Arc<Lane>, key: &str) {
        self.change(lane, |pending| pending.remove(key));
    }

    fn change(self: &Arc<Self>, lane: &Arc<Lane>, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pending);
        if !pending.scheduled && !pending.changes.is_empty() {
            pending.scheduled = true;
            let (index, lane) = (self.clone(), lane.clone());
            tokio::spawn(carried_as_overhead(async move {
                tokio::time::sleep(GATHER).await;
                index.send(&lane).await;
            }));
        }
    }

    /// Sends what there is to send. Changes that can't be sent are forgotten: the next extension
    /// of a lease puts it in again.
    pub(super) async fn send(&self, lane: &Lane) {
        let (changes, sweep) = {
            let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            pending.scheduled = false;
            let changes = std::mem::take(&mut pending.changes);
            let sweep = pending.swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY);
            if sweep && !changes.is_empty() {
                pending.swept = Some(Instant::now());
            }
            (changes, sweep)
        };
        if changes.is_empty() {
            return;
        }
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for (key, change) in &changes {
            match change {
                Change::Put { ends, .. } => put.push((ends.millis(), key.as_str())),
                Change::Remove => removed.push(key.as_str()),
            }
        }
        let mut commands: Vec<_> = put
            .chunks(CHUNK)
            .map(|chunk| {
                let mut command = redis::cmd("ZADD");
                command.arg(LOCKS).arg(chunk);
                command
            })
            .collect();
        commands.extend(removed.chunks(CHUNK).map(removal));
        if sweep {
            let before = SystemClock.now().millis() - millis(SWEEP_AFTER);
            let mut command = redis::cmd("ZREMRANGEBYSCORE");
            command.arg(LOCKS).arg("-inf").arg(before);
            commands.push(command);
            let mut command = redis::cmd("PEXPIRE");
            command.arg(LOCKS).arg(millis(LIFE));
            commands.push(command);
        }
        let sent = commands.iter().map(|command| lane.send::<i64>(command, Repeat::Safe));
        for result in futures::future::join_all(sent).await {
            if let Err(trouble) = result {
                tracing::debug!(detail = trouble.detail, "the index of leases was not kept up");
            }
        }
    }
}

/// The command that takes lease keys out of the index.
pub(super) fn removal(keys: &[&str]) -> redis::Cmd {
    let mut command = redis::cmd("ZREM");
    command.arg(LOCKS).arg(keys);
    command
}

/// A duration as Redis takes it: whole milliseconds, at least one.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).clamp(1, i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_millis(7);

    #[test]
    fn a_lease_taken_and_given_back_at_once_costs_nothing() {
        let mut pending = Pending::default();
        pending.put("a", END, true);
        pending.put("a", END, false);
        pending.remove("a");
        assert!(pending.changes.is_empty());
    }

    #[test]
    fn a_lease_that_may_be_in_the_index_is_taken_out() {
        let mut pending = Pending::default();
        pending.put("extended", END, false);
        pending.remove("extended");
        pending.remove("older");
        pending.put("older", END, true);
        pending.remove("older");
        let changes: Vec<_> = pending.changes.into_iter().collect();
        assert_eq!(
            changes,
            [("extended".to_owned(), Change::Remove), ("older".to_owned(), Change::Remove)]
        );
    }
}
