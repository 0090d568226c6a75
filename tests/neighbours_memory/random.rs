//! Random blueprints of the features that both kinds of workers have, whose nodes they share at
//! random while the JavaScript worker writes over commits of ours: the outputs are those of a run
//! that ours do alone.
//!
//! `NEIGHBOURS_SEED=42 cargo test --test neighbours_memory random` runs one seed again, with its log;
//! `NEIGHBOURS_SEEDS=10000` runs that many.

use std::time::Duration;

use flowcraft_tui::{
    blueprint::{Blueprint, RunId},
    engine::RunStatus,
    operations::CauseKind,
};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::{
    scene::{Scene, reconciling, undisturbed},
    stage::{blueprint, outputs, pass},
    tampered::{Fate, Tampered},
};

/// A blueprint whose result does not depend on who is first.
fn make(random: &mut SmallRng) -> Blueprint {
    let mut nodes: Vec<Value> = Vec::new();
    let mut edges: Vec<Value> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for number in 0..random.random_range(1..3) {
        let id = format!("s{number}");
        nodes.push(json!([id, "work", {"n": number + 1}]));
        open.push(id);
    }
    for number in 0..random.random_range(2..6) {
        let (from, id) =
            (open.choose(random).unwrap().clone(), |part: &str| format!("{part}{number}"));
        let ms = random.random_range(0..400);
        match random.random_range(0..6) {
            0 => {
                nodes.push(json!([id("w"), "work", {"n": 3, "ms": ms}]));
                edges.push(json!([from, id("w")]));
                open.push(id("w"));
            }
            1 => {
                let mut inputs = json!({});
                for branch in ["l", "m", "r"].iter().take(random.random_range(2..4)) {
                    let ms = random.random_range(0..400);
                    nodes.push(json!([id(branch), "work", {"n": 5, "ms": ms}]));
                    edges.push(json!([from, id(branch)]));
                    edges.push(json!([id(branch), id("j")]));
                    inputs[*branch] = id(branch).into();
                }
                nodes.push(json!([id("j"), "work", {"n": 7}, {}, inputs]));
                open.push(id("j"));
            }
            2 => {
                for branch in ["l", "r"] {
                    let ms = random.random_range(0..400);
                    nodes.push(json!([id(branch), "work", {"n": 5, "ms": ms}]));
                    edges.push(json!([from, id(branch)]));
                    edges.push(json!([id(branch), id("j")]));
                }
                nodes.push(json!([id("j"), "work", {"n": 7}, {"joinStrategy": "any"}, from]));
                open.push(id("j"));
            }
            3 => {
                nodes.push(json!([id("t"), "test", {"n": random.random_range(0..30), "ms": ms}]));
                edges.push(json!([from, id("t")]));
                for branch in ["low", "high"] {
                    nodes.push(json!([id(branch), "work", {"n": 11}, {}, from]));
                    let condition = format!("result.output.{branch}");
                    edges.push(json!([id("t"), id(branch), {"condition": condition}]));
                    edges.push(json!([id(branch), id("j")]));
                }
                nodes.push(json!([id("j"), "work", {"n": 7}, {"joinStrategy": "any"}, from]));
                open.push(id("j"));
            }
            4 => {
                let action = *["yes", "no", "other"].choose(random).unwrap();
                nodes.push(json!([id("c"), "choose", {"action": action, "ms": ms}]));
                edges.push(json!([from, id("c")]));
                for branch in ["yes", "no", "else"] {
                    nodes.push(json!([id(branch), "work", {"n": 11}, {}, from]));
                    let named =
                        if branch == "else" { json!({}) } else { json!({"action": branch}) };
                    edges.push(json!([id("c"), id(branch), named]));
                }
                edges.push(json!([id("yes"), id("j")]));
                edges.push(json!([id("no"), id("j")]));
                nodes.push(json!([id("j"), "work", {"n": 7}, {"joinStrategy": "any"}, from]));
                open.push(id("c"));
            }
            _ => {
                // A join of any two: nobody knows which of them is there last.
                let other = open.choose(random).unwrap().clone();
                if other == from {
                    continue;
                }
                edges.push(json!([from, id("j")]));
                edges.push(json!([other, id("j")]));
                let inputs = json!({"one": from, "two": other});
                nodes.push(json!([id("j"), "work", {"n": 7, "ms": ms}, {}, inputs]));
                open.push(id("j"));
            }
        }
    }
    blueprint("b", &Value::Array(nodes), &Value::Array(edges))
}

/// What came of a seed.
enum Came {
    /// To what it should.
    Right,
    /// The JavaScript worker ran a node without what its own write, or another one's, had removed.
    /// Nobody can mend that.
    Spoilt,
}

async fn play(seed: u64) -> Result<Came, String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let blueprint = make(&mut random);
    let expected = undisturbed(&blueprint).await;
    let theirs: Vec<&str> =
        blueprint.nodes.iter().map(|node| &*node.id).filter(|_| random.random_bool(0.5)).collect();
    let mut scene = Scene::of(blueprint.clone(), &theirs);
    let writes_over = random.random_bool(0.7);
    if writes_over {
        *scene.js.gap.lock().unwrap() = Duration::from_millis(random.random_range(1..60));
    }
    for number in 0..random.random_range(1..3) {
        let mut latency = SmallRng::seed_from_u64(seed ^ number);
        let slow = Tampered::new(&scene.stage.cluster, move |_| {
            Fate::Late(Duration::from_millis(latency.random_range(0..20)))
        });
        let mut config = reconciling(&format!("w{number}"));
        config.seed = Some(seed + number);
        scene.stage.run_worker(&scene.stage.make_worker_on(slow.cluster(), config));
    }
    scene.run_js();
    let run: RunId =
        if random.random_bool(0.5) { scene.start().await } else { scene.start_by_js().await };
    pass(60).await;
    scene.take_fence_down(&run).await;
    let mut minutes = 0;
    let view = loop {
        let view = scene.stage.operations.view(&run).await.map_err(|error| error.to_string())?;
        if view.status.is_final() {
            break view;
        }
        minutes += 1;
        if minutes > 120 {
            let causes = scene.stage.operations.explain(&run).await;
            return Err(format!("it does not end: {causes:#?}"));
        }
        pass(60).await;
        for cause in scene.stage.operations.explain(&run).await.unwrap() {
            // Where what a choice led to was lost as well, it takes somebody who says: again.
            if cause.cause == CauseKind::RouteUnknown && minutes > 10 {
                let node = cause.remedy.to_string().rsplit(' ').next().unwrap().to_owned();
                scene.stage.requeue(&run, &[&node]).await;
            }
        }
        let item = scene.stage.status(&run).await;
        if item.status.is_some_and(RunStatus::is_final) {
            // A neighbour says that it has: then only who asks by name has it go on.
            scene.reconcile(&run).await;
        }
    };
    let counts = scene.counts();
    if !scene.js.starved.lock().unwrap().is_empty() {
        return Ok(Came::Spoilt);
    }
    let found = (view.status.to_string(), outputs(&view));
    if found != expected {
        return Err(format!("ours {found:#?}, expected {expected:#?}"));
    }
    if !writes_over && counts.values().any(|count| *count > 1) {
        return Err(format!("run more than once: {counts:?}"));
    }
    Ok(Came::Right)
}

#[test]
fn shared_runs_end_as_those_of_ours_alone() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("NEIGHBOURS_SEED") {
        Some(seed) => {
            tracing_subscriber::fmt().with_env_filter("debug").with_test_writer().init();
            seed..seed + 1
        }
        None => 0..number("NEIGHBOURS_SEEDS").unwrap_or(200),
    };
    let (mut spoilt, mut failures, all) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        match runtime.block_on(play(seed)) {
            Ok(Came::Right) => {}
            Ok(Came::Spoilt) => spoilt += 1,
            Err(failure) => {
                failures += 1;
                eprintln!("seed {seed}: {failure}");
            }
        }
    }
    assert_eq!(failures, 0, "seeds failed");
    assert!(spoilt * 2 <= all, "{spoilt} of {all} seeds show nothing");
    println!("{spoilt} of {all} seeds were spoilt by the JavaScript worker's own writes");
}
