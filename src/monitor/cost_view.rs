//! What the cluster costs, as it is shown.

use std::{ops::AddAssign, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{BlueprintId, WorkerName},
    cluster::{PerService, Tally},
};

/// What workers and this dashboard ask of the services, over the last minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostView {
    /// All workers together; nothing while none has said enough.
    pub all: Option<Cost>,
    /// Each worker, in their order; nothing where it has not said enough.
    pub workers: Vec<WorkerCost>,
    /// Who it is for: blueprints, the dearest first, then the rest.
    pub rows: Vec<CostRow>,
    /// What this dashboard asks itself, the worker in it not counted.
    pub dashboard: Option<Cost>,
    /// How long an answer takes this dashboard, on the average.
    pub took: PerService<Option<Duration>>,
    /// How many workers have said enough.
    pub told: usize,
    /// How many workers never say: they are of an older version.
    pub silent: usize,
}

/// What one worker asks of the services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerCost {
    /// The worker.
    pub name: WorkerName,
    /// What it asks, once that is known.
    pub cost: Option<Cost>,
}

/// What somebody or something costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostRow {
    /// Who or what.
    pub of: CostOf,
    /// What it costs.
    pub cost: Cost,
}

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CostOf {
    /// Runs of a blueprint.
    Blueprint(BlueprintId),
    /// Runs of blueprints that are not told apart.
    OtherBlueprints,
    /// No run in particular: polling, heartbeats, looking for stalled runs.
    Overhead,
    /// This dashboard.
    Dashboard,
}

impl CostOf {
    /// What to call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Blueprint(blueprint) => blueprint,
            Self::OtherBlueprints => "other blueprints",
            Self::Overhead => "polling, heartbeats",
            Self::Dashboard => "this dashboard",
        }
    }
}

/// Rates over the last minute, rounded for being shown.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Requests a second.
    pub requests: PerService<f64>,
    /// Requests within the minute that a service answered with 429.
    pub throttled: PerService<u64>,
    /// Request units a second; nothing where nothing is charged.
    pub units: Option<f64>,
    /// Nodes done a second.
    pub nodes: f64,
    /// Requests for each node; nothing where none was done.
    pub requests_a_node: Option<f64>,
    /// Request units for each node, likewise.
    pub units_a_node: Option<f64>,
}

impl Cost {
    /// Requests to all services a second.
    pub fn requests_in_all(&self) -> f64 {
        let PerService { queue, state, coordination } = self.requests;
        tenths(queue + state + coordination)
    }

    /// Whether nothing was asked.
    pub(super) fn is_nothing(&self) -> bool {
        self.requests_in_all() == 0.0 && self.nodes == 0.0 && self.throttled.sum() == 0
    }

    /// How dear it is: request units first, then requests.
    pub(super) fn weight(&self) -> f64 {
        self.units.unwrap_or(0.0) * 1e6 + self.requests_in_all()
    }
}

/// Rates before they are rounded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    requests: PerService<f64>,
    throttled: PerService<u64>,
    units: Option<f64>,
    nodes: f64,
}

// What is counted within a minute is exact as a float.
#[allow(clippy::cast_precision_loss)]
fn number(count: u64) -> f64 {
    count as f64
}

impl Flow {
    /// What was counted within a time that is not zero.
    pub(super) fn of(tally: &Tally, span: Duration) -> Self {
        let seconds = span.as_secs_f64();
        Self {
            requests: tally.requests.with(&tally.requests, |count, _| number(*count) / seconds),
            throttled: tally.throttled,
            units: tally.request_units.map(|units| units.units() / seconds),
            nodes: number(tally.nodes) / seconds,
        }
    }

    /// What is left of this without another.
    pub(super) fn less(&self, other: &Self) -> Self {
        let less = |one: &f64, other: &f64| (one - other).max(0.0);
        Self {
            requests: self.requests.with(&other.requests, less),
            throttled: self
                .throttled
                .with(&other.throttled, |one, other| one.saturating_sub(*other)),
            units: self.units.map(|units| less(&units, &other.units.unwrap_or(0.0))),
            nodes: less(&self.nodes, &other.nodes),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        let all = self.requests.queue + self.requests.state + self.requests.coordination;
        let a_node = |of: f64| (self.nodes > 0.0).then(|| tenths(of / self.nodes));
        Cost {
            requests: self.requests.with(&self.requests, |rate, _| tenths(*rate)),
            throttled: self.throttled,
            units: self.units.map(tenths),
            nodes: tenths(self.nodes),
            requests_a_node: a_node(all),
            units_a_node: self.units.and_then(a_node),
        }
    }
}

impl AddAssign for Flow {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.with(&other.requests, |one, other| one + other);
        self.throttled += other.throttled;
        if let Some(units) = other.units {
            *self.units.get_or_insert_default() += units;
        }
        self.nodes += other.nodes;
    }
}

fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}
