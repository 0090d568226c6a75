//! How time passes for the demo's nodes: as it does, or in the past, where it is only noted.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{blueprint::NodeId, cluster::Clock, engine::Timestamp};

/// How many times faster than in life nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speed(pub(super) u32);

/// How time passes for nodes.
#[derive(Clone)]
pub(super) enum Pace {
    /// They take their time.
    Real(Speed),
    /// They take none: the clock is put on.
    Past(Arc<Past>),
}

impl Pace {
    /// Real time.
    pub(super) fn real(speed: Speed) -> Self {
        Self::Real(speed)
    }

    /// Lets a node take its time.
    pub(super) async fn spend(&self, time: Duration, node: &NodeId) {
        match self {
            Self::Real(speed) => tokio::time::sleep(time / speed.0.max(1)).await,
            Self::Past(past) => past.spend(time, node).await,
        }
    }
}

/// A stretch of the past: its clock, and where its worker dies.
pub(super) struct Past {
    clock: Arc<PastClock>,
    dies_at: Option<NodeId>,
    died: AtomicBool,
    /// The nodes that are under way, those that end first at first.
    under_way: Mutex<BTreeSet<(Timestamp, u64)>>,
    turns: AtomicU64,
}

impl Past {
    /// A stretch in which the worker dies at a node, if one is given.
    pub(super) fn new(clock: Arc<PastClock>, dies_at: Option<&str>) -> Self {
        Self {
            clock,
            dies_at: dies_at.map(NodeId::from),
            died: AtomicBool::new(false),
            under_way: Mutex::default(),
            turns: AtomicU64::new(0),
        }
    }

    /// Whether the worker has come to where it dies.
    pub(super) fn died(&self) -> bool {
        self.died.load(Ordering::Acquire)
    }

    async fn spend(&self, time: Duration, node: &NodeId) {
        if self.dies_at.as_ref() == Some(node) {
            self.died.store(true, Ordering::Release);
            std::future::pending::<()>().await;
        }
        let end = self.clock.now() + time;
        let turn = Turn::take(self, end);
        // Nodes that run beside this one begin before it ends, and those that end before it do so.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        while !turn.is_next() {
            tokio::task::yield_now().await;
        }
        self.clock.put_on_to(end);
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, u64)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node's place among those that are under way, given up when dropped.
struct Turn<'a> {
    past: &'a Past,
    place: (Timestamp, u64),
}

impl<'a> Turn<'a> {
    fn take(past: &'a Past, end: Timestamp) -> Self {
        let place = (end, past.turns.fetch_add(1, Ordering::Relaxed));
        past.under_way().insert(place);
        Self { past, place }
    }

    /// Whether no other node ends before this one.
    fn is_next(&self) -> bool {
        self.past.under_way().first() == Some(&self.place)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.past.under_way().remove(&self.place);
    }
}

/// A clock that stands still unless it is put on.
pub(super) struct PastClock(AtomicI64);

impl PastClock {
    pub(super) fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.millis()))
    }

    /// Shows this time, unless it shows a later one already.
    pub(super) fn put_on_to(&self, time: Timestamp) {
        self.0.fetch_max(time.millis(), Ordering::AcqRel);
    }

    /// Shows a later time.
    pub(super) fn put_on(&self, by: Duration) {
        self.put_on_to(self.now() + by);
    }
}

impl Clock for PastClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Acquire))
    }
}
