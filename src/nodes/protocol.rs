//! What an outside program or server is asked, and how its answer is read.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    context::{DynamicSpec, NodeContext, NodeError, NodeOutput},
    definition::Part,
    secret::Mask,
};

/// The members that an answer can have.
const MEMBERS: [&str; 6] = ["id", "output", "action", "context", "dynamicNodes", "error"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    id: &'a str,
    run_id: &'a str,
    blueprint_id: &'a str,
    node_id: &'a str,
    uses: &'a str,
    attempt: u32,
    iteration: u32,
    idempotency_key: &'a str,
    params: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Map<String, Value>>,
}

/// The request for an execution, as one line of JSON without its line break.
pub(super) fn request(id: &str, context: &NodeContext, send: &[Part]) -> Vec<u8> {
    let execution = context.execution();
    let request = Request {
        id,
        run_id: &execution.run_id,
        blueprint_id: &execution.blueprint_id,
        node_id: &execution.node_id,
        uses: &execution.uses,
        attempt: execution.attempt,
        iteration: execution.iteration,
        idempotency_key: &execution.idempotency_key,
        params: context.params(),
        input: context.input().filter(|_| send.contains(&Part::Input)),
        context: send.contains(&Part::Context).then(|| context.user_context()),
        outputs: send.contains(&Part::Outputs).then(|| context.outputs()),
    };
    serde_json::to_vec(&request)
        .expect("the request's keys are text and its values JSON: writing it to memory can't fail")
}

/// What a program or a server answered.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Answer {
    /// Nothing is not the same as null.
    output: Option<Value>,
    action: Option<String>,
    set: Map<String, Value>,
    delete: Vec<String>,
    dynamic_nodes: Vec<DynamicSpec>,
    error: Option<AnsweredError>,
    /// Members that mean nothing to us.
    unknown: Vec<String>,
}

/// An error that the program reports itself.
#[derive(Debug, PartialEq)]
struct AnsweredError {
    message: String,
    fatal: bool,
}

/// What is wrong with an answer. The texts follow "the answer ".
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("is empty")]
    Empty,
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is not JSON ({error}): {shown}")]
    NotJson { error: String, shown: String },
    #[error("is not a JSON object: {0}")]
    NotObject(String),
    #[error("has no `id`: it must repeat the request's, {0:?}")]
    NoId(String),
    #[error("has the `id` {found}, but the request's was {expected:?}")]
    WrongId { expected: String, found: String },
    #[error("has {found} as `{member}` where {expected} belongs")]
    WrongType { member: String, expected: &'static str, found: &'static str },
    #[error("has a `{member}` that is not a node: {error}")]
    BadNode { member: String, error: String },
    #[error("both sets and deletes the context key {0:?}")]
    SetAndDeleted(String),
}

impl Answer {
    /// Reads a line of an exec node's program.
    pub(super) fn from_line(line: &[u8], id: &str, mask: &Mask) -> Result<Self, AnswerError> {
        let text = std::str::from_utf8(line).map_err(|_| AnswerError::NotUtf8)?;
        if text.trim().is_empty() {
            return Err(AnswerError::Empty);
        }
        let value = serde_json::from_str(text).map_err(|error| AnswerError::NotJson {
            error: error.to_string(),
            shown: mask.excerpt(text),
        })?;
        let Value::Object(members) = value else {
            return Err(AnswerError::NotObject(mask.excerpt(text)));
        };
        match members.get("id") {
            Some(Value::String(found)) if found == id => Self::from_members(members),
            Some(found) => Err(AnswerError::WrongId {
                expected: id.to_owned(),
                found: mask.excerpt(&found.to_string()),
            }),
            None => Err(AnswerError::NoId(id.to_owned())),
        }
    }

    /// Reads what an http node's server sent.
    ///
    /// It is an answer if it is an object with nothing but members of an answer, at least one of
    /// them another than `id`; or with an `id` alone that is the request's. Any other JSON is the
    /// output itself. (The `id` means nothing beyond that: a connection carries one request.)
    pub(super) fn from_body(value: Value, id: &str) -> Result<Self, AnswerError> {
        match value {
            Value::Object(members) if is_answer(&members, id) => Self::from_members(members),
            output => Ok(Self { output: Some(output), ..Self::default() }),
        }
    }

    fn from_members(members: Map<String, Value>) -> Result<Self, AnswerError> {
        let mut answer = Self::default();
        for (member, value) in members {
            match (member.as_str(), value) {
                ("output", output) => answer.output = Some(output),
                ("id", _) | ("action" | "context" | "dynamicNodes" | "error", Value::Null) => {}
                ("action", value) => answer.action = Some(text("action", value)?),
                ("context", value) => answer.read_writes(value)?,
                ("dynamicNodes", value) => {
                    for (index, node) in list("dynamicNodes", value)?.into_iter().enumerate() {
                        let member = format!("dynamicNodes[{index}]");
                        answer.dynamic_nodes.push(node_spec(member, node)?);
                    }
                }
                ("error", value) => answer.error = Some(AnsweredError::read(value)?),
                (_, _) => answer.unknown.push(member),
            }
        }
        Ok(answer)
    }

    fn read_writes(&mut self, value: Value) -> Result<(), AnswerError> {
        for (member, value) in object("context", value)? {
            match (member.as_str(), value) {
                ("set" | "delete", Value::Null) => {}
                ("set", value) => self.set = object("context.set", value)?,
                ("delete", value) => {
                    for (index, key) in list("context.delete", value)?.into_iter().enumerate() {
                        self.delete.push(text(&format!("context.delete[{index}]"), key)?);
                    }
                }
                (_, _) => self.unknown.push(format!("context.{member}")),
            }
        }
        match self.delete.iter().find(|key| self.set.contains_key(*key)) {
            Some(key) => Err(AnswerError::SetAndDeleted(key.clone())),
            None => Ok(()),
        }
    }

    /// The members that were passed over because no answer has them.
    pub(super) fn unknown_members(&self) -> &[String] {
        &self.unknown
    }

    /// Whether the answer is an error.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some()
    }

    /// Hands the writes to the context (those of a failed attempt, too) and gives the result.
    pub(super) fn apply(
        self,
        context: &mut NodeContext,
        mask: &Mask,
    ) -> Result<NodeOutput, NodeError> {
        for (key, value) in self.set {
            context.set(key, value);
        }
        for key in &self.delete {
            context.delete(key);
        }
        match self.error {
            Some(AnsweredError { message, fatal: true }) => {
                Err(NodeError::fatal(mask.apply(&message)))
            }
            Some(AnsweredError { message, fatal: false }) => {
                Err(NodeError::ordinary(mask.apply(&message)))
            }
            None => Ok(NodeOutput {
                output: self.output,
                action: self.action.filter(|action| !action.is_empty()),
                dynamic_nodes: self.dynamic_nodes,
            }),
        }
    }
}

impl AnsweredError {
    fn read(value: Value) -> Result<Self, AnswerError> {
        let mut members = object("error", value)?;
        let message = text("error.message", members.remove("message").unwrap_or(Value::Null))?;
        let fatal = match members.remove("fatal") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(fatal)) => fatal,
            Some(other) => return Err(wrong_type("error.fatal", "true or false", &other)),
        };
        Ok(Self { message, fatal })
    }
}

fn is_answer(members: &Map<String, Value>, id: &str) -> bool {
    members.keys().all(|member| MEMBERS.contains(&member.as_str()))
        && (members.keys().any(|member| member != "id")
            || members.get("id").and_then(Value::as_str) == Some(id))
}

fn node_spec(member: String, value: Value) -> Result<DynamicSpec, AnswerError> {
    serde_json::from_value(value)
        .map_err(|error| AnswerError::BadNode { member, error: error.to_string() })
}

fn text(member: &str, value: Value) -> Result<String, AnswerError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(member, "text", &other)),
    }
}

fn object(member: &str, value: Value) -> Result<Map<String, Value>, AnswerError> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(wrong_type(member, "an object", &other)),
    }
}

fn list(member: &str, value: Value) -> Result<Vec<Value>, AnswerError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(wrong_type(member, "an array", &other)),
    }
}

fn wrong_type(member: &str, expected: &'static str, found: &Value) -> AnswerError {
    AnswerError::WrongType { member: member.to_owned(), expected, found: kind_of(found) }
}

/// What a value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Longer texts are read on a thread of their own, so that no other node waits for it.
const READ_ASIDE: usize = 1 << 20;

/// Reads a text of this size: at once if it is small, else aside.
pub(super) async fn read_aside<T, F>(size: usize, read: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if size < READ_ASIDE {
        return read();
    }
    match tokio::task::spawn_blocking(read).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels it, and with it whoever asked.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
