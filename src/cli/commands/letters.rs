//! `dead-letters replay` and `dead-letters purge`.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        args::{Consent, DeadLetterChange, LettersArgs, ReplayArgs},
        confirm::{Decision, confirm, somebody_is_there},
        context::{Context, Ended},
        exit::{CliError, Exit},
        output::{Format, Output},
        text::{self, sanitize},
    },
    operations::{
        CanaryVerdict, Cut, Letter, Letters, OperationError, Operations, Oversight, Part, Progress,
        ReplayOrder, ReplayPlan, ReplayReport,
    },
};

/// Replays or purges dead letters.
pub(in crate::cli) async fn run(context: Context<'_>, change: &DeadLetterChange) -> Ended {
    let operations = context.operations().await?;
    match change {
        DeadLetterChange::Replay(args) => replay(&operations, args, context.output).await,
        DeadLetterChange::Purge(args) => purge(&operations, args, context.output).await,
    }
}

async fn replay(operations: &Operations, args: &ReplayArgs, output: &mut Output) -> Ended {
    let order = ReplayOrder { which: args.letters.letters(), canary: args.canary() };
    let consent = args.letters.change.consent();
    let plan = operations.plan_replay(&order).await?;
    // What was named and stays is a mistake; what is among others is left where it is.
    if let (Letters::Ids(_), Some(step)) =
        (&order.which, plan.steps.iter().find(|step| step.part == Part::Stays))
        && (consent == Consent::DryRun || plan.may_act() == 0)
    {
        let id = step.letter.id.clone();
        return Err(OperationError::not_replayed(id, &step.prospect).into());
    }
    if let Some(id) = plan.missing.first()
        && plan.unseen == 0
        && (consent == Consent::DryRun || plan.acts() == 0)
    {
        return Err(OperationError::NoSuchLetter(id.clone()).into());
    }
    if consent == Consent::DryRun {
        print_plan(&plan, output)?;
        return Ok(Exit::Done);
    }
    let count = plan.may_act();
    let first = plan.steps.iter().any(|step| matches!(step.part, Part::Canary(_)));
    let first = if first { ", one as a canary first" } else { "" };
    let question = format!("Replay {}{first}?", text::count(count, "dead letter"));
    if consent == Consent::Ask && output.format() == Format::Human && somebody_is_there() {
        tell(&plan.lines());
    }
    if count > 0 && confirm(&question, count, consent).await? != Decision::Apply {
        return Ok(Exit::Done);
    }
    let work = async |oversight: &Oversight| operations.carry_out_replay(&plan, oversight).await;
    let report = told(output, work).await?;
    print_report(&plan, &report, output)
}

/// Prints what came of a replay. What stays is told to people; where it was named, or a canary did
/// not pass, the command has failed.
fn print_report(plan: &ReplayPlan, report: &ReplayReport, output: &mut Output) -> Ended {
    let entries: Vec<Value> = report
        .replayed
        .iter()
        .map(|id| {
            let canary = report.canaries.iter().find(|canary| canary.letter == *id);
            match canary.map(|canary| &canary.verdict) {
                None => json!({ "id": id }),
                Some(CanaryVerdict::Passed(_)) => json!({ "id": id, "canary": "passed" }),
                Some(CanaryVerdict::Failed(_)) => json!({ "id": id, "canary": "failed" }),
                Some(CanaryVerdict::Unclear(_) | CanaryVerdict::Stopped) => {
                    json!({ "id": id, "canary": "unclear" })
                }
            }
        })
        .collect();
    let failure = failure(report, &plan.order.which);
    if failure.is_none() || !entries.is_empty() {
        output.report(&entries, |output| {
            for id in &report.replayed {
                let canary = report.canaries.iter().find(|canary| canary.letter == *id);
                let note = match canary.map(|canary| &canary.verdict) {
                    Some(CanaryVerdict::Passed(how)) => format!(" as the canary: {how}"),
                    Some(_) => " as the canary".to_owned(),
                    None => String::new(),
                };
                output.line(&sanitize(&format!("replayed {id}{note}")))?;
            }
            for (id, why) in &report.left {
                output.line(&sanitize(&format!("left {id}: {why}")))?;
            }
            output.line(&format!("{} replayed.", report.replayed.len()))
        })?;
    }
    failure.map_or(Ok(Exit::Done), Err)
}

/// Why a replay has not done all that was asked, if it has not. Letters that were named, and not
/// swept up with others, are asked for one by one.
fn failure(report: &ReplayReport, which: &Letters) -> Option<CliError> {
    if report.failed_canary().is_some() {
        return Some(CliError::failed(report.problems().join("; ")));
    }
    match &report.cut {
        Some(Cut::Failed(error)) => return Some(CliError::from(error.clone())),
        Some(Cut::Stopped) => return Some(CliError::failed(report.problems().join("; "))),
        None => {}
    }
    if let Some(id) = report.missing.first() {
        return Some(OperationError::NoSuchLetter(id.clone()).into());
    }
    let (id, why) = report.left.first().filter(|_| matches!(which, Letters::Ids(_)))?;
    Some(OperationError::not_replayed(id.clone(), why).into())
}

fn print_plan(plan: &ReplayPlan, output: &mut Output) -> Result<(), CliError> {
    let entries: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let id = &step.letter.id;
            let stays = if step.part == Part::Stays { " stays" } else { "" };
            json!({
                "id": id,
                "runId": step.letter.job().map(|job| job.run_id),
                "fingerprint": step.letter.symptom.fingerprint,
                "canary": matches!(step.part, Part::Canary(_)),
                "changes": [format!("dead letter {id}{stays}: {}", step.prospect)],
            })
        })
        .collect();
    output.report(&entries, |output| {
        let lines = plan.lines();
        if lines.is_empty() {
            return output.line("Nothing would change.");
        }
        lines.iter().try_for_each(|line| output.line(&sanitize(line)))
    })
}

async fn purge(operations: &Operations, args: &LettersArgs, output: &mut Output) -> Ended {
    let which = args.letters();
    let consent = args.change.consent();
    let seen = operations.dead_letters().await?;
    let total = operations.count_dead_letters().await?;
    let unseen = total.saturating_sub(seen.len());
    let meant: Vec<&Letter> = seen.iter().filter(|letter| which.mean(letter)).collect();
    let count = match &which {
        Letters::Ids(ids) => ids.len(),
        Letters::All => total,
        // More than one, as far as anybody can tell.
        Letters::Group(_) => meant.len() + unseen,
    };
    if consent == Consent::DryRun {
        if let Letters::Ids(ids) = &which
            && let Some(id) = ids.iter().find(|id| meant.iter().all(|it| it.id != **id))
        {
            return Err(OperationError::NoSuchLetter(id.clone()).into());
        }
        let entries: Vec<Value> = meant
            .iter()
            .map(|letter| {
                json!({
                    "id": letter.id,
                    "runId": letter.job().map(|job| job.run_id),
                    "changes": [format!("dead letter {}: delete it", letter.id)],
                })
            })
            .collect();
        output.report(&entries, |output| {
            for letter in &meant {
                output.line(&sanitize(&format!("dead letter {}: delete it", letter.id)))?;
            }
            match (&which, unseen) {
                (Letters::Ids(_), _) | (_, 0) => Ok(()),
                (Letters::All, more) => {
                    output.line(&format!("and {more} more that a look does not show"))
                }
                (Letters::Group(_), more) => output.line(&format!(
                    "and those of the group among {more} more that a look does not show"
                )),
            }
        })?;
        return Ok(Exit::Done);
    }
    let question = match which {
        Letters::Group(group) => format!("Purge the dead letters of group {group}?"),
        _ => format!("Purge {}?", text::count(count, "dead letter")),
    };
    if count > 0 && confirm(&question, count, consent).await? != Decision::Apply {
        return Ok(Exit::Done);
    }
    let work = async |oversight: &Oversight| operations.purge_watched(&which, oversight).await;
    let (ids, cut) = told(output, work).await?;
    let missing = match &which {
        Letters::Ids(named) => named.iter().find(|id| !ids.contains(id)),
        _ => None,
    };
    if !ids.is_empty() || missing.is_none() {
        let entries: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        output.report(&entries, |output| {
            ids.iter().try_for_each(|id| output.line(&format!("purged {}", sanitize(id))))?;
            output.line(&format!("{} purged.", ids.len()))
        })?;
    }
    match (cut, missing) {
        (Some(Cut::Failed(error)), _) => Err(error.into()),
        (_, Some(id)) => Err(OperationError::NoSuchLetter(id.clone()).into()),
        _ => Ok(Exit::Done),
    }
}

/// Clears the line that one is on.
const CLEAR: &str = "\r\u{1b}[K";

/// Does something that takes a while, and tells people how far it is, on one line of a terminal that
/// is gone at the end.
async fn told<T>(output: &Output, work: impl AsyncFnOnce(&Oversight) -> T) -> T {
    if output.format() == Format::Json || !std::io::stderr().is_terminal() {
        return work(&Oversight::nobody()).await;
    }
    let show = |progress: Progress| {
        let text = sanitize(&progress.to_string()).into_owned();
        // Nobody is left to be told when stderr is closed.
        let _ = write!(std::io::stderr(), "{CLEAR}{}", text::fit(&text, 79));
    };
    let done = work(&Oversight::new(show, CancellationToken::new())).await;
    let _ = write!(std::io::stderr(), "{CLEAR}");
    done
}

/// Writes to people, not to the result.
fn tell(lines: &[String]) {
    for line in lines {
        let _ = writeln!(std::io::stderr(), "  {}", sanitize(line));
    }
}
