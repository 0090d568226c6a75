//! `dead-letters replay` and `dead-letters purge`.

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{Consent, DeadLetterChange, Letters as Meant},
        confirm::{Decision, confirm},
        context::{Context, Ended},
        exit::{CliError, Exit},
        text::{self, sanitize},
    },
    cluster::{Lane, MAX_RECEIVE},
    operations::{Letter, Letters, OperationError, Operations},
};

/// Replays or purges dead letters.
pub(in crate::cli) async fn run(context: Context<'_>, change: &DeadLetterChange) -> Ended {
    let (verb, done, args) = match change {
        DeadLetterChange::Replay(args) => ("Replay", "replayed", args),
        DeadLetterChange::Purge(args) => ("Purge", "purged", args),
    };
    let operations = context.operations().await?;
    let consent = args.change.consent();
    let which = match args.letters() {
        Meant::All => Letters::All,
        Meant::These(ids) => Letters::Ids(ids.to_vec()),
    };
    if consent == Consent::DryRun {
        let plan = preview(&operations, &which, change).await?;
        context.output.report(&plan, |output| {
            plan.iter().try_for_each(|entry| {
                let change = entry["changes"][0].as_str().unwrap_or_default();
                output.line(&sanitize(change))
            })
        })?;
        return Ok(Exit::Done);
    }
    let count = match &which {
        Letters::Ids(ids) => ids.len() as u64,
        Letters::All => operations.cluster().queue.depth(Lane::Poison).await?.messages,
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let question = format!("{verb} {}?", text::count(count, "dead letter"));
    if count > 0 && confirm(&question, count, consent).await? != Decision::Apply {
        return Ok(Exit::Done);
    }
    let ids = match change {
        DeadLetterChange::Replay(_) => operations.replay(&which).await?,
        DeadLetterChange::Purge(_) => operations.purge(&which).await?,
    };
    let entries: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    context.output.report(&entries, |output| {
        ids.iter().try_for_each(|id| output.line(&format!("{done} {}", sanitize(id))))?;
        output.line(&format!("{} {done}.", ids.len()))
    })?;
    Ok(Exit::Done)
}

/// What would become of each letter. Only those that a look shows can be told of.
async fn preview(
    operations: &Operations,
    which: &Letters,
    change: &DeadLetterChange,
) -> Result<Vec<Value>, CliError> {
    let seen = operations.dead_letters().await?;
    let meant: Vec<&Letter> = match which {
        Letters::All => seen.iter().collect(),
        Letters::Ids(ids) => ids
            .iter()
            .map(|id| {
                let found = seen.iter().find(|letter| letter.id == *id);
                let letter = found.ok_or_else(|| OperationError::NoSuchLetter(id.clone()))?;
                match change {
                    DeadLetterChange::Replay(_) if letter.job().is_none() => {
                        Err(OperationError::NotAJob(id.clone()))
                    }
                    _ => Ok(letter),
                }
            })
            .collect::<Result<_, _>>()?,
    };
    if seen.len() == MAX_RECEIVE {
        tracing::warn!("only the first {MAX_RECEIVE} dead letters are looked at");
    }
    Ok(meant.into_iter().map(|letter| describe(letter, change)).collect())
}

fn describe(letter: &Letter, change: &DeadLetterChange) -> Value {
    let job = letter.job();
    let what = match (change, &job) {
        (DeadLetterChange::Purge(_), _) => "delete it".to_owned(),
        (DeadLetterChange::Replay(_), Some(job)) => {
            format!("run node \"{}\" of run \"{}\" again", job.node_id, job.run_id)
        }
        (DeadLetterChange::Replay(_), None) => "leave it: it is not a job".to_owned(),
    };
    json!({
        "id": letter.id,
        "runId": job.map(|job| job.run_id),
        "changes": [format!("dead letter {}: {what}", letter.id)],
    })
}
