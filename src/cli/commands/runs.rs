//! `runs`: a list of runs, newest first.

use std::{cmp::Reverse, time::Duration};

use serde::Serialize;

use crate::{
    blueprint::{BlueprintId, RunId},
    cli::{
        age::age,
        args::RunsArgs,
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    cluster::{Cluster, NodeCounts, StatusItem, StatusQuery},
    engine::{RunStatus, Timestamp},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    run_id: RunId,
    blueprint_id: Option<BlueprintId>,
    /// Nothing if somebody else wrote a word that is not a status.
    status: Option<&'static str>,
    stalled: bool,
    /// Whole seconds since 1970, as in status items.
    started_at: Option<i64>,
    last_updated: i64,
    nodes: Option<NodeCounts>,
    error: Option<String>,
}

/// Prints the runs that the arguments choose.
pub(in crate::cli) async fn run(
    cluster: &Cluster,
    stalled_after: Duration,
    args: &RunsArgs,
    output: &mut Output,
) -> Result<Exit, CliError> {
    let now = cluster.clock.now();
    let items = choose(cluster, now, stalled_after, args).await?;
    let runs: Vec<Line> = items
        .into_iter()
        .map(|item| Line {
            stalled: is_stalled(&item, now, stalled_after),
            run_id: item.run_id,
            blueprint_id: item.blueprint_id,
            status: item.status.map(RunStatus::as_str),
            started_at: item.started_at.map(Timestamp::seconds),
            last_updated: item.last_updated.seconds(),
            nodes: item.nodes,
            error: item.error,
        })
        .collect();
    output.report(&runs, |output| print(&runs, now, args, output))?;
    Ok(Exit::Done)
}

/// Running, and not touched for longer than `stalled_after`.
fn is_stalled(item: &StatusItem, now: Timestamp, stalled_after: Duration) -> bool {
    item.status == Some(RunStatus::Running) && now.since(item.last_updated) > stalled_after
}

async fn choose(
    cluster: &Cluster,
    now: Timestamp,
    stalled_after: Duration,
    args: &RunsArgs,
) -> Result<Vec<StatusItem>, CliError> {
    let mut query = StatusQuery {
        statuses: args.statuses.clone(),
        blueprint: args.blueprint.clone(),
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
        ..StatusQuery::default()
    };
    if args.stalled {
        if !args.statuses.is_empty() && !args.statuses.contains(&RunStatus::Running) {
            return Ok(Vec::new());
        }
        let age = i64::try_from(stalled_after.as_millis()).unwrap_or(i64::MAX);
        query.statuses = vec![RunStatus::Running];
        query.touched_before = Some(Timestamp::from_millis(now.millis().saturating_sub(age)));
    }
    let page = cluster.state.list_statuses(&query).await?;
    let mut items: Vec<StatusItem> = page.items.into_iter().map(|found| found.item).collect();
    items.sort_by_key(|item| Reverse(item.started_at));
    Ok(items)
}

fn print(
    runs: &[Line],
    now: Timestamp,
    args: &RunsArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    if runs.is_empty() {
        let chosen = args.stalled || args.blueprint.is_some() || !args.statuses.is_empty();
        return output.line(if chosen {
            "No run matches."
        } else {
            "No runs yet. `flowcraft-tui start` starts one."
        });
    }
    let mut table = Table::new([
        Column::left("RUN"),
        Column::left("BLUEPRINT"),
        Column::left("STATUS"),
        Column::right("NODES"),
        Column::right("STARTED"),
        Column::right("TOUCHED"),
        Column::left("ERROR"),
    ]);
    let ago = |seconds: i64| age(now.since(Timestamp::from_seconds(seconds)));
    for run in runs {
        let progress =
            run.nodes.map_or_else(String::new, |n| format!("{}/{}", n.completed, n.total));
        table.row([
            run.run_id.as_str().into(),
            run.blueprint_id.as_ref().map_or("-", BlueprintId::as_str).into(),
            status(run),
            progress.into(),
            run.started_at.map_or("-".to_owned(), ago).into(),
            ago(run.last_updated).into(),
            Cell::toned(run.error.as_deref().unwrap_or_default(), Tone::Bad),
        ]);
    }
    output.table(&table)?;
    if runs.len() == usize::try_from(args.limit).unwrap_or(usize::MAX) {
        output.line(&format!("The first {}; --limit shows more.", args.limit))?;
    }
    Ok(())
}

fn status(run: &Line) -> Cell {
    match run.status {
        Some("running") if run.stalled => Cell::toned("running, stalled", Tone::Bad),
        Some("failed") => Cell::toned("failed", Tone::Bad),
        Some("awaiting") => Cell::toned("awaiting", Tone::Notable),
        Some("completed") => Cell::toned("completed", Tone::Good),
        Some(word) => word.into(),
        None => Cell::toned("unknown", Tone::Notable),
    }
}
