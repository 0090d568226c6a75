//! A long strip of layers, broken into rows like lines of text: what leads on from the end of one
//! goes back under it to the beginning of the next.

use std::collections::BTreeSet;

use super::route::{Mark, Point, Routed, Stand, straightened};

/// How many lines may lead on from one row to the next.
const MOST: usize = 1;

/// Lines and columns between a row and what goes round it.
const AIR: i32 = 1;

/// One row: the columns that stand in it, and where they go.
struct Band {
    /// The first column of the strip in it, and the last one.
    first: i32,
    last: i32,
    /// The lines of the strip that are in use in it.
    top: i32,
    bottom: i32,
    /// The lines on which something leads on to the next row, from above.
    leading: Vec<i32>,
    shift: Point,
}

/// Breaks a strip so that it is no wider than `width`; nothing if there is no good way to.
pub(super) fn wrap(strip: &Routed, width: i32) -> Option<Routed> {
    let mut bands = split(strip, width)?;
    if bands.len() < 2 {
        return None;
    }
    let mut y = 0;
    let mut lead_in = 0;
    for band in &mut bands {
        let margin = if lead_in > 0 { lead_in + AIR } else { 0 };
        band.shift = (margin - band.first, y - band.top);
        lead_in = super::int(band.leading.len());
        y += band.bottom - band.top + 1 + lead_in + if lead_in > 0 { AIR } else { 0 };
    }
    let band_of = |x: i32| bands.partition_point(|band| band.last < x).min(bands.len() - 1);
    let moved = |(x, y): Point| {
        let shift = bands[band_of(x)].shift;
        (x + shift.0, y + shift.1)
    };
    let stands = strip.stands.iter().map(|stand| {
        let (x, y) = moved((stand.x, stand.y));
        let exits = stand.exits.iter().map(|(cell, way)| (moved(*cell), *way)).collect();
        Stand { x, y, exits, ..*stand }
    });
    let wires = strip.wires.iter().map(|wire| {
        let mut points: Vec<Point> = Vec::new();
        let mut before = None;
        for corner in wire {
            let to = band_of(corner.0);
            let from = before.replace(to).unwrap_or(to);
            for band in from..to {
                points.extend(round(&bands, band, corner.1));
            }
            for band in (to..from).rev() {
                points.extend(round(&bands, band, corner.1).into_iter().rev());
            }
            points.push(moved(*corner));
        }
        straightened(points)
    });
    let marks = strip.marks.iter().map(|mark| Mark { at: moved(mark.at), ..*mark });
    Some(Routed {
        stands: stands.collect(),
        wires: wires.collect(),
        marks: marks.collect(),
        cuts: Vec::new(),
    })
}

/// Which columns stand in which row.
fn split(strip: &Routed, width: i32) -> Option<Vec<Band>> {
    let end = |stand: &Stand| stand.x + stand.width - 1;
    let corners = || strip.wires.iter().flatten();
    let last = strip
        .stands
        .iter()
        .map(end)
        .chain(corners().map(|point| point.0))
        .max()
        .unwrap_or_default();
    let mut bands = Vec::new();
    let mut first = corners().map(|point| point.0).min().unwrap_or_default().min(0);
    let mut lead_in = 0;
    while last - first + 1 + lead_in > width {
        let fits = |cut: i32, leading: usize| {
            cut - first + 1 + lead_in + super::int(leading) + AIR <= width
        };
        let cuts = strip.cuts.iter().rev().filter(|cut| **cut > first);
        // Where few lines lead on, unless that would leave more than half of a row empty.
        let (_, cut, leading) = cuts
            .map(|cut| (*cut, crossing(strip, *cut)))
            .filter(|(cut, leading)| fits(*cut, leading.len()) && leading.len() <= MOST)
            .map(|(cut, leading)| ((cut - first) * 2 < width, cut, leading))
            .min_by_key(|(short, cut, leading)| (*short, leading.len(), -cut))?;
        lead_in = super::int(leading.len()) + AIR;
        bands.push(band(strip, first, cut, leading));
        first = cut + 1;
    }
    bands.push(band(strip, first, last, Vec::new()));
    Some(bands)
}

fn band(strip: &Routed, first: i32, last: i32, leading: Vec<i32>) -> Band {
    let columns = first..=last;
    let stands = strip.stands.iter().filter(|stand| columns.contains(&stand.x));
    let mut lines: Vec<i32> =
        stands.flat_map(|stand| [stand.y, stand.y + stand.height - 1]).collect();
    for pair in strip.wires.iter().flat_map(|wire| wire.windows(2)) {
        let (from, to) = (pair[0], pair[1]);
        if from.0.min(to.0) <= last && from.0.max(to.0) >= first {
            lines.extend([from.1, to.1]);
        }
    }
    let top = lines.iter().min().copied().unwrap_or_default();
    let bottom = lines.iter().max().copied().unwrap_or_default();
    Band { first, last, top, bottom, leading, shift: (0, 0) }
}

/// The lines on which something leads from a column to the next one.
fn crossing(strip: &Routed, cut: i32) -> Vec<i32> {
    let mut lines = BTreeSet::new();
    for pair in strip.wires.iter().flat_map(|wire| wire.windows(2)) {
        let (from, to) = (pair[0], pair[1]);
        if from.0.min(to.0) <= cut && from.0.max(to.0) > cut {
            lines.insert(from.1);
        }
    }
    lines.into_iter().collect()
}

/// The way from the end of a row, on a line of the strip, to the beginning of the next one: nested,
/// so that several never cross.
fn round(bands: &[Band], number: usize, line: i32) -> [Point; 4] {
    let (band, next) = (&bands[number], &bands[number + 1]);
    let count = super::int(band.leading.len());
    let place = super::int(band.leading.iter().take_while(|it| **it < line).count());
    let right = band.last + band.shift.0 + count - place;
    let below = band.bottom + band.shift.1 + count - place;
    let left = next.first + next.shift.0 - 1 - place;
    [(right, line + band.shift.1), (right, below), (left, below), (left, line + next.shift.1)]
}
