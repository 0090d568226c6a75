//! A JavaScript worker that dies after each of its steps: its message comes back, or the reconciler
//! goes on from what it left.

use flowcraft_tui::{blueprint::Blueprint, cluster::Lane, engine::RunStatus};
use serde_json::json;

use crate::{
    javascript::{STEPS, Step},
    scene::{Scene, reconciling, undisturbed},
    stage::{blueprint, outputs, pass},
};

fn diamond(strategy: &str) -> Blueprint {
    let inputs = if strategy == "any" { json!("a") } else { json!({"b": "b", "c": "c"}) };
    let nodes = json!([
        ["a", "work", {"n": 1}], ["b", "work", {"n": 10}], ["c", "work", {"n": 20, "ms": 1000}],
        ["d", "work", {"n": 100}, {"joinStrategy": strategy}, inputs], ["e", "work", {"n": 1000}],
    ]);
    blueprint("b", &nodes, &json!([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["d", "e"]]))
}

/// What becomes of the message in the dead worker's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    ComesBack,
    IsLost,
}

async fn dies(strategy: &str, theirs: &[&str], node: &str, step: Step, message: Message) {
    if node == "e" && matches!(step, Step::InputWritten | Step::Counted | Step::Sent) {
        // Nothing follows it.
        return;
    }
    let blueprint = diamond(strategy);
    let (_, expected) = undisturbed(&blueprint).await;
    let said = format!("{strategy}: {theirs:?}, dead at {node} {step:?}, its message {message:?}");
    let mut scene = Scene::of(blueprint, theirs);
    *scene.js.dies.lock().unwrap() = Some((node.to_owned(), step));
    scene.stage.run_worker(&scene.stage.make_worker(reconciling("w")));
    scene.run_js();
    let run = scene.start().await;
    pass(10).await;
    // A node that another predecessor had fired may have been done elsewhere.
    if !scene.js.is_dead() {
        assert_eq!(strategy, "any", "{said}");
    }
    if message == Message::IsLost {
        pass(30).await;
        for delivery in
            scene.queue.theirs.receive(Lane::Jobs, 32, std::time::Duration::ZERO).await.unwrap()
        {
            scene.queue.theirs.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
        }
    }
    scene.take_fence_down(&run).await;
    pass(900).await;
    let mut view = scene.stage.operations.view(&run).await.unwrap();
    if !view.status.is_final() {
        // It said that the run had ended before a branch of it had: such a run is left alone until
        // somebody asks.
        let item = scene.stage.status(&run).await;
        assert_eq!(item.status, Some(RunStatus::Completed), "{said}: {view:#?}");
        scene.reconcile(&run).await;
        view = scene.ended(&run).await;
    }
    assert_eq!(view.status, RunStatus::Completed, "{said}: {view:#?}");
    assert_eq!(outputs(&view), expected, "{said}");
    assert_eq!(scene.stage.status(&run).await.status, Some(RunStatus::Completed), "{said}");
    assert_eq!(scene.stage.depth(Lane::Jobs).await, 0, "{said}");
    let counts = scene.counts();
    for (id, count) in &counts {
        // What it ran without storing an output ran in vain.
        let again = scene.js.count(id) == 1 && !scene.js.stored.lock().unwrap().contains(id);
        assert!(*count == 1 || (again && *count == 2), "{said}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_every_step_of_every_node() {
    for strategy in ["all", "any"] {
        for node in ["a", "b", "c", "d"] {
            for step in STEPS {
                for message in [Message::ComesBack, Message::IsLost] {
                    dies(strategy, &[node], node, step, message).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn at_every_step_when_all_before_was_its_own() {
    for strategy in ["all", "any"] {
        let nodes = ["a", "b", "c", "d", "e"];
        for (number, node) in nodes.iter().enumerate() {
            for step in STEPS {
                for message in [Message::ComesBack, Message::IsLost] {
                    dies(strategy, &nodes[..=number], node, step, message).await;
                }
            }
        }
    }
}
