//! Everything about the chosen node, and the run it belongs to.

use ratatui::layout::Rect;
use serde_json::Value;

use super::{
    super::{
        super::{
            actions::Action, app::App, json_lines::json_lines, rows::ListId, text, theme::Role,
            values::section,
        },
        canvas::{Canvas, Piece},
        pane, words,
    },
    took,
};
use crate::{
    engine::{Awaits, Timestamp},
    monitor::{NodeRow, NodeShown, RunDetail},
};

/// The most lines of one value; the context shows all of it.
const VALUE_LINES: usize = 12;

/// The most lines of an error or a warning.
const ERROR_LINES: usize = 60;

/// The most child runs that are named.
const CHILDREN: usize = 5;

/// How wide the labels of single facts are.
const LABEL: usize = 10;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = app.shown();
    let node = app.selected_node();
    let title = node.map_or("Details".into(), |node| format!("Node {}", node.id));
    let inside = pane::open(app, canvas, area, ListId::Inspector, &title, Some(&snapshot.detail));
    let Some(detail) = app.detail_of(snapshot).filter(|detail| detail.found) else { return };
    let mut text = Text { app, detail, width: usize::from(inside.width), lines: Vec::new() };
    if let Some(node) = node {
        text.node(node);
    }
    text.run();
    let lines = text.lines;
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

/// The lines, as they are being written.
struct Text<'a> {
    app: &'a App,
    detail: &'a RunDetail,
    width: usize,
    lines: Vec<Piece<'a>>,
}

impl Text<'_> {
    /// Begins a part. The first one on the pane needs no distance.
    fn heading(&mut self, title: &str) {
        self.lines.push((title.to_owned().into(), Role::TextStrong));
    }

    fn line(&mut self, text: String, role: Role) {
        self.lines.push((text.into(), role));
    }

    fn wrapped(&mut self, text: &str, role: Role) {
        let room = self.width.saturating_sub(2).max(1);
        let wrapped = text::wrap(text, room, ERROR_LINES);
        self.lines.extend(wrapped.into_iter().map(|line| (format!("  {line}").into(), role)));
    }

    /// A single fact: what it is, then what is known.
    fn fact(&mut self, label: &str, text: &str, role: Role) {
        let room = self.width.saturating_sub(LABEL + 2).max(8);
        for (at, line) in text::wrap(text, room, 4).into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.lines.push((format!("  {label:<LABEL$}{line}").into(), role));
        }
    }

    /// A point in time: absolute, and how far away.
    fn time(&mut self, label: &str, at: Timestamp) {
        let now = self.app.now();
        let distance = if at > now {
            format!("in {}", text::whole_age(now.until(at)))
        } else {
            format!("{} ago", text::whole_age(now.since(at)))
        };
        let absolute = words::local(&self.app.zone, at);
        self.fact(label, &format!("{absolute}  ({distance})"), Role::Text);
    }

    fn node(&mut self, node: &NodeRow) {
        self.state(node);
        if let Some(error) = &node.error {
            let title = match node.state {
                NodeShown::Failed => "error",
                _ => "error of the last attempt",
            };
            self.heading(title);
            self.wrapped(error, Role::TextError);
        }
        self.waits(node);
        self.facts(node);
        self.children(node);
        self.input(node);
        if let Some(output) = self.detail.outputs.get(node.id.as_str()) {
            self.heading("output");
            self.value(output);
        } else if node.state == NodeShown::Completed {
            self.heading("output");
            self.line("  none".to_owned(), Role::TextDim);
        }
    }

    /// State, how long, which attempt.
    fn state(&mut self, node: &NodeRow) {
        let (symbol, word, role) = words::node(node.state);
        let mut first = format!("{symbol} {word}");
        let took = took(node, self.app.now());
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
        if let Some(uses) = &node.uses {
            first = format!("{first}, uses {uses}");
        }
        self.line(first, role);
    }

    fn waits(&mut self, node: &NodeRow) {
        let key = |action| self.app.keymap.key(action);
        let waits = match &node.awaits {
            Some(Awaits::Answer) => {
                let waiting = self.detail.awaiting.iter().find(|it| it.node == node.id);
                let actions = waiting.map(|it| it.actions.join(", ")).unwrap_or_default();
                let actions = match actions.as_str() {
                    "" => String::new(),
                    actions => format!(" with one of: {actions}"),
                };
                format!("an answer{actions}  ({} answers)", key(Action::Answer))
            }
            Some(Awaits::Child { run, status }) if node.state == NodeShown::Awaiting => {
                format!("run {run}, which is {status}  ({} opens it)", key(Action::Children))
            }
            Some(Awaits::Timer) => "a timer".to_owned(),
            Some(Awaits::Child { .. }) | None => return,
        };
        self.heading("waits for");
        self.wrapped(&waits, Role::RunAwaiting);
    }

    /// Times, worker, lease, action.
    fn facts(&mut self, node: &NodeRow) {
        let now = self.app.now();
        let worker = node.worker.as_deref();
        if node.started_at.is_none() && node.due_at.is_none() && worker.is_none() {
            return;
        }
        self.heading("execution");
        if let Some(due) = node.due_at.filter(|due| *due > now) {
            self.time("goes on", due);
        }
        if let Some(started) = node.started_at {
            self.time("started", started);
            let waited = node.enqueued_at.filter(|at| *at < started).map(|at| started.since(at));
            if let Some(waited) = waited.filter(|waited| waited.as_secs() > 0) {
                self.fact("queued", &format!("{} before that", text::age(waited)), Role::Text);
            }
        } else if let Some(queued) = node.enqueued_at {
            self.time("queued", queued);
        }
        if let Some(finished) = node.finished_at {
            self.time("finished", finished);
        }
        if let Some(worker) = worker {
            let beats = &self.app.shown().workers;
            let alive = beats.data.workers.iter().any(|beat| beat.name.as_str() == worker);
            let (word, role) = match (alive, node.state) {
                (true, _) => ("● alive", Role::LockAlive),
                (false, NodeShown::Running) if beats.updated_at.is_some() => {
                    ("✗ no heartbeat", Role::LockGone)
                }
                (false, _) if beats.updated_at.is_some() => ("(gone)", Role::TextDim),
                _ => ("", Role::TextDim),
            };
            self.fact("worker", &format!("{worker}  {word}"), role);
        }
        self.lease(node);
        if let Some(action) = &node.action {
            self.fact("action", action, Role::Text);
        }
    }

    fn lease(&mut self, node: &NodeRow) {
        let snapshot = self.app.shown();
        let lock = snapshot.locks.data.locks.iter().find(|lock| {
            lock.run_id.as_ref() == Some(&self.detail.run)
                && lock.node_id.as_ref() == Some(&node.id)
        });
        let Some(lock) = lock else { return };
        let (symbol, word, role) = words::holder(snapshot.holder(lock));
        let holder = lock.holder.as_ref().map_or(lock.value.as_str(), |holder| holder);
        let left = text::whole_age(self.app.now().until(lock.expires_at));
        self.fact("lease", &format!("{left} left, {symbol} {word}  {holder}"), role);
    }

    /// The child runs that the node started.
    fn children(&mut self, node: &NodeRow) {
        let runs = &self.app.shown().runs.data;
        let known: Vec<_> = self
            .detail
            .children
            .iter()
            .filter(|child| child.node == node.id)
            .filter(|child| child.certain || runs.get(&child.run).is_some())
            .collect();
        if known.is_empty() {
            return;
        }
        let key = self.app.keymap.key(Action::Children);
        self.heading(&format!("child runs  ({key} opens)"));
        for child in known.iter().take(CHILDREN) {
            let row = runs.get(&child.run);
            let (symbol, word, role) =
                row.map_or_else(|| words::status(child.status), |row| words::run(row));
            let room = self.width.saturating_sub(word.len() + 6);
            self.line(format!("  {symbol} {word}  {}", text::fit(&child.run, room)), role);
        }
        if known.len() > CHILDREN {
            self.line(format!("  and {} more", known.len() - CHILDREN), Role::TextDim);
        }
    }

    fn input(&mut self, node: &NodeRow) {
        let mut names = node.input.iter();
        let Some((first, second)) = names.next().zip(names.next()) else { return };
        let value = section(self.detail, first).and_then(|members| members.get(second));
        let Some(value) = value else { return };
        if first == "inputs" {
            self.heading("input");
        } else {
            self.heading(&format!("input  (the same as {first}.{second})"));
        }
        self.value(value);
    }

    /// The beginning of a value.
    fn value(&mut self, value: &Value) {
        let mut lines = json_lines(value, VALUE_LINES + 1);
        let cut = lines.len() > VALUE_LINES + 1;
        if cut {
            lines.truncate(VALUE_LINES);
        }
        self.lines.extend(lines.into_iter().map(|line| (format!("  {line}").into(), Role::Text)));
        if cut {
            let key = self.app.keymap.key(Action::Open);
            self.line(format!("  … {key} here: all of it, in the context"), Role::FooterKey);
        }
    }

    fn run(&mut self) {
        self.line(String::new(), Role::Text);
        self.heading("run");
        let detail = self.detail;
        if let Some(blueprint) = &detail.blueprint {
            let version = detail.blueprint_version.as_ref().map(|it| format!(" version {it}"));
            let text = format!("{blueprint}{}", version.unwrap_or_default());
            self.fact("blueprint", &text, Role::Text);
        }
        if let Some(started) = detail.started_at {
            self.time("started", started);
            if let Some(end) = detail.finished_at {
                self.time("finished", end);
                self.fact("took", &text::age(end.since(started)), Role::Text);
            }
        }
        if let Some(parent) = &detail.parent {
            let key = self.app.keymap.key(Action::Parent);
            let text = format!("{} (node {})  ({key} opens it)", parent.run, parent.node);
            self.fact("part of", &text, Role::Text);
        }
        for warning in &detail.warnings {
            self.wrapped(&format!("! {warning}"), Role::TextError);
        }
        let size = text::bytes(u64::try_from(detail.size).unwrap_or(u64::MAX));
        self.fact("document", &format!("about {size}"), Role::TextDim);
        let keys = text::count(detail.context.len(), "key");
        let names: Vec<&str> = detail.context.keys().take(8).map(String::as_str).collect();
        let names = names.join(", ");
        let context = if names.is_empty() { keys } else { format!("{keys}: {names}") };
        self.fact("context", &context, Role::Text);
    }
}
