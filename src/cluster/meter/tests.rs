#![allow(clippy::unwrap_used)] // Tests.

use std::time::Duration;

use super::*;
use crate::engine::Timestamp;

fn id(name: &str) -> BlueprintId {
    BlueprintId::from(name)
}

async fn ask(service: Service) {
    let _sent = Request::to(service);
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn requests_are_for_whom_they_are_made() {
    let meter = Meter::default();
    ask(Service::Queue).await;
    assert_eq!(meter.total(), Tally::default(), "nobody's");
    let work = async {
        ask(Service::Queue).await;
        meter.on_behalf_of(&id("a"), async { ask(Service::State).await }).await;
        ask(Service::Queue).await;
        // Each of two that run together.
        let (one, other) = (id("a"), id("b"));
        tokio::join!(
            meter.on_behalf_of(&one, ask(Service::Coordination)),
            meter.on_behalf_of(&other, ask(Service::Coordination)),
        );
    };
    meter.overhead(work).await;
    assert_eq!(
        meter.total().requests,
        PerService { queue: 2, state: 1, coordination: 2 },
        "all of them"
    );
    assert_eq!(meter.overhead_total().requests.sum(), 2);
    assert_eq!(
        meter.blueprint_total(&id("a")).requests,
        PerService { queue: 0, state: 1, coordination: 1 }
    );
    assert_eq!(meter.blueprint_total(&id("b")).requests.sum(), 1);
}

#[tokio::test]
async fn a_spawned_task_takes_its_account_along_if_it_is_told_to() {
    let meter = Meter::default();
    let work = async {
        tokio::spawn(ask(Service::Queue)).await.unwrap();
        tokio::spawn(carried(ask(Service::State))).await.unwrap();
        tokio::spawn(carried_as_overhead(ask(Service::Coordination))).await.unwrap();
    };
    meter.on_behalf_of(&id("a"), work).await;
    let ours = meter.blueprint_total(&id("a")).requests;
    assert_eq!(ours, PerService { queue: 0, state: 1, coordination: 0 });
    let overhead = meter.overhead_total().requests;
    assert_eq!(overhead, PerService { queue: 0, state: 0, coordination: 1 });
    assert_eq!(meter.total().requests.sum(), 2, "the first had no account");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_was_a_request_and_what_was_not_sent_none() {
    let meter = Meter::default();
    let work = async {
        let asking = async {
            let _sent = Request::to(Service::State);
            std::future::pending::<()>().await;
        };
        let _ = tokio::time::timeout(Duration::from_millis(1), asking).await;
        Request::to(Service::State).unsent();
        Request::to(Service::State).throttled();
    };
    meter.overhead(work).await;
    assert_eq!(meter.total().requests.state, 2);
    assert_eq!(meter.total().throttled, PerService { queue: 0, state: 1, coordination: 0 });
    assert!(meter.took().state >= Duration::from_millis(1));
}

#[tokio::test]
async fn charges_add_up_to_the_hundredth_and_are_unknown_where_there_are_none() {
    let meter = Meter::default();
    meter.overhead(ask(Service::State)).await;
    assert_eq!(meter.total().request_units, None);
    for _ in 0..1000 {
        let units = Some(RequestUnits::new(0.29));
        let counted = Counted { requests: 1, units, ..Counted::default() };
        meter.overhead(async { count(Service::State, counted) }).await;
    }
    assert_eq!(meter.total().request_units, Some(RequestUnits::from_hundredths(29_000)));
    for odd in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(RequestUnits::new(odd), RequestUnits::default(), "{odd}");
    }
}

#[tokio::test]
async fn blueprints_without_end_are_not_all_told_apart() {
    let meter = Meter::default();
    let busy = id("busy");
    for at in 0..1000 {
        meter.on_behalf_of(&id(&format!("b{at}")), ask(Service::Queue)).await;
        meter.on_behalf_of(&busy, ask(Service::Queue)).await;
    }
    let long = id(&"x".repeat(100_000));
    meter.on_behalf_of(&long, ask(Service::Queue)).await;
    meter.node_done(&long);
    assert_eq!(meter.ledger().blueprints.len(), BLUEPRINTS);
    assert_eq!(meter.blueprint_total(&busy).requests.queue, 1000, "it was never forgotten");
    assert_eq!(meter.total().requests.queue, 2001, "all of them count");
    let report = meter.report(Timestamp::default());
    assert_eq!(report.blueprints.len(), 10);
    assert_eq!(report.blueprints[0].blueprint_id, busy);
    assert!(!report.names_all());
    assert!(serde_json::to_string(&report).unwrap().len() < 2048, "a heartbeat stays small");
}

#[tokio::test]
async fn a_report_names_first_what_moved_since_the_last_one() {
    let meter = Meter::default();
    for at in 0..12 {
        let name = id(&format!("old-{at:02}"));
        meter
            .on_behalf_of(&name, async {
                ask(Service::Queue).await;
                ask(Service::State).await;
            })
            .await;
    }
    let first = meter.report(Timestamp::from_millis(1));
    assert!(first.of(&id("old-00")).is_some() && first.of(&id("old-11")).is_none());
    meter.on_behalf_of(&id("old-11"), ask(Service::Queue)).await;
    let second = meter.report(Timestamp::from_millis(2));
    assert_eq!(second.blueprints[0].blueprint_id, id("old-11"));
    assert_eq!(second.of(&id("old-11")).unwrap().requests.sum(), 3);
}

#[tokio::test]
async fn a_report_is_read_as_it_was_written() {
    let meter = Meter::default();
    meter.overhead(ask(Service::Queue)).await;
    let units = Some(RequestUnits::new(5.71));
    let counted = Counted { requests: 2, throttled: 1, units, ..Counted::default() };
    meter.on_behalf_of(&id("日本"), async { count(Service::State, counted) }).await;
    meter.node_done(&id("日本"));
    let report = meter.report(Timestamp::from_millis(1_700_000_000_123));
    assert!(report.names_all());
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("\"requestUnits\":5.71"), "{text}");
    assert_eq!(serde_json::from_str::<CostReport>(&text).unwrap(), report);
    // What another version leaves out or adds does no harm.
    let sparse = r#"{"at":5,"total":{"requests":{"queue":7}},"overhead":{},"new":1}"#;
    let sparse: CostReport = serde_json::from_str(sparse).unwrap();
    assert_eq!(sparse.total.requests.queue, 7);
}

#[test]
fn a_tally_that_shrank_is_no_later_one() {
    let tally = |queue, nodes| Tally {
        requests: PerService { queue, ..PerService::default() },
        nodes,
        ..Tally::default()
    };
    assert_eq!(tally(5, 3).since(&tally(2, 3)).unwrap(), tally(3, 0));
    assert_eq!(tally(1, 3).since(&tally(2, 3)), None);
    assert_eq!(tally(2, 2).since(&tally(2, 3)), None);
    let charged = Tally { request_units: Some(RequestUnits::new(2.0)), ..tally(9, 3) };
    assert_eq!(charged.since(&tally(9, 3)).unwrap().request_units, charged.request_units);
    assert_eq!(tally(10, 3).since(&charged), None);
}
