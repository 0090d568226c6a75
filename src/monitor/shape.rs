//! The graph of a run or a blueprint: which nodes there are, and which edges between them. It
//! changes seldom; where each node stands is in the run's rows.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{Blueprint, Edge, JoinStrategy, NodeId},
    engine::{Entry, NodeState, RunDocument, StandInOutcome},
};

/// The graph of a run or a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// Its nodes. Those of a run stand in the order of its rows; ends of edges that are no nodes
    /// stand last.
    pub nodes: Vec<ShapeNode>,
    /// Its edges: the blueprint's in the order in which they are written, then the others.
    pub edges: Vec<ShapeEdge>,
    /// Whether all edges are known, or only those that the run has taken.
    pub known: EdgesKnown,
    /// Tells this graph from others.
    pub fingerprint: u64,
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShapeNode {
    /// Its id.
    pub id: NodeId,
    /// What runs; unknown when the blueprint is.
    pub uses: Option<Arc<str>>,
    /// Where several edges lead into it: whether it waits for all.
    pub join: Option<JoinStrategy>,
    /// The node that created it, for one of several that were created while running.
    pub batch: Option<usize>,
    /// Whether there is such a node, or only an edge to or from it.
    pub exists: bool,
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShapeEdge {
    /// The node that it comes from.
    pub source: usize,
    /// The node that it leads to.
    pub target: usize,
    /// The action that it is taken for.
    pub action: Option<Arc<str>>,
    /// What must be true for it to be taken.
    pub condition: Option<Arc<str>>,
    /// Whether it makes something else of what it carries.
    pub transforms: bool,
    /// What it means.
    pub kind: EdgeKind,
}

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EdgeKind {
    /// What follows: an edge of the blueprint, or one that a run took.
    Flow,
    /// What stands in for a node that fails.
    Fallback,
    /// Where a node that stands in for another one goes on: an edge of that other one.
    Inherited,
    /// From a node to those that it created, and from these to the one that collects their results.
    Created,
}

/// Which edges are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EdgesKnown {
    /// All.
    All,
    /// Those that were taken: the blueprint is not loaded here.
    Taken,
}

/// Where an edge stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EdgeShown {
    /// Not decided yet.
    Open,
    /// Taken.
    Taken,
    /// Not taken, and it won't be.
    Untaken,
}

impl Default for Shape {
    fn default() -> Self {
        Self::empty()
    }
}

impl Shape {
    /// A graph without anything in it.
    pub fn empty() -> Self {
        Builder::default().finish(EdgesKnown::All)
    }

    /// The graph of a blueprint.
    pub fn of(blueprint: &Blueprint) -> Self {
        let mut builder = Builder::default();
        for node in &blueprint.nodes {
            builder.node(&node.id, Some(&node.uses));
        }
        builder.take_blueprint(blueprint);
        builder.finish(EdgesKnown::All)
    }

    /// The graph of a run: `ids` are its nodes.
    pub(super) fn of_run<'a>(
        ids: impl Iterator<Item = (&'a NodeId, Option<&'a str>)>,
        blueprint: Option<&Blueprint>,
        document: &RunDocument,
    ) -> Self {
        let mut builder = Builder::default();
        for (id, uses) in ids {
            builder.node(id, uses);
        }
        if let Some(blueprint) = blueprint {
            builder.take_blueprint(blueprint);
        }
        builder.take_document(document);
        builder.finish(if blueprint.is_some() { EdgesKnown::All } else { EdgesKnown::Taken })
    }

    /// Where each edge stands in a run.
    pub(super) fn stands(&self, document: &RunDocument) -> Vec<EdgeShown> {
        let routers: Vec<Option<&Entry>> =
            self.nodes.iter().map(|node| router(document, &node.id)).collect();
        // Of several edges to one target those were taken that answer best to the action.
        let mut best: HashMap<(usize, usize), u8> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| edge.kind == EdgeKind::Flow) {
            let answer = answer(edge, routers[edge.source]);
            let best = best.entry((edge.source, edge.target)).or_default();
            *best = answer.max(*best);
        }
        let stand = |edge: &ShapeEdge| {
            let source = document.entry(&self.nodes[edge.source].id).map(|entry| &**entry);
            let target = &self.nodes[edge.target].id;
            match edge.kind {
                EdgeKind::Flow => {
                    let answers = best.get(&(edge.source, edge.target))
                        == Some(&answer(edge, routers[edge.source]));
                    flow(document, source, routers[edge.source], edge, target, answers)
                }
                EdgeKind::Fallback => match source {
                    Some(Entry { fallback: Some(stand_in), .. }) if stand_in.node == *target => {
                        EdgeShown::Taken
                    }
                    Some(entry) if has_ended(entry.state) => EdgeShown::Untaken,
                    _ => EdgeShown::Open,
                },
                EdgeKind::Inherited => EdgeShown::Taken,
                EdgeKind::Created => match (self.nodes[edge.source].batch, source) {
                    (None, _) | (_, Some(Entry { state: NodeState::Completed, .. })) => {
                        EdgeShown::Taken
                    }
                    (_, Some(entry)) if has_ended(entry.state) => EdgeShown::Untaken,
                    _ => EdgeShown::Open,
                },
            }
        };
        self.edges.iter().map(stand).collect()
    }
}

/// The entry that says where a node went on: that of its fallback, where one stood in for it.
fn router<'a>(document: &'a RunDocument, id: &NodeId) -> Option<&'a Entry> {
    let entry = document.entry(id)?;
    let stand_in = entry.fallback.as_ref();
    let stand_in = stand_in.filter(|stand_in| stand_in.outcome == StandInOutcome::Completed);
    Some(stand_in.and_then(|stand_in| document.entry(&stand_in.node)).unwrap_or(entry))
}

/// How well an edge answers to the action that its source returned.
fn answer(edge: &ShapeEdge, router: Option<&Entry>) -> u8 {
    let action = router.and_then(|router| router.action.as_deref());
    match edge.action.as_deref() {
        None => 1,
        some if some == action => 2,
        Some(_) => 0,
    }
}

fn has_ended(state: NodeState) -> bool {
    matches!(state, NodeState::Completed | NodeState::Failed | NodeState::Skipped)
}

/// Where an edge of the blueprint stands.
fn flow(
    document: &RunDocument,
    source: Option<&Entry>,
    router: Option<&Entry>,
    edge: &ShapeEdge,
    target: &NodeId,
    answers: bool,
) -> EdgeShown {
    let (Some(source), Some(router)) = (source, router) else {
        return EdgeShown::Open;
    };
    let next = document.entry(target);
    // A loop that was gone round has taken the edge into its body, whichever it took last.
    let went_round = edge.action.as_deref() == Some(crate::engine::CONTINUE)
        && next.is_some_and(|next| next.iteration > 1);
    if (answers && router.routes.contains(target)) || went_round {
        EdgeShown::Taken
    } else if source.undecided.contains(target) {
        EdgeShown::Open
    } else if has_ended(source.state) && has_ended(router.state) {
        let open = source.fallback.as_ref().is_some_and(|it| it.outcome == StandInOutcome::Open);
        if open { EdgeShown::Open } else { EdgeShown::Untaken }
    } else {
        EdgeShown::Open
    }
}

/// Empty text counts as none.
fn words(text: Option<&str>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(Arc::from)
}

#[derive(Default)]
struct Builder {
    nodes: Vec<ShapeNode>,
    edges: Vec<ShapeEdge>,
    number: HashMap<NodeId, usize>,
    joined: HashSet<(usize, usize)>,
}

impl Builder {
    fn node(&mut self, id: &NodeId, uses: Option<&str>) {
        if !self.number.contains_key(id) {
            self.number.insert(id.clone(), self.nodes.len());
            let uses = uses.map(Arc::from);
            let node = ShapeNode { id: id.clone(), uses, join: None, batch: None, exists: true };
            self.nodes.push(node);
        }
    }

    /// The number of a node; of one that does not exist, too.
    fn end(&mut self, id: &NodeId) -> usize {
        if let Some(number) = self.number.get(id) {
            return *number;
        }
        self.node(id, None);
        let number = self.nodes.len() - 1;
        self.nodes[number].exists = false;
        number
    }

    fn edge(&mut self, source: usize, target: usize, kind: EdgeKind) -> &mut ShapeEdge {
        self.joined.insert((source, target));
        let (action, condition) = (None, None);
        self.edges.push(ShapeEdge { source, target, action, condition, transforms: false, kind });
        let last = self.edges.len() - 1;
        &mut self.edges[last]
    }

    fn take_blueprint(&mut self, blueprint: &Blueprint) {
        let mut sources: HashMap<usize, HashSet<usize>> = HashMap::new();
        for edge in &blueprint.edges {
            let (source, target) = (self.end(&edge.source), self.end(&edge.target));
            sources.entry(target).or_default().insert(source);
            let Edge { action, condition, transform, .. } = edge;
            let drawn = self.edge(source, target, EdgeKind::Flow);
            drawn.action = words(action.as_deref());
            drawn.condition = words(condition.as_deref());
            drawn.transforms = transform.is_some();
        }
        let mut seen = HashSet::new();
        for node in blueprint.nodes.iter().filter(|node| seen.insert(&node.id)) {
            let number = self.end(&node.id);
            if let Some(fallback) = &node.config.fallback {
                let fallback = self.end(fallback);
                self.edge(number, fallback, EdgeKind::Fallback);
            }
            if sources.get(&number).is_some_and(|sources| sources.len() > 1) {
                self.nodes[number].join = Some(node.config.join);
            }
        }
    }

    /// What was created while running, and routes that no edge of the blueprint tells of.
    fn take_document(&mut self, document: &RunDocument) {
        let entries: Vec<(&NodeId, &Arc<Entry>)> = document.entries().collect();
        for (id, entry) in &entries {
            let Some(dynamic) = &entry.dynamic else { continue };
            let (number, parent) = (self.end(id), self.end(&dynamic.parent));
            self.nodes[number].batch = Some(parent);
            self.edge(parent, number, EdgeKind::Created);
            if let Some(gather) = &dynamic.gather {
                let gather = self.end(gather);
                self.edge(number, gather, EdgeKind::Created);
            }
        }
        for (id, entry) in &entries {
            let kind =
                if entry.stands_for.is_some() { EdgeKind::Inherited } else { EdgeKind::Flow };
            for target in &entry.routes {
                let (source, target) = (self.end(id), self.end(target));
                if !self.joined.contains(&(source, target)) {
                    self.edge(source, target, kind);
                }
            }
        }
    }

    fn finish(self, known: EdgesKnown) -> Shape {
        let mut hasher = DefaultHasher::new();
        (&self.nodes, &self.edges, known).hash(&mut hasher);
        Shape { nodes: self.nodes, edges: self.edges, known, fingerprint: hasher.finish() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        blueprint::sanitize,
        engine::{Head, Op},
        monitor::RunDetail,
    };

    fn detail(blueprint: Option<&Blueprint>, entries: &[(&str, Value)]) -> RunDetail {
        let head: Head = serde_json::from_value(json!({
            "blueprintId": "b", "rev": 1, "status": "running", "startedAt": 0,
        }))
        .unwrap();
        let mut document = RunDocument::new(head);
        for (id, entry) in entries {
            let entry = serde_json::from_value(entry.clone()).unwrap();
            document.apply(&Op::Node((*id).into(), Arc::new(entry)));
        }
        RunDetail::render(&"r".into(), &document, blueprint, &[])
    }

    /// The edges, each with where it stands.
    fn edges(detail: &RunDetail) -> Vec<String> {
        let name = |node: usize| detail.shape.nodes[node].id.as_str();
        let text = |(edge, shown): (&ShapeEdge, &EdgeShown)| {
            let action = edge.action.as_deref().map(|it| format!(":{it}")).unwrap_or_default();
            format!("{}>{}{action} {shown:?}", name(edge.source), name(edge.target))
        };
        detail.shape.edges.iter().zip(&detail.edges).map(text).collect()
    }

    fn blueprint(nodes: &Value, edges: &[&str]) -> Blueprint {
        let edge = |text: &&str| {
            let (source, rest) = text.split_once('>').unwrap();
            let (target, action) = rest.split_once(':').unwrap_or((rest, ""));
            json!({ "source": source, "target": target, "action": action })
        };
        let edges: Vec<Value> = edges.iter().map(edge).collect();
        sanitize(json!({ "id": "b", "nodes": nodes, "edges": edges })).unwrap()
    }

    fn node(id: &str) -> Value {
        json!({ "id": id, "uses": "x" })
    }

    #[test]
    fn edges_are_open_taken_or_not() {
        let nodes = json!([node("a"), node("b"), node("c"), node("d")]);
        let blueprint = blueprint(&nodes, &["a>b:yes", "a>b:no", "a>c:no", "b>d", "c>d"]);
        let chose =
            json!({ "state": "completed", "iteration": 1, "action": "yes", "routes": ["b"] });
        let skipped = json!({ "state": "skipped", "iteration": 1 });
        let detail = detail(Some(&blueprint), &[("a", chose), ("c", skipped)]);
        assert_eq!(
            edges(&detail),
            ["a>b:yes Taken", "a>b:no Untaken", "a>c:no Untaken", "b>d Open", "c>d Untaken"]
        );
        assert_eq!(detail.shape.nodes[3].join, Some(JoinStrategy::All));
        assert_eq!(detail.shape.nodes[1].join, None, "two edges from one node are no join");
        assert_eq!(detail.shape.known, EdgesKnown::All);
    }

    #[test]
    fn a_fallback_and_what_it_inherits() {
        let nodes = json!([
            { "id": "a", "uses": "x", "config": { "fallback": "f" } },
            node("f"),
            node("next"),
        ]);
        let blueprint = blueprint(&nodes, &["a>next"]);
        let failed = |outcome| {
            json!({
                "state": "failed", "iteration": 1, "fallback": { "node": "f", "outcome": outcome },
            })
        };
        let before = detail(Some(&blueprint), &[("a", failed("open"))]);
        assert_eq!(edges(&before), ["a>next Open", "a>f Taken"]);
        let stood_in = json!({
            "state": "completed", "iteration": 1, "standsFor": "a", "routes": ["next"],
        });
        let after = detail(Some(&blueprint), &[("a", failed("completed")), ("f", stood_in)]);
        assert_eq!(edges(&after), ["a>next Taken", "a>f Taken", "f>next Taken"]);
        assert_eq!(after.shape.edges[2].kind, EdgeKind::Inherited);
        let fine = json!({ "state": "completed", "iteration": 1, "routes": ["next"] });
        let unused = detail(Some(&blueprint), &[("a", fine)]);
        assert_eq!(edges(&unused), ["a>next Taken", "a>f Untaken"]);
    }

    #[test]
    fn a_loop_keeps_the_way_into_its_body() {
        let nodes = json!([
            { "id": "c", "uses": "loop-controller" }, node("body"), node("out"),
        ]);
        let blueprint = blueprint(&nodes, &["c>body:continue", "body>c", "c>out:break"]);
        let left = json!({
            "state": "completed", "iteration": 3, "action": "break", "routes": ["out"],
        });
        let body = json!({ "state": "completed", "iteration": 2, "routes": ["c"] });
        let detail = detail(Some(&blueprint), &[("c", left), ("body", body)]);
        assert_eq!(edges(&detail), ["c>body:continue Taken", "body>c Taken", "c>out:break Taken"]);
    }

    #[test]
    fn batches_and_unknown_ends_are_part_of_it() {
        let nodes = json!([
            { "id": "s", "uses": "batch-scatter" }, { "id": "g", "uses": "batch-gather" },
        ]);
        let blueprint = blueprint(&nodes, &["s>g", "g>gone"]);
        let item = |state| {
            json!({
                "state": state, "iteration": 1,
                "dynamic": { "uses": "w", "parent": "s", "gather": "g" },
            })
        };
        let scatter = json!({ "state": "completed", "iteration": 1, "routes": ["g"] });
        let entries = [("s", scatter), ("s_0", item("completed")), ("s_1", item("ready"))];
        let detail = detail(Some(&blueprint), &entries);
        assert_eq!(
            edges(&detail),
            ["s>g Taken", "g>gone Open", "s>s_0 Taken", "s_0>g Taken", "s>s_1 Taken", "s_1>g Open",]
        );
        let ids: Vec<&str> = detail.shape.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["s", "g", "s_0", "s_1", "gone"], "rows first, in their order");
        assert!(!detail.shape.nodes[4].exists);
        assert_eq!(detail.shape.nodes[2].batch, Some(0));
    }

    #[test]
    fn without_its_blueprint_a_run_shows_what_it_took() {
        let chose = json!({ "state": "completed", "iteration": 1, "routes": ["b"] });
        let detail =
            detail(None, &[("a", chose), ("b", json!({ "state": "ready", "iteration": 1 }))]);
        assert_eq!(edges(&detail), ["a>b Taken"]);
        assert_eq!(detail.shape.known, EdgesKnown::Taken);
    }

    #[test]
    fn only_what_changes_the_picture_changes_the_fingerprint() {
        let nodes = json!([node("a"), node("b")]);
        let blueprint = blueprint(&nodes, &["a>b"]);
        let ready = json!({ "state": "ready", "iteration": 1 });
        let before = detail(Some(&blueprint), &[]);
        let after = detail(Some(&blueprint), &[("a", ready)]);
        assert_eq!(before.shape.fingerprint, after.shape.fingerprint);
        assert_eq!(Shape::of(&blueprint).fingerprint, before.shape.fingerprint);
        assert_ne!(Shape::empty().fingerprint, before.shape.fingerprint);
    }
}
