//! What the cluster's workers and this dashboard ask of the services, as rates over the last minute.
//!
//! Workers tell with each heartbeat, every ten seconds, what their requests came to since they began.
//! So a rate is known from a worker's second heartbeat on (from its first one, if it began within
//! this minute), and what has changed since shows up to ten seconds later.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use super::cost_view::{Cost, CostOf, CostRow, CostView, Flow, WorkerCost};
use crate::{
    blueprint::{BlueprintId, WorkerName},
    cluster::{BlueprintTally, CostReport, Heartbeat, Meter, PerService, Tally},
    engine::Timestamp,
};

/// How far back rates look.
const WINDOW: Duration = Duration::from_secs(60);

/// A shorter time says nothing about a rate.
const SHORTEST: Duration = Duration::from_secs(1);

/// What the workers said lately, and what this dashboard did.
pub(super) struct CostBook {
    tracks: HashMap<WorkerName, Track>,
    meter: Meter,
    own: VecDeque<(CostReport, PerService<Duration>)>,
}

/// What one worker said, oldest first, from one start of it.
struct Track {
    started_at: Timestamp,
    reports: VecDeque<CostReport>,
}

impl Track {
    fn new(started_at: Timestamp) -> Self {
        Self { started_at, reports: VecDeque::new() }
    }

    /// Takes in what a worker says of itself now.
    fn hear(&mut self, started_at: Timestamp, report: &CostReport) {
        let first = self.reports.is_empty();
        if let Some(last) = self.reports.back() {
            if started_at == self.started_at && last.at == report.at {
                return;
            }
            // It began anew, or somebody else has its name, or its clock was set back.
            let goes_on = started_at == self.started_at
                && last.at < report.at
                && report.total.since(&last.total).is_some();
            if !goes_on {
                self.reports.clear();
            }
        }
        let fresh = first || started_at != self.started_at;
        self.started_at = started_at;
        if fresh && started_at < report.at && report.at.since(started_at) <= WINDOW {
            // Then it had asked for nothing yet.
            self.reports.push_back(CostReport { at: started_at, ..CostReport::default() });
        }
        self.reports.push_back(report.clone());
        trim(&mut self.reports, |report| report.at);
    }

    /// What it came to between the first and the last report.
    fn spent(&self) -> Option<Spent> {
        let (first, last) = (self.reports.front()?, self.reports.back()?);
        let span = span(first.at, last.at)?;
        let flow = |now: &Tally, then: &Tally, span| Some(Flow::of(&now.since(then)?, span));
        let blueprints =
            last.blueprints.iter().filter_map(|BlueprintTally { blueprint_id, tally }| {
                let (at, then) = self.earliest(blueprint_id)?;
                let flow = flow(tally, &then, self::span(at, last.at)?)?;
                Some((blueprint_id.clone(), flow))
            });
        Some(Spent {
            all: flow(&last.total, &first.total, span)?,
            overhead: flow(&last.overhead, &first.overhead, span)?,
            blueprints: blueprints.collect(),
        })
    }

    /// The first of the reports that tells how a blueprint stood.
    fn earliest(&self, blueprint: &BlueprintId) -> Option<(Timestamp, Tally)> {
        self.reports.iter().find_map(|report| match report.of(blueprint) {
            Some(tally) => Some((report.at, *tally)),
            None if report.names_all() => Some((report.at, Tally::default())),
            None => None,
        })
    }
}

/// What one worker's requests came to.
struct Spent {
    all: Flow,
    overhead: Flow,
    blueprints: Vec<(BlueprintId, Flow)>,
}

/// Leaves out what is older than the window, but for what a rate needs.
fn trim<T>(samples: &mut VecDeque<T>, at: impl Fn(&T) -> Timestamp) {
    while samples.len() > 2
        && let (Some(first), Some(last)) = (samples.front(), samples.back())
        && at(last).since(at(first)) > WINDOW
    {
        samples.pop_front();
    }
}

fn span(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Some(to.since(from)).filter(|span| *span >= SHORTEST)
}

impl CostBook {
    /// A book that begins now. The meter counts this dashboard's requests.
    pub(super) fn new(meter: Meter, now: Timestamp) -> Self {
        let mut book = Self { tracks: HashMap::new(), meter, own: VecDeque::new() };
        book.look_at_own(now);
        book
    }

    /// Takes in what the workers that are alive say, and reckons rates from it.
    pub(super) fn reckon(&mut self, workers: &[Heartbeat], now: Timestamp) -> CostView {
        self.look_at_own(now);
        let alive: HashSet<_> = workers.iter().map(|worker| &worker.name).collect();
        self.tracks.retain(|name, _| alive.contains(name));
        let mut view = CostView::default();
        let (mut all, mut overhead) = (Flow::default(), Flow::default());
        let mut blueprints: HashMap<BlueprintId, Flow> = HashMap::new();
        for worker in workers {
            let spent = self.hear(worker);
            let cost = match &spent {
                Said::Nothing => {
                    view.silent += 1;
                    None
                }
                Said::TooLittle => None,
                Said::Spent(spent) => {
                    all += spent.all;
                    overhead += spent.overhead;
                    for (blueprint, flow) in &spent.blueprints {
                        *blueprints.entry(blueprint.clone()).or_default() += *flow;
                    }
                    view.told += 1;
                    Some(spent.all.cost())
                }
            };
            view.workers.push(WorkerCost { name: worker.name.clone(), cost });
        }
        if view.told > 0 {
            view.all = Some(all.cost());
            view.rows = rows(&all, &overhead, blueprints);
        }
        (view.dashboard, view.took) = self.own_cost();
        let dashboard = view.dashboard.map(|cost| CostRow { of: CostOf::Dashboard, cost });
        view.rows.extend(dashboard);
        view
    }

    fn hear(&mut self, worker: &Heartbeat) -> Said {
        // One from before it began was left by another worker of its name.
        let said = worker.cost.as_ref().filter(|cost| cost.at >= worker.started_at);
        let Some(report) = said else {
            self.tracks.remove(&worker.name);
            return Said::Nothing;
        };
        let new = || Track::new(worker.started_at);
        let track = self.tracks.entry(worker.name.clone()).or_insert_with(new);
        track.hear(worker.started_at, report);
        track.spent().map_or(Said::TooLittle, Said::Spent)
    }

    fn look_at_own(&mut self, now: Timestamp) {
        if self.own.back().is_some_and(|(last, _)| last.at >= now) {
            return;
        }
        let report = CostReport { at: now, total: self.meter.total(), ..CostReport::default() };
        self.own.push_back((report, self.meter.took()));
        trim(&mut self.own, |(report, _)| report.at);
    }

    /// What this dashboard asks, and how long the answers take it.
    fn own_cost(&self) -> (Option<Cost>, PerService<Option<Duration>>) {
        let known = || {
            let ((first, took_first), (last, took_last)) = (self.own.front()?, self.own.back()?);
            let spent = last.total.since(&first.total)?;
            let cost = Flow::of(&spent, span(first.at, last.at)?).cost();
            let took = took_last.with(took_first, |now, then| now.saturating_sub(*then));
            let each = took.with(&spent.requests, |took, requests| {
                u32::try_from(*requests).ok().filter(|requests| *requests > 0).map(|of| *took / of)
            });
            Some((Some(cost), each))
        };
        known().unwrap_or_default()
    }
}

/// What a worker's heartbeat says of its requests.
enum Said {
    /// Nothing: an older version of this program.
    Nothing,
    /// Too little for a rate, so far.
    TooLittle,
    /// This.
    Spent(Spent),
}

/// The dearest blueprints first, then what is left of all.
fn rows(all: &Flow, overhead: &Flow, blueprints: HashMap<BlueprintId, Flow>) -> Vec<CostRow> {
    let mut others = all.less(overhead);
    for flow in blueprints.values() {
        others = others.less(flow);
    }
    let mut rows: Vec<CostRow> = blueprints
        .into_iter()
        .map(|(blueprint, flow)| CostRow { of: CostOf::Blueprint(blueprint), cost: flow.cost() })
        // Those that are idle would push the others out of sight.
        .filter(|row| !row.cost.is_nothing())
        .collect();
    rows.sort_by(|a, b| b.cost.weight().total_cmp(&a.cost.weight()).then_with(|| a.of.cmp(&b.of)));
    let rest = CostRow { of: CostOf::OtherBlueprints, cost: others.cost() };
    rows.extend(Some(rest).filter(|row| !row.cost.is_nothing()));
    rows.push(CostRow { of: CostOf::Overhead, cost: overhead.cost() });
    rows
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
