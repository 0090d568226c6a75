//! What a frame needs and is not made for each frame: brought up to date before drawing.

use std::sync::Arc;

use super::{
    app::App,
    chart::{ChartPane, Charted},
    message::Command,
    rows::ListId,
    screen::{RunFace, Screen},
};
use crate::monitor::Shape;

impl App {
    /// Brings pictures up to date. Costs next to nothing when nothing has changed; what takes long
    /// is asked for instead.
    pub(crate) fn prepare(&mut self) {
        match self.charted() {
            Some(Charted::Run) => self.prepare_run(),
            Some(Charted::Blueprint) => self.prepare_blueprint(),
            None => {}
        }
        if self.shows_timeline() {
            let data = self.shown().detail.data.clone();
            let Some(detail) =
                (*data).as_ref().filter(|it| Some(&it.run) == self.open_run.as_ref())
            else {
                return;
            };
            let filter = self.filters.get(&ListId::Nodes).map_or("", String::as_str);
            let rows = &self.rows;
            let listed = |place| rows.row_of(ListId::Nodes, place).is_some();
            self.timeline.prepare(&data, detail, filter, listed);
        }
    }

    fn prepare_run(&mut self) {
        let data = self.shown().detail.data.clone();
        let Some(detail) = (*data).as_ref().filter(|it| Some(&it.run) == self.open_run.as_ref())
        else {
            return;
        };
        if let Some(request) = self.graph.prepare(&detail.shape) {
            self.outbox.push(Command::Chart(request));
        }
        let filter = self.filters.get(&ListId::Nodes).map_or("", String::as_str);
        let rows = &self.rows;
        self.graph.count(&data, filter, |place| rows.row_of(ListId::Nodes, place).is_some());
        let selected = self.selected_box();
        self.graph.aim(selected);
    }

    fn prepare_blueprint(&mut self) {
        let entry = self.selected_place(ListId::Blueprints);
        let Some(entry) = entry.and_then(|at| self.catalog.blueprints.get(at)) else { return };
        let known = self.preview_of.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &entry.blueprint));
        let shape = if let Some((_, shape)) = known {
            shape.clone()
        } else {
            let shape = Arc::new(Shape::of(&entry.blueprint));
            self.preview_of = Some((entry.blueprint.clone(), shape.clone()));
            self.preview.reset();
            shape
        };
        if let Some(request) = self.preview.prepare(&shape) {
            self.outbox.push(Command::Chart(request));
        }
        self.preview.aim(None);
    }

    /// The graph that is on the screen.
    pub(super) fn charted(&self) -> Option<Charted> {
        match self.screen {
            Screen::Run if self.face == RunFace::Graph => Some(Charted::Run),
            Screen::Blueprints => Some(Charted::Blueprint),
            _ => None,
        }
    }

    pub(super) fn chart_pane(&mut self, charted: Charted) -> &mut ChartPane {
        match charted {
            Charted::Run => &mut self.graph,
            Charted::Blueprint => &mut self.preview,
        }
    }

    pub(super) fn shows_timeline(&self) -> bool {
        self.screen == Screen::Run && self.face == RunFace::Timeline
    }

    /// The box that the selected node of the run is in.
    pub(super) fn selected_box(&self) -> Option<usize> {
        let chart = self.graph.chart()?;
        let place = self.selected_place(ListId::Nodes)?;
        let id = &self.selected_node()?.id;
        // The picture may be that of the graph as it was before nodes were added.
        let nodes = &chart.shape.nodes;
        let node = if nodes.get(place).is_some_and(|node| node.id == *id) {
            place
        } else {
            nodes.iter().position(|node| node.id == *id)?
        };
        chart.folded.box_of.get(node).copied()
    }
}
