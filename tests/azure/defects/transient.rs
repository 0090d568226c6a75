//! Services that fail for a moment, or for a while.

use std::time::Duration;

use flowcraft_tui::{
    blueprint::Blueprint,
    cluster::{Lane, Service},
    engine::RunStatus,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ended, eventually, run_worker, staged, start, until_status};
use crate::{
    services::Services,
    stage::{Stage, blueprint, outputs},
};

/// Has a service fail one kind of request and answer all others, and counts what it is asked.
async fn refused_for_a_while(services: &Services, service: &str) {
    let ab = blueprint("b", &json!([["a", "noop"], ["b", "noop"]]), &json!([["a", "b"]]));
    let (mut stage, settings) = staged(services, vec![ab]).await;
    let run = start(&stage, &json!({})).await;
    let (kind, path, ill) = match service {
        "cosmos" => {
            let documents = format!("{}/colls/contexts/docs", settings.names.database);
            ("read", documents, Service::State)
        }
        _ => ("receive", settings.queue.clone(), Service::Queue),
    };
    let rule = json!({
        "service": service, "match": {"kind": kind, "pathIncludes": path},
        "fault": {"status": 503}
    });
    let failing = services.fault(rule).await;
    let worker = run_worker(&mut stage, "w");
    eventually("the worker says that the service is ill", async || {
        worker.status().ill.get(&ill).is_some_and(|said| said.contains("503"))
    })
    .await;
    sleep(Duration::from_secs(3)).await;
    let counts = services.counts().await;
    let refused = counts[service]["faulted"].as_u64().unwrap();
    assert!((2..=60).contains(&refused), "{service}: {counts}");
    let depths = (stage.depth(Lane::Jobs).await, stage.depth(Lane::Poison).await);
    assert_eq!(depths, (1, 0), "{service}");
    assert_eq!(stage.starts.lock().unwrap().len(), 0, "{service}");
    failing.lift().await;
    assert_eq!(ended(&stage, &run).await.status, RunStatus::Completed, "{service}");
    assert_eq!((stage.count("a"), stage.count("b")), (1, 1), "{service}");
}

/// C6
#[tokio::test]
async fn what_a_service_refuses_for_a_while_is_asked_for_with_pauses_until_it_works() {
    let Some(services) = Services::own(&[]) else { return };
    tokio::join!(refused_for_a_while(&services, "cosmos"), refused_for_a_while(&services, "queue"));
}

/// A fan-out, a join, a retry and a fallback.
fn everything() -> Blueprint {
    blueprint(
        "b",
        &json!([
            ["a", "const", {"value": 1}], ["b", "add"], ["c", "add", {"n": 10}],
            ["d", "fail", {}, {"fallback": "f", "maxRetries": 2, "retryDelay": 100}],
            ["f", "const", {"value": 3}],
            ["j", "sum", {}, {}, {"b": "b", "c": "c", "f": "f"}],
        ]),
        &json!([["a", "b"], ["a", "c"], ["a", "d"], ["b", "j"], ["c", "j"], ["d", "j"]]),
    )
}

/// Plays a run during which one request fails.
async fn plays_over(stage: &mut Stage, services: &Services, rule: Value) {
    let said = rule.to_string();
    let run = start(stage, &json!({})).await;
    services.reset_counts().await;
    let service = rule["service"].as_str().unwrap().to_owned();
    let once = services.fault(rule).await;
    run_worker(stage, "w");
    let view = ended(stage, &run).await;
    assert_eq!(view.status, RunStatus::Completed, "{said}: {:?}", view.errors);
    let expected = json!({"a": 1, "b": 2, "c": 11, "d": null, "f": 3, "j": 16});
    assert_eq!(outputs(&view), expected, "{said}");
    until_status(stage, &run, RunStatus::Completed).await;
    eventually(&said, async || stage.depth(Lane::Jobs).await == 0).await;
    assert_eq!(stage.depth(Lane::Poison).await, 0, "{said}");
    let counts = services.counts().await;
    assert_eq!(counts[service]["faulted"], 1, "{said}: the fault met no request: {counts}");
    once.lift().await;
    stage.crash().await;
    let starts = std::mem::take(&mut *stage.starts.lock().unwrap());
    let mut nodes: Vec<_> = starts.iter().map(|start| (&*start.node, start.attempt)).collect();
    nodes.sort_unstable();
    let each_once = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("d", 2), ("f", 1), ("j", 1)];
    assert_eq!(nodes, each_once, "{said}");
}

/// C7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_failure_of_a_service_fails_a_run() {
    let Some(services) = Services::own(&[]) else { return };
    let (mut stage, _) = staged(&services, vec![everything()]).await;
    let busy = json!({"status": 429, "substatus": 3200, "headers": {"x-ms-retry-after-ms": "50"}});
    let (overloaded, broken) = (json!({"status": 503}), json!({"status": 500}));
    let (cut, cut_after) = (json!("reset"), json!("reset-after"));
    let loading = json!({"reply": "-LOADING Redis is loading the dataset in memory"});
    let faults = [
        ("queue", "receive", vec![&overloaded, &cut]),
        ("queue", "send", vec![&overloaded, &broken, &cut, &cut_after]),
        ("queue", "delete", vec![&overloaded, &cut_after]),
        ("cosmos", "read", vec![&busy, &overloaded, &cut]),
        ("cosmos", "replace", vec![&busy, &overloaded, &broken, &cut, &cut_after]),
        ("redis", "EVALSHA", vec![&loading, &cut, &cut_after]),
    ];
    for (service, kind, faults) in faults {
        for fault in faults {
            let rule = json!({
                "service": service, "match": {"kind": kind}, "fault": fault, "count": 1
            });
            plays_over(&mut stage, &services, rule).await;
        }
    }
}
