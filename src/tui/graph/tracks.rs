//! Tracks: where in its gap each net runs across the layers. Lines of different nets never lie on
//! one another; where they cross, they cross at right angles.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    layers::{Face, Pin},
    nets::{Net, Nets},
    place::Places,
};

/// How a net runs in its gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// Straight on.
    Straight,
    /// Along one track.
    Track(usize),
    /// Along one track to a line of its own, and from there along another one.
    Bend { near: usize, far: usize, line: i32 },
}

/// The runs of all nets of a gap, and how many tracks they take.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) runs: Vec<Run>,
    pub(super) count: usize,
}

/// A net, or one of the two halves of one, that needs a track.
struct Trunk {
    net: usize,
    low: i32,
    high: i32,
    /// The lines on which it comes from the near side, and those on which it leads to the far one.
    near: Vec<i32>,
    far: Vec<i32>,
    /// It must lie behind all of these.
    after: BTreeSet<usize>,
    track: Option<usize>,
}

pub(super) fn tracks(nets: &Nets, places: &Places) -> Vec<Tracks> {
    nets.gaps.iter().map(|gap| assign(gap, places)).collect()
}

/// The line on which a net meets a side of a vertex.
pub(super) fn line(places: &Places, pin: &Pin, offset: i32) -> i32 {
    places.axis[pin.vertex] + offset
}

fn assign(nets: &[Net], places: &Places) -> Tracks {
    let mut runs = vec![Run::Straight; nets.len()];
    let mut trunks: Vec<Trunk> = Vec::new();
    // The lines that are in use anywhere in the gap.
    let mut used: BTreeSet<i32> = BTreeSet::new();
    for (number, net) in nets.iter().enumerate() {
        let on = |face: Face| -> Vec<i32> {
            let pins = net.pins.iter().filter(|(pin, _)| pin.face == face);
            pins.map(|(pin, offset)| line(places, pin, *offset)).collect()
        };
        let (near, far) = (on(Face::Out), on(Face::In));
        let all = || near.iter().chain(&far).copied();
        used.extend(all());
        let (Some(low), Some(high)) = (all().min(), all().max()) else { continue };
        if low < high || near.is_empty() || far.is_empty() {
            trunks.push(Trunk {
                net: number,
                low,
                high,
                near,
                far,
                after: BTreeSet::new(),
                track: None,
            });
        }
    }
    constrain(&mut trunks);
    let bends = schedule(&mut trunks, &mut used);
    let mut count = 0;
    for (number, trunk) in trunks.iter().enumerate() {
        let Some(track) = trunk.track else { continue };
        runs[trunk.net] = match (runs[trunk.net], bends.get(&trunk.net)) {
            (Run::Bend { near, line, .. }, _) => Run::Bend { near, far: track, line },
            (_, Some((second, line))) if *second != number => {
                Run::Bend { near: track, far: track, line: *line }
            }
            _ => Run::Track(track),
        };
        count = count.max(track + 1);
    }
    Tracks { runs, count }
}

/// A net that comes in on a line from the near side lies before one that leaves on it.
fn constrain(trunks: &mut [Trunk]) {
    let mut leaving: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (number, trunk) in trunks.iter().enumerate() {
        for line in &trunk.far {
            leaving.entry(*line).or_default().push(number);
        }
    }
    let mut pairs = Vec::new();
    for (number, trunk) in trunks.iter().enumerate() {
        for line in &trunk.near {
            let behind = leaving.get(line).into_iter().flatten().filter(|other| **other != number);
            pairs.extend(behind.map(|other| (number, *other)));
        }
    }
    for (before, behind) in pairs {
        trunks[behind].after.insert(before);
    }
}

/// Gives each trunk the first track that is free where it runs, in an order that makes few
/// crossings. Where nets wait for one another in a circle, one is cut in two halves: the second
/// half and the line between them are returned by net.
fn schedule(trunks: &mut Vec<Trunk>, used: &mut BTreeSet<i32>) -> BTreeMap<usize, (usize, i32)> {
    let mut bends = BTreeMap::new();
    // Per track: the intervals that are taken.
    let mut taken: Vec<Vec<(i32, i32)>> = Vec::new();
    let mut open: Vec<usize> = (0..trunks.len()).collect();
    open.sort_by_key(|number| rank(&trunks[*number]));
    while !open.is_empty() {
        let done = |trunks: &[Trunk], number: usize| {
            trunks[number].after.iter().all(|before| trunks[*before].track.is_some())
        };
        let Some(at) = open.iter().position(|number| done(trunks, *number)) else {
            // Every net of a circle has ends on both sides.
            let fit = |number: &&usize| {
                let trunk = &trunks[**number];
                !trunk.near.is_empty() && !trunk.far.is_empty() && !bends.contains_key(&trunk.net)
            };
            let Some(cut) = open.iter().find(fit).copied() else { break };
            let second = bend(trunks, cut, used, &mut bends);
            open.push(second);
            continue;
        };
        let number = open.remove(at);
        let trunk = &trunks[number];
        let first = trunk.after.iter().filter_map(|before| trunks[*before].track).max();
        let first = first.map_or(0, |before| before + 1);
        let free = |track: &Vec<(i32, i32)>| {
            track.iter().all(|(low, high)| trunk.high < *low || *high < trunk.low)
        };
        // What turns back to the far side lies near it.
        let turns = trunk.near.is_empty();
        let found = if turns {
            (first..taken.len()).rev().find(|track| free(&taken[*track]))
        } else {
            (first..taken.len()).find(|track| free(&taken[*track]))
        };
        let track = found.unwrap_or(taken.len().max(first));
        while taken.len() <= track {
            taken.push(Vec::new());
        }
        taken[track].push((trunk.low, trunk.high));
        trunks[number].track = Some(track);
    }
    bends
}

/// The order in which trunks get their tracks: first those that turn back at once, the shortest
/// first; of those that lead to higher lines the highest, of the others the lowest first, so that
/// they don't cross; last what turns at the far side.
fn rank(trunk: &Trunk) -> (u8, i32, usize) {
    let sum = |lines: &[i32]| lines.iter().map(|line| i64::from(*line)).sum::<i64>();
    let (near, far) = (super::int(trunk.near.len()), super::int(trunk.far.len()));
    let class = match (near, far) {
        (_, 0) => (0, trunk.high - trunk.low),
        (0, _) => (3, trunk.low - trunk.high),
        _ if sum(&trunk.far) * i64::from(near) >= sum(&trunk.near) * i64::from(far) => {
            (1, -trunk.near.iter().max().copied().unwrap_or_default())
        }
        _ => (2, trunk.near.iter().min().copied().unwrap_or_default()),
    };
    (class.0, class.1, trunk.net)
}

/// Cuts a trunk in two halves that meet on a line which nothing else uses.
fn bend(
    trunks: &mut Vec<Trunk>,
    cut: usize,
    used: &mut BTreeSet<i32>,
    bends: &mut BTreeMap<usize, (usize, i32)>,
) -> usize {
    let middle = i32::midpoint(trunks[cut].low, trunks[cut].high);
    let line = (0..=super::int(used.len()))
        .flat_map(|away| [middle + away, middle - away])
        .find(|line| !used.contains(line))
        .unwrap_or(middle);
    used.insert(line);
    let second = trunks.len();
    let whole = &mut trunks[cut];
    let far = std::mem::take(&mut whole.far);
    let mut after = std::mem::take(&mut whole.after);
    after.insert(cut);
    let reach = |lines: &[i32]| {
        let all = || lines.iter().copied().chain([line]);
        (all().min().unwrap_or(line), all().max().unwrap_or(line))
    };
    (whole.low, whole.high) = reach(&whole.near);
    let (low, high) = reach(&far);
    let net = whole.net;
    trunks.push(Trunk { net, low, high, near: vec![line], far, after, track: None });
    bends.insert(net, (second, line));
    second
}
