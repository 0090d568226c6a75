//! What is in each cell: the end of the way from a sketch to the screen.

use super::{
    Direction, Extent, Link, Manner,
    glyph::{Arms, DOWN, LEFT, RIGHT, UP, Weight},
    layers::{Layered, What},
    nets::Nets,
    order::order,
    place::place,
    route::{Mark, Point, Routed, Stand, route},
    tracks::tracks,
    wrap::wrap,
};

/// A graph laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::tui) struct Picture {
    pub(in crate::tui) width: i32,
    pub(in crate::tui) height: i32,
    /// The boxes, in the order of the sketch's nodes.
    pub(in crate::tui) boxes: Vec<Plot>,
    rows: Vec<Row>,
    passes: Vec<Pass>,
    /// The boxes that begin or reach into each band of lines.
    bands: Vec<Vec<usize>>,
}

/// A box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Plot {
    pub(in crate::tui) x: i32,
    pub(in crate::tui) y: i32,
    pub(in crate::tui) width: i32,
    pub(in crate::tui) height: i32,
    /// Where edges leave it.
    pub(in crate::tui) ports: Vec<Port>,
}

/// A place in a box's border where an edge leaves it, and the way it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Port {
    pub(in crate::tui) x: i32,
    pub(in crate::tui) y: i32,
    pub(in crate::tui) arms: u8,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Row {
    cells: Vec<Cell>,
    labels: Vec<Label>,
}

/// A cell that edges pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Cell {
    pub(in crate::tui) x: i32,
    first: usize,
    count: usize,
}

/// How an edge passes a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Pass {
    pub(in crate::tui) edge: usize,
    /// The directions in which its line leaves the cell.
    pub(in crate::tui) arms: u8,
    /// Whether it ends here, at its target.
    pub(in crate::tui) head: bool,
}

/// The place of an edge's label: how many cells there are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Label {
    pub(in crate::tui) x: i32,
    pub(in crate::tui) y: i32,
    pub(in crate::tui) width: i32,
    pub(in crate::tui) edge: usize,
}

/// The lines of a band.
const BAND: i32 = 8;

/// The least cells that a label is worth being shown in.
const LEAST: i32 = 3;

/// A sketch whose nodes have their layers and their order: what does not depend on how large boxes
/// are, and is made once for all sizes.
#[derive(Debug)]
pub(in crate::tui) struct Arrangement {
    layered: Layered,
}

impl Arrangement {
    pub(in crate::tui) fn new(nodes: usize, edges: &[Link]) -> Self {
        let mut layered = Layered::new(nodes, edges);
        order(&mut layered);
        Self { layered }
    }

    /// The same without labels.
    pub(in crate::tui) fn without_labels(mut self) -> Self {
        for piece in self.layered.gaps.iter_mut().flatten() {
            piece.label = 0;
        }
        self
    }

    /// The size that a picture has at least.
    pub(in crate::tui) fn bound(&self, nodes: &[Extent], direction: Direction) -> (i32, i32) {
        let (mut along, mut across) = (0, 0);
        for layer in &self.layered.layers {
            let (mut thick, mut wide) = (0, 0);
            for vertex in layer {
                let (length, width) = match (self.layered.vertices[*vertex].what, direction) {
                    (What::Passing, _) => (0, 1),
                    (What::Node(node), Direction::Right) => (nodes[node].width, nodes[node].height),
                    (What::Node(node), Direction::Down) => (nodes[node].height, nodes[node].width),
                };
                thick = thick.max(i32::from(length));
                wide += i32::from(width);
            }
            along += thick + 1;
            across = across.max(wide);
        }
        match direction {
            Direction::Right => (along - 1, across),
            Direction::Down => (across, along - 1),
        }
    }

    /// Lays it out with boxes of these sizes.
    pub(in crate::tui) fn lay_out(&self, nodes: &[Extent], manner: Manner) -> Picture {
        if nodes.is_empty() {
            return Picture::default();
        }
        let layered = &self.layered;
        let mut nets = Nets::new(layered);
        let places = place(nodes, manner, layered, &mut nets);
        let tracks = tracks(&nets, &places);
        let routed = route(manner, layered, &nets, &places, &tracks);
        let routed = match manner.wrap {
            Some(width) if manner.direction == Direction::Right => {
                wrap(&routed, i32::from(width)).unwrap_or(routed)
            }
            _ => routed,
        };
        Picture::new(&routed, manner.direction)
    }
}

/// Lays a sketch out.
#[cfg(test)]
pub(super) fn lay_out(sketch: &super::Sketch, manner: Manner) -> Picture {
    Arrangement::new(sketch.nodes.len(), &sketch.edges).lay_out(&sketch.nodes, manner)
}

impl Picture {
    fn new(routed: &Routed, direction: Direction) -> Self {
        let corner = |stand: &Stand| (stand.x, stand.y);
        let points = || {
            let wires = routed.wires.iter().flatten().copied();
            wires.chain(routed.stands.iter().map(corner))
        };
        let left = points().map(|point| point.0).min().unwrap_or_default();
        let top = points().map(|point| point.1).min().unwrap_or_default();
        let mut picture = Self::default();
        for stand in &routed.stands {
            let (x, y) = (stand.x - left, stand.y - top);
            picture.width = picture.width.max(x + stand.width);
            picture.height = picture.height.max(y + stand.height);
            picture.boxes.push(Plot {
                x,
                y,
                width: stand.width,
                height: stand.height,
                ports: stand
                    .exits
                    .iter()
                    .map(|((x, y), arms)| Port { x: x - left, y: y - top, arms: *arms })
                    .collect(),
            });
        }
        let mut cells: Vec<(i32, i32, Pass)> = Vec::new();
        for (edge, wire) in routed.wires.iter().enumerate() {
            trace(wire, direction, |(x, y), arms, head| {
                cells.push((y - top, x - left, Pass { edge, arms, head }));
            });
        }
        cells.sort_by_key(|(y, x, pass)| (*y, *x, pass.edge));
        picture.take_cells(cells);
        picture.take_labels(&routed.marks, (left, top));
        picture.index();
        picture
    }

    fn take_cells(&mut self, cells: Vec<(i32, i32, Pass)>) {
        for (y, x, pass) in cells {
            self.width = self.width.max(x + 1);
            self.height = self.height.max(y + 1);
            let row = self.row_mut(y);
            let number = row.cells.last().filter(|cell| cell.x == x).map(|_| row.cells.len() - 1);
            let first = self.passes.len();
            let row = self.row_mut(y);
            match number {
                Some(number) => row.cells[number].count += 1,
                None => row.cells.push(Cell { x, first, count: 1 }),
            }
            self.passes.push(pass);
        }
    }

    fn row_mut(&mut self, y: i32) -> &mut Row {
        let y = usize::try_from(y).unwrap_or_default();
        if self.rows.len() <= y {
            self.rows.resize(y + 1, Row::default());
        }
        &mut self.rows[y]
    }

    /// Takes over the labels for which there is room. One that lies along its own line hides it,
    /// one beside its line ends where something else begins.
    fn take_labels(&mut self, marks: &[Mark], (left, top): Point) {
        for mark in marks {
            let (x, y) = (mark.at.0 - left, mark.at.1 - top);
            let row = self.row_mut(y);
            let own = |cell: &&Cell| cell.x >= x;
            let next = row.cells.iter().find(own).map_or(i32::MAX, |cell| cell.x);
            let on_line = next == x;
            let taken = row.labels.iter().map(|label| label.x).filter(|at| *at >= x).min();
            let free = if on_line { i32::MAX } else { next - 1 }.min(taken.unwrap_or(i32::MAX) - 1);
            let inside = row.labels.iter().any(|it| it.x <= x && x <= it.x + it.width);
            let width = mark.width.min(free - x);
            if width >= LEAST.min(mark.width) && !inside {
                row.labels.push(Label { x, y, width, edge: mark.edge });
                self.width = self.width.max(x + width);
                self.height = self.height.max(y + 1);
            }
        }
    }

    fn index(&mut self) {
        let count = usize::try_from(self.height / BAND + 1).unwrap_or_default();
        self.bands = vec![Vec::new(); count];
        for (number, plot) in self.boxes.iter().enumerate() {
            for band in plot.y / BAND..=(plot.y + plot.height - 1) / BAND {
                self.bands[usize::try_from(band).unwrap_or_default()].push(number);
            }
        }
    }

    /// The cells of a line within some columns.
    pub(in crate::tui) fn cells(&self, y: i32, columns: std::ops::Range<i32>) -> &[Cell] {
        let row = usize::try_from(y).ok().and_then(|y| self.rows.get(y));
        let cells = row.map_or(&[][..], |row| &row.cells);
        let first = cells.partition_point(|cell| cell.x < columns.start);
        let last = cells.partition_point(|cell| cell.x < columns.end);
        &cells[first..last.max(first)]
    }

    /// How edges pass a cell.
    pub(in crate::tui) fn passes(&self, cell: &Cell) -> &[Pass] {
        &self.passes[cell.first..cell.first + cell.count]
    }

    /// The labels of a line.
    pub(in crate::tui) fn labels(&self, y: i32) -> &[Label] {
        let row = usize::try_from(y).ok().and_then(|y| self.rows.get(y));
        row.map_or(&[][..], |row| &row.labels)
    }

    /// The boxes that may be in view within some lines, each once.
    pub(in crate::tui) fn boxes_in(&self, lines: std::ops::Range<i32>) -> Vec<usize> {
        let first = usize::try_from(lines.start.max(0) / BAND).unwrap_or_default();
        let last = usize::try_from(lines.end.max(0) / BAND).unwrap_or_default();
        let bands = self.bands.iter().skip(first).take(last + 1 - first.min(last));
        let mut boxes: Vec<usize> = bands.flatten().copied().collect();
        boxes.sort_unstable();
        boxes.dedup();
        boxes
    }

    /// The box at a point.
    pub(in crate::tui) fn box_at(&self, x: i32, y: i32) -> Option<usize> {
        let inside = |plot: &Plot| {
            (plot.x..plot.x + plot.width).contains(&x)
                && (plot.y..plot.y + plot.height).contains(&y)
        };
        self.boxes_in(y..y + 1).into_iter().find(|number| inside(&self.boxes[*number]))
    }
}

/// Goes along a line, cell by cell.
fn trace(wire: &[Point], direction: Direction, mut on: impl FnMut(Point, u8, bool)) {
    let into = match direction {
        Direction::Right => LEFT,
        Direction::Down => UP,
    };
    let Some(mut at) = wire.first().copied() else { return };
    let last = wire.last().copied().unwrap_or(at);
    // The side that the line comes from: at first its box.
    let mut behind = into;
    for corner in &wire[1..] {
        while at != *corner {
            let step = ((corner.0 - at.0).signum(), (corner.1 - at.1).signum());
            let (ahead, back) = match step {
                (1, _) => (RIGHT, LEFT),
                (-1, _) => (LEFT, RIGHT),
                (_, 1) => (DOWN, UP),
                _ => (UP, DOWN),
            };
            on(at, behind | ahead, false);
            behind = back;
            at = (at.0 + step.0, at.1 + step.1);
        }
    }
    on(last, behind, true);
}

/// The lines to be drawn in a cell. Where lines cross that have nothing to do with each other, the
/// stronger one is drawn, as a bridge over the other; of two alike the one that goes up and down.
pub(in crate::tui) fn strongest(passes: &[Pass], weight: impl Fn(usize) -> Weight) -> Option<Arms> {
    // What has a line in common is joined here. There are two groups at most.
    let mut groups: Vec<(u8, Weight, Arms)> = Vec::new();
    for pass in passes {
        let weight = weight(pass.edge);
        let mut own = (pass.arms, weight, Arms::of(pass.arms, weight));
        groups.retain(|(mask, other, arms)| {
            let apart = mask & own.0 == 0;
            if !apart {
                own = (own.0 | mask, own.1.max(*other), own.2.with(*arms));
            }
            apart
        });
        groups.push(own);
    }
    let upright = |mask: u8| mask & (UP | DOWN) != 0;
    let best = groups.into_iter().max_by_key(|(mask, weight, _)| (*weight, upright(*mask)));
    best.map(|(.., arms)| arms)
}
