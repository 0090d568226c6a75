//! Status items: they follow the document, at a cost that stays small.

use std::{collections::HashSet, time::Duration};

use serde_json::{Map, Value, json};

use super::session::{Freshness, Session, SessionError, Shared};
use crate::{
    blueprint::WorkerName,
    cluster::{Fault, Neighbours, NodeCounts, Remarks, StatusItem, Version, VersionedStatus},
    engine::{Graph, RunDocument, RunStatus, Timestamp, names},
};

/// How often the item of a run that only goes on is touched.
const TOUCH_EVERY: Duration = Duration::from_secs(5);
/// The largest payload, in bytes, that goes into a final status.
const PAYLOAD_LIMIT: usize = 1024 * 1024;

/// What a process knows of a run's status item.
#[derive(Debug, Default)]
pub(crate) struct StatusTouch {
    known: Option<VersionedStatus>,
    last: Option<Timestamp>,
}

impl StatusTouch {
    /// Takes the item that this process has just created.
    pub(crate) fn created(&mut self, item: StatusItem, version: Version) {
        self.last = Some(item.last_updated);
        self.known = Some(VersionedStatus { item, version });
    }
}

/// Whether a touch may be left out where nothing new is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It may, if the last one is a few seconds old at most.
    WhenDue,
    /// It must be written.
    Now,
}

/// Whether a touch was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// It was.
    Yes,
    /// There was nothing new to tell.
    NotDue,
}

/// Writes a run's status item, if its status has changed or the last touch is a while ago.
pub(crate) async fn touch(
    shared: &Shared,
    session: &Session,
    worker: &WorkerName,
    document: &RunDocument,
    graph: &Graph,
    urgency: Urgency,
) -> Result<Touched, SessionError> {
    let now = shared.cluster.clock.now();
    let mut touch = session.touch.lock().await;
    let (says, last) = match &touch.known {
        Some(known) => (known.item.status, touch.last),
        // Whoever started the run wrote its item before the document.
        None => (Some(RunStatus::Running), Some(document.head().started_at)),
    };
    let fresh = last.is_some_and(|last| now.since(last) < TOUCH_EVERY);
    if urgency == Urgency::WhenDue && says == Some(document.status()) && fresh {
        return Ok(Touched::NotDue);
    }
    let state = &shared.cluster.state;
    let mut document = document.clone();
    let mut tries = 0;
    if touch.known.is_none() {
        touch.known = as_created(shared, session, worker, &document, graph, now);
    }
    loop {
        let unknown = touch.known.is_none();
        if unknown {
            touch.known = shared.patience.call(|| state.read_status(session.run())).await?;
        }
        let stored = touch.known.as_ref().and_then(|known| known.item.status);
        let differs = stored.is_some_and(|stored| stored != document.status());
        let final_before = stored.is_some_and(RunStatus::is_final);
        if differs && !document.status().is_final() && (final_before || unknown) {
            // The document decides, as it is now: somebody may have written of a later one. (An
            // ended run's is the last there is.)
            document = session.existing(Freshness::Now).await?;
        }
        let item = status_item(shared, session, worker, &document, graph, now);
        let written = match &touch.known {
            Some(known) => {
                let version = known.version.clone();
                shared.patience.call(|| state.replace_status(&item, &version)).await
            }
            None => shared.patience.call(|| state.create_status(&item)).await,
        };
        match written {
            Ok(version) => {
                touch.known = Some(VersionedStatus { item, version });
                touch.last = Some(now);
                return Ok(Touched::Yes);
            }
            Err(error) if error.fault == Fault::Conflict && tries < 10 => {
                tries += 1;
                touch.known = None;
            }
            Err(error) if error.fault == Fault::NotFound && tries < 10 => {
                tries += 1;
                touch.known = None;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The status item of a run that began so short a time ago that nobody is likely to have touched it
/// since. If somebody has, the attempt to replace it says so.
fn as_created(
    shared: &Shared,
    session: &Session,
    worker: &WorkerName,
    document: &RunDocument,
    graph: &Graph,
    now: Timestamp,
) -> Option<VersionedStatus> {
    let head = document.head();
    let version = Version(head.status_version.clone()?);
    if now.since(head.started_at) >= TOUCH_EVERY * 2 {
        return None;
    }
    let item = StatusItem {
        status: Some(RunStatus::Running),
        ..status_item(shared, session, worker, document, graph, now)
    };
    Some(VersionedStatus { item, version })
}

/// A run's status item, as its document has it.
pub(crate) fn status_item(
    shared: &Shared,
    session: &Session,
    worker: &WorkerName,
    document: &RunDocument,
    graph: &Graph,
    now: Timestamp,
) -> StatusItem {
    let head = document.head();
    let total = graph.node_count() + document.dynamic().count();
    let failed = document.failed().count();
    StatusItem {
        run_id: session.run().clone(),
        status: Some(head.status),
        last_updated: now,
        blueprint_id: head.blueprint().cloned(),
        started_at: Some(head.started_at),
        nodes: Some(NodeCounts {
            total: count(total),
            completed: count(document.completed()),
            failed: count(failed),
        }),
        error: errors(document)
            .into_iter()
            .next()
            .map(|(node, message)| format!("{node}: {message}")),
        parent_run_id: head.parent.as_ref().map(|parent| parent.run.clone()),
        next_due_at: if head.status.is_final() { None } else { next_due(document) },
        worker: Some(worker.clone()),
        final_status: head
            .status
            .is_final()
            .then(|| Box::new(final_status(document, shared.cluster.neighbours))),
        remarks: remarks(shared, document),
    }
}

fn remarks(shared: &Shared, document: &RunDocument) -> Remarks {
    let head = document.head();
    let size = document.measured(shared.cluster.state.measure());
    let large = size > shared.cluster.state.document_limit() / 2;
    let cut = |warning: &String| warning.chars().take(Remarks::LONGEST).collect();
    Remarks {
        blueprint_version: head.blueprint_version.clone(),
        document_size: large.then(|| u64::try_from(size).unwrap_or(u64::MAX)),
        // The last ones: what is new is what is looked for.
        warnings: head.warnings.iter().rev().take(Remarks::MOST).rev().map(cut).collect(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The errors that a run shows: of nodes that failed and had nothing to handle it, in order of
/// their ids, and of nodes that a loop has reset since.
pub(crate) fn errors(document: &RunDocument) -> Vec<(String, String)> {
    let past = document
        .head()
        .past_failures
        .iter()
        .map(|failure| (failure.node.to_string(), failure.error.clone()));
    let mut seen = HashSet::new();
    let mut errors: Vec<_> = document
        .failed()
        .filter_map(|node| {
            let entry = document.entry(node)?;
            // A node whose fallback failed is not named: the fallback is.
            entry.fallback.is_none().then(|| {
                (node.to_string(), entry.error.clone().unwrap_or_else(|| "failed".to_owned()))
            })
        })
        .chain(past)
        .filter(|(node, _)| seen.insert(node.clone()))
        .collect();
    errors.sort();
    errors
}

/// When the next timer of a run is due.
fn next_due(document: &RunDocument) -> Option<Timestamp> {
    document
        .awaiting()
        .chain(document.ready())
        .filter_map(|node| document.entry(node)?.due_at)
        .min()
}

fn final_status(document: &RunDocument, neighbours: Neighbours) -> Value {
    let mut status = json!({"status": document.status().as_str()});
    if let Some((node, message)) = errors(document).into_iter().next() {
        status["reason"] = format!("node \"{node}\" failed: {message}").into();
    }
    // Only JavaScript clients look for the result here; everybody else reads the document.
    if neighbours == Neighbours::JavaScript && document.size() < PAYLOAD_LIMIT / 2 {
        let context: Map<String, Value> = names::in_process(document);
        let text = serde_json::to_string(&context).unwrap_or_default();
        status["payload"] = json!({
            "context": context,
            "serializedContext": text,
            "status": document.status().as_str(),
        });
    }
    status
}
