//! One dead letter, with all that is known of it.

use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::{
    super::{
        actions::Action,
        app::{Access, App, Hit, Target},
        dialog::LetterView,
        json_lines::json_lines,
        text,
        theme::Role,
    },
    canvas::{Canvas, Piece},
    dialogs::centred,
    letters,
};
use crate::{cluster::message_text, monitor::DeadLetterRow};

/// How many lines of a reason and of a body are shown.
const REASON_LINES: usize = 200;
const BODY_LINES: usize = 1_000;

/// Names of values take so many cells.
const NAMES: usize = 11;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, view: &LetterView) {
    let wide = area.width.saturating_sub(4).min(110);
    let width = usize::from(wide.saturating_sub(4));
    let lines = lines(app, &view.row, width);
    let high = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(4);
    let place = centred(area, wide, high.clamp(9, area.height.saturating_sub(2).max(9)));
    let inside = canvas.dialog(place, "Dead letter", Role::DialogBorder);
    let foot = u16::from(inside.height > 3);
    let body = Rect { height: inside.height.saturating_sub(2 * foot), ..inside };
    let last = lines.len().saturating_sub(usize::from(body.height));
    let first = view.scroll.min(last);
    canvas.hits.push(Hit { area: body, target: Target::Text { first } });
    canvas.lines(body, &lines, first);
    if foot == 0 {
        return;
    }
    let line = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let mut hints: Vec<(String, &str)> = Vec::new();
    if view.row.job.is_some() {
        hints.push(("enter".to_owned(), "its run"));
    }
    if app.access == Access::Full {
        hints.push((app.keymap.key(Action::Replay), "replay"));
        hints.push((app.keymap.key(Action::Purge), "purge"));
    }
    hints.push((app.keymap.key(Action::Copy), "copy"));
    hints.push(("esc".to_owned(), "back"));
    let pieces: Vec<Piece<'_>> = hints
        .into_iter()
        .flat_map(|(key, hint)| {
            [(key.into(), Role::FooterKey), (format!(" {hint}  ").into(), Role::TextDim)]
        })
        .collect();
    canvas.pieces(line, &pieces);
    if last > 0 {
        let end = lines.len().min(first + usize::from(body.height));
        let text = format!("{}–{end} of {} ↑↓", first + 1, lines.len());
        canvas.right(line, &text, canvas.style(Role::TextDim));
    }
}

fn lines(app: &App, row: &DeadLetterRow, width: usize) -> Vec<Piece<'static>> {
    let mut lines: Vec<Piece<'static>> = Vec::new();
    let (symbol, role) = letters::reason(row.symptom.reason);
    let kind = row.symptom.reason.as_str();
    let group = row.symptom.fingerprint;
    lines.push((format!("{symbol} {kind}, group {group}").into(), Role::TextStrong));
    let reason = match &row.letter {
        Some(letter) => letter.reason.as_str(),
        None => row.symptom.says.as_str(),
    };
    let wrapped = text::wrap(reason, width.saturating_sub(2), REASON_LINES);
    lines.extend(wrapped.into_iter().map(|line| (format!("  {line}").into(), role)));
    lines.push(("".into(), Role::Text));
    for (name, value) in facts(app, row) {
        let wrapped = text::wrap(&value, width.saturating_sub(NAMES).max(8), 4);
        for (at, line) in wrapped.into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            lines.push((format!("{name:<NAMES$}{line}").into(), Role::Text));
        }
    }
    lines.push(("".into(), Role::Text));
    let original = row.letter.as_ref().map_or(row.body.as_str(), |letter| &letter.body);
    let (how, shown) = readable(original, width);
    let cut = row.letter.as_ref().is_some_and(|letter| letter.truncated);
    let cut = if cut { ", cut to fit" } else { "" };
    let bytes = original.len();
    lines.push((format!("body: {how}, {bytes} bytes{cut}").into(), Role::TextStrong));
    lines.extend(shown.into_iter().map(|line| (format!("  {line}").into(), Role::Text)));
    lines
}

/// What is known of a letter beside its reason and its message.
fn facts(app: &App, row: &DeadLetterRow) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(job) = &row.job {
        facts.push(("run", job.run_id.to_string()));
        facts.push(("node", job.node_id.to_string()));
        facts.push(("blueprint", job.blueprint_id.to_string()));
        let turn: Vec<String> = [
            ("iteration", job.iteration.map(u64::from)),
            ("generation", job.generation.map(u64::from)),
            ("revision", job.rev),
            ("holds", job.holds.map(u64::from)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
        .collect();
        if !turn.is_empty() {
            facts.push(("turn", turn.join(", ")));
        }
    }
    let ago = |at| text::whole_age(app.now().since(at));
    match &row.letter {
        Some(letter) => {
            facts.push(("failed", format!("{} ago, {}", ago(row.failed_at()), letter.failed_at)));
            facts.push((
                "tries",
                format!("{}×, the last by {}", letter.dequeue_count, letter.worker),
            ));
            let queue = letter.queue.as_deref().unwrap_or("not said: an older letter");
            facts.push(("from queue", queue.to_owned()));
        }
        None => {
            facts.push(("put here", format!("{} ago by another program", ago(row.inserted_at))));
        }
    }
    facts.push(("id", format!("{}, inserted {}", row.message_id, row.inserted_at)));
    facts
}

/// What kind of text a message is, and the text for reading.
fn readable(body: &str, width: usize) -> (&'static str, Vec<String>) {
    let plain = |text: &str| text::wrap(text, width.saturating_sub(2).max(1), BODY_LINES);
    let encoded = !body.trim_start().starts_with('{');
    let Ok(text) = message_text(body) else { return ("text", plain(body)) };
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let how = if encoded { "JSON under base64" } else { "JSON" };
            let lines = json_lines(&value, BODY_LINES);
            (how, lines.iter().flat_map(|line| plain(line)).collect())
        }
        Err(_) => (if encoded { "text under base64" } else { "text" }, plain(&text)),
    }
}

/// A letter as JSON, to be copied.
pub(in crate::tui) fn letter_text(row: &DeadLetterRow) -> String {
    let value = json!({
        "id": row.message_id,
        "fingerprint": row.symptom.fingerprint,
        "insertedAt": row.inserted_at.to_string(),
        "letter": row.letter,
        "body": if row.letter.is_some() { Value::Null } else { row.body.clone().into() },
    });
    serde_json::to_string_pretty(&value).unwrap_or_default()
}
