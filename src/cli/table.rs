//! Tables for people: columns aligned by what they take on the screen.

use super::{
    output::Screen,
    text::{fit, sanitize, width},
};

/// Columns are not made narrower than this to fit the screen.
const NARROWEST: usize = 8;

/// Between two columns.
const GAP: &str = "  ";

/// What a cell says beside its text. Shown only where colours are; the text must say it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Needs a look.
    Notable,
    /// Went wrong.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Heading,
}

impl Tone {
    /// What switches it on in a terminal: only the 16 colours that follow the user's own choice.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Notable => Some("33"),
            Self::Bad => Some("31"),
            Self::Dim => Some("2"),
            Self::Heading => Some("1"),
        }
    }

    /// The text in this tone, if the screen shows colours.
    pub(super) fn paint(self, text: &str, screen: Screen) -> String {
        match self.code().filter(|_| screen.colours()) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone. The text may come from anywhere.
    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: sanitize(text.as_ref()).into_owned(), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    heading: &'static str,
    align: Align,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

impl Column {
    /// A column of text.
    pub const fn left(heading: &'static str) -> Self {
        Self { heading, align: Align::Left }
    }

    /// A column of numbers.
    pub const fn right(heading: &'static str) -> Self {
        Self { heading, align: Align::Right }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row: one cell a column (missing ones are empty, further ones are left out).
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = cells.into_iter().take(self.columns.len()).collect();
        row.resize(self.columns.len(), Cell::from(""));
        self.rows.push(row);
    }

    /// The table as lines.
    pub(super) fn render(&self, screen: Screen) -> String {
        let headings: Vec<Cell> =
            self.columns.iter().map(|c| Cell::toned(c.heading, Tone::Heading)).collect();
        let widths = self.widths(&headings, screen);
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            text.push_str(&self.line(row, &widths, screen));
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize], screen: Screen) -> String {
        let last = row.len().saturating_sub(1);
        let mut line = String::new();
        for (place, ((cell, column), wide)) in row.iter().zip(&self.columns).zip(widths).enumerate()
        {
            let text = fit(&cell.text, *wide);
            let space = " ".repeat(wide.saturating_sub(width(&text)));
            let painted = cell.tone.paint(&text, screen);
            match column.align {
                Align::Right => line.extend([&space, painted.as_str()]),
                Align::Left if place == last => line.push_str(&painted),
                Align::Left => line.extend([&painted, space.as_str()]),
            }
            if place != last {
                line.push_str(GAP);
            }
        }
        // Empty cells at the end leave nothing behind; a painted one ends with its own code.
        line.truncate(line.trim_end().len());
        line
    }

    /// How wide each column is: as wide as it needs, the widest ones narrower where the screen
    /// would not hold them.
    fn widths(&self, headings: &[Cell], screen: Screen) -> Vec<usize> {
        let mut widths = vec![0; self.columns.len()];
        for row in std::iter::once(headings).chain(self.rows.iter().map(Vec::as_slice)) {
            for (wide, cell) in widths.iter_mut().zip(row) {
                *wide = (*wide).max(width(&cell.text));
            }
        }
        let Some(room) = screen.width() else { return widths };
        let room = room.saturating_sub(GAP.len() * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table =
            Table::new([Column::left("RUN"), Column::right("AGE"), Column::left("NOTE")]);
        table.row(["日本".into(), "5s".into(), "x".into()]);
        table.row(["a".into(), "10m".into(), Cell::toned("a long\nnote", Tone::Bad)]);
        table.row(["b".into()]);
        table
    }

    #[test]
    fn columns_line_up_by_display_width() {
        let expected = "RUN   AGE  NOTE\n日本   5s  x\na     10m  a long\\nnote\nb\n";
        assert_eq!(sample().render(Screen::plain()), expected);
    }

    #[test]
    fn a_narrow_screen_cuts_the_widest_column() {
        let text = sample().render(Screen::plain().with_width(19));
        assert!(text.contains("a long\\…"), "{text}");
        assert!(text.lines().all(|line| width(line) <= 19), "{text}");
    }

    #[test]
    fn tones_show_only_where_there_are_colours() {
        assert!(!sample().render(Screen::plain()).contains('\u{1b}'));
        let painted = sample().render(Screen::plain().with_colours());
        assert!(painted.contains("\u{1b}[31ma long\\nnote\u{1b}[0m"), "{painted}");
    }
}
