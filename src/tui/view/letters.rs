//! The dead letters: group by group, with the letters of those that are unfolded.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{
        app::App,
        letters::{LetterRow, group_key},
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus, Piece},
    pane,
    table::{Cell, Column, Table, flexible, ids, number},
    words,
};
use crate::{
    monitor::{DeadLetterRow, SourceState},
    operations::{LetterGroup, ReasonKind},
};

const COLUMNS: [Column; 7] = [
    flexible("reason / run", 34, 5, 0),
    ids("node", 12, 2, 3),
    number("letters", 7, 1),
    number("tries", 5, 4),
    number("runs", 4, 5),
    number("age", 11, 2),
    number("group", 8, 6),
];

/// The symbol and role of a kind of reason.
pub(super) fn reason(kind: ReasonKind) -> (&'static str, Role) {
    match kind {
        ReasonKind::NeverFinished => ("↻", Role::TextError),
        ReasonKind::NoRun => ("∅", Role::TextError),
        ReasonKind::Blueprint => ("▣", Role::TextError),
        ReasonKind::Failed => ("✗", Role::TextError),
        ReasonKind::NotAJob => ("?", Role::TextError),
        ReasonKind::ForeignJob => ("↷", Role::LockForeign),
        ReasonKind::Foreign => ("◌", Role::LockForeign),
    }
}

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().queue;
    let view = &source.data;
    let rows = &app.rows.letters;
    let seen = view.dead_letters.len();
    let passing = match rows.letters() {
        all if all == seen => String::new(),
        some => format!("{some} of "),
    };
    let total = if view.poison > seen as u64 {
        format!("{seen} seen of {}", view.poison)
    } else {
        seen.to_string()
    };
    let groups = match rows.groups.len() {
        0 => String::new(),
        count => format!(" in {}", text::count(count, "group")),
    };
    let title = format!("Dead letters  {passing}{total}{groups}");
    let inside = pane::open(app, canvas, area, ListId::Letters, &title, Some(source));
    let count = app.rows.count(ListId::Letters);
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Letters, Some(source));
        return;
    }
    let inside = draw_foot(app, canvas, inside);
    let table = Table {
        list: ListId::Letters,
        columns: &COLUMNS,
        state: app.list(ListId::Letters),
        count,
        focus: Focus::when(app.focus == ListId::Letters),
        stale: matches!(source.state, SourceState::Stale { .. }),
    };
    table.draw(canvas, inside, |row| match rows.get(row)? {
        LetterRow::Group(at) => Some(group_row(app, rows.groups.get(at)?)),
        LetterRow::Letter(at) => Some(letter_row(app, view.dead_letters.get(at)?)),
    });
}

/// How many lines the foot has, a free one above it included.
const FOOT: u16 = 4;

/// Says at the foot of the pane what the selected row's columns have no room for. Returns what is
/// left above it.
fn draw_foot(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let Some(group) = app.selected_letter_group().filter(|_| area.height >= 3 * FOOT - 2) else {
        return area;
    };
    let symptom = &group.symptom;
    let (symbol, role) = reason(symptom.reason);
    let place = symptom.place().map(|place| format!("  {place}")).unwrap_or_default();
    let runs = match group.runs {
        0 => String::new(),
        count => format!("  {}", text::count(count, "run")),
    };
    let head =
        format!("{symbol} {}{place}{runs}  group {}", symptom.reason.as_str(), symptom.fingerprint);
    let letter = app.selected_letter().and_then(|row| row.letter.as_ref());
    let says = letter.map_or(symptom.says.as_str(), |letter| &letter.reason);
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let mut lines: Vec<Piece<'_>> = vec![(head.into(), Role::TextDim)];
    let wrapped = text::wrap(says, usize::from(inner.width), usize::from(FOOT - 2));
    lines.extend(wrapped.into_iter().map(|line| (line.into(), role)));
    let top = area.height - FOOT + 1;
    canvas.lines(Rect { y: area.y + top, height: FOOT - 1, ..inner }, &lines, 0);
    Rect { height: area.height - FOOT, ..area }
}

/// A row's key and cells.
type Row<'a> = (Cow<'a, str>, Vec<Cell<'a>>);

fn group_row<'a>(app: &'a App, group: &'a LetterGroup) -> Row<'a> {
    let symptom = &group.symptom;
    let unfolded = app.unfolded.contains(&symptom.fingerprint);
    let (symbol, role) = reason(symptom.reason);
    let fold = if unfolded { "▾" } else { "▸" };
    let says = text::fit(&symptom.says, 200);
    let marked = &app.list(ListId::Letters).marked;
    let letters = &app.shown().queue.data.dead_letters;
    let ids = || group.letters.iter().filter_map(|at| Some(&letters.get(*at)?.message_id));
    let marks = if marked.is_empty() { 0 } else { ids().filter(|id| marked.contains(id)).count() };
    let count = group.letters.len();
    // A group is marked when all its letters are: then one of them stands for its key.
    let key: Cow<'_, str> = match ids().next() {
        Some(id) if marks == count => id.as_str().into(),
        _ => group_key(symptom.fingerprint).into(),
    };
    let number =
        if marks > 0 && marks < count { format!("◆{marks}/{count}") } else { count.to_string() };
    let runs = if group.runs == 0 { "–".to_owned() } else { group.runs.to_string() };
    let place = symptom.place().unwrap_or_else(|| "–".to_owned());
    let cells = vec![
        (format!("{fold} {symbol} {says}").into(), role),
        (place.into(), Role::Text),
        (number.into(), Role::TextStrong),
        ("".into(), Role::TextDim),
        (runs.into(), Role::Text),
        (ages(app, group).into(), Role::TextDim),
        (symptom.fingerprint.to_string().into(), Role::TextDim),
    ];
    (key, cells)
}

/// From when to when a group's letters failed.
fn ages(app: &App, group: &LetterGroup) -> String {
    let ago = |at| words::ago(app.now(), Some(at));
    let (oldest, newest) = (ago(group.oldest), ago(group.newest));
    if oldest == newest { newest.into_owned() } else { format!("{oldest}–{newest}") }
}

fn letter_row<'a>(app: &'a App, row: &'a DeadLetterRow) -> Row<'a> {
    let job = row.job.as_ref();
    let what = match job {
        Some(job) => format!("    {}", text::fit(&job.run_id, 200)),
        None => format!("    {}", text::fit(&row.body, 200)),
    };
    let tries = row.letter.as_ref().map_or(row.dequeue_count, |letter| letter.dequeue_count);
    let cells = vec![
        (what.into(), Role::Text),
        (job.map_or("–", |job| job.node_id.as_str()).into(), Role::Text),
        ("".into(), Role::TextDim),
        (format!("{tries}×").into(), Role::TextDim),
        ("".into(), Role::TextDim),
        (words::ago(app.now(), Some(row.failed_at())), Role::TextDim),
        ("".into(), Role::TextDim),
    ];
    (row.message_id.as_str().into(), cells)
}
