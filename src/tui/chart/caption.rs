//! What stands in a box, and how much room it takes. The size of a box never depends on where its
//! nodes stand: a run that moves does not move its picture.

use std::sync::Arc;

use super::{
    super::{
        graph::{Extent, Folded, Group, GroupKind},
        text,
    },
    zoom::Zoom,
};
use crate::{
    blueprint::JoinStrategy,
    monitor::{EdgeKind, Shape, ShapeEdge},
};

/// The widest name.
const NAME: usize = 26;

/// The widest kind of node.
const USES: usize = 14;

/// A time, or a number of attempts.
const TIME: usize = 6;

/// The widest label of an edge.
const LABEL: usize = 12;

/// What a box says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Caption {
    pub(in crate::tui) name: String,
    /// The kind of node, where its name doesn't say it.
    pub(in crate::tui) uses: Option<Arc<str>>,
    /// Which edges a node waits for, where there are several.
    pub(in crate::tui) join: Option<JoinStrategy>,
    /// How many nodes there are in the box.
    pub(in crate::tui) count: usize,
    /// Whether there is such a node.
    pub(in crate::tui) exists: bool,
}

/// The lines of text in a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Lines {
    /// A symbol.
    Symbol,
    /// A name, with counts behind it for a group.
    Name,
    /// The kind and times of a node below its name.
    NameAndTimes,
    /// A bar and counts below the name of a group.
    NameBarCounts,
}

impl Caption {
    pub(super) fn of(shape: &Shape, group: &Group) -> Self {
        let first = &shape.nodes[group.members.first().copied().unwrap_or(group.known_by)];
        let count = group.members.len();
        let name = match group.kind {
            GroupKind::Single => first.id.to_string(),
            GroupKind::Batch | GroupKind::Alike | GroupKind::Rest => {
                let uses = first.uses.as_deref().filter(|uses| {
                    group.members.iter().all(|it| shape.nodes[*it].uses.as_deref() == Some(*uses))
                });
                uses.unwrap_or(&first.id).to_owned()
            }
            GroupKind::Chain => {
                let last = group.members.last().map_or(&first.id, |last| &shape.nodes[*last].id);
                format!(
                    "{} … {}",
                    text::fit(&first.id, NAME / 2 - 3),
                    text::fit(last, NAME / 2 - 3)
                )
            }
            GroupKind::Level => format!("{} …", text::fit(&first.id, NAME - 8)),
        };
        let single = group.kind == GroupKind::Single;
        let tells = |uses: &&Arc<str>| single && ***uses != *first.id;
        Self {
            name: text::clean(&name).into_owned(),
            uses: first.uses.as_ref().filter(tells).cloned(),
            join: first.join.filter(|_| single),
            count,
            exists: first.exists,
        }
    }

    /// What it says at a size.
    pub(in crate::tui) fn lines(&self, zoom: Zoom) -> Lines {
        match zoom {
            Zoom::Symbols => Lines::Symbol,
            Zoom::Lines | Zoom::Boxes => Lines::Name,
            Zoom::Full if self.count > 1 => Lines::NameBarCounts,
            Zoom::Full => Lines::NameAndTimes,
        }
    }

    /// The name with the number of nodes that it stands for.
    pub(in crate::tui) fn title(&self) -> String {
        if self.count > 1 {
            format!("{} ×{}", text::fit_middle(&self.name, NAME), self.count)
        } else {
            text::fit_middle(&self.name, NAME).into_owned()
        }
    }

    /// How large its box is.
    pub(super) fn extent(&self, zoom: Zoom) -> Extent {
        let title = text::width(&self.title());
        let digits = self.count.to_string().len();
        let (inside, height) = match self.lines(zoom) {
            Lines::Symbol => return Extent { width: 3, height: 1 },
            // A symbol and a space before it.
            Lines::Name if self.count > 1 => (2 + title + 2 * (digits + 2), 1),
            Lines::Name => (2 + title, 1),
            Lines::NameAndTimes => {
                let uses = self.uses.as_deref().map_or(0, |uses| text::width(uses).min(USES) + 3);
                ((2 + title).max(uses + TIME), 2)
            }
            Lines::NameBarCounts => ((2 + title).max(3 * (digits + 2)), 3),
        };
        let (side, ends) = if zoom >= Zoom::Boxes { (4, 2) } else { (2, 0) };
        let cells = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        Extent { width: cells(inside + side), height: cells(height + ends) }
    }
}

/// What stands on an edge between two boxes: the labels of the edges that it stands for.
pub(super) fn label(shape: &Shape, folded: &Folded, edge: usize) -> String {
    let mut labels: Vec<String> = Vec::new();
    for edge in &folded.edges[edge].edges {
        let label = edge_label(&shape.edges[*edge]);
        if !labels.contains(&label) {
            labels.push(label);
        }
        if labels.len() > 3 {
            return "…".to_owned();
        }
    }
    let plain = labels.iter().any(String::is_empty) && labels.len() > 1;
    labels.retain(|label| !label.is_empty());
    let joined = labels.join("|");
    let joined = if plain { format!("{joined}|–") } else { joined };
    text::fit(&joined, LABEL).into_owned()
}

/// The short form of what an edge is taken for.
pub(in crate::tui) fn edge_label(edge: &ShapeEdge) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(action) = &edge.action {
        parts.push(text::clean(action).into_owned());
    }
    if let Some(condition) = &edge.condition {
        // What every condition begins with says nothing.
        let short = ["result.output.", "result.", "context."]
            .iter()
            .find_map(|prefix| condition.strip_prefix(prefix))
            .unwrap_or(condition);
        parts.push(format!("?{}", text::clean(short)));
    }
    if edge.transforms {
        parts.push("ƒ".to_owned());
    }
    match edge.kind {
        EdgeKind::Fallback => parts.push("on failure".to_owned()),
        EdgeKind::Flow | EdgeKind::Inherited | EdgeKind::Created => {}
    }
    parts.join(" ")
}
