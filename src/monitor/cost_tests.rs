#![allow(clippy::unwrap_used, clippy::float_cmp)] // Tests; rates are rounded to tenths.

use super::*;
use crate::cluster::{RequestUnits, Service, WorkerMode, meter};

/// When the first worker began.
const START: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(START + second)
}

/// What was counted up to a second, at a steady rate: a request to the queue and three to the state
/// store each second, half of them for nothing in particular, and a node every other second.
fn steady(seconds: u64) -> Tally {
    Tally {
        requests: PerService { queue: seconds, state: 3 * seconds, coordination: 0 },
        throttled: PerService { state: seconds / 10, ..PerService::default() },
        request_units: Some(RequestUnits::from_hundredths(500 * seconds)),
        nodes: seconds / 2,
    }
}

fn half(tally: Tally) -> Tally {
    Tally {
        requests: tally.requests.with(&tally.requests, |count, _| count / 2),
        throttled: PerService::default(),
        request_units: tally.request_units.map(|units| RequestUnits::new(units.units() / 2.0)),
        nodes: 0,
    }
}

fn beat(name: &str, started: i64, cost: Option<CostReport>) -> Heartbeat {
    Heartbeat {
        name: name.into(),
        host: "here".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at: at(started),
        slots: 4,
        in_flight: 0,
        done: 0,
        mode: WorkerMode::Running,
        sent_at: None,
        cost,
    }
}

/// A worker that began at `started` and asks steadily, for one blueprint.
fn worker(name: &str, started: i64, now: i64) -> Heartbeat {
    let total = steady((now - started).unsigned_abs());
    let overhead = half(total);
    let of = total.since(&overhead).unwrap();
    let blueprints = vec![BlueprintTally { blueprint_id: "b".into(), tally: of }];
    beat(name, started, Some(CostReport { at: at(now), total, overhead, blueprints }))
}

fn book() -> CostBook {
    CostBook::new(Meter::default(), at(0))
}

fn named<'a>(view: &'a CostView, name: &str) -> &'a Cost {
    &view.rows.iter().find(|row| row.of.name() == name).unwrap_or_else(|| panic!("{view:#?}")).cost
}

#[test]
fn rates_are_known_from_the_second_heartbeat_on() {
    let mut book = book();
    let first = book.reckon(&[worker("w", -1_000, 5)], at(7));
    assert_eq!((first.all, first.workers[0].cost, first.told), (None, None, 0));
    // Read late, and looked at twice: only when it was written counts.
    for now in [16, 29] {
        let view = book.reckon(&[worker("w", -1_000, 15)], at(now));
        let all = view.all.unwrap();
        assert_eq!(all.requests, PerService { queue: 1.0, state: 3.0, coordination: 0.0 });
        assert_eq!((all.requests_in_all(), all.units, all.nodes), (4.0, Some(5.0), 0.5));
        assert_eq!((all.requests_a_node, all.units_a_node), (Some(8.0), Some(10.0)));
        assert_eq!(all.throttled.state, 1);
        assert_eq!(view.workers[0].cost, Some(all));
        assert_eq!(named(&view, "b").units, Some(2.5));
        assert_eq!(named(&view, "b").units_a_node, Some(5.0));
        assert_eq!(named(&view, "polling, heartbeats").units, Some(2.5));
    }
}

#[test]
fn only_the_last_minute_counts() {
    let mut book = book();
    let mut view = CostView::default();
    for second in (0..200).step_by(10) {
        // Nothing is asked from the second 100 on.
        let mut worker = worker("w", -1_000, second.min(100));
        worker.cost.as_mut().unwrap().at = at(second);
        view = book.reckon(&[worker], at(second));
    }
    let all = view.all.unwrap();
    assert_eq!((all.requests_in_all(), all.throttled.sum(), all.units_a_node), (0.0, 0, None));
    assert!(view.rows.iter().all(|row| row.of != CostOf::Blueprint("b".into())), "{view:?}");
}

#[test]
fn a_worker_that_just_began_had_asked_for_nothing_before() {
    let view = book().reckon(&[worker("w", 0, 20)], at(21));
    assert_eq!(view.all.unwrap().requests_in_all(), 4.0);
    assert_eq!(named(&view, "b").nodes, 0.5);
    // One beat at the very start says nothing yet.
    assert_eq!(book().reckon(&[worker("w", 0, 0)], at(0)).all, None);
}

#[test]
fn a_worker_that_begins_anew_is_never_below_zero_nor_huge() {
    let mut book = book();
    book.reckon(&[worker("w", -100_000, 0)], at(0));
    book.reckon(&[worker("w", -100_000, 10)], at(10));
    // The same name, another start: what it counts from then on.
    let view = book.reckon(&[worker("w", 12, 20)], at(20));
    assert_eq!(view.all.unwrap().requests_in_all(), 4.0);
    // The same start, but lower counts: something is odd, so nothing is known.
    let mut odd = worker("w", 12, 30);
    odd.cost.as_mut().unwrap().total = steady(1);
    assert_eq!(book.reckon(&[odd], at(30)).all, None);
    // It had the name of a worker of long ago, and did not begin within this minute.
    let mut late = worker("w", -500, 40);
    late.started_at = at(-400);
    assert_eq!(book.reckon(&[late], at(40)).all, None);
}

#[test]
fn a_clock_that_is_set_back_begins_anew() {
    let mut book = book();
    book.reckon(&[worker("w", -1_000, 50)], at(50));
    assert_eq!(book.reckon(&[worker("w", -1_000, 10)], at(60)).all, None);
    let view = book.reckon(&[worker("w", -1_000, 20)], at(70));
    assert_eq!(view.all.unwrap().requests_in_all(), 4.0);
}

#[test]
fn a_worker_that_leaves_takes_its_rates_along() {
    let mut book = book();
    let both = |now| [worker("v", -1_000, now), worker("w", -2_000, now)];
    book.reckon(&both(0), at(0));
    let two = book.reckon(&both(10), at(10));
    assert_eq!((two.all.unwrap().requests_in_all(), two.told), (8.0, 2));
    let one = book.reckon(&both(20)[1..], at(20));
    assert_eq!((one.all.unwrap().requests_in_all(), one.workers.len()), (4.0, 1));
    // Back after a while: what it did meanwhile is not laid onto one look.
    assert_eq!(book.reckon(&both(500), at(500)).workers[0].cost, None);
    assert_eq!(book.reckon(&[], at(510)).all, None);
}

#[test]
fn those_who_do_not_say_are_named_as_such() {
    let mut book = book();
    let old = beat("old", -1_000, None);
    // Left in the store by another worker of the same name.
    let mut left = worker("left", -1_000, 0);
    left.started_at = at(5);
    book.reckon(&[old.clone(), worker("w", -1_000, 0), left.clone()], at(6));
    let view = book.reckon(&[old, worker("w", -1_000, 10), left], at(11));
    assert_eq!((view.told, view.silent), (1, 2));
    assert_eq!(view.workers.iter().filter(|worker| worker.cost.is_some()).count(), 1);
}

#[test]
fn a_blueprint_that_comes_and_goes_in_a_report_makes_no_leap() {
    let report = |now: i64, all: u64, named: &[(&str, u64)]| {
        let tally = |state| Tally {
            requests: PerService { state, ..PerService::default() },
            ..Tally::default()
        };
        let blueprints = named.iter().map(|(name, count)| BlueprintTally {
            blueprint_id: (*name).into(),
            tally: tally(*count),
        });
        let blueprints = blueprints.collect();
        let cost = CostReport { at: at(now), total: tally(all), overhead: tally(0), blueprints };
        [beat("w", -1_000, Some(cost))]
    };
    let mut book = book();
    book.reckon(&report(0, 10_000, &[("a", 10)]), at(0));
    // "b" had requests before that nobody told of: how many of its 9,000 are new can't be known.
    let view = book.reckon(&report(10, 10_100, &[("a", 60), ("b", 9_000)]), at(10));
    assert_eq!(named(&view, "a").requests.state, 5.0);
    assert_eq!(named(&view, "other blueprints").requests.state, 5.0);
    assert!(view.rows.iter().all(|row| row.of.name() != "b"), "{view:?}");
    // From the next report on it can. "a" is not named any more: it goes to the others.
    let view = book.reckon(&report(20, 10_200, &[("b", 9_040)]), at(20));
    assert_eq!(named(&view, "b").requests.state, 4.0);
    assert_eq!(named(&view, "other blueprints").requests.state, 6.0);
    assert_eq!(view.all.unwrap().units, None, "nothing was charged");
    // One that is new in a report that named all had none before.
    let mut book = self::book();
    book.reckon(&report(0, 10, &[("a", 10)]), at(0));
    let view = book.reckon(&report(10, 60, &[("a", 10), ("b", 50)]), at(10));
    assert_eq!(named(&view, "b").requests.state, 5.0);
    assert!(view.rows.iter().all(|row| row.of != CostOf::OtherBlueprints), "{view:?}");
}

#[test]
fn the_dearest_comes_first_and_what_is_left_over_last() {
    let mut book = CostBook::new(Meter::default(), at(0));
    let tally = |units| Tally {
        requests: PerService { state: 100, ..PerService::default() },
        request_units: Some(RequestUnits::new(units)),
        ..Tally::default()
    };
    let mut cost = CostReport { at: at(10), ..CostReport::default() };
    for (name, units) in [("cheap", 10.0), ("dear", 90.0), ("fair", 50.0)] {
        cost.total += tally(units);
        cost.blueprints.push(BlueprintTally { blueprint_id: name.into(), tally: tally(units) });
    }
    let view = book.reckon(&[beat("w", 0, Some(cost))], at(10));
    let names: Vec<_> = view.rows.iter().map(|row| row.of.name()).collect();
    assert_eq!(names, ["dear", "fair", "cheap", "polling, heartbeats", "this dashboard"]);
}

#[tokio::test]
async fn what_this_dashboard_asks_is_told_apart() {
    let meter = Meter::default();
    let mut book = CostBook::new(meter.clone(), at(0));
    let ask = async {
        for _ in 0..50 {
            meter::count(
                Service::State,
                meter::Counted {
                    requests: 1,
                    units: Some(RequestUnits::new(2.0)),
                    took: Duration::from_millis(4),
                    ..meter::Counted::default()
                },
            );
        }
    };
    meter.overhead(ask).await;
    let view = book.reckon(&[], at(10));
    let own = view.dashboard.unwrap();
    assert_eq!((own.requests.state, own.units), (5.0, Some(10.0)));
    assert_eq!(view.took.state, Some(Duration::from_millis(4)));
    assert_eq!(view.took.queue, None, "it was not asked");
    assert_eq!((view.all, view.rows.len()), (None, 1));
}
