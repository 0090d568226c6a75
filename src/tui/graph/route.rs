//! Lines: from the side of a box along its track to the side of another one.

use super::{
    Direction, Manner, Room, int,
    layers::{Face, Layered, Piece, Pin, What},
    nets::{LabelsAt, Net, Nets},
    place::Places,
    tracks::{Run, Tracks, line},
};

/// A point: column and line.
pub(super) type Point = (i32, i32);

/// A box, where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
    /// Where edges leave it: the cell of its border, and which way.
    pub(super) exits: Vec<(Point, u8)>,
}

/// Where a label begins, and the edge that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Point,
    pub(super) edge: usize,
    pub(super) width: i32,
}

/// Everything with its place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Routed {
    pub(super) stands: Vec<Stand>,
    /// The corners of each edge, from the cell beside its source to the one beside its target.
    pub(super) wires: Vec<Vec<Point>>,
    pub(super) marks: Vec<Mark>,
    /// For edges that lead to the right: columns behind which nothing runs but straight lines.
    pub(super) cuts: Vec<i32>,
}

/// What a gap is made of, along the direction of the edges.
#[derive(Debug, Clone, Copy, Default)]
struct Gap {
    start: i32,
    /// Where labels stand before the tracks.
    before: i32,
    tracks: i32,
    pitch: i32,
    /// Where labels stand behind the tracks.
    behind: i32,
    end: i32,
}

pub(super) fn route(
    manner: Manner,
    layered: &Layered,
    nets: &Nets,
    places: &Places,
    tracks: &[Tracks],
) -> Routed {
    let along = |node: usize| {
        let extent = places.extents[node];
        match manner.direction {
            Direction::Right => i32::from(extent.width),
            Direction::Down => i32::from(extent.height),
        }
    };
    let mut gaps = Vec::with_capacity(layered.gaps.len());
    let mut at = 0;
    for (number, pieces) in layered.gaps.iter().enumerate() {
        let gap = measure(manner, at, pieces, &nets.gaps[number], tracks[number].count);
        at = gap.end;
        if let Some(layer) = layered.layers.get(number) {
            let node = |vertex: &usize| match layered.vertices[*vertex].what {
                What::Node(node) => along(node),
                What::Passing => 1,
            };
            at += layer.iter().map(node).max().unwrap_or_default();
        }
        gaps.push(gap);
    }
    let router = Router { manner, layered, nets, places, tracks, gaps };
    let mut routed = Routed::default();
    for node in 0..places.extents.len() {
        routed.stands.push(router.stand(node, along(node)));
    }
    for parts in &layered.parts {
        let wire = router.wire(parts, &along);
        if let Some((first, _)) = parts.first().zip(wire.first()) {
            let piece = layered.gaps[first.0][first.1];
            router.leave(&mut routed.stands[piece.from.vertex], wire[0]);
        }
        routed.wires.push(wire);
    }
    router.label(&mut routed.marks);
    if manner.direction == Direction::Right {
        let inner = &router.gaps[1.min(router.gaps.len())..];
        routed.cuts = inner.iter().map(|gap| gap.end - 2).collect();
        routed.cuts.pop();
    }
    routed
}

fn measure(manner: Manner, start: i32, pieces: &[Piece], nets: &[Net], tracks: usize) -> Gap {
    let has = |face: Face| nets.iter().any(|net| net.pins.keys().any(|pin| pin.face == face));
    let (near, far) = (has(Face::Out), has(Face::In));
    let widest = |face: Face| {
        let labels = nets.iter().flat_map(|net| net.pieces.iter().map(move |piece| (net, piece)));
        let labels = labels.map(|(net, piece)| (mark_pin(net, &pieces[*piece]), &pieces[*piece]));
        let here = labels.filter(|(pin, _)| pin.face == face);
        here.map(|(_, piece)| i32::from(piece.label)).max().unwrap_or_default()
    };
    let (before, behind) = (widest(Face::Out), widest(Face::In));
    let tight = manner.room == Room::Tight;
    let (count, one) = (int(tracks), i32::from);
    let mut gap = Gap { start, ..Gap::default() };
    match manner.direction {
        Direction::Right => {
            gap.pitch = if tight || count > 4 { 1 } else { 2 };
            gap.before = start + 1;
            let labels = if before > 0 { before + 1 } else { 0 };
            gap.tracks = start + one(near && (count > 0 || before > 0)) + labels;
            let room = if count > 0 { (count - 1) * gap.pitch + 1 } else { 0 };
            gap.behind = gap.tracks + room + 1;
            let labels = if behind > 0 { behind + 2 } else { 0 };
            let head = if far { 1 + one(!tight) } else { 0 };
            gap.end = gap.tracks + room + labels + head;
            if near && far {
                gap.end = gap.end.max(start + if tight { 2 } else { 3 });
            }
        }
        Direction::Down => {
            gap.pitch = 1;
            gap.before = start;
            gap.tracks = start + one(before > 0);
            gap.end = gap.tracks + count + one(far);
            gap.behind = gap.end - 1;
            if near && far && manner.room == Room::Wide && count == 0 {
                gap.end = gap.end.max(start + 2);
                gap.behind = gap.end - 1;
            }
        }
    }
    gap
}

/// The end of a part of an edge at which its label stands.
fn mark_pin(net: &Net, piece: &Piece) -> Pin {
    match net.labels {
        LabelsAt::To => piece.to,
        LabelsAt::From => piece.from,
    }
}

struct Router<'a> {
    manner: Manner,
    layered: &'a Layered,
    nets: &'a Nets,
    places: &'a Places,
    tracks: &'a [Tracks],
    gaps: Vec<Gap>,
}

impl Router<'_> {
    /// From a place along the edges and one across them to a point.
    fn point(&self, along: i32, across: i32) -> Point {
        match self.manner.direction {
            Direction::Right => (along, across),
            Direction::Down => (across, along),
        }
    }

    fn stand(&self, node: usize, along: i32) -> Stand {
        let layer = self.layered.vertices[node].layer;
        let across = self.places.axis[node] - self.places.low[node];
        let (x, y) = self.point(self.gaps[layer].end, across);
        let extent = self.places.extents[node];
        let (width, height) = match self.manner.direction {
            Direction::Right => (along, i32::from(extent.height)),
            Direction::Down => (i32::from(extent.width), along),
        };
        Stand { x, y, width, height, exits: Vec::new() }
    }

    /// The first cell beside a side of a vertex.
    fn beside(&self, pin: Pin, along: &impl Fn(usize) -> i32) -> i32 {
        let vertex = self.layered.vertices[pin.vertex];
        match (pin.face, vertex.what) {
            (Face::In, _) => self.gaps[vertex.layer].end - 1,
            (Face::Out, What::Node(node)) => self.gaps[vertex.layer].end + along(node),
            (Face::Out, What::Passing) => self.gaps[vertex.layer + 1].start,
        }
    }

    fn wire(&self, parts: &[(usize, usize)], along: &impl Fn(usize) -> i32) -> Vec<Point> {
        let mut corners: Vec<Point> = Vec::new();
        for (number, place) in parts {
            let piece = self.layered.gaps[*number][*place];
            let net = self.nets.net_of[*number][*place];
            let pins = &self.nets.gaps[*number][net].pins;
            let across =
                |pin: &Pin| line(self.places, pin, pins.get(pin).copied().unwrap_or_default());
            let gap = &self.gaps[*number];
            let track = |track: usize| gap.tracks + int(track) * gap.pitch;
            let (from, to) = (across(&piece.from), across(&piece.to));
            corners.push((self.beside(piece.from, along), from));
            match self.tracks[*number].runs[net] {
                Run::Straight => {}
                Run::Track(number) => {
                    corners.extend([(track(number), from), (track(number), to)]);
                }
                Run::Bend { near, far, line } => {
                    let track_of = |pin: Pin| track(if pin.face == Face::Out { near } else { far });
                    let (first, second) = (track_of(piece.from), track_of(piece.to));
                    corners.extend([(first, from), (first, line), (second, line), (second, to)]);
                }
            }
            corners.push((self.beside(piece.to, along), to));
        }
        let points = corners.into_iter().map(|(along, across)| self.point(along, across));
        straightened(points)
    }

    /// Notes where a line leaves its box.
    fn leave(&self, stand: &mut Stand, first: Point) {
        let (cell, way) = match self.manner.direction {
            Direction::Right => ((stand.x + stand.width - 1, first.1), super::glyph::RIGHT),
            Direction::Down => ((first.0, stand.y + stand.height - 1), super::glyph::DOWN),
        };
        if !stand.exits.contains(&(cell, way)) {
            stand.exits.push((cell, way));
        }
    }

    fn label(&self, marks: &mut Vec<Mark>) {
        for (number, gap) in self.gaps.iter().enumerate() {
            for net in &self.nets.gaps[number] {
                let mut marked = std::collections::BTreeSet::new();
                for piece in net.pieces.iter().map(|piece| &self.layered.gaps[number][*piece]) {
                    let pin = mark_pin(net, piece);
                    // Of several edges between the same two, the first one's label.
                    if piece.label == 0 || !marked.insert(pin) {
                        continue;
                    }
                    let offset = net.pins.get(&pin).copied().unwrap_or_default();
                    let across = line(self.places, &pin, offset);
                    let at = match (self.manner.direction, pin.face) {
                        (Direction::Right, Face::Out) => (gap.before, across),
                        (Direction::Right, Face::In) => (gap.behind, across),
                        (Direction::Down, Face::Out) => (across + 2, gap.before),
                        (Direction::Down, Face::In) => (across + 2, gap.behind),
                    };
                    marks.push(Mark { at, edge: piece.edge, width: i32::from(piece.label) });
                }
            }
        }
    }
}

/// Leaves out points that are no corners.
pub(super) fn straightened(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    let mut corners: Vec<Point> = Vec::new();
    for point in points {
        if corners.last() == Some(&point) {
            continue;
        }
        if let [.., before, last] = corners.as_slice() {
            let on_column = before.0 == last.0 && last.0 == point.0;
            let on_line = before.1 == last.1 && last.1 == point.1;
            if on_column || on_line {
                corners.pop();
            }
        }
        corners.push(point);
    }
    corners
}
