//! What the header says when asked for more: what the cluster asks of each service, what that costs,
//! and what this dashboard itself adds to it.

use std::time::Duration;

use ratatui::layout::Rect;

use super::{
    super::{app::App, text, theme::Role},
    canvas::{Canvas, Piece},
    chrome, cost, words,
};
use crate::{
    cluster::PerService,
    monitor::{Cost, CostView, SourceState},
};

/// The rows that the rest of the screen keeps.
const REST: u16 = 10;

/// Draws it at the top of the area, as far as enough of that is left.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: &mut Rect) {
    for mut pieces in lines(app) {
        let wide = |pieces: &[Piece<'_>]| -> usize {
            pieces.iter().map(|(text, _)| text::width(text)).sum()
        };
        // What is only said by the way gives way.
        while wide(&pieces) > usize::from(area.width)
            && pieces.len() > 2
            && pieces.last().is_some_and(|(_, role)| *role == Role::TextDim)
        {
            pieces.pop();
        }
        // A gap at the end would count as text that was cut.
        if let Some((last, _)) = pieces.last_mut() {
            *last = last.trim_end().to_owned().into();
        }
        if area.height <= REST {
            return;
        }
        let line = chrome::take_top(area);
        canvas.paint(line, canvas.style(Role::Header));
        canvas.pieces(line, &pieces);
    }
}

fn lines(app: &App) -> [Vec<Piece<'static>>; 3] {
    let source = &app.shown().workers;
    let view = &source.data.cost;
    let mut workers = if let Some(all) = &view.all {
        [services(app, view, all), figures(view, all)]
    } else {
        let (why, more) = unknown(app);
        let line = |name, text: &'static str| vec![label(name), (text.into(), Role::TextDim)];
        [line("requests", why), line("cost", more)]
    };
    if matches!(source.state, SourceState::Stale { .. }) {
        let age = format!("  ✗ {} old", words::ago(app.now(), source.updated_at));
        workers[1].push((age.into(), Role::SourceStale));
    }
    let [requests, cost] = workers;
    [requests, cost, dashboard(view)]
}

/// Why nothing is known of what workers ask, and when it will be.
fn unknown(app: &App) -> (&'static str, &'static str) {
    let source = &app.shown().workers;
    let (workers, silent) = (source.data.workers.len(), source.data.cost.silent);
    match source.state {
        SourceState::Loading => ("reading the workers …", ""),
        _ if workers == 0 => ("no worker is alive", "–"),
        _ if silent == workers => ("no worker says: they are of an older version", "–"),
        _ => ("not known yet", "workers say every 10 s; a rate takes two heartbeats"),
    }
}

fn label(name: &str) -> Piece<'static> {
    (format!(" {name:<9} ").into(), Role::HeaderKey)
}

/// A figure with its unit behind it.
fn figure(pieces: &mut Vec<Piece<'static>>, figure: String, unit: &'static str) {
    pieces.push((figure.into(), Role::TextStrong));
    pieces.push((format!("{unit}  ").into(), Role::Header));
}

/// Requests to each service, with how it is and how often it was too many.
fn services(app: &App, view: &CostView, all: &Cost) -> Vec<Piece<'static>> {
    let mut pieces = vec![label("requests")];
    let PerService { queue, state, coordination } = all.requests;
    let refused = all.throttled;
    let figures =
        [(queue, refused.queue), (state, refused.state), (coordination, refused.coordination)];
    let services = chrome::services(app.shown()).into_iter().zip(figures);
    for ((name, (state, _)), (requests, refused)) in services {
        let (symbol, role) = words::source(state);
        pieces.push((format!("{name} ").into(), Role::HeaderKey));
        pieces.push((format!("{symbol} ").into(), role));
        figure(&mut pieces, cost::rate(requests), "/s");
        if refused > 0 {
            let refused = format!("▲{} 429s  ", text::short(refused));
            pieces.push((refused.into(), Role::SourceStale));
        }
    }
    pieces.push(("all ".into(), Role::HeaderKey));
    figure(&mut pieces, cost::rate(all.requests_in_all()), "/s");
    if view.silent > 0 {
        let silent = format!("{} silent", text::count(view.silent, "worker"));
        pieces.push((silent.into(), Role::TextDim));
    }
    pieces
}

/// What it costs: request units where they are charged, and what a node takes.
fn figures(view: &CostView, all: &Cost) -> Vec<Piece<'static>> {
    let mut pieces = vec![label("cost")];
    figure(&mut pieces, cost::known(all.units), " RU/s");
    figure(&mut pieces, cost::known(all.units_a_node), " RU/node");
    figure(&mut pieces, cost::known(all.requests_a_node), " req/node");
    figure(&mut pieces, cost::rate(all.nodes), " nodes/s");
    if view.told > 0 {
        pieces.push(("last minute".into(), Role::TextDim));
    }
    pieces
}

/// What this dashboard adds, and how long the services take to answer it.
fn dashboard(view: &CostView) -> Vec<Piece<'static>> {
    let mut pieces = vec![label("dashboard")];
    let Some(own) = &view.dashboard else {
        pieces.push(("not known yet".into(), Role::TextDim));
        return pieces;
    };
    figure(&mut pieces, cost::rate(own.requests_in_all()), " req/s");
    figure(&mut pieces, cost::known(own.units), " RU/s");
    pieces.push(("answers: ".into(), Role::HeaderKey));
    let PerService { queue, state, coordination } = view.took;
    for (name, took) in [("queue", queue), ("state", state), ("locks", coordination)] {
        pieces.push((format!("{name} ").into(), Role::HeaderKey));
        figure(&mut pieces, answer_time(took), "");
    }
    pieces
}

fn answer_time(took: Option<Duration>) -> String {
    match took {
        None => "–".to_owned(),
        Some(took) if took < Duration::from_millis(1) => "<1ms".to_owned(),
        Some(took) => text::age(took),
    }
}
