//! Changing a run: the plan is shown, agreed to, and applied to what it was made from.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

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
    tell(&text);
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
    tell(&format!("Run {} has moved since the plan was made: making a new one.\n", sanitize(run)));
}

/// Writes to people, not to the result. Nobody is left to be told when stderr is closed.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use serde_json::json;

    use super::*;
    use crate::{
        blueprint::{Library, sanitize as blueprint},
        cluster::{SystemClock, memory_cluster},
        engine::RunStatus,
        operations::{Lint, StartRequest},
    };

    async fn operations() -> (Operations, RunId) {
        let one = blueprint(json!({ "id": "one", "nodes": [{ "id": "a", "uses": "x" }] })).unwrap();
        let cluster = memory_cluster(Arc::new(SystemClock));
        let operations = Operations::new(cluster, Library::fixed(vec![one]), "test");
        let request = StartRequest {
            blueprint: "one".into(),
            input: serde_json::Map::new(),
            run: None,
            lint: Lint::Overlook,
        };
        let run = operations.start(request).await.unwrap().run;
        (operations, run)
    }

    /// Plans to cancel a run that somebody else moves right after, `moves` times.
    async fn plan_and_move(
        operations: &Operations,
        run: &RunId,
        left: &AtomicU32,
    ) -> Result<Plan, OperationError> {
        let plan = operations.plan_cancel(run).await?;
        if left.load(Ordering::Relaxed) > 0 {
            left.fetch_sub(1, Ordering::Relaxed);
            let other = operations.plan_requeue(run, &["a".into()]).await?;
            operations.apply(&other).await?;
        }
        Ok(plan)
    }

    fn output() -> Output {
        Output::to(io::sink(), Format::Json)
    }

    #[tokio::test]
    async fn a_run_that_moved_gets_a_new_plan() {
        let (operations, run) = operations().await;
        let left = AtomicU32::new(2);
        let plan = async || plan_and_move(&operations, &run, &left).await;
        let outcome =
            carry_out(&operations, "Cancel?", Consent::Given, &mut output(), plan).await.unwrap();
        let Outcome::Made(done) = outcome else { panic!("nothing was done") };
        assert_eq!(done.status, RunStatus::Cancelled);
        assert_eq!(left.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_run_that_never_rests_is_given_up_on() {
        let (operations, run) = operations().await;
        let left = AtomicU32::new(u32::MAX);
        let plan = async || plan_and_move(&operations, &run, &left).await;
        let error =
            carry_out(&operations, "Cancel?", Consent::Given, &mut output(), plan).await.err();
        assert!(error.unwrap().to_string().contains("has moved"));
        assert_eq!(u32::MAX - left.load(Ordering::Relaxed), TRIES);
    }

    #[tokio::test]
    async fn an_agreed_plan_is_made_anew_without_a_question() {
        let (operations, run) = operations().await;
        let left = AtomicU32::new(1);
        let plan = plan_and_move(&operations, &run, &left).await.unwrap();
        let again = async |run: &RunId| operations.plan_cancel(run).await;
        let done = insist(&operations, &plan, again).await.unwrap();
        assert_eq!(done.status, RunStatus::Cancelled);
    }

    #[tokio::test]
    async fn a_dry_run_changes_nothing() {
        let (operations, run) = operations().await;
        let plan = async || operations.plan_cancel(&run).await;
        carry_out(&operations, "Cancel?", Consent::DryRun, &mut output(), plan).await.unwrap();
        assert_eq!(operations.view(&run).await.unwrap().status, RunStatus::Running);
    }
}
