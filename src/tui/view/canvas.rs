//! The one place where text is put into cells: all of it is made harmless and cut on the way.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, BorderType, Widget},
};

use super::super::{
    app::{Hit, Target},
    rows::ListId,
    text,
    theme::{Role, Theme},
};

/// A buffer to draw on, with the theme at hand.
pub(super) struct Canvas<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: &'a Theme,
    pub(super) hits: Vec<Hit>,
}

/// A piece of text in one style.
pub(super) type Piece<'a> = (std::borrow::Cow<'a, str>, Role);

/// Whether a pane has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    Here,
    Elsewhere,
}

impl Focus {
    pub(super) fn when(here: bool) -> Self {
        if here { Self::Here } else { Self::Elsewhere }
    }
}

impl Canvas<'_> {
    /// The style of a role.
    pub(super) fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes a text at a place, `width` cells at most. Returns how many it took.
    pub(super) fn text(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let width = width.min(area.right() - x);
        let fitted = text::fit(text, usize::from(width));
        let (end, _) = self.buffer.set_stringn(x, y, &fitted, usize::from(width), style);
        end - x
    }

    /// Puts a character of ours into a cell.
    pub(super) fn glyph(&mut self, x: u16, y: u16, glyph: char, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Writes pieces one after another on a line. Returns how many cells they took.
    pub(super) fn pieces(&mut self, area: Rect, pieces: &[Piece<'_>]) -> u16 {
        let mut x = area.x;
        if area.height == 0 {
            return 0;
        }
        for (text, role) in pieces {
            let left = area.right().saturating_sub(x);
            x += self.text(x, area.y, left, text, self.style(*role));
        }
        x - area.x
    }

    /// Writes a text that ends at the right edge of an area's first line.
    pub(super) fn right(&mut self, area: Rect, text: &str, style: Style) {
        let wide = u16::try_from(text::width(text)).unwrap_or(u16::MAX).min(area.width);
        if area.height > 0 {
            self.text(area.right() - wide, area.y, wide, text, style);
        }
    }

    /// Writes lines into an area, from the line `first` on.
    pub(super) fn lines(&mut self, area: Rect, lines: &[Piece<'_>], first: usize) {
        for (row, (text, role)) in (area.top()..area.bottom()).zip(lines.iter().skip(first)) {
            self.text(area.x, row, area.width, text, self.style(*role));
        }
    }

    /// Gives all of an area a style.
    pub(super) fn paint(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Shows a line as the selected one: in one colour, since those of its cells were chosen for
    /// another background, and with a marker for those who see no colours.
    pub(super) fn select(&mut self, line: Rect) {
        let style = self.style(Role::Selected);
        let plain = Style::new().fg(Color::Reset).bg(Color::Reset).remove_modifier(Modifier::DIM);
        self.paint(line, plain.patch(style));
        self.text(line.x, line.y, 1, "▶", style);
    }

    /// Empties an area.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for row in area.rows() {
            // A wide character that reaches into the area would cover its first cell.
            let left = row.x.checked_sub(1).and_then(|x| self.buffer.cell_mut((x, row.y)));
            if let Some(cell) = left.filter(|cell| text::width(cell.symbol()) > 1) {
                cell.set_symbol(" ");
            }
            for column in row.columns() {
                if let Some(cell) = self.buffer.cell_mut((column.x, column.y)) {
                    cell.reset();
                }
            }
        }
        self.paint(area, self.style(Role::Text));
    }

    /// Draws a pane's frame and gives back what is inside. The one with the focus has a heavier
    /// line, for those who see no colours. Without room for a frame there is none.
    pub(super) fn pane(&mut self, area: Rect, title: &[Piece<'_>], focus: Focus) -> Rect {
        let (border, heading, kind) = match focus {
            Focus::Here => (Role::PaneBorderFocused, Role::PaneTitleFocused, BorderType::Thick),
            Focus::Elsewhere => (Role::PaneBorder, Role::PaneTitle, BorderType::Plain),
        };
        self.frame(area, title, border, heading, kind)
    }

    /// Draws the frame of a dialog over what is there, and gives back what is inside.
    pub(super) fn dialog(&mut self, area: Rect, title: &str, border: Role) -> Rect {
        self.clear(area);
        let title = [(title.into(), Role::PaneTitle)];
        let inside = self.frame(area, &title, border, border, BorderType::Double);
        Rect {
            x: inside.x + u16::from(inside.width > 2),
            width: inside.width.saturating_sub(2),
            ..inside
        }
    }

    /// Draws a plain frame without a title, and gives back what is inside.
    pub(super) fn inset(&mut self, area: Rect) -> Rect {
        let block = Block::bordered().border_style(self.style(Role::PaneBorder));
        let inside = block.inner(area);
        block.render(area.intersection(self.buffer.area), self.buffer);
        inside
    }

    fn frame(
        &mut self,
        area: Rect,
        title: &[Piece<'_>],
        border: Role,
        heading: Role,
        kind: BorderType,
    ) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.height < 3 || area.width < 4 {
            return area;
        }
        let mut room = usize::from(area.width) - 4;
        let mut spans = Vec::new();
        for (at, (text, role)) in title.iter().enumerate() {
            let fitted = text::fit(text, room).into_owned();
            room = room.saturating_sub(text::width(&fitted));
            let style = self.style(if at == 0 { heading } else { *role });
            spans.push(Span::styled(fitted, style));
        }
        spans.insert(0, Span::raw(" "));
        spans.push(Span::raw(" "));
        let block = Block::bordered()
            .border_type(kind)
            .border_style(self.style(border))
            .title_top(Line::from(spans));
        let inside = block.inner(area);
        block.render(area, self.buffer);
        inside
    }

    /// Notes where a pane is, for the mouse.
    pub(super) fn hit_pane(&mut self, area: Rect, list: ListId) {
        self.hits.push(Hit { area, target: Target::Pane(list) });
    }

    /// Notes where rows of a list are, for the mouse and for scrolling.
    pub(super) fn hit_rows(&mut self, area: Rect, list: ListId, first: usize) {
        self.hits.push(Hit { area, target: Target::Rows { list, first } });
    }
}
