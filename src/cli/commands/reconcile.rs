//! `reconcile`: finds stalled runs and has them move again.

use std::collections::HashSet;

use crate::{
    blueprint::RunId,
    cli::{
        args::{Consent, ReconcileArgs},
        change::{agree, insist, print_plans},
        confirm::Decision,
        context::{Context, Ended},
        exit::{CliError, Exit},
        output::Output,
        text::{count, sanitize},
    },
    operations::{Done, OperationError, Plan},
    worker::{ReconcileReport, ReconciledRun},
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
    let runs = once_each(runs);
    let mut plans = Vec::new();
    let mut unplanned = Vec::new();
    for run in runs {
        match operations.plan_reconcile(&run).await {
            Ok(plan) => plans.push(plan),
            Err(error) => unplanned.push((run, error)),
        }
    }
    let consent = args.change.consent();
    if consent == Consent::DryRun {
        print_plans(&plans, context.output)?;
        return unplanned.into_iter().next().map_or(Ok(Exit::Done), |(_, error)| Err(error.into()));
    }
    let question = format!("Reconcile {}?", count(plans.len() + unplanned.len(), "run"));
    if !plans.is_empty()
        && agree(&question, &plans, consent, context.output).await? != Decision::Apply
    {
        return Ok(Exit::Done);
    }
    // What there is no document of was never started, which is mended in another way.
    let unplanned: Vec<RunId> = unplanned.into_iter().map(|(run, _)| run).collect();
    let mut report = operations.reconcile(&unplanned).await;
    for plan in &plans {
        let done =
            insist(&operations, plan, async |run| operations.plan_reconcile(run).await).await;
        add(&mut report, plan, done);
    }
    print(&report, context.output)?;
    Ok(if report.failed_runs > 0 { Exit::Failed } else { Exit::Done })
}

/// Each run once, in the order in which they were named.
pub(super) fn once_each(mut runs: Vec<RunId>) -> Vec<RunId> {
    let mut seen = HashSet::new();
    runs.retain(|run| seen.insert(run.clone()));
    runs
}

fn add(report: &mut ReconcileReport, plan: &Plan, done: Result<Done, OperationError>) {
    report.stalled_runs += 1;
    let (enqueued, error) = match done {
        Ok(done) => (done.enqueued, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    if error.is_some() {
        report.failed_runs += 1;
    } else if !plan.changes.is_empty() {
        report.reconciled_runs += 1;
    }
    report.runs.push(ReconciledRun { run_id: plan.run.clone(), enqueued, error });
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
