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
    cluster::{Cluster, ClusterError, NodeCounts, StatusItem, StatusQuery},
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
            stalled: item.is_stalled(now, stalled_after),
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

async fn choose(
    cluster: &Cluster,
    now: Timestamp,
    stalled_after: Duration,
    args: &RunsArgs,
) -> Result<Vec<StatusItem>, CliError> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let query = StatusQuery {
        statuses: args.statuses.clone(),
        blueprint: args.blueprint.clone(),
        limit,
        ..StatusQuery::default()
    };
    let mut items = if args.stalled {
        stalled(cluster, now, stalled_after, &query).await?
    } else {
        list(cluster, &query).await?
    };
    items.sort_by_key(|item| Reverse(item.started_at));
    items.truncate(limit);
    Ok(items)
}

/// The stalled ones among those that are asked for: runs that nobody touched for long, and those
/// whose timer is overdue.
async fn stalled(
    cluster: &Cluster,
    now: Timestamp,
    stalled_after: Duration,
    wanted: &StatusQuery,
) -> Result<Vec<StatusItem>, ClusterError> {
    let age = i64::try_from(stalled_after.as_millis()).unwrap_or(i64::MAX);
    let before = Some(Timestamp::from_millis(now.millis().saturating_sub(age)));
    let quiet = StatusQuery { touched_before: before, ..wanted.clone() };
    let overdue = StatusQuery { due_before: before, ..wanted.clone() };
    let mut items: Vec<StatusItem> = Vec::new();
    for (query, statuses) in
        [(quiet, &[RunStatus::Running][..]), (overdue, &[RunStatus::Running, RunStatus::Awaiting])]
    {
        let any = wanted.statuses.is_empty();
        let statuses: Vec<RunStatus> =
            statuses.iter().filter(|it| any || wanted.statuses.contains(it)).copied().collect();
        if statuses.is_empty() {
            continue;
        }
        for item in list(cluster, &StatusQuery { statuses, ..query }).await? {
            let known = items.iter().any(|known| known.run_id == item.run_id);
            if !known && item.is_stalled(now, stalled_after) {
                items.push(item);
            }
        }
    }
    Ok(items)
}

async fn list(cluster: &Cluster, query: &StatusQuery) -> Result<Vec<StatusItem>, ClusterError> {
    let page = cluster.state.list_statuses(query).await?;
    Ok(page.items.into_iter().map(|found| found.item).collect())
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
        Some(word) if run.stalled => Cell::toned(format!("{word}, stalled"), Tone::Bad),
        Some("failed") => Cell::toned("failed", Tone::Bad),
        Some("awaiting") => Cell::toned("awaiting", Tone::Notable),
        Some("completed") => Cell::toned("completed", Tone::Good),
        Some(word) => word.into(),
        None => Cell::toned("unknown", Tone::Notable),
    }
}
