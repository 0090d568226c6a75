//! What the poison queue has to do with a run: whether a dead letter is why it stands, or old news.

use super::{
    cause::{Bearing, Cause, CauseKind, Confidence},
    ended::is_handled,
    remedy::{Mend, Remedy},
    subject::Subject,
    surroundings::{Letter, Surroundings},
    taken_up::is_this_turn,
    when::past,
};
use crate::{
    blueprint::NodeId,
    cluster::{Holder, Job},
    engine::{NodeState, RunDocument},
};

/// What a dead letter means for its run today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Its node has failed for it.
    Failed,
    /// Its node is still to be run, and has no other message.
    Pending,
    /// Its node has been run again since, or what failed was made up for.
    Old,
}

/// What the dead letters of a run come to.
pub(super) fn judge(
    subject: &Subject,
    document: &RunDocument,
    around: &Surroundings,
) -> Vec<Cause> {
    let ended = document.status().is_final();
    let mut causes = Vec::new();
    let mut named = Vec::new();
    let letters = around.poison.as_ref().map(|seen| seen.letters.as_slice()).unwrap_or_default();
    for letter in letters {
        match &letter.job {
            Some(job) if job.run_id == subject.run => {
                let news = news(subject, document, letter, job, around);
                if news == News::Failed {
                    named.push(job.node_id.clone());
                }
                causes.push(of_letter(letter, job, news, ended, around));
            }
            None if letter.names.as_ref() == Some(&subject.run) => {
                causes.push(not_a_job(subject, letter, ended, around));
            }
            _ => {}
        }
    }
    causes.extend(recorded(subject, document, &named, ended, around));
    causes
}

fn news(
    subject: &Subject,
    document: &RunDocument,
    letter: &Letter,
    job: &Job,
    around: &Surroundings,
) -> News {
    let Some(entry) = document.entry(&job.node_id) else { return News::Old };
    if !is_this_turn(job, entry) {
        return News::Old;
    }
    match entry.state {
        NodeState::Failed => {
            let for_this = job.generation.is_some() || entry.error.as_ref() == Some(&letter.reason);
            if for_this && !is_handled(document, &job.node_id) { News::Failed } else { News::Old }
        }
        NodeState::Ready => {
            let sent_since = entry.enqueued_at.is_some_and(|at| at > letter.at);
            let held = subject.leases.get(&job.node_id).is_some_and(|lease| {
                let value = lease.as_ref().ok().and_then(Option::as_ref).map(|it| &it.value);
                value
                    .and_then(|value| Holder::worker_of(value))
                    .is_some_and(|name| around.worker(name).is_some())
            });
            if sent_since || held { News::Old } else { News::Pending }
        }
        _ => News::Old,
    }
}

fn of_letter(letter: &Letter, job: &Job, news: News, ended: bool, around: &Surroundings) -> Cause {
    let node = &job.node_id;
    let mut evidence = vec![format!(
        "the message of node \"{node}\" is in the poison queue since {}: {}",
        past(around.now, letter.at),
        letter.reason
    )];
    let replay = Remedy::Replay { letters: vec![letter.id.clone()] };
    let cause = |confidence, evidence, remedy| {
        Cause::new(CauseKind::Poisoned, confidence, evidence, remedy)
    };
    match news {
        News::Failed if ended => cause(Confidence::High, evidence, replay),
        News::Failed => {
            evidence.push("the node failed for it; the rest of the run goes on".to_owned());
            cause(Confidence::High, evidence, replay).bearing(Bearing::Aside)
        }
        News::Pending => {
            evidence.push("the node is still to be run, and no message was sent since".to_owned());
            cause(Confidence::High, evidence, replay)
        }
        News::Old => {
            evidence.push("that is old news: the run has gone on since".to_owned());
            cause(Confidence::Low, evidence, Remedy::Nothing).bearing(Bearing::Aside)
        }
    }
}

/// A letter that names the run and is no job: which node it meant, nobody can say.
fn not_a_job(subject: &Subject, letter: &Letter, ended: bool, around: &Surroundings) -> Cause {
    let evidence = vec![format!(
        "a message that names this run could not be understood {}: {}",
        past(around.now, letter.at),
        letter.reason
    )];
    let remedy = if ended { Remedy::Nothing } else { Remedy::Reconcile(subject.run.clone()) };
    Cause::new(CauseKind::Poisoned, Confidence::Medium, evidence, remedy).bearing(Bearing::Aside)
}

/// Nodes that failed because their message went to the poison queue, as their run has on record,
/// and whose letters are not among those that were seen.
fn recorded(
    subject: &Subject,
    document: &RunDocument,
    named: &[NodeId],
    ended: bool,
    around: &Surroundings,
) -> Option<Cause> {
    let warnings = &document.head().warnings;
    let nodes: Vec<(NodeId, &String)> = document
        .failed()
        .filter(|node| !named.contains(node) && !is_handled(document, node))
        .filter_map(|node| {
            let error = document.entry(node)?.error.as_ref()?;
            let warning =
                format!("the message of node \"{node}\" went to the poison queue: {error}");
            let found = warnings.iter().find(|known| **known == warning)?;
            Some((node.clone(), found))
        })
        .collect();
    if nodes.is_empty() {
        return None;
    }
    let mut evidence: Vec<String> = nodes.iter().map(|(_, warning)| (*warning).clone()).collect();
    let (whole, confidence) = match &around.poison {
        Ok(seen) if seen.messages > seen.letters.len() as u64 => (
            format!(
                "its letter is not among the first {} of {} there, which is as far as one can look",
                seen.letters.len(),
                seen.messages
            ),
            Confidence::High,
        ),
        Ok(_) => ("its letter is not there any more".to_owned(), Confidence::High),
        Err(_) => ("the poison queue can't be read".to_owned(), Confidence::Medium),
    };
    evidence.push(whole);
    let remedy = Remedy::Requeue {
        run: subject.run.clone(),
        nodes: nodes.into_iter().map(|(node, _)| node).collect(),
        first: Mend::Failure,
    };
    let bearing = if ended { Bearing::Blocks } else { Bearing::Aside };
    Some(Cause::new(CauseKind::Poisoned, confidence, evidence, remedy).bearing(bearing))
}
