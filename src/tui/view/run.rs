//! One run: its nodes, and beside them everything about the chosen one, and the run's values.

use std::borrow::Cow;

use ratatui::layout::Rect;
use serde_json::Value;

use super::{
    super::{app::App, json_lines::json_lines, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus, Piece},
    pane,
    table::{Column, Table, fixed, flexible, number},
    words,
};
use crate::{
    engine::{Awaits, Timestamp},
    monitor::{NodeRow, RunDetail, SourceState},
};

const COLUMNS: [Column; 6] = [
    fixed("state", 11, 0),
    flexible("node", 12, 3, 0),
    flexible("uses", 8, 2, 3),
    number("tries", 5, 2),
    number("took", 6, 1),
    flexible("worker", 10, 2, 4),
];

/// From this width on, nodes and inspector stand side by side.
const SIDE_BY_SIDE: u16 = 110;

/// The most lines of one value.
const VALUE_LINES: usize = 300;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let [nodes, inspector] = if area.width >= SIDE_BY_SIDE {
        let left = area.width * 11 / 20;
        [Rect { width: left, ..area }, Rect { x: area.x + left, width: area.width - left, ..area }]
    } else if area.height >= 12 {
        let upper = area.height * 11 / 20;
        [
            Rect { height: upper, ..area },
            Rect { y: area.y + upper, height: area.height - upper, ..area },
        ]
    } else if app.focus == ListId::Inspector {
        [Rect::default(), area]
    } else {
        [area, Rect::default()]
    };
    if !nodes.is_empty() {
        draw_nodes(app, canvas, nodes);
    }
    if !inspector.is_empty() {
        draw_inspector(app, canvas, inspector);
    }
}

fn draw_nodes(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = app.shown();
    let source = &snapshot.detail;
    let run = app.open_run.as_deref().unwrap_or_default();
    let detail = app.detail_of(snapshot);
    let title = match (snapshot.runs.data.get(run), detail) {
        (Some(row), _) => {
            let (symbol, word, _) = words::run(row);
            format!("Run {}  {symbol} {word}", text::fit(run, 40))
        }
        (None, Some(detail)) => {
            let (symbol, word, _) = words::status(detail.status);
            format!("Run {}  {symbol} {word}", text::fit(run, 40))
        }
        (None, None) => format!("Run {run}"),
    };
    let inside = pane::open(app, canvas, area, ListId::Nodes, &title, Some(source));
    let Some(detail) = detail else {
        let text = match &source.state {
            SourceState::Stale { error, .. } => format!("The run can't be read: {error}"),
            _ => "Reading the run …".to_owned(),
        };
        let lines: Vec<Piece<'_>> = text::wrap(&text, usize::from(inside.width), 6)
            .into_iter()
            .map(|line| (line.into(), Role::TextDim))
            .collect();
        canvas.lines(inside, &lines, 0);
        return;
    };
    if !detail.found {
        let text = "There is no document of this run: it was never started, or was deleted.";
        canvas.lines(inside, &[(text.into(), Role::TextError)], 0);
        return;
    }
    let now = app.now();
    let table = Table {
        list: ListId::Nodes,
        columns: &COLUMNS,
        state: app.list(ListId::Nodes),
        count: app.rows.count(ListId::Nodes),
        focus: Focus::when(app.focus == ListId::Nodes),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| {
        let node = detail.nodes.get(app.rows.place(ListId::Nodes, row)?)?;
        let (symbol, word, role) = words::node(node.state);
        let id = if node.iteration > 1 {
            Cow::Owned(format!("{} ↻{}", node.id, node.iteration))
        } else {
            Cow::Borrowed(node.id.as_str())
        };
        let tries = if node.attempts > 0 { node.attempts.to_string() } else { String::new() };
        let cells = vec![
            (format!("{symbol} {word}").into(), role),
            (id, Role::Text),
            (node.uses.as_deref().unwrap_or("?").into(), Role::TextDim),
            (tries.into(), Role::Text),
            (took(node, now).into(), Role::Text),
            (node.worker.as_deref().unwrap_or("").into(), Role::TextDim),
        ];
        Some((node.id.as_str().into(), cells))
    });
}

/// How long a node ran, or has been running.
fn took(node: &NodeRow, now: Timestamp) -> String {
    match (node.started_at, node.finished_at) {
        (Some(from), Some(to)) if to >= from => text::age(to.since(from)),
        (Some(from), None) => text::whole_age(now.since(from)),
        _ => String::new(),
    }
}

fn draw_inspector(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = app.shown();
    let node = app.selected_node();
    let title = node.map_or("Details".into(), |node| format!("Node {}", node.id));
    let inside = pane::open(app, canvas, area, ListId::Inspector, &title, Some(&snapshot.detail));
    let Some(detail) = app.detail_of(snapshot).filter(|detail| detail.found) else { return };
    let mut lines: Vec<Piece<'_>> = Vec::new();
    let width = usize::from(inside.width);
    if let Some(node) = node {
        describe_node(app, detail, node, width, &mut lines);
    }
    describe_run(app, detail, width, &mut lines);
    let last = lines.len().saturating_sub(usize::from(inside.height));
    let first = app.list(ListId::Inspector).offset.min(last);
    canvas.hit_rows(inside, ListId::Inspector, first);
    canvas.lines(inside, &lines, first);
    if last > 0 {
        let text =
            format!(" {}/{} ", (first + usize::from(inside.height)).min(lines.len()), lines.len());
        let edge = Rect { y: inside.bottom(), height: 1, ..inside };
        canvas.right(edge, &text, canvas.style(Role::TextDim));
    }
}

fn wrapped(lines: &mut Vec<Piece<'_>>, text: &str, width: usize, role: Role) {
    lines.extend(text::wrap(text, width, 40).into_iter().map(|line| (line.into(), role)));
}

fn describe_node(
    app: &App,
    detail: &RunDetail,
    node: &NodeRow,
    width: usize,
    lines: &mut Vec<Piece<'_>>,
) {
    let now = app.now();
    let (symbol, word, role) = words::node(node.state);
    let mut first = format!("{symbol} {word}");
    let took = took(node, now);
    if !took.is_empty() {
        first.push_str(if node.finished_at.is_some() { ", took " } else { " for " });
        first.push_str(&took);
    }
    if node.attempts > 0 {
        first = format!("{first}, {}", text::count(node.attempts as usize, "attempt"));
    }
    if node.iteration > 1 {
        first = format!("{first}, iteration {}", node.iteration);
    }
    lines.push((first.into(), role));
    if let Some(error) = &node.error {
        wrapped(lines, error, width, Role::TextError);
    }
    match &node.awaits {
        Some(Awaits::Answer) => {
            let actions = detail
                .awaiting
                .iter()
                .find(|it| it.node == node.id)
                .map(|it| it.actions.join(", "));
            let actions =
                actions.filter(|it| !it.is_empty()).map(|it| format!(": {it}")).unwrap_or_default();
            let key = app.keymap.key(super::super::actions::Action::Answer);
            wrapped(
                lines,
                &format!("waits for an answer{actions} (press {key})"),
                width,
                Role::RunAwaiting,
            );
        }
        Some(Awaits::Child { run, status }) => {
            wrapped(lines, &format!("waits for run {run} ({status})"), width, Role::RunAwaiting);
        }
        Some(Awaits::Timer) | None => {}
    }
    if let Some(due) = node.due_at.filter(|due| *due > now) {
        lines.push((format!("goes on in {}", text::whole_age(now.until(due))).into(), Role::Text));
    }
    if let Some(action) = &node.action {
        wrapped(lines, &format!("action: {action}"), width, Role::Text);
    }
    if let Some(worker) = &node.worker {
        lines.push((format!("worker: {worker}").into(), Role::TextDim));
    }
    if let Some(started) = node.started_at {
        let finished = node.finished_at.map(|at| format!(" – {at}")).unwrap_or_default();
        lines.push((format!("{started}{finished}").into(), Role::TextDim));
    }
    if let Some(output) = detail.outputs.get(node.id.as_str()) {
        lines.push(("output".into(), Role::TextStrong));
        push_value(lines, output);
    }
}

fn describe_run(app: &App, detail: &RunDetail, width: usize, lines: &mut Vec<Piece<'_>>) {
    lines.push(("".into(), Role::Text));
    lines.push(("run".into(), Role::TextStrong));
    let now = app.now();
    if let Some(blueprint) = &detail.blueprint {
        let version = detail.blueprint_version.as_ref().map(|it| format!(" version {it}"));
        wrapped(
            lines,
            &format!("blueprint: {blueprint}{}", version.unwrap_or_default()),
            width,
            Role::Text,
        );
    }
    if let Some(started) = detail.started_at {
        let end = detail.finished_at.map_or_else(
            || format!("{} ago", text::whole_age(now.since(started))),
            |end| format!("took {}", text::age(end.since(started))),
        );
        lines.push((format!("started: {started}, {end}").into(), Role::Text));
    }
    if let Some(parent) = &detail.parent {
        wrapped(
            lines,
            &format!("part of: {} (node {})", parent.run, parent.node),
            width,
            Role::Text,
        );
    }
    for warning in &detail.warnings {
        wrapped(lines, &format!("! {warning}"), width, Role::TextError);
    }
    lines.push((format!("document: about {} KiB", detail.size / 1024).into(), Role::TextDim));
    if !detail.context.is_empty() {
        lines.push(("context".into(), Role::TextStrong));
        for (key, value) in &detail.context {
            push_member(lines, key, value);
        }
    }
}

fn push_value(lines: &mut Vec<Piece<'_>>, value: &Value) {
    let texts = json_lines(value, VALUE_LINES);
    lines.extend(texts.into_iter().map(|line| (format!("  {line}").into(), Role::Text)));
}

fn push_member(lines: &mut Vec<Piece<'_>>, key: &str, value: &Value) {
    for (at, line) in json_lines(value, VALUE_LINES).into_iter().enumerate() {
        let line = if at == 0 { format!("  {key}: {line}") } else { format!("  {line}") };
        lines.push((line.into(), Role::Text));
    }
}
