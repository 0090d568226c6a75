//! The forms: start a run, answer a node.

use ratatui::layout::Rect;
use serde_json::Value;

use super::{
    super::{
        actions::Action,
        app::App,
        catalog::{CatalogEntry, Finding},
        dialog::{AnswerField, AnswerForm, JsonInput, StartField, StartForm},
        json_lines::json_lines,
        text,
        theme::Role,
        update::{answered, waiting},
        values::section,
    },
    canvas::{Canvas, Piece},
    dialogs::centred,
    editor,
};
use crate::blueprint::{NodeId, Severity};

/// The lines of a form from the top, one after another.
struct Lines(Rect);

impl Lines {
    fn take(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        let taken = Rect { height, ..self.0 };
        self.0.y += height;
        self.0.height -= height;
        taken
    }

    fn take_last(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        self.0.height -= height;
        Rect { y: self.0.bottom(), height, ..self.0 }
    }
}

/// The most findings of lint that a form shows.
const FINDINGS: usize = 3;

/// The most lines that say what a node was asked.
const ASKED: usize = 5;

pub(super) fn draw_start(app: &App, canvas: &mut Canvas<'_>, area: Rect, form: &StartForm) {
    let place = centred(area, 84, area.height.saturating_sub(4).min(30));
    let title = format!("Start a run of {}", form.blueprint);
    let mut lines = Lines(canvas.dialog(place, &title, Role::DialogBorder));
    let entry = app.catalog.blueprints.iter().find(|entry| entry.blueprint.id == form.blueprint);
    let roomy = lines.0.height >= 10;
    if let Some(entry) = entry.filter(|_| roomy) {
        describe(canvas, &mut lines, entry);
    }
    let example = entry.is_some_and(|entry| entry.blueprint.example().is_some());
    let is_example = example
        && super::super::update::example(app, &form.blueprint)
            .is_some_and(|example| example == form.input.text());
    let head = match (example, is_example) {
        (_, true) => "Input as JSON (the blueprint's example):",
        (true, false) => "Input as JSON (ctrl-r: the blueprint's example):",
        (false, _) => "Input as JSON:",
    };
    canvas.pieces(lines.take(1), &[(head.into(), Role::TextDim)]);
    let buttons = lines.take_last(1);
    let check = lines.take_last(1);
    editor::draw(canvas, lines.0, &form.input, form.field == StartField::Input);
    let empty = if example {
        "empty: starts with {}; ctrl-r puts the example in"
    } else {
        "empty: starts with {}"
    };
    draw_check(canvas, check, &form.input, empty);
    draw_go(canvas, buttons, form.field == StartField::Go, form.input.value.is_ok());
}

/// What is to be started, and what lint has against it.
fn describe(canvas: &mut Canvas<'_>, lines: &mut Lines, entry: &CatalogEntry) {
    let blueprint = &entry.blueprint;
    let width = usize::from(lines.0.width);
    let text = blueprint.metadata.get("description").and_then(serde_json::Value::as_str);
    for line in text::wrap(text.unwrap_or_default(), width, 2) {
        canvas.pieces(lines.take(1), &[(line.into(), Role::Text)]);
    }
    let nodes = text::count(blueprint.nodes.len(), "node");
    let version = blueprint.version().map(|it| format!(", version {it}")).unwrap_or_default();
    let source = match entry.source.as_str() {
        "" => String::new(),
        source => format!("  {source}"),
    };
    canvas.pieces(lines.take(1), &[(format!("{nodes}{version}{source}").into(), Role::TextDim)]);
    let serious = |finding: &&Finding| finding.severity == Severity::Error;
    let errors = entry.findings.iter().filter(serious).count();
    if errors > 0 {
        let said = format!("✗ {}: a start is refused.", text::count(errors, "error"));
        canvas.pieces(lines.take(1), &[(said.into(), Role::InputError)]);
    }
    for finding in entry.findings.iter().take(FINDINGS) {
        let (symbol, role) = match finding.severity {
            Severity::Error => ("✗", Role::InputError),
            Severity::Warning => ("!", Role::Marked),
        };
        canvas.pieces(lines.take(1), &[(format!("  {symbol} {}", finding.text).into(), role)]);
    }
    if entry.findings.len() > FINDINGS {
        let more = format!("  and {} more", entry.findings.len() - FINDINGS);
        canvas.pieces(lines.take(1), &[(more.into(), Role::TextDim)]);
    }
}

pub(super) fn draw_answer(app: &App, canvas: &mut Canvas<'_>, area: Rect, form: &AnswerForm) {
    let place = centred(area, 80, area.height.saturating_sub(4).min(24));
    let title = format!("Answer a node of run {}", form.run);
    let mut lines = Lines(canvas.dialog(place, &title, Role::DialogBorder));
    let nodes = waiting(app, form);
    let Some((node, action)) = answered(app, form) else {
        let known = app.detail_of(app.shown()).is_some();
        let back = app.keymap.key(Action::Back);
        let text =
            if known { "No node of this run waits for an answer." } else { "Reading the run …" };
        canvas.pieces(lines.take(1), &[(text.into(), Role::TextDim)]);
        canvas.pieces(lines.take(1), &[(format!("{back} leaves.").into(), Role::TextDim)]);
        return;
    };
    let of = if nodes.len() > 1 { format!("  ({} wait)", nodes.len()) } else { String::new() };
    let node_text = format!("{}{of}", node.node);
    draw_choice(canvas, lines.take(1), "Node   ", &node_text, form.field == AnswerField::Node);
    let actions = if node.actions.is_empty() {
        "  (its edges name none)".to_owned()
    } else {
        format!("  (its edges name {})", node.actions.join(", "))
    };
    let action_text = format!("{}{actions}", action.unwrap_or("none"));
    draw_choice(canvas, lines.take(1), "Action ", &action_text, form.field == AnswerField::Action);
    if lines.0.height >= 9 {
        let room = usize::from(lines.0.height - 6).min(ASKED);
        for line in asked(app, &node.node, room) {
            canvas.pieces(lines.take(1), &[line]);
        }
    }
    canvas.pieces(lines.take(1), &[("Output as JSON:".into(), Role::TextDim)]);
    let buttons = lines.take_last(1);
    let check = lines.take_last(1);
    editor::draw(canvas, lines.0, &form.output, form.field == AnswerField::Output);
    draw_check(canvas, check, &form.output, "empty: no output");
    draw_go(canvas, buttons, form.field == AnswerField::Go, form.output.value.is_ok());
}

/// What the node was asked: its params, and what it got.
fn asked(app: &App, node: &NodeId, most: usize) -> Vec<Piece<'static>> {
    let mut lines: Vec<Piece<'static>> = Vec::new();
    let mut say = |title: &str, value: &Value| {
        for (at, line) in json_lines(value, most).into_iter().enumerate() {
            let title = if at == 0 { title } else { "" };
            lines.push((format!("{title:<7}{line}").into(), Role::Text));
        }
    };
    let Some(detail) = app.detail_of(app.shown()) else { return lines };
    let blueprint = detail
        .blueprint
        .as_ref()
        .and_then(|id| app.catalog.blueprints.iter().find(|entry| entry.blueprint.id == *id));
    let params = blueprint.and_then(|entry| Some(&entry.blueprint.node(node)?.params));
    if let Some(params) = params.filter(|params| !params.is_empty()) {
        say("Asked", &Value::Object(params.clone()));
    }
    let input = detail.nodes.iter().find(|row| row.id == *node).and_then(|row| {
        let [first, second] = row.input.as_slice() else { return None };
        section(detail, first)?.get(second)
    });
    if let Some(input) = input {
        say("Input", input);
    }
    let cut = lines.len() > most;
    lines.truncate(most);
    if let (true, Some(last)) = (cut, lines.last_mut()) {
        *last = ("       …".into(), Role::TextDim);
    }
    lines
}

fn draw_choice(canvas: &mut Canvas<'_>, line: Rect, label: &str, value: &str, focused: bool) {
    let (text, role) = if focused {
        (format!("◀ {value} ▶"), Role::Selected)
    } else {
        (format!("  {value}"), Role::Text)
    };
    canvas.pieces(line, &[(label.into(), Role::TextDim), (text.into(), role)]);
}

fn draw_check(canvas: &mut Canvas<'_>, line: Rect, input: &JsonInput, empty: &str) {
    let (text, role) = match &input.value {
        Ok(None) => (empty.to_owned(), Role::TextDim),
        Ok(Some(_)) => ("✓ valid JSON".to_owned(), Role::InputGood),
        Err(at) => {
            (format!("✗ line {}, column {}: {}", at.line, at.column, at.problem), Role::InputError)
        }
    };
    canvas.text(
        line.x,
        line.y,
        if line.height > 0 { line.width } else { 0 },
        &text,
        canvas.style(role),
    );
}

fn draw_go(canvas: &mut Canvas<'_>, line: Rect, focused: bool, can: bool) {
    let (button, role) = match (focused, can) {
        (true, true) => ("▶ enter: go on ◀", Role::Selected),
        (true, false) => ("▶ not valid yet ◀", Role::InputError),
        (false, _) => ("[ go on ]", Role::Text),
    };
    let pieces: [Piece<'_>; 2] = [
        (button.into(), role),
        (
            text::fit("   tab: next field   ctrl-z: undo   esc: leave", usize::from(line.width)),
            Role::TextDim,
        ),
    ];
    canvas.pieces(line, &pieces);
}
