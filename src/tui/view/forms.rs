//! The forms: start a run, answer a node.

use ratatui::{layout::Rect, widgets::Widget};

use super::{
    super::{
        actions::Action,
        app::App,
        dialog::{AnswerField, AnswerForm, JsonInput, StartField, StartForm},
        text,
        theme::Role,
        update::{answered, waiting},
    },
    canvas::{Canvas, Piece},
    dialogs::centred,
};

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

pub(super) fn draw_start(app: &App, canvas: &mut Canvas<'_>, area: Rect, form: &StartForm) {
    let place = centred(area, 80, area.height.saturating_sub(4).min(24));
    let title = format!("Start a run of {}", form.blueprint);
    let mut lines = Lines(canvas.dialog(place, &title, Role::DialogBorder));
    let entry = app.catalog.blueprints.iter().find(|entry| entry.blueprint.id == form.blueprint);
    let example = entry.is_some_and(|entry| entry.blueprint.example().is_some());
    let head = if example { "Input as JSON (the blueprint's example):" } else { "Input as JSON:" };
    canvas.pieces(lines.take(1), &[(head.into(), Role::TextDim)]);
    let buttons = lines.take_last(1);
    let check = lines.take_last(1);
    draw_editor(canvas, lines.0, &form.input, form.field == StartField::Input);
    draw_check(canvas, check, &form.input, "empty: starts with {}");
    draw_go(canvas, buttons, form.field == StartField::Go, form.input.value.is_ok());
}

pub(super) fn draw_answer(app: &App, canvas: &mut Canvas<'_>, area: Rect, form: &AnswerForm) {
    let place = centred(area, 76, area.height.saturating_sub(4).min(18));
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
    canvas.pieces(lines.take(1), &[("Output as JSON:".into(), Role::TextDim)]);
    let buttons = lines.take_last(1);
    let check = lines.take_last(1);
    draw_editor(canvas, lines.0, &form.output, form.field == AnswerField::Output);
    draw_check(canvas, check, &form.output, "empty: no output");
    draw_go(canvas, buttons, form.field == AnswerField::Go, form.output.value.is_ok());
}

fn draw_choice(canvas: &mut Canvas<'_>, line: Rect, label: &str, value: &str, focused: bool) {
    let (text, role) = if focused {
        (format!("◀ {value} ▶"), Role::Selected)
    } else {
        (format!("  {value}"), Role::Text)
    };
    canvas.pieces(line, &[(label.into(), Role::TextDim), (text.into(), role)]);
}

/// Draws a text that is edited. Its lines were made harmless when they were taken in.
fn draw_editor(canvas: &mut Canvas<'_>, area: Rect, input: &JsonInput, focused: bool) {
    let border = if focused { Role::PaneBorderFocused } else { Role::PaneBorder };
    let area = if area.height >= 3 {
        let block = ratatui::widgets::Block::bordered().border_style(canvas.style(border));
        let inside = block.inner(area);
        block.render(area, canvas.buffer);
        inside
    } else {
        area
    };
    if area.is_empty() {
        return;
    }
    let mut editor = input.area.clone();
    editor.set_style(canvas.style(Role::Input));
    let cursor = if focused { canvas.style(Role::InputCursor) } else { canvas.style(Role::Input) };
    editor.set_cursor_style(cursor);
    editor.set_line_number_style(canvas.style(Role::TextDim));
    editor.render(area, canvas.buffer);
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
        (text::fit("   tab: next field   esc: leave", usize::from(line.width)), Role::TextDim),
    ];
    canvas.pieces(line, &pieces);
}
