//! Box-drawing characters by the lines that meet in a cell.

/// How strong a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::tui) enum Weight {
    #[default]
    None,
    Light,
    Heavy,
}

/// The lines that leave a cell: up, right, down, left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) struct Arms(pub(in crate::tui) [Weight; 4]);

/// All combinations of no, light and heavy lines up, right, down and left, in this order.
const LINES: &str = concat!(
    " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳",
    "╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈",
    "╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋",
);

pub(super) const UP: u8 = 1;
pub(super) const RIGHT: u8 = 2;
pub(super) const DOWN: u8 = 4;
pub(super) const LEFT: u8 = 8;

impl Arms {
    /// Lines of one weight in the directions of a mask.
    pub(in crate::tui) fn of(mask: u8, weight: Weight) -> Self {
        let arm = |bit| if mask & bit == 0 { Weight::None } else { weight };
        Self([arm(UP), arm(RIGHT), arm(DOWN), arm(LEFT)])
    }

    /// Both together: where they have a line in common, the stronger one.
    #[must_use]
    pub(in crate::tui) fn with(self, other: Self) -> Self {
        let mut both = self.0;
        for (arm, more) in both.iter_mut().zip(other.0) {
            *arm = more.max(*arm);
        }
        Self(both)
    }
}

/// The character of a cell.
pub(in crate::tui) fn line(arms: Arms) -> char {
    // Light corners are round, so that lines read as lines and boxes as boxes.
    let round = match arms.0.map(|weight| weight as u8) {
        [1, 1, 0, 0] => Some('╰'),
        [0, 1, 1, 0] => Some('╭'),
        [0, 0, 1, 1] => Some('╮'),
        [1, 0, 0, 1] => Some('╯'),
        // Half a line looks torn.
        [1, 0, 0, 0] | [0, 0, 1, 0] => Some('│'),
        [0, 1, 0, 0] | [0, 0, 0, 1] => Some('─'),
        [2, 0, 0, 0] | [0, 0, 2, 0] => Some('┃'),
        [0, 2, 0, 0] | [0, 0, 0, 2] => Some('━'),
        _ => None,
    };
    round.unwrap_or_else(|| frame(arms))
}

/// The character of a cell of a frame: corners are square.
pub(in crate::tui) fn frame(arms: Arms) -> char {
    let place = arms.0.iter().fold(0, |place, weight| place * 3 + usize::from(*weight as u8));
    LINES.chars().nth(place).unwrap_or(' ')
}

/// The head of an arrow that a line in the directions of a mask ends in: it points away from it.
pub(in crate::tui) fn arrow(mask: u8) -> char {
    match mask {
        DOWN => '▲',
        RIGHT => '◀',
        UP => '▼',
        _ => '▶',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_its_character() {
        let chars: Vec<char> = LINES.chars().collect();
        assert_eq!(chars.len(), 81);
        let distinct: std::collections::HashSet<_> = chars.iter().collect();
        assert_eq!(distinct.len(), 81);
        let light = |mask| Arms::of(mask, Weight::Light);
        let heavy = |mask| Arms::of(mask, Weight::Heavy);
        assert_eq!(frame(light(RIGHT | DOWN)), '┌');
        assert_eq!(line(light(RIGHT | DOWN)), '╭');
        assert_eq!(line(heavy(RIGHT | DOWN)), '┏');
        assert_eq!(line(light(LEFT | RIGHT | DOWN)), '┬');
        assert_eq!(line(light(LEFT | RIGHT).with(heavy(DOWN))), '┰');
        assert_eq!(line(light(UP | DOWN).with(heavy(RIGHT))), '┝');
        assert_eq!(line(heavy(15)), '╋');
        assert_eq!(line(light(15)), '┼');
    }
}
