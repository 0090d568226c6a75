//! Why a run is not moving: causes found by joining its document and status with queue, poison queue,
//! leases and workers.
//!
//! Everything is gathered first ([`surroundings`], [`subject`]), each service once and none for long;
//! what it means is decided by functions that ask nobody ([`judge`]).

mod blueprint;
mod cause;
mod command_line;
mod ended;
mod foreign;
mod judge;
mod poison;
mod ranking;
mod ready;
mod remedy;
mod subject;
mod surroundings;
mod taken_up;
#[cfg(test)]
mod testing;
mod undocumented;
mod waiting;
mod when;

use std::collections::BTreeMap;

use futures::future::join_all;

pub use self::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    remedy::{HeldNode, Mend, Remedy, Wanted},
};
use self::{
    judge::judge,
    ready::GRACE,
    subject::{Child, Closed, Lease, Subject},
    surroundings::{Looked, Surroundings, in_time},
};
use super::{OperationError, Operations};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{ClusterError, Fault, Key, Service, StatusItem},
    engine::{self, Awaits, RunDocument},
    worker::{SessionError, UnusableBlueprint, session::Freshness},
};

/// How many leases of a run are asked for by themselves.
const LEASES: usize = 50;
/// How many child runs of a run are looked into.
const CHILDREN: usize = 20;
/// How deep children of children are looked into.
const DEPTH: usize = 8;

impl Operations {
    /// Why a run is not moving, the likeliest cause first. How long it has stood plays no part: a
    /// cause is a cause from the first second.
    ///
    /// A service that can't be reached is a cause of its own, and the rest is explained from what the
    /// others say. Fails if there is no such run.
    pub async fn explain(&self, run: &RunId) -> Result<Vec<Cause>, OperationError> {
        let around = Surroundings::look(self.cluster(), self.core.name.clone()).await;
        let subject = self.gather(run, &around, &[]).await?;
        let unheard_of = matches!((&subject.document, &subject.status), (Ok(None), Ok(None)));
        let causes = judge(&subject, &around);
        if unheard_of && causes.iter().all(|cause| cause.cause == CauseKind::ServiceAway) {
            return Err(SessionError::NoSuchRun(run.clone()).into());
        }
        Ok(causes)
    }

    /// Reads what concerns one run. Fails only for what is no service's being away.
    async fn gather(
        &self,
        run: &RunId,
        around: &Surroundings,
        path: &[RunId],
    ) -> Result<Subject, ClusterError> {
        let session = self.core.session(run);
        let state = &self.cluster().state;
        let (document, status) = tokio::join!(
            in_time(Service::State, "read the run", session.document(Freshness::Now)),
            in_time(Service::State, "read the run's status", async {
                Ok(state.read_status(run).await?.map(|found| found.item))
            }),
        );
        let document = passing(document)?;
        let status = passing(status)?;
        let mut subject = Subject {
            run: run.clone(),
            closed: Closed::Unknown,
            graph: Err(UnusableBlueprint::Unnamed),
            leases: BTreeMap::new(),
            children: BTreeMap::new(),
            status,
            document,
        };
        let Some(document) = subject.ledger().cloned() else { return Ok(subject) };
        subject.graph = session.graph(&document);
        if document.status().is_final() {
            subject.closed = closed(&document, &subject.status);
            return Ok(subject);
        }
        subject.leases = self.leases(run, &document, around).await;
        let mut path = path.to_vec();
        path.push(run.clone());
        for (at, child) in children(&document).into_iter().enumerate() {
            let found = if at >= CHILDREN || path.len() >= DEPTH || path.contains(&child) {
                Child::NotAsked
            } else {
                Box::pin(self.child(&child, around, &path)).await
            };
            subject.children.insert(child, found);
        }
        Ok(subject)
    }

    async fn child(&self, run: &RunId, around: &Surroundings, path: &[RunId]) -> Child {
        match self.gather(run, around, path).await {
            Err(error) | Ok(Subject { document: Err(error), .. }) => Child::Unread(error),
            Ok(Subject { document: Ok(None), .. }) => Child::Missing,
            Ok(subject) => {
                let head = subject.ledger().map(|document| document.head().clone());
                let causes = judge(&subject, around);
                head.map_or(Child::Missing, |head| Child::There {
                    status: head.status,
                    finished_at: head.finished_at,
                    causes,
                })
            }
        }
    }

    /// The leases of the nodes that somebody may be at.
    async fn leases(
        &self,
        run: &RunId,
        document: &RunDocument,
        around: &Surroundings,
    ) -> BTreeMap<NodeId, Looked<Option<Lease>>> {
        let nodes: Vec<NodeId> = nodes_to_do(document, around).cloned().collect();
        if let Err(error) = &around.locks {
            return nodes.into_iter().map(|node| (node, Err(error.clone()))).collect();
        }
        let store = &self.cluster().coordination;
        let asked = nodes.iter().take(LEASES).map(async |node| {
            let key = Key::node_lock(run, node);
            let value = in_time(Service::Coordination, "read a lease", store.get(&key)).await;
            let lease = value.map(|value| {
                value.map(|value| Lease { ends: around.lease_ends(run, node, &value), value })
            });
            (node.clone(), lease)
        });
        let mut leases: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
        let locks = around.locks.as_deref().unwrap_or_default();
        for lock in locks.iter().filter(|lock| lock.run_id.as_ref() == Some(run)) {
            let Some(node) = lock.node_id.as_ref().filter(|node| !leases.contains_key(*node))
            else {
                continue;
            };
            let lease = Lease { value: lock.value.clone(), ends: Some(lock.expires_at) };
            leases.insert(node.clone(), Ok(Some(lease)));
        }
        leases
    }
}

/// The nodes that a worker may be at: ready ones, those that wait for child runs, overdue timers.
fn nodes_to_do<'a>(
    document: &'a RunDocument,
    around: &'a Surroundings,
) -> impl Iterator<Item = &'a NodeId> {
    let waiting = document.awaiting().filter(|node| {
        document.entry(node).is_some_and(|entry| match &entry.awaits {
            Some(Awaits::Child { .. }) => true,
            Some(Awaits::Timer) => entry.due_at.is_none_or(|due| due + GRACE < around.now),
            _ => false,
        })
    });
    document.ready().chain(waiting)
}

/// The child runs that nodes of a run wait for.
fn children(document: &RunDocument) -> Vec<RunId> {
    let awaits = document.awaiting().filter_map(|node| document.entry(node)?.awaits.clone());
    awaits
        .filter_map(|awaits| match awaits {
            Awaits::Child { run, .. } => Some(run),
            _ => None,
        })
        .collect()
}

/// Whether the work that follows the end of a run is done. A child run has it in its ledger; the
/// record of any other is its final status.
fn closed(document: &RunDocument, status: &Looked<Option<StatusItem>>) -> Closed {
    let head = document.head();
    let done = match (&head.parent, status) {
        (Some(_), _) => head.closed == engine::Closing::Closed,
        (None, Ok(item)) => item.as_ref().is_some_and(|item| item.status == Some(head.status)),
        (None, Err(_)) => return Closed::Unknown,
    };
    if done { Closed::Yes } else { Closed::No }
}

/// A look that failed because its service is away is a finding; any other failure is one of ours.
fn passing<T>(looked: Looked<T>) -> Result<Looked<T>, ClusterError> {
    match looked {
        Err(error) if !error.is_transient() && error.fault != Fault::Refused => Err(error),
        looked => Ok(looked),
    }
}
