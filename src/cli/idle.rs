//! When a cluster has nothing left to do, and what became of its runs meanwhile.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;

use super::exit::{CliError, Exit};
use crate::{
    blueprint::RunId,
    cluster::{ChangeMark, Cluster, Lane, StatusQuery, Version, VersionedStatus},
    engine::RunStatus,
    worker::Worker,
};

/// How soon a timer must be due to be waited for.
const SOON: Duration = Duration::from_mins(1);
/// How often the cluster is looked at.
const LOOKS: Duration = Duration::from_millis(200);
/// The cluster is idle if it looks so this often in a row: between two writes that belong together
/// it may look idle for a moment.
const IDLE_LOOKS: u32 = 3;
/// How many locks are looked at, and how many changes of runs at once.
const PAGE: usize = 1000;

/// What became of runs since somebody began to watch.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Runs that were touched since, and are completed now.
    pub(super) completed: usize,
    /// Likewise failed.
    pub(super) failed: usize,
    /// Likewise waiting for an answer, or for a timer that is not due soon.
    pub(super) awaiting: usize,
}

impl Tally {
    pub(super) fn exit(&self) -> Exit {
        if self.failed > 0 { Exit::Failed } else { Exit::Done }
    }
}

/// Follows the runs of a cluster from the moment it was made. Runs that work for another run count
/// with that one.
pub(super) struct Watch {
    cluster: Cluster,
    mark: ChangeMark,
    /// What had been written at the mark already: the store may list it again.
    before: HashMap<RunId, Version>,
    changed: HashMap<RunId, Option<RunStatus>>,
}

impl Watch {
    pub(super) async fn begin(cluster: Cluster) -> Result<Self, CliError> {
        let newest = StatusQuery { limit: 1, ..StatusQuery::default() };
        let mark = cluster.state.list_statuses(&newest).await?.mark;
        let mut watch = Self { cluster, mark, before: HashMap::new(), changed: HashMap::new() };
        watch.before =
            watch.changes().await?.into_iter().map(|v| (v.item.run_id, v.version)).collect();
        Ok(watch)
    }

    /// Waits until nothing runs, no node is leased, and nothing is due soon.
    pub(super) async fn until_idle(&mut self, worker: &Worker) -> Result<(), CliError> {
        let mut looks = 0;
        while looks < IDLE_LOOKS {
            tokio::time::sleep(LOOKS).await;
            match self.is_idle(worker).await {
                Ok(true) => looks += 1,
                Ok(false) => looks = 0,
                // The worker waits for the service to come back, and so do we.
                Err(error) if error.is_transient() => looks = 0,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn is_idle(&self, worker: &Worker) -> crate::cluster::Result<bool> {
        if worker.status().in_flight > 0 {
            return Ok(false);
        }
        let Cluster { state, coordination, queue, clock, .. } = &self.cluster;
        let running =
            StatusQuery { statuses: vec![RunStatus::Running], limit: 1, ..StatusQuery::default() };
        if !state.list_statuses(&running).await?.items.is_empty() {
            return Ok(false);
        }
        let due = StatusQuery {
            statuses: vec![RunStatus::Running, RunStatus::Awaiting],
            due_before: Some(clock.now() + SOON),
            limit: 1,
            ..StatusQuery::default()
        };
        if !state.list_statuses(&due).await?.items.is_empty() {
            return Ok(false);
        }
        // The reconciler's is no node's.
        if coordination.locks(PAGE).await?.iter().any(|lock| lock.node_id.is_some()) {
            return Ok(false);
        }
        Ok(queue.depth(Lane::Jobs).await?.oldest.is_none())
    }

    /// What became of the runs that were touched.
    pub(super) async fn tally(&mut self) -> Result<Tally, CliError> {
        for VersionedStatus { item, version } in self.changes().await? {
            if item.parent_run_id.is_none() && self.before.get(&item.run_id) != Some(&version) {
                self.changed.insert(item.run_id, item.status);
            }
        }
        let count = |status| self.changed.values().filter(|s| **s == Some(status)).count();
        Ok(Tally {
            completed: count(RunStatus::Completed),
            failed: count(RunStatus::Failed),
            awaiting: count(RunStatus::Awaiting),
        })
    }

    /// What has changed since the mark, which moves on.
    async fn changes(&mut self) -> Result<Vec<VersionedStatus>, CliError> {
        let mut all = Vec::new();
        loop {
            let query = StatusQuery {
                changed_after: Some(self.mark),
                limit: PAGE,
                ..StatusQuery::default()
            };
            let page = self.cluster.state.list_statuses(&query).await?;
            let goes_on = page.items.len() == PAGE && page.mark > self.mark;
            self.mark = page.mark;
            all.extend(page.items);
            if !goes_on {
                return Ok(all);
            }
        }
    }
}
