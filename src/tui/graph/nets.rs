//! Nets: edges of one gap that share a line. All of a net's ends on one side are joined with all of
//! those on the other, so that no line can be read as an edge that there is not.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::{Layered, Piece, Pin};

/// Edges that share a line within a gap.
#[derive(Debug, Default)]
pub(super) struct Net {
    /// The parts of edges in it, as places in the gap.
    pub(super) pieces: Vec<usize>,
    /// Its ends, each with how far beside the axis of its vertex it lies.
    pub(super) pins: BTreeMap<Pin, i32>,
    /// Where labels stand.
    pub(super) labels: LabelsAt,
}

/// At which end of its edge a label stands: the one that it has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LabelsAt {
    From,
    #[default]
    To,
}

/// The nets of each gap.
#[derive(Debug)]
pub(super) struct Nets {
    pub(super) gaps: Vec<Vec<Net>>,
    /// The net of each part of an edge, by gap and place in it.
    pub(super) net_of: Vec<Vec<usize>>,
}

impl Nets {
    pub(super) fn new(layered: &Layered) -> Self {
        let mut nets = Self { gaps: Vec::new(), net_of: Vec::new() };
        for pieces in &layered.gaps {
            let gap = bundle(pieces);
            let mut net_of = vec![0; pieces.len()];
            for (number, net) in gap.iter().enumerate() {
                for piece in &net.pieces {
                    net_of[*piece] = number;
                }
            }
            nets.gaps.push(gap);
            nets.net_of.push(net_of);
        }
        nets
    }
}

/// Bundles the edges of a gap. What hangs together is bundled by sources or by targets, whichever
/// needs fewer ends.
fn bundle(pieces: &[Piece]) -> Vec<Net> {
    let by_from = group(pieces, |piece| (piece.from, piece.to), LabelsAt::To);
    let by_to = group(pieces, |piece| (piece.to, piece.from), LabelsAt::From);
    let component = components(pieces);
    let ends = |nets: &[Vec<usize>]| {
        let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
        for net in nets {
            *ends.entry(component[net[0]]).or_default() += pins(pieces, net).len();
        }
        ends
    };
    let (few_from, few_to) = (ends(&by_from), ends(&by_to));
    let better = |net: &Vec<usize>| few_from[&component[net[0]]] <= few_to[&component[net[0]]];
    let mut chosen: Vec<Vec<usize>> = by_from.into_iter().filter(&better).collect();
    chosen.extend(by_to.into_iter().filter(|net| !better(net)));
    chosen.sort();
    chosen
        .into_iter()
        .map(|net| {
            let froms: BTreeSet<Pin> = net.iter().map(|piece| pieces[*piece].from).collect();
            Net {
                pins: pins(pieces, &net).into_iter().map(|pin| (pin, 0)).collect(),
                labels: if froms.len() > 1 { LabelsAt::From } else { LabelsAt::To },
                pieces: net,
            }
        })
        .collect()
}

fn pins(pieces: &[Piece], net: &[usize]) -> BTreeSet<Pin> {
    net.iter().flat_map(|piece| [pieces[*piece].from, pieces[*piece].to]).collect()
}

/// One net for all edges whose first ends have the same other ends. Where edges have labels, each
/// needs an end of its own: then only one of the two sides may have several.
fn group(
    pieces: &[Piece],
    ends: impl Fn(&Piece) -> (Pin, Pin),
    shared: LabelsAt,
) -> Vec<Vec<usize>> {
    let mut others: BTreeMap<Pin, BTreeSet<Pin>> = BTreeMap::new();
    let mut labelled: BTreeSet<Pin> = BTreeSet::new();
    for piece in pieces {
        let (one, other) = ends(piece);
        others.entry(one).or_default().insert(other);
        if piece.label > 0 {
            labelled.insert(one);
        }
    }
    let mut nets: BTreeMap<(Option<Pin>, &BTreeSet<Pin>), Vec<usize>> = BTreeMap::new();
    for (number, piece) in pieces.iter().enumerate() {
        let (one, _) = ends(piece);
        let others = &others[&one];
        let any_labelled = labelled.contains(&one);
        let alone = others.len() > 1 && any_labelled;
        // Labels stand at the `from` end of a bundle of several sources: each has one edge there.
        let own =
            (alone || (any_labelled && shared == LabelsAt::To && others.len() > 1)).then_some(one);
        nets.entry((own, others)).or_default().push(number);
    }
    let mut nets: Vec<Vec<usize>> = nets.into_values().collect();
    nets.sort();
    nets
}

/// For each part of an edge a number that all parts have in common that hang together.
fn components(pieces: &[Piece]) -> Vec<usize> {
    let mut first: BTreeMap<Pin, usize> = BTreeMap::new();
    let mut parent: Vec<usize> = (0..pieces.len()).collect();
    for (number, piece) in pieces.iter().enumerate() {
        for pin in [piece.from, piece.to] {
            let other = *first.entry(pin).or_insert(number);
            let (one, other) = (root(&mut parent, number), root(&mut parent, other));
            parent[one.max(other)] = one.min(other);
        }
    }
    (0..pieces.len()).map(|number| root(&mut parent, number)).collect()
}

/// The one that stands for a set, by a way that is shortened on it.
fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}
