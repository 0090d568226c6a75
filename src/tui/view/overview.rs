//! The overview: queue, locks, runs and logs at once.

use ratatui::layout::Rect;

use super::{
    super::{app::App, rows::ListId},
    canvas::Canvas,
    locks, log_tail, queue, runs,
};

/// Below this many columns or rows there is only the pane that has the focus.
const GRID_WIDTH: u16 = 60;
const GRID_HEIGHT: u16 = 13;

/// From this width on, the lists stand beside the runs.
const WIDE: u16 = 150;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.width < GRID_WIDTH || area.height < GRID_HEIGHT {
        match app.focus {
            ListId::Jobs => queue::draw_gauge(app, canvas, area),
            ListId::Locks => locks::draw(app, canvas, area),
            ListId::Logs => log_tail::draw(app, canvas, area),
            _ => runs::draw(app, canvas, area),
        }
        return;
    }
    let [queue_area, locks_area, runs_area, logs_area] = split(area);
    queue::draw_gauge(app, canvas, queue_area);
    locks::draw(app, canvas, locks_area);
    runs::draw(app, canvas, runs_area);
    log_tail::draw(app, canvas, logs_area);
}

/// The places of queue, locks, runs and logs.
fn split(area: Rect) -> [Rect; 4] {
    if area.width >= WIDE {
        let side = (area.width / 3).min(76);
        let main = Rect { width: area.width - side, ..area };
        let right = Rect { x: main.right(), width: side, ..area };
        let logs_height = (area.height / 3).clamp(5, 20);
        let queue_height = (area.height / 4).clamp(6, 14);
        return [
            Rect { height: queue_height, ..right },
            Rect { y: right.y + queue_height, height: right.height - queue_height, ..right },
            Rect { height: main.height - logs_height, ..main },
            Rect { y: main.bottom() - logs_height, height: logs_height, ..main },
        ];
    }
    let top = (area.height * 3 / 10).clamp(5, 12);
    let logs_height = (area.height / 4).clamp(4, 14);
    let queue_width = (area.width * 2 / 5).min(60);
    [
        Rect { width: queue_width, height: top, ..area },
        Rect { x: area.x + queue_width, width: area.width - queue_width, height: top, ..area },
        Rect { y: area.y + top, height: area.height - top - logs_height, ..area },
        Rect { y: area.bottom() - logs_height, height: logs_height, ..area },
    ]
}
