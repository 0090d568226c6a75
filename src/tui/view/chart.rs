//! A graph, as much of it as is in view: boxes, edges, labels.

use ratatui::{
    layout::Rect,
    style::{Modifier, Style},
};

use super::{
    super::{
        app::{App, Hit, Target},
        chart::{Caption, Chart, ChartPane, Charted, Lines, Live, Tally, Zoom},
        graph::{Arms, Direction, Frames, Pass, Plot, Weight, arrow, frame, line, strongest},
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus},
    minimap, words,
};
use crate::{
    blueprint::JoinStrategy,
    engine::Timestamp,
    monitor::{EdgeKind, EdgeShown, NodeRow, NodeShown, RunDetail},
};

/// What a graph is drawn of.
pub(super) struct Scene<'a> {
    pub(super) pane: &'a ChartPane,
    pub(super) charted: Charted,
    /// The run, if it is one's.
    pub(super) detail: Option<&'a RunDetail>,
    /// The box of the selected node.
    pub(super) selected: Option<usize>,
    pub(super) focus: Focus,
    pub(super) now: Timestamp,
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    canvas.hits.push(Hit { area, target: Target::Graph(scene.charted) });
    let Some(chart) = scene.pane.chart() else {
        let dim = canvas.style(Role::TextDim);
        canvas.text(area.x, area.y, area.width, "Laying out the graph …", dim);
        return;
    };
    if chart.captions.is_empty() {
        let dim = canvas.style(Role::TextDim);
        canvas.text(area.x, area.y, area.width, "There are no nodes.", dim);
        return;
    }
    let pen = Pen { chart, scene, area, live: scene.pane.live(), offset: scene.pane.offset };
    pen.wires(canvas);
    let lines = pen.offset.1..pen.offset.1 + i32::from(area.height);
    for number in chart.picture.boxes_in(lines) {
        pen.draw_box(canvas, number);
    }
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    if chart.picture.width > width || chart.picture.height > height {
        minimap::draw(canvas, area, chart, pen.live, pen.offset, scene.selected);
    }
}

/// What is drawn with.
struct Pen<'a> {
    chart: &'a Chart,
    scene: &'a Scene<'a>,
    area: Rect,
    live: &'a Live,
    offset: (i32, i32),
}

impl Pen<'_> {
    /// The cell of a point, if it is in view.
    fn cell(&self, x: i32, y: i32) -> Option<(u16, u16)> {
        let column = u16::try_from(x - self.offset.0).ok().filter(|it| *it < self.area.width)?;
        let row = u16::try_from(y - self.offset.1).ok().filter(|it| *it < self.area.height)?;
        Some((self.area.x + column, self.area.y + row))
    }

    fn glyph(&self, canvas: &mut Canvas<'_>, x: i32, y: i32, glyph: char, style: Style) {
        if let Some((column, row)) = self.cell(x, y) {
            canvas.glyph(column, row, glyph, style);
        }
    }

    /// Writes a text that may begin out of view. Returns how many cells it takes.
    fn text(
        &self,
        canvas: &mut Canvas<'_>,
        at: (i32, i32),
        width: i32,
        text: &str,
        style: Style,
    ) -> i32 {
        let width = usize::try_from(width).unwrap_or_default();
        let fitted = text::fit(text, width);
        let taken = i32::try_from(text::width(&fitted)).unwrap_or(i32::MAX);
        let Some(row) =
            u16::try_from(at.1 - self.offset.1).ok().filter(|it| *it < self.area.height)
        else {
            return taken;
        };
        let column = at.0 - self.offset.0;
        let hidden = usize::try_from(-column).unwrap_or_default();
        let column = u16::try_from(column.max(0)).unwrap_or(u16::MAX);
        if column < self.area.width {
            let rest = text::without_first(&fitted, hidden);
            let room = self.area.width - column;
            canvas.text(self.area.x + column, self.area.y + row, room, &rest, style);
        }
        taken
    }

    fn wires(&self, canvas: &mut Canvas<'_>) {
        let columns = self.offset.0..self.offset.0 + i32::from(self.area.width);
        for y in self.offset.1..self.offset.1 + i32::from(self.area.height) {
            for cell in self.chart.picture.cells(y, columns.clone()) {
                let passes = self.chart.picture.passes(cell);
                let style = canvas.style(self.role(passes));
                let mine = passes.iter().any(|pass| self.touches_selection(pass.edge));
                let style = if mine { style.add_modifier(Modifier::BOLD) } else { style };
                self.glyph(canvas, cell.x, y, self.line(passes), style);
            }
            for label in self.chart.picture.labels(y) {
                let style = canvas.style(self.role_of(label.edge));
                let at = (label.x, label.y);
                self.text(canvas, at, label.width, &self.chart.labels[label.edge], style);
            }
        }
    }

    /// The line or the arrow in a cell.
    fn line(&self, passes: &[Pass]) -> char {
        if let Some(head) = passes.iter().find(|pass| pass.head) {
            return arrow(head.arms);
        }
        let Some(arms) = strongest(passes, |edge| self.live.weight(edge)) else { return ' ' };
        let drawn = line(arms);
        // What won't be taken any more is dotted, what only a failure takes is dashed.
        let faint =
            passes.iter().all(|pass| self.live.edges.get(pass.edge) == Some(&EdgeShown::Untaken));
        let fallback = passes.iter().all(|pass| self.is_fallback(pass.edge));
        match (drawn, faint, fallback) {
            ('─', true, _) => '┄',
            ('│', true, _) => '┆',
            ('─', false, true) => '╌',
            ('│', false, true) => '╎',
            _ => drawn,
        }
    }

    fn is_fallback(&self, edge: usize) -> bool {
        let edges = &self.chart.folded.edges[edge].edges;
        edges.iter().all(|edge| self.chart.shape.edges[*edge].kind == EdgeKind::Fallback)
    }

    fn touches_selection(&self, edge: usize) -> bool {
        let edge = &self.chart.folded.edges[edge];
        self.scene.selected.is_some_and(|box_| edge.source == box_ || edge.target == box_)
    }

    fn role_of(&self, edge: usize) -> Role {
        match self.live.edges.get(edge) {
            Some(EdgeShown::Taken) => Role::EdgeTaken,
            Some(EdgeShown::Untaken) => Role::EdgeUntaken,
            Some(EdgeShown::Open) | None => Role::EdgeOpen,
        }
    }

    /// The role of a cell: that of the strongest of its edges.
    fn role(&self, passes: &[Pass]) -> Role {
        let rank = |role: &Role| match role {
            Role::EdgeTaken => 2,
            Role::EdgeOpen => 1,
            _ => 0,
        };
        passes.iter().map(|pass| self.role_of(pass.edge)).max_by_key(rank).unwrap_or(Role::EdgeOpen)
    }

    fn draw_box(&self, canvas: &mut Canvas<'_>, number: usize) {
        let Some(plot) = self.chart.picture.boxes.get(number) else { return };
        let right = self.offset.0 + i32::from(self.area.width);
        if plot.x >= right || plot.x + plot.width <= self.offset.0 {
            return;
        }
        let face = self.face(canvas, number);
        if self.chart.zoom.frames() == Frames::Drawn {
            self.draw_frame(canvas, plot, &face);
        } else {
            for y in plot.y..plot.y + plot.height {
                for x in plot.x..plot.x + plot.width {
                    self.glyph(canvas, x, y, ' ', face.text);
                }
            }
        }
        self.draw_inside(canvas, plot, &face);
    }

    /// How a box looks.
    fn face(&self, canvas: &Canvas<'_>, number: usize) -> Face<'_> {
        let caption = &self.chart.captions[number];
        let tally = self.live.tallies.get(number).copied().unwrap_or_default();
        let group = &self.chart.folded.groups[number];
        let node = match (self.scene.detail, group.members.as_slice()) {
            (Some(detail), [node]) => detail.nodes.get(*node),
            _ => None,
        };
        // A picture of the graph as it was before may have its nodes in other places.
        let node = node.filter(|node| node.id == self.chart.shape.nodes[group.members[0]].id);
        let state = node.map(|node| node.state).or_else(|| tally.worst());
        let selected = self.scene.selected == Some(number);
        let listed = self.live.is_listed(number);
        let (symbol, role) = match state {
            Some(state) => {
                let (symbol, _, role) = words::node(state);
                (symbol, role)
            }
            None if !caption.exists => ("?", Role::TextError),
            None if caption.count > 1 => ("≡", Role::TextDim),
            None => ("·", Role::TextDim),
        };
        let quiet = matches!(state, Some(NodeShown::Pending | NodeShown::Skipped)) || !listed;
        let text = match state {
            Some(NodeShown::Running) => canvas.style(role).add_modifier(Modifier::BOLD),
            Some(NodeShown::Failed) => canvas.style(role),
            _ if quiet => canvas.style(Role::TextDim),
            _ => canvas.style(Role::Text),
        };
        let border = match state {
            _ if !listed => canvas.style(Role::NodeSkipped),
            Some(NodeShown::Running) => canvas.style(role).add_modifier(Modifier::BOLD),
            Some(_) => canvas.style(role),
            None => canvas.style(Role::PaneBorder),
        };
        let symbol_style = if listed { canvas.style(role) } else { canvas.style(Role::TextDim) };
        Face { caption, tally, node, state, selected, symbol, symbol_style, text, border }
    }

    fn draw_frame(&self, canvas: &mut Canvas<'_>, plot: &Plot, face: &Face<'_>) {
        let weight = if face.selected { Weight::Heavy } else { Weight::Light };
        let (left, top) = (plot.x, plot.y);
        let (right, bottom) = (plot.x + plot.width - 1, plot.y + plot.height - 1);
        let mut put = |x: i32, y: i32, glyph: char| self.glyph(canvas, x, y, glyph, face.border);
        let corner = |mask| frame(Arms::of(mask, weight));
        let dotted = face.state == Some(NodeShown::Skipped) && !face.selected;
        let flat = if dotted { '┄' } else { corner(0b1010) };
        let upright = if dotted { '┆' } else { corner(0b0101) };
        for x in left + 1..right {
            put(x, top, flat);
            put(x, bottom, flat);
        }
        for y in top + 1..bottom {
            put(left, y, upright);
            put(right, y, upright);
            for x in left + 1..right {
                put(x, y, ' ');
            }
        }
        put(left, top, corner(0b0110));
        put(right, top, corner(0b1100));
        put(left, bottom, corner(0b0011));
        put(right, bottom, corner(0b1001));
        for port in &plot.ports {
            let beside = match self.chart.direction {
                Direction::Right => (port.x + 1, port.y),
                Direction::Down => (port.x, port.y + 1),
            };
            let cells = self.chart.picture.cells(beside.1, beside.0..beside.0 + 1);
            let leaving = cells.iter().flat_map(|cell| self.chart.picture.passes(cell));
            let leaving = leaving.map(|pass| self.live.weight(pass.edge)).max();
            let side = if self.chart.direction == Direction::Right { 0b0101 } else { 0b1010 };
            let arms =
                Arms::of(side, weight).with(Arms::of(port.arms, leaving.unwrap_or(Weight::Light)));
            put(port.x, port.y, frame(arms));
        }
        self.draw_badges(canvas, plot, face);
    }

    /// What stands in the frame: how a node joins its edges, how often it was tried and gone round.
    fn draw_badges(&self, canvas: &mut Canvas<'_>, plot: &Plot, face: &Face<'_>) {
        let right = plot.x + plot.width - 1;
        let badge = match face.caption.join {
            Some(JoinStrategy::Any) => "any",
            Some(JoinStrategy::All) => "all",
            None if face.caption.count > 1 => "▸",
            None => "",
        };
        if plot.width >= 8 {
            self.text(canvas, (plot.x + 1, plot.y), 3, badge, face.border);
        }
        let Some(node) = face.node else { return };
        let badges = words::badges(node).concat();
        let wide = i32::try_from(text::width(&badges)).unwrap_or(i32::MAX);
        let first = right - wide;
        let bottom = plot.y + plot.height - 1;
        let free = plot.ports.iter().all(|port| port.y != bottom || port.x < first);
        if wide > 0 && wide + 3 <= plot.width && free {
            self.text(canvas, (first, bottom), wide, &badges, face.border);
        }
    }

    fn draw_inside(&self, canvas: &mut Canvas<'_>, plot: &Plot, face: &Face<'_>) {
        let lines = face.caption.lines(self.chart.zoom);
        let framed = self.chart.zoom.frames() == Frames::Drawn;
        let inner = match lines {
            Lines::Symbol => return self.draw_symbol(canvas, plot, face),
            Lines::Name => 1,
            Lines::NameAndTimes => 2,
            Lines::NameBarCounts => 3,
        };
        let top = plot.y + (plot.height - inner) / 2;
        let (left, width) =
            if framed { (plot.x + 1, plot.width - 3) } else { (plot.x, plot.width) };
        let chosen = face.selected && self.scene.focus == Focus::Here;
        let strong = canvas.style(Role::Selected);
        let (symbol_style, text) =
            if chosen { (strong, strong) } else { (face.symbol_style, face.text) };
        if chosen {
            for x in left..left + width + i32::from(framed) {
                self.glyph(canvas, x, top, ' ', strong);
            }
        }
        match (face.selected, framed) {
            (true, true) => {
                let marker = if chosen { '▶' } else { '▷' };
                self.glyph(canvas, left, top, marker, text);
            }
            (true, false) => {
                self.glyph(canvas, plot.x, top, '┃', text);
                self.glyph(canvas, plot.x + plot.width - 1, top, '┃', text);
            }
            (false, _) => {}
        }
        self.text(canvas, (left + 1, top), 1, face.symbol, symbol_style);
        let used = 3 + self.text(canvas, (left + 3, top), width - 3, &face.caption.title(), text);
        match lines {
            Lines::Name if face.caption.count > 1 => {
                let room = width - used - 1 - i32::from(!framed);
                self.draw_counts(canvas, (left + used + 1, top), room, face);
            }
            Lines::NameAndTimes => {
                let style = canvas.style(Role::TextDim);
                let uses = face.caption.uses.as_deref().unwrap_or_default();
                let time = face.node.map(|node| times(node, self.scene.now)).unwrap_or_default();
                let words = match (uses, time.as_str()) {
                    ("", time) => time.to_owned(),
                    (uses, "") => uses.to_owned(),
                    (uses, time) => format!("{} · {time}", text::fit(uses, 14)),
                };
                self.text(canvas, (left + 1, top + 1), width - 1, &words, style);
            }
            Lines::NameBarCounts => {
                self.draw_bar(canvas, (left + 1, top + 1), width - 1, face);
                self.draw_counts(canvas, (left + 1, top + 2), width - 1, face);
            }
            Lines::Name | Lines::Symbol => {}
        }
    }

    fn draw_symbol(&self, canvas: &mut Canvas<'_>, plot: &Plot, face: &Face<'_>) {
        let chosen = face.selected && self.scene.focus == Focus::Here;
        let style = if chosen { canvas.style(Role::Selected) } else { face.symbol_style };
        let texts = match (face.selected, face.caption.count > 1) {
            (true, _) => ["[", face.symbol, "]"],
            (false, true) => [" ", face.symbol, "▸"],
            (false, false) => [" ", face.symbol, " "],
        };
        for (x, text) in (plot.x..).zip(texts) {
            self.text(canvas, (x, plot.y), 1, text, style);
        }
    }

    /// How many nodes are in each state, as far as there is room.
    fn draw_counts(&self, canvas: &mut Canvas<'_>, at: (i32, i32), width: i32, face: &Face<'_>) {
        let mut x = at.0;
        for (state, count) in face.tally.counts() {
            let (symbol, _, role) = words::node(state);
            let words = format!("{symbol}{count}");
            let wide = i32::try_from(text::width(&words)).unwrap_or(i32::MAX);
            if x + wide > at.0 + width {
                break;
            }
            x += self.text(canvas, (x, at.1), wide, &words, canvas.style(role)) + 1;
        }
    }

    /// How far a group is: what is done, what failed, what is being done.
    fn draw_bar(&self, canvas: &mut Canvas<'_>, at: (i32, i32), width: i32, face: &Face<'_>) {
        let all = i32::try_from(face.caption.count.max(1)).unwrap_or(i32::MAX);
        let width = width.max(1);
        let of = |states: &[NodeShown]| {
            let count: usize = states.iter().map(|state| face.tally.of(*state)).sum();
            i32::try_from(count).unwrap_or(i32::MAX)
        };
        let parts = [
            (of(&[NodeShown::Completed]), '█', Role::RunCompleted),
            (of(&[NodeShown::Failed]), '▒', Role::RunFailed),
            (of(&[NodeShown::Running, NodeShown::Awaiting]), '▓', Role::RunRunning),
        ];
        let (mut upto, mut x) = (0, 0);
        for (count, glyph, role) in parts {
            upto += count;
            // What there is at all is seen.
            let end = (i64::from(upto) * i64::from(width) / i64::from(all)).min(width.into());
            let end = i32::try_from(end).unwrap_or(width).max(x + i32::from(count > 0)).min(width);
            for column in x..end {
                self.glyph(canvas, at.0 + column, at.1, glyph, canvas.style(role));
            }
            x = end;
        }
        for column in x..width {
            self.glyph(canvas, at.0 + column, at.1, '░', canvas.style(Role::TextDim));
        }
    }
}

/// How a box looks.
struct Face<'a> {
    caption: &'a Caption,
    tally: Tally,
    node: Option<&'a NodeRow>,
    state: Option<NodeShown>,
    selected: bool,
    symbol: &'static str,
    symbol_style: Style,
    text: Style,
    border: Style,
}

/// How long a node took, has been at it, or will still wait.
fn times(node: &NodeRow, now: Timestamp) -> String {
    if let Some(due) = node.due_at.filter(|due| *due > now) {
        return format!("in {}", text::whole_age(now.until(due)));
    }
    super::run::took(node, now)
}

/// What is in view and how, for the lower edge of a pane.
pub(super) fn caption(pane: &ChartPane, area: Rect) -> Option<String> {
    let chart = pane.chart()?;
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let picture = &chart.picture;
    let way = match chart.direction {
        Direction::Right => "→",
        Direction::Down => "↓",
    };
    let fit = if pane.zoom.is_none() { "" } else { " fixed" };
    let mut words = format!("{way} {}{fit}", chart.zoom.name());
    if chart.zoom == Zoom::Symbols {
        words.push_str(" (z: larger)");
    }
    if picture.width > width || picture.height > height {
        let part = |offset: i32, room: i32, size: i32| {
            format!("{}–{}/{size}", offset.max(0) + 1, (offset + room).min(size))
        };
        let columns = part(pane.offset.0, width, picture.width);
        let lines = part(pane.offset.1, height, picture.height);
        words = format!("{words} · ↔ {columns} ↕ {lines}");
    }
    if chart.hidden > 0 {
        words = format!("{} too many to draw · {words}", text::count(chart.hidden, "edge"));
    }
    if pane.is_late() {
        words.push_str(" · laying out …");
    }
    Some(words)
}

/// The scene of the run that is open.
pub(super) fn of_run<'a>(app: &'a App, detail: &'a RunDetail) -> Scene<'a> {
    Scene {
        pane: &app.graph,
        charted: Charted::Run,
        detail: Some(detail),
        selected: app.selected_box(),
        focus: Focus::when(app.focus == super::super::rows::ListId::Nodes),
        now: app.now(),
    }
}
