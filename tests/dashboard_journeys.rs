//! What an operator does from the first key to the last, with the real binary on a terminal.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;
#[allow(dead_code)] // Likewise.
#[path = "support/terminal.rs"]
mod terminal;

use std::time::Duration;

use flowcraft_tui::cluster::{DeadLetter, Job, Lane, SystemClock, sqlite_cluster};
use program::Program;
use rustix::process::Signal;
use serde_json::json;
use terminal::Dashboard;

/// Runs count as stalled soon, and nobody but the operator does anything about it.
const HASTY: &str = "[reconciler]\nenabled = false\nstalled_after_seconds = 1\n";

fn open(program: &Program, arguments: &[&str]) -> Dashboard {
    Dashboard::open(&program.path(""), arguments, &[])
}

fn greeting(program: &Program) {
    program.blueprint(&json!({
        "id": "greeting",
        "metadata": { "example": { "name": "Ada" } },
        "nodes": [
            { "id": "name", "uses": "get-ctx", "params": { "key": "name" } },
            { "id": "shout", "uses": "upper" },
        ],
        "edges": [{ "source": "name", "target": "shout" }],
    }));
}

/// The first run of a list, as JSON.
fn only_run(program: &Program) -> serde_json::Value {
    program.json(0, &["runs"])[0].clone()
}

#[test]
fn a_run_is_started_and_watched_to_its_end() {
    let program = Program::new();
    greeting(&program);
    let mut dashboard = open(&program, &[]);
    dashboard.wait_for("No runs yet");
    dashboard.press("s");
    dashboard.wait_for("Start a run of which blueprint?");
    dashboard.press("\r");
    let form = dashboard.wait_for("Start a run of greeting");
    assert!(form.contains("Ada"), "the example is offered:\n{form}");
    // A slip of the finger is shown while it is typed, and mended.
    dashboard.press("x");
    dashboard.wait_for("✗ line 1");
    dashboard.press("\x7f");
    dashboard.wait_for("✓ valid JSON");
    dashboard.press("\t\r");
    dashboard.wait_for("it concerns 1");
    dashboard.press("y");
    dashboard.wait_for("started run");
    dashboard.wait_for("✓ completed");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    let run = only_run(&program);
    assert_eq!((&run["status"], &run["blueprintId"]), (&json!("completed"), &json!("greeting")));
}

#[test]
fn a_stalled_run_is_found_reconciled_and_seen_to_complete() {
    let program = Program::with_config(HASTY);
    greeting(&program);
    program.json(0, &["start", "greeting", "--run-id", "lost", "--input", r#"{"name":"Bo"}"#]);
    // Its message is lost: nobody will ever run it.
    let file = rusqlite::Connection::open(program.path("cluster.db")).unwrap();
    assert_eq!(file.execute("DELETE FROM messages", []).unwrap(), 1);
    drop(file);
    let mut dashboard = open(&program, &[]);
    dashboard.wait_for("▲ stalled");
    dashboard.press("W");
    dashboard.wait_for("nobody has touched it for too long");
    dashboard.press("R");
    let plan = dashboard.wait_for("Reconcile all stalled runs?");
    assert!(!plan.contains("reconciled"), "nothing is done yet:\n{plan}");
    dashboard.wait_for("message: run node");
    dashboard.press("y");
    dashboard.wait_for("reconciled run lost");
    dashboard.press("2");
    dashboard.wait_for("✓ completed");
    // What was done is on record.
    dashboard.press("H");
    dashboard.wait_for("Reconcile all stalled runs");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["show", "lost"])["outputs"]["shout"], "BO");
}

#[test]
fn an_approval_is_answered_with_one_of_its_actions() {
    let program = Program::new();
    program.blueprint(&json!({
        "id": "approval",
        "nodes": [
            { "id": "ask", "uses": "wait" },
            { "id": "paid", "uses": "const", "params": { "value": "paid" } },
            { "id": "refused", "uses": "const", "params": { "value": "refused" } },
        ],
        "edges": [
            { "source": "ask", "target": "paid", "action": "approve" },
            { "source": "ask", "target": "refused", "action": "reject" },
        ],
    }));
    program.json(0, &["start", "approval", "--run-id", "bill-7"]);
    let mut dashboard = open(&program, &[]);
    dashboard.wait_for("◷ awaiting");
    dashboard.press("2\r");
    dashboard.wait_for("Run bill-7");
    dashboard.press("a");
    dashboard.wait_for("approve, reject");
    // From no action past the first one to the second.
    dashboard.press("\x1b[C\x1b[C");
    dashboard.wait_for("◀ reject");
    dashboard.press("\t\"late\"\t\r");
    dashboard.wait_for("Answer node ask of run bill-7?");
    dashboard.wait_for("it concerns");
    dashboard.press("y");
    dashboard.wait_for("answered run bill-7");
    dashboard.wait_for("✓ completed");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    let outputs = &program.json(0, &["show", "bill-7"])["outputs"];
    assert_eq!(*outputs, json!({ "ask": "late", "refused": "refused" }));
}

#[tokio::test]
async fn a_dead_letter_is_replayed() {
    let program = Program::new();
    greeting(&program);
    program.json(0, &["start", "greeting", "--run-id", "r-1", "--input", r#"{"name":"Cy"}"#]);
    // Its message has gone to the poison queue, for a reason that is no more.
    let file = program.path("cluster.db");
    let cluster = sqlite_cluster(&file, std::sync::Arc::new(SystemClock)).await.unwrap();
    let taken = cluster.queue.receive(Lane::Jobs, 1, Duration::from_secs(30)).await.unwrap();
    let body = &taken[0].body;
    assert!(Job::decode(body).is_ok());
    let letter =
        DeadLetter::new(body, "failed 5 times", 5, cluster.clock.now(), "elsewhere".into());
    cluster.queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
    cluster.queue.delete(Lane::Jobs, &taken[0].receipt).await.unwrap();
    drop(cluster);
    let mut dashboard = open(&program, &[]);
    dashboard.wait_for("1 poison");
    dashboard.press("3\t");
    dashboard.wait_for("failed # times");
    // In its group it is the only one.
    dashboard.press("\r");
    dashboard.wait_for("r-1");
    dashboard.press("P");
    dashboard.wait_for("Replay");
    dashboard.wait_for("it concerns 1");
    dashboard.press("y");
    dashboard.wait_for("replayed 1 dead letter");
    dashboard.press("2");
    dashboard.wait_for("✓ completed");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["dead-letters"]), json!([]));
    assert_eq!(program.json(0, &["show", "r-1"])["outputs"]["shout"], "CY");
}

fn slow(program: &Program, seconds: f64) {
    program.blueprint(&json!({
        "id": "slow",
        "nodes": [{ "id": "turtle", "uses": "slow", "params": { "seconds": seconds } }],
    }));
    program.json(0, &["start", "slow", "--run-id", "run-1"]);
}

#[test]
fn who_leaves_while_nodes_are_running_is_asked_and_nothing_is_lost() {
    let program = Program::new();
    slow(&program, 2.0);
    let mut dashboard = open(&program, &[]);
    program.wait_for_slow_nodes(1);
    dashboard.wait_for("1/16 slots");
    dashboard.press("q");
    dashboard.wait_for("1 node is still running here");
    dashboard.press("n");
    dashboard.wait_until_gone("still running here");
    dashboard.press("qy");
    dashboard.wait_for("LEAVING: 1 left");
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["show", "run-1"])["outputs"], json!({ "turtle": "slept" }));
}

#[test]
fn a_terminal_that_is_lost_drains_the_worker() {
    let program = Program::new();
    slow(&program, 1.5);
    let dashboard = open(&program, &[]);
    program.wait_for_slow_nodes(1);
    dashboard.wait_for("1/16 slots");
    dashboard.signal(Signal::HUP);
    assert_eq!(dashboard.end(), 0);
    assert_eq!(program.json(0, &["show", "run-1"])["outputs"], json!({ "turtle": "slept" }));
    assert_eq!(program.json(0, &["workers"]), json!([]), "it said goodbye");
}

#[test]
fn it_stops_for_the_shell_and_comes_back() {
    let program = Program::new();
    greeting(&program);
    let mut dashboard = open(&program, &["--watch-only"]);
    dashboard.wait_for("No runs yet");
    dashboard.press("\x1a");
    // The screen is the shell's again.
    dashboard.wait_until("the shell", |text| !text.contains("No runs yet"));
    program.json(0, &["start", "greeting", "--run-id", "meanwhile"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!dashboard.text().contains("meanwhile"), "it stands still");
    dashboard.signal(Signal::CONT);
    dashboard.wait_for("meanwhile");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
}

#[test]
fn a_storm_of_sizes_and_a_megabyte_of_paste_leave_it_as_it_was() {
    let program = Program::new();
    greeting(&program);
    let mut dashboard = open(&program, &["--watch-only"]);
    dashboard.wait_for("No runs yet");
    for step in 0..60u16 {
        dashboard.resize(1 + step % 37, 1 + (step * 7) % 130);
    }
    dashboard.resize(40, 120);
    dashboard.wait_for("No runs yet");
    dashboard.press("s\r");
    dashboard.wait_for("Start a run of greeting");
    let megabyte = "\"paste\" ".repeat(128 * 1024);
    dashboard.press(&format!("\x1b[200~{megabyte}\x1b[201~"));
    dashboard.wait_for("the paste was cut");
    dashboard.press("\x1b");
    dashboard.wait_until_gone("Start a run of greeting");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
}
