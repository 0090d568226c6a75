//! The nearest box in a direction.

use super::picture::Picture;

/// A direction to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Heading {
    Up,
    Down,
    Left,
    Right,
}

/// The box that lies nearest to another one in a direction, among those that have a rank; of those
/// equally near the one with the lowest.
pub(in crate::tui) fn nearest(
    picture: &Picture,
    from: usize,
    heading: Heading,
    rank: impl Fn(usize) -> Option<u8>,
) -> Option<usize> {
    let here = picture.boxes.get(from)?;
    let span = |start: i32, size: i32| (start, start + size - 1);
    let (across, down) = (span(here.x, here.width), span(here.y, here.height));
    let candidates = picture.boxes.iter().enumerate().filter(|(number, _)| *number != from);
    let scored = candidates.filter_map(|(number, plot)| {
        let (x, y) = (span(plot.x, plot.width), span(plot.y, plot.height));
        let (ahead, beside, unit) = match heading {
            Heading::Up => (down.0 - y.1, apart(across, x), 1),
            Heading::Down => (y.0 - down.1, apart(across, x), 1),
            Heading::Left => (across.0 - x.1, apart(down, y), 2),
            Heading::Right => (x.0 - across.1, apart(down, y), 2),
        };
        // A line is about as high as two columns are wide.
        let cost = if unit == 1 { ahead * 2 + beside * 2 } else { ahead + beside * 6 };
        let centre = match heading {
            Heading::Up | Heading::Down => ((x.0 + x.1) - (across.0 + across.1)).abs(),
            Heading::Left | Heading::Right => ((y.0 + y.1) - (down.0 + down.1)).abs(),
        };
        let rank = rank(number).filter(|_| ahead > 0)?;
        Some((cost, rank, centre, number))
    });
    scored.min().map(|(.., number)| number)
}

/// How far two spans are from each other; nothing where they overlap.
fn apart(one: (i32, i32), other: (i32, i32)) -> i32 {
    (other.0 - one.1).max(one.0 - other.1).max(0)
}
