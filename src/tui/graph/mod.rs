//! A graph laid out for a terminal: boxes in layers, orthogonal edges between them.
//!
//! Pure integer geometry, nothing of the screen in it. The steps, one a file: break cycles
//! (`cycles`), give each node a layer (`layers`), order each layer so that few edges cross
//! (`order`), bundle the edges of each gap between two layers into nets (`nets`), give boxes their
//! places (`place`), give the nets tracks in their gap (`tracks`), draw the lines (`route`), break a
//! long strip into several rows (`wrap`), and list what is in each cell (`picture`).
//!
//! Everything is deterministic: the same sketch gives the same picture.

mod cycles;
mod fold;
mod glyph;
mod layers;
mod near;
mod nets;
mod order;
mod picture;
mod place;
mod route;
mod tracks;
mod wrap;

#[cfg(test)]
mod drawing;
#[cfg(test)]
mod tests;

pub(super) use fold::{Folded, Group, GroupKind, Material, MaterialEdge, MaterialNode, fold};
pub(super) use glyph::{Arms, Weight, arrow, frame, line};
pub(super) use layers::thin;
pub(super) use near::{Heading, nearest};
#[cfg(test)]
use picture::lay_out;
pub(super) use picture::{Arrangement, Pass, Picture, Plot, strongest};

/// What is to be laid out.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sketch {
    pub(super) nodes: Vec<Extent>,
    pub(super) edges: Vec<Link>,
}

/// How large a box is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) width: u16,
    pub(super) height: u16,
}

/// An edge: from a node to a node, with a label so many cells wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) label: u16,
}

/// Where edges lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// From left to right.
    Right,
    /// From top to bottom.
    Down,
}

/// What boxes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Frames {
    /// With a frame around them: edges can begin anywhere along it.
    Drawn,
    /// A line of text: edges begin and end in its middle.
    Bare,
}

/// How a sketch is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Manner {
    pub(super) direction: Direction,
    pub(super) frames: Frames,
    pub(super) room: Room,
    /// For edges that lead to the right: the columns after which the picture goes on below.
    pub(super) wrap: Option<u16>,
}

/// How much space there is between things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Room {
    /// As little as possible.
    Tight,
    /// Enough to read labels.
    Plain,
    /// A line more.
    Wide,
}

/// A number of things as a coordinate.
fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
