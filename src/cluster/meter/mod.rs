//! Who causes which requests to the services.
//!
//! Where a request is made, nobody knows for whom: a worker, the blueprint of the run at hand, a
//! dashboard. So the account is set around the work ([`Meter::overhead`], [`Meter::on_behalf_of`])
//! and holds for what is awaited there. It does not follow into spawned tasks by itself: those that
//! belong to the work are wrapped in [`carried`], those that serve many runs at once in
//! [`carried_as_overhead`]. What is done outside any account is not counted.
//!
//! Not counted, since no client says so: what it takes to connect to Redis, what the client for
//! Cosmos DB reads of the account by itself, and calls to Cosmos DB that are given up before they end.

mod report;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::future::Either;

pub(crate) use self::tally::Counted;
pub use self::{
    report::{BlueprintTally, CostReport},
    tally::{PerService, RequestUnits, Tally},
};
use crate::{blueprint::BlueprintId, cluster::Service};

/// How many blueprints a meter tells apart. Beyond that, the one without requests for the longest
/// makes room: its requests count as nobody's in particular.
const BLUEPRINTS: usize = 64;

/// The longest name of a blueprint that is kept: names come with messages.
const NAME_BYTES: usize = 200;

tokio::task_local! {
    static ACCOUNT: Account;
}

/// Where requests are put down.
#[derive(Clone)]
struct Account {
    meter: Meter,
    payer: Payer,
}

/// What a request is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Payer {
    /// Nothing in particular: polling, heartbeats, looking for stalled runs.
    Overhead,
    /// A run of a blueprint.
    Blueprint(BlueprintId),
}

/// Counts the requests of a worker or a dashboard. Cloning gives another handle to the same counts.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    total: Tally,
    overhead: Tally,
    blueprints: HashMap<BlueprintId, Entry>,
    uses: u64,
    took: PerService<Duration>,
}

/// What a blueprint's runs came to.
#[derive(Default)]
struct Entry {
    tally: Tally,
    /// When it was last added to, in uses of the ledger.
    used: u64,
    /// Its requests as of the last report.
    reported: u64,
}

impl Meter {
    /// Does work that is for no run in particular.
    pub fn overhead<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        ACCOUNT.scope(Account { meter: self.clone(), payer: Payer::Overhead }, work)
    }

    /// Does work for a run of a blueprint.
    pub fn on_behalf_of<F: Future>(
        &self,
        blueprint: &BlueprintId,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let payer = Payer::Blueprint(blueprint.clone());
        ACCOUNT.scope(Account { meter: self.clone(), payer }, work)
    }

    /// Takes note that a node of a blueprint was done.
    pub fn node_done(&self, blueprint: &BlueprintId) {
        let mut ledger = self.ledger();
        ledger.total.nodes += 1;
        if let Some(tally) = ledger.tally_of(blueprint) {
            tally.nodes += 1;
        }
    }

    /// What all requests came to.
    pub fn total(&self) -> Tally {
        self.ledger().total
    }

    /// What those for no run in particular came to.
    pub fn overhead_total(&self) -> Tally {
        self.ledger().overhead
    }

    /// What those for runs of a blueprint came to, as far as they were told apart.
    pub fn blueprint_total(&self, blueprint: &BlueprintId) -> Tally {
        self.ledger().blueprints.get(blueprint).map_or_else(Tally::default, |entry| entry.tally)
    }

    /// How long all answers took, together.
    pub(crate) fn took(&self) -> PerService<Duration> {
        self.ledger().took
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("total", &self.total()).finish_non_exhaustive()
    }
}

impl Ledger {
    fn add(&mut self, payer: &Payer, service: Service, counted: Counted) {
        self.total.add(service, counted);
        *self.took.of_mut(service) += counted.took;
        match payer {
            Payer::Overhead => self.overhead.add(service, counted),
            Payer::Blueprint(blueprint) => {
                if let Some(tally) = self.tally_of(blueprint) {
                    tally.add(service, counted);
                }
            }
        }
    }

    /// A blueprint's tally; nothing for a name that is not kept.
    fn tally_of(&mut self, blueprint: &BlueprintId) -> Option<&mut Tally> {
        if blueprint.len() > NAME_BYTES {
            return None;
        }
        self.uses += 1;
        if !self.blueprints.contains_key(blueprint) && self.blueprints.len() >= BLUEPRINTS {
            let oldest = self.blueprints.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.blueprints.remove(&oldest);
            }
        }
        let entry = self.blueprints.entry(blueprint.clone()).or_default();
        entry.used = self.uses;
        Some(&mut entry.tally)
    }
}

impl Account {
    fn current() -> Option<Self> {
        ACCOUNT.try_with(Self::clone).ok()
    }

    fn add(&self, service: Service, counted: Counted) {
        self.meter.ledger().add(&self.payer, service, counted);
    }
}

/// Work for a task of its own, on the account of whoever spawns it.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    match Account::current() {
        Some(account) => Either::Left(ACCOUNT.scope(account, work)),
        None => Either::Right(work),
    }
}

/// The same for work that gathers what is to be done for many runs.
pub(crate) fn carried_as_overhead<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    match Account::current() {
        Some(account) => Either::Left(account.meter.overhead(work)),
        None => Either::Right(work),
    }
}

/// Work for a run of a blueprint, if that is known, on the books of whoever does it.
pub(crate) fn on_behalf_of<F: Future>(
    blueprint: Option<&BlueprintId>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    match (Account::current(), blueprint) {
        (Some(account), Some(blueprint)) => {
            Either::Left(account.meter.on_behalf_of(blueprint, work))
        }
        _ => Either::Right(work),
    }
}

/// Puts down what a call that has ended came to.
pub(crate) fn count(service: Service, counted: Counted) {
    // Without an account nobody asks.
    let _ = ACCOUNT.try_with(|account| account.add(service, counted));
}

/// A request on its way. It is put down when this is dropped: with the answer, or when nobody waits
/// for that any more (then it counts, though it may not have got there).
#[must_use]
pub(crate) struct Request {
    account: Option<Account>,
    service: Service,
    began: Instant,
    counted: Counted,
}

impl Request {
    /// A request that is about to be sent.
    pub(crate) fn to(service: Service) -> Self {
        Self {
            account: Account::current(),
            service,
            began: Instant::now(),
            counted: Counted { requests: 1, ..Counted::default() },
        }
    }

    /// It is several in one.
    pub(crate) fn times(&mut self, requests: u64) {
        self.counted.requests = requests;
    }

    /// The service wants fewer requests.
    pub(crate) fn throttled(&mut self) {
        self.counted.throttled = 1;
    }

    /// It never got to the service.
    pub(crate) fn unsent(mut self) {
        self.account = None;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            let counted = Counted { took: self.began.elapsed(), ..self.counted };
            account.add(self.service, counted);
        }
    }
}
