//! What is on the screen, as JSON: the members that `show --json`, `runs --json` and the like print.

use std::{io, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    run_log::RunLine,
    values::{Published, Step, ValueTree, section},
};
use crate::{
    cluster::HeldLock,
    engine::{RunStatus, Timestamp},
    monitor::{
        DeadLetterRow, LocksView, NodeRow, NodeShown, QueueView, QueuedJob, RunDetail, RunRow,
        WorkersView,
    },
};

/// Something that can be exported.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A run: its document, and what is known of it beside that.
    Run {
        of: Published,
        row: Option<Arc<RunRow>>,
    },
    /// A value of a run.
    Value {
        of: Published,
        tree: Arc<ValueTree>,
        at: usize,
    },
    /// Log lines.
    Lines(Vec<Arc<RunLine>>),
    Runs(Vec<Arc<RunRow>>),
    /// Messages, by their places.
    Jobs(Arc<QueueView>, Vec<usize>),
    /// Dead letters, by their places.
    Letters(Arc<QueueView>, Vec<usize>),
    /// Locks, by their places, as they are at this time.
    Locks(Arc<LocksView>, Vec<usize>, Timestamp),
    /// Workers, by their places.
    Workers(Arc<WorkersView>, Vec<usize>),
}

impl Content {
    /// Writes it. Lists are written row by row: a large one is never there as a whole.
    pub(super) fn write(&self, out: impl io::Write) -> io::Result<()> {
        match self {
            Self::Run { of, row } => {
                let run = (**of).as_ref().map(|detail| run(detail, row.as_deref()));
                Ok(serde_json::to_writer_pretty(out, &run)?)
            }
            Self::Value { of, tree, at } => match &**of {
                Some(detail) => write_value(out, detail, tree, *at),
                None => Ok(()),
            },
            Self::Lines(lines) => list(out, lines.iter().map(|it| line(it))),
            Self::Runs(rows) => list(out, rows.iter().map(|row| run_row(row))),
            Self::Jobs(view, places) => list(out, chosen(&view.next, places).map(job)),
            Self::Letters(view, places) => {
                list(out, chosen(&view.dead_letters, places).map(letter))
            }
            Self::Locks(view, places, now) => {
                list(out, chosen(&view.locks, places).map(|it| lock(it, *now)))
            }
            Self::Workers(view, places) => list(out, chosen(&view.workers, places)),
        }
    }
}

fn chosen<'a, T>(rows: &'a [T], places: &'a [usize]) -> impl Iterator<Item = &'a T> {
    places.iter().filter_map(|at| rows.get(*at))
}

fn list<T: serde::Serialize>(out: impl io::Write, rows: impl Iterator<Item = T>) -> io::Result<()> {
    use serde::Serializer as _;
    Ok(serde_json::Serializer::pretty(out).collect_seq(rows)?)
}

/// Writes the value at a place; of a section, all that is in it.
pub(super) fn write_value(
    out: impl io::Write,
    detail: &RunDetail,
    tree: &ValueTree,
    at: usize,
) -> io::Result<()> {
    if let Some(value) = tree.value(detail, at) {
        return Ok(serde_json::to_writer_pretty(out, value)?);
    }
    let members = match tree.step(at) {
        Step::Name(name) => section(detail, name),
        Step::Index(_) => None,
    };
    Ok(serde_json::to_writer_pretty(out, &members)?)
}

/// Seconds since 1970, with their milliseconds.
// Exact for every time until far beyond the year 10000.
#[allow(clippy::cast_precision_loss)]
fn seconds(time: Timestamp) -> f64 {
    time.millis() as f64 / 1000.0
}

fn run(detail: &RunDetail, row: Option<&RunRow>) -> Value {
    let errors: Vec<Value> = detail
        .errors
        .iter()
        .map(|(node, message)| json!({"nodeId": node, "message": message}))
        .collect();
    let ended = detail.status.is_some_and(RunStatus::is_final);
    let children: Vec<Value> = detail
        .children
        .iter()
        .filter(|child| child.certain)
        .map(|child| json!({"nodeId": child.node, "runId": child.run}))
        .collect();
    json!({
        "runId": detail.run,
        "status": detail.status.map(RunStatus::as_str),
        "outputs": detail.outputs,
        "context": detail.context,
        "awaiting": detail.waiting,
        "errors": errors,
        "blueprintId": detail.blueprint,
        "parentRunId": detail.parent.as_ref().map(|parent| &parent.run),
        "startedAt": detail.started_at.map(Timestamp::seconds),
        "lastUpdated": row.map(|row| row.item.last_updated.seconds()),
        "nodes": detail.nodes.iter().map(|it| node(it, ended)).collect::<Vec<_>>(),
        "finishedAt": detail.finished_at.map(Timestamp::seconds),
        "blueprintVersion": detail.blueprint_version,
        "stalled": row.map(|row| row.stalled),
        "inputs": detail.inputs,
        "children": children,
        "warnings": detail.warnings,
    })
}

fn node(node: &NodeRow, ended: bool) -> Value {
    let state = match node.state {
        // What was not reached by the end never will be.
        NodeShown::Pending if ended => NodeShown::Skipped,
        state => state,
    };
    let mut shown = json!({
        "id": node.id,
        "state": state.as_str(),
        "iteration": node.iteration,
        "attempts": node.attempts,
        "startedAt": node.started_at.map(seconds),
        "finishedAt": node.finished_at.map(seconds),
        "worker": node.worker,
        "error": node.error,
    });
    let more = [
        ("uses", node.uses.as_deref().map(Value::from)),
        ("action", node.action.as_deref().map(Value::from)),
        ("dueAt", node.due_at.map(|at| seconds(at).into())),
        ("awaits", node.awaits.as_ref().and_then(|it| serde_json::to_value(it).ok())),
    ];
    if let Value::Object(members) = &mut shown {
        let present = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        members.extend(present.collect::<Map<_, _>>());
    }
    shown
}

fn run_row(row: &RunRow) -> Value {
    let item = &row.item;
    json!({
        "runId": item.run_id,
        "blueprintId": item.blueprint_id,
        "status": item.status.map(RunStatus::as_str),
        "stalled": row.stalled,
        "startedAt": item.started_at.map(Timestamp::seconds),
        "lastUpdated": item.last_updated.seconds(),
        "nodes": item.nodes,
        "error": item.error,
    })
}

fn job(job: &QueuedJob) -> Value {
    let (run, node, blueprint) = job
        .job
        .clone()
        .map_or((None, None, None), |(run, node, of)| (Some(run), Some(node), Some(of)));
    json!({
        "id": job.message_id,
        "runId": run,
        "nodeId": node,
        "blueprintId": blueprint,
        "insertedAt": job.inserted_at.to_string(),
        "dequeueCount": job.dequeue_count,
    })
}

fn letter(row: &DeadLetterRow) -> Value {
    let letter = row.letter.as_ref();
    json!({
        "id": row.message_id,
        "job": letter.and_then(|letter| letter.job.as_ref()),
        "body": letter.map(|letter| &letter.body),
        "truncated": letter.is_some_and(|letter| letter.truncated),
        "reason": letter.map_or("unknown: not put here by flowcraft-tui", |it| &it.reason),
        "dequeueCount": letter.map(|letter| letter.dequeue_count),
        "failedAt": letter.map_or_else(|| row.inserted_at.to_string(), |it| it.failed_at.clone()),
        "worker": letter.map(|letter| &letter.worker),
    })
}

fn lock(lock: &HeldLock, now: Timestamp) -> Value {
    json!({
        "key": lock.key,
        "runId": lock.run_id,
        "nodeId": lock.node_id,
        "holder": lock.holder,
        "value": lock.value,
        "secondsLeft": now.until(lock.expires_at).as_secs(),
    })
}

/// A log line as JSON.
fn line(line: &RunLine) -> Value {
    json!({
        "time": line.at.to_string(),
        "level": line.level.as_str(),
        "target": line.target,
        "node": line.node,
        "text": line.text,
    })
}
