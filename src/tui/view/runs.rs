//! The list of runs.

use std::{borrow::Cow, sync::Arc, time::Duration};

use ratatui::layout::Rect;

use super::{
    super::{
        app::App,
        order::{OrderBy, RunOrder},
        rows::ListId,
        text,
        theme::Role,
    },
    canvas::{Canvas, Focus},
    pane,
    table::{Cell, Column, Ordered, Table, fixed, flexible, ids, number},
    words,
};
use crate::{
    cluster::NodeCounts,
    engine::{RunStatus, Timestamp},
    monitor::{OlderRuns, RunRow, SourceState, Subject, Warning, WarningKind},
};

/// A timer that is due for less than this is being taken up, as far as one can tell.
const AT_ONCE: Duration = Duration::from_secs(5);

const COLUMNS: [Column; 8] = [
    fixed("status", 11, 0),
    ids("run", 16, 3, 0),
    flexible("blueprint", 9, 2, 2),
    number("nodes", 7, 1),
    fixed("progress", 12, 6),
    number("age", 5, 4),
    number("touched", 7, 5),
    flexible("note", 22, 5, 3),
];

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let source = &app.shown().runs;
    let counts = source.data.counts();
    let order = app.order;
    let listing = app.rows.listing();
    let title = match listing {
        _ if source.updated_at.is_none() => "Runs".to_owned(),
        Some(percent) => format!("Runs  {}", listing_words(percent)),
        None => {
            let by = if order == RunOrder::default() {
                String::new()
            } else {
                format!(" by {} {}", order.by.name(), order.arrow())
            };
            let older = match source.data.older() {
                OlderRuns::None => String::new(),
                OlderRuns::Coming => "  reading older …".to_owned(),
                OlderRuns::LeftOut => format!("  the newest {}", source.data.len()),
            };
            let cancelled = match counts.cancelled {
                0 => String::new(),
                some => format!("  {some} cancelled"),
            };
            format!(
                "Runs{by}  {} running  {} awaiting  {} failed  {} done{older}{cancelled}",
                counts.running, counts.awaiting, counts.failed, counts.completed
            )
        }
    };
    let inside = pane::open(app, canvas, area, ListId::Runs, &title, Some(source));
    if app.rows.runs.is_empty() {
        pane::empty(app, canvas, inside, ListId::Runs, Some(source));
        return;
    }
    let now = app.now();
    let warnings = &app.shown().warnings.data;
    let table = Table {
        list: ListId::Runs,
        columns: &COLUMNS,
        state: app.list(ListId::Runs),
        count: app.rows.runs.len(),
        focus: Focus::when(app.focus == ListId::Runs),
        // What was asked for is something else than what is shown.
        stale: matches!(source.state, SourceState::Stale { .. }) || listing.is_some(),
    };
    let title = if order.by == OrderBy::Attention { "" } else { order.by.name() };
    let ordered = Ordered { title, arrow: order.arrow() };
    table.draw_ordered(canvas, inside, Some(ordered), |at| {
        let row = app.rows.runs.get(at)?;
        let subject = Subject::Run(row.item.run_id.clone());
        // That it is stalled stands there anyway.
        let warning =
            warnings.about(&subject).find(|warning| warning.kind != WarningKind::StalledRun);
        Some((Cow::Borrowed(row.item.run_id.as_str()), cells(row, warning, now)))
    });
}

/// What is said while a list of many runs is made.
pub(super) fn listing_words(percent: u8) -> String {
    if percent == 0 { "filtering …".to_owned() } else { format!("filtering … {percent} %") }
}

fn cells<'a>(row: &'a RunRow, warning: Option<&'a Arc<Warning>>, now: Timestamp) -> Vec<Cell<'a>> {
    let item = &row.item;
    let (symbol, word, role) = words::run(row);
    let strong = if row.stalled { Role::TextStrong } else { Role::Text };
    let blueprint = item.blueprint_id.as_deref().unwrap_or("?");
    let (nodes, bar) = item.nodes.map_or_else(Default::default, progress);
    let (badge, note) = match (warning, note(row, now)) {
        (None, note) => ("", note),
        (Some(_), note @ (_, Role::TextError)) => ("!", note),
        (Some(warning), _) => ("!", (warning.text.as_str().into(), words::warning(warning.kind).1)),
    };
    vec![
        (format!("{symbol} {word}{badge}").into(), role),
        (item.run_id.as_str().into(), strong),
        (blueprint.into(), Role::Text),
        (nodes.into(), Role::Text),
        (bar.into(), if row.stalled { Role::Text } else { role }),
        (words::ago(now, item.started_at), Role::TextDim),
        (words::ago(now, Some(item.last_updated)), strong),
        note,
    ]
}

/// How many nodes are done, as numbers and as a bar.
fn progress(nodes: NodeCounts) -> (String, String) {
    const CELLS: u32 = 12;
    let done = u64::from(nodes.completed) * u64::from(CELLS);
    let full = done.checked_div(u64::from(nodes.total)).unwrap_or(0).min(u64::from(CELLS));
    let full = usize::try_from(full).unwrap_or(0);
    let bar = "█".repeat(full) + &"░".repeat(CELLS as usize - full);
    let of = |n: u32| text::short(u64::from(n));
    (format!("{}/{}", of(nodes.completed), of(nodes.total)), bar)
}

/// The one thing worth knowing about a run beside its status.
fn note(row: &RunRow, now: Timestamp) -> Cell<'_> {
    let item = &row.item;
    if let Some(error) = &item.error {
        return (error.as_str().into(), Role::TextError);
    }
    if let Some(due) = item.next_due_at.filter(|_| !item.status.is_some_and(RunStatus::is_final)) {
        return if due > now {
            let left = text::whole_age(now.until(due));
            (format!("timer due in {left}").into(), Role::TextDim)
        } else if now.since(due) < AT_ONCE {
            ("timer due".into(), Role::TextDim)
        } else {
            let late = text::whole_age(now.since(due));
            let role = if row.stalled { Role::TextError } else { Role::TextDim };
            (format!("timer due since {late}").into(), role)
        };
    }
    if row.stalled {
        let worker = item.worker.as_ref().map(|worker| format!(", last by {worker}"));
        let quiet = text::whole_age(now.since(item.last_updated));
        return (
            format!("silent for {quiet}{}", worker.unwrap_or_default()).into(),
            Role::TextError,
        );
    }
    match (item.status, &item.parent_run_id) {
        (Some(RunStatus::Awaiting), _) => ("waits for an answer".into(), Role::RunAwaiting),
        (_, Some(parent)) => (format!("part of {parent}").into(), Role::TextDim),
        _ => ("".into(), Role::Text),
    }
}
