//! From the state to a frame. Views read the state and change nothing.

mod blueprints;
mod canvas;
mod chart;
mod chrome;
mod cost;
mod dialogs;
mod editor;
mod explain;
mod filter_line;
mod forms;
mod header_detail;
mod history;
mod letter;
mod letters;
mod locks;
mod log_tail;
mod logs;
mod minimap;
mod overview;
mod pane;
mod queue;
mod recorded_logs;
mod run;
mod runs;
mod table;
mod time_line;
mod warnings;
mod words;
mod workers;

use ratatui::{Frame, layout::Rect};

use super::{
    app::{App, Hit},
    screen::Screen,
    theme::Role,
};
use canvas::Canvas;

pub(super) use self::{
    dialogs::whole_width, letter::letter_text, logs::tall as log_entry_height,
    words::run as run_word,
};

/// Draws the whole screen. Returns where things are on it.
pub(crate) fn view(app: &App, frame: &mut Frame<'_>) -> Vec<Hit> {
    let area = frame.area();
    let mut canvas =
        Canvas { buffer: frame.buffer_mut(), theme: app.current_theme(), hits: Vec::new() };
    canvas.paint(area, canvas.style(Role::Text));
    let body = chrome::draw(app, &mut canvas, area);
    if !body.is_empty() {
        draw_screen(app, &mut canvas, body);
    }
    chrome::draw_toasts(app, &mut canvas, area);
    dialogs::draw(app, &mut canvas, area);
    canvas.hits
}

fn draw_screen(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    match app.screen {
        Screen::Overview => overview::draw(app, canvas, area),
        Screen::Runs => runs::draw(app, canvas, area),
        Screen::Run => run::draw(app, canvas, area),
        Screen::Queue => queue::draw(app, canvas, area),
        Screen::Locks => locks::draw(app, canvas, area),
        Screen::Workers => workers::draw(app, canvas, area),
        Screen::Blueprints => blueprints::draw(app, canvas, area),
        Screen::Logs => logs::draw(app, canvas, area),
        Screen::Warnings => warnings::draw(app, canvas, area),
        Screen::History => history::draw(app, canvas, area),
    }
}
