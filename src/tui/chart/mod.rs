//! A graph as it is seen: folded, drawn at some size, with a part of it in view. What takes long is
//! made outside of `update`, and only when the graph or how it is seen has changed.

mod caption;
mod live;
mod make;
mod pane;
mod zoom;

pub(super) use caption::{Caption, Lines};
pub(super) use live::{Live, Tally, urgency};
pub(super) use make::Chart;
pub use make::{ChartMade, ChartRequest};
pub(super) use pane::{Camera, ChartPane, Charted};
pub(super) use zoom::Zoom;
