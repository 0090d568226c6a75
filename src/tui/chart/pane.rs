//! Where a graph is seen: how large, which part, and what was made for that.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::graph::{Direction, GroupKind},
    live::Live,
    make::{Chart, ChartMade, ChartRequest, Wish, folded},
    zoom::Zoom,
};
use crate::{
    blueprint::NodeId,
    monitor::{RunDetail, Shape},
};

/// Of what a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Charted {
    /// The run that is open.
    Run,
    /// The selected blueprint.
    Blueprint,
}

/// Whether the view follows the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Camera {
    #[default]
    Follows,
    /// It was moved by hand, and stays there until the selection moves.
    Free,
}

/// Whether something was asked for that takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Chart,
}

/// Up to so many nodes and edges a graph is drawn at once; larger ones outside of `update`.
const AT_ONCE: usize = 400;

/// A graph in a pane.
pub(in crate::tui) struct ChartPane {
    charted: Charted,
    pub(in crate::tui) zoom: Option<Zoom>,
    pub(in crate::tui) direction: Option<Direction>,
    open: Arc<BTreeSet<(GroupKind, NodeId)>>,
    /// The room for it, as last drawn.
    area: (u16, u16),
    /// The point of the picture in the corner of the room.
    pub(in crate::tui) offset: (i32, i32),
    pub(in crate::tui) camera: Camera,
    /// Where the mouse took hold of it.
    pub(in crate::tui) held: Option<(u16, u16)>,
    made: Option<(u64, Wish, Arc<Chart>)>,
    /// Whether a picture is being made elsewhere.
    asked: Asked,
    /// Tells what was asked for this graph from what was asked for one before.
    epoch: u64,
    live: Live,
    live_of: Option<(Arc<Chart>, Arc<Option<RunDetail>>, String)>,
    /// How often something was laid out.
    pub(in crate::tui) laid_out: usize,
}

impl ChartPane {
    pub(in crate::tui) fn new(charted: Charted) -> Self {
        Self {
            charted,
            zoom: None,
            direction: None,
            open: Arc::default(),
            area: (0, 0),
            offset: (0, 0),
            camera: Camera::Follows,
            held: None,
            made: None,
            asked: Asked::Nothing,
            epoch: 0,
            live: Live::default(),
            live_of: None,
            laid_out: 0,
        }
    }

    /// Forgets what was made for another graph.
    pub(in crate::tui) fn reset(&mut self) {
        let (area, laid_out, epoch) = (self.area, self.laid_out, self.epoch + 1);
        *self = Self { area, epoch, laid_out, ..Self::new(self.charted) };
    }

    /// Takes in how much room there was. Returns whether that was not known.
    pub(in crate::tui) fn measured(&mut self, area: (u16, u16)) -> bool {
        std::mem::replace(&mut self.area, area) != area
    }

    fn wish(&self) -> Wish {
        Wish {
            zoom: self.zoom,
            direction: self.direction,
            area: self.area,
            open: self.open.clone(),
        }
    }

    /// Draws the graph if it or the way it is seen has changed: at once where that is quick, else
    /// what is returned is to be carried out.
    pub(in crate::tui) fn prepare(&mut self, shape: &Arc<Shape>) -> Option<ChartRequest> {
        let wish = self.wish();
        if wish.area.0 == 0 || wish.area.1 == 0 {
            return None;
        }
        let fingerprint = shape.fingerprint;
        if self.made.as_ref().is_some_and(|(of, by, _)| *of == fingerprint && *by == wish) {
            return None;
        }
        if self.asked == Asked::Chart {
            // One at a time: a graph that grows faster than it is drawn is drawn all the same.
            return None;
        }
        let (charted, epoch) = (self.charted, self.epoch);
        let request = ChartRequest { charted, epoch, shape: shape.clone(), wish };
        if shape.nodes.len() + shape.edges.len() <= AT_ONCE {
            let chart = Arc::new(Chart::new(request.shape, &request.wish));
            self.take(request.wish, chart);
            return None;
        }
        self.asked = Asked::Chart;
        Some(request)
    }

    fn take(&mut self, wish: Wish, chart: Arc<Chart>) {
        self.laid_out += 1;
        self.asked = Asked::Nothing;
        self.made = Some((chart.shape.fingerprint, wish, chart));
    }

    /// Takes over what was drawn elsewhere, unless another graph is shown by now.
    pub(in crate::tui) fn made(&mut self, made: ChartMade) {
        if made.epoch == self.epoch {
            self.take(made.wish, made.chart);
        }
    }

    /// The graph as it was last drawn: of this shape, or of what it was a moment ago.
    pub(in crate::tui) fn chart(&self) -> Option<&Arc<Chart>> {
        self.made.as_ref().map(|(.., chart)| chart)
    }

    /// Whether a new picture is on its way.
    pub(in crate::tui) fn is_late(&self) -> bool {
        self.asked == Asked::Chart
    }

    /// Where everything stands.
    pub(in crate::tui) fn live(&self) -> &Live {
        &self.live
    }

    /// Counts where everything stands, if anything has changed. `listed` says which nodes the
    /// filter leaves.
    pub(in crate::tui) fn count(
        &mut self,
        detail: &Arc<Option<RunDetail>>,
        filter: &str,
        listed: impl Fn(usize) -> bool,
    ) {
        let Some(chart) = self.chart().cloned() else { return };
        let same = self.live_of.as_ref().is_some_and(|(of, by, filtered)| {
            Arc::ptr_eq(of, &chart) && Arc::ptr_eq(by, detail) && filtered == filter
        });
        if same {
            return;
        }
        // The picture may still be that of the graph as it was before.
        if let Some(detail) = &**detail
            && detail.shape.fingerprint == chart.shape.fingerprint
        {
            self.live = Live::new(&chart, detail, listed);
        }
        self.live_of = Some((chart, detail.clone(), filter.to_owned()));
    }

    /// Opens or closes a box. Returns whether there was anything to open or to close.
    pub(in crate::tui) fn toggle(&mut self, number: usize) -> bool {
        let Some(chart) = self.chart().cloned() else { return false };
        let Some(group) = chart.folded.groups.get(number) else { return false };
        let id = |node: usize| chart.shape.nodes[node].id.clone();
        let open = Arc::make_mut(&mut self.open);
        if group.kind != GroupKind::Single {
            return open.insert((group.kind, id(group.known_by)));
        }
        // The box that the node would be in if that one were closed.
        let node = group.members[0];
        let closes = |key: &&(GroupKind, NodeId)| {
            let rest: BTreeSet<_> = open.iter().filter(|it| it != key).cloned().collect();
            let folded = folded(&chart.shape, &rest);
            let closed = &folded.groups[folded.box_of[node]];
            (closed.kind, id(closed.known_by)) == **key
        };
        let key = open.iter().find(closes).cloned();
        key.is_some_and(|key| open.remove(&key))
    }

    /// Moves the view so that a box is in it; or to the middle of what fits.
    pub(in crate::tui) fn aim(&mut self, selected: Option<usize>) {
        let Some(chart) = self.chart().cloned() else { return };
        let room = (i32::from(self.area.0), i32::from(self.area.1));
        let picture = (chart.picture.width, chart.picture.height);
        let plot = selected.and_then(|number| chart.picture.boxes.get(number));
        let follows = self.camera == Camera::Follows;
        let plot = plot.filter(|_| follows);
        let x = plot.map(|plot| (plot.x, plot.width));
        let y = plot.map(|plot| (plot.y, plot.height));
        self.offset.0 = aimed(self.offset.0, room.0, picture.0, x);
        self.offset.1 = aimed(self.offset.1, room.1, picture.1, y);
    }

    /// Moves the view by hand.
    pub(in crate::tui) fn pan(&mut self, by: (i32, i32)) {
        self.camera = Camera::Free;
        self.offset = (self.offset.0.saturating_add(by.0), self.offset.1.saturating_add(by.1));
    }

    /// The box at a cell of the room.
    pub(in crate::tui) fn box_at(&self, cell: (u16, u16)) -> Option<usize> {
        let (x, y) = (i32::from(cell.0) + self.offset.0, i32::from(cell.1) + self.offset.1);
        self.chart()?.picture.box_at(x, y)
    }

    /// How much of the picture there is room for.
    pub(in crate::tui) fn room(&self) -> (i32, i32) {
        (i32::from(self.area.0), i32::from(self.area.1))
    }
}

/// Where the view begins along one axis: in the middle of what fits; else as before as far as the
/// selection, with some of what is around it, allows.
fn aimed(offset: i32, room: i32, size: i32, selected: Option<(i32, i32)>) -> i32 {
    if size <= room {
        return -((room - size) / 2);
    }
    let offset = match selected {
        Some((start, length)) => {
            let margin = ((room - length) / 2).clamp(0, room / 6);
            let least = start + length + margin - room;
            let most = start - margin;
            offset.max(least).min(most)
        }
        None => offset,
    };
    offset.clamp(0, size - room)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::blueprint::sanitize;

    fn shape(nodes: &[&str]) -> Arc<Shape> {
        let nodes: Vec<_> = nodes.iter().map(|id| json!({ "id": id, "uses": "x" })).collect();
        Arc::new(Shape::of(&sanitize(json!({ "id": "b", "nodes": nodes })).unwrap()))
    }

    #[test]
    fn a_picture_is_made_when_something_changed_and_only_then() {
        let mut pane = ChartPane::new(Charted::Run);
        let before = shape(&["a", "b"]);
        assert!(pane.prepare(&before).is_none());
        assert_eq!(pane.laid_out, 0, "there is no room yet");
        assert!(pane.measured((80, 20)));
        assert!(!pane.measured((80, 20)));
        for _ in 0..5 {
            assert!(pane.prepare(&before).is_none());
            // The same graph, read anew.
            assert!(pane.prepare(&shape(&["a", "b"])).is_none());
            pane.aim(Some(0));
        }
        assert_eq!(pane.laid_out, 1);
        for change in [
            |pane: &mut ChartPane| pane.zoom = Some(Zoom::Lines),
            |pane: &mut ChartPane| pane.direction = Some(Direction::Down),
            |pane: &mut ChartPane| pane.area = (70, 20),
        ] {
            let laid_out = pane.laid_out;
            change(&mut pane);
            pane.prepare(&before);
            pane.prepare(&before);
            assert_eq!(pane.laid_out, laid_out + 1);
        }
        let laid_out = pane.laid_out;
        pane.prepare(&shape(&["a", "b", "c"]));
        assert_eq!(pane.laid_out, laid_out + 1);
    }

    #[test]
    fn the_view_keeps_the_selection_in_it_and_moves_no_more_than_needed() {
        assert_eq!(aimed(7, 80, 40, None), -20, "what fits is in the middle");
        assert_eq!(aimed(10, 60, 200, Some((30, 10))), 10, "it is in view");
        assert_eq!(aimed(0, 60, 200, Some((100, 10))), 60);
        assert_eq!(aimed(150, 60, 200, Some((20, 10))), 10);
        assert_eq!(aimed(0, 60, 200, Some((195, 5))), 140, "no further than to the end");
        assert_eq!(aimed(500, 60, 200, None), 140);
        assert_eq!(aimed(0, 10, 200, Some((50, 30))), 50, "a box that is wider than the room");
    }
}
