//! The run's context, outputs and inputs as a tree that folds, and the selected value below it.

use ratatui::layout::Rect;

use super::super::{
    super::{
        actions::Action,
        app::App,
        json_lines::json_lines,
        rows::ListId,
        text,
        theme::Role,
        values::{Kind, Step, ValueTree, first, selected, split},
    },
    canvas::{Canvas, Piece},
};
use crate::monitor::RunDetail;

/// From this width on, the selected value stands beside the tree.
const BESIDE: u16 = 110;

/// From this height on, there is room for it below the tree.
const BELOW: u16 = 9;

/// Up to so many bytes, the characters of a text are counted.
const COUNTED: usize = 16 * 1024;

/// The cells in front of a row: the marker of the selection.
const MARKER: u16 = 2;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, _detail: &RunDetail) {
    let Some((tree, detail)) = app.values.shown() else {
        canvas.lines(area, &[("Reading the values …".into(), Role::TextDim)], 0);
        return;
    };
    let [rows, value] = split_area(area);
    draw_tree(app, canvas, rows, tree);
    let at = selected(app).unwrap_or(0);
    if value.width > 0 && area.width >= BESIDE {
        for y in value.top()..value.bottom() {
            canvas.text(value.x, y, 1, "│", canvas.style(Role::PaneBorder));
        }
        let inside = Rect { x: value.x + 2, width: value.width.saturating_sub(2), ..value };
        canvas.pieces(inside, &[heading(tree, at, usize::from(inside.width))]);
        let body = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
        draw_value(app, canvas, body, tree, detail, at);
    } else if value.height > 0 {
        let line = Rect { height: 1, ..value };
        rule(canvas, line);
        let room = usize::from(line.width).saturating_sub(status(app, tree).chars().count() + 6);
        let inside = Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line };
        let (text, role) = heading(tree, at, room);
        canvas.pieces(inside, &[(format!(" {text} ").into(), role)]);
        let body = Rect { y: value.y + 1, height: value.height - 1, ..value };
        draw_value(app, canvas, body, tree, detail, at);
    }
    // In the line below the tree: the frame's, or the one above the value.
    let edge = Rect { y: rows.bottom(), height: 1, ..rows };
    if rows.width >= 24 {
        canvas.right(edge, &format!(" {} ", status(app, tree)), canvas.style(Role::TextDim));
    }
}

/// The places of the tree and of the selected value.
fn split_area(area: Rect) -> [Rect; 2] {
    if area.width >= BESIDE {
        let left = area.width * 11 / 20;
        return [
            Rect { width: left, ..area },
            Rect { x: area.x + left, width: area.width - left, ..area },
        ];
    }
    if area.height < BELOW {
        return [area, Rect { width: 0, height: 0, ..area }];
    }
    let lower = (area.height / 3).clamp(3, 10);
    let upper = area.height - lower;
    [Rect { height: upper, ..area }, Rect { y: area.y + upper, height: lower, ..area }]
}

fn rule(canvas: &mut Canvas<'_>, line: Rect) {
    let dashes = "─".repeat(usize::from(line.width));
    canvas.text(line.x, line.y, line.width, &dashes, canvas.style(Role::PaneBorder));
}

/// How far down one is, and which match one is at.
fn status(app: &App, tree: &ValueTree) -> String {
    let row = app.list(ListId::Context).index + 1;
    let place = format!("{row}/{}", app.rows.count(ListId::Context));
    let hidden = tree.len() - app.rows.count(ListId::Context).min(tree.len());
    let place = if hidden > 0 { format!("{place} (+{hidden} folded)") } else { place };
    match search_status(app) {
        Some(search) => format!("{search}  {place}"),
        None => place,
    }
}

/// Which match of a search is selected: `3 of 17`.
pub(in crate::tui::view) fn search_status(app: &App) -> Option<String> {
    if app.filter(ListId::Context).is_empty() {
        return None;
    }
    let Some(found) = app.values.found() else { return Some("searching …".to_owned()) };
    let count = found.places.len();
    let number = selected(app).and_then(|at| found.number(at));
    Some(match (number, count) {
        (_, 0) => "no match".to_owned(),
        (Some(number), count) => format!("{number} of {count}"),
        (None, 1) => "1 match".to_owned(),
        (None, count) => format!("{count} matches"),
    })
}

fn draw_tree(app: &App, canvas: &mut Canvas<'_>, area: Rect, tree: &ValueTree) {
    let state = app.list(ListId::Context);
    let count = app.rows.count(ListId::Context);
    let first = state.view(count, usize::from(area.height));
    canvas.hit_rows(area, ListId::Context, first);
    let query = app.filter(ListId::Context);
    for (y, row) in (area.top()..area.bottom()).zip(first..count) {
        let Some(at) = app.rows.place(ListId::Context, row) else { continue };
        let line = Rect { y, height: 1, ..area };
        let open = app.values.folding.is_open(tree, at);
        let found = app.values.found().is_some_and(|found| found.number(at).is_some());
        draw_row(canvas, line, tree, at, open, if found { query } else { "" });
        if row == state.index {
            if app.focus == ListId::Context {
                canvas.select(line);
            } else {
                canvas.text(line.x, line.y, 1, "▷", canvas.style(Role::SelectedFaint));
            }
        }
    }
}

/// Draws one value in its line: fold marker, name, count or text.
fn draw_row(
    canvas: &mut Canvas<'_>,
    line: Rect,
    tree: &ValueTree,
    at: usize,
    open: bool,
    query: &str,
) {
    let kind = tree.kind(at);
    let indent = u16::try_from(tree.depth(at) * 2).unwrap_or(u16::MAX).min(line.width / 2);
    let skipped = (MARKER + indent).min(line.width);
    let inside = Rect { x: line.x + skipped, width: line.width - skipped, ..line };
    let width = usize::from(inside.width);
    let marker = match (kind.folds(), open) {
        (true, true) => "▾ ",
        (true, false) => "▸ ",
        (false, _) => "  ",
    };
    let mut pieces: Vec<Piece<'_>> = vec![(marker.into(), Role::FooterKey)];
    match tree.step(at) {
        Step::Name(name) if tree.depth(at) == 0 => {
            marked(&mut pieces, text::fit(name, width).into_owned(), query, Role::TextStrong);
        }
        Step::Name("") => pieces.push(("\"\"".into(), Role::ValueKey)),
        Step::Name(name) => {
            // A name may be long, and must leave room for the value.
            let name = text::fit_middle(name, (width * 3 / 5).max(8)).into_owned();
            marked(&mut pieces, name, query, Role::ValueKey);
        }
        Step::Index(index) => pieces.push((format!("[{index}]").into(), Role::TextDim)),
    }
    match kind {
        Kind::Object(count) => pieces.push((format!(" {{{count}}}").into(), Role::TextDim)),
        Kind::Array(count) => pieces.push((format!(" [{count}]").into(), Role::TextDim)),
        Kind::Text => {
            pieces.push((": ".into(), Role::TextDim));
            pieces.push(("\"".into(), Role::ValueText));
            let used: usize = pieces.iter().map(|(text, _)| text::width(text)).sum();
            let shown = excerpt(tree.text(at), query, width.saturating_sub(used + 1));
            marked(&mut pieces, shown, query, Role::ValueText);
            pieces.push(("\"".into(), Role::ValueText));
        }
        Kind::Number | Kind::Word => {
            pieces.push((": ".into(), Role::TextDim));
            let role = if kind == Kind::Number { Role::ValueNumber } else { Role::ValueWord };
            marked(&mut pieces, tree.text(at).to_owned(), query, role);
        }
    }
    if kind.folds() && !open {
        pieces.push((format!("  {}", tree.preview(at, width)).into(), Role::TextDim));
    }
    canvas.pieces(inside, &pieces);
}

/// The part of a text that fits: its beginning, or what is around the first match.
fn excerpt(whole: &str, query: &str, room: usize) -> String {
    /// The characters in front of a match that say where it stands.
    const BEFORE: usize = 8;
    let start = first(whole, query)
        .filter(|at| at + query.len() > room)
        .map(|at| whole[..at].char_indices().rev().nth(BEFORE).map_or(0, |(before, _)| before));
    match start {
        Some(from) if from > 0 => {
            format!("…{}", text::fit(&whole[from..], room.saturating_sub(1)))
        }
        _ => text::fit(whole, room).into_owned(),
    }
}

/// Adds a text, with what was looked for standing out.
fn marked(pieces: &mut Vec<Piece<'_>>, shown: String, query: &str, role: Role) {
    if query.is_empty() {
        pieces.push((shown.into(), role));
        return;
    }
    for (part, is_match) in split(&shown, query) {
        let role = if is_match { Role::ValueMatch } else { role };
        pieces.push((part.to_owned().into(), role));
    }
}

/// Where the selected value is, and what it is.
fn heading(tree: &ValueTree, at: usize, room: usize) -> Piece<'static> {
    let what = match tree.kind(at) {
        Kind::Object(count) => text::count(count, "member"),
        Kind::Array(count) => text::count(count, "item"),
        Kind::Text => {
            let text = tree.text(at);
            if text.len() > COUNTED {
                format!("text, {}", text::bytes(text.len() as u64))
            } else {
                format!("text, {}", text::count(text.chars().count(), "character"))
            }
        }
        Kind::Number => "number".to_owned(),
        Kind::Word if tree.text(at) == "null" => "null".to_owned(),
        Kind::Word => "true or false".to_owned(),
    };
    let path = text::fit_end(&tree.path(at), room.saturating_sub(what.len() + 3).max(8));
    (format!("{path}  ({what})").into(), Role::TextStrong)
}

fn draw_value(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    tree: &ValueTree,
    detail: &RunDetail,
    at: usize,
) {
    if area.is_empty() {
        return;
    }
    let height = usize::from(area.height);
    let width = usize::from(area.width);
    let (mut lines, role) = match tree.kind(at) {
        Kind::Object(_) | Kind::Array(_) => match tree.value(detail, at) {
            Some(value) => (json_lines(value, height + 1), Role::Text),
            None => (section_lines(app, width), Role::TextDim),
        },
        Kind::Text => (text::wrap(tree.text(at), width, height + 1), Role::ValueText),
        Kind::Number => (text::wrap(tree.text(at), width, height + 1), Role::ValueNumber),
        Kind::Word => (vec![tree.text(at).to_owned()], Role::ValueWord),
    };
    let cut = lines.len() > height;
    lines.truncate(height);
    let pieces: Vec<Piece<'_>> = lines.into_iter().map(|line| (line.into(), role)).collect();
    canvas.lines(area, &pieces, 0);
    if cut {
        let key = app.keymap.key(Action::Open);
        let more = if tree.kind(at).folds() {
            " … more ".to_owned()
        } else {
            format!(" … {key}: all of it ")
        };
        let last = Rect { y: area.bottom() - 1, height: 1, ..area };
        canvas.right(last, &more, canvas.style(Role::FooterKey));
    }
}

/// What can be done here, where a section is selected.
fn section_lines(app: &App, width: usize) -> Vec<String> {
    let key = |action| app.keymap.key(action);
    let hints = [
        format!(
            "{} folds and unfolds, {} {} all of it; {} searches, {} {} go from match to match.",
            key(Action::Mark),
            key(Action::UnfoldAll),
            key(Action::FoldAll),
            key(Action::Filter),
            key(Action::NextMatch),
            key(Action::PreviousMatch),
        ),
        format!(
            "{} copies the value as JSON, {} its path; {} writes it to a file.",
            key(Action::Copy),
            key(Action::CopyPlace),
            key(Action::Export),
        ),
    ];
    hints.iter().flat_map(|hint| text::wrap(hint, width, 4)).collect()
}
