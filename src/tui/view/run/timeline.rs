//! The run's timeline: a row for each node, a bar for each time that it ran.

use ratatui::layout::Rect;

use super::{
    super::{
        super::{
            actions::Action,
            app::{App, Hit, Target},
            rows::ListId,
            text,
            theme::Role,
            timeline::{BarKind, Scale},
        },
        canvas::{Canvas, Piece},
        words,
    },
    took,
};
use crate::{
    engine::Timestamp,
    monitor::{NodeRow, RunDetail},
};

/// The marker of the selection, that of the critical path, a symbol, and spaces around it.
const LEAD: u16 = 4;

/// The widest name.
const NAME: u16 = 26;

/// How long a node took.
const TOOK: u16 = 7;

/// Where everything is.
struct Layout {
    name: Rect,
    bars: Rect,
    took: Rect,
    rows: u16,
}

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, detail: &RunDetail) {
    let now = app.now();
    let timeline = &app.timeline;
    let order = timeline.order();
    let widest = u16::try_from(timeline.widest()).unwrap_or(NAME);
    let layout = layout(area, widest + 4);
    let scale = timeline.scale(layout.bars.width, now);
    let mut rows = Rect { height: layout.rows, ..area };
    if layout.rows < area.height {
        draw_axis(canvas, Rect { height: 1, ..layout.bars }, &scale, detail, now);
        rows.y += 1;
    }
    if rows.height + 1 < area.height {
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        draw_totals(app, canvas, line, now);
    }
    let selected = app.selected_place(ListId::Nodes);
    let first = timeline.first(selected, usize::from(rows.height));
    canvas.hits.push(Hit { area: rows, target: Target::Timeline { first } });
    for (y, place) in (rows.top()..rows.bottom()).zip(order.iter().skip(first)) {
        let Some(node) = detail.nodes.get(*place) else { continue };
        draw_row(app, canvas, &layout, y, *place, node, &scale);
        if selected == Some(*place) {
            let line = Rect { x: area.x, y, width: layout.bars.x - area.x, height: 1 };
            if app.focus == ListId::Nodes {
                canvas.select(line);
            } else {
                canvas.text(line.x, y, 1, "▷", canvas.style(Role::SelectedFaint));
            }
        }
    }
    let mut words: Vec<String> = Vec::new();
    if timeline.is_zoomed() {
        words.push(format!("part of the time ({}: all)", app.keymap.key(Action::ZoomFit)));
    }
    if order.len() > usize::from(rows.height) {
        words.push(format!("{}/{}", timeline.place(selected) + 1, order.len()));
    }
    if !words.is_empty() && area.width >= 30 {
        let edge = Rect { y: area.bottom(), height: 1, ..area };
        canvas.right(edge, &format!(" {} ", words.join(" · ")), canvas.style(Role::TextDim));
    }
}

fn layout(area: Rect, widest: u16) -> Layout {
    let took = if area.width >= 40 { TOOK } else { 0 };
    let name = widest.min(NAME).min(area.width / 3);
    let lead = LEAD.min(area.width);
    let before = (lead + name + 1).min(area.width);
    let bars = area.width.saturating_sub(before + took);
    let head = u16::from(area.height >= 4);
    let totals = u16::from(area.height >= 7);
    Layout {
        name: Rect { x: area.x + lead, width: name, ..area },
        bars: Rect { x: area.x + before, width: bars, ..area },
        took: Rect { x: area.x + before + bars, width: took, ..area },
        rows: area.height - head - totals,
    }
}

fn draw_axis(
    canvas: &mut Canvas<'_>,
    line: Rect,
    scale: &Scale,
    detail: &RunDetail,
    now: Timestamp,
) {
    let width = line.width;
    let column = u16::try_from(scale.column(now)).ok().filter(|column| *column < width);
    // The word for the present stands beside its mark, on the side on which there is room.
    let present = column.filter(|_| detail.finished_at.is_none()).map(|column| {
        if column + 4 <= width || column < 3 { (column, "▼now") } else { (column - 3, "now▼") }
    });
    for (column, name) in scale.ticks() {
        let wide = u16::try_from(text::width(&name)).unwrap_or(u16::MAX).saturating_add(1);
        // A tick without room for its name is none.
        let meets = present.is_some_and(|(at, _)| column < at + 5 && at < column + wide + 1);
        if column + wide <= width && !meets {
            let style = canvas.style(Role::TimelineAxis);
            canvas.text(line.x + column, line.y, wide, &format!("╵{name}"), style);
        }
    }
    if let Some((at, words)) = present {
        let style = canvas.style(Role::TimelineNow);
        canvas.text(line.x + at, line.y, width - at, words, style);
    }
}

fn draw_row(
    app: &App,
    canvas: &mut Canvas<'_>,
    layout: &Layout,
    y: u16,
    place: usize,
    node: &NodeRow,
    scale: &Scale,
) {
    let now = app.now();
    let (symbol, _, role) = words::node(node.state);
    let bars = app.timeline.bars(place);
    if app.timeline.is_critical(place) {
        let x = layout.name.x.saturating_sub(LEAD - 1);
        canvas.text(x, y, 1, "┃", canvas.style(Role::TimelineCritical));
    }
    canvas.text(layout.name.x - 2.min(layout.name.x), y, 1, symbol, canvas.style(role));
    let mut badges = String::new();
    for badge in words::badges(node).iter().filter(|badge| !badge.is_empty()) {
        badges.extend([" ", badge]);
    }
    let room = usize::from(layout.name.width).saturating_sub(text::width(&badges));
    let name = format!("{}{badges}", text::fit_middle(&node.id, room));
    let style = if bars.is_empty() { Role::TextDim } else { Role::Text };
    canvas.text(layout.name.x, y, layout.name.width, &name, canvas.style(style));
    draw_bars(app, canvas, Rect { y, height: 1, ..layout.bars }, place, scale);
    let mut took = took(node, now);
    if took.is_empty()
        && let Some(bar) = bars.last().filter(|bar| bar.to.is_none())
    {
        took = text::whole_age(now.since(bar.from));
    }
    canvas.right(Rect { y, height: 1, ..layout.took }, &took, canvas.style(Role::TextDim));
}

fn draw_bars(app: &App, canvas: &mut Canvas<'_>, line: Rect, place: usize, scale: &Scale) {
    let now = app.now();
    let ended = app.detail_of(app.shown()).is_some_and(|detail| detail.finished_at.is_some());
    if !ended
        && let Ok(column) = u16::try_from(scale.column(now))
        && column < line.width
    {
        canvas.glyph(line.x + column, line.y, '┊', canvas.style(Role::TimelineNow));
    }
    let mut bars = app.timeline.bars(place).to_vec();
    bars.sort_by_key(|bar| bar.kind);
    for bar in bars {
        let Some((first, last)) = scale.span(bar.from, bar.end(now)) else { continue };
        let (glyph, role) = match bar.kind {
            BarKind::Queued => ('░', Role::TextDim),
            BarKind::Awaited => ('┄', Role::RunAwaiting),
            BarKind::Done => ('█', Role::RunCompleted),
            BarKind::Running => ('▓', Role::RunRunning),
            BarKind::Failed => ('▒', Role::RunFailed),
        };
        let style = canvas.style(role);
        for column in first..=last {
            canvas.glyph(line.x + column, line.y, glyph, style);
        }
        // How it ended, or that it goes on.
        let end = match (bar.kind, bar.to) {
            (BarKind::Failed, _) => Some('✗'),
            (BarKind::Running, None) => Some('▶'),
            _ => None,
        };
        if let Some(end) = end {
            canvas.glyph(line.x + last, line.y, end, style);
        }
    }
}

fn draw_totals(app: &App, canvas: &mut Canvas<'_>, line: Rect, now: Timestamp) {
    let totals = app.timeline.totals(now);
    let dim = Role::TextDim;
    let mut pieces: Vec<Piece<'_>> = vec![
        (format!(" {} in all", text::age(totals.took)).into(), Role::TextStrong),
        (format!(" · work {}", text::age(totals.work)).into(), dim),
    ];
    if !totals.queued.is_zero() {
        pieces.push((format!(" · queued {}", text::age(totals.queued)).into(), dim));
    }
    if totals.path > 0 {
        pieces.push((" · ".into(), dim));
        pieces.push(("┃".into(), Role::TimelineCritical));
        let words = format!(
            "critical path {} in {}",
            text::age(totals.critical),
            text::count(totals.path, "node")
        );
        pieces.push((words.into(), dim));
    }
    canvas.pieces(line, &pieces);
}
