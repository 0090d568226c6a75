//! Finds what can't work in a blueprint, and what probably does not do what was meant.
//!
//! An error is something that can't work whenever it is reached; a run with it is refused at its
//! start. What the original runs to an end in some defined way, however odd, is a warning: an edge
//! to a node that does not exist leads nowhere, of two nodes with one id the first counts.

mod code;
mod edges;
mod exclusive;
mod flow;
mod nodes;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

pub use self::code::{Code, Severity};
use super::{
    graph::Graph,
    id::{BlueprintId, NodeId},
    model::Blueprint,
};

/// Something that lint found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// What kind of thing.
    pub code: Code,
    /// How bad it is. Follows from the code.
    pub severity: Severity,
    /// What is wrong and what to do, in one line.
    pub message: String,
    /// The node it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// A second node or blueprint it is about: the other end of an edge, a missing fallback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_id: Option<String>,
}

impl Issue {
    /// Whether a run with it is refused.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// What is known about the world around a blueprint. What is not known is not checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct LintContext<'a> {
    /// What nodes may use beside the built-in kinds.
    pub implementations: Option<&'a BTreeSet<String>>,
    /// The blueprints that subflows may name.
    pub blueprints: Option<&'a BTreeMap<BlueprintId, Arc<Blueprint>>>,
}

/// Checks a blueprint. The cost grows with its size, not with the square of it.
///
/// Issues come in this order: missing implementations, nodes, edges, the flow through the graph;
/// within each in the order in which the blueprint is written.
pub fn lint(blueprint: &Blueprint, context: &LintContext<'_>) -> Vec<Issue> {
    let graph = Graph::new(blueprint);
    let mut found = Found::default();
    nodes::implementations(&graph, context, &mut found);
    nodes::check(&graph, context, &mut found);
    edges::check(&graph, &mut found);
    flow::check(&graph, &mut found);
    found.issues
}

/// How many names are compared in search of the ones that were meant. Enough for any blueprint
/// with a few slips; one with thousands would take minutes.
const COMPARISONS: usize = 100_000;

/// Collects issues.
#[derive(Debug, Default)]
struct Found {
    issues: Vec<Issue>,
    compared: usize,
}

impl Found {
    /// The known name that is nearest to one that is not known, if one is near, as a sentence to
    /// be added to a message.
    fn nearest<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a str>) -> String {
        // Nobody mistypes a name of that length, and comparing takes time.
        const LONGEST: usize = 64;
        if name.len() > LONGEST {
            return String::new();
        }
        let left = COMPARISONS.saturating_sub(self.compared);
        known
            .take(left)
            .inspect(|_| self.compared += 1)
            .filter(|known| known.len() <= LONGEST)
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, known)| *distance <= 3.min(known.chars().count() / 2))
            .map(|(_, known)| format!(" Did you mean `{known}`?"))
            .unwrap_or_default()
    }

    fn add(&mut self, code: Code, node: &NodeId, message: impl Into<String>) {
        self.push(code, Some(node), None, message.into());
    }

    fn add_related(
        &mut self,
        code: Code,
        node: &NodeId,
        related: &str,
        message: impl Into<String>,
    ) {
        self.push(code, Some(node), Some(related.to_owned()), message.into());
    }

    /// An issue of the blueprint as a whole.
    fn add_whole(&mut self, code: Code, message: impl Into<String>) {
        self.push(code, None, None, message.into());
    }

    fn push(
        &mut self,
        code: Code,
        node: Option<&NodeId>,
        related_id: Option<String>,
        message: String,
    ) {
        self.issues.push(Issue {
            code,
            severity: code.severity(),
            message: printable(message),
            node_id: node.cloned(),
            related_id,
        });
    }
}

/// A message without control characters, which ids and expressions may have: it is one line, and
/// moves no cursor on a terminal.
fn printable(message: String) -> String {
    if !message.contains(char::is_control) {
        return message;
    }
    let mut shown = String::with_capacity(message.len());
    for c in message.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether the expression grammar takes a text: letters, digits, `_`, `$` and dots.
pub(crate) fn is_expression(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
}
