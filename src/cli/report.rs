//! A run as `run`, `start --wait` and `show` print it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    age::age,
    exit::{CliError, Exit},
    output::Output,
    table::{Cell, Column, Table, Tone},
    text::sanitize,
};
use crate::{
    blueprint::{NodeId, RunId, WorkerName},
    engine::{NodeState, RunStatus, Timestamp},
    operations::{NodeLine, NodeStanding, RunView},
};

/// What came of a run so far.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunReport<'a> {
    run_id: &'a RunId,
    status: &'static str,
    outputs: &'a Map<String, Value>,
    context: &'a Map<String, Value>,
    awaiting: &'a [NodeId],
    errors: Vec<ErrorReport<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorReport<'a> {
    node_id: &'a NodeId,
    message: &'a str,
}

impl<'a> From<&'a RunView> for RunReport<'a> {
    fn from(view: &'a RunView) -> Self {
        Self {
            run_id: &view.run,
            status: view.status.as_str(),
            outputs: &view.outputs,
            context: &view.context,
            awaiting: &view.awaiting,
            errors: view
                .errors
                .iter()
                .map(|error| ErrorReport { node_id: &error.node, message: &error.message })
                .collect(),
        }
    }
}

/// Prints what came of a run, and gives the exit code that goes with it.
pub(super) fn print(view: &RunView, output: &mut Output) -> Result<Exit, CliError> {
    output.report(&RunReport::from(view), |output| {
        nodes(view, output)?;
        values(view, output)?;
        output.line(&format!("Run {} is {}.", sanitize(&view.run), view.status))?;
        advice(view, output)
    })?;
    Ok(match view.status {
        RunStatus::Failed | RunStatus::Cancelled => Exit::Failed,
        RunStatus::Running | RunStatus::Awaiting | RunStatus::Completed => Exit::Done,
    })
}

/// Prints where the nodes stand.
pub(super) fn nodes(view: &RunView, output: &mut Output) -> Result<(), CliError> {
    let mut table = Table::new([
        Column::left("NODE"),
        Column::left("STATE"),
        Column::right("TURN"),
        Column::right("TRIES"),
        Column::right("TOOK"),
        Column::left("WORKER"),
        Column::left("ERROR"),
    ]);
    for node in &view.nodes {
        let took = match (node.started_at, node.finished_at) {
            (Some(from), Some(to)) => took(from, to),
            _ => String::new(),
        };
        table.row([
            node.id.as_str().into(),
            Cell::toned(node.state.as_str(), tone(node.state)),
            if node.iteration > 1 { node.iteration.to_string() } else { String::new() }.into(),
            if node.attempts > 0 { node.attempts.to_string() } else { String::new() }.into(),
            took.into(),
            Cell::toned(node.worker.as_ref().map_or("", WorkerName::as_str), Tone::Dim),
            Cell::toned(node.error.as_deref().unwrap_or_default(), Tone::Bad),
        ]);
    }
    output.table(&table)
}

/// Prints the outputs and the context.
pub(super) fn values(view: &RunView, output: &mut Output) -> Result<(), CliError> {
    for (title, values) in [("OUTPUT", &view.outputs), ("CONTEXT", &view.context)] {
        if values.is_empty() {
            continue;
        }
        let mut table = Table::new([Column::left(title), Column::left("VALUE")]);
        for (name, value) in values {
            table.row([name.as_str().into(), value.to_string().into()]);
        }
        output.line("")?;
        output.table(&table)?;
    }
    output.line("")
}

/// Prints what to do where somebody has to.
pub(super) fn advice(view: &RunView, output: &mut Output) -> Result<(), CliError> {
    for error in &view.errors {
        output.line(&format!("{}: {}", sanitize(&error.node), sanitize(&error.message)))?;
    }
    for warning in &view.warnings {
        output.line(&format!("warning: {}", sanitize(warning)))?;
    }
    if view.status == RunStatus::Awaiting {
        let nodes: Vec<_> = view.awaiting.iter().map(|node| sanitize(node)).collect();
        output.line(&format!("It waits at {}.", nodes.join(", ")))?;
    }
    Ok(())
}

fn took(from: Timestamp, to: Timestamp) -> String {
    let took = to.since(from);
    if took.as_secs() == 0 { format!("{}ms", took.as_millis()) } else { age(took) }
}

fn tone(state: NodeStanding) -> Tone {
    match state {
        NodeStanding::Running => Tone::Heading,
        NodeStanding::Recorded(NodeState::Completed) => Tone::Good,
        NodeStanding::Recorded(NodeState::Failed) => Tone::Bad,
        NodeStanding::Recorded(NodeState::Awaiting) => Tone::Notable,
        NodeStanding::Recorded(NodeState::Ready) => Tone::Plain,
        NodeStanding::Recorded(NodeState::Pending | NodeState::Skipped) => Tone::Dim,
    }
}

/// A node as `show` prints it. Times are seconds since 1970, with their milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeReport<'a> {
    id: &'a NodeId,
    state: &'static str,
    iteration: u32,
    attempts: u32,
    started_at: Option<f64>,
    finished_at: Option<f64>,
    worker: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> From<&'a NodeLine> for NodeReport<'a> {
    fn from(node: &'a NodeLine) -> Self {
        Self {
            id: &node.id,
            state: node.state.as_str(),
            iteration: node.iteration,
            attempts: node.attempts,
            started_at: node.started_at.map(seconds),
            finished_at: node.finished_at.map(seconds),
            worker: node.worker.as_ref().map(WorkerName::as_str),
            error: node.error.as_deref(),
        }
    }
}

// Exact for every time until far beyond the year 10000.
#[allow(clippy::cast_precision_loss)]
fn seconds(time: Timestamp) -> f64 {
    time.millis() as f64 / 1000.0
}
