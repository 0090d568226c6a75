//! `dead-letters` through the real binary: what a worker could not handle, tried again or deleted.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{Cluster, DeadLetter, Job, Lane, SystemClock, sqlite_cluster},
};
use program::Program;
use serde_json::{Value, json};

async fn poison(cluster: &Cluster, body: &str) {
    let letter = DeadLetter::new(body, "for a reason", 5, cluster.clock.now(), "w".into());
    cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
}

fn ids(letters: &Value) -> Vec<String> {
    letters.as_array().unwrap().iter().map(|l| l["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn letters_are_replayed_and_purged() {
    let program = Program::new();
    program.blueprint(&json!({ "id": "one", "nodes": [{ "id": "a", "uses": "noop" }] }));
    assert_eq!(program.json(0, &["dead-letters", "purge", "--all"]), json!([]));
    program.json(0, &["start", "one", "--run-id", "r"]);
    let cluster = sqlite_cluster(&program.path("cluster.db"), Arc::new(SystemClock)).await.unwrap();
    // The run's message, in the wrong queue.
    let messages = cluster.queue.receive(Lane::Jobs, 1, Duration::from_mins(1)).await.unwrap();
    cluster.queue.delete(Lane::Jobs, &messages[0].receipt).await.unwrap();
    poison(&cluster, &messages[0].body).await;
    poison(&cluster, "junk").await;
    // And one that a worker puts there by itself.
    cluster.queue.send(Lane::Jobs, "rubbish".to_owned(), Duration::ZERO).await.unwrap();
    assert!(Job::decode("rubbish").is_err());
    let worker = program.spawn(&["--no-ui"]);
    let limit = std::time::Instant::now() + Duration::from_secs(10);
    let letters = loop {
        let letters = program.json(0, &["dead-letters"]);
        if letters.as_array().unwrap().len() == 3 {
            break letters;
        }
        assert!(std::time::Instant::now() < limit, "{letters}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let causes = program.json(0, &["explain", "r"]);
    let poisoned = &causes["causes"].as_array().unwrap().iter().any(|c| c["cause"] == "poisoned");
    assert!(poisoned, "{causes}");
    let ids = ids(&letters);
    let error = program.error(2, &["dead-letters", "purge", "--all"]);
    assert!(error.contains("--yes"), "{error}");
    let plan = program.json(0, &["dead-letters", "replay", "--all", "--dry-run"]);
    let step = |id: &str| plan.as_array().unwrap().iter().find(|it| it["id"] == id).unwrap();
    assert_eq!(step(&ids[0])["runId"], "r");
    let change =
        format!("dead letter {}: run node \"a\" of run \"r\": its message is sent again", ids[0]);
    assert_eq!(step(&ids[0])["changes"], json!([change]));
    let stays = step(&ids[1])["changes"][0].as_str().unwrap();
    assert!(stays.ends_with("stays: it is not a job: purge it"), "{stays}");
    let replayed = program.json(0, &["dead-letters", "replay", "--all", "--yes"]);
    assert_eq!(replayed, json!([{ "id": ids[0] }]));
    let refusal =
        format!("dead letter \"{}\" is not a job and can't be replayed: purge it", ids[1]);
    for more in ["--dry-run", "--yes"] {
        let error = program.error(1, &["dead-letters", "replay", &ids[1], more]);
        assert!(error.contains(&refusal), "{more}: {error}");
    }
    let purged = program.json(0, &["dead-letters", "purge", &ids[1]]);
    assert_eq!(purged, json!([{ "id": ids[1] }]));
    assert_eq!(program.json(0, &["queue"])["poison"], 1);
    assert_eq!(
        program.text(&["dead-letters", "purge", "--all"]),
        format!("purged {}\n1 purged.\n", ids[2])
    );
    program::signal(&worker, rustix::process::Signal::TERM);
    assert_eq!(program::finish(worker).status.code(), Some(0));
    program.run(&["--no-ui", "--until-idle"]);
    assert_eq!(program.json(0, &["show", "r"])["status"], "completed");
    let state = cluster.state.read_status(&RunId::from("r")).await.unwrap();
    assert!(state.unwrap().item.final_status.is_some());
}

/// Starts runs and moves their messages to the wrong queue.
async fn misplaced(program: &Program, cluster: &Cluster, blueprint: &str, runs: &[&str]) {
    for run in runs {
        program.json(0, &["start", blueprint, "--run-id", run]);
    }
    for taken in cluster.queue.receive(Lane::Jobs, 32, Duration::from_mins(1)).await.unwrap() {
        cluster.queue.delete(Lane::Jobs, &taken.receipt).await.unwrap();
        poison(cluster, &taken.body).await;
    }
}

#[tokio::test]
async fn a_group_is_replayed_with_a_canary_and_a_canary_that_fails_is_exit_code_1() {
    let program = Program::new();
    program.blueprint(&json!({ "id": "one", "nodes": [{ "id": "a", "uses": "noop" }] }));
    program.blueprint(&json!({ "id": "bad", "nodes": [{ "id": "x", "uses": "fail" }] }));
    program.json(0, &["queue"]);
    let cluster = sqlite_cluster(&program.path("cluster.db"), Arc::new(SystemClock)).await.unwrap();
    misplaced(&program, &cluster, "one", &["r1", "r2", "r3"]).await;
    misplaced(&program, &cluster, "bad", &["b1", "b2"]).await;
    let letters = program.json(0, &["dead-letters", "list"]);
    let print = |at: usize| letters[at]["fingerprint"].as_str().unwrap().to_owned();
    let (good, bad) = (print(0), print(3));
    assert!(good != bad && print(2) == good && print(4) == bad, "{letters}");
    let table = program.text(&["dead-letters", "list", "--group"]);
    assert!(table.contains("5 dead letters in 2 groups."), "{table}");
    assert_eq!(program.json(0, &["dead-letters", "list", "--deep"]), letters);

    let plan = program.json(0, &["dead-letters", "replay", "--group", &good, "--dry-run"]);
    let canaries: Vec<bool> =
        plan.as_array().unwrap().iter().map(|step| step["canary"].as_bool().unwrap()).collect();
    assert_eq!(canaries, [true, false, false]);
    let text = program.text(&["dead-letters", "replay", "--group", &good, "--dry-run"]);
    assert!(
        text.starts_with("canary, first: dead letter ") && text.contains("the 2 others"),
        "{text}"
    );
    assert!(
        program.error(2, &["dead-letters", "replay", "--group", "xyz"]).contains("fingerprint")
    );

    // Nobody works: not decided, and nothing else is touched.
    let output = program.run(&[
        "dead-letters",
        "replay",
        "--group",
        &bad,
        "--yes",
        "--json",
        "--canary-timeout",
        "1s",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("the canary did not pass, node \"x\" of run \"b"), "{error}");
    assert!(error.contains("no worker is alive"), "{error}");
    assert_eq!(program.json(0, &["queue"])["poison"], 4);
    misplaced(&program, &cluster, "bad", &["b3", "b4"]).await;

    let worker = program.spawn(&["--no-ui"]);
    let replayed = program.json(0, &["dead-letters", "replay", "--group", &good, "--yes"]);
    let replayed = replayed.as_array().unwrap();
    assert_eq!(replayed.len(), 3);
    assert_eq!(replayed[0]["canary"], "passed");
    let before = program.json(0, &["queue"])["poison"].as_u64().unwrap();
    let output = program.run(&["dead-letters", "replay", "--group", &bad, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("the canary failed, node \"x\" of run \"b"), "{error}");
    assert!(error.contains("boom"), "{error}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(" as the canary\n1 replayed.\n"), "{out}");
    assert_eq!(program.json(0, &["queue"])["poison"].as_u64(), Some(before - 1));
    // Without one, all go, whatever becomes of them.
    let rest =
        program.json(0, &["dead-letters", "replay", "--group", &bad, "--no-canary", "--yes"]);
    assert_eq!(rest.as_array().unwrap().len() as u64, before - 1);
    program::signal(&worker, rustix::process::Signal::TERM);
    assert_eq!(program::finish(worker).status.code(), Some(0));
    for run in ["r1", "r2", "r3"] {
        assert_eq!(program.json(0, &["show", run])["status"], "completed");
    }
    assert_eq!(program.json(0, &["dead-letters", "purge", "--group", &bad, "--yes"]), json!([]));
}
