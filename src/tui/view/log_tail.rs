//! The latest log lines, by tui-logger's widget: the pane of the overview.

use ratatui::{layout::Rect, style::Style, text::Line, widgets::Widget};
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerWidget};

use super::{
    super::{
        app::App,
        rows::ListId,
        text,
        theme::{Role, Theme},
    },
    canvas::Canvas,
    pane, recorded_logs,
};
use crate::monitor::Sourced;

/// The most lines of one event.
const EVENT_LINES: usize = 20;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let inside = pane::open(app, canvas, area, ListId::Logs, "Logs", None::<&Sourced<()>>);
    if let Some(replay) = &app.replay {
        recorded_logs::draw(canvas, inside, replay, 0);
        return;
    }
    if app.logs.book.is_empty() {
        pane::empty(app, canvas, inside, ListId::Logs, None::<&Sourced<()>>);
        return;
    }
    if inside.is_empty() {
        return;
    }
    TuiLoggerWidget::default()
        .formatter(Box::new(Format::new(canvas.theme)))
        .style(canvas.style(Role::Text))
        .state(&app.logs.tail)
        .render(inside, canvas.buffer);
}

/// How a line is written: made harmless, wrapped by cells, coloured by level.
struct Format {
    error: Style,
    warn: Style,
    info: Style,
    debug: Style,
    trace: Style,
}

impl Format {
    fn new(theme: &Theme) -> Self {
        Self {
            error: theme.style(Role::LogError),
            warn: theme.style(Role::LogWarn),
            info: theme.style(Role::LogInfo),
            debug: theme.style(Role::LogDebug),
            trace: theme.style(Role::LogTrace),
        }
    }
}

impl LogFormatter for Format {
    fn min_width(&self) -> u16 {
        1
    }

    fn format(&self, width: usize, event: &ExtLogRecord) -> Vec<Line<'_>> {
        // The level's name is as wide for all, and says without colour what the colour says.
        let (name, style) = match event.level.as_str() {
            "ERROR" => ("ERROR", self.error),
            "WARN" => ("WARN ", self.warn),
            "INFO" => ("info ", self.info),
            "DEBUG" => ("debug", self.debug),
            _ => ("trace", self.trace),
        };
        let time = event.timestamp.strftime("%H:%M:%S");
        let text = format!("{time} {name} {}", event.msg().trim());
        let mut lines: Vec<Line<'_>> = text::wrap(&text, width, EVENT_LINES)
            .into_iter()
            .map(|line| Line::styled(line, style))
            .collect();
        // The widget counts on at least one line.
        if lines.is_empty() {
            lines.push(Line::default());
        }
        lines
    }
}
