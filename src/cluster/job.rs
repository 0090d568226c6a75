//! The messages of the queue, as every worker on the cluster reads and writes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{BlueprintId, NodeId, RunId, WorkerName},
    engine::Timestamp,
};

/// A job: run one node of one run. JavaScript workers write only the first three members, so the
/// rest is never required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The run.
    pub run_id: RunId,
    /// Its blueprint.
    pub blueprint_id: BlueprintId,
    /// The node to run.
    pub node_id: NodeId,
    /// The node's iteration that is meant. Absent: whatever iteration it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u32>,
    /// The node's generation that is meant. Absent: whatever generation it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// The document's revision that made the job: a reader that sees an older one reads again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u64>,
    /// How often the message was hidden again for a reason that was not its own fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<u32>,
    /// Whether what follows the node is to be taken up although it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<bool>,
    /// W3C trace context, carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Written by JavaScript workers, carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<serde_json::Number>,
    /// Written by JavaScript workers, carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_last_attempt: Option<bool>,
}

/// Why a message's body is not a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message is not a job: {0}")]
pub struct BadJob(String);

impl Job {
    /// A job as a JavaScript client would write it.
    pub fn new(run: RunId, blueprint: BlueprintId, node: NodeId) -> Self {
        Self {
            run_id: run,
            blueprint_id: blueprint,
            node_id: node,
            iteration: None,
            generation: None,
            rev: None,
            holds: None,
            redrive: None,
            traceparent: None,
            attempt: None,
            is_last_attempt: None,
        }
    }

    /// The message's body: base64 of JSON.
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a message's body: base64 of JSON, or the JSON itself.
    pub fn decode(body: &str) -> Result<Self, BadJob> {
        let json = message_text(body).map_err(BadJob)?;
        let job: Self = serde_json::from_str(&json).map_err(|error| BadJob(error.to_string()))?;
        RunId::parse(&job.run_id).map_err(|error| BadJob(format!("runId: {error}")))?;
        Ok(job)
    }

    /// The run that a body names although it is not a job.
    pub(crate) fn run_named_in(body: &str) -> Option<RunId> {
        let json = message_text(body).ok()?;
        let message: serde_json::Value = serde_json::from_str(&json).ok()?;
        RunId::parse(message.get("runId")?.as_str()?).ok()
    }
}

/// What is in the poison queue: a job that could not be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The job, if the message was one.
    pub job: Option<Job>,
    /// The message's body as it was received.
    pub body: String,
    /// Whether the body was cut to fit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Why it is here.
    pub reason: String,
    /// How often it had been received.
    pub dequeue_count: u32,
    /// When it was put here, RFC 3339.
    pub failed_at: String,
    /// Who put it here.
    pub worker: WorkerName,
    /// The job queue that its message was in. Absent in those of others, and in older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

impl DeadLetter {
    /// The most a message may have, in bytes, as the service counts them.
    const MESSAGE_LIMIT: usize = 64 * 1024;

    /// A dead letter made from a message.
    pub fn new(
        body: &str,
        reason: impl Into<String>,
        dequeue_count: u32,
        at: Timestamp,
        worker: WorkerName,
    ) -> Self {
        Self {
            job: Job::decode(body).ok(),
            body: body.to_owned(),
            truncated: false,
            reason: reason.into(),
            dequeue_count,
            failed_at: at.to_string(),
            worker,
            queue: None,
        }
    }

    /// The same of a message of this job queue.
    #[must_use]
    pub fn from_queue(self, queue: &str) -> Self {
        Self { queue: Some(queue.to_owned()), ..self }
    }

    /// The message's body: base64 of JSON, the original's body cut until the whole fits.
    pub fn encode(&self) -> String {
        let mut letter = self.clone();
        loop {
            let encoded = encode(&letter);
            if encoded.len() <= Self::MESSAGE_LIMIT {
                return encoded;
            }
            letter.truncated = true;
            let part = if letter.body.is_empty() { &mut letter.reason } else { &mut letter.body };
            let mut keep = part.len() / 2;
            while !part.is_char_boundary(keep) {
                keep -= 1;
            }
            part.truncate(keep);
        }
    }

    /// Reads a message's body.
    pub fn decode(body: &str) -> Result<Self, BadJob> {
        let json = message_text(body).map_err(BadJob)?;
        serde_json::from_str(&json).map_err(|error| BadJob(error.to_string()))
    }
}

fn encode(message: &impl Serialize) -> String {
    // Structs of texts and numbers with text keys always serialise.
    STANDARD.encode(serde_json::to_vec(message).unwrap_or_default())
}

/// The text in a message's body: it is that itself, or base64 of it.
pub(crate) fn message_text(body: &str) -> Result<String, String> {
    let body = body.trim();
    if body.starts_with('{') {
        return Ok(body.to_owned());
    }
    let bytes =
        STANDARD.decode(body).map_err(|error| format!("neither JSON nor base64 ({error})"))?;
    String::from_utf8(bytes).map_err(|_| "base64 of something that is not UTF-8".to_owned())
}
