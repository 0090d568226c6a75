//! Changing a run: the plan is shown, agreed to, and applied to what it was made from.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    args::Consent,
    confirm::{Decision, confirm},
    exit::CliError,
    output::{Format, Output},
    text::sanitize,
};
use crate::{
    blueprint::RunId,
    engine::Refusal,
    operations::{Change, Done, OperationError, Operations, Plan},
};

/// How often a plan is made anew without asking, because its run has moved in between.
const TRIES: u32 = 5;

/// What would change in one run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanReport<'a> {
    run_id: Option<&'a RunId>,
    changes: Vec<String>,
}

impl<'a> PlanReport<'a> {
    pub(super) fn new(run_id: Option<&'a RunId>, changes: &[Change]) -> Self {
        Self { run_id, changes: changes.iter().map(ToString::to_string).collect() }
    }
}

impl<'a> From<&'a Plan> for PlanReport<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self::new(Some(&plan.run), &plan.changes)
    }
}

/// Prints what would change in one run.
pub(super) fn print_plan(
    run: Option<&RunId>,
    changes: &[Change],
    output: &mut Output,
) -> Result<(), CliError> {
    let report = PlanReport::new(run, changes);
    output.report(&report, |output| lines(&report, output))
}

/// Prints what would change in several runs.
pub(super) fn print_plans(plans: &[Plan], output: &mut Output) -> Result<(), CliError> {
    let reports: Vec<PlanReport<'_>> = plans.iter().map(PlanReport::from).collect();
    output.report(&reports, |output| {
        if reports.is_empty() {
            return output.line("Nothing would change.");
        }
        reports.iter().try_for_each(|report| lines(report, output))
    })
}

fn lines(report: &PlanReport<'_>, output: &mut Output) -> Result<(), CliError> {
    if let Some(run) = report.run_id {
        output.line(&format!("Run {}:", sanitize(run)))?;
    }
    if report.changes.is_empty() {
        return output.line("  nothing would change");
    }
    report.changes.iter().try_for_each(|change| output.line(&format!("  {}", sanitize(change))))
}

/// What became of a change.
pub(super) enum Outcome {
    /// It was made.
    Made(Done),
    /// It was only shown, or not agreed to.
    NotMade,
}

/// Makes a plan for one run, has it agreed to, and applies it; makes a new one if the run has moved
/// in between.
pub(super) async fn carry_out(
    operations: &Operations,
    question: &str,
    consent: Consent,
    output: &mut Output,
    plan: impl AsyncFn() -> Result<Plan, OperationError>,
) -> Result<Outcome, CliError> {
    let mut tries = 0;
    loop {
        let made = plan().await?;
        if consent == Consent::DryRun {
            print_plan(Some(&made.run), &made.changes, output)?;
            return Ok(Outcome::NotMade);
        }
        if agree(question, std::slice::from_ref(&made), consent, output).await? != Decision::Apply {
            return Ok(Outcome::NotMade);
        }
        tries += 1;
        match operations.apply(&made).await {
            Err(error) if has_moved(&error) && tries < TRIES => say_moved(&made.run),
            applied => return Ok(Outcome::Made(applied?)),
        }
    }
}

/// Shows plans to whoever is going to be asked about them, and asks.
pub(super) async fn agree(
    question: &str,
    plans: &[Plan],
    consent: Consent,
    output: &Output,
) -> Result<Decision, CliError> {
    let asked = consent == Consent::Ask && output.format() == Format::Human;
    let mut text = String::new();
    if asked && super::confirm::somebody_is_there() {
        for plan in plans {
            for change in &plan.changes {
                // Writing into a text can't fail.
                let _ = writeln!(text, "  {}", sanitize(&change.to_string()));
            }
        }
    }
    // Not on stdout: that is for the result.
    eprint!("{text}");
    confirm(question, plans.len(), consent).await
}

/// Applies an agreed plan; if its run has moved, a new one that does the same.
pub(super) async fn insist(
    operations: &Operations,
    plan: &Plan,
    again: impl AsyncFn(&RunId) -> Result<Plan, OperationError>,
) -> Result<Done, OperationError> {
    let mut plan = plan.clone();
    let mut tries = 1;
    loop {
        match operations.apply(&plan).await {
            Err(error) if has_moved(&error) && tries < TRIES => {
                say_moved(&plan.run);
                plan = again(&plan.run).await?;
                tries += 1;
            }
            applied => return applied,
        }
    }
}

fn has_moved(error: &OperationError) -> bool {
    matches!(error, OperationError::Refused { refusal: Refusal::Moved, .. })
}

fn say_moved(run: &RunId) {
    eprintln!("Run {} has moved since the plan was made: making a new one.", sanitize(run));
}
