//! The order within each layer: few edges shall cross.

use super::layers::{Face, Layered, What};

/// How often all layers are gone through.
const SWEEPS: usize = 10;

/// Above so many vertices neighbours are not swapped one by one.
const SWAPS: usize = 1_500;

/// The unit of positions: a place in a layer, so that means of places are integers.
const UNIT: usize = 1 << 12;

/// Neighbours of each vertex in the layer before and in the one behind.
struct Neighbours {
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
    /// What each vertex is joined with by an edge that turns round, on either side.
    turns: [Vec<Vec<usize>>; 2],
}

/// Orders every layer.
pub(super) fn order(layered: &mut Layered) {
    let neighbours = neighbours(layered);
    arrange(layered);
    let mut place = vec![0; layered.vertices.len()];
    number(&layered.layers, &mut place);
    let mut best = (crossings(&layered.layers, &neighbours, &place), layered.layers.clone());
    let mut idle = 0;
    for sweep in 0..SWEEPS {
        if best.0 == 0 || idle > 3 {
            break;
        }
        let count = layered.layers.len();
        if sweep % 2 == 0 {
            for layer in 1..count {
                sort(layered, layer, layer - 1, &neighbours.before, &mut place);
            }
        } else {
            for layer in (0..count.saturating_sub(1)).rev() {
                sort(layered, layer, layer + 1, &neighbours.behind, &mut place);
            }
        }
        if layered.vertices.len() <= SWAPS {
            swap(&mut layered.layers, &neighbours, &mut place);
        }
        let found = crossings(&layered.layers, &neighbours, &place);
        idle += 1;
        if found < best.0 {
            best = (found, layered.layers.clone());
            idle = 0;
        }
    }
    layered.layers = best.1;
}

fn neighbours(layered: &Layered) -> Neighbours {
    let none = || vec![Vec::new(); layered.vertices.len()];
    let (mut before, mut behind) = (none(), none());
    let mut turns = [none(), none()];
    for piece in layered.gaps.iter().flatten() {
        let (near, far) = match (piece.from.face, piece.to.face) {
            (Face::Out, Face::In) => (piece.from.vertex, piece.to.vertex),
            (Face::In, Face::Out) => (piece.to.vertex, piece.from.vertex),
            (face, _) => {
                let turns = &mut turns[face as usize];
                turns[piece.from.vertex].push(piece.to.vertex);
                turns[piece.to.vertex].push(piece.from.vertex);
                continue;
            }
        };
        behind[near].push(far);
        before[far].push(near);
    }
    Neighbours { before, behind, turns }
}

/// The neighbours of each vertex on one side, and what edges that turn round there join it with.
type Side<'a> = (&'a [Vec<usize>], &'a [Vec<usize>]);

impl Neighbours {
    /// Both sides of each vertex.
    fn sides(&self) -> [Side<'_>; 2] {
        [(&self.before, &self.turns[0]), (&self.behind, &self.turns[1])]
    }

    /// How often edges of two vertices cross when one stands right before the other.
    fn between(&self, left: usize, right: usize, place: &[usize]) -> usize {
        let mut crossings = 0;
        // Where the pair stands, whichever of the two comes first.
        let (low, high) = (place[left].min(place[right]), place[left].max(place[right]));
        for (near, turns) in self.sides() {
            for one in &near[left] {
                crossings += near[right].iter().filter(|it| place[**it] < place[*one]).count();
            }
            crossings +=
                turns[left].iter().filter(|it| place[**it] > high).count() * near[right].len();
            crossings +=
                turns[right].iter().filter(|it| place[**it] < low).count() * near[left].len();
        }
        crossings
    }
}

/// The order to begin with: that of a walk along the edges, so that what belongs together stands
/// together.
fn arrange(layered: &mut Layered) {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); layered.vertices.len()];
    let mut reached = vec![false; layered.vertices.len()];
    for piece in layered.gaps.iter().flatten() {
        next[piece.from.vertex].push(piece.to.vertex);
        reached[piece.to.vertex] = true;
    }
    let mut layers = vec![Vec::new(); layered.layers.len()];
    let mut seen = vec![false; layered.vertices.len()];
    let is_node = |vertex: &usize| matches!(layered.vertices[*vertex].what, What::Node(_));
    let all = || (0..layered.vertices.len()).filter(is_node);
    for root in all().filter(|vertex| !reached[*vertex]).chain(all()).collect::<Vec<_>>() {
        let mut open = vec![root];
        while let Some(vertex) = open.pop() {
            if !std::mem::replace(&mut seen[vertex], true) {
                layers[layered.vertices[vertex].layer].push(vertex);
                open.extend(next[vertex].iter().rev());
            }
        }
    }
    layered.layers = layers;
}

fn number(layers: &[Vec<usize>], place: &mut [usize]) {
    for layer in layers {
        for (at, vertex) in layer.iter().enumerate() {
            place[*vertex] = at;
        }
    }
}

/// Orders a layer by the mean place of each vertex's neighbours in another one.
fn sort(
    layered: &mut Layered,
    layer: usize,
    other: usize,
    neighbours: &[Vec<usize>],
    place: &mut [usize],
) {
    let (here, there) = (layered.layers[layer].len(), layered.layers[other].len());
    let own = |vertex: usize| place[vertex] * UNIT * there.max(1) / here.max(1);
    let mean = |vertex: usize| {
        let near = &neighbours[vertex];
        let sum: usize = near.iter().map(|near| place[*near] * UNIT).sum();
        sum.checked_div(near.len())
    };
    let key = |vertex: usize| match (mean(vertex), layered.vertices[vertex].anchor) {
        (Some(mean), _) => mean,
        (None, Some(anchor)) => mean(anchor).unwrap_or_else(|| own(anchor)) + UNIT / 4,
        (None, None) => own(vertex),
    };
    let mut keyed: Vec<(usize, usize)> =
        layered.layers[layer].iter().map(|vertex| (key(*vertex), *vertex)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    let sorted: Vec<usize> = keyed.into_iter().map(|(_, vertex)| vertex).collect();
    for (at, vertex) in sorted.iter().enumerate() {
        place[*vertex] = at;
    }
    layered.layers[layer] = sorted;
}

/// Swaps vertices that stand side by side as long as that saves crossings.
fn swap(layers: &mut [Vec<usize>], neighbours: &Neighbours, place: &mut [usize]) {
    for _ in 0..4 {
        let mut swapped = false;
        for layer in layers.iter_mut() {
            for at in 1..layer.len() {
                let (left, right) = (layer[at - 1], layer[at]);
                let (now, then) = (
                    neighbours.between(left, right, place),
                    neighbours.between(right, left, place),
                );
                if then < now {
                    layer.swap(at - 1, at);
                    place.swap(left, right);
                    swapped = true;
                }
            }
        }
        if !swapped {
            return;
        }
    }
}

/// How often edges cross.
fn crossings(layers: &[Vec<usize>], neighbours: &Neighbours, place: &[usize]) -> usize {
    let mut crossings = 0;
    for (at, layer) in layers.iter().enumerate().skip(1) {
        // A tree of sums over the places of the layer before: how many edges so far end behind.
        let mut sums = vec![0_usize; layers[at - 1].len() + 1];
        let mut all = 0;
        for vertex in layer {
            let near = &neighbours.before[*vertex];
            for neighbour in near {
                let mut upto = 0;
                let mut node = place[*neighbour] + 1;
                while node > 0 {
                    upto += sums[node];
                    node &= node - 1;
                }
                crossings += all - upto;
            }
            for neighbour in near {
                let mut node = place[*neighbour] + 1;
                while node < sums.len() {
                    sums[node] += 1;
                    node += node & node.wrapping_neg();
                }
                all += 1;
            }
        }
    }
    for layer in layers {
        for (near, turns) in neighbours.sides() {
            if layer.iter().all(|vertex| turns[*vertex].is_empty()) {
                continue;
            }
            // How many edges the vertices up to each one have on this side.
            let mut upto = vec![0];
            for vertex in layer {
                upto.push(upto.last().copied().unwrap_or_default() + near[*vertex].len());
            }
            for vertex in layer {
                let here = place[*vertex];
                let ends = turns[*vertex].iter().map(|end| place[*end]).filter(|end| *end > here);
                crossings += ends.map(|end| upto[end] - upto[here + 1]).sum::<usize>();
            }
        }
    }
    crossings
}
