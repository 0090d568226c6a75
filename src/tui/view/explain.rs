//! The dialog that says why a run is not moving: the reasons, and what speaks for the chosen one.

use ratatui::layout::Rect;

use super::{
    super::{
        app::{Access, App, Hit, Target},
        explaining::{Asked, Explaining, Found},
        reason::{Reason, Step, Weight},
        text,
        theme::Role,
    },
    canvas::{Canvas, Piece},
    dialogs::centred,
};

/// How many reasons are in view at most.
const LISTED: u16 = 6;
/// How many lines the advice takes at most.
const ADVICE: usize = 3;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, explaining: &Explaining) {
    let wide = area.width.saturating_sub(4).min(108);
    let place = centred(area, wide, height(explaining, area, wide));
    let title = format!("Why is run {} not moving?", explaining.run);
    let inside = canvas.dialog(place, &title, Role::DialogBorder);
    let footer = u16::from(inside.height > 1);
    let body = Rect { height: inside.height - footer, ..inside };
    match &explaining.found {
        Found::Nothing => {
            let line = "Asking the queue, the state store, the leases and the workers …";
            wrapped(canvas, body, &[(line, Role::TextDim)]);
        }
        Found::Failed(why) => wrapped(
            canvas,
            body,
            &[
                ("This can't be explained:", Role::TextStrong),
                (why, Role::TextError),
                ("", Role::Text),
                ("r asks again; `flowcraft-tui doctor` says how each service is.", Role::TextDim),
            ],
        ),
        Found::Reasons(reasons) if reasons.is_empty() => {
            wrapped(canvas, body, &[("Nothing keeps it from moving.", Role::Text)]);
        }
        Found::Reasons(reasons) => draw_reasons(canvas, body, explaining, reasons),
    }
    let line = Rect { y: inside.bottom().saturating_sub(footer), height: footer, ..inside };
    draw_footer(app, canvas, line, explaining);
}

/// As high as what is said of the longest reason needs, so that choosing another does not move the
/// frame.
fn height(explaining: &Explaining, area: Rect, wide: u16) -> u16 {
    let width = usize::from(wide.saturating_sub(4));
    let reasons = explaining.reasons();
    let longest = reasons
        .iter()
        .map(|reason| evidence_lines(reason, width).len() + advice_lines(reason, width).len())
        .max()
        .unwrap_or(6);
    let listed = reasons.len().min(usize::from(LISTED));
    let lines = u16::try_from(longest + listed).unwrap_or(u16::MAX);
    // A frame, a line between the parts, the footer.
    lines.saturating_add(5).clamp(10, area.height.saturating_sub(2).max(10))
}

fn wrapped(canvas: &mut Canvas<'_>, area: Rect, lines: &[(&str, Role)]) {
    let width = usize::from(area.width);
    let lines: Vec<Piece<'_>> = lines
        .iter()
        .flat_map(|(line, role)| {
            let broken = text::wrap(line, width, 12);
            let broken = if broken.is_empty() { vec![String::new()] } else { broken };
            broken.into_iter().map(|it| (it.into(), *role))
        })
        .collect();
    canvas.lines(area, &lines, 0);
}

fn draw_reasons(canvas: &mut Canvas<'_>, area: Rect, explaining: &Explaining, reasons: &[Reason]) {
    let listed = LISTED.min(area.height * 2 / 5).max(1);
    let count = u16::try_from(reasons.len()).unwrap_or(u16::MAX).min(listed).min(area.height);
    let list = Rect { height: count, ..area };
    draw_list(canvas, list, explaining.index, reasons);
    let Some(reason) = explaining.chosen() else { return };
    let mut rest = Rect { y: area.y + count, height: area.height - count, ..area };
    if rest.height > 3 {
        let line = Rect { height: 1, ..rest };
        canvas.pieces(line, &[("─".repeat(usize::from(rest.width)).into(), Role::PaneBorder)]);
        rest = Rect { y: rest.y + 1, height: rest.height - 1, ..rest };
    }
    let width = usize::from(rest.width);
    let advice = advice_lines(reason, width);
    // What to do is never scrolled away; with little room it comes before what speaks for it.
    let tall = u16::try_from(advice.len()).unwrap_or(u16::MAX).min(rest.height);
    let gap = u16::from(rest.height > tall + 2);
    let body = Rect { height: rest.height - tall - gap, ..rest };
    canvas.lines(Rect { y: body.bottom() + gap, height: tall, ..rest }, &advice, 0);
    let lines = evidence_lines(reason, width);
    let end = lines.len().saturating_sub(usize::from(body.height));
    let first = explaining.scroll.min(end);
    canvas.hits.push(Hit { area: body, target: Target::Text { first } });
    canvas.lines(body, &lines, first);
    if end > first && gap == 1 {
        let line = Rect { y: body.bottom(), height: 1, ..rest };
        let more = format!("{} more (pagedown)", text::count(end - first, "line"));
        canvas.right(line, &more, canvas.style(Role::TextDim));
    }
}

fn draw_list(canvas: &mut Canvas<'_>, area: Rect, index: usize, reasons: &[Reason]) {
    let height = usize::from(area.height);
    let first = (index + 1).saturating_sub(height).min(reasons.len().saturating_sub(height));
    let rows = reasons.iter().enumerate().skip(first);
    for (y, (at, reason)) in (area.top()..area.bottom()).zip(rows) {
        let line = Rect { y, height: 1, ..area };
        let (symbol, role) = symbol(reason.weight);
        let left =
            Rect { x: line.x + 2.min(line.width), width: line.width.saturating_sub(2), ..line };
        let pieces: [Piece<'_>; 4] = [
            (format!("{symbol} {:<7}", reason.weight.as_str()).into(), role),
            (format!("{:<20}", text::fit(&reason.name, 19)).into(), Role::TextStrong),
            (format!("{:<9}", text::fit(&reason.sureness, 8)).into(), Role::TextDim),
            (reason.title.as_str().into(), Role::Text),
        ];
        canvas.pieces(left, &pieces);
        if at == index {
            canvas.select(line);
        }
    }
}

fn evidence_lines(reason: &Reason, width: usize) -> Vec<Piece<'static>> {
    let mut lines: Vec<Piece<'static>> = Vec::new();
    for evidence in &reason.evidence {
        for (at, line) in text::wrap(evidence, width.saturating_sub(2), 8).into_iter().enumerate() {
            let mark = if at == 0 { "· " } else { "  " };
            lines.push((format!("{mark}{}", line.trim_start()).into(), Role::Text));
        }
    }
    lines
}

fn advice_lines(reason: &Reason, width: usize) -> Vec<Piece<'static>> {
    let wrapped = text::wrap(&reason.advice, width.saturating_sub(2), ADVICE);
    wrapped
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            let mark = if at == 0 { "→ " } else { "  " };
            (format!("{mark}{}", line.trim_start()).into(), Role::TextStrong)
        })
        .collect()
}

/// The symbol and role of a weight.
fn symbol(weight: Weight) -> (&'static str, Role) {
    match weight {
        Weight::Blocks => ("▲", Role::RunStalled),
        Weight::Delays => ("◔", Role::RunAwaiting),
        Weight::Waits => ("◷", Role::RunAwaiting),
        Weight::Over => ("✓", Role::RunCompleted),
        Weight::Aside => ("·", Role::TextDim),
    }
}

fn draw_footer(app: &App, canvas: &mut Canvas<'_>, line: Rect, explaining: &Explaining) {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut hint = |key: &'static str, what: &str| {
        pieces.push((key.into(), Role::FooterKey));
        pieces.push((format!(" {what}  ").into(), Role::Footer));
    };
    if let Some(step) = explaining.chosen().map(|reason| &reason.step) {
        let changes = matches!(step, Step::Do(_) | Step::Answer { .. } | Step::Start(_));
        match step.verb() {
            Some(_) if changes && app.access == Access::ReadOnly => hint("enter", "(read-only)"),
            Some(verb) if !matches!(step, Step::Wait(_)) => hint("enter", verb),
            _ => {}
        }
    }
    if explaining.reasons().len() > 1 {
        hint("↑↓", "choose");
    }
    hint("r", "again");
    hint("o", "open");
    hint("y", "copy");
    hint("esc", if explaining.trail.is_empty() { "close" } else { "back" });
    let used = canvas.pieces(line, &pieces);
    let asked = match explaining.state {
        Asked::Awaited => "asking …".to_owned(),
        Asked::At(at) => format!("{} ago", text::whole_age(app.clock.since(at))),
    };
    let rest = Rect { x: line.x + used, width: line.width.saturating_sub(used), ..line };
    if usize::from(rest.width) > asked.len() {
        canvas.right(rest, &asked, canvas.style(Role::TextDim));
    }
}
