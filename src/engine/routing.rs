//! Which edges a finished node takes, and what they carry.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use serde_json::Value;

use super::{
    document::{input_key, json_size, output_key},
    draft::Draft,
    expression::{self, ResultNames},
    graph::{edge_action, edge_condition},
    ledger::{Arrival, NodeState},
};
use crate::blueprint::{Edge, Inputs, JoinStrategy, NodeId};

/// The largest value that is copied into `_inputs.X`; a larger one stays where it is.
const INPUT_LIMIT: usize = 64 * 1024;

impl Draft<'_> {
    /// The edges that a node's success takes (blueprint order, own edges before those of the nodes
    /// it stands in for).
    pub(crate) fn choose_routes(
        &self,
        node: &NodeId,
        output: Option<&Value>,
        action: Option<&str>,
    ) -> Vec<Edge> {
        let result = ResultNames { output, action };
        let holds = |edge: &Edge| {
            edge_condition(edge)
                .is_none_or(|condition| expression::condition(condition, result, &self.document))
        };
        let edges = self.candidates(node);
        if self.graph.is_controller(node) {
            let conditional: Vec<_> = edges
                .iter()
                .filter(|edge| edge_condition(edge).is_some() && holds(edge))
                .cloned()
                .collect();
            if !conditional.is_empty() {
                return conditional;
            }
        }
        if let Some(action) = action.filter(|action| !action.is_empty()) {
            let matching: Vec<_> = edges
                .iter()
                .filter(|edge| edge_action(edge) == Some(action) && holds(edge))
                .cloned()
                .collect();
            if !matching.is_empty() {
                return matching;
            }
        }
        edges.into_iter().filter(|edge| edge_action(edge).is_none() && holds(edge)).collect()
    }

    /// A node's own edges, and those it inherits: from the node it stands in for, or, where it runs
    /// as an ordinary node, from every node that names it as its fallback. Edges that are the same
    /// but for their transforms collapse to the place of the first and the transform of the last.
    pub(super) fn candidates(&self, node: &NodeId) -> Vec<Edge> {
        let stands_for = self.entry(node).stands_for.clone();
        let inherited = match &stands_for {
            Some(failed) => std::slice::from_ref(failed),
            None => self.fallback_of(node),
        };
        let own = self.graph.outgoing(node);
        let mut edges: Vec<Edge> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for edge in own.chain(inherited.iter().flat_map(|failed| self.graph.outgoing(failed))) {
            let same = (&edge.source, &edge.target, edge_action(edge), edge_condition(edge));
            match places.entry(same) {
                Entry::Occupied(place) => {
                    edges[*place.get()].transform.clone_from(&edge.transform);
                }
                Entry::Vacant(place) => {
                    place.insert(edges.len());
                    edges.push(edge.clone());
                }
            }
        }
        edges
    }

    /// Takes an edge: prepares the target's input and marks it as reached.
    pub(crate) fn take_edge(&mut self, edge: &Edge, node: &NodeId, output: Option<&Arc<Value>>) {
        let target = &edge.target;
        if self.comes_late(target) {
            self.record_arrival(node, target);
            return;
        }
        let input = input_key(target);
        let Some(transform) = &edge.transform else {
            match output {
                Some(value) if json_size(value) > INPUT_LIMIT => {
                    self.remove(&input);
                    self.update(target, |entry| entry.input_from = Some(node.clone()));
                }
                Some(value) => self.set_input(target, Some(value.clone())),
                None => self.set_input(target, None),
            }
            self.arrive(node, target, Arrival::Plain);
            return;
        };
        let read = self.transform_source(edge, node);
        let source = read.as_ref().or(output).map(|value| &**value);
        let value = expression::transform(transform, source, &self.document)
            .map(|value| Arc::new(Cow::into_owned(value)));
        self.set_input(target, value);
        self.arrive(node, target, Arrival::Transformed);
    }

    /// Whether an `any` join has gone on with another edge in this iteration.
    fn comes_late(&self, target: &NodeId) -> bool {
        let entry = self.entry(target);
        self.graph.join(target) == JoinStrategy::Any
            && !self.graph.is_controller(target)
            && entry.stands_for.is_none()
            && !matches!(entry.state, NodeState::Pending | NodeState::Skipped)
    }

    fn set_input(&mut self, target: &NodeId, value: Option<Arc<Value>>) {
        let key = input_key(target);
        match value {
            Some(value) => self.set(&key, value),
            None => self.remove(&key),
        }
        if self.entry(target).input_from.is_some() {
            self.update(target, |entry| entry.input_from = None);
        }
    }

    /// What an edge's transform reads instead of the source's output: where the target names
    /// another node in its `inputs` and that has an output, that one.
    fn transform_source(&self, edge: &Edge, node: &NodeId) -> Option<Arc<Value>> {
        let Some(Inputs::One(name)) = self.graph.definition(&edge.target).map(|node| &node.inputs)
        else {
            return None;
        };
        if name == node.as_str() {
            None
        } else if name.starts_with('_') {
            resolve_name(&self.document, name)
        } else {
            self.document.output(name).cloned()
        }
    }

    /// The successors that are started although no edge was taken at all: those not reached yet
    /// that have no conditional edge from anywhere.
    pub(crate) fn started_without_match(&self, node: &NodeId) -> Vec<NodeId> {
        let mut successors = self.successors(node);
        successors.retain(|successor| {
            self.document.state(successor) == NodeState::Pending
                && !self.has_conditional_edge(successor)
        });
        successors
    }

    /// A node's input, resolved now. An error says which member of `inputs` is not a name.
    pub(crate) fn resolve_input(&self, node: &NodeId) -> Result<Option<Arc<Value>>, String> {
        resolve_input(&self.document, node, self.definition(node).map(|node| node.inputs).as_ref())
    }
}

/// A node's input, resolved from the document as it is. An error says which member of `inputs` is
/// not a name.
pub(crate) fn resolve_input(
    document: &super::RunDocument,
    node: &NodeId,
    inputs: Option<&Inputs>,
) -> Result<Option<Arc<Value>>, String> {
    let entry = document.entry(node);
    let transformed = entry.is_some_and(|entry| entry.arrival == Arrival::Transformed);
    match inputs {
        Some(Inputs::One(name)) if !transformed => Ok(resolve_name(document, name)),
        Some(Inputs::Many(members)) if !transformed => {
            let mut input = serde_json::Map::new();
            for (member, name) in members {
                let Some(name) = name.as_str() else {
                    return Err(format!(
                        "inputs.{member} must be the name of a node or a context key, not {name}"
                    ));
                };
                if let Some(value) = resolve_name(document, name) {
                    input.insert(member.clone(), (*value).clone());
                }
            }
            Ok(Some(Arc::new(Value::Object(input))))
        }
        _ => Ok(edge_input(document, node)),
    }
}

/// What the last edge taken into a node carried.
fn edge_input(document: &super::RunDocument, node: &str) -> Option<Arc<Value>> {
    if let Some(source) = document.entry(node).and_then(|entry| entry.input_from.as_ref()) {
        return document.output(source).cloned();
    }
    document.get(&input_key(node)).cloned()
}

/// The value that a name in `inputs` stands for.
fn resolve_name(document: &super::RunDocument, name: &str) -> Option<Arc<Value>> {
    if name.starts_with('_') {
        return match name.strip_prefix("_inputs.") {
            Some(node) => edge_input(document, node),
            // A node's id may begin like that too.
            None => document.output(name).or_else(|| document.get(name)).cloned(),
        };
    }
    if let Some(value) = document.get(&output_key(name)) {
        return Some(value.clone());
    }
    if let Some((base, rest)) = name.split_once('.')
        && let Some(value) = document.output(base)
    {
        return expression::path(Some(Cow::Borrowed(value)), Some(rest))
            .map(|value| Arc::new(value.into_owned()));
    }
    document.get(name).cloned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Map, json};

    use super::*;
    use crate::{
        blueprint::{RunId, sanitize},
        engine::{
            Completion, Continuation, Event, ExecutionRecord, Graph, Planner, RunDocument,
            Timestamp, Verdict, Work, start,
        },
    };

    /// Completes a node with an output.
    fn complete(graph: &Graph, document: RunDocument, node: &str, output: Value) -> RunDocument {
        let run = RunId::from("run");
        let entry = document.entry(node).unwrap();
        let event = Event::Completed {
            work: Work {
                node: node.into(),
                iteration: entry.iteration,
                generation: entry.generation,
            },
            record: ExecutionRecord {
                by: "worker".to_owned(),
                started_at: Timestamp::default(),
                attempts: 1,
                tries: Vec::new(),
            },
            completion: Completion { output: Some(Arc::new(output)), ..Completion::default() },
        };
        let mut planner = Planner::new(graph, &run, document, Timestamp::default());
        assert!(matches!(planner.apply(&event, Continuation::Enqueue), Verdict::Applied(_)));
        planner.finish("commit").unwrap().0
    }

    #[test]
    fn what_comes_late_to_an_any_join_does_not_change_its_input() {
        let blueprint = json!({
            "id": "b",
            "nodes": [
                {"id": "a", "uses": "x"},
                {"id": "b", "uses": "x"},
                {"id": "j", "uses": "x", "inputs": "a", "config": {"joinStrategy": "any"}},
                {"id": "k", "uses": "x", "config": {"joinStrategy": "any"}},
            ],
            "edges": [
                {"source": "a", "target": "j"},
                {"source": "b", "target": "j", "transform": "input"},
                {"source": "a", "target": "k"},
                {"source": "b", "target": "k"},
            ],
        });
        let graph = Graph::new(Arc::new(sanitize(blueprint).unwrap()));
        let run = RunId::from("run");
        let (document, _) = start(&graph, &run, Map::new(), None, Timestamp::default());
        let document = complete(&graph, document, "a", json!("first"));
        let document = complete(&graph, document, "b", json!("late"));
        for join in ["j", "k"] {
            let inputs = &graph.definition(join).unwrap().inputs;
            let input = resolve_input(&document, &join.into(), Some(inputs)).unwrap();
            assert_eq!(input.as_deref(), Some(&json!("first")), "{join}");
        }
    }
}
