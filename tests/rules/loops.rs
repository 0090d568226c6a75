//! Rule 13: when a loop goes round, and what it resets.

use std::time::Duration;

use flowcraft_tui::{
    cluster::{Key, Neighbours},
    engine::RunStatus,
};
use serde_json::json;

use crate::stage::{Stage, pass};

#[tokio::test(start_paused = true)]
async fn rule_13_a_loop_goes_round_only_when_no_member_is_active() {
    // Of the two ways out of x, one leads back at once and the other takes ten seconds.
    let mut stage = Stage::of(
        &json!([
            ["init", "set-ctx", {"key": "more", "value": true}],
            ["loop", "loop-controller", {"condition": "more"}, {"joinStrategy": "any"}],
            ["x", "incr-check", {"key": "n", "flag": "more", "limit": 3}],
            ["fast", "noop"], ["slow", "busy", {"ms": 10_000}],
            ["done", "get-ctx", {"key": "n"}],
        ]),
        &json!([
            ["init", "loop"],
            ["loop", "x", {"action": "continue"}],
            ["x", "fast"], ["x", "slow"], ["fast", "loop"],
            ["loop", "done", {"action": "break"}],
        ]),
    );
    stage.worker("w2");
    let view = stage.play(&json!({})).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["done"], 3);
    let (x, slow) = (stage.times("x"), stage.times("slow"));
    assert_eq!((x.len(), slow.len()), (3, 3));
    for pass in 1..3 {
        let pause = x[pass] - slow[pass - 1];
        assert!(pause >= Duration::from_secs(10), "pass {pass} began after {pause:?}");
    }
    assert!(stage.times("done")[0] - slow[2] >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_pass_resets_joins_batches_and_dynamic_nodes() {
    let mut stage = Stage::of(
        &json!([
            ["init", "set-ctx", {"key": "more", "value": true}],
            ["loop", "loop-controller", {"condition": "more"}, {"joinStrategy": "any"}],
            ["items", "const", {"value": [1, 2, 3]}],
            ["sc", "batch-scatter", {"workerUsesKey": "double", "gatherNodeId": "ga"}, {}, "items"],
            ["ga", "batch-gather", {"gatherNodeId": "ga"}],
            ["l", "noop"], ["r", "noop"], ["any", "noop", {}, {"joinStrategy": "any"}],
            ["next", "incr-check", {"key": "n", "flag": "more", "limit": 2}],
            ["done", "sum", {}, {}, "ga"],
        ]),
        &json!([
            ["init", "loop"],
            ["loop", "items", {"action": "continue"}],
            ["items", "sc"], ["sc", "ga"], ["ga", "l"], ["ga", "r"],
            ["l", "any"], ["r", "any"], ["any", "next"], ["next", "loop"],
            ["loop", "done", {"action": "break"}],
        ]),
    );
    stage.cluster.neighbours = Neighbours::JavaScript;
    stage.worker("w");
    let run = stage.start().await;
    let view = stage.settled(&run).await;
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(view.outputs["done"], 12);
    let counts = stage.counts();
    assert_eq!((counts["any"], counts["next"]), (2, 2));
    let workers = counts.iter().filter(|(node, _)| node.starts_with("double_")).map(|(_, n)| n);
    assert_eq!(workers.sum::<usize>(), 6, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_pass_clears_the_join_locks_of_its_members() {
    let mut stage = Stage::of(
        &json!([
            ["init", "set-ctx", {"key": "more", "value": true}],
            ["loop", "loop-controller", {"condition": "more"}, {"joinStrategy": "any"}],
            ["x", "incr-check", {"key": "n", "flag": "more", "limit": 2}],
            ["l", "busy", {"ms": 10_000}], ["r", "busy", {"ms": 10_000}],
            ["any", "noop", {}, {"joinStrategy": "any"}],
            ["done", "noop"],
        ]),
        &json!([
            ["init", "loop"],
            ["loop", "x", {"action": "continue"}],
            ["x", "l"], ["x", "r"], ["l", "any"], ["r", "any"], ["any", "loop"],
            ["loop", "done", {"action": "break"}],
        ]),
    );
    stage.cluster.neighbours = Neighbours::JavaScript;
    stage.worker("w");
    let run = stage.start().await;
    let lock = Key::join_lock(&run, &"any".into());
    let store = stage.cluster.coordination.clone();
    pass(5).await;
    assert_eq!(stage.count("l"), 1);
    pass(10).await;
    assert_eq!(stage.count("l"), 2, "the second pass is under way");
    assert_eq!(store.get(&lock).await.unwrap(), None);
    assert_eq!(stage.settled(&run).await.status, RunStatus::Completed);
    assert!(store.get(&lock).await.unwrap().is_some());
    assert_eq!(stage.count("any"), 2);
}
