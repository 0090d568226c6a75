//! What all panes of data have in common: a title with the filter and the age, and what to say
//! when there is nothing to show.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{actions::Action, app::App, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus, Piece},
    table::MARK,
    words,
};
use crate::monitor::{SourceState, Sourced};

/// Draws a pane's frame with its title. Returns what is inside.
pub(super) fn open<T>(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    list: ListId,
    title: &str,
    source: Option<&Sourced<T>>,
) -> Rect {
    let mut pieces: Vec<Piece<'_>> = vec![(title.into(), Role::PaneTitle)];
    let filter = app.filter(list);
    if !filter.is_empty() {
        pieces.push((format!(" /{filter}").into(), Role::Marked));
    }
    let marked = app.list(list).marked.len();
    if marked > 0 {
        pieces.push((format!(" {MARK} {marked} marked").into(), Role::Marked));
    }
    if let Some(Sourced { state: SourceState::Stale { .. }, updated_at, .. }) = source {
        let age = words::ago(app.now(), *updated_at);
        let age: Cow<'_, str> =
            if age.is_empty() { "never read".into() } else { format!("{age} old").into() };
        pieces.push((format!(" ✗ {age}").into(), Role::SourceStale));
    }
    let focus = Focus::when(app.focus == list);
    let inside = canvas.pane(area, &pieces, focus);
    canvas.hit_pane(area, list);
    inside
}

/// Says why a list is empty and what to do about it.
pub(super) fn empty<T>(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    list: ListId,
    source: Option<&Sourced<T>>,
) {
    let key = |action| app.keymap.key(action);
    let filter = app.filter(list);
    let (head, hint) = match (source.map(|source| (&source.state, source.updated_at)), list) {
        (Some((SourceState::Loading, _)), _) => {
            (format!("Reading the {} …", list.noun()), String::new())
        }
        (Some((SourceState::Stale { error, next_try }, None)), _) => (
            format!("The {} can't be read: {error}", list.noun()),
            format!("Next try in {}.", text::whole_age(app.now().until(*next_try))),
        ),
        _ if !filter.is_empty() => (
            format!("No {} match \"{filter}\".", list.noun()),
            format!("{} drops the filter.", key(Action::Back)),
        ),
        (_, ListId::Runs) => {
            ("No runs yet.".to_owned(), format!("Press {} to start one.", key(Action::Start)))
        }
        (_, ListId::Jobs) if app.shown().queue.data.depth > 0 => (
            "None of the messages can be taken now.".to_owned(),
            "A worker has them, or they are for later: a retry, a timer.".to_owned(),
        ),
        (_, ListId::Jobs) => (
            "No messages are waiting.".to_owned(),
            "Jobs show here while no worker has taken them.".to_owned(),
        ),
        (_, ListId::Letters) if app.shown().queue.data.poison > 0 => (
            "None can be seen now: somebody is going through them.".to_owned(),
            "They come back by themselves, within half a minute.".to_owned(),
        ),
        (_, ListId::Letters) => (
            "No dead letters.".to_owned(),
            "Messages that can't be handled end up here.".to_owned(),
        ),
        (_, ListId::Locks) => {
            ("No locks are held.".to_owned(), "Nothing is running at the moment.".to_owned())
        }
        (_, ListId::Workers) => (
            "No worker is alive.".to_owned(),
            "Nothing will run. Start one: flowcraft-tui --no-ui".to_owned(),
        ),
        (_, ListId::Costs) => (
            "Not known yet.".to_owned(),
            "Workers say with each heartbeat, every 10 s; a rate takes two of them.".to_owned(),
        ),
        (_, ListId::Blueprints) => (
            "No blueprints loaded.".to_owned(),
            "Put JSON files into blueprints/; they are read at once.".to_owned(),
        ),
        (_, ListId::Warnings) => (
            "Nothing is the matter.".to_owned(),
            "Stalled runs, orphaned locks, poison and the like would be listed here.".to_owned(),
        ),
        (_, ListId::History) => (
            "Nothing was done from here yet.".to_owned(),
            "Every action that changes the cluster is listed here with its outcome.".to_owned(),
        ),
        (_, ListId::Logs) => ("No log lines yet.".to_owned(), String::new()),
        _ => (format!("No {}.", list.noun()), String::new()),
    };
    let width = usize::from(area.width.saturating_sub(2));
    let mut lines: Vec<Piece<'_>> =
        text::wrap(&head, width, 3).into_iter().map(|line| (line.into(), Role::Text)).collect();
    lines.extend(text::wrap(&hint, width, 3).into_iter().map(|line| (line.into(), Role::TextDim)));
    let tall = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let top = area.height.saturating_sub(tall) / 3;
    let place = Rect {
        x: area.x + 1.min(area.width),
        y: area.y + top,
        width: area.width.saturating_sub(2),
        height: area.height - top,
    };
    canvas.lines(place, &lines, 0);
}
