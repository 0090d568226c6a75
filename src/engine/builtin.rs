//! The node kinds that come with the engine. They run within a plan, on the document as it is when
//! their result is committed.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    RunDocument,
    document::input_key,
    draft::{Draft, item_key},
    expression,
    graph::{BREAK, CONTINUE, Graph, LOOP_CONTROLLER},
    ledger::{Awaits, Batch, Entry, NodeState, RunStatus},
    names,
    outcome::{Completion, ContextWrite, FailureKind},
};
use crate::blueprint::{BlueprintId, Node, NodeId, RunId, parse_duration};

/// How often a loop goes round at most, unless `params.maxIterations` says otherwise.
const MAX_PASSES: u32 = 10_000;

/// A node kind that comes with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Waits for an answer.
    Wait,
    /// Waits for a time.
    Sleep,
    /// Runs another blueprint.
    Subflow,
    /// Hands out the items of an array.
    Scatter,
    /// Collects their results.
    Gather,
    /// Decides whether a loop goes round once more.
    LoopController,
    /// Would register an endpoint.
    Webhook,
}

impl Builtin {
    /// The kind that a blueprint's node `uses`, if it is built in.
    pub fn of(uses: &str) -> Option<Self> {
        Some(match uses {
            "wait" => Self::Wait,
            "sleep" => Self::Sleep,
            "subflow" | "SubflowNode" => Self::Subflow,
            "batch-scatter" => Self::Scatter,
            "batch-gather" => Self::Gather,
            LOOP_CONTROLLER => Self::LoopController,
            "webhook" => Self::Webhook,
            _ => return None,
        })
    }
}

/// A failure that no further attempt can mend.
type Refusal = String;

impl Draft<'_> {
    /// Runs a built-in node that is ready.
    pub(crate) fn run_builtin(&mut self, kind: Builtin, definition: &Node) {
        let node = &definition.id;
        let result = match kind {
            Builtin::Wait => {
                self.wait(node, Awaits::Answer, None);
                Ok(())
            }
            Builtin::Sleep => self.sleep(definition),
            Builtin::Subflow => self.start_child(definition),
            Builtin::Scatter => self.scatter(definition),
            Builtin::Gather => self.gather(definition),
            Builtin::LoopController => self.decide_loop(definition),
            Builtin::Webhook => Err(
                "webhook: no endpoint is configured that could receive requests: use a wait node and \
                 answer it instead"
                    .to_owned(),
            ),
        };
        if let Err(message) = result {
            // The retries of a node that can't work would fail the same way; its fallback may help.
            let kind = match kind {
                Builtin::Subflow | Builtin::LoopController => FailureKind::Fatal,
                _ => FailureKind::Exhausted,
            };
            self.fail(node, &message, kind);
        }
    }

    fn sleep(&mut self, definition: &Node) -> Result<(), Refusal> {
        let duration = definition.params.get("duration").unwrap_or(&Value::Null);
        let duration = parse_duration(duration).map_err(|error| format!("sleep: {error}"))?;
        self.resolve_input(&definition.id)?;
        if duration == Duration::ZERO {
            self.finish_sleep(&definition.id);
        } else {
            let due = self.now + duration;
            self.wait(&definition.id, Awaits::Timer, Some(due));
        }
        Ok(())
    }

    /// Ends a sleep: its output is its input.
    pub(crate) fn finish_sleep(&mut self, node: &NodeId) {
        match self.resolve_input(node) {
            Ok(output) => self.complete(node, Completion { output, ..Completion::default() }),
            Err(message) => self.fail(node, &message, FailureKind::Exhausted),
        }
    }

    fn start_child(&mut self, definition: &Node) -> Result<(), Refusal> {
        let node = &definition.id;
        child_blueprint(definition)?;
        let children = self.entry(node).children + 1;
        self.update(node, |entry| entry.children = children);
        let run = child_run_id(self.run, node, &self.entry(node));
        self.wait(node, Awaits::Child { run, status: RunStatus::Running }, None);
        self.effects.child = Some(self.work(node));
        Ok(())
    }

    fn decide_loop(&mut self, definition: &Node) -> Result<(), Refusal> {
        let node = &definition.id;
        let continues =
            self.graph.outgoing(node).any(|edge| edge.action.as_deref() == Some(CONTINUE));
        if !continues {
            return Err(format!(
                "loop-controller: node \"{node}\" has no edge with the action \"continue\""
            ));
        }
        let condition = definition.params.get("condition").and_then(Value::as_str).unwrap_or("");
        if !expression::loop_condition(condition, &self.document) {
            let completion = Completion {
                output: Some(Arc::new(Value::Null)),
                action: Some(BREAK.to_owned()),
                ..Completion::default()
            };
            self.complete(node, completion);
            return Ok(());
        }
        let limit = definition
            .params
            .get("maxIterations")
            .and_then(Value::as_u64)
            .map_or(MAX_PASSES, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
        if self.entry(node).passes >= limit {
            return Err(format!(
                "loop-controller: the loop went round {limit} times and its condition \"{condition}\" is \
                 still true: raise params.maxIterations if that is meant"
            ));
        }
        let completion = Completion { action: Some(CONTINUE.to_owned()), ..Completion::default() };
        self.complete(node, completion);
        Ok(())
    }

    fn scatter(&mut self, definition: &Node) -> Result<(), Refusal> {
        let node = &definition.id;
        let input = self.resolve_input(node)?;
        // As in process, whatever counts as false stands for no items.
        let input = input.as_deref().filter(|input| expression::is_true(Some(input)));
        let items = match input {
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(other) => {
                return Err(format!(
                    "batch-scatter: the input must be an array, not {}",
                    kind_of(other)
                ));
            }
        };
        let worker = text_param(definition, "workerUsesKey")?.to_owned();
        let gather = NodeId::from(text_param(definition, "gatherNodeId")?);
        if self.graph.definition(&gather).is_none() {
            return Err(format!("batch-scatter: params.gatherNodeId names no node: \"{gather}\""));
        }
        let count = u32::try_from(items.len())
            .map_err(|_| format!("batch-scatter: {} items are too many", items.len()))?;
        let chunk = match definition.params.get("chunkSize") {
            None | Some(Value::Null) => count,
            Some(size) => size
                .as_u64()
                .filter(|size| *size > 0)
                .map(|size| u32::try_from(size).unwrap_or(u32::MAX))
                .ok_or_else(|| {
                    format!(
                        "batch-scatter: params.chunkSize must be a whole number above 0, not {size}"
                    )
                })?,
        };
        let execution = self.execution_uuid(node);
        let prefix = format!("_batch.{node}_{execution}");
        for (number, item) in (0..count).zip(items) {
            self.set(&item_key(&prefix, number), item);
        }
        let batch = Batch::Scatter {
            gather: gather.clone(),
            worker,
            prefix,
            items: count,
            handed_out: 0,
            chunk,
        };
        self.update(node, |entry| entry.batch = Some(batch));
        let collects = Batch::Gather { scatter: node.clone() };
        self.update(&gather, |entry| entry.batch = Some(collects));
        self.record_batch(node, &gather, 0, count);
        self.hand_out(node);
        let has_more = chunk < count;
        let output = json!({"gatherNodeId": gather.as_str(), "hasMore": has_more});
        self.complete(node, Completion { output: Some(Arc::new(output)), ..Completion::default() });
        Ok(())
    }

    fn gather(&mut self, definition: &Node) -> Result<(), Refusal> {
        let node = &definition.id;
        let source = text_param(definition, "gatherNodeId")?;
        let workers = self.document.get(&format!("{source}_allWorkerIds")).cloned();
        let outputs: Vec<Value> = workers
            .as_deref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|id| self.document.output(id.as_str()?).map(|output| (**output).clone()))
            .collect();
        let outputs = Value::Array(outputs);
        let writes = match definition.params.get("outputKey").and_then(Value::as_str) {
            Some(key) if key != node.as_str() => {
                vec![ContextWrite::Set(key.to_owned(), outputs.clone())]
            }
            _ => Vec::new(),
        };
        let completion =
            Completion { output: Some(Arc::new(outputs)), writes, ..Completion::default() };
        self.complete(node, completion);
        Ok(())
    }

    /// An id for this execution of a node that every worker would give it.
    fn execution_uuid(&self, node: &NodeId) -> uuid::Uuid {
        let work = self.work(node);
        let name = format!("{}\n{node}\n{}\n{}", self.run, work.iteration, work.generation);
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes())
    }
}

fn text_param<'a>(definition: &'a Node, name: &str) -> Result<&'a str, Refusal> {
    definition
        .params
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("{}: params.{name} is missing", definition.uses))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The blueprint that a subflow node runs.
pub fn child_blueprint(definition: &Node) -> Result<BlueprintId, String> {
    text_param(definition, "blueprintId").map(BlueprintId::from)
}

/// The id of the run that a subflow node starts: `<run>.<node>`, with `.<iteration>.<child>` unless
/// both are 1, and a hash in place of the node where that would become too long.
pub(crate) fn child_run_id(run: &RunId, node: &NodeId, entry: &Entry) -> RunId {
    use std::fmt::Write as _;
    const LONGEST: usize = 200;
    let mut name = String::new();
    for byte in node.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(name, "~{byte:02x}");
        }
    }
    let suffix = match (entry.iteration, entry.children) {
        (1, 1) => String::new(),
        (iteration, child) => format!(".{iteration}.{child}"),
    };
    let id = format!("{run}.{name}{suffix}");
    if id.chars().count() <= LONGEST {
        return RunId::from(id);
    }
    let mut hash = String::new();
    for byte in Sha256::digest(&id).iter().take(16) {
        // As above.
        let _ = write!(hash, "{byte:02x}");
    }
    let head: String = run.chars().take(120).collect();
    RunId::from(format!("{head}.{hash}"))
}

/// The context that a subflow's run begins with.
pub fn child_context(
    parent: &RunDocument,
    definition: &Node,
    child: &Graph,
) -> Result<Map<String, Value>, String> {
    if let Some(inputs) = definition.params.get("inputs").and_then(Value::as_object) {
        return Ok(inputs
            .iter()
            .filter_map(|(key, name)| {
                let value = names::lookup(parent, name.as_str()?)?;
                Some((key.clone(), value.clone()))
            })
            .collect());
    }
    let input = super::routing::resolve_input(parent, &definition.id, Some(&definition.inputs))?;
    Ok(input.map_or_else(Map::new, |input| {
        child.without_predecessors().map(|node| (input_key(node), (*input).clone())).collect()
    }))
}

/// What a completed child run gives its parent: the node's output, and context keys.
pub fn child_result(
    definition: &Node,
    child: &RunDocument,
    graph: &Graph,
) -> (Option<Value>, Vec<ContextWrite>) {
    let Some(outputs) = definition.params.get("outputs").and_then(Value::as_object) else {
        return (terminal_outputs(child, graph), Vec::new());
    };
    let writes = outputs
        .iter()
        .filter_map(|(key, name)| {
            let name = name.as_str()?;
            let output = child.output(name).map(|value| &**value).filter(|value| !value.is_null());
            Some(match output.or_else(|| names::lookup(child, name)) {
                Some(value) => ContextWrite::Set(key.clone(), value.clone()),
                None => ContextWrite::Delete(key.clone()),
            })
        })
        .collect();
    (Some(Value::Object(names::in_process(child))), writes)
}

/// The output of the only terminal node, or an object of all terminal nodes' outputs.
fn terminal_outputs(child: &RunDocument, graph: &Graph) -> Option<Value> {
    let terminals: Vec<_> = graph.terminals().collect();
    if let [only] = terminals.as_slice() {
        return child.output(only).map(|output| (**output).clone());
    }
    let outputs = terminals
        .iter()
        .filter_map(|node| Some((node.to_string(), (**child.output(node)?).clone())))
        .collect();
    Some(Value::Object(outputs))
}

/// Whether a subflow node still waits for this child run.
pub(crate) fn waits_for(entry: &Entry, child: &RunId) -> bool {
    entry.state == NodeState::Awaiting
        && matches!(&entry.awaits, Some(Awaits::Child { run, .. }) if run == child)
}
