//! The commands on runs and blueprints through the real binary: what they print, what they change,
//! how they end.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use program::{Program, finish, json_of, signal};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A program with blueprints of all sorts.
fn program() -> Program {
    let program = Program::new();
    let constant = |id: &str| json!({ "id": id, "uses": "const", "params": { "value": id } });
    program.blueprint(&json!({
        "id": "hello",
        "metadata": { "version": "2" },
        "nodes": [constant("a"), { "id": "b", "uses": "set-ctx", "params": { "key": "k" } }],
        "edges": [{ "source": "a", "target": "b" }],
    }));
    program.blueprint(&json!({
        "id": "ask",
        "nodes": [constant("a"), { "id": "w", "uses": "wait" }, constant("yes"), constant("no")],
        "edges": [
            { "source": "a", "target": "w" },
            { "source": "w", "target": "yes", "action": "approve" },
            { "source": "w", "target": "no", "action": "refuse" },
        ],
    }));
    program.blueprint(&json!({
        "id": "broken",
        "nodes": [{ "id": "x", "uses": "fail", "params": { "message": "no luck" } }],
        "edges": [],
    }));
    program
}

fn work(program: &Program) {
    let output = program.run(&["--no-ui", "--until-idle"]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_run_from_its_start_to_its_end() {
    let program = program();
    let plan = program.json(0, &["start", "ask", "--run-id", "r", "--dry-run"]);
    assert_eq!(plan["runId"], "r");
    assert_eq!(plan["changes"][0], "create run \"r\" with 0 context keys");
    assert_eq!(plan["changes"][1], "message: run node \"a\"");
    assert!(program.error(2, &["show", "r"]).contains("there is no run \"r\""));
    let started = program.json(0, &["start", "ask", "--run-id", "r", "--input", "{\"k\":1}"]);
    assert_eq!(started, json!({ "runId": "r", "status": "running" }));
    let causes = program.json(0, &["explain", "r"]);
    assert_eq!(members(&causes["causes"][0]), ["cause", "confidence", "evidence", "remedy"]);
    assert_eq!(causes["causes"][0]["cause"], "no-workers");
    work(&program);
    let shown = program.json(0, &["show", "r"]);
    assert_eq!(
        members(&shown),
        [
            "runId",
            "status",
            "outputs",
            "context",
            "awaiting",
            "errors",
            "blueprintId",
            "parentRunId",
            "startedAt",
            "lastUpdated",
            "nodes"
        ]
    );
    assert_eq!(
        members(&shown["nodes"][0]),
        ["id", "state", "iteration", "attempts", "startedAt", "finishedAt", "worker", "error"]
    );
    assert_eq!((&shown["status"], &shown["awaiting"]), (&json!("awaiting"), &json!(["w"])));
    assert_eq!(shown["context"], json!({ "k": 1 }));
    assert_eq!(program.json(0, &["explain", "r"])["causes"][0]["cause"], "waiting-for-answer");

    let error = program.error(2, &["resume", "r", "--action", "aprove"]);
    assert!(error.contains("\"approve\"") && error.contains("\"refuse\""), "{error}");
    assert!(program.error(2, &["resume", "r", "--node", "a"]).contains("does not wait"));
    let resume = ["resume", "r", "--action", "approve", "--output", "[1]"];
    let plan = program.json(0, &[&resume[..], &["--dry-run"]].concat());
    assert_eq!(members(&plan), ["runId", "changes"]);
    let changes: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert!(changes.contains(&"node \"w\": awaiting -> completed"), "{changes:?}");
    assert!(changes.contains(&"message: run node \"yes\""), "{changes:?}");
    assert_eq!(program.json(0, &["show", "r"])["status"], "awaiting");
    assert_eq!(program.json(0, &resume), json!({ "runId": "r", "enqueued": ["yes"] }));
    assert!(program.error(1, &["resume", "r"]).contains("no node of the run waits"));
    work(&program);
    let shown = program.json(0, &["show", "r"]);
    assert_eq!(shown["outputs"], json!({ "a": "a", "w": [1], "yes": "yes" }));
    let ended = program.error(1, &["resume", "r"]);
    assert!(ended.contains("the run is completed"), "{ended}");
    assert_eq!(program.json(0, &["explain", "r"])["causes"][0]["cause"], "finished");
    // The same start again goes on with that run; another one is refused.
    let again = program.json(0, &["start", "ask", "--run-id", "r", "--input", "{\"k\":1}"]);
    assert_eq!(again, json!({ "runId": "r", "status": "completed" }));
    let taken = program.error(2, &["start", "hello", "--run-id", "r"]);
    assert!(taken.contains("exists already with another blueprint"), "{taken}");
    for (arguments, words) in [
        (&["show", "r"][..], &["NODE", "approve", "completed", "OUTPUT", "CONTEXT"][..]),
        (&["explain", "r"], &["finished (certain)", "do: nothing"]),
    ] {
        let text = program.text(arguments);
        for word in words.iter().filter(|word| **word != "approve") {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn failed_runs_are_requeued_and_cancelled_ones_stay() {
    let program = program();
    for run in ["f", "c1", "c2", "c3"] {
        program.json(0, &["start", if run == "f" { "broken" } else { "ask" }, "--run-id", run]);
    }
    work(&program);
    let shown = program.json(0, &["show", "f"]);
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["errors"][0]["nodeId"], "x");
    assert!(shown["errors"][0]["message"].as_str().unwrap().contains("no luck"), "{shown}");
    let plan = program.json(0, &["requeue", "f", "--dry-run"]);
    assert_eq!(plan["changes"][0], "status: failed -> running");
    assert_eq!(program.json(0, &["requeue", "f"]), json!({ "runId": "f", "enqueued": ["x"] }));
    work(&program);
    assert!(program.error(2, &["requeue", "f", "--node", "y"]).contains("no node \"y\""));

    let plans = program.json(0, &["cancel", "c1", "c2", "--dry-run"]);
    assert_eq!(plans[1]["runId"], "c2");
    assert_eq!(plans[1]["changes"][0], "status: awaiting -> cancelled");
    let error = program.error(2, &["cancel", "c1", "c2"]);
    assert!(error.contains("2 runs") && error.contains("--yes"), "{error}");
    let cancelled = program.json(0, &["cancel", "c1", "c2", "c1", "--yes"]);
    let expected = json!([
        { "runId": "c1", "status": "cancelled" },
        { "runId": "c2", "status": "cancelled" },
    ]);
    assert_eq!(cancelled, expected);
    // One that can't be cancelled does not keep the others from it.
    let output = program.run(&["cancel", "nobody", "c3", "--yes", "--json"]);
    assert_eq!(json_of(2, &output), json!([{ "runId": "c3", "status": "cancelled" }]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no run \"nobody\""));
    assert!(program.error(1, &["cancel", "f"]).contains("the run is failed"));
    let nothing = program.json(0, &["start", "hello", "--run-id", "h"]);
    assert_eq!(nothing["status"], "running");
    work(&program);
    assert!(program.error(1, &["requeue", "h"]).contains("nothing to requeue"));
}

#[test]
fn a_start_that_is_too_large_leaves_nothing() {
    let program = program();
    let input = json!({ "v": "x".repeat(1_900_000) }).to_string();
    fs::write(program.path("large.json"), input).unwrap();
    let start = ["start", "hello", "--run-id", "r", "--input", "@large.json"];
    for command in [&start[..], &[&start[..], &["--dry-run"]].concat()] {
        let error = program.error(2, command);
        assert!(error.contains("run \"r\" can't be started: the run's document would"), "{error}");
    }
    assert_eq!(program.json(0, &["runs"]), json!([]));
}

#[test]
fn an_answer_without_an_action_says_that_it_takes_every_branch() {
    let program = program();
    program.json(0, &["start", "ask", "--run-id", "r"]);
    work(&program);
    let changes = |arguments: &[&str]| {
        let plan = program.json(0, &[&["resume", "r", "--dry-run"], arguments].concat());
        plan["changes"].to_string()
    };
    let every = "no action is named, so every branch is taken: approve, refuse";
    assert!(changes(&[]).contains(every), "{}", changes(&[]));
    assert!(!changes(&["--action", "approve"]).contains("every branch"));
}

#[test]
fn a_run_without_a_document_is_told_from_one_that_is_not_there() {
    let program = program();
    program.json(0, &["start", "hello", "--run-id", "r"]);
    let file = rusqlite::Connection::open(program.path("cluster.db")).unwrap();
    assert_eq!(file.execute("DELETE FROM documents", []).unwrap(), 1);
    file.execute("DELETE FROM messages", []).unwrap();
    drop(file);
    let commands: [&[&str]; 3] = [&["show", "r"], &["requeue", "r"], &["cancel", "r", "--yes"]];
    for command in commands {
        let error = program.error(1, command);
        assert!(
            error.contains("run \"r\" has no document") && error.contains("explain"),
            "{error}"
        );
    }
    let why = program.json(0, &["explain", "r"]);
    assert_eq!(why["causes"][0]["remedy"], "flowcraft-tui reconcile r", "{why}");
    program.json(0, &["reconcile", "r"]);
    assert_eq!(program.json(0, &["runs"])[0]["status"], "failed");
    assert!(program.error(1, &["show", "r"]).contains("has no document"));
}

#[test]
fn reconciling_says_what_it_found() {
    let program = program();
    let none = json!({ "stalledRuns": 0, "reconciledRuns": 0, "failedRuns": 0, "runs": [] });
    assert_eq!(program.json(0, &["reconcile"]), none);
    program.json(0, &["start", "hello", "--run-id", "r"]);
    assert_eq!(program.json(0, &["reconcile"]), none);
    let plans = program.json(0, &["reconcile", "r", "--dry-run"]);
    assert_eq!((&plans[0]["runId"], members(&plans[0])), (&json!("r"), vec!["runId", "changes"]));
    let report = program.json(0, &["reconcile", "r"]);
    assert_eq!((&report["stalledRuns"], &report["reconciledRuns"]), (&json!(1), &json!(1)));
    assert_eq!(members(&report["runs"][0]), ["runId", "enqueued", "error"]);
    assert!(program.error(2, &["reconcile", "nobody"]).contains("there is no run \"nobody\""));
    std::thread::sleep(Duration::from_millis(1100));
    let stalled = program.json(0, &["reconcile", "--stalled-after", "1s", "--yes"]);
    assert_eq!(stalled["runs"][0]["runId"], "r");
    work(&program);
    assert_eq!(program.json(0, &["show", "r"])["status"], "completed");
}

#[test]
fn waiting_follows_a_run() {
    let program = program();
    let worker = program.spawn(&["--no-ui"]);
    let done = program.json(0, &["start", "hello", "--wait"]);
    assert_eq!(done["outputs"], json!({ "a": "a", "b": "a" }));
    assert_eq!(done["context"], json!({ "k": "a" }));
    assert_eq!(members(&done).len(), 6);
    let asks = program.json(0, &["start", "ask", "--wait", "--timeout", "20s"]);
    assert_eq!((&asks["status"], &asks["awaiting"]), (&json!("awaiting"), &json!(["w"])));
    assert_eq!(program.json(1, &["start", "broken", "--wait"])["status"], "failed");
    let text = program.text(&["start", "hello", "--wait"]);
    assert!(text.contains("is completed.") && text.contains("OUTPUT"), "{text}");
    signal(&worker, Signal::INT);
    assert_eq!(finish(worker).status.code(), Some(0));
    // Without a worker it is given up in time, and said why.
    let output = program.run(&["start", "hello", "--wait", "--timeout", "3500ms", "--json"]);
    assert_eq!(json_of(1, &output)["status"], "running");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no worker is alive"), "{said}");
    assert!(said.contains("is running after 3s 500ms"), "{said}");
}

#[test]
fn a_file_is_run_with_what_is_around_it() {
    let program = program();
    let write = |name: &str, text: &str| fs::write(program.path(name), text).unwrap();
    let run = |code, file: &str| program.json(code, &["run", file]);
    write("neighbour.json", &json!({ "nodes": [{ "id": "n", "uses": "echo" }] }).to_string());
    let subflows = json!({
        "id": "outer",
        "nodes": [
            { "id": "a", "uses": "subflow", "params": { "blueprintId": "hello" } },
            { "id": "b", "uses": "subflow", "params": { "blueprintId": "neighbour" } },
        ],
    });
    write("outer.json", &subflows.to_string());
    assert_eq!(run(0, "outer.json")["status"], "completed");
    let naps = json!({ "id": "naps", "nodes": [
        { "id": "s", "uses": "sleep", "params": { "duration": "1s" } }
    ]});
    write("naps.json", &naps.to_string());
    let began = Instant::now();
    assert_eq!(run(0, "naps.json")["status"], "completed");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let stopped = program.json(0, &["run", "naps.json", "--no-timers"]);
    assert_eq!((&stopped["status"], &stopped["awaiting"]), (&json!("awaiting"), &json!(["s"])));
    // A subflow that sleeps is waited for, one that asks is not.
    let sleeper = |child: &str| {
        json!({ "id": "outer", "nodes": [
            { "id": "s", "uses": "subflow", "params": { "blueprintId": child } }
        ]})
    };
    write("outer.json", &sleeper("naps").to_string());
    assert_eq!(run(0, "outer.json")["status"], "completed");
    assert_eq!(program.json(0, &["run", "outer.json", "--no-timers"])["status"], "awaiting");
    write("outer.json", &sleeper("ask").to_string());
    assert_eq!(run(0, "outer.json")["awaiting"], json!(["s"]));
    // What can't work fails where it is reached.
    write("naps.json", &naps.to_string().replace("1s", "-1s"));
    let negative = run(1, "naps.json");
    assert_eq!(
        (&negative["status"], &negative["errors"][0]["nodeId"]),
        (&json!("failed"), &json!("s"))
    );
    write("odd.json", &json!({ "nodes": [{ "id": "o", "uses": "oddity" }] }).to_string());
    let odd = run(1, "odd.json");
    assert!(odd["errors"][0]["message"].as_str().unwrap().contains("[nodes.oddity]"), "{odd}");
    let text = program.run(&["run", "odd.json"]);
    assert_eq!(text.status.code(), Some(1));
    assert!(String::from_utf8(text.stdout).unwrap().contains("is failed."));
    assert!(!program.path("cluster.db").exists(), "it needs no cluster");
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    let program = program();
    fs::write(program.path("torn.json"), "{\"nodes\":[\n").unwrap();
    fs::write(program.path("list.json"), "[1]").unwrap();
    let cases: [(&[&str], &str); 13] = [
        (&["run", "torn.json"], "torn.json:2:1: not JSON"),
        (&["run", "nowhere.json"], "nowhere.json: can't be read"),
        (&["run", "list.json"], "list.json:1:1: "),
        (&["run", "blueprints/hello.json", "--input", "[1]"], "must be a JSON object, not a list"),
        (&["run", "blueprints/hello.json", "--input", "@torn.json"], "not valid JSON"),
        (&["start", "hello", "--input", "{a"], "not valid JSON"),
        (&["start", "helo"], "did you mean \"hello\"?"),
        (&["start", "somethingelse"], "flowcraft-tui blueprints"),
        (&["blueprints", "show", "hallo"], "did you mean \"hello\"?"),
        (&["blueprints", "mermaid", "nothing-like-it"], "is not loaded"),
        (&["blueprints", "lint", "nowhere.json"], "nowhere.json: can't be read"),
        (&["dead-letters", "purge", "17"], "there is no dead letter \"17\""),
        (&["resume", "nobody"], "there is no run \"nobody\""),
    ];
    for (arguments, words) in cases {
        let error = program.error(2, arguments);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    fs::write(program.path("blueprints/torn.json"), "{").unwrap();
    let error = program.error(2, &["start", "torn"]);
    assert!(error.contains("torn.json:1:1: not JSON"), "{error}");
}

#[test]
fn blueprints_are_listed_shown_checked_and_drawn() {
    let program = program();
    let list = program.json(0, &["blueprints"]);
    assert_eq!(list, program.json(0, &["blueprints", "list"]));
    let members_of_a_line = ["id", "version", "file", "nodes", "edges", "errors", "warnings"];
    assert_eq!(members(&list[2]), members_of_a_line);
    let lines: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["id"].as_str().unwrap(), line["nodes"].as_u64().unwrap()))
        .collect();
    assert_eq!(lines, [("ask", 4), ("broken", 1), ("hello", 2)]);
    let shown = program.json(0, &["blueprints", "show", "hello"]);
    assert_eq!((&shown["version"], &shown["startNodes"]), (&json!("2"), &json!(["a"])));
    assert_eq!(shown["analysis"]["isDag"], true);
    assert_eq!(shown["edges"], json!([{ "source": "a", "target": "b" }]));
    let drawn = program.text(&["blueprints", "mermaid", "hello"]);
    assert!(drawn.starts_with("flowchart TD\n") && drawn.contains("a --> b"), "{drawn}");
    assert_eq!(program.json(0, &["blueprints", "lint"]), json!([]));
    fs::write(program.path("blueprints/torn.json"), "{").unwrap();
    fs::write(
        program.path("odd.json"),
        json!({ "nodes": [{ "id": "o", "uses": "oddity" }] }).to_string(),
    )
    .unwrap();
    let issues = program.json(1, &["blueprints", "lint"]);
    assert_eq!(members(&issues[0]), ["blueprintId", "file", "code", "severity", "message"]);
    assert_eq!(issues[0]["code"], "CANNOT_BE_LOADED");
    let issues = program.json(1, &["blueprints", "lint", "hello", "odd.json"]);
    assert_eq!(issues.as_array().unwrap().len(), 1);
    assert_eq!(
        (&issues[0]["blueprintId"], &issues[0]["code"], &issues[0]["nodeId"]),
        (&json!("odd"), &json!("MISSING_NODE_IMPLEMENTATION"), &json!("o"))
    );
    let text = program.text(&["blueprints", "lint", "hello"]);
    assert_eq!(text, "1 blueprint checked: 0 errors, 0 warnings.\n");
}

fn failed_checks(output: &Output, code: i32) -> Vec<String> {
    let diagnosis = json_of(code, output);
    assert_eq!(diagnosis["ok"], code == 0);
    let checks = diagnosis["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| members(check) == ["name", "ok", "detail", "ms"]));
    checks
        .iter()
        .filter(|check| check["ok"] == false)
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let program = program();
    assert_eq!(failed_checks(&program.run(&["doctor", "--json"]), 0), Vec::<String>::new());
    assert!(program.text(&["doctor"]).contains("cluster.db"));
    let file = program.path("flowcraft.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}\n[nodes.gone]\nkind = \"exec\"\ncommand = [\"./gone\"]\n"))
        .unwrap();
    fs::write(program.path("blueprints/torn.json"), "{").unwrap();
    program.blueprint(&json!({ "id": "odd", "nodes": [{ "id": "o", "uses": "oddity" }] }));
    let output = program.run(&["doctor", "--json"]);
    assert_eq!(failed_checks(&output, 1), ["blueprints", "implementations", "node gone"]);
    // The program that is missing fails the node that needs it, and only that.
    let needs = json!({ "nodes": [{ "id": "g", "uses": "gone" }] });
    fs::write(program.path("needs.json"), needs.to_string()).unwrap();
    let run = program.json(1, &["run", "needs.json"]);
    assert!(run["errors"][0]["message"].as_str().unwrap().contains("gone"), "{run}");
    fs::remove_file(program.path("cluster.db")).unwrap();
    fs::create_dir(program.path("cluster.db")).unwrap();
    let failed = failed_checks(&program.run(&["doctor", "--json"]), 1);
    assert_eq!(failed[0], "cluster");
}

#[test]
fn the_doctor_finds_what_would_keep_the_dashboard_from_opening() {
    let program = program();
    let file = program.path("flowcraft.toml");
    let config = fs::read_to_string(&file).unwrap();
    for (more, words) in [
        ("[keys]\nbogus = \"R\"\n", "keys.bogus: there is no such action"),
        ("[keys]\nreconcile = \"w\"\n", "stands for both `explain` and `reconcile`"),
        ("[ui]\ntheme = \"nope\"\n", "there is no theme \"nope\""),
    ] {
        fs::write(&file, format!("{config}\n{more}")).unwrap();
        let output = program.run(&["doctor", "--json"]);
        assert_eq!(failed_checks(&output, 1), ["configuration"], "{more}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(&words.replace('"', "\\\"")));
    }
    fs::write(&file, format!("blueprints = [\"blueprnts\"]\n{config}")).unwrap();
    assert_eq!(failed_checks(&program.run(&["doctor", "--json"]), 1), ["blueprints"]);
}

#[test]
fn node_kinds_are_checked_before_anything_is_done() {
    let program = program();
    let file = program.path("flowcraft.toml");
    let config = fs::read_to_string(&file).unwrap();
    for (table, words) in [
        ("[nodes.x]\nkind = \"exec\"\ncomand = [\"sh\"]\n", "did you mean `command`?"),
        ("[nodes.sleep]\nkind = \"exec\"\ncommand = [\"sh\"]\n", "this kind is built in"),
        (
            "[nodes.x]\nkind = \"http\"\nurl = \"http://localhost\"\nheaders = { a = \"${NOT_SET}\" }\n",
            "NOT_SET",
        ),
    ] {
        fs::write(&file, format!("{config}{table}")).unwrap();
        for arguments in [&["run", "blueprints/hello.json"][..], &["--no-ui"]] {
            let error = program.error(2, arguments);
            assert!(error.starts_with("error: flowcraft.toml:"), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
