//! Keys on the screen of the logs: its targets, and scrolling. Scrolled up it holds still, at its
//! end it follows.

use super::super::{
    actions::Action,
    app::{App, Target},
    rows::ListId,
    screen::Screen,
    view::log_entry_height,
};

/// Takes an action that moves.
pub(super) fn step(app: &mut App, action: Action) {
    if app.screen != Screen::Logs {
        return;
    }
    if let Some(replay) = &mut app.replay {
        replay.scroll_logs(action);
        return;
    }
    let page = i32::from(area(app).map_or(1, |(_, height)| height.max(2) - 1));
    match action {
        Action::Up if has_targets(app) => select(app, -1),
        Action::Down if has_targets(app) => select(app, 1),
        Action::Up => scroll(app, -1),
        Action::Down => scroll(app, 1),
        Action::Left => app.logs.book.turn(app.log_target(), -1),
        Action::Right => app.logs.book.turn(app.log_target(), 1),
        Action::PageUp => scroll(app, -page),
        Action::PageDown => scroll(app, page),
        Action::Top => scroll(app, i32::MIN),
        _ => app.logs.held = None,
    }
}

/// Shows only the selected target, or all again.
pub(super) fn only(app: &mut App) {
    let target = app.log_target();
    app.logs.book.toggle_only(target);
}

/// The target at a place is the selected one.
pub(super) fn choose(app: &mut App, place: usize) {
    if let Some(target) = app.logs.book.targets().nth(place) {
        app.logs.target = Some(target.name.clone());
    }
}

fn select(app: &mut App, by: isize) {
    let last = app.logs.book.targets().len().saturating_sub(1);
    choose(app, app.log_target().saturating_add_signed(by).min(last));
}

/// Whether the targets are on the screen.
fn has_targets(app: &App) -> bool {
    app.hits.iter().any(|hit| matches!(hit.target, Target::LogTargets { .. }))
}

/// How wide and tall the place of the lines is.
fn area(app: &App) -> Option<(u16, u16)> {
    let hit = app
        .hits
        .iter()
        .rev()
        .find(|hit| matches!(hit.target, Target::Rows { list: ListId::Logs, .. }));
    hit.map(|hit| (hit.area.width, hit.area.height))
}

/// Scrolls by so many lines on the screen, as far as there are any.
pub(super) fn scroll(app: &mut App, by: i32) {
    let (Some((width, height)), Some(last)) = (area(app), app.logs.book.count().checked_sub(1))
    else {
        return;
    };
    let book = &app.logs.book;
    let tall = |place: usize| {
        let lines = book.get(place).map_or(1, |entry| log_entry_height(&entry, width));
        i32::try_from(lines).unwrap_or(1)
    };
    // The lowest line of the first page: there is nothing to be seen further up.
    let mut room = i32::from(height);
    let mut top = 0;
    while room > tall(top) && top < last {
        room -= tall(top);
        top += 1;
    }
    let mut place = app.logs.held.map_or(last, |number| book.place(number).min(last));
    let mut left = by;
    if by == i32::MIN {
        place = top;
    }
    while left < 0 && place > top {
        left = left.saturating_add(tall(place));
        place -= 1;
    }
    while left > 0 && place < last {
        place += 1;
        left -= tall(place);
    }
    app.logs.held = if place >= last { None } else { book.number(place.max(top)) };
}
