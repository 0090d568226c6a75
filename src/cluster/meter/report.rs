//! What a worker tells the cluster about its requests.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{Meter, Tally};
use crate::{blueprint::BlueprintId, engine::Timestamp};

/// How many blueprints a report names.
const NAMED: usize = 10;

/// What a worker's requests came to since it began: part of its heartbeat.
///
/// It names the blueprints that had most requests since the last report, ten at most. What the total
/// is more than these and the overhead is that of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// When it was made, by the worker's clock: rates are reckoned from this, not from when a
    /// heartbeat happens to be read.
    pub at: Timestamp,
    /// All requests.
    pub total: Tally,
    /// Those for no run in particular: polling, heartbeats, looking for stalled runs.
    pub overhead: Tally,
    /// Those for runs, by blueprint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blueprints: Vec<BlueprintTally>,
}

/// What the runs of one blueprint came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintTally {
    /// The blueprint.
    pub blueprint_id: BlueprintId,
    /// What its runs came to.
    #[serde(flatten)]
    pub tally: Tally,
}

impl CostReport {
    /// What is said of a blueprint.
    pub fn of(&self, blueprint: &BlueprintId) -> Option<&Tally> {
        let found = self.blueprints.iter().find(|one| one.blueprint_id == *blueprint)?;
        Some(&found.tally)
    }

    /// Whether a blueprint that is not named had no request.
    pub(crate) fn names_all(&self) -> bool {
        let mut named = self.overhead;
        for one in &self.blueprints {
            named += one.tally;
        }
        named.requests == self.total.requests && named.nodes == self.total.nodes
    }
}

impl Meter {
    /// Reports what there is to tell. For one reader only: which blueprints are named depends on
    /// the last report.
    pub(crate) fn report(&self, now: Timestamp) -> CostReport {
        let mut ledger = self.ledger();
        let mut order: Vec<_> = ledger
            .blueprints
            .iter()
            .map(|(name, entry)| {
                let requests = entry.tally.requests.sum();
                (Reverse((requests - entry.reported, requests)), name.clone())
            })
            .collect();
        order.sort();
        for entry in ledger.blueprints.values_mut() {
            entry.reported = entry.tally.requests.sum();
        }
        let blueprints = order.into_iter().take(NAMED).filter_map(|(_, blueprint_id)| {
            let tally = ledger.blueprints.get(&blueprint_id)?.tally;
            Some(BlueprintTally { blueprint_id, tally })
        });
        CostReport {
            at: now,
            total: ledger.total,
            overhead: ledger.overhead,
            blueprints: blueprints.collect(),
        }
    }
}
