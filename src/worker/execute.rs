//! Executing a node: attempts, the pauses between them, and the time each may take.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Worker,
    session::{Freshness, Session, SessionError},
};
use crate::{
    blueprint::Node as Definition,
    cluster::Job,
    engine::{
        Completion, ContextWrite, Event, ExecutionRecord, Failure, FailureKind, NewNode, Try, Work,
        resolve_input,
    },
    nodes::{Execution, IN_NODE, Node, NodeContext, NodeError, NodeOutput, Severity, Write},
};

/// The longest pause between two attempts that is waited out with the node in hand; for a longer
/// one it goes back to the queue.
const INLINE_PAUSE: Duration = Duration::from_secs(1);

/// How the failure of a node begins whose kind this worker does not know.
pub(crate) const NOTHING_IMPLEMENTS: &str = "nothing implements";

/// A node that is to be executed.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    pub(crate) job: &'a Job,
    pub(crate) work: &'a Work,
    pub(crate) definition: &'a Definition,
    pub(crate) record: ExecutionRecord,
}

/// What an execution came to.
#[derive(Debug)]
pub(crate) enum Executed {
    /// Something to be committed.
    Event(Event),
    /// It was stopped, and its result does not count.
    Stopped,
}

impl Worker {
    /// Executes a node: as many attempts as it has, or until a long pause.
    pub(crate) async fn execute(
        &self,
        attempts: Attempts<'_>,
        session: &Arc<Session>,
        stop: &CancellationToken,
    ) -> Result<Executed, SessionError> {
        let Attempts { job, work, definition, mut record } = attempts;
        let config = &definition.config;
        let mut writes: Vec<Write> = Vec::new();
        let failed = |record: ExecutionRecord, writes: Vec<Write>, message, kind| {
            let failure = Failure { message, kind, writes: to_context(writes) };
            Executed::Event(Event::Failed { work: work.clone(), record, failure })
        };
        let Some(node) = self.registry.get(&definition.uses) else {
            let message = format!(
                "{NOTHING_IMPLEMENTS} \"{}\": register it, or configure [nodes.{}]",
                definition.uses, definition.uses
            );
            record.attempts += 1;
            return Ok(failed(record, writes, message, FailureKind::Fatal));
        };
        let params = Arc::new(definition.params.clone());
        loop {
            let document = session.existing(Freshness::AtLeast(0)).await?;
            let input = match resolve_input(&document, &work.node, Some(&definition.inputs)) {
                Ok(input) => input,
                Err(message) => {
                    record.attempts += 1;
                    return Ok(failed(record, writes, message, FailureKind::Exhausted));
                }
            };
            let execution = Execution {
                run_id: job.run_id.clone(),
                blueprint_id: document.head().blueprint_id.clone(),
                node_id: work.node.clone(),
                uses: definition.uses.clone(),
                attempt: record.attempts + 1,
                iteration: work.iteration,
                idempotency_key: idempotency_key(job, work),
            };
            let mut context = NodeContext::new(execution, params.clone(), input, document, writes)
                .with_cancellation(stop.clone())
                .with_time_limit(config.timeout());
            let span = tracing::trace_span!(
                target: IN_NODE, "node", run = %job.run_id, node = %work.node
            );
            let started_at = self.core.now();
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Executed::Stopped),
                result = attempt(node.as_ref(), &mut context, config.timeout()).instrument(span) => result,
            };
            record.attempts += 1;
            record.tried(Try {
                iteration: work.iteration,
                started_at,
                ended_at: self.core.now(),
                failed: result.is_err(),
            });
            writes = context.into_writes();
            let error = match result {
                Ok(output) => {
                    let completion = completion(output, writes);
                    let work = work.clone();
                    return Ok(Executed::Event(Event::Completed { work, record, completion }));
                }
                Err(error) => error,
            };
            tracing::info!(
                run = %job.run_id, node = %work.node, attempt = record.attempts, %error,
                "a node's attempt failed"
            );
            if error.severity == Severity::Fatal {
                return Ok(failed(record, writes, error.message, FailureKind::Fatal));
            }
            if record.attempts >= config.attempts() {
                return Ok(failed(record, writes, error.message, FailureKind::Exhausted));
            }
            let pause = config.retry_delay();
            if pause > INLINE_PAUSE {
                let due = self.core.now() + pause;
                return Ok(failed(record, writes, error.message, FailureKind::Retry(due)));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Executed::Stopped),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// One attempt: stopped when its time is over; a panic is an ordinary error.
async fn attempt(
    node: &dyn Node,
    context: &mut NodeContext,
    limit: Option<Duration>,
) -> Result<NodeOutput, NodeError> {
    let run = AssertUnwindSafe(node.run(context)).catch_unwind();
    let result = match limit {
        None => run.await,
        Some(limit) => match tokio::time::timeout(limit, run).await {
            Ok(result) => result,
            Err(_) => {
                return Err(NodeError::ordinary(format!(
                    "timed out after {} ms",
                    limit.as_millis()
                )));
            }
        },
    };
    result.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(NodeError::ordinary(format!("the node's code panicked: {message}")))
    })
}

/// The same for every attempt and redelivery of one iteration and generation of one node.
fn idempotency_key(job: &Job, work: &Work) -> String {
    format!("{}:{}:{}:{}", job.run_id, work.node, work.iteration, work.generation)
}

fn completion(output: NodeOutput, writes: Vec<Write>) -> Completion {
    Completion {
        output: output.output.map(Arc::new),
        action: output.action,
        writes: to_context(writes),
        new_nodes: output
            .dynamic_nodes
            .into_iter()
            .map(|spec| NewNode {
                id: spec.id,
                uses: spec.uses,
                params: spec.params,
                inputs: spec.inputs,
                config: spec.config,
            })
            .collect(),
    }
}

fn to_context(writes: Vec<Write>) -> Vec<ContextWrite> {
    writes
        .into_iter()
        .map(|write| match write {
            Write::Set(key, value) => ContextWrite::Set(key, value),
            Write::Delete(key) => ContextWrite::Delete(key),
        })
        .collect()
}
