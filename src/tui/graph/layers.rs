//! Layers: every edge leads from a layer to a later one, or back. An edge that passes layers has a
//! vertex of its own in each of them, so that lines go round boxes.

use super::{
    Link,
    cycles::{Way, ways},
};

/// How many parts all edges may have together: what can be laid out while somebody waits.
const MOST: usize = 6_000;

/// A side of a layer: the one that edges come in by, or the one that they leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Face {
    In,
    Out,
}

/// A side of a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pin {
    pub(super) vertex: usize,
    pub(super) face: Face,
}

/// A part of an edge, within one gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) edge: usize,
    pub(super) from: Pin,
    pub(super) to: Pin,
    /// How wide the label is that belongs here.
    pub(super) label: u16,
}

/// What stands in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Node(usize),
    /// An edge that passes.
    Passing,
}

/// Something that has a place in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vertex {
    pub(super) what: What,
    pub(super) layer: usize,
    /// For the end of an edge that leads back: the node in the same layer that it turns to.
    pub(super) anchor: Option<usize>,
}

/// A graph in layers. Gap `g` lies before layer `g`, the last one behind all layers.
#[derive(Debug)]
pub(super) struct Layered {
    /// The nodes, by their numbers, then what passes.
    pub(super) vertices: Vec<Vertex>,
    /// The vertices of each layer, in their order.
    pub(super) layers: Vec<Vec<usize>>,
    pub(super) gaps: Vec<Vec<Piece>>,
    /// The parts of each edge from its source to its target: gap and place in it.
    pub(super) parts: Vec<Vec<(usize, usize)>>,
}

impl Layered {
    pub(super) fn new(nodes: usize, edges: &[Link]) -> Self {
        let ways = ways(nodes, edges);
        let layer_of = assign(nodes, edges, &ways);
        let count = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut layered = Self {
            vertices: layer_of
                .iter()
                .enumerate()
                .map(|(node, layer)| Vertex { what: What::Node(node), layer: *layer, anchor: None })
                .collect(),
            layers: vec![Vec::new(); count],
            gaps: vec![Vec::new(); count + 1],
            parts: Vec::with_capacity(edges.len()),
        };
        for (number, (edge, way)) in edges.iter().zip(&ways).enumerate() {
            layered.parts.push(Vec::new());
            match way {
                Way::On => layered.lead_on(number, edge),
                Way::Back => layered.lead_back(number, edge),
            }
        }
        for (number, vertex) in layered.vertices.iter().enumerate() {
            layered.layers[vertex.layer].push(number);
        }
        layered
    }

    fn lead_on(&mut self, number: usize, edge: &Link) {
        let last = self.vertices[edge.target].layer;
        let mut from = edge.source;
        for layer in self.vertices[from].layer + 1..=last {
            let to = if layer == last { edge.target } else { self.pass(layer, None) };
            self.join(number, edge, (from, Face::Out), (to, Face::In));
            from = to;
        }
    }

    /// Out of the source, back through the layers beside all boxes, and into the target from where
    /// every edge into it comes.
    fn lead_back(&mut self, number: usize, edge: &Link) {
        let (first, last) = (self.vertices[edge.target].layer, self.vertices[edge.source].layer);
        let mut from = (edge.source, Face::Out);
        for layer in (first..=last).rev() {
            let anchor = if layer == last {
                Some(edge.source)
            } else if layer == first {
                Some(edge.target)
            } else {
                None
            };
            let passing = self.pass(layer, anchor);
            self.join(number, edge, from, (passing, Face::Out));
            from = (passing, Face::In);
        }
        self.join(number, edge, from, (edge.target, Face::In));
    }

    fn pass(&mut self, layer: usize, anchor: Option<usize>) -> usize {
        self.vertices.push(Vertex { what: What::Passing, layer, anchor });
        self.vertices.len() - 1
    }

    fn join(&mut self, number: usize, edge: &Link, from: (usize, Face), to: (usize, Face)) {
        let layer = self.vertices[from.0].layer;
        let gap = if from.1 == Face::Out { layer + 1 } else { layer };
        // A label stands where its edge leaves the node that decides about it.
        let label = if self.parts[number].is_empty() { edge.label } else { 0 };
        let pin = |(vertex, face)| Pin { vertex, face };
        self.parts[number].push((gap, self.gaps[gap].len()));
        self.gaps[gap].push(Piece { edge: number, from: pin(from), to: pin(to), label });
    }
}

/// Which edges to draw where all of them together would pass too many layers: the shortest ones,
/// those that lead back after those that lead on. Nobody could tell the others apart.
pub(in crate::tui) fn thin(nodes: usize, edges: &[Link]) -> Vec<bool> {
    let ways = ways(nodes, edges);
    let layer = assign(nodes, edges, &ways);
    let length = |number: usize| {
        let Link { source, target, .. } = edges[number];
        match ways[number] {
            Way::On => (0, layer[target] - layer[source]),
            Way::Back => (1, layer[source] - layer[target] + 2),
        }
    };
    let mut sorted: Vec<usize> = (0..edges.len()).collect();
    sorted.sort_by_key(|number| length(*number));
    let mut drawn = vec![false; edges.len()];
    let mut upto = 0;
    for number in sorted {
        upto += length(number).1;
        drawn[number] = upto <= MOST;
    }
    drawn
}

/// The layer of each node: as early as the edges into it allow; what nothing leads to stands as
/// late as the edges out of it allow.
fn assign(nodes: usize, edges: &[Link], ways: &[Way]) -> Vec<usize> {
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut incoming = vec![0_usize; nodes];
    for (edge, _) in edges.iter().zip(ways).filter(|(_, way)| **way == Way::On) {
        outgoing[edge.source].push(edge.target);
        incoming[edge.target] += 1;
    }
    let mut open = incoming.clone();
    let mut sorted: Vec<usize> = (0..nodes).filter(|node| open[*node] == 0).collect();
    let mut layer = vec![0; nodes];
    let mut at = 0;
    while let Some(node) = sorted.get(at).copied() {
        at += 1;
        for target in &outgoing[node] {
            layer[*target] = layer[*target].max(layer[node] + 1);
            open[*target] -= 1;
            if open[*target] == 0 {
                sorted.push(*target);
            }
        }
    }
    for node in sorted.into_iter().rev() {
        // Edges into it would grow as much as those out of it shrink.
        if incoming[node] < outgoing[node].len()
            && let Some(next) = outgoing[node].iter().map(|target| layer[*target]).min()
        {
            layer[node] = layer[node].max(next - 1);
        }
    }
    layer
}
