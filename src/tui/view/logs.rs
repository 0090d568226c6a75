//! The log lines, and how much of each target is shown.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use ratatui::{layout::Rect, style::Style};
use tracing::Level;

use super::{
    super::{
        actions::Action,
        app::{App, Hit, Target},
        log_book::{Entry, LogTarget},
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus, Piece},
    pane, recorded_logs,
    table::MARK,
};
use crate::{engine::Timestamp, monitor::Sourced};

/// Below this size there is no room for the list of targets.
const SMART_WIDTH: u16 = 60;
const SMART_HEIGHT: u16 = 6;

/// How wide the list of targets gets.
const TARGETS_WIDTH: u16 = 48;

/// The most lines of one event.
const EVENT_LINES: usize = 20;

/// What is shown of the log, where that is not all of it.
fn title(app: &App) -> String {
    let book = &app.logs.book;
    let mut title = "Logs".to_owned();
    if book.count() < book.len() {
        title = format!("{title}  {} of {}", book.count(), book.len());
    }
    if let Some(only) = book.only() {
        title = format!("{title}  {MARK} only {only}");
    }
    title
}

/// The screen: levels for each target, and the lines.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if let Some(replay) = &app.replay {
        recorded_logs::draw_screen(app, canvas, area, replay);
        return;
    }
    let logs = &app.logs;
    let bottom = app.keymap.key(Action::Bottom);
    let last = logs.book.count().checked_sub(1);
    let at = match (logs.held, last) {
        (Some(number), Some(last)) => Some(logs.book.place(number).min(last)),
        (_, last) => last,
    };
    let below = last.zip(at).map_or(0, |(last, at)| last - at);
    let title = match logs.held {
        None => title(app),
        Some(_) => format!("Logs, held: {below} below, {bottom} follows again"),
    };
    if !logs.targets || area.width < SMART_WIDTH || area.height < SMART_HEIGHT + 3 {
        let inside = pane::open(app, canvas, area, ListId::Logs, &title, None::<&Sourced<()>>);
        draw_lines(app, canvas, inside, at);
        return;
    }
    let panes = Rect { height: area.height - 1, ..area };
    let targets = Rect { width: (area.width / 3).min(TARGETS_WIDTH), ..panes };
    let lines = Rect { x: targets.right(), width: panes.width - targets.width, ..panes };
    let focus = Focus::when(app.focus == ListId::Logs);
    canvas.hit_pane(area, ListId::Logs);
    let inside = canvas.pane(targets, &[("Targets".into(), Role::PaneTitle)], focus);
    draw_targets(app, canvas, inside, focus);
    let inside = pane::open(app, canvas, lines, ListId::Logs, &title, None::<&Sourced<()>>);
    draw_lines(app, canvas, inside, at);
    let key = |action| app.keymap.key(action);
    let hint: [Piece<'_>; 1] = [(
        format!(
            " {}{} target  {}{} levels shown  {} only this target  {} targets  {} search  pageup scrolls back, {bottom} follows",
            key(Action::Up), key(Action::Down), key(Action::Left), key(Action::Right), key(Action::Open), key(Action::Mark), key(Action::Filter),
        )
        .into(),
        Role::TextDim,
    )];
    canvas.pieces(Rect { y: panes.bottom(), height: 1, ..area }, &hint);
}

/// The targets, each with the levels of it that are shown: those that are not have no letter.
fn draw_targets(app: &App, canvas: &mut Canvas<'_>, area: Rect, focus: Focus) {
    let book = &app.logs.book;
    let selected = app.log_target();
    let height = usize::from(area.height);
    let first = selected.saturating_sub(height.saturating_sub(1));
    canvas.hits.push(Hit { area, target: Target::LogTargets { first } });
    let rows = book.targets().enumerate().skip(first);
    for (y, (at, target)) in (area.top()..area.bottom()).zip(rows) {
        let line = Rect { y, height: 1, ..area };
        let mark = if book.is_only(at) { MARK } else { " " };
        let mut pieces: Vec<Piece<'_>> = vec![(format!(" {mark}").into(), Role::Marked)];
        pieces.extend(levels(target));
        pieces.push((" ".into(), Role::Text));
        let room = usize::from(area.width).saturating_sub(9);
        pieces.push((text::fit_end(&target.name, room).into(), Role::Text));
        canvas.pieces(line, &pieces);
        if at != selected {
            continue;
        }
        if focus == Focus::Here {
            canvas.select(line);
        } else {
            canvas.text(line.x, line.y, 1, "▷", canvas.style(Role::SelectedFaint));
        }
    }
}

fn levels(target: &LogTarget) -> impl Iterator<Item = Piece<'static>> {
    let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let shown = target.shown;
    all.into_iter().map(move |level| {
        let letter = level.as_str().get(..1).unwrap_or_default();
        if shown.shows(level) { (letter.into(), role(level)) } else { ("·".into(), Role::TextDim) }
    })
}

/// The lines up to the one at a place, which is the lowest. Where they don't fill the area, those
/// below it follow.
fn draw_lines(app: &App, canvas: &mut Canvas<'_>, area: Rect, at: Option<usize>) {
    let book = &app.logs.book;
    let Some(at) = at else {
        if book.is_empty() || app.filter(ListId::Logs).is_empty() && book.only().is_none() {
            pane::empty(app, canvas, area, ListId::Logs, None::<&Sourced<()>>);
        } else {
            let hidden = format!("None of {} lines is shown.", book.len());
            canvas.pieces(area, &[(hidden.into(), Role::TextDim)]);
        }
        return;
    };
    canvas.hit_rows(area, ListId::Logs, 0);
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let zone = TimeZone::system();
    // From the lowest line up.
    let mut up: Vec<(String, Role)> = Vec::with_capacity(height);
    for entry in (0..=at).rev().map_while(|place| book.get(place)) {
        if up.len() >= height {
            break;
        }
        up.extend(
            wrapped(&entry, width, &zone).into_iter().rev().map(|it| (it, role(entry.level))),
        );
    }
    up.truncate(height);
    up.reverse();
    let mut lines = up;
    for entry in (at + 1..book.count()).map_while(|place| book.get(place)) {
        if lines.len() >= height {
            break;
        }
        lines.extend(wrapped(&entry, width, &zone).into_iter().map(|it| (it, role(entry.level))));
    }
    for (y, (line, role)) in (area.top()..area.bottom()).zip(&lines) {
        canvas.text(area.x, y, area.width, line, canvas.style(*role));
        for (from, to) in book.found_in(line) {
            mark_found(canvas, Rect { y, height: 1, ..area }, line, from, to);
        }
    }
}

/// Shows a stretch of a line as found.
fn mark_found(canvas: &mut Canvas<'_>, line: Rect, text: &str, from: usize, to: usize) {
    let (Some(before), Some(found)) = (text.get(..from), text.get(from..to)) else { return };
    let cells = |text: &str| u16::try_from(text::width(text)).unwrap_or(u16::MAX);
    let x = line.x.saturating_add(cells(before)).min(line.right());
    let place = Rect { x, width: cells(found).min(line.right() - x), ..line };
    let style: Style = canvas.style(Role::Marked);
    canvas.paint(place, style.add_modifier(ratatui::style::Modifier::UNDERLINED));
}

fn role(level: Level) -> Role {
    match level {
        Level::ERROR => Role::LogError,
        Level::WARN => Role::LogWarn,
        Level::INFO => Role::LogInfo,
        Level::DEBUG => Role::LogDebug,
        _ => Role::LogTrace,
    }
}

/// How many lines an entry takes.
pub(in crate::tui) fn tall(entry: &Entry<'_>, width: u16) -> usize {
    wrapped(entry, usize::from(width), &TimeZone::UTC).len()
}

/// The lines of an entry: made harmless, broken by cells. At least one.
fn wrapped(entry: &Entry<'_>, width: usize, zone: &TimeZone) -> Vec<String> {
    // The level's name is as wide for all, and says without colour what the colour says.
    let name = match entry.level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN ",
        Level::INFO => "info ",
        Level::DEBUG => "debug",
        _ => "trace",
    };
    let text = format!("{} {name} {}", time_of_day(entry.at, zone), entry.text.trim());
    let lines = text::wrap(&text, width, EVENT_LINES);
    if lines.is_empty() { vec![String::new()] } else { lines }
}

fn time_of_day(at: Timestamp, zone: &TimeZone) -> Cow<'static, str> {
    let Ok(at) = jiff::Timestamp::from_millisecond(at.millis()) else { return "--:--:--".into() };
    let at = zone.to_datetime(at);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()).into()
}
