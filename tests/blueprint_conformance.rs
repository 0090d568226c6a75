//! Every conformance case's blueprints load, and lint finds no error in them.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use flowcraft_tui::blueprint::{
    Blueprint, BlueprintId, Code, Issue, LintContext, analyze, lint, mermaid, sanitize,
};
use serde_json::Value;

struct Case {
    name: String,
    blueprint: Arc<Blueprint>,
    others: BTreeMap<BlueprintId, Arc<Blueprint>>,
    implementations: BTreeSet<String>,
}

impl Case {
    fn read(file: &Path) -> Self {
        let case: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let mut others = BTreeMap::new();
        for other in case["blueprints"].as_object().into_iter().flat_map(|all| all.values()) {
            let other = sanitize(other.clone()).unwrap();
            others.insert(other.id.clone(), Arc::new(other));
        }
        Self {
            name: case["name"].as_str().unwrap().to_owned(),
            blueprint: Arc::new(sanitize(case["blueprint"].clone()).unwrap()),
            others,
            implementations: serde_json::from_value(case["registryUsed"].clone()).unwrap(),
        }
    }

    fn lint(&self, blueprint: &Blueprint) -> Vec<Issue> {
        lint(
            blueprint,
            &LintContext {
                implementations: Some(&self.implementations),
                blueprints: Some(&self.others),
            },
        )
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(files.len() > 30, "{} cases", files.len());
    files.iter().map(|file| Case::read(file)).collect()
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

#[test]
fn no_case_has_an_error() {
    for case in cases() {
        for blueprint in case.others.values().chain([&case.blueprint]) {
            let errors: Vec<_> = case.lint(blueprint).into_iter().filter(Issue::is_error).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", case.name);
        }
    }
}

#[test]
fn a_missing_implementation_is_an_error_in_every_case() {
    for mut case in cases() {
        case.implementations.clear();
        let issues = case.lint(&case.blueprint);
        let is_missing = |issue: &Issue| issue.code == Code::MissingNodeImplementation;
        assert!(issues.iter().any(is_missing), "{}", case.name);
    }
}

#[test]
fn the_join_that_never_runs_is_warned_of() {
    let codes = |name: &str| -> Vec<(Code, String)> {
        let case = case(name);
        let name = |issue: Issue| (issue.code, issue.node_id.unwrap().to_string());
        case.lint(&case.blueprint).into_iter().map(name).collect()
    };
    assert!(codes("condition-join-all").contains(&(Code::ExclusiveAllJoin, "join".to_owned())));
    assert_eq!(codes("condition-join-any"), []);
}

#[test]
fn loops_are_the_only_cycles() {
    for case in cases() {
        let is_loop = case.name.starts_with("loop-");
        assert_eq!(analyze(&case.blueprint).is_dag, !is_loop, "{}", case.name);
    }
}

#[test]
fn diagrams_have_a_line_for_each_node_and_edge() {
    for case in cases() {
        let lines = mermaid(&case.blueprint).lines().count();
        let expected = 1 + case.blueprint.nodes.len() + case.blueprint.edges.len();
        assert_eq!(lines, expected, "{}", case.name);
    }
}
