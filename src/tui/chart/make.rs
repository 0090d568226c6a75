//! From a graph to its picture: fold it, choose how large and which way, lay it out.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::{
        graph::{
            Arrangement, Direction, Extent, Folded, GroupKind, Link, Manner, Material,
            MaterialEdge, MaterialNode, Picture, fold, thin,
        },
        message::Message,
        text,
    },
    caption::{Caption, edge_label, label},
    pane::Charted,
    zoom::Zoom,
};
use crate::{blueprint::NodeId, monitor::Shape};

/// How a graph is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Wish {
    /// Nothing: as large as the room allows.
    pub(in crate::tui) zoom: Option<Zoom>,
    /// Nothing: whichever fits better.
    pub(in crate::tui) direction: Option<Direction>,
    /// The room.
    pub(in crate::tui) area: (u16, u16),
    /// The boxes that have been opened.
    pub(in crate::tui) open: Arc<BTreeSet<(GroupKind, NodeId)>>,
}

/// A graph that is to be drawn.
#[derive(Debug, Clone)]
pub struct ChartRequest {
    pub(super) charted: Charted,
    pub(super) epoch: u64,
    pub(super) shape: Arc<Shape>,
    pub(super) wish: Wish,
}

/// A graph that was drawn as asked for.
#[derive(Debug, Clone)]
pub struct ChartMade {
    pub(in crate::tui) charted: Charted,
    pub(super) epoch: u64,
    pub(in crate::tui) wish: Wish,
    pub(in crate::tui) chart: Arc<Chart>,
}

impl ChartRequest {
    /// Draws it. For a large graph this takes a while.
    pub fn carry_out(self) -> Message {
        let chart = Arc::new(Chart::new(self.shape, &self.wish));
        let Self { charted, epoch, wish, .. } = self;
        Message::Charted(ChartMade { charted, epoch, wish, chart })
    }
}

/// A graph, drawn.
#[derive(Debug)]
pub(in crate::tui) struct Chart {
    pub(in crate::tui) shape: Arc<Shape>,
    pub(in crate::tui) folded: Folded,
    /// How many of its edges are not drawn, because they would be too many.
    pub(in crate::tui) hidden: usize,
    pub(in crate::tui) captions: Vec<Caption>,
    /// What stands on each edge of the folded graph.
    pub(in crate::tui) labels: Vec<String>,
    pub(in crate::tui) picture: Picture,
    pub(in crate::tui) zoom: Zoom,
    pub(in crate::tui) direction: Direction,
}

/// A way to draw the graph.
struct Candidate {
    picture: Picture,
    zoom: Zoom,
    direction: Direction,
}

/// How many screens of names are better to look through than one of symbols.
const SCREENS: i64 = 4;

impl Chart {
    pub(in crate::tui) fn new(shape: Arc<Shape>, wish: &Wish) -> Self {
        let mut folded = folded(&shape, &wish.open);
        let hidden = thin_out(&mut folded);
        let captions: Vec<Caption> =
            folded.groups.iter().map(|group| Caption::of(&shape, group)).collect();
        let labels: Vec<String> =
            (0..folded.edges.len()).map(|edge| label(&shape, &folded, edge)).collect();
        let links: Vec<Link> = folded
            .edges
            .iter()
            .zip(&labels)
            .map(|(edge, label)| Link {
                source: edge.source,
                target: edge.target,
                label: u16::try_from(text::width(label)).unwrap_or(u16::MAX),
            })
            .collect();
        let Candidate { picture, zoom, direction } = choose(&captions, &links, wish);
        Self { shape, folded, hidden, captions, labels, picture, zoom, direction }
    }
}

/// Leaves out edges where there are too many to be drawn. Returns how many.
fn thin_out(folded: &mut Folded) -> usize {
    let links = folded.edges.iter();
    let links: Vec<Link> =
        links.map(|edge| Link { source: edge.source, target: edge.target, label: 0 }).collect();
    let mut drawn = thin(folded.groups.len(), &links).into_iter();
    folded.edges.retain(|_| drawn.next().unwrap_or(true));
    links.len() - folded.edges.len()
}

/// A graph with the boxes open that were opened.
pub(super) fn folded(shape: &Shape, open: &BTreeSet<(GroupKind, NodeId)>) -> Folded {
    fold(&material(shape), |kind, node| open.contains(&(kind, shape.nodes[node].id.clone())))
}

/// What folding goes by.
fn material(shape: &Shape) -> Material {
    let mut classes = std::collections::HashMap::new();
    let mut number = |class| {
        let next = classes.len();
        *classes.entry(class).or_insert(next)
    };
    let nodes = shape.nodes.iter().map(|node| MaterialNode {
        class: number(node.uses.as_deref().unwrap_or_default()),
        batch: node.batch,
    });
    let nodes = nodes.collect();
    let mut labels = std::collections::HashMap::new();
    let edges = shape.edges.iter().map(|edge| {
        let next = labels.len();
        let label = *labels.entry(edge_label(edge)).or_insert(next);
        MaterialEdge { source: edge.source, target: edge.target, label }
    });
    Material { nodes, edges: edges.collect() }
}

/// Draws the graph as large as it fits; where it doesn't, so that the least is out of view.
fn choose(captions: &[Caption], links: &[Link], wish: &Wish) -> Candidate {
    let arrangement = Arrangement::new(captions.len(), links);
    let mut try_out = TryOut { captions, wish, arrangement, fallback: None };
    let zooms = match wish.zoom {
        Some(Zoom::Symbols) => &[][..],
        Some(zoom) => &[zoom][..],
        None => &[Zoom::Full, Zoom::Boxes, Zoom::Lines][..],
    };
    for zoom in zooms {
        if let Some(fitting) = try_out.at(*zoom) {
            return fitting;
        }
    }
    // What fits as names in a few screens is better read than looked at.
    let names = try_out.fallback.take();
    if let Some((screens, names)) = names
        && (wish.zoom.is_some() || screens <= SCREENS)
    {
        return names;
    }
    let arrangement = Arrangement::new(captions.len(), links).without_labels();
    let mut try_out = TryOut { captions, wish, arrangement, fallback: None };
    try_out.at(Zoom::Symbols).or(try_out.fallback.map(|(_, best)| best)).unwrap_or(Candidate {
        picture: Picture::default(),
        zoom: Zoom::Symbols,
        direction: Direction::Right,
    })
}

struct TryOut<'a> {
    captions: &'a [Caption],
    wish: &'a Wish,
    arrangement: Arrangement,
    /// The best at the last size that was tried, and how many screens it takes.
    fallback: Option<(i64, Candidate)>,
}

impl TryOut<'_> {
    /// Draws at one size: what fits.
    fn at(&mut self, zoom: Zoom) -> Option<Candidate> {
        self.fallback = None;
        let extents: Vec<Extent> =
            self.captions.iter().map(|caption| caption.extent(zoom)).collect();
        let (width, height) = (i32::from(self.wish.area.0), i32::from(self.wish.area.1));
        // In the automatic choice only names are worth being looked through.
        let only_fitting = self.wish.zoom.is_none() && zoom > Zoom::Lines;
        let manner =
            |direction, wrap| Manner { direction, frames: zoom.frames(), room: zoom.room(), wrap };
        let wrap = (zoom > Zoom::Symbols).then_some(self.wish.area.0);
        let ways = [
            manner(Direction::Right, None),
            manner(Direction::Down, None),
            manner(Direction::Right, wrap),
        ];
        let wanted = |manner: &&Manner| {
            self.wish.direction.is_none_or(|direction| direction == manner.direction)
        };
        for manner in ways.iter().filter(wanted) {
            let (least_wide, least_high) = self.arrangement.bound(&extents, manner.direction);
            let wraps = manner.wrap.is_some();
            if only_fitting && (least_high > height || (least_wide > width && !wraps)) {
                continue;
            }
            let picture = self.arrangement.lay_out(&extents, *manner);
            let fits = picture.width <= width && picture.height <= height;
            let candidate = Candidate { picture, zoom, direction: manner.direction };
            if fits {
                return Some(candidate);
            }
            let over = |size: i32, room: i32| i64::from((size - 1) / room.max(1) + 1);
            let screens =
                over(candidate.picture.width, width) * over(candidate.picture.height, height);
            if self.fallback.as_ref().is_none_or(|(least, _)| screens < *least) {
                self.fallback = Some((screens, candidate));
            }
        }
        None
    }
}
