//! The text of a JSON input: line numbers, cursor, the place of a mistake. Only what is in view is
//! gone through.

use ratatui::{
    layout::Rect,
    style::{Modifier, Style},
    widgets::Widget,
};

use super::{
    super::{
        app::{Hit, Target},
        dialog::JsonInput,
        text,
        theme::Role,
    },
    canvas::Canvas,
};

/// Draws a text that is edited.
pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, input: &JsonInput, focused: bool) {
    let border = if focused { Role::PaneBorderFocused } else { Role::PaneBorder };
    let area = if area.height >= 3 {
        let block = ratatui::widgets::Block::bordered().border_style(canvas.style(border));
        let inside = block.inner(area);
        block.render(area, canvas.buffer);
        inside
    } else {
        area
    };
    if area.is_empty() {
        return;
    }
    canvas.paint(area, canvas.style(Role::Input));
    let lines = input.area.lines();
    let cursor = input.area.cursor();
    let (row, column) = (cursor.0, cursor.1);
    let height = usize::from(area.height);
    let lowest = row.saturating_sub(height - 1);
    let first = input.scroll.clamp(lowest, row.max(lowest));
    canvas.hits.push(Hit { area, target: Target::Text { first } });

    let problem = input.value.as_ref().err();
    let digits = lines.len().to_string().len();
    let gutter = u16::try_from(digits + 2).unwrap_or(u16::MAX).min(area.width / 2);
    let room = area.width - gutter;
    let skipped = skipped(lines.get(row).map_or("", String::as_str), column, usize::from(room));
    let selection = input.area.selection_range();
    for (y, at) in (area.top()..area.bottom()).zip(first..lines.len()) {
        let wrong = problem.filter(|problem| problem.line == at + 1);
        let (mark, role) =
            if wrong.is_some() { ("✗", Role::InputError) } else { (" ", Role::TextDim) };
        let number = format!("{mark}{:>digits$} ", at + 1);
        canvas.text(area.x, y, gutter, &number, canvas.style(role));
        let line = Line {
            place: Rect { x: area.x + gutter, y, width: room, height: 1 },
            text: &lines[at],
            skipped,
        };
        line.draw(canvas);
        if let Some(((from_row, from), (to_row, to))) = selection
            && (from_row..=to_row).contains(&at)
        {
            let from = if at == from_row { from } else { 0 };
            let to = if at == to_row { to } else { usize::MAX };
            line.paint(canvas, from, to, canvas.style(Role::Selected));
        }
        if let Some(wrong) = wrong {
            let style = canvas.style(Role::InputError).add_modifier(Modifier::UNDERLINED);
            let last = lines[at].chars().count();
            let column = wrong.column.saturating_sub(1).min(last.saturating_sub(1));
            line.paint(canvas, column, column + 1, style);
        }
        if focused && at == row {
            line.paint(canvas, column, column + 1, canvas.style(Role::InputCursor));
        }
    }
}

/// How many cells are left out at the left, so that the cursor is in view.
fn skipped(line: &str, column: usize, room: usize) -> usize {
    let before: usize = line.chars().take(column).map(cells).sum();
    if before < room { 0 } else { before + 1 - room + room / 4 }
}

fn cells(c: char) -> usize {
    text::width(c.encode_utf8(&mut [0; 4]))
}

/// One line of the text. It was made harmless when it was taken in.
struct Line<'a> {
    place: Rect,
    text: &'a str,
    skipped: usize,
}

impl Line<'_> {
    fn draw(&self, canvas: &mut Canvas<'_>) {
        let mut left = self.skipped;
        let mut start = 0;
        for (at, c) in self.text.char_indices() {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(cells(c));
            start = at + c.len_utf8();
        }
        let rest = &self.text[start..];
        let width = usize::from(self.place.width);
        // No ellipsis: one types on there.
        let mut used = 0;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                used += cells(*c);
                used > width
            })
            .map_or(rest.len(), |(at, _)| at);
        let style = canvas.style(Role::Input);
        canvas.text(self.place.x, self.place.y, self.place.width, &rest[..end], style);
    }

    /// Gives some of its characters a style; where there is none any more, the cell after the last.
    fn paint(&self, canvas: &mut Canvas<'_>, from: usize, to: usize, style: Style) {
        let mut x: usize = self.text.chars().take(from).map(cells).sum();
        let wide: usize =
            self.text.chars().skip(from).take(to.saturating_sub(from)).map(cells).sum();
        let end = (x + wide.max(1)).saturating_sub(self.skipped);
        if end == 0 {
            return;
        }
        x = x.saturating_sub(self.skipped);
        let width = usize::from(self.place.width);
        let (x, end) = (x.min(width), end.min(width));
        let [x, wide] = [x, end - x].map(|cells| u16::try_from(cells).unwrap_or(0));
        canvas.paint(Rect { x: self.place.x + x, width: wide, ..self.place }, style);
    }
}
