//! From JSON to a blueprint: as lenient as the original, and no more.
//!
//! Only what means something survives; nothing is filled in. What can't work at all (a node
//! without an id, an edge without an end) is an error that says where; what can be worked with but
//! is doubtful (a number written as text) is kept with the node for lint to report.

#[cfg(test)]
mod tests;

use std::{collections::HashSet, fmt};

use serde_json::{Map, Value};

use super::{
    id::{BlueprintId, NodeId},
    model::{Blueprint, Edge, Inputs, JoinStrategy, Node, NodeConfig, Treatment, WrongType},
};

/// Why JSON is no blueprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SanitizeError {
    /// The whole is not an object.
    #[error("expected an object with `id`, `nodes` and `edges`, found {found}")]
    NotAnObject {
        /// What is there instead.
        found: &'static str,
    },
    /// Nothing says what the blueprint is called.
    #[error("the blueprint has no `id`: add one, as text")]
    NoId,
    /// The id is not text, or empty.
    #[error("the blueprint's `id` must be a text that is not empty, found {found}")]
    BadId {
        /// What is there instead.
        found: &'static str,
    },
    /// Among the nodes or edges is something that is not an object.
    #[error("{place} must be an object, found {found}")]
    NotAnEntry {
        /// Which node or edge.
        place: Place,
        /// What is there instead.
        found: &'static str,
    },
    /// A node or edge has a member that can't be worked with.
    #[error("{place}: `{member}` must be {expected}, found {found}")]
    BadMember {
        /// Which node or edge.
        place: Place,
        /// Which member.
        member: &'static str,
        /// What belongs there.
        expected: &'static str,
        /// What is there instead.
        found: &'static str,
    },
}

/// A node or an edge of a blueprint that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whether it is a node or an edge.
    pub list: List,
    /// Its place in the list, from 0.
    pub index: usize,
    /// The node's id, or the ends of the edge, as far as they are known.
    pub name: Option<String>,
}

/// The two lists of a blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Its nodes.
    Nodes,
    /// Its edges.
    Edges,
}

impl List {
    /// The member of the blueprint that holds the list.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Edges => "edges",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.list.as_str(), self.index)?;
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// A way down into a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The member of an object.
    Member(&'static str),
    /// The item of an array, or the value of an object's member, by its place from 0.
    Nth(usize),
}

impl SanitizeError {
    /// Where the error is. The last steps may lead to a member that is missing.
    pub(crate) fn path(&self) -> Vec<Step> {
        match self {
            Self::NotAnObject { .. } | Self::NoId => Vec::new(),
            Self::BadId { .. } => vec![Step::Member("id")],
            Self::NotAnEntry { place, .. } => {
                vec![Step::Member(place.list.as_str()), Step::Nth(place.index)]
            }
            Self::BadMember { place, member, .. } => vec![
                Step::Member(place.list.as_str()),
                Step::Nth(place.index),
                Step::Member(member),
            ],
        }
    }
}

/// Makes a blueprint from JSON. `nodes` and `edges` may be arrays or objects, whose values are
/// taken in order; absent or of another type, they are empty.
///
/// # Errors
///
/// If the whole is not an object with a text `id`, a node has no text `id` and `uses`, an edge has
/// no text `source` and `target`, or an edge's `action`, `condition` or `transform` is not text.
pub fn sanitize(value: Value) -> Result<Blueprint, SanitizeError> {
    sanitize_as(value, None)
}

/// As [`sanitize`], with a name for a blueprint that has nodes but no `id`.
pub(crate) fn sanitize_as(value: Value, name: Option<&str>) -> Result<Blueprint, SanitizeError> {
    let Value::Object(mut members) = value else {
        return Err(SanitizeError::NotAnObject { found: kind_of(&value) });
    };
    let id = match members.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => BlueprintId::from(id),
        Some(Value::String(_)) => return Err(SanitizeError::BadId { found: "an empty text" }),
        None => match name {
            Some(name) if members.contains_key("nodes") => BlueprintId::from(name),
            _ => return Err(SanitizeError::NoId),
        },
        Some(other) => return Err(SanitizeError::BadId { found: kind_of(&other) }),
    };
    let nodes = entries(members.remove("nodes"))
        .enumerate()
        .map(|(index, value)| node(index, value))
        .collect::<Result<Vec<_>, _>>()?;
    let known: HashSet<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
    let edges = entries(members.remove("edges"))
        .enumerate()
        .map(|(index, value)| edge(index, value, &known))
        .collect::<Result<Vec<_>, _>>()?;
    let metadata = match members.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    Ok(Blueprint { id, nodes, edges, metadata })
}

/// Makes a node from its parts, as a node in a blueprint is written.
pub(crate) fn node_from_parts(
    id: NodeId,
    uses: String,
    params: Map<String, Value>,
    inputs: Option<&Value>,
    config: &Map<String, Value>,
) -> Node {
    let mut config = read_config(config);
    let inputs = read_inputs(inputs, &mut config.wrong);
    Node { id, uses, params, inputs, config }
}

/// The entries of a list that may be written as an array or as an object.
fn entries(list: Option<Value>) -> Box<dyn Iterator<Item = Value>> {
    match list {
        Some(Value::Array(items)) => Box::new(items.into_iter()),
        Some(Value::Object(members)) => Box::new(members.into_iter().map(|(_, value)| value)),
        _ => Box::new(std::iter::empty()),
    }
}

fn node(index: usize, value: Value) -> Result<Node, SanitizeError> {
    let mut place = Place { list: List::Nodes, index, name: None };
    let Value::Object(mut members) = value else {
        return Err(SanitizeError::NotAnEntry { place, found: kind_of(&value) });
    };
    let id = required(&mut members, "id", &place)?;
    place.name = Some(format!("{id:?}"));
    let uses = required(&mut members, "uses", &place)?;
    let mut wrong = Vec::new();
    let mut object = |member| match members.remove(member) {
        Some(Value::Object(object)) => object,
        other => {
            note_ignored(&mut wrong, member, "an object", other.as_ref());
            Map::new()
        }
    };
    let (params, config) = (object("params"), object("config"));
    let inputs = members.remove("inputs");
    let mut node = node_from_parts(NodeId::from(id), uses, params, inputs.as_ref(), &config);
    node.config.wrong.extend(wrong);
    Ok(node)
}

fn edge(index: usize, value: Value, known: &HashSet<NodeId>) -> Result<Edge, SanitizeError> {
    let mut place = Place { list: List::Edges, index, name: None };
    let Value::Object(mut members) = value else {
        return Err(SanitizeError::NotAnEntry { place, found: kind_of(&value) });
    };
    // Edges share the text of the ids they name: a graph may have many more edges than nodes.
    let end = |id: String| known.get(id.as_str()).cloned().unwrap_or_else(|| NodeId::from(id));
    if let Some(target) = members.get("target").and_then(Value::as_str) {
        place.name = Some(format!("to {target:?}"));
    }
    let source = end(required(&mut members, "source", &place)?);
    place.name = Some(format!("from {source:?}"));
    let target = end(required(&mut members, "target", &place)?);
    place.name = Some(format!("from {source:?} to {target:?}"));
    let mut text = |member| optional(&mut members, member, &place);
    Ok(Edge {
        action: text("action")?.filter(|action| !action.is_empty()),
        condition: text("condition")?.filter(|condition| !condition.is_empty()),
        transform: text("transform")?,
        source,
        target,
    })
}

fn required(
    members: &mut Map<String, Value>,
    member: &'static str,
    place: &Place,
) -> Result<String, SanitizeError> {
    let found = match members.remove(member) {
        Some(Value::String(text)) if text.is_empty() => "an empty text",
        Some(Value::String(text)) => return Ok(text),
        Some(other) => kind_of(&other),
        None => "nothing",
    };
    let expected = "a text that is not empty";
    Err(SanitizeError::BadMember { place: place.clone(), member, expected, found })
}

fn optional(
    members: &mut Map<String, Value>,
    member: &'static str,
    place: &Place,
) -> Result<Option<String>, SanitizeError> {
    match members.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(SanitizeError::BadMember {
            place: place.clone(),
            member,
            expected: "text",
            found: kind_of(&other),
        }),
    }
}

fn read_inputs(inputs: Option<&Value>, wrong: &mut Vec<WrongType>) -> Inputs {
    match inputs {
        Some(Value::String(name)) if name.is_empty() => Inputs::Edge,
        Some(Value::String(name)) => Inputs::One(name.clone()),
        Some(Value::Object(members)) => Inputs::Many(members.clone()),
        other => {
            note_ignored(wrong, "inputs", "text or an object of texts", other);
            Inputs::Edge
        }
    }
}

fn read_config(members: &Map<String, Value>) -> NodeConfig {
    let mut config = NodeConfig::default();
    for (key, value) in members {
        let wrong = &mut config.wrong;
        match key.as_str() {
            "maxRetries" => config.max_retries = number(key, value, wrong),
            "retryDelay" => config.retry_delay = number(key, value, wrong),
            "timeout" => config.timeout = number(key, value, wrong),
            "fallback" => match value {
                // The original tests it for truth.
                Value::String(id) if id.is_empty() => {}
                Value::String(id) => config.fallback = Some(NodeId::from(id.as_str())),
                other => note_ignored(wrong, "config.fallback", "the id of a node", Some(other)),
            },
            "joinStrategy" => match value.as_str() {
                Some("any") => config.join = JoinStrategy::Any,
                Some("all") => {}
                Some(other) => wrong.push(WrongType {
                    member: "config.joinStrategy".to_owned(),
                    expected: "\"all\" or \"any\"",
                    found: format!("{other:?}"),
                    treatment: Treatment::Ignored,
                }),
                None => {
                    note_ignored(wrong, "config.joinStrategy", "\"all\" or \"any\"", Some(value));
                }
            },
            _ => config.unknown.push(key.clone()),
        }
    }
    config
}

/// A number, also one that is written as text, as JavaScript takes it.
fn number(key: &str, value: &Value, wrong: &mut Vec<WrongType>) -> Option<f64> {
    let member = format!("config.{key}");
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let treatment = match number {
                Some(_) => Treatment::Converted,
                None => Treatment::Ignored,
            };
            let found = format!("the text {text:?}");
            wrong.push(WrongType { member, expected: "a number", found, treatment });
            number
        }
        other => {
            note_ignored(wrong, &member, "a number", Some(other));
            None
        }
    }
}

/// Notes a member that is of the wrong type; null counts as absent.
fn note_ignored(
    wrong: &mut Vec<WrongType>,
    member: &str,
    expected: &'static str,
    value: Option<&Value>,
) {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        wrong.push(WrongType {
            member: member.to_owned(),
            expected,
            found: kind_of(value).to_owned(),
            treatment: Treatment::Ignored,
        });
    }
}

/// What a value is, for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
