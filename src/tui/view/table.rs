//! Tables: columns that give way, and only the rows that are in view.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{
        app::{Hit, Target},
        list::ListState,
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus},
};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// The cells it needs.
    pub(super) least: u16,
    /// Its share of what is left over.
    pub(super) share: u16,
    /// The lower, the later it gives way; 0 never does.
    pub(super) rank: u8,
    pub(super) align: Align,
    pub(super) cut: Cut,
}

/// Where a text is cut that is too long for its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    End,
    Middle,
}

/// At which edge of its column a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A column as wide as `width` cells.
pub(super) const fn fixed(title: &'static str, width: u16, rank: u8) -> Column {
    Column { title, least: width, share: 0, rank, align: Align::Left, cut: Cut::End }
}

/// A column of numbers.
pub(super) const fn number(title: &'static str, width: u16, rank: u8) -> Column {
    Column { title, least: width, share: 0, rank, align: Align::Right, cut: Cut::End }
}

/// A column that takes a share of what is left over.
pub(super) const fn flexible(title: &'static str, least: u16, share: u16, rank: u8) -> Column {
    Column { title, least, share, rank, align: Align::Left, cut: Cut::End }
}

/// Such a column for ids, which often differ in their last letters only.
pub(super) const fn ids(title: &'static str, least: u16, share: u16, rank: u8) -> Column {
    Column { title, least, share, rank, align: Align::Left, cut: Cut::Middle }
}

/// One cell of a row.
pub(super) type Cell<'a> = (Cow<'a, str>, Role);

/// By which column a table is ordered, and which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordered {
    pub(super) title: &'static str,
    pub(super) arrow: &'static str,
}

/// A table.
pub(super) struct Table<'a> {
    pub(super) list: ListId,
    pub(super) columns: &'a [Column],
    pub(super) state: &'a ListState,
    pub(super) count: usize,
    pub(super) focus: Focus,
    /// Whether the data is old, and drawn faint.
    pub(super) stale: bool,
}

/// The cells in front of each row: the marker of the selection, and that of a marked row.
const MARKERS: u16 = 2;

/// What stands in front of a marked row.
pub(super) const MARK: &str = "◆";

/// The cells that stay free at the right edge.
const MARGIN: u16 = 1;

impl Table<'_> {
    /// Draws it. `row` gives the key and the cells of a row.
    pub(super) fn draw<'r>(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        row: impl Fn(usize) -> Option<(Cow<'r, str>, Vec<Cell<'r>>)>,
    ) {
        self.draw_ordered(canvas, area, None, row);
    }

    /// Draws it with an arrow in the heading of the column that it is ordered by.
    pub(super) fn draw_ordered<'r>(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        ordered: Option<Ordered>,
        row: impl Fn(usize) -> Option<(Cow<'r, str>, Vec<Cell<'r>>)>,
    ) {
        let places = layout(self.columns, area.width.saturating_sub(MARKERS + MARGIN));
        // The head gives way where there is room for hardly any row.
        let head = u16::from(area.height > 3);
        let dim = canvas.style(Role::TextDim);
        if head == 1 {
            let style = canvas.style(Role::TableHead);
            for (column, place) in self.columns.iter().zip(&places) {
                if let Some((x, width)) = place {
                    let place = (area.x + MARKERS + x, *width);
                    let title = heading(column.title, *width, ordered);
                    let at = aligned(*column, &title, place.0, place.1);
                    canvas.text(at.0, area.y, at.1, &title, style);
                    if ordered.is_some() {
                        let area = Rect { x: place.0, y: area.y, width: place.1, height: 1 };
                        let target = Target::Heading { list: self.list, title: column.title };
                        canvas.hits.push(Hit { area, target });
                    }
                }
            }
        }
        let body = Rect { y: area.y + head, height: area.height.saturating_sub(head), ..area };
        let first = self.state.view(self.count, usize::from(body.height));
        canvas.hit_rows(body, self.list, first);
        for (y, at) in (body.top()..body.bottom()).zip(first..self.count) {
            let Some((key, cells)) = row(at) else { continue };
            let selected = at == self.state.index;
            let marked = self.state.marked.contains(&key);
            for ((column, place), (text, role)) in self.columns.iter().zip(&places).zip(&cells) {
                let Some((x, width)) = place else { continue };
                let style = if self.stale { dim } else { canvas.style(*role) };
                let (x, width) = aligned(*column, text, area.x + MARKERS + x, *width);
                match column.cut {
                    Cut::End => canvas.text(x, y, width, text, style),
                    Cut::Middle => {
                        canvas.text(x, y, width, &text::fit_middle(text, width.into()), style)
                    }
                };
            }
            if marked {
                canvas.text(area.x + 1, y, 1, MARK, canvas.style(Role::Marked));
            }
            if selected {
                self.draw_selection(canvas, Rect { y, height: 1, ..area });
            }
        }
        self.draw_position(canvas, area, body.height);
    }

    fn draw_selection(&self, canvas: &mut Canvas<'_>, line: Rect) {
        if self.focus == Focus::Elsewhere {
            canvas.text(line.x, line.y, 1, "▷", canvas.style(Role::SelectedFaint));
            return;
        }
        canvas.select(line);
    }

    /// Says how far down one is, in the frame's lower edge, when not everything is in view.
    fn draw_position(&self, canvas: &mut Canvas<'_>, area: Rect, height: u16) {
        if self.count <= usize::from(height) || area.width < 20 || area.height < 2 {
            return;
        }
        let text = format!(" {}/{} ", self.state.index + 1, self.count);
        let edge = Rect { y: area.bottom(), height: 1, ..area };
        canvas.right(edge, &text, canvas.style(Role::TextDim));
    }
}

/// A column's title, with the arrow if the table is ordered by it: room for that is made.
fn heading(title: &'static str, width: u16, ordered: Option<Ordered>) -> Cow<'static, str> {
    let Some(Ordered { arrow, .. }) = ordered.filter(|by| by.title == title) else {
        return title.into();
    };
    let room = usize::from(width);
    if text::width(title) + 2 <= room {
        return format!("{title} {arrow}").into();
    }
    let kept: String = title.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}{arrow}").into()
}

fn aligned(column: Column, text: &str, x: u16, width: u16) -> (u16, u16) {
    if column.align == Align::Left {
        return (x, width);
    }
    let wide = u16::try_from(text::width(text)).unwrap_or(u16::MAX).min(width);
    (x + width - wide, wide)
}

/// Where each column goes: its place and width, or nothing where it gave way.
fn layout(columns: &[Column], width: u16) -> Vec<Option<(u16, u16)>> {
    let mut kept: Vec<bool> = vec![true; columns.len()];
    let needed = |kept: &[bool]| -> u32 {
        let kept = columns.iter().zip(kept).filter(|(_, kept)| **kept);
        kept.map(|(column, _)| u32::from(column.least) + 1).sum::<u32>().saturating_sub(1)
    };
    while needed(&kept) > u32::from(width) {
        let next = (0..columns.len())
            .filter(|at| kept[*at] && columns[*at].rank > 0)
            .max_by_key(|at| columns[*at].rank);
        match next {
            Some(at) => kept[at] = false,
            None => break,
        }
    }
    let mut left = u32::from(width).saturating_sub(needed(&kept));
    let mut shares: u32 =
        columns.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(c, _)| u32::from(c.share)).sum();
    let mut x = 0;
    columns
        .iter()
        .zip(&kept)
        .map(|(column, kept)| {
            if !kept || x >= width {
                return None;
            }
            // Of what is left by now, so that the last one gets what rounding left over.
            let extra = (left * u32::from(column.share)).checked_div(shares).unwrap_or(0);
            left -= extra;
            shares -= u32::from(column.share);
            let extra = u16::try_from(extra).unwrap_or(u16::MAX);
            let wide = column.least.saturating_add(extra).min(width - x);
            let place = (x, wide);
            x = x.saturating_add(wide).saturating_add(1);
            Some(place)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        flexible("run", 8, 3, 0),
        fixed("status", 9, 0),
        number("age", 5, 1),
        fixed("worker", 10, 2),
    ];

    fn widths(width: u16) -> Vec<Option<u16>> {
        layout(&COLUMNS, width).into_iter().map(|place| place.map(|(_, width)| width)).collect()
    }

    #[test]
    fn a_heading_makes_room_for_its_arrow() {
        let ordered = Some(Ordered { title: "touched", arrow: "↑" });
        let of = |width| heading("touched", width, ordered);
        assert_eq!([of(9), of(8), of(7)], ["touched ↑", "touched↑", "touche↑"]);
        assert_eq!(heading("age", 5, ordered), "age");
    }

    #[test]
    fn columns_give_way_by_rank_and_share_what_is_left() {
        assert_eq!(widths(35), [Some(8), Some(9), Some(5), Some(10)]);
        assert_eq!(widths(45), [Some(18), Some(9), Some(5), Some(10)]);
        assert_eq!(widths(34), [Some(18), Some(9), Some(5), None]);
        assert_eq!(widths(20), [Some(10), Some(9), None, None]);
        assert_eq!(widths(5), [Some(5), None, None, None]);
        assert_eq!(widths(0), [None; 4]);
    }
}
