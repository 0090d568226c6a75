//! The run's graph.

use ratatui::layout::Rect;

use super::super::{
    super::{app::App, theme::Role},
    canvas::Canvas,
    chart,
};
use crate::monitor::{EdgesKnown, RunDetail};

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, detail: &RunDetail) {
    let mut body = area;
    if detail.shape.known == EdgesKnown::Taken && area.height > 3 {
        let id = detail.blueprint.as_deref().unwrap_or("of this run");
        let text =
            format!("The blueprint {id} is not loaded here: only edges that were taken are known.");
        canvas.text(area.x, area.y, area.width, &text, canvas.style(Role::TextDim));
        body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    }
    chart::draw(canvas, body, &chart::of_run(app, detail));
    if let Some(caption) = chart::caption(&app.graph, body)
        && area.width >= 30
    {
        let edge = Rect { y: area.bottom(), height: 1, ..area };
        canvas.right(edge, &format!(" {caption} "), canvas.style(Role::TextDim));
    }
}
