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
    assert_eq!(plan[0]["runId"], "r");
    let change =
        format!("dead letter {}: run node \"a\" of run \"r\": its message is sent again", ids[0]);
    assert_eq!(plan[0]["changes"], json!([change]));
    let stays = plan[1]["changes"][0].as_str().unwrap();
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
