//! The time line of a recording: where it is between start and end, what happened when, and below
//! that the last thing that happened.

use ratatui::layout::Rect;

use super::{
    super::{
        actions::Action,
        app::{App, Hit, Target},
        replaying::Replaying,
        text,
        theme::Role,
    },
    canvas::{Canvas, Piece},
};
use crate::{
    engine::Timestamp,
    recording::{Event, Mark, Playback},
};

/// From this height of the screen on, what happened has a line of its own.
const TALL: u16 = 20;

/// Below this height there is no time line.
const SHORT: u16 = 7;

/// Narrower bars say nothing.
const BAR: u16 = 8;

/// A day, in milliseconds: longer recordings show dates.
const DAY: i64 = 24 * 3600 * 1000;

/// How many lines it takes of a screen.
pub(super) fn height(app: &App, area: Rect) -> u16 {
    match app.replay {
        Some(_) if area.height >= TALL => 2,
        Some(_) if area.height >= SHORT => 1,
        _ => 0,
    }
}

/// The key of an action as a hint shows it: play has a larger one, which is free here.
pub(super) fn key(app: &App, action: Action) -> String {
    let shown = match action {
        Action::Play => Action::Mark,
        action => action,
    };
    app.keymap.key(shown)
}

/// Draws it.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(replay) = &app.replay else { return };
    if area.height == 0 {
        return;
    }
    draw_bar(canvas, Rect { height: 1, ..area }, replay);
    if area.height > 1 {
        draw_event(app, canvas, Rect { y: area.y + 1, height: 1, ..area }, replay);
    }
}

fn draw_bar(canvas: &mut Canvas<'_>, line: Rect, replay: &Replaying) {
    let moment = &replay.moment;
    let symbol = match moment.playback {
        Playback::Playing => "▶",
        Playback::Held => "‖",
    };
    let left = format!(" {symbol} {} ", clock(replay, moment.at));
    let passed = text::whole_age(moment.at.since(moment.start));
    let whole = text::whole_age(moment.end.since(moment.start));
    // As wide at any moment, so that the bar stays where it is.
    let right = format!(" {passed:>0$} of {whole}  {1} ", text::width(&whole), moment.speed);
    let role = match moment.playback {
        Playback::Playing => Role::WorkerRunning,
        Playback::Held => Role::WorkerPaused,
    };
    let used = canvas.text(line.x, line.y, line.width, &left, canvas.style(role));
    let reserved = u16::try_from(text::width(&right)).unwrap_or(u16::MAX);
    let mut bar = Rect { x: line.x + used, width: line.width - used, ..line };
    if bar.width >= reserved.saturating_add(BAR) {
        bar.width -= reserved;
        canvas.right(line, &right, canvas.style(Role::TextDim));
    }
    if bar.width < BAR {
        return;
    }
    let here = replay.cell(bar.width);
    for cell in 0..bar.width {
        let (symbol, role) = match replay.mark(cell, bar.width) {
            Some(mark) => of_mark(mark),
            None if cell == here => ("●", Role::FooterKey),
            None if cell < here => ("━", Role::FooterKey),
            None => ("─", Role::TextDim),
        };
        let style = if cell == here { Role::Selected } else { role };
        canvas.text(bar.x + cell, bar.y, 1, symbol, canvas.style(style));
    }
    canvas.hits.push(Hit { area: bar, target: Target::TimeLine });
}

/// The last thing that happened, and the keys where there is room for them.
fn draw_event(app: &App, canvas: &mut Canvas<'_>, line: Rect, replay: &Replaying) {
    let moment = &replay.moment;
    let pairs = [
        (Action::EventBack, Action::EventForward, "event"),
        (Action::StepBack, Action::StepForward, "step"),
        (Action::MinuteBack, Action::MinuteForward, "minute"),
        (Action::Slower, Action::Faster, "speed"),
    ];
    let mut keys: Vec<Piece<'_>> = Vec::new();
    for (back, forward, what) in pairs {
        let pair = format!("{} {}", app.keymap.key(back), app.keymap.key(forward));
        keys.push((pair.into(), Role::FooterKey));
        keys.push((format!(" {what}  ").into(), Role::Footer));
    }
    let wide: usize = keys.iter().map(|(text, _)| text::width(text)).sum();
    let wide = u16::try_from(wide).unwrap_or(u16::MAX);
    let mut room = line.width;
    if line.width >= wide.saturating_mul(2) {
        room -= wide;
        canvas.pieces(Rect { x: line.x + room, width: wide, ..line }, &keys);
    }
    let happened = moment.happened.until(moment.at);
    let last = happened.iter().rev().find_map(|(at, event)| Some((at, event, event.mark()?)));
    let pieces: Vec<Piece<'_>> = match last {
        Some((at, event, mark)) => {
            let (symbol, role) = of_mark(mark);
            let role = match event {
                Event::Operation { ok: false, .. } => Role::TextError,
                _ => role,
            };
            let ago = match moment.at.since(*at).as_secs() {
                0 => "now".to_owned(),
                _ => format!("{} ago", text::whole_age(moment.at.since(*at))),
            };
            vec![
                (format!(" {symbol} ").into(), role),
                (format!("{ago}: ").into(), Role::TextDim),
                (event.text().into(), Role::Text),
            ]
        }
        None => vec![(" nothing has happened yet".into(), Role::TextDim)],
    };
    canvas.pieces(Rect { width: room, ..line }, &pieces);
}

/// The symbol and role of something that happened.
fn of_mark(mark: Mark) -> (&'static str, Role) {
    match mark {
        Mark::Failure => ("✗", Role::RunFailed),
        Mark::Stall => ("▲", Role::RunStalled),
        Mark::Operation => ("◆", Role::Marked),
        Mark::Worker => ("◇", Role::WorkerPaused),
        Mark::Began => ("┃", Role::TextDim),
    }
}

/// The time of day of a moment, with the date where the recording is longer than a day.
pub(super) fn clock(replay: &Replaying, at: Timestamp) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at.millis()) else { return at.to_string() };
    let format = if replay.span() >= DAY { "%b %d %H:%M:%S" } else { "%H:%M:%S" };
    time.to_zoned(replay.moment.zone.clone()).strftime(format).to_string()
}
