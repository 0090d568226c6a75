//! The log lines of a recording, up to the moment that is shown.

use ratatui::layout::Rect;

use super::{
    super::{actions::Action, app::App, replaying::Replaying, rows::ListId, text, theme::Role},
    canvas::Canvas,
    pane, time_line,
};
use crate::{
    monitor::Sourced,
    recording::{LogLevel, LoggedLine},
};

/// The most lines of one event.
const EVENT_LINES: usize = 20;

/// The screen of logs.
pub(super) fn draw_screen(app: &App, canvas: &mut Canvas<'_>, area: Rect, replay: &Replaying) {
    let bottom = app.keymap.key(Action::Bottom);
    let title = if replay.log_back > 0 {
        format!("Logs, held: {bottom} follows again")
    } else {
        "Logs of the recording".to_owned()
    };
    let inside = pane::open(app, canvas, area, ListId::Logs, &title, None::<&Sourced<()>>);
    draw(canvas, inside, replay, replay.log_back);
}

/// The last lines that fit, so many of the latest left out.
pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, replay: &Replaying, back: usize) {
    let logs = &replay.moment.logs;
    if logs.is_empty() {
        let line = Rect { height: area.height.min(1), ..area };
        canvas.pieces(line, &[(" No log lines yet.".into(), Role::Text)]);
        return;
    }
    let mut bottom = area.bottom();
    for logged in logs.iter().rev().skip(back) {
        let (text, role) = line(replay, logged);
        let lines = text::wrap(&text, usize::from(area.width), EVENT_LINES);
        for line in lines.iter().rev() {
            if bottom <= area.top() {
                return;
            }
            bottom -= 1;
            canvas.text(area.x, bottom, area.width, line, canvas.style(role));
        }
    }
}

/// A line as the live log has it: the level's name is as wide for all.
fn line(replay: &Replaying, logged: &LoggedLine) -> (String, Role) {
    let (name, role) = match logged.line.level {
        LogLevel::Error => ("ERROR", Role::LogError),
        LogLevel::Warn => ("WARN ", Role::LogWarn),
        LogLevel::Info => ("info ", Role::LogInfo),
        LogLevel::Debug => ("debug", Role::LogDebug),
        LogLevel::Trace => ("trace", Role::LogTrace),
    };
    let time = time_line::clock(replay, logged.at);
    (format!("{time} {name} {}", logged.line.text.trim()), role)
}
