//! `cancel`: stops runs.

use serde::Serialize;

use super::reconcile::once_each;
use crate::{
    blueprint::RunId,
    cli::{
        args::{CancelArgs, Consent},
        change::{agree, insist, print_plans},
        confirm::Decision,
        context::{Context, Ended},
        exit::{CliError, Exit},
        text::{count, sanitize},
    },
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled {
    run_id: RunId,
    status: &'static str,
}

/// Stops runs. Those that can't be stopped don't keep the others from it.
pub(in crate::cli) async fn run(context: Context<'_>, args: &CancelArgs) -> Ended {
    let operations = context.operations().await?;
    let mut failure: Option<CliError> = None;
    let mut plans = Vec::new();
    for run in &once_each(args.runs.clone()) {
        match operations.plan_cancel(run).await {
            Ok(plan) => plans.push(plan),
            Err(error) => note(&mut failure, error.into()),
        }
    }
    let consent = args.change.consent();
    if consent == Consent::DryRun {
        print_plans(&plans, context.output)?;
        return failure.map_or(Ok(Exit::Done), Err);
    }
    let question = match plans.as_slice() {
        [] => return failure.map_or(Ok(Exit::Done), Err),
        [plan] => format!("Cancel run {}?", plan.run),
        plans => format!("Cancel {}?", count(plans.len(), "run")),
    };
    if agree(&question, &plans, consent, context.output).await? != Decision::Apply {
        return Ok(Exit::Done);
    }
    let mut cancelled = Vec::new();
    for plan in &plans {
        match insist(&operations, plan, async |run| operations.plan_cancel(run).await).await {
            Ok(done) => {
                cancelled.push(Cancelled { run_id: done.run, status: done.status.as_str() });
            }
            Err(error) => note(&mut failure, error.into()),
        }
    }
    context.output.report(&cancelled, |output| {
        cancelled
            .iter()
            .try_for_each(|c| output.line(&format!("Run {} is {}.", sanitize(&c.run_id), c.status)))
    })?;
    failure.map_or(Ok(Exit::Done), Err)
}

/// Keeps the last failure for the end, and prints the ones before.
fn note(failure: &mut Option<CliError>, error: CliError) {
    if let Some(earlier) = failure.replace(error) {
        earlier.print(crate::cli::exit::Verbosity::Brief);
    }
}
