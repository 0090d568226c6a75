//! Results that are written at the same time by several workers.

use std::sync::Arc;

use async_trait::async_trait;
use flowcraft_tui::{
    cluster::Lane,
    engine::RunStatus,
    nodes::{Node, NodeContext, NodeError, NodeOutput},
    worker::Worker,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{config, connected, ended, staged, start, until_status};
use crate::{
    services::services,
    stage::{Stage, blueprint, outputs},
};

/// Gives the run's number, but not before all workers are at work: more wait here than fit into one
/// worker less.
struct Meet {
    needed: usize,
    here: watch::Sender<usize>,
}

impl Meet {
    fn of(workers: usize) -> Arc<Self> {
        let slots = config("w").slots;
        Arc::new(Self { needed: (workers - 1) * slots + 1, here: watch::Sender::new(0) })
    }
}

#[async_trait]
impl Node for Meet {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        self.here.send_modify(|here| *here += 1);
        let mut here = self.here.subscribe();
        here.wait_for(|here| *here >= self.needed).await.expect("the sender is in self");
        Ok(NodeOutput::value(context.get("x").cloned().unwrap_or(Value::Null)))
    }
}

/// Workers that share nothing but the services.
fn workers(
    stage: &mut Stage,
    settings: &flowcraft_tui::cluster::AzureSettings,
    count: usize,
) -> Vec<Worker> {
    (0..count)
        .map(|number| {
            let worker = stage.make_worker_on(connected(settings), config(&format!("w{number}")));
            stage.run_worker(&worker);
            worker
        })
        .collect()
}

/// Starts runs whose input is their number, and checks that each has the outputs it must have.
async fn all_right(stage: &Stage, runs: u64, expected: impl Fn(u64) -> Value) {
    let mut started = Vec::new();
    for number in 0..runs {
        started.push((number, start(stage, &json!({"x": number})).await));
    }
    for (number, run) in started {
        let view = ended(stage, &run).await;
        assert_eq!(view.status, RunStatus::Completed, "{number}: {:?}", view.errors);
        assert_eq!(outputs(&view), expected(number), "{number}");
        until_status(stage, &run, RunStatus::Completed).await;
    }
}

/// B1, B2, B3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_lose_no_output_and_no_input_of_sixty_diamonds() {
    let Some(services) = services() else { return };
    let diamond = blueprint(
        "b",
        &json!([
            ["a", "meet"], ["b", "add", {"n": 1}], ["c", "add", {"n": 10}],
            ["d", "sum", {}, {}, {"b": "b", "c": "c"}],
        ]),
        &json!([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]),
    );
    let (stage, settings) = staged(services, vec![diamond]).await;
    let mut stage = stage.with_node("meet", Meet::of(4));
    let workers = workers(&mut stage, &settings, 4);
    all_right(&stage, 60, |x| json!({"a": x, "b": x + 1, "c": x + 10, "d": 2 * x + 11})).await;
    for node in ["a", "b", "c", "d"] {
        assert_eq!(stage.count(node), 60, "{node}");
    }
    for worker in workers {
        assert!(worker.status().done > 0, "{} had nothing to do", worker.name());
    }
    assert_eq!(stage.depth(Lane::Poison).await, 0);
}

/// B1, B3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_of_twenty_loses_nothing_on_a_slow_cosmos_db() {
    let Some(services) = services() else { return };
    let names: Vec<String> = (0..20).map(|number| format!("n{number:02}")).collect();
    let mut nodes = vec![json!(["a", "get-ctx", {"key": "x"}])];
    let mut edges = Vec::new();
    for (number, name) in names.iter().enumerate() {
        nodes.push(json!([name, "add", {"n": number}]));
        edges.push(json!(["a", name]));
        edges.push(json!([name, "z"]));
    }
    let inputs: Value = names.iter().map(|name| (name.clone(), json!(name))).collect();
    nodes.push(json!(["z", "sum", {}, {}, inputs]));
    let fan = blueprint("b", &Value::Array(nodes), &Value::Array(edges));
    let (mut stage, settings) = staged(services, vec![fan]).await;
    let slow = services
        .fault(json!({
            "service": "cosmos", "match": {"pathIncludes": settings.names.database},
            "fault": {"delayMs": 10}
        }))
        .await;
    workers(&mut stage, &settings, 4);
    all_right(&stage, 10, |x| {
        let mut expected = json!({"a": x, "z": 20 * x + 190});
        for (name, number) in names.iter().zip(x..) {
            expected[name] = json!(number);
        }
        expected.as_object_mut().unwrap().sort_keys();
        expected
    })
    .await;
    slow.lift().await;
    assert_eq!(stage.count("z"), 10);
    assert_eq!(stage.counts().values().sum::<usize>(), 10 * 22, "{:?}", stage.counts());
}
