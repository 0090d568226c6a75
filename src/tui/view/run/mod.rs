//! One run: its nodes, seen in one of several ways, and beside them everything about the chosen one.

pub(super) mod context;
mod graph;
mod inspector;
mod logs;
mod nodes;
mod timeline;

use ratatui::layout::Rect;

use super::{
    super::{actions::Action, app::App, rows::ListId, screen::RunFace, text, theme::Role},
    canvas::{Canvas, Piece},
    pane, words,
};
use crate::{
    engine::Timestamp,
    monitor::{NodeRow, RunDetail, SourceState},
};

/// From this width on, nodes and inspector stand side by side.
const SIDE_BY_SIDE: u16 = 110;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let [main, inspector] = split(app, area);
    if !main.is_empty() {
        draw_main(app, canvas, main);
    }
    if !inspector.is_empty() {
        inspector::draw(app, canvas, inspector);
    }
}

/// The places of the run's face and of the inspector.
fn split(app: &App, area: Rect) -> [Rect; 2] {
    if !app.face.has_inspector() {
        return [area, Rect::default()];
    }
    if area.width >= SIDE_BY_SIDE {
        let left = area.width * 11 / 20;
        [Rect { width: left, ..area }, Rect { x: area.x + left, width: area.width - left, ..area }]
    } else if area.height >= 12 {
        // A picture needs more room than a table of which a part is enough.
        let upper = match app.face {
            RunFace::Graph | RunFace::Timeline => area.height * 2 / 3,
            _ => area.height * 11 / 20,
        };
        [
            Rect { height: upper, ..area },
            Rect { y: area.y + upper, height: area.height - upper, ..area },
        ]
    } else if app.focus == ListId::Inspector {
        [Rect::default(), area]
    } else {
        [area, Rect::default()]
    }
}

fn draw_main(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = app.shown();
    let source = &snapshot.detail;
    let detail = app.detail_of(snapshot);
    let inside = pane::open(app, canvas, area, app.face.list(), &title(app, detail), Some(source));
    let Some(detail) = detail else {
        let text = match &source.state {
            SourceState::Stale { error, .. } => format!("The run can't be read: {error}"),
            _ => "Reading the run …".to_owned(),
        };
        let lines: Vec<Piece<'_>> = text::wrap(&text, usize::from(inside.width), 6)
            .into_iter()
            .map(|line| (line.into(), Role::TextDim))
            .collect();
        canvas.lines(inside, &lines, 0);
        return;
    };
    if !detail.found {
        let text = "There is no document of this run: it was never started, or was deleted.";
        canvas.lines(inside, &[(text.into(), Role::TextError)], 0);
        return;
    }
    let mut body = inside;
    if inside.height >= 6 {
        draw_faces(app, canvas, Rect { height: 1, ..inside });
        body = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    match app.face {
        RunFace::Graph => graph::draw(app, canvas, body, detail),
        RunFace::Nodes => nodes::draw(app, canvas, body, detail),
        RunFace::Timeline => timeline::draw(app, canvas, body, detail),
        RunFace::Context => context::draw(app, canvas, body, detail),
        RunFace::Logs => logs::draw(app, canvas, body, detail),
    }
    if matches!(app.face, RunFace::Graph | RunFace::Timeline)
        && matches!(source.state, SourceState::Stale { .. })
    {
        canvas.paint(body, canvas.style(Role::TextDim));
    }
}

fn title(app: &App, detail: Option<&RunDetail>) -> String {
    let Some(run) = &app.open_run else { return String::new() };
    // The way down to it from the outermost run; its end says more than its beginning.
    let way = text::fit_end(&app.lineage(run).join(" › "), 48);
    match (app.shown().runs.data.get(run), detail) {
        (Some(row), _) => {
            let (symbol, word, _) = words::run(row);
            format!("Run {way}  {symbol} {word}")
        }
        (None, Some(detail)) => {
            let (symbol, word, _) = words::status(detail.status);
            format!("Run {way}  {symbol} {word}")
        }
        (None, None) => format!("Run {way}"),
    }
}

/// Names the ways in which a run can be seen, the one that is shown in brackets.
fn draw_faces(app: &App, canvas: &mut Canvas<'_>, line: Rect) {
    let mut pieces: Vec<Piece<'_>> =
        vec![(format!(" {} ", app.keymap.key(Action::NextFace)).into(), Role::FooterKey)];
    for face in RunFace::ALL {
        if face == app.face {
            pieces.push((format!("[{}] ", face.name()).into(), Role::PaneTitleFocused));
        } else {
            pieces.push((format!(" {}  ", face.name()).into(), Role::TextDim));
        }
    }
    canvas.pieces(line, &pieces);
}

/// How long a node ran, or has been running.
pub(super) fn took(node: &NodeRow, now: Timestamp) -> String {
    match (node.started_at, node.finished_at) {
        (Some(from), Some(to)) if to >= from => text::age(to.since(from)),
        (Some(from), None) => text::whole_age(now.since(from)),
        _ => String::new(),
    }
}
