//! Blueprints of ten thousand nodes and more go through everything. Ten times that number shows
//! work that grows with the square of it: that would take minutes instead of seconds.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    time::{Duration, Instant},
};

use flowcraft_tui::blueprint::{
    Analysis, Issue, LintContext, analyze, lint, load_file, mermaid, start_nodes,
};
use serde_json::{Value, json};

/// Far more than any of these takes, far less than one that is quadratic.
const LIMIT: Duration = Duration::from_secs(30);

fn node(number: usize) -> Value {
    json!({ "id": format!("n{number}"), "uses": "x" })
}

fn edge(source: usize, target: usize) -> Value {
    json!({ "source": format!("n{source}"), "target": format!("n{target}") })
}

/// Writes, loads, checks, analyses and draws a blueprint.
fn through_everything(
    nodes: impl Iterator<Item = Value>,
    edges: impl Iterator<Item = Value>,
) -> (Analysis, Vec<Issue>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.json");
    let nodes: Vec<Value> = nodes.collect();
    let edges: Vec<Value> = edges.collect();
    let text = json!({ "id": "large", "nodes": nodes, "edges": edges }).to_string();
    fs::write(&file, text).unwrap();
    let started = Instant::now();
    let blueprint = load_file(&file).unwrap();
    let issues = lint(&blueprint, &LintContext::default());
    let analysis = analyze(&blueprint);
    assert_eq!((analysis.node_count, analysis.edge_count), (nodes.len(), edges.len()));
    assert!(!start_nodes(&blueprint).is_empty());
    assert!(mermaid(&blueprint).lines().count() > nodes.len() + edges.len());
    let took = started.elapsed();
    assert!(took < LIMIT, "took {took:?}");
    (analysis, issues)
}

#[test]
fn a_chain() {
    for size in [10_000, 100_000] {
        let (analysis, issues) =
            through_everything((0..size).map(node), (1..size).map(|n| edge(n - 1, n)));
        assert!(analysis.is_dag);
        assert_eq!(issues, []);
    }
}

#[test]
fn a_fan_out_and_in() {
    let size = 100_000;
    let out = (1..size - 1).map(|n| edge(0, n));
    let back = (1..size - 1).map(|n| edge(n, size - 1));
    let (analysis, issues) = through_everything((0..size).map(node), out.chain(back));
    assert_eq!(analysis.terminal_node_ids.len(), 1);
    assert_eq!(issues.len(), 1, "the join's input");
}

#[test]
fn dense_layers() {
    let (layers, width) = (1_000, 10);
    let edges = (1..layers).flat_map(|layer| {
        (0..width).flat_map(move |source| {
            (0..width).map(move |target| edge((layer - 1) * width + source, layer * width + target))
        })
    });
    let (analysis, issues) = through_everything((0..layers * width).map(node), edges);
    assert!(analysis.is_dag);
    assert_eq!(issues.len(), (layers - 1) * width, "the joins' inputs");
}

#[test]
fn a_cycle_back_from_every_node() {
    let size = 20_000;
    let forth = (1..size).map(|n| edge(n - 1, n));
    let (analysis, _) =
        through_everything((0..size).map(node), forth.chain((0..size).map(|n| edge(n, 0))));
    assert_eq!(analysis.cycle_count, size);
}

#[test]
fn decisions_all_the_way() {
    // Each node decides between the next one and a join with the end: long chains of decisions
    // before many joins.
    let size = 30_000;
    let by = |source: usize, target: usize, action: &str| {
        let mut edge = edge(source, target);
        edge["action"] = action.into();
        edge
    };
    let on = (1..size).map(|n| by(n - 1, n, "on"));
    let off = (2..size).map(|n| by(n - 2, n, "off"));
    through_everything((0..size).map(node), on.chain(off));
}

#[test]
fn fallbacks_all_the_way() {
    let size = 50_000;
    let with_fallback = |number: usize| {
        let mut node = node(number);
        node["config"] = json!({ "fallback": format!("n{}", (number + 1).min(size)) });
        node
    };
    let (_, issues) =
        through_everything((0..size).map(with_fallback).chain([node(size)]), std::iter::empty());
    assert_eq!(issues, []);
}

#[test]
fn slips_all_the_way() {
    let size = 20_000;
    let with_slips = |number: usize| {
        let mut node = node(number);
        node["config"] = json!({ "fallback": format!("m{number}"), "max_retries": 1 });
        node
    };
    let (_, issues) = through_everything((0..size).map(with_slips), std::iter::empty());
    assert_eq!(issues.len(), 2 * size);
}

#[test]
fn the_same_id_over_and_over() {
    let size = 50_000;
    let (_, issues) = through_everything(
        (0..size).map(|_| node(0)).chain([node(1)]),
        (0..size).map(|_| edge(0, 1)),
    );
    assert_eq!(issues.len(), size - 1);
}
