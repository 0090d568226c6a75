//! The parts of a snapshot that are recorded alike: each as a JSON object, of which only the members
//! that changed are written. Runs and the run that is looked at have ways of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    engine::Timestamp,
    monitor::{Snapshot, SourceState, Sourced},
};

/// The members of a JSON object.
pub(super) type Members = Map<String, Value>;

/// How a source is, when it last answered, and what it gave, if that is an object.
pub(super) type Given = (SourceState, Option<Timestamp>, Option<Members>);

/// A part of a snapshot.
pub(super) struct Part {
    /// Its member in a line, which is its name in the snapshot.
    pub(super) name: &'static str,
    /// Whether it is the same in both.
    pub(super) is_same: fn(&Snapshot, &Snapshot) -> bool,
    /// Reads it off a snapshot.
    pub(super) read: fn(&Snapshot) -> Given,
    /// Puts it into a snapshot.
    pub(super) show: fn(&mut Snapshot, &Seen) -> serde_json::Result<()>,
    /// Puts into a snapshot only how its source is.
    pub(super) restate: fn(&mut Snapshot, &Seen),
    /// Takes it over from one snapshot into another.
    pub(super) copy: fn(&mut Snapshot, &Snapshot),
}

macro_rules! part {
    ($member:ident) => {
        Part {
            name: stringify!($member),
            is_same: |a, b| {
                Arc::ptr_eq(&a.$member.data, &b.$member.data)
                    && a.$member.state == b.$member.state
                    && a.$member.updated_at == b.$member.updated_at
            },
            read: |snapshot| read(&snapshot.$member),
            show: |snapshot, seen| {
                snapshot.$member = seen.sourced()?;
                Ok(())
            },
            restate: |snapshot, seen| {
                snapshot.$member.state = seen.state.clone();
                snapshot.$member.updated_at = seen.at;
            },
            copy: |to, from| to.$member = from.$member.clone(),
        }
    };
}

/// All of them. A new part of the snapshot needs a line here, and `Serialize`, `Deserialize` and
/// `Default` on its data, which must be a struct.
pub(super) static PARTS: [Part; 4] = [part!(queue), part!(locks), part!(workers), part!(warnings)];

fn read<T: Serialize>(part: &Sourced<T>) -> Given {
    let data = match serde_json::to_value(&*part.data) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    };
    (part.state.clone(), part.updated_at, data)
}

/// A part as it was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) state: SourceState,
    pub(super) at: Option<Timestamp>,
    pub(super) data: Arc<Members>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { state: SourceState::Loading, at: None, data: Arc::default() }
    }
}

impl Seen {
    fn sourced<T: DeserializeOwned + Default>(&self) -> serde_json::Result<Sourced<T>> {
        let data = if self.data.is_empty() {
            T::default()
        } else {
            serde_json::from_value(Value::Object((*self.data).clone()))?
        };
        Ok(Sourced {
            data: Arc::new(data),
            state: self.state.clone(),
            updated_at: self.at,
            slow: None,
        })
    }

    /// Takes a line's part in.
    pub(super) fn take(&mut self, written: WrittenPart) {
        if let Some(state) = written.state {
            self.state = state;
        }
        if written.at.is_some() {
            self.at = written.at;
        }
        if let Some(data) = written.data {
            self.data = Arc::new(data);
        }
        if let Some(set) = written.set {
            Arc::make_mut(&mut self.data).extend(set);
        }
        if let Some(pushed) = written.pushed
            && let Some(Value::Array(history)) = Arc::make_mut(&mut self.data).get_mut(HISTORY)
        {
            history.extend(pushed.into_iter().map(Value::from));
            let excess = history.len().saturating_sub(crate::monitor::QueueView::HISTORY);
            history.drain(..excess);
        }
    }
}

/// A part in a line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WrittenPart {
    /// When its source last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    /// How its source is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<SourceState>,
    /// All that it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Members>,
    /// What changed of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<Members>,
    /// Depths that were added to the queue's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pushed: Option<Vec<u64>>,
}

/// The member that grows at its end: the depths of the queue.
const HISTORY: &str = "history";

/// The most depths that are written as added ones.
const PUSHED: usize = 16;

impl WrittenPart {
    /// What turns `before` into `after`; `state` and `at` likewise. Nothing if they are the same.
    pub(super) fn between(before: &Seen, after: &Seen) -> Option<Self> {
        let mut written = Self {
            at: after.at.filter(|_| before.at != after.at),
            state: Some(&after.state).filter(|state| **state != before.state).cloned(),
            ..Self::default()
        };
        if !Arc::ptr_eq(&before.data, &after.data) {
            if before.data.keys().any(|name| !after.data.contains_key(name)) {
                written.data = Some((*after.data).clone());
            } else {
                let changed = after
                    .data
                    .iter()
                    .filter(|(name, value)| before.data.get(*name) != Some(*value));
                let mut set: Members =
                    changed.map(|(name, value)| (name.clone(), value.clone())).collect();
                if set.contains_key(HISTORY)
                    && let Some(pushed) = pushed(before.data.get(HISTORY), after.data.get(HISTORY))
                {
                    set.remove(HISTORY);
                    written.pushed = Some(pushed);
                }
                written.set = Some(set).filter(|set| !set.is_empty());
            }
        }
        let Self { at, state, data, set, pushed } = &written;
        let any =
            at.is_some() || state.is_some() || data.is_some() || set.is_some() || pushed.is_some();
        any.then_some(written)
    }

    /// All of it.
    pub(super) fn whole(seen: &Seen) -> Self {
        Self {
            at: seen.at,
            state: Some(seen.state.clone()),
            data: Some((*seen.data).clone()),
            ..Self::default()
        }
    }
}

/// The depths at the end of a history, if it is else the other one.
fn pushed(before: Option<&Value>, after: Option<&Value>) -> Option<Vec<u64>> {
    let (before, after) = (before?.as_array()?, after?.as_array()?);
    let added = (1..=PUSHED.min(after.len())).find(|added| {
        let kept = after.len() - added;
        // The reader drops what is more than a history holds, and nothing else.
        let dropped = (before.len() + added).saturating_sub(crate::monitor::QueueView::HISTORY);
        before.len() - dropped.min(before.len()) == kept
            && before[before.len() - kept..] == after[..kept]
    })?;
    after[after.len() - added..].iter().map(Value::as_u64).collect()
}

/// Leaves out the largest pieces of a part until it is as small as it must be.
pub(super) fn shrink(members: &mut Members, limit: usize) {
    for _ in 0..64 {
        if size(&*members) <= limit {
            return;
        }
        let Some((_, largest)) = members.iter_mut().max_by_key(|(_, value)| size(*value)) else {
            return;
        };
        match largest {
            Value::Array(items) if items.len() > 1 => items.truncate(items.len() / 2),
            Value::Object(inner) => {
                let note = format!("left out of the recording: {} bytes", size(&*inner));
                *inner = Members::from_iter([("…".to_owned(), note.into())]);
            }
            Value::Array(items) => items.clear(),
            // Texts were cut already, and numbers are small.
            _ => return,
        }
    }
}

/// How many bytes something has as JSON.
pub(super) fn size(value: &impl Serialize) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // What can't be written has no size.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use serde_json::json;

    use super::*;

    fn seen(data: &Value) -> Seen {
        let data = Arc::new(data.as_object().unwrap().clone());
        Seen { state: SourceState::Live, at: Some(Timestamp::from_seconds(1)), data }
    }

    #[test]
    fn only_what_changed_is_written() {
        let (a, b) = (seen(&json!({"x": 1, "y": [1, 2]})), seen(&json!({"x": 2, "y": [1, 2]})));
        let written = WrittenPart::between(&a, &b).unwrap();
        assert_eq!(serde_json::to_value(&written).unwrap(), json!({"set": {"x": 2}}));
        assert!(WrittenPart::between(&a, &a.clone()).is_none());
        let mut read = a;
        read.take(written);
        assert_eq!(read.data, b.data);
    }

    #[test]
    fn a_history_that_grows_is_written_by_what_was_added() {
        let full: Vec<u64> = (0..120).collect();
        let cases = [
            (vec![], vec![5], Some(vec![5])),
            (vec![1, 2], vec![1, 2, 3, 4], Some(vec![3, 4])),
            (full.clone(), (2..122).collect(), Some(vec![120, 121])),
            (vec![1, 2, 3], vec![9], None),
        ];
        for (before, after, added) in cases {
            let (a, b) = (seen(&json!({"history": before})), seen(&json!({"history": after})));
            let written = WrittenPart::between(&a, &b).unwrap();
            assert_eq!(written.pushed, added, "{before:?} {after:?}");
            let mut read = a;
            read.take(written);
            assert_eq!(read.data, b.data);
        }
    }

    #[test]
    fn what_is_too_large_loses_its_largest_pieces_first() {
        let big: Vec<u64> = (0..10_000).collect();
        let mut members =
            json!({"small": "kept", "list": big, "outputs": {"a": "x".repeat(50_000)}})
                .as_object()
                .unwrap()
                .clone();
        shrink(&mut members, 5_000);
        assert!(size(&members) <= 5_000);
        assert_eq!(members["small"], "kept");
        assert!(members["list"].as_array().unwrap().len() > 100);
        let note = members["outputs"]["…"].as_str().unwrap();
        assert!(note.starts_with("left out of the recording: 5"), "{note}");
    }
}
