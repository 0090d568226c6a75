//! `show`: one run, its nodes and its context.

use serde::Serialize;

use crate::{
    blueprint::{BlueprintId, RunId},
    cli::{
        age::age,
        args::ShowArgs,
        context::{Context, Ended},
        exit::Exit,
        report::{self, NodeReport, RunReport},
        text::sanitize,
    },
    engine::Timestamp,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(flatten)]
    run: RunReport<'a>,
    blueprint_id: &'a BlueprintId,
    parent_run_id: Option<&'a RunId>,
    /// Whole seconds since 1970, as in status items.
    started_at: i64,
    last_updated: Option<i64>,
    nodes: Vec<NodeReport<'a>>,
}

/// Prints a run.
pub(in crate::cli) async fn run(context: Context<'_>, args: &ShowArgs) -> Ended {
    let operations = context.operations().await?;
    let view = operations.view(&args.run).await?;
    let last_updated = operations.status(&args.run).await?.map(|item| item.last_updated);
    let shown = Shown {
        run: RunReport::from(&view),
        blueprint_id: &view.blueprint,
        parent_run_id: view.parent.as_ref(),
        started_at: view.started_at.seconds(),
        last_updated: last_updated.map(Timestamp::seconds),
        nodes: view.nodes.iter().map(NodeReport::from).collect(),
    };
    let now = operations.cluster().clock.now();
    context.output.report(&shown, |output| {
        output.line(&format!(
            "Run {} of {} is {}; started {} ago.",
            sanitize(&view.run),
            sanitize(&view.blueprint),
            view.status,
            age(now.since(view.started_at))
        ))?;
        if let Some(parent) = &view.parent {
            output.line(&format!("It works for run {}.", sanitize(parent)))?;
        }
        output.line("")?;
        report::nodes(&view, output)?;
        report::values(&view, output)?;
        report::advice(&view, output)
    })?;
    Ok(Exit::Done)
}
