//! The line in which a filter is typed, and the one above it that helps.

use ratatui::layout::Rect;

use super::{
    super::{
        app::App,
        query::{Query, TERMS},
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Piece},
    run::context::search_status,
    runs::listing_words,
};

/// What is typed, how much it leaves, and how to get out.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, line: Rect, list: ListId) {
    let label = if list == ListId::Context { " search: " } else { " filter: " };
    let left = match (list, app.rows.listing()) {
        (ListId::Context, _) => search_status(app).unwrap_or_default(),
        (ListId::Runs, Some(percent)) => listing_words(percent),
        _ => format!("{} of {}", app.count(list), app.count_unfiltered(list)),
    };
    let mut right = format!("  {left}  enter keep  esc drop ");
    let filter = app.filter(list);
    let typed = text::width(filter) + label.len() + 1;
    let room = usize::from(line.width);
    if typed + text::width(&right) > room {
        right = format!("  {left} ");
    }
    let kept = if text::width(&right) + 24 > room { 0 } else { text::width(&right) };
    // The end is where one types.
    let shown = text::fit_end(filter, room.saturating_sub(label.len() + 1 + kept));
    let used = canvas
        .pieces(line, &[(label.into(), Role::FooterKey), (shown.as_str().into(), Role::Input)]);
    let rest = Rect { x: line.x + used, width: line.width - used, ..line };
    canvas.text(rest.x, rest.y, rest.width.min(1), " ", canvas.style(Role::InputCursor));
    if kept > 0 {
        canvas.right(rest, &right, canvas.style(Role::Footer));
    }
}

/// What is wrong with the filter of the runs, else how it may go on.
pub(super) fn draw_hint(app: &App, canvas: &mut Canvas<'_>, line: Rect) {
    let filter = app.filter(ListId::Runs);
    let completion = app.completion(ListId::Runs);
    let names = || TERMS.iter().map(|info| info.name).collect::<Vec<_>>().join(" ");
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    if !completion.choices.is_empty() {
        pieces.push((" tab ".into(), Role::FooterKey));
        pieces.push((completion.choices.join("  ").into(), Role::Footer));
    } else if let Some(problem) = Query::parse(filter).problem {
        pieces.push((format!(" ✗ {problem}").into(), Role::TextError));
        pieces.push((format!("  terms: {}", names()).into(), Role::Footer));
    } else {
        pieces.push((format!(" {}  words  -not", names()).into(), Role::Footer));
    }
    canvas.pieces(line, &pieces);
}
