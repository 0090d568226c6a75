//! A blueprint as a Mermaid diagram, with or without the state of a run.
//!
//! The text is that of `flowcraft`'s generator, except where that one writes what Mermaid can't
//! read: quotes and other special characters in labels become Mermaid's `#…;` codes, and a node
//! whose id Mermaid can't take as a name is called `node_` and its number instead (its label still
//! shows the id).

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::{
    id::NodeId,
    model::{Blueprint, Edge},
};

/// How a node is shown in the diagram of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Finished.
    Completed,
    /// Failed.
    Failed,
    /// To be run, or running.
    Ready,
    /// Waits for an answer, a timer or a child run.
    Awaiting,
    /// Will not run.
    Skipped,
}

impl Mark {
    fn style(self) -> &'static str {
        match self {
            Self::Completed => "fill:#d4edda,stroke:#c3e6cb",
            Self::Failed => "fill:#f8d7da,stroke:#f5c6cb",
            Self::Ready => "fill:#cce5ff,stroke:#b8daff",
            Self::Awaiting => "fill:#fff3cd,stroke:#ffeeba",
            Self::Skipped => "fill:#e2e3e5,stroke:#d6d8db,stroke-dasharray:4",
        }
    }
}

/// Where one node stands in a run.
#[derive(Debug, Clone, Default)]
pub struct Progress<'a> {
    /// How it is shown; nothing for a node that was not reached yet.
    pub mark: Option<Mark>,
    /// The action it returned.
    pub action: Option<&'a str>,
    /// The targets it routed to.
    pub routes: HashSet<&'a str>,
}

/// The diagram of a blueprint.
pub fn mermaid(blueprint: &Blueprint) -> String {
    mermaid_with(blueprint, |_| Progress::default())
}

/// The diagram of a blueprint in a run: nodes coloured by where they stand, taken edges
/// highlighted. `progress` is asked once for each node id.
pub fn mermaid_with<'a>(
    blueprint: &'a Blueprint,
    mut progress: impl FnMut(&'a str) -> Progress<'a>,
) -> String {
    if blueprint.nodes.is_empty() {
        return "flowchart TD\n    empty[Empty Blueprint]".to_owned();
    }
    let names = Names::new(blueprint);
    let mut text = String::from("flowchart TD\n");
    for node in &blueprint.nodes {
        let mut label = escaped(&node.id);
        if !node.params.is_empty() {
            let params = serde_json::Value::Object(node.params.clone()).to_string();
            label.push_str("<br/>params: ");
            label.push_str(&escaped(&params));
        }
        line(&mut text, format_args!("{}[\"{label}\"]", names.of(&node.id)));
    }
    for (id, name) in &names.nameless {
        line(&mut text, format_args!("{name}[\"{}\"]", escaped(id)));
    }
    let mut states: HashMap<&str, Progress<'_>> = HashMap::new();
    for node in &blueprint.nodes {
        let id = node.id.as_str();
        if !states.contains_key(id) {
            let state = progress(id);
            if let Some(mark) = state.mark {
                line(&mut text, format_args!("style {} {}", names.of(id), mark.style()));
            }
            states.insert(id, state);
        }
    }
    let parallel = Parallel::new(blueprint, &states);
    for (number, edge) in blueprint.edges.iter().enumerate() {
        let (source, target) = (names.of(&edge.source), names.of(&edge.target));
        let label: Vec<String> = [&edge.action, &edge.condition, &edge.transform]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .map(|part| escaped(part))
            .collect();
        if label.is_empty() {
            line(&mut text, format_args!("{source} --> {target}"));
        } else {
            line(&mut text, format_args!("{source} -- \"{}\" --> {target}", label.join(" | ")));
        }
        if parallel.is_taken(edge, &states) {
            line(&mut text, format_args!("linkStyle {number} stroke:#007bff,stroke-width:3px"));
        }
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "    {content}");
}

/// Which edges answer to the action that a node returned, among those from it to one target.
struct Parallel<'a> {
    best: HashMap<(&'a str, &'a str), Answer>,
}

/// How well an edge answers to an action: edges of that action come before those without one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Other,
    Default,
    Exact,
}

fn answer(edge: &Edge, action: Option<&str>) -> Answer {
    match edge.action.as_deref() {
        None => Answer::Default,
        some if some == action => Answer::Exact,
        Some(_) => Answer::Other,
    }
}

impl<'a> Parallel<'a> {
    fn new(blueprint: &'a Blueprint, states: &HashMap<&str, Progress<'_>>) -> Self {
        let mut best = HashMap::new();
        for edge in &blueprint.edges {
            if let Some(state) = states.get(edge.source.as_str()) {
                let answer = answer(edge, state.action);
                best.entry((edge.source.as_str(), edge.target.as_str()))
                    .and_modify(|best: &mut Answer| *best = answer.max(*best))
                    .or_insert(answer);
            }
        }
        Self { best }
    }

    /// Whether the edge was taken. The ledger records targets; of several edges to one target,
    /// those count that answer best to the recorded action.
    fn is_taken(&self, edge: &Edge, states: &HashMap<&str, Progress<'_>>) -> bool {
        states.get(edge.source.as_str()).is_some_and(|state| {
            state.routes.contains(edge.target.as_str())
                && self.best.get(&(edge.source.as_str(), edge.target.as_str()))
                    == Some(&answer(edge, state.action))
        })
    }
}

/// What nodes are called in the diagram.
struct Names<'a> {
    /// Names of the ids that can't be used as they are.
    other: HashMap<&'a str, String>,
    /// Those among them that are no nodes: ends of edges that lead nowhere.
    nameless: Vec<(&'a str, String)>,
}

impl<'a> Names<'a> {
    fn new(blueprint: &'a Blueprint) -> Self {
        let mut taken: HashSet<&str> = blueprint.nodes.iter().map(|node| &*node.id).collect();
        let ends = || blueprint.edges.iter().flat_map(|edge| [&edge.source, &edge.target]);
        let nodes = taken.clone();
        taken.extend(ends().map(|id| &**id));
        let ids = blueprint.nodes.iter().map(|node| &node.id).chain(ends());
        let mut names = Self { other: HashMap::new(), nameless: Vec::new() };
        let mut number = 0;
        for id in ids.map(NodeId::as_str).filter(|id| !is_plain(id)) {
            if names.other.contains_key(id) {
                continue;
            }
            let name = loop {
                number += 1;
                let name = format!("node_{number}");
                if !taken.contains(name.as_str()) {
                    break name;
                }
            };
            if !nodes.contains(id) {
                names.nameless.push((id, name.clone()));
            }
            names.other.insert(id, name);
        }
        names
    }

    fn of<'n>(&'n self, id: &'n str) -> &'n str {
        self.other.get(id).map_or(id, String::as_str)
    }
}

/// Words that Mermaid reads as something else than the name of a node.
const RESERVED: [&str; 13] = [
    "end",
    "graph",
    "flowchart",
    "subgraph",
    "style",
    "linkStyle",
    "classDef",
    "class",
    "click",
    "call",
    "href",
    "direction",
    "default",
];

/// Whether Mermaid reads an id as the name of a node: words of letters, digits and `_`, joined by
/// single hyphens or dots, none of them reserved.
fn is_plain(id: &str) -> bool {
    id.split(['-', '.']).all(|word| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !RESERVED.contains(&word)
    })
}

/// A text as it may stand in a quoted label.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => safe.push_str("#quot;"),
            '#' => safe.push_str("#35;"),
            '&' => safe.push_str("#amp;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            '`' => safe.push_str("#96;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;
    use crate::blueprint::sanitize;

    fn diagram(value: Value) -> String {
        mermaid(&sanitize(value).unwrap())
    }

    #[test]
    fn nodes_and_edges_are_drawn_as_in_the_original() {
        let text = diagram(json!({
            "id": "b",
            "nodes": [
                { "id": "a", "uses": "x" },
                { "id": "b-1", "uses": "x", "params": { "n": 1, "list": [true] } },
            ],
            "edges": [
                { "source": "a", "target": "b-1" },
                { "source": "a", "target": "b-1", "action": "go", "condition": "c.d", "transform": "input.x" },
                { "source": "b-1", "target": "gone", "transform": "" },
            ],
        }));
        assert_eq!(
            text,
            "flowchart TD\n    a[\"a\"]\n    b-1[\"b-1<br/>params: {#quot;n#quot;:1,#quot;list#quot;:[true]}\"]\n    a --> b-1\n    a -- \"go | c.d | input.x\" --> b-1\n    b-1 --> gone\n"
        );
    }

    #[test]
    fn nothing_is_drawn_as_such() {
        assert_eq!(diagram(json!({ "id": "b" })), "flowchart TD\n    empty[Empty Blueprint]");
    }

    #[test]
    fn ids_that_mermaid_cannot_read_get_another_name() {
        let text = diagram(json!({
            "id": "b",
            "nodes": [
                { "id": "say \"hi\"\n", "uses": "x" },
                { "id": "end", "uses": "x" },
                { "id": "node_2", "uses": "x" },
                { "id": "end-1", "uses": "x" },
            ],
            "edges": [
                { "source": "say \"hi\"\n", "target": "end" },
                { "source": "node_2", "target": "ü" },
            ],
        }));
        assert_eq!(
            text,
            "flowchart TD\n    node_1[\"say #quot;hi#quot; \"]\n    node_3[\"end\"]\n    node_2[\"node_2\"]\n    node_4[\"end-1\"]\n    node_5[\"ü\"]\n    node_1 --> node_3\n    node_2 --> node_5\n"
        );
    }

    #[test]
    fn names_that_look_like_arrows_are_not_plain() {
        for id in ["", "a--", "-a", "a-", "a.-b", "a b", "a>", "style.x", "graph"] {
            assert!(!is_plain(id), "{id}");
        }
        for id in ["a", "a-b", "a.b.c", "_1", "ender", "0"] {
            assert!(is_plain(id), "{id}");
        }
    }

    #[test]
    fn a_run_colours_nodes_and_taken_edges() {
        let blueprint = sanitize(json!({
            "id": "b",
            "nodes": [{ "id": "a", "uses": "x" }, { "id": "b", "uses": "x" }, { "id": "c", "uses": "x" }],
            "edges": [
                { "source": "a", "target": "c" },
                { "source": "a", "target": "b", "action": "no" },
                { "source": "a", "target": "b", "action": "yes" },
                { "source": "a", "target": "b" },
            ],
        }))
        .unwrap();
        let text = mermaid_with(&blueprint, |id| match id {
            "a" => Progress {
                mark: Some(Mark::Completed),
                action: Some("yes"),
                routes: HashSet::from(["b"]),
            },
            "b" => Progress { mark: Some(Mark::Ready), ..Progress::default() },
            _ => Progress::default(),
        });
        let lines: Vec<&str> = text.lines().skip(4).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "style a fill:#d4edda,stroke:#c3e6cb",
                "style b fill:#cce5ff,stroke:#b8daff",
                "a --> c",
                "a -- \"no\" --> b",
                "a -- \"yes\" --> b",
                "linkStyle 2 stroke:#007bff,stroke-width:3px",
                "a --> b",
            ]
        );
    }
}
