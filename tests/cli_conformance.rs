//! Every conformance case through the real binary, its nodes in processes of their own: in one
//! process, and on one cluster with several workers.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/case.rs"]
mod case;
#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/program.rs"]
mod program;

use std::{collections::BTreeSet, fs};

use case::{Case, cases, cases_in, same, without_uuid};
use program::{Program, finish, json_of};
use serde_json::{Map, Value, json};

/// Compares what `run` or `show` printed with what a case expects.
fn differences(case: &Case, ours: &Value, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: &Value, theirs: &Value| {
        if !same(ours, theirs) {
            found.push(format!("{}: {what}: ours {ours}, expected {theirs}", case.name));
        }
    };
    compare("status", &ours["status"], &expected["status"]);
    let own: BTreeSet<String> =
        case.blueprint().nodes.iter().map(|node| node.id.to_string()).collect();
    let mut outputs = ours["outputs"].as_object().unwrap().clone();
    outputs.retain(|node, _| own.contains(node));
    let mut wanted = expected["outputs"].as_object().cloned().unwrap_or_default();
    // A sleeping node has its output at once in process, and here once it is due.
    for node in ours["awaiting"].as_array().unwrap() {
        wanted.remove(node.as_str().unwrap());
    }
    compare("outputs", &outputs.into(), &wanted.into());
    compare("context", &ours["context"], &or(&expected["context"], json!({})));
    let nodes = |errors: &Value| -> Value {
        let errors = errors.as_array().into_iter().flatten();
        json!(
            errors
                .map(|error| without_uuid(error["nodeId"].as_str().unwrap()))
                .collect::<BTreeSet<_>>()
        )
    };
    compare("errors", &nodes(&ours["errors"]), &nodes(&expected["errors"]));
    compare("awaiting", &ours["awaiting"], &or(&expected["awaiting"], json!([])));
    found
}

fn all_cases() -> Vec<Case> {
    let mut all = cases();
    all.extend(cases_in("tests/conformance/extra"));
    all
}

fn or(value: &Value, otherwise: Value) -> Value {
    if value.is_null() { otherwise } else { value.clone() }
}

fn blueprints(case: &Case) -> impl Iterator<Item = &Value> {
    let others: Option<&Map<String, Value>> = case.json["blueprints"].as_object();
    std::iter::once(&case.json["blueprint"]).chain(others.into_iter().flat_map(Map::values))
}

fn run_file(program: &Program, case: &Case) -> Vec<String> {
    let folder = program.path(&case.name);
    fs::create_dir(&folder).unwrap();
    for blueprint in blueprints(case) {
        let file = folder.join(format!("{}.json", blueprint["id"].as_str().unwrap()));
        fs::write(file, blueprint.to_string()).unwrap();
    }
    fs::write(folder.join("no-blueprint.json"), "[]").unwrap();
    let input = folder.join("input");
    fs::write(&input, Value::Object(case.input()).to_string()).unwrap();
    let expected = &case.json["expected"];
    let failed = expected["status"] == "failed";
    let file = folder.join(format!("{}.json", case.blueprint().id));
    let input = format!("@{}", input.display());
    let arguments = ["run", file.to_str().unwrap(), "--no-timers", "--input", &input];
    let ours = program.json(i32::from(failed), &arguments);
    let members: Vec<&String> = ours.as_object().unwrap().keys().collect();
    assert_eq!(members, ["runId", "status", "outputs", "context", "awaiting", "errors"]);
    differences(case, &ours, expected)
}

#[test]
fn in_one_process() {
    let program = Program::new();
    let cases = all_cases();
    let (first, second) = cases.split_at(cases.len() / 2);
    let run_all = |cases: &[Case]| -> Vec<String> {
        cases.iter().flat_map(|case| run_file(&program, case)).collect()
    };
    let found = std::thread::scope(|scope| {
        let other = scope.spawn(|| run_all(second));
        let mut found = run_all(first);
        found.extend(other.join().unwrap());
        found
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Gives the answer of a step to a run that waits.
fn answer(program: &Program, case: &Case, step: &Value) {
    let data = &step["data"];
    let mut arguments = vec!["resume", &case.name];
    if let Some(node) = step["nodeId"].as_str() {
        arguments.extend(["--node", node]);
    }
    if let Some(action) = data["action"].as_str() {
        arguments.extend(["--action", action]);
    }
    let output = data.get("output").map(Value::to_string);
    arguments.extend(output.iter().flat_map(|output| ["--output", output]));
    assert!(program.json(0, &arguments)["enqueued"].is_array());
}

#[test]
fn on_a_cluster_with_three_workers() {
    let program = Program::new();
    // Lint would refuse some of the others.
    let cases = cases();
    for case in &cases {
        blueprints(case).for_each(|blueprint| program.blueprint(blueprint));
    }
    let input = |case: &Case| Value::Object(case.input()).to_string();
    for case in &cases {
        let id = case.blueprint().id;
        let arguments = ["start", id.as_str(), "--run-id", &case.name, "--input", &input(case)];
        let started = program.json(0, &arguments);
        assert_eq!(started, json!({ "runId": case.name, "status": "running" }));
    }
    let mut found = Vec::new();
    let work = |names: &[&str]| {
        let workers: Vec<_> = names
            .iter()
            .map(|name| {
                let name = format!("worker.name={name}");
                program.spawn(&["--no-ui", "--until-idle", "--json", "--set", &name])
            })
            .collect();
        workers.into_iter().map(finish).collect::<Vec<_>>()
    };
    for output in work(&["w1", "w2", "w3"]) {
        // Some cases are about runs that fail; a worker that came late may have seen none do so.
        let code = output.status.code().unwrap();
        let tally = json_of(code, &output);
        assert_eq!(code, i32::from(tally["failed"].as_u64().unwrap() > 0), "{tally}");
    }
    for case in &cases {
        let ours = program.json(0, &["show", &case.name]);
        found.extend(differences(case, &ours, &case.json["expected"]));
    }
    for step in 0.. {
        let waiting: Vec<&Case> =
            cases.iter().filter(|case| case.json["resumes"].get(step).is_some()).collect();
        if waiting.is_empty() {
            break;
        }
        for case in &waiting {
            answer(&program, case, &case.json["resumes"][step]);
        }
        let output = &work(&["w4"])[0];
        let tally = json_of(output.status.code().unwrap(), output);
        let reached: u64 =
            ["completed", "failed", "awaiting"].map(|at| tally[at].as_u64().unwrap()).iter().sum();
        assert_eq!(reached, waiting.len() as u64, "{tally}");
        for case in &waiting {
            let ours = program.json(0, &["show", &case.name]);
            found.extend(differences(case, &ours, &case.json["resumes"][step]["expected"]));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
