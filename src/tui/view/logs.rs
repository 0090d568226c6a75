//! The log lines, by tui-logger's widgets.

use ratatui::{layout::Rect, style::Style, text::Line, widgets::Widget};
use tui_logger::{
    ExtLogRecord, LogFormatter, TuiLoggerTargetWidget, TuiLoggerWidget, TuiWidgetState,
};

use super::{
    super::{
        actions::Action,
        app::App,
        rows::ListId,
        text,
        theme::{Role, Theme},
    },
    canvas::{Canvas, Focus, Piece},
    pane, recorded_logs,
};
use crate::monitor::Sourced;

/// Below this size there is no room for the list of targets.
const SMART_WIDTH: u16 = 60;
const SMART_HEIGHT: u16 = 6;

/// How wide the list of targets gets.
const TARGETS_WIDTH: u16 = 48;

/// The most lines of one event.
const EVENT_LINES: usize = 20;

/// The pane of the overview: the latest lines.
pub(super) fn draw_pane(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let inside = pane::open(app, canvas, area, ListId::Logs, "Logs", None::<&Sourced<()>>);
    if let Some(replay) = &app.replay {
        recorded_logs::draw(canvas, inside, replay, 0);
        return;
    }
    if !app.logs.any {
        pane::empty(app, canvas, inside, ListId::Logs, None::<&Sourced<()>>);
        return;
    }
    draw_lines(canvas, inside, &app.logs.pane);
}

/// The screen: levels for each target, and the lines.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if let Some(replay) = &app.replay {
        recorded_logs::draw_screen(app, canvas, area, replay);
        return;
    }
    let bottom = app.keymap.key(Action::Bottom);
    let title = if app.logs.scrolled {
        format!("Logs, held: {bottom} follows again")
    } else {
        "Logs".to_owned()
    };
    if !app.logs.targets || area.width < SMART_WIDTH || area.height < SMART_HEIGHT + 3 {
        let inside = pane::open(app, canvas, area, ListId::Logs, &title, None::<&Sourced<()>>);
        draw_lines(canvas, inside, &app.logs.screen);
        return;
    }
    // The two halves of tui-logger's smart widget, put together here: the whole takes no formatter,
    // and lines must go through ours to be harmless.
    let widgets = Rect { height: area.height - 1, ..area };
    let targets = Rect { width: (area.width / 3).min(TARGETS_WIDTH), ..widgets };
    let lines = Rect { x: targets.right(), width: widgets.width - targets.width, ..widgets };
    let focus = Focus::when(app.focus == ListId::Logs);
    canvas.hit_pane(area, ListId::Logs);
    let inside = canvas.pane(targets, &[("Targets".into(), Role::PaneTitle)], focus);
    TuiLoggerTargetWidget::default()
        .style(canvas.style(Role::Text))
        .highlight_style(canvas.style(Role::Selected))
        .style_show(canvas.style(Role::TextStrong))
        .style_hide(canvas.style(Role::TextDim))
        .style_off(canvas.style(Role::TextDim))
        .state(&app.logs.screen)
        .render(inside, canvas.buffer);
    let inside = canvas.pane(lines, &[(title.as_str().into(), Role::PaneTitle)], focus);
    if !app.logs.any {
        pane::empty(app, canvas, inside, ListId::Logs, None::<&Sourced<()>>);
    }
    draw_lines(canvas, inside, &app.logs.screen);
    let key = |action| app.keymap.key(action);
    let hint: [Piece<'_>; 1] = [(
        format!(
            " {}{} target  {}{} level shown  {} only this target  {} targets  pageup scrolls back, {bottom} follows",
            key(Action::Up), key(Action::Down), key(Action::Left), key(Action::Right), key(Action::Open), key(Action::Mark),
        )
        .into(),
        Role::TextDim,
    )];
    canvas.pieces(Rect { y: widgets.bottom(), height: 1, ..area }, &hint);
}

fn draw_lines(canvas: &mut Canvas<'_>, area: Rect, state: &TuiWidgetState) {
    if area.is_empty() {
        return;
    }
    TuiLoggerWidget::default()
        .formatter(Box::new(Format::new(canvas.theme)))
        .style(canvas.style(Role::Text))
        .state(state)
        .render(area, canvas.buffer);
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
