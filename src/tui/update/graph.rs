//! Moving about in graphs and on the timeline.

use std::collections::HashMap;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{
    super::{
        actions::Action,
        app::{App, Hit, Target},
        chart::{Camera, ChartMade, Charted, Zoom, urgency},
        graph::{Direction, Heading, nearest},
        list::Step,
        message::Command,
        rows::ListId,
    },
    navigate, perform as perform_any,
};
use crate::monitor::EdgeShown;

/// How many lines or columns one notch of the wheel moves.
const NOTCH: i32 = 3;

/// Takes over a graph that was drawn elsewhere.
pub(super) fn charted(app: &mut App, made: ChartMade) {
    app.chart_pane(made.charted).made(made);
}

/// Does what an action means for a graph or the timeline, if one is on the screen and it means
/// anything there.
pub(super) fn perform(app: &mut App, action: Action) -> Option<Vec<Command>> {
    if app.shows_timeline() {
        return on_timeline(app, action).then(Vec::new);
    }
    let charted = app.charted()?;
    if look(app, charted, action) {
        return Some(Vec::new());
    }
    if charted != Charted::Run || app.focus != ListId::Nodes {
        return None;
    }
    match action {
        Action::Up => go(app, Heading::Up),
        Action::Down => go(app, Heading::Down),
        Action::Left => go(app, Heading::Left),
        Action::Right => go(app, Heading::Right),
        Action::PageUp => page(app, -1),
        Action::PageDown => page(app, 1),
        Action::Top => end(app, Step::Top),
        Action::Bottom => end(app, Step::Bottom),
        Action::Mark => {
            if let Some(number) = app.selected_box() {
                app.graph.toggle(number);
                app.graph.camera = Camera::Follows;
            }
        }
        Action::Open => {
            let chart = app.graph.chart()?.clone();
            let number = app.selected_box()?;
            // A node is looked at closely, several are shown one by one.
            if chart.folded.groups.get(number)?.members.len() < 2 {
                return None;
            }
            app.graph.toggle(number);
            app.graph.camera = Camera::Follows;
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// Zooms or turns a graph. Returns whether the action was one of these.
fn look(app: &mut App, charted: Charted, action: Action) -> bool {
    let pane = app.chart_pane(charted);
    let shown = pane.chart().map(|chart| (chart.zoom, chart.direction));
    match action {
        Action::ZoomIn | Action::ZoomOut => {
            let steps = if action == Action::ZoomIn { 1 } else { -1 };
            pane.zoom = Some(shown.map_or(Zoom::Boxes, |(zoom, _)| zoom.by(steps)));
        }
        Action::ZoomFit => {
            pane.zoom = None;
            pane.direction = None;
        }
        Action::Turn => {
            pane.direction = match shown {
                Some((_, Direction::Right)) => Some(Direction::Down),
                _ => Some(Direction::Right),
            };
        }
        _ => return false,
    }
    pane.camera = Camera::Follows;
    true
}

/// Goes to the nearest box in a direction.
fn go(app: &mut App, heading: Heading) {
    let Some(from) = app.selected_box() else { return };
    let Some(chart) = app.graph.chart().cloned() else { return };
    // Where several lie as near, the run's own way comes first.
    let live = app.graph.live();
    let mut joined: HashMap<usize, u8> = HashMap::new();
    for (number, edge) in chart.folded.edges.iter().enumerate() {
        let other = match (edge.source == from, edge.target == from) {
            (true, _) => edge.target,
            (_, true) => edge.source,
            _ => continue,
        };
        let rank = u8::from(live.edges.get(number) != Some(&EdgeShown::Taken));
        joined.entry(other).and_modify(|it| *it = rank.min(*it)).or_insert(rank);
    }
    let rank = |number: usize| {
        row(app, number)?;
        Some(joined.get(&number).copied().unwrap_or(2))
    };
    if let Some(to) = nearest(&chart.picture, from, heading, rank) {
        select(app, to);
    }
}

/// Goes to the box that is about a screen away.
fn page(app: &mut App, pages: i32) {
    let Some(from) = app.selected_box() else { return };
    let Some(chart) = app.graph.chart().cloned() else { return };
    let Some(here) = chart.picture.boxes.get(from) else { return };
    let (room, size) = (app.graph.room(), (chart.picture.width, chart.picture.height));
    // Where there is nothing above or below, a page is one to the side.
    let by = if size.1 > room.1 || size.0 <= room.0 {
        (0, pages * (room.1 - 1).max(1))
    } else {
        (pages * (room.0 - 1).max(1), 0)
    };
    let (x, y) = (here.x + by.0, here.y + by.1);
    let ahead = |number: &usize| {
        let plot = &chart.picture.boxes[*number];
        let moved = if by.1 == 0 { plot.x - here.x } else { plot.y - here.y };
        moved * pages > 0
    };
    let away = |number: &usize| {
        let plot = &chart.picture.boxes[*number];
        ((plot.y - y).abs() * 2 + (plot.x - x).abs(), *number)
    };
    let all = 0..chart.picture.boxes.len();
    let listed = all.filter(|number| row(app, *number).is_some());
    if let Some(to) = listed.filter(ahead).min_by_key(away) {
        select(app, to);
    }
}

/// Goes to the first or the last box.
fn end(app: &mut App, step: Step) {
    let Some(chart) = app.graph.chart().cloned() else { return };
    let along = |number: &usize| {
        let plot = &chart.picture.boxes[*number];
        match chart.direction {
            Direction::Right => (plot.x, plot.y),
            Direction::Down => (plot.y, plot.x),
        }
    };
    let all = (0..chart.picture.boxes.len()).filter(|number| row(app, *number).is_some());
    let to = if step == Step::Top { all.min_by_key(along) } else { all.max_by_key(along) };
    if let Some(to) = to {
        select(app, to);
    }
}

/// The row of the node that stands for a box: the one that needs attention most. Nothing if the
/// filter leaves none of its nodes.
fn row(app: &App, number: usize) -> Option<usize> {
    let chart = app.graph.chart()?;
    let detail = app.detail_of(app.shown())?;
    let members = &chart.folded.groups.get(number)?.members;
    let rows = members.iter().filter_map(|member| {
        let node = detail.nodes.get(*member)?;
        let row = app.rows.row_of(ListId::Nodes, *member)?;
        Some((urgency(node.state), row))
    });
    rows.min().map(|(_, row)| row)
}

fn select(app: &mut App, number: usize) {
    if let Some(row) = row(app, number) {
        app.graph.camera = Camera::Follows;
        navigate::move_in(app, ListId::Nodes, Step::To(row));
    }
}

/// Does what an action means on the timeline.
fn on_timeline(app: &mut App, action: Action) -> bool {
    match action {
        Action::ZoomIn | Action::ZoomOut | Action::ZoomFit => {
            let now = app.now();
            let selected = app.selected_place(ListId::Nodes);
            app.timeline.zoom(action, selected, now);
            return true;
        }
        _ if app.focus != ListId::Nodes => return false,
        _ => {}
    }
    let step = match action {
        Action::Left | Action::Right => {
            let now = app.now();
            app.timeline.pan(if action == Action::Right { 1 } else { -1 }, now);
            return true;
        }
        Action::Up => Step::By(-1),
        Action::Down => Step::By(1),
        Action::PageUp => Step::Page(-1),
        Action::PageDown => Step::Page(1),
        Action::Top => Step::Top,
        Action::Bottom => Step::Bottom,
        _ => return false,
    };
    on_timeline_to(app, step);
    true
}

fn on_timeline_to(app: &mut App, step: Step) {
    let selected = app.selected_place(ListId::Nodes);
    if let Some(place) = app.timeline.step(step, selected)
        && let Some(row) = app.rows.row_of(ListId::Nodes, place)
    {
        navigate::move_in(app, ListId::Nodes, Step::To(row));
    }
}

/// Takes in what the mouse does in a graph or on the timeline.
pub(super) fn mouse(app: &mut App, event: MouseEvent) -> Option<Vec<Command>> {
    if app.dialog.is_some() {
        return None;
    }
    if let MouseEventKind::Drag(MouseButton::Left) | MouseEventKind::Up(MouseButton::Left) =
        event.kind
    {
        return drag(app, event);
    }
    let at = Position::new(event.column, event.row);
    let hit = app.hits.iter().rev().find(|hit| hit.area.contains(at)).copied()?;
    match hit.target {
        Target::Graph(charted) => in_graph(app, charted, hit, event),
        Target::Timeline { first } => {
            let step = match event.kind {
                MouseEventKind::ScrollDown => Step::By(1),
                MouseEventKind::ScrollUp => Step::By(-1),
                MouseEventKind::Down(MouseButton::Left) => {
                    app.focus = ListId::Nodes;
                    Step::To(first + usize::from(event.row - hit.area.y))
                }
                _ => return None,
            };
            on_timeline_to(app, step);
            app.dirty = true;
            Some(Vec::new())
        }
        _ => None,
    }
}

fn in_graph(app: &mut App, charted: Charted, hit: Hit, event: MouseEvent) -> Option<Vec<Command>> {
    let sideways = event.modifiers.contains(KeyModifiers::SHIFT);
    let by = match (event.kind, sideways) {
        (MouseEventKind::ScrollDown, false) => (0, NOTCH),
        (MouseEventKind::ScrollUp, false) => (0, -NOTCH),
        (MouseEventKind::ScrollRight, _) | (MouseEventKind::ScrollDown, true) => (NOTCH * 2, 0),
        (MouseEventKind::ScrollLeft, _) | (MouseEventKind::ScrollUp, true) => (-NOTCH * 2, 0),
        (MouseEventKind::Down(MouseButton::Left), _) => (0, 0),
        _ => return None,
    };
    app.dirty = true;
    if by != (0, 0) {
        app.chart_pane(charted).pan(by);
        return Some(Vec::new());
    }
    let cell = (event.column - hit.area.x, event.row - hit.area.y);
    let pane = app.chart_pane(charted);
    pane.held = Some((event.column, event.row));
    let number = pane.box_at(cell);
    if charted == Charted::Blueprint {
        return Some(Vec::new());
    }
    let again = app.focus == ListId::Nodes && number.is_some() && number == app.selected_box();
    app.focus = ListId::Nodes;
    if again {
        return Some(perform_any(app, Action::Open));
    }
    if let Some(number) = number {
        select(app, number);
    }
    Some(Vec::new())
}

/// Moves a graph along with the mouse that holds it.
fn drag(app: &mut App, event: MouseEvent) -> Option<Vec<Command>> {
    let charted = app.charted()?;
    let pane = app.chart_pane(charted);
    let (x, y) = pane.held?;
    if matches!(event.kind, MouseEventKind::Up(_)) {
        pane.held = None;
        return Some(Vec::new());
    }
    pane.held = Some((event.column, event.row));
    pane.pan((i32::from(x) - i32::from(event.column), i32::from(y) - i32::from(event.row)));
    app.dirty = true;
    Some(Vec::new())
}
