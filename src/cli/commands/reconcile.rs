//! `reconcile`: finds stalled runs and has them move again.

use crate::{
    blueprint::RunId,
    cli::{
        args::{Consent, ReconcileArgs},
        change::print_plans,
        confirm::{Decision, confirm},
        context::{Context, Ended},
        exit::{CliError, Exit},
        output::Output,
        text::sanitize,
    },
    operations::Operations,
    worker::ReconcileReport,
};

/// Has stalled runs move again: the given ones, or all that look stalled.
pub(in crate::cli) async fn run(context: Context<'_>, args: &ReconcileArgs) -> Ended {
    let stalled_after = args.stalled_after.unwrap_or(context.config.reconciler.stalled_after);
    let operations = context.operations().await?;
    let runs = match args.runs.as_slice() {
        [] => operations.stalled_runs(stalled_after).await?,
        named => {
            for run in named {
                // Says so before anything is done if one of them is not there.
                if operations.status(run).await?.is_none() {
                    operations.view(run).await?;
                }
            }
            named.to_vec()
        }
    };
    let consent = args.change.consent();
    if consent == Consent::DryRun {
        return preview(&operations, &runs, context.output).await;
    }
    let question = match runs.as_slice() {
        [run] => format!("Reconcile run {run}?"),
        runs => format!("Reconcile {} runs?", runs.len()),
    };
    if !runs.is_empty() && confirm(&question, runs.len(), consent).await? != Decision::Apply {
        return Ok(Exit::Done);
    }
    let report = operations.reconcile(&runs).await;
    print(&report, context.output)?;
    Ok(if report.failed_runs > 0 { Exit::Failed } else { Exit::Done })
}

async fn preview(operations: &Operations, runs: &[RunId], output: &mut Output) -> Ended {
    let mut plans = Vec::new();
    let mut exit = Exit::Done;
    for run in runs {
        match operations.plan_reconcile(run).await {
            Ok(plan) => plans.push(plan),
            Err(error) => {
                CliError::from(error).print(crate::cli::exit::Verbosity::Brief);
                exit = Exit::Failed;
            }
        }
    }
    print_plans(&plans, output)?;
    Ok(exit)
}

fn print(report: &ReconcileReport, output: &mut Output) -> Result<(), CliError> {
    output.report(report, |output| {
        for run in &report.runs {
            let outcome = match &run.error {
                Some(error) => format!("failed: {}", sanitize(error)),
                None if run.enqueued.is_empty() => "nothing to enqueue".to_owned(),
                None => {
                    let nodes: Vec<_> = run.enqueued.iter().map(|node| sanitize(node)).collect();
                    format!("enqueued {}", nodes.join(", "))
                }
            };
            output.line(&format!("Run {}: {outcome}", sanitize(&run.run_id)))?;
        }
        output.line(&format!(
            "{} stalled, {} reconciled, {} failed.",
            report.stalled_runs, report.reconciled_runs, report.failed_runs
        ))
    })
}
