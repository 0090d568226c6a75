//! Everything about the chosen node, and the run it belongs to.

use ratatui::layout::Rect;
use serde_json::Value;

use super::{
    super::{
        super::{
            actions::Action, app::App, json_lines::json_lines, rows::ListId, text, theme::Role,
        },
        canvas::{Canvas, Piece},
        pane, words,
    },
    took,
};
use crate::{
    engine::Awaits,
    monitor::{NodeRow, RunDetail},
};

/// The most lines of one value.
const VALUE_LINES: usize = 300;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
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
            let key = app.keymap.key(Action::Answer);
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
