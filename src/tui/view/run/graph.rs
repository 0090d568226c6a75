//! The run's graph.

use ratatui::layout::Rect;

use super::super::{super::app::App, canvas::Canvas};
use crate::monitor::RunDetail;

pub(super) fn draw(_app: &App, _canvas: &mut Canvas<'_>, _area: Rect, _detail: &RunDetail) {}
