//! Blueprints of given shapes and sizes, all of whose nodes do next to nothing.

use flowcraft_tui::{
    blueprint::{Blueprint, sanitize},
    nodes::{NodeOutput, Registry},
};
use serde_json::{Value, json};

/// What the nodes of all shapes use.
const USES: &str = "pass";

/// An implementation of their nodes.
pub(crate) fn registry() -> Registry {
    Registry::new().with_fn(USES, |_| Ok(NodeOutput::value(1)))
}

fn blueprint(id: &str, nodes: Vec<String>, edges: Vec<(String, String)>) -> Blueprint {
    let nodes: Vec<Value> =
        nodes.into_iter().map(|node| json!({"id": node, "uses": USES})).collect();
    let edges: Vec<Value> = edges
        .into_iter()
        .map(|(source, target)| json!({"source": source, "target": target}))
        .collect();
    // What is written above is a blueprint.
    sanitize(json!({"id": id, "nodes": nodes, "edges": edges})).expect("a blueprint")
}

/// A node after the other.
pub(crate) fn chain(length: usize) -> Blueprint {
    let name = |number: usize| format!("n{number}");
    let edges = (1..length).map(|number| (name(number - 1), name(number))).collect();
    blueprint("chain", (0..length).map(name).collect(), edges)
}

/// One node, `width` that follow it, and one that follows all of these.
pub(crate) fn fan(width: usize) -> Blueprint {
    fans(1, width)
}

/// Such fans, one after the other.
pub(crate) fn fans(count: usize, width: usize) -> Blueprint {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for fan in 0..count {
        let (first, last) = (format!("first{fan}"), format!("last{fan}"));
        if fan > 0 {
            edges.push((format!("last{}", fan - 1), first.clone()));
        }
        for number in 0..width {
            let middle = format!("n{fan}-{number}");
            edges.push((first.clone(), middle.clone()));
            edges.push((middle.clone(), last.clone()));
            nodes.push(middle);
        }
        nodes.extend([first, last]);
    }
    blueprint("fan", nodes, edges)
}

/// Layers of nodes, each following every node of the layer before.
pub(crate) fn layers(count: usize, width: usize) -> Blueprint {
    let name = |layer: usize, number: usize| format!("n{layer}-{number}");
    let within = |layer| (0..width).map(move |number| name(layer, number));
    let edges = (1..count)
        .flat_map(|layer| within(layer - 1).map(move |source| (layer, source)))
        .flat_map(|(layer, source)| within(layer).map(move |target| (source.clone(), target)))
        .collect();
    blueprint("layers", (0..count).flat_map(within).collect(), edges)
}
