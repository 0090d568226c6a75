//! All of a graph at a glance, in a corner, with the part of it that is in view.

use ratatui::layout::Rect;

use super::{
    super::{
        chart::{Chart, Live},
        theme::Role,
    },
    canvas::Canvas,
    words,
};

/// The largest it gets, without its frame.
const WIDTH: i32 = 24;
const HEIGHT: i32 = 6;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    chart: &Chart,
    live: &Live,
    offset: (i32, i32),
    selected: Option<usize>,
) {
    let (across, down) = (i32::from(area.width), i32::from(area.height));
    if across < 50 || down < 14 {
        return;
    }
    let (whole_wide, whole_high) = (chart.picture.width.max(1), chart.picture.height.max(1));
    // Cells are twice as high as they are wide, here as there.
    let width = WIDTH.min(across / 4).min(whole_wide);
    let height = (whole_high * width / whole_wide).clamp(2, HEIGHT.min(down / 4));
    let place = place(area, (width + 2, height + 2), chart, offset, selected);
    canvas.clear(place);
    let inside = canvas.inset(place);
    let scaled =
        |at: i32, size: i32, whole: i32| (at.clamp(0, whole - 1) * size / whole).min(size - 1);
    let columns =
        scaled(offset.0, width, whole_wide)..=scaled(offset.0 + across - 1, width, whole_wide);
    let lines =
        scaled(offset.1, height, whole_high)..=scaled(offset.1 + down - 1, height, whole_high);
    let cell = |x: i32, y: i32| {
        let column = u16::try_from(x).unwrap_or_default();
        let row = u16::try_from(y).unwrap_or_default();
        (inside.x + column, inside.y + row)
    };
    for y in lines {
        for x in columns.clone() {
            let (column, row) = cell(x, y);
            canvas.glyph(column, row, '░', canvas.style(Role::TextDim));
        }
    }
    // What needs attention lies on top.
    let mut marks: Vec<(usize, usize)> = chart
        .picture
        .boxes
        .iter()
        .enumerate()
        .map(|(number, _)| {
            let worst = live.tallies.get(number).and_then(super::super::chart::Tally::worst);
            (worst.map_or(usize::MAX, super::super::chart::urgency), number)
        })
        .collect();
    marks.sort_unstable_by(|one, other| other.cmp(one));
    for (_, number) in marks {
        let plot = &chart.picture.boxes[number];
        let x = scaled(plot.x + plot.width / 2, width, whole_wide);
        let y = scaled(plot.y + plot.height / 2, height, whole_high);
        let worst = live.tallies.get(number).and_then(super::super::chart::Tally::worst);
        let role = worst.map_or(Role::TextDim, |state| words::node(state).2);
        let (column, row) = cell(x, y);
        canvas.glyph(column, row, '▪', canvas.style(role));
    }
    if let Some(plot) = selected.and_then(|number| chart.picture.boxes.get(number)) {
        let x = scaled(plot.x + plot.width / 2, width, whole_wide);
        let y = scaled(plot.y + plot.height / 2, height, whole_high);
        let (column, row) = cell(x, y);
        canvas.glyph(column, row, '▣', canvas.style(Role::TextStrong));
    }
}

/// The lower right corner, or the left one if the selected box is there.
fn place(
    area: Rect,
    (width, height): (i32, i32),
    chart: &Chart,
    offset: (i32, i32),
    selected: Option<usize>,
) -> Rect {
    let (wide, high) =
        (u16::try_from(width).unwrap_or_default(), u16::try_from(height).unwrap_or_default());
    let right = Rect {
        x: area.right().saturating_sub(wide),
        y: area.bottom().saturating_sub(high),
        width: wide,
        height: high,
    };
    let hides = selected.and_then(|number| chart.picture.boxes.get(number)).is_some_and(|plot| {
        let end = (plot.x + plot.width - offset.0, plot.y + plot.height - offset.1);
        end.0 > i32::from(area.width) - width && end.1 > i32::from(area.height) - height
    });
    if hides { Rect { x: area.x, ..right } } else { right }
}
