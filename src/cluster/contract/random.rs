//! Random documents and operations on them, from a seed.

use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Map, Value, json};

use crate::{
    blueprint::{NodeId, RunId},
    engine::{
        Awaits, Batch, Closing, DynamicNode, Entry, Head, NodeState, Op, Parent, RunDocument,
        RunStatus, StandIn, StandInOutcome, Timestamp,
    },
};

/// A head with nothing special about it.
pub(super) fn plain_head() -> Head {
    serde_json::from_value(json!({
        "blueprintId": "blueprint",
        "rev": 1,
        "status": "running",
        "startedAt": 1_700_000_000_000_i64,
    }))
    .unwrap()
}

/// A document without any key or node, to begin with.
pub fn empty_document() -> RunDocument {
    RunDocument::new(plain_head())
}

/// An operation that sets a context key.
pub(super) fn set(key: &str, value: Value) -> Op {
    Op::Set(Arc::from(key), Arc::new(value))
}

/// Applies operations to a copy.
pub(super) fn applied(document: &RunDocument, ops: &[Op]) -> RunDocument {
    let mut document = document.clone();
    for op in ops {
        document.apply(op);
    }
    document
}

/// Fails unless both documents hold the same.
#[track_caller]
pub(super) fn assert_same(left: &RunDocument, right: &RunDocument) {
    assert_eq!(left.head(), right.head());
    assert_eq!(left.context().collect::<Vec<_>>(), right.context().collect::<Vec<_>>());
    assert_eq!(left.entries().collect::<Vec<_>>(), right.entries().collect::<Vec<_>>());
    assert_eq!(left.size(), right.size());
    assert!(left.ready().eq(right.ready()));
    assert!(left.awaiting().eq(right.awaiting()));
}

/// Makes operations that often concern the same few keys and nodes.
pub(super) struct RandomOps(SmallRng, Numbers);

/// Which numbers random values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Any that JSON can hold.
    Any,
    /// Those that a service whose numbers are doubles gives back as they were written.
    AsJavaScriptWritesThem,
}

/// Up to here a double holds every integer.
const EXACT: i64 = 1 << 53;

const NAMES: [&str; 8] = ["a", "b", "_outputs.a", "_inputs.b", "é\0🦀", "", "a:b", "%_'\""];

impl RandomOps {
    pub(super) fn from_seed(seed: u64, numbers: Numbers) -> Self {
        Self(SmallRng::seed_from_u64(seed), numbers)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// The operations of one commit; there may be none, or several on one key.
    pub(super) fn commit(&mut self) -> Vec<Op> {
        (0..self.below(6)).map(|_| self.op()).collect()
    }

    fn op(&mut self) -> Op {
        match self.below(10) {
            0..=3 => Op::Set(Arc::from(self.name()), Arc::new(self.value(3))),
            4 => Op::Remove(Arc::from(self.name())),
            5..=7 => Op::Node(NodeId::from(self.name()), Arc::new(self.entry())),
            8 => Op::RemoveNode(NodeId::from(self.name())),
            _ => Op::Head(Arc::new(self.head())),
        }
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }

    fn node(&mut self) -> NodeId {
        NodeId::from(self.name())
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.0.random::<bool>()),
            number @ 2..=4 => self.number(number),
            5 => json!(format!("text {} {}", self.name(), self.below(100))),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(
                (0..self.below(4))
                    .map(|number| (format!("{number}{}", self.name()), self.value(depth - 1)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn number(&mut self, kind: usize) -> Value {
        match (self.1, kind) {
            (Numbers::Any, 2) => json!(self.0.random::<i64>()),
            (Numbers::Any, 3) => json!(self.0.random::<u64>()),
            (Numbers::Any, _) => json!(self.0.random::<f64>() * 1e20),
            (Numbers::AsJavaScriptWritesThem, 2) => json!(self.0.random_range(-EXACT..=EXACT)),
            (Numbers::AsJavaScriptWritesThem, 3) => json!(self.0.random_range(0..=EXACT)),
            // Never whole: JavaScript writes 1.0 as 1.
            (Numbers::AsJavaScriptWritesThem, _) => {
                json!(f64::from(self.0.random_range(1..i32::MAX)) + 0.3)
            }
        }
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0.random_range(0..4_000_000_000_000))
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.random::<bool>().then(|| make(self))
    }

    fn head(&mut self) -> Head {
        let statuses = [RunStatus::Running, RunStatus::Awaiting, RunStatus::Cancelled];
        Head {
            rev: self.0.random_range(1..=EXACT.unsigned_abs()),
            status: statuses[self.below(3)],
            closed: if self.below(2) == 0 { Closing::Open } else { Closing::Closed },
            parent: self.maybe(|r| Parent {
                run: RunId::from(r.name()),
                blueprint: r.name().into(),
                node: r.node(),
            }),
            finished_at: self.maybe(Self::time),
            past_failures: Vec::new(),
            warnings: (0..self.below(3)).map(|_| self.name().to_owned()).collect(),
            ..plain_head()
        }
    }

    fn entry(&mut self) -> Entry {
        let states = [NodeState::Ready, NodeState::Awaiting, NodeState::Completed];
        let waits = |r: &mut Self| match r.below(3) {
            0 => Awaits::Answer,
            1 => Awaits::Timer,
            _ => Awaits::Child { run: RunId::from(r.name()), status: RunStatus::Running },
        };
        Entry {
            state: states[self.below(3)],
            iteration: self.0.random_range(1..9),
            generation: self.0.random_range(0..3),
            routes: (0..self.below(3)).map(|_| self.node()).collect(),
            error: self.maybe(|r| r.name().to_owned()),
            due_at: self.maybe(Self::time),
            awaits: self.maybe(waits),
            fallback: self.maybe(|r| StandIn { node: r.node(), outcome: StandInOutcome::Failed }),
            dynamic: self.maybe(|r| DynamicNode {
                uses: r.name().to_owned(),
                params: Map::from_iter([("p".to_owned(), r.value(1))]),
                inputs: r.maybe(|r| json!({ "in": r.name() })),
                config: Map::new(),
                parent: r.node(),
                gather: r.maybe(Self::node),
            }),
            batch: self.maybe(|r| Batch::Gather { scatter: r.node() }),
            ..Entry::default()
        }
    }
}
