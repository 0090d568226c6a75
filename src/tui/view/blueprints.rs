//! The blueprints that are loaded, and the selected one: its graph, and what lint found.

use ratatui::layout::Rect;

use super::{
    super::{app::App, catalog::CatalogEntry, chart::Charted, rows::ListId, text, theme::Role},
    canvas::{Canvas, Focus, Piece},
    chart, pane,
    table::{Column, Table, fixed, flexible, number},
};
use crate::{blueprint::Severity, monitor::Sourced};

const COLUMNS: [Column; 5] = [
    flexible("blueprint", 16, 3, 0),
    fixed("version", 8, 2),
    number("nodes", 6, 1),
    fixed("lint", 22, 0),
    flexible("from", 12, 3, 3),
];

/// From this width on, graph and words stand side by side.
const BESIDE: u16 = 100;

/// The most lines that a blueprint is described in.
const LINES: usize = 400;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let count = app.rows.count(ListId::Blueprints);
    // As high as the list is, half of the screen at most: the rest is for the selected one.
    let wanted = u16::try_from(count.max(3)).unwrap_or(u16::MAX).saturating_add(3);
    let list_height = if area.height < 12 { area.height } else { wanted.min(area.height / 2) };
    let list = Rect { height: list_height, ..area };
    let broken = app.catalog.broken.len();
    let unread = match broken {
        0 => String::new(),
        _ => format!("  ✗ {} not loaded", text::count(broken, "file")),
    };
    let title = format!("Blueprints  {count} loaded{unread}");
    let inside = pane::open(app, canvas, list, ListId::Blueprints, &title, None::<&Sourced<()>>);
    if count == 0 {
        pane::empty(app, canvas, inside, ListId::Blueprints, None::<&Sourced<()>>);
    } else {
        draw_table(app, canvas, inside, count);
    }
    let mut below = Rect { y: list.bottom(), height: area.height - list_height, ..area };
    if broken > 0 && below.height >= 3 {
        let area = Rect { height: below.height.min(tall(broken)), ..below };
        draw_broken(app, canvas, area);
        below.y += area.height;
        below.height -= area.height;
    }
    if let Some(entry) =
        app.selected_place(ListId::Blueprints).and_then(|at| app.catalog.blueprints.get(at))
        && below.height >= 4
    {
        draw_selected(app, canvas, below, entry);
    }
}

/// The graph of the selected blueprint, with words beside or above it as there is room.
fn draw_selected(app: &App, canvas: &mut Canvas<'_>, area: Rect, entry: &CatalogEntry) {
    let title = [(entry.blueprint.id.as_str().into(), Role::PaneTitle)];
    let inside = canvas.pane(area, &title, Focus::Elsewhere);
    if inside.width < 40 || inside.height < 4 {
        let lines = describe(entry, usize::from(inside.width));
        canvas.lines(inside, &lines, 0);
        return;
    }
    let mut graph = inside;
    if inside.width >= BESIDE {
        let width = inside.width * 2 / 5;
        graph.width -= width;
        let words = Rect { x: graph.right() + 1, width: width - 1, ..inside };
        let lines = describe(entry, usize::from(words.width));
        canvas.lines(words, &lines, 0);
    } else {
        let findings = findings(entry, usize::from(inside.width));
        let height = u16::try_from(findings.len()).unwrap_or(u16::MAX).min(inside.height / 3);
        canvas.lines(Rect { height, ..inside }, &findings, 0);
        graph.y += height;
        graph.height -= height;
    }
    let scene = chart::Scene {
        pane: &app.preview,
        charted: Charted::Blueprint,
        detail: None,
        selected: None,
        focus: Focus::Elsewhere,
        now: app.now(),
    };
    chart::draw(canvas, graph, &scene);
    if let Some(caption) = chart::caption(&app.preview, graph) {
        let edge = Rect { y: inside.bottom(), height: 1, ..inside };
        canvas.right(edge, &format!(" {caption} "), canvas.style(Role::TextDim));
    }
}

/// How high the pane of the files that could not be loaded is: three of them at most.
fn tall(broken: usize) -> u16 {
    u16::try_from(broken.min(3)).unwrap_or(3) + 2
}

fn draw_broken(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let title = [("Not loaded".into(), Role::PaneTitle)];
    let inside = canvas.pane(area, &title, Focus::Elsewhere);
    let lines: Vec<Piece<'_>> =
        app.catalog.broken.iter().map(|file| (file.as_str().into(), Role::TextError)).collect();
    canvas.lines(inside, &lines, 0);
}

fn draw_table(app: &App, canvas: &mut Canvas<'_>, area: Rect, count: usize) {
    let table = Table {
        list: ListId::Blueprints,
        columns: &COLUMNS,
        state: app.list(ListId::Blueprints),
        count,
        focus: Focus::when(app.focus == ListId::Blueprints),
        stale: false,
    };
    table.draw(canvas, area, |row| {
        let entry = app.catalog.blueprints.get(app.rows.place(ListId::Blueprints, row)?)?;
        let of = |severity| entry.findings.iter().filter(|it| it.severity == severity).count();
        let (lint, role) = match (of(Severity::Error), of(Severity::Warning)) {
            (0, 0) => ("✓ no findings".to_owned(), Role::RunCompleted),
            (0, warnings) => (format!("! {}", text::count(warnings, "warning")), Role::RunAwaiting),
            (errors, 0) => (format!("✗ {}", text::count(errors, "error")), Role::RunFailed),
            (errors, warnings) => (
                format!("✗ {}, {}", text::count(errors, "error"), text::count(warnings, "warning")),
                Role::RunFailed,
            ),
        };
        let cells = vec![
            (entry.blueprint.id.as_str().into(), Role::Text),
            (entry.blueprint.version().unwrap_or("–").into(), Role::TextDim),
            (entry.blueprint.nodes.len().to_string().into(), Role::Text),
            (lint.into(), role),
            (entry.source.as_str().into(), Role::TextDim),
        ];
        Some((entry.blueprint.id.as_str().into(), cells))
    });
}

/// What lint found.
fn findings(entry: &CatalogEntry, width: usize) -> Vec<Piece<'_>> {
    let mut lines: Vec<Piece<'_>> = Vec::new();
    for finding in entry.findings.iter().take(20) {
        let (symbol, role) = match finding.severity {
            Severity::Error => ("✗", Role::RunFailed),
            Severity::Warning => ("!", Role::RunAwaiting),
        };
        let wrapped = text::wrap(&format!("{symbol} {}", finding.text), width, 4);
        lines.extend(wrapped.into_iter().map(|line| (line.into(), role)));
    }
    lines
}

/// A blueprint in words: what lint found, then each node with where it leads.
fn describe(entry: &CatalogEntry, width: usize) -> Vec<Piece<'_>> {
    let mut lines = findings(entry, width);
    let blueprint = &entry.blueprint;
    for node in blueprint.nodes.iter().take(LINES) {
        let edges = blueprint.edges.iter().filter(|edge| edge.source == node.id);
        let targets: Vec<String> = edges
            .take(20)
            .map(|edge| {
                let label = edge.action.as_deref().or(edge.condition.as_deref());
                match label.filter(|label| !label.is_empty()) {
                    Some(label) => format!("{} [{label}]", edge.target),
                    None => edge.target.to_string(),
                }
            })
            .collect();
        let arrow = if targets.is_empty() { "" } else { "  → " };
        let line = format!("{}  ({}){arrow}{}", node.id, node.uses, targets.join(", "));
        lines.push((line.into(), Role::Text));
    }
    lines
}
