//! Running one blueprint in this process, for programs that need no cluster.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{Lint, OperationError, Operations, Rest, RunView, StartRequest};
use crate::{
    blueprint::{Blueprint, Library},
    cluster::{SystemClock, memory_cluster},
    nodes::Registry,
    worker::{Worker, WorkerConfig},
};

/// How long to wait between two looks at the run: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Runs a blueprint to its end, in this process and in memory: nothing of it outlives the call.
///
/// Timers are waited out; where only an answer can help, it returns the run as it is then, with
/// status `awaiting`. A run that failed is no error: look at [`RunView::status`]. Dropping the
/// future stops the run.
///
/// A blueprint that names others as subflows needs a library with all of them: use a [`Worker`] and
/// [`Operations`] on [`memory_cluster`] instead.
///
/// Fails with [`OperationError::Lint`] if the blueprint can't work, or if one of its nodes uses a
/// kind that is neither built in nor in the registry.
pub async fn run_in_memory(
    blueprint: Blueprint,
    registry: Registry,
    input: Map<String, Value>,
) -> Result<RunView, OperationError> {
    let request = StartRequest {
        blueprint: blueprint.id.clone(),
        input,
        run: None,
        lint: Lint::EnforceWith(registry.names().map(str::to_owned).collect()),
    };
    let config = WorkerConfig {
        poll_ceiling: LONGEST_PAUSE,
        reconciler: None,
        ..WorkerConfig::named("in-memory")
    };
    let cluster = memory_cluster(Arc::new(SystemClock));
    let worker = Worker::new(cluster, Library::fixed(vec![blueprint]), registry, config);
    let operations = Operations::beside(&worker);
    let run = operations.start(request).await?.run;
    let follow = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match operations.glance(&run).await?.rest {
                Rest::Ended | Rest::Answer => return operations.view(&run).await,
                Rest::Moving | Rest::Timer(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        view = follow => view,
        // It works until it is told to drain, which nobody here does.
        () = worker.run() => operations.view(&run).await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::{
        blueprint::sanitize,
        engine::RunStatus,
        nodes::{NodeError, NodeOutput},
    };

    fn blueprint(nodes: &Value, edges: &Value) -> Blueprint {
        sanitize(json!({"id": "b", "nodes": nodes, "edges": edges})).unwrap()
    }

    fn registry() -> Registry {
        Registry::new()
            .with_fn("greet", |context| {
                let name = context.get("name").and_then(Value::as_str).unwrap_or("nobody");
                Ok(NodeOutput::value(format!("hello {name}")))
            })
            .with_fn("fail", |_| Err(NodeError::ordinary("out of paper")))
    }

    fn input() -> Map<String, Value> {
        json!({"name": "Ada"}).as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn a_run_is_carried_to_its_end_over_timers() {
        let nodes = json!([
            {"id": "a", "uses": "greet"},
            {"id": "s", "uses": "sleep", "params": {"duration": 20}},
            {"id": "z", "uses": "greet"},
        ]);
        let edges = json!([{"source": "a", "target": "s"}, {"source": "s", "target": "z"}]);
        let view = run_in_memory(blueprint(&nodes, &edges), registry(), input()).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(view.outputs["z"], json!("hello Ada"));
    }

    #[tokio::test]
    async fn a_failed_run_is_returned_with_its_errors() {
        let nodes = json!([{"id": "a", "uses": "fail"}]);
        let view = run_in_memory(blueprint(&nodes, &json!([])), registry(), input()).await.unwrap();
        assert_eq!(view.status, RunStatus::Failed);
        assert_eq!(view.errors[0].message, "out of paper");
    }

    #[tokio::test]
    async fn where_only_an_answer_can_help_it_returns() {
        let nodes = json!([{"id": "w", "uses": "wait"}]);
        let view = run_in_memory(blueprint(&nodes, &json!([])), registry(), input()).await.unwrap();
        assert_eq!(view.status, RunStatus::Awaiting);
        assert_eq!(view.awaiting, ["w".into()]);
    }

    #[tokio::test]
    async fn an_unknown_kind_of_node_is_refused_before_anything_runs() {
        let nodes = json!([{"id": "a", "uses": "gret"}]);
        let refused = run_in_memory(blueprint(&nodes, &json!([])), registry(), input()).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, OperationError::Lint { .. }), "{error}");
        assert!(error.to_string().contains("gret"), "{error}");
    }
}
