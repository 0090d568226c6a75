//! What can be said about each node by itself.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Code, Found, LintContext, is_expression};
use crate::blueprint::{
    duration::parse_duration,
    graph::Graph,
    id::BlueprintId,
    kind::BuiltIn,
    model::{Blueprint, Inputs, JoinStrategy, Node, Treatment},
    sanitize::kind_of,
};

/// What `config` may have in it.
const CONFIG_KEYS: [&str; 5] = ["maxRetries", "retryDelay", "timeout", "fallback", "joinStrategy"];

/// Every node must use something that runs.
pub(super) fn implementations(graph: &Graph<'_>, context: &LintContext<'_>, found: &mut Found) {
    let Some(implementations) = context.implementations else { return };
    for node in &graph.nodes {
        let uses = node.uses.as_str();
        if BuiltIn::of(uses).is_some() || implementations.contains(uses) {
            continue;
        }
        let near = found.nearest(uses, implementations.iter().map(String::as_str));
        found.add(
            Code::MissingNodeImplementation,
            &node.id,
            format!("nothing runs `{uses}`: register it, or configure [nodes.{uses}].{near}"),
        );
    }
}

/// Everything else about single nodes.
pub(super) fn check(graph: &Graph<'_>, context: &LintContext<'_>, found: &mut Found) {
    if graph.blueprint.nodes.is_empty() {
        found.add_whole(
            Code::EmptyBlueprint,
            "the blueprint has no nodes, so a run of it does nothing: add one to `nodes`",
        );
    }
    let mut recursion = Recursion::new(graph.blueprint, context);
    let fallbacks = Fallbacks::new(graph);
    let mut seen = HashSet::new();
    for node in &graph.blueprint.nodes {
        if !seen.insert(&node.id) {
            found.add(
                Code::DuplicateNodeId,
                &node.id,
                "another node before it has the same id and hides it: rename or remove one",
            );
            continue;
        }
        types(node, found);
        retries(node, found);
        fallbacks.check(node, found);
        match BuiltIn::of(&node.uses) {
            Some(BuiltIn::Sleep) => sleep(node, found),
            Some(BuiltIn::Subflow) => subflow(node, context, &mut recursion, found),
            Some(BuiltIn::BatchScatter) => scatter(node, graph, context, found),
            Some(BuiltIn::BatchGather) => gather(node, found),
            Some(BuiltIn::LoopController) => controller(node, graph, found),
            Some(BuiltIn::Webhook) => found.add(
                Code::WebhookUnsupported,
                &node.id,
                "fails when reached: no endpoint is configured; use a `wait` node and answer it instead",
            ),
            Some(BuiltIn::Wait) | None => {}
        }
    }
}

fn types(node: &Node, found: &mut Found) {
    for wrong in &node.config.wrong {
        let (member, expected, is) = (&wrong.member, wrong.expected, &wrong.found);
        match wrong.treatment {
            Treatment::Converted => found.add(
                Code::NumberAsText,
                &node.id,
                format!("`{member}` is {is}: write it as {expected}, without quotes"),
            ),
            Treatment::Ignored => found.add(
                Code::WrongType,
                &node.id,
                format!("`{member}` must be {expected}, found {is}"),
            ),
        }
    }
    for key in &node.config.unknown {
        let near = found.nearest(key, CONFIG_KEYS.into_iter());
        found.add(
            Code::UnknownConfigKey,
            &node.id,
            format!("`config.{key}` means nothing: remove it.{near}"),
        );
    }
    if let Inputs::Many(members) = &node.inputs {
        for (key, value) in members.iter().filter(|(_, value)| !value.is_string()) {
            let is = kind_of(value);
            found.add(
                Code::InvalidInputs,
                &node.id,
                format!("`inputs.{key}` must be the name of a node or context key, found {is}"),
            );
        }
    }
}

fn retries(node: &Node, found: &mut Found) {
    let config = &node.config;
    if let Some(attempts) = config.max_retries.filter(|attempts| *attempts < 1.0) {
        found.add(
            Code::RetriesBelowOne,
            &node.id,
            format!("`config.maxRetries` is the number of attempts, so {attempts} counts as 1: write 1 or more"),
        );
    }
    for (key, value) in [("retryDelay", config.retry_delay), ("timeout", config.timeout)] {
        if let Some(value) = value.filter(|value| *value < 0.0) {
            found.add(
                Code::NegativeTime,
                &node.id,
                format!("`config.{key}` is {value} and is not used: give milliseconds above 0"),
            );
        }
    }
    if config.attempts() == 1 && config.retry_delay.is_some_and(|delay| delay > 0.0) {
        found.add(
            Code::RetryDelayWithoutRetries,
            &node.id,
            "`config.retryDelay` has no effect on a node that is tried once: set `maxRetries` to 2 or more",
        );
    }
}

fn sleep(node: &Node, found: &mut Found) {
    let duration = node.params.get("duration").unwrap_or(&Value::Null);
    if let Err(bad) = parse_duration(duration) {
        found.add(Code::InvalidDuration, &node.id, format!("`params.duration`: {bad}"));
    }
}

fn subflow(
    node: &Node,
    context: &LintContext<'_>,
    recursion: &mut Recursion<'_>,
    found: &mut Found,
) {
    let Some(id) = subflow_of(node) else {
        found.add(
            Code::SubflowWithoutBlueprint,
            &node.id,
            "`params.blueprintId` must be the id of the blueprint to run",
        );
        return;
    };
    if let Some(blueprints) = context.blueprints
        && !blueprints.contains_key(id)
    {
        let near = found.nearest(id, blueprints.keys().map(BlueprintId::as_str));
        found.add_related(
            Code::InvalidSubflowBlueprintId,
            &node.id,
            id,
            format!("there is no blueprint `{id}` to run as a subflow: load it.{near}"),
        );
    }
    if recursion.leads_back(id) {
        found.add_related(
            Code::SubflowRecursion,
            &node.id,
            id,
            format!("subflow `{id}` leads back to this blueprint: make sure that a branch ends it"),
        );
    }
}

fn subflow_of(node: &Node) -> Option<&str> {
    node.params.get("blueprintId").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// Finds subflows that lead back to the blueprint they are in.
struct Recursion<'a> {
    home: &'a str,
    context: LintContext<'a>,
    /// Whether a blueprint leads back, as far as it is known.
    known: HashMap<&'a str, bool>,
}

impl<'a> Recursion<'a> {
    fn new(blueprint: &'a Blueprint, context: &LintContext<'a>) -> Self {
        Self { home: &blueprint.id, context: *context, known: HashMap::new() }
    }

    fn leads_back(&mut self, id: &str) -> bool {
        if id == self.home {
            return true;
        }
        let Some((id, _)) = self.context.blueprints.and_then(|all| all.get_key_value(id)) else {
            return false;
        };
        if let Some(known) = self.known.get(id.as_str()) {
            return *known;
        }
        let mut seen = HashSet::from([id.as_str()]);
        let mut open = vec![id.as_str()];
        let mut leads_back = false;
        while let Some(next) = open.pop().filter(|_| !leads_back) {
            for child in self.subflows(next) {
                match self.known.get(child) {
                    _ if child == self.home => leads_back = true,
                    Some(known) => leads_back |= known,
                    None if seen.insert(child) => open.push(child),
                    None => {}
                }
            }
        }
        if leads_back {
            self.known.insert(id, true);
        } else {
            self.known.extend(seen.into_iter().map(|id| (id, false)));
        }
        leads_back
    }

    fn subflows(&self, id: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let blueprint = self.context.blueprints.and_then(|all| all.get(id));
        blueprint
            .into_iter()
            .flat_map(|blueprint| &blueprint.nodes)
            .filter(|node| BuiltIn::of(&node.uses) == Some(BuiltIn::Subflow))
            .filter_map(subflow_of)
    }
}

fn scatter(node: &Node, graph: &Graph<'_>, context: &LintContext<'_>, found: &mut Found) {
    if let Some(worker) = batch_param(node, "workerUsesKey", "what runs for each item", found)
        && let Some(implementations) = context.implementations
        && !implementations.contains(worker)
        && BuiltIn::of(worker).is_none()
    {
        let near = found.nearest(worker, implementations.iter().map(String::as_str));
        found.add(
            Code::InvalidBatchWorkerKey,
            &node.id,
            format!("nothing runs `{worker}`, the batch's worker: register or configure it.{near}"),
        );
    }
    let gather = batch_param(node, "gatherNodeId", "the id of the batch-gather node", found);
    if let Some(gather) = gather {
        match graph.number(gather) {
            None => found.add_related(
                Code::BatchGatherNotFound,
                &node.id,
                gather,
                format!("`params.gatherNodeId` names `{gather}`, and there is no such node"),
            ),
            Some(number) if graph.incoming[number].is_empty() => found.add_related(
                Code::GatherStartsEarly,
                &node.id,
                gather,
                format!("nothing leads to `{gather}`, so it starts before this batch: add an edge from `{}` to it", node.id),
            ),
            Some(_) => {}
        }
    }
    let chunk = node.params.get("chunkSize").filter(|chunk| !chunk.is_null());
    if chunk.is_some_and(|chunk| !is_count(chunk)) {
        found.add(
            Code::InvalidBatchParam,
            &node.id,
            "`params.chunkSize` must be a whole number above 0",
        );
    }
}

fn gather(node: &Node, found: &mut Found) {
    if let Some(id) = batch_param(node, "gatherNodeId", "the node's own id", found)
        && id != node.id.as_str()
    {
        found.add_related(
            Code::GatherNamesAnother,
            &node.id,
            id,
            format!("`params.gatherNodeId` of a gather is its own id, `{}`, not `{id}`", node.id),
        );
    }
}

fn batch_param<'a>(node: &'a Node, key: &str, what: &str, found: &mut Found) -> Option<&'a str> {
    let text = node.params.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text.is_none() {
        let uses = &node.uses;
        found.add(
            Code::InvalidBatchParam,
            &node.id,
            format!("`{uses}` needs `params.{key}`, as text: {what}"),
        );
    }
    text
}

fn is_count(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number >= 1.0 && number.fract() == 0.0)
}

fn controller(node: &Node, graph: &Graph<'_>, found: &mut Found) {
    match node.params.get("condition") {
        Some(Value::String(condition)) if is_expression(condition) => {}
        Some(Value::String(condition)) => found.add(
            Code::InvalidLoopCondition,
            &node.id,
            format!("`params.condition` {}", super::edges::refusal(condition)),
        ),
        _ => found.add(
            Code::InvalidLoopCondition,
            &node.id,
            "`params.condition` must name the context key or output that keeps the loop going",
        ),
    }
    let limit = node.params.get("maxIterations").filter(|limit| !limit.is_null());
    if limit.is_some_and(|limit| !is_count(limit)) {
        found.add(
            Code::InvalidMaxIterations,
            &node.id,
            "`params.maxIterations` must be a whole number above 0",
        );
    }
    let Some(number) = graph.number(&node.id) else { return };
    let leading_somewhere = || {
        graph.outgoing[number]
            .iter()
            .filter(|edge| graph.ends[**edge].1.is_some())
            .map(|edge| &graph.blueprint.edges[*edge])
    };
    if !leading_somewhere().any(|edge| edge.action.as_deref() == Some("continue")) {
        found.add(
            Code::LoopWithoutContinue,
            &node.id,
            "a loop controller needs an edge with action `continue` to the first node of its body",
        );
    }
    // Conditions are looked at before actions, so an edge with one leads out too.
    let leads_out = |action: Option<&str>| action.is_none_or(|action| action == "break");
    if !leading_somewhere().any(|edge| {
        leads_out(edge.action.as_deref())
            || edge.condition.is_some() && edge.action.as_deref() != Some("continue")
    }) {
        found.add(
            Code::LoopWithoutExit,
            &node.id,
            "the loop has no way out: add an edge with action `break` from the controller",
        );
    }
    let mut sources =
        graph.incoming[number].iter().map(|edge| &graph.blueprint.edges[*edge].source);
    let first = sources.next();
    if node.config.join == JoinStrategy::All && sources.any(|source| Some(source) != first) {
        found.add(
            Code::LoopJoinNotAny,
            &node.id,
            "the loop controller waits for all its predecessors, and those in the loop wait for it: set `config.joinStrategy` to \"any\"",
        );
    }
}

/// Finds fallbacks that are not there, or lead back to where they came from.
struct Fallbacks<'a> {
    graph: &'a Graph<'a>,
    /// Per node: the cycle of fallbacks it is on.
    on_cycle: Vec<bool>,
}

impl<'a> Fallbacks<'a> {
    fn new(graph: &'a Graph<'a>) -> Self {
        let next: Vec<Option<usize>> = graph
            .nodes
            .iter()
            .map(|node| node.config.fallback.as_ref().and_then(|id| graph.number(id)))
            .collect();
        let mut on_cycle = vec![false; next.len()];
        // Per node: the walk that came by.
        let mut walk_of = vec![usize::MAX; next.len()];
        for start in 0..next.len() {
            let mut at = Some(start);
            while let Some(node) = at.filter(|node| walk_of[*node] == usize::MAX) {
                walk_of[node] = start;
                at = next[node];
            }
            // Back on this very walk: what lies behind is a cycle.
            let mut member = at.filter(|node| walk_of[*node] == start);
            while let Some(node) = member.filter(|node| !on_cycle[*node]) {
                on_cycle[node] = true;
                member = next[node];
            }
        }
        Self { graph, on_cycle }
    }

    fn check(&self, node: &Node, found: &mut Found) {
        let Some(fallback) = &node.config.fallback else { return };
        if self.graph.number(fallback).is_none() {
            let near =
                found.nearest(fallback, self.graph.nodes.iter().map(|node| node.id.as_str()));
            found.add_related(
                Code::FallbackNotFound,
                &node.id,
                fallback,
                format!("`config.fallback` is the id of a node, and there is no node `{fallback}`.{near}"),
            );
        } else if self.graph.number(&node.id).is_some_and(|number| self.on_cycle[number]) {
            found.add_related(
                Code::FallbackCycle,
                &node.id,
                fallback,
                format!(
                    "fallback `{fallback}` leads back to this node: end the chain of fallbacks"
                ),
            );
        }
    }
}
