//! What there is to look at, the most urgent first.

use ratatui::layout::Rect;

use super::{
    super::{actions::Action, app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus, Piece},
    pane,
    table::{Column, Table, fixed, flexible, number},
    words,
};
use crate::monitor::{Subject, Warning};

const COLUMNS: [Column; 4] = [
    fixed("kind", 18, 0),
    flexible("about", 14, 2, 1),
    flexible("what", 20, 4, 0),
    number("since", 6, 2),
];

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().warnings;
    let warnings = &source.data;
    let count = app.rows.count(ListId::Warnings);
    let title = match (warnings.count(), warnings.urgent()) {
        (0, _) => "Warnings".to_owned(),
        (all, urgent) => format!("Warnings  {all}, {urgent} urgent"),
    };
    let unlisted = match warnings.unlisted() {
        0 => String::new(),
        more => format!("  ({more} more of the same kinds are not listed)"),
    };
    let below = if area.height >= 14 { 7 } else { 0 };
    let list = Rect { height: area.height - below, ..area };
    let title = format!("{title}{unlisted}");
    let inside = pane::open(app, canvas, list, ListId::Warnings, &title, Some(source));
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Warnings, Some(source));
    } else {
        draw_table(app, canvas, inside, count);
    }
    if below > 0 {
        let place = Rect { y: list.bottom(), height: below, ..area };
        let inside =
            canvas.pane(place, &[("What to do".into(), Role::PaneTitle)], Focus::Elsewhere);
        if let Some(warning) = app.selected_warning() {
            describe(app, canvas, inside, warning);
        }
    }
}

fn draw_table(app: &App, canvas: &mut Canvas<'_>, area: Rect, count: usize) {
    let now = app.now();
    let warnings = app.shown().warnings.data.list();
    let table = Table {
        list: ListId::Warnings,
        columns: &COLUMNS,
        state: app.list(ListId::Warnings),
        count,
        focus: Focus::when(app.focus == ListId::Warnings),
        stale: false,
    };
    table.draw(canvas, area, |row| {
        let warning = warnings.get(app.rows.place(ListId::Warnings, row)?)?;
        let (symbol, role) = words::warning(warning.kind);
        let cells = vec![
            (format!("{symbol} {}", warning.kind.as_str()).into(), role),
            (about(&warning.subject).into(), Role::Text),
            (warning.text.as_str().into(), Role::Text),
            (words::ago(now, Some(warning.since)), Role::TextDim),
        ];
        Some((format!("{} {}", warning.kind.as_str(), warning.subject).into(), cells))
    });
}

/// What a warning is about, as short as it can be said.
fn about(subject: &Subject) -> String {
    match subject {
        Subject::Lock(key) => {
            key.rsplit_once("nodelock:").map_or(key.as_str(), |it| it.1).to_owned()
        }
        Subject::Run(run) => run.to_string(),
        subject => subject.to_string(),
    }
}

fn describe(app: &App, canvas: &mut Canvas<'_>, area: Rect, warning: &Warning) {
    let width = usize::from(area.width);
    let mut lines: Vec<Piece<'_>> = text::wrap(&warning.text, width, 3)
        .into_iter()
        .map(|line| (line.into(), Role::Text))
        .collect();
    let advice = words::advice(warning.kind);
    let keys = advice
        .1
        .iter()
        .map(|action| format!("{} {}", app.keymap.key(*action), action.info().hint_or_id()));
    let open = format!("{} go there", app.keymap.key(Action::Open));
    let keys: Vec<String> = keys.chain([open]).collect();
    lines.extend(
        text::wrap(advice.0, width, 3).into_iter().map(|line| (line.into(), Role::TextDim)),
    );
    lines.push((keys.join("   ").into(), Role::FooterKey));
    canvas.lines(area, &lines, 0);
}
