//! Places across the layers: boxes as near to what they are joined with as the others let them,
//! edges as straight as possible.

use std::collections::BTreeMap;

use super::{
    Direction, Extent, Frames, Manner, Room, int,
    layers::{Face, Layered, Pin, What},
    nets::Nets,
};

/// The most edges for which a box grows, to have a place for each.
const GROWTH: i32 = 40;

/// How often all layers are gone through.
const ROUNDS: usize = 6;

/// What an edge that is not straight costs, in cells.
const FINE: i64 = 6;

/// Where everything stands across the layers: the axis of each vertex, and how far it reaches.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) axis: Vec<i32>,
    /// From its first cell to its axis.
    pub(super) low: Vec<i32>,
    /// From its axis to the first cell behind it.
    pub(super) high: Vec<i32>,
    /// How large each node is drawn.
    pub(super) extents: Vec<Extent>,
}

/// A neighbour of a vertex: its number, where it lies if both axes are the same, its weight.
type Pull = (usize, i32, i64);

pub(super) fn place(
    nodes: &[Extent],
    manner: Manner,
    layered: &Layered,
    nets: &mut Nets,
) -> Places {
    let mut places = Places {
        axis: vec![0; layered.vertices.len()],
        low: Vec::new(),
        high: Vec::new(),
        extents: nodes.to_vec(),
    };
    if (manner.direction, manner.frames) == (Direction::Right, Frames::Drawn) {
        places.even_out(layered);
    }
    places.measure(manner, layered, nets);
    places.settle(manner, layered, nets);
    places.set_ports(manner, layered, nets);
    places.measure(manner, layered, nets);
    places.settle(manner, layered, nets);
    places
}

impl Places {
    /// Boxes that stand above one another are equally wide.
    fn even_out(&mut self, layered: &Layered) {
        for layer in &layered.layers {
            let nodes = || {
                layer.iter().filter_map(|vertex| match layered.vertices[*vertex].what {
                    What::Node(node) => Some(node),
                    What::Passing => None,
                })
            };
            let widest = nodes().map(|node| self.extents[node].width).max().unwrap_or_default();
            nodes().for_each(|node| self.extents[node].width = widest);
        }
    }

    /// How far each vertex reaches.
    fn measure(&mut self, manner: Manner, layered: &Layered, nets: &Nets) {
        self.low.clear();
        self.high.clear();
        for vertex in &layered.vertices {
            let size = match vertex.what {
                What::Node(node) => across(self.extents[node], manner.direction),
                What::Passing => 1,
            };
            let low = match manner.direction {
                Direction::Right => (size - 1) / 2,
                Direction::Down => size / 2,
            };
            self.low.push(low);
            self.high.push(size - low);
        }
        if manner.direction == Direction::Down {
            // A label stands to the right of its line.
            for (gap, pieces) in nets.gaps.iter().zip(&layered.gaps) {
                for net in gap {
                    for piece in net.pieces.iter().map(|piece| &pieces[*piece]) {
                        let pin = if net.labels == super::nets::LabelsAt::To {
                            piece.to
                        } else {
                            piece.from
                        };
                        if piece.label > 0 {
                            let high = &mut self.high[pin.vertex];
                            *high = (*high).max(i32::from(piece.label) + 3);
                        }
                    }
                }
            }
        }
    }

    /// Gives each net its own place along the sides of its boxes, as far as there is room.
    fn set_ports(&mut self, manner: Manner, layered: &Layered, nets: &mut Nets) {
        let sides = self.sides(layered, nets);
        for (pin, joined) in &sides {
            let What::Node(node) = layered.vertices[pin.vertex].what else { continue };
            let extent = &mut self.extents[node];
            let count = int(joined.len()).min(GROWTH);
            let (size, needed) = match (manner.direction, manner.frames) {
                (Direction::Right, Frames::Drawn) => (&mut extent.height, count + 2),
                (Direction::Right, Frames::Bare) => continue,
                (Direction::Down, Frames::Drawn) => (&mut extent.width, count * 2 + 1),
                (Direction::Down, Frames::Bare) => (&mut extent.width, count * 2 - 1),
            };
            *size = (*size).max(u16::try_from(needed).unwrap_or(u16::MAX));
        }
        for (pin, joined) in sides {
            let What::Node(node) = layered.vertices[pin.vertex].what else { continue };
            let offsets = offsets(self.extents[node], manner, joined.len());
            for ((_, gap, number), offset) in joined.into_iter().zip(offsets) {
                nets.gaps[gap][number].pins.insert(pin, offset);
            }
        }
    }

    /// The nets on each side of each node, in the order of where they lead to: the mean of that,
    /// gap and number.
    fn sides(&self, layered: &Layered, nets: &Nets) -> BTreeMap<Pin, Vec<(i64, usize, usize)>> {
        let mut sides: BTreeMap<Pin, Vec<(i64, usize, usize)>> = BTreeMap::new();
        for (gap, bundles) in nets.gaps.iter().enumerate() {
            for (number, net) in bundles.iter().enumerate() {
                let at = |pin: &Pin| i64::from(self.axis[pin.vertex]) * 16;
                let sum: i64 = net.pins.keys().map(at).sum();
                let count = i64::try_from(net.pins.len()).unwrap_or(i64::MAX);
                for pin in net.pins.keys() {
                    if let What::Node(_) = layered.vertices[pin.vertex].what {
                        let mean = (sum - at(pin)).checked_div(count - 1).unwrap_or_default();
                        sides.entry(*pin).or_default().push((mean, gap, number));
                    }
                }
            }
        }
        for joined in sides.values_mut() {
            joined.sort_unstable();
        }
        sides
    }

    /// Moves everything to where it is pulled to, layer by layer, forth and back.
    fn settle(&mut self, manner: Manner, layered: &Layered, nets: &Nets) {
        let [before, behind] = pulls(layered, nets);
        let both: Vec<Vec<Pull>> = before
            .iter()
            .zip(&behind)
            .map(|(before, behind)| before.iter().chain(behind).copied().collect())
            .collect();
        for layer in &layered.layers {
            self.solve(manner, layered, layer, &vec![Vec::new(); layered.vertices.len()]);
        }
        let mut best: Option<(i64, Vec<i32>)> = None;
        for round in 0..ROUNDS {
            let pull = match round {
                4 => &both,
                round if round % 2 == 0 => &before,
                _ => &behind,
            };
            let count = layered.layers.len();
            for at in 0..count {
                let at = if round % 2 == 0 { at } else { count - 1 - at };
                self.solve(manner, layered, &layered.layers[at], pull);
            }
            let cost = self.cost(&before);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, self.axis.clone()));
            }
        }
        if let Some((_, axis)) = best {
            self.axis = axis;
        }
        for _ in 0..3 {
            self.straighten(manner, layered, [&before, &behind]);
        }
        let least = (0..self.axis.len()).map(|vertex| self.axis[vertex] - self.low[vertex]).min();
        for axis in &mut self.axis {
            *axis -= least.unwrap_or_default();
        }
    }

    /// Moves vertices the last few cells to where the one edge on a side is straight, if that is the
    /// other end's only one too and nothing stands in the way.
    fn straighten(&mut self, manner: Manner, layered: &Layered, sides: [&Vec<Vec<Pull>>; 2]) {
        for layer in &layered.layers {
            for (at, vertex) in layer.iter().enumerate() {
                let least = at.checked_sub(1).map(|before| layer[before]).map_or(i32::MIN, |it| {
                    self.axis[it]
                        + self.high[it]
                        + self.low[*vertex]
                        + space(manner, layered, it, *vertex)
                });
                let most = layer.get(at + 1).map_or(i32::MAX, |it| {
                    self.axis[*it]
                        - self.low[*it]
                        - self.high[*vertex]
                        - space(manner, layered, *vertex, *it)
                });
                let cost = |axis: i32| -> i64 {
                    let pulls = sides.iter().flat_map(|side| &side[*vertex]);
                    let off = pulls.map(|(other, offset, weight)| {
                        (i64::from(self.axis[*other] + offset - axis).abs(), weight)
                    });
                    off.map(|(off, weight)| weight * (off + if off > 0 { FINE } else { 0 })).sum()
                };
                let only = |side: usize| match sides[side][*vertex].as_slice() {
                    [(other, offset, _)] if sides[1 - side][*other].len() == 1 => {
                        Some(self.axis[*other] + offset)
                    }
                    _ => None,
                };
                let wanted = [only(0), only(1)].into_iter().flatten();
                let best = wanted
                    .filter(|axis| (least..=most).contains(axis))
                    .chain([self.axis[*vertex]])
                    .min_by_key(|axis| cost(*axis));
                self.axis[*vertex] = best.unwrap_or(self.axis[*vertex]);
            }
        }
    }

    /// How far edges are from straight, with a fine for each that is not.
    fn cost(&self, before: &[Vec<Pull>]) -> i64 {
        let mut cost = 0;
        for (vertex, pulls) in before.iter().enumerate() {
            for (other, offset, weight) in pulls {
                let off = i64::from(self.axis[*other] + offset - self.axis[vertex]).abs();
                cost += weight * (off + if off > 0 { FINE } else { 0 });
            }
        }
        cost
    }

    /// Places the vertices of a layer so that the sum of their distances from where they are pulled
    /// to is least: where two would overlap they go on as one block.
    fn solve(&mut self, manner: Manner, layered: &Layered, layer: &[usize], pulls: &[Vec<Pull>]) {
        let mut blocks: Vec<Block> = Vec::new();
        let mut upto = 0;
        for (at, vertex) in layer.iter().enumerate() {
            if at > 0 {
                let previous = layer[at - 1];
                upto += self.high[previous]
                    + self.low[*vertex]
                    + space(manner, layered, previous, *vertex);
            }
            let (wanted, weight) = self.wanted(*vertex, layered, &pulls[*vertex]);
            let mut block = Block::new(wanted - upto, weight, upto);
            while let Some(previous) = blocks.pop_if(|previous| previous.at > block.at) {
                block = previous.merged(block);
            }
            blocks.push(block);
        }
        let mut vertices = layer.iter();
        for block in blocks {
            for (offset, vertex) in block.offsets.iter().zip(vertices.by_ref()) {
                self.axis[*vertex] = block.at + offset;
            }
        }
    }

    /// Where a vertex is pulled to, and how strongly.
    fn wanted(&self, vertex: usize, layered: &Layered, pulls: &[Pull]) -> (i32, i64) {
        if pulls.is_empty() {
            let at = layered.vertices[vertex].anchor.unwrap_or(vertex);
            return (self.axis[at], 1);
        }
        let places =
            pulls.iter().map(|(other, offset, weight)| (self.axis[*other] + offset, *weight));
        let mut places: Vec<(i32, i64)> = places.collect();
        places.sort_unstable();
        (median(&places), 8 * pulls.iter().map(|(.., weight)| weight).sum::<i64>())
    }
}

/// Vertices that stand side by side as closely as they can.
struct Block {
    /// Where the block's vertices want it to be, in order, each with its weight.
    wanted: Vec<(i32, i64)>,
    offsets: Vec<i32>,
    at: i32,
}

impl Block {
    fn new(wanted: i32, weight: i64, offset: i32) -> Self {
        Self { wanted: vec![(wanted, weight)], offsets: vec![offset], at: wanted }
    }

    fn merged(mut self, other: Self) -> Self {
        if let [wanted] = other.wanted.as_slice() {
            let at = self.wanted.partition_point(|it| it <= wanted);
            self.wanted.insert(at, *wanted);
        } else {
            self.wanted.extend(other.wanted);
            self.wanted.sort_unstable();
        }
        self.offsets.extend(other.offsets);
        self.at = median(&self.wanted);
        self
    }
}

/// The weighted median of sorted values; between the two in the middle where there are two.
fn median(values: &[(i32, i64)]) -> i32 {
    let all: i64 = values.iter().map(|(_, weight)| weight).sum();
    let mut upto = 0;
    for (at, (value, weight)) in values.iter().enumerate() {
        upto += weight;
        if upto * 2 == all {
            let next = values.get(at + 1).map_or(*value, |(next, _)| *next);
            return (value + next).div_euclid(2);
        }
        if upto * 2 > all {
            return *value;
        }
    }
    0
}

/// What pulls each vertex, among those of the layer before and among those of the one behind.
fn pulls(layered: &Layered, nets: &Nets) -> [Vec<Vec<Pull>>; 2] {
    let none = || vec![Vec::new(); layered.vertices.len()];
    let (mut before, mut behind) = (none(), none());
    let passing = |vertex: usize| layered.vertices[vertex].what == What::Passing;
    for (gap, pieces) in layered.gaps.iter().enumerate() {
        for (number, piece) in pieces.iter().enumerate() {
            let (near, far) = match (piece.from.face, piece.to.face) {
                (Face::Out, Face::In) => (piece.from, piece.to),
                (Face::In, Face::Out) => (piece.to, piece.from),
                _ => continue,
            };
            let net = &nets.gaps[gap][nets.net_of[gap][number]];
            let offset = |pin: &Pin| net.pins.get(pin).copied().unwrap_or_default();
            let weight = match (passing(near.vertex), passing(far.vertex)) {
                (true, true) => 8,
                (false, false) => 1,
                _ => 2,
            };
            let shift = offset(&near) - offset(&far);
            before[far.vertex].push((near.vertex, shift, weight));
            behind[near.vertex].push((far.vertex, -shift, weight));
        }
    }
    [before, behind]
}

/// The size of a box across the layers.
fn across(extent: Extent, direction: Direction) -> i32 {
    match direction {
        Direction::Right => i32::from(extent.height),
        Direction::Down => i32::from(extent.width),
    }
}

/// The cells that stay free between two vertices of a layer.
fn space(manner: Manner, layered: &Layered, left: usize, right: usize) -> i32 {
    let node = |vertex: usize| matches!(layered.vertices[vertex].what, What::Node(_));
    let nodes = i32::from(node(left)) + i32::from(node(right));
    match (manner.direction, manner.room) {
        (Direction::Right, Room::Wide) => i32::from(nodes > 0),
        (Direction::Right, _) => 0,
        (Direction::Down, Room::Tight) => 1,
        (Direction::Down, _) => 1 + nodes,
    }
}

/// Where along a side so many edges begin or end, from the axis.
fn offsets(extent: Extent, manner: Manner, count: usize) -> Vec<i32> {
    let size = across(extent, manner.direction);
    let border = match manner.frames {
        Frames::Drawn => 1,
        Frames::Bare => 0,
    };
    let count = int(count);
    let room = (size - 2 * border).max(1);
    let low = match manner.direction {
        Direction::Right => (size - 1) / 2,
        Direction::Down => size / 2,
    };
    let (least, most) = (border - low, border - low + room - 1);
    let step = match manner.direction {
        Direction::Right => 1,
        Direction::Down => (room / count).clamp(1, 4),
    };
    (0..count)
        .map(|number| {
            if count <= room {
                let first = (-(count - 1) * step / 2).max(least).min(most - (count - 1) * step);
                (first + number * step).clamp(least, most)
            } else {
                // More than there is room for: some share a place.
                least + number * room / count
            }
        })
        .collect()
}
