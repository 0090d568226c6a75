//! What a replay of dead letters would do: which goes first, which follow, and which stay.

use std::time::Duration;

use futures::future::try_join_all;

use super::{Grouped, Letter, Letters, OperationError, Operations, Prospect, group_letters};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::Job,
};

/// How many runs are read at once for a plan.
const READ_AT_ONCE: usize = 8;

/// How long a canary is watched unless told otherwise.
pub const CANARY_LIMIT: Duration = Duration::from_mins(1);

/// What is to be replayed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOrder {
    /// Which letters.
    pub which: Letters,
    /// Whether one goes first.
    pub canary: CanaryRule,
}

/// Whether one letter is replayed before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryRule {
    /// One of each group, which is watched so long at most. The first that does not pass ends the
    /// replay.
    First(Duration),
    /// None: all at once.
    Skip,
}

/// What a replay would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPlan {
    /// What was asked for.
    pub order: ReplayOrder,
    /// The letters that were seen, group by group, each group's canary first.
    pub steps: Vec<ReplayStep>,
    /// How many letters a look does not show that may be meant, too.
    pub unseen: usize,
    /// The letters that were named and not seen. With none unseen they are not there.
    pub missing: Vec<String>,
}

/// What a replay would do with one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayStep {
    /// The letter.
    pub letter: Letter,
    /// What replaying it does.
    pub prospect: Prospect,
    /// Its part.
    pub part: Part,
}

/// The part of a letter in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It goes first, for so many that follow as far as is known.
    Canary(usize),
    /// It follows.
    Follows,
    /// Nothing is done with it.
    Stays,
}

impl ReplayPlan {
    /// How many of the letters that were seen are tried again.
    pub fn acts(&self) -> usize {
        self.steps.iter().filter(|step| step.part != Part::Stays).count()
    }

    /// How many may be tried again, those included that a look does not show.
    pub fn may_act(&self) -> usize {
        self.acts() + self.unseen
    }

    /// The plan for people, a line a thing.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for step in &self.steps {
            let id = &step.letter.id;
            match (step.part, self.order.canary) {
                (Part::Canary(following), CanaryRule::First(limit)) => {
                    lines.push(format!("canary, first: dead letter {id}: {}", step.prospect));
                    lines.push(format!(
                        "chosen as the newest of group {} for which a replay does something",
                        step.letter.symptom.fingerprint
                    ));
                    let limit = humantime::format_duration(limit);
                    let then = format!("then, if that node completes or moves on within {limit}");
                    lines.push(match following {
                        0 => format!("{then}, whatever else is meant"),
                        1 => format!("{then}, the other one that failed alike:"),
                        more => format!("{then}, the {more} others that failed alike:"),
                    });
                }
                (Part::Stays, _) => {}
                _ => lines.push(format!("dead letter {id}: {}", step.prospect)),
            }
        }
        for step in self.steps.iter().filter(|step| step.part == Part::Stays) {
            lines.push(format!("dead letter {} stays: {}", step.letter.id, step.prospect));
        }
        match self.unseen {
            0 => lines.extend(
                self.missing.iter().map(|id| OperationError::NoSuchLetter(id.clone()).to_string()),
            ),
            unseen => lines.push(format!(
                "of {unseen} more that a look does not show: those that are meant and have something done"
            )),
        }
        lines
    }
}

impl Operations {
    /// Plans a replay, going by what a look at the poison queue shows.
    pub async fn plan_replay(&self, order: &ReplayOrder) -> Result<ReplayPlan, OperationError> {
        let (seen, total) = tokio::try_join!(self.dead_letters(), self.count_dead_letters())?;
        let unseen = total.saturating_sub(seen.len());
        let missing: Vec<String> = match &order.which {
            Letters::Ids(ids) => {
                ids.iter().filter(|id| seen.iter().all(|it| it.id != **id)).cloned().collect()
            }
            Letters::Group(_) | Letters::All => Vec::new(),
        };
        let unseen = match &order.which {
            Letters::Ids(_) => unseen.min(missing.len()),
            Letters::Group(_) | Letters::All => unseen,
        };
        let meant: Vec<Letter> = seen.into_iter().filter(|it| order.which.mean(it)).collect();
        let mut prospects = Vec::with_capacity(meant.len());
        for some in meant.chunks(READ_AT_ONCE) {
            prospects.extend(try_join_all(some.iter().map(|it| self.prospect(it))).await?);
        }
        let steps = arrange(meant, prospects, order.canary, unseen);
        Ok(ReplayPlan { order: order.clone(), steps, unseen, missing })
    }
}

/// The steps of a plan: group by group, in each the canary first, then the others from the newest
/// to the oldest.
fn arrange(
    letters: Vec<Letter>,
    prospects: Vec<Prospect>,
    rule: CanaryRule,
    unseen: usize,
) -> Vec<ReplayStep> {
    let jobs: Vec<Option<Job>> = letters.iter().map(Letter::job).collect();
    let groups = group_letters(letters.iter().map(|letter| Grouped {
        symptom: &letter.symptom,
        failed_at: letter.failed_at(),
        run: None,
    }));
    let acting = prospects.iter().filter(|prospect| prospect.acts()).count();
    let mut nodes: Vec<((RunId, NodeId), String)> = Vec::new();
    let mut stock: Vec<Option<(Letter, Prospect)>> =
        letters.into_iter().zip(prospects).map(Some).collect();
    let mut steps: Vec<ReplayStep> = Vec::new();
    for group in groups {
        let start = steps.len();
        for at in group.letters {
            let Some((letter, mut prospect)) = stock.get_mut(at).and_then(Option::take) else {
                continue;
            };
            let turn = jobs.get(at).and_then(Option::as_ref);
            let turn = turn.map(|job| (job.run_id.clone(), job.node_id.clone()));
            if let Some(turn) = turn.filter(|_| prospect.acts()) {
                match nodes.iter().find(|(other, _)| *other == turn) {
                    Some((_, other)) => prospect = Prospect::GoesWith(other.clone()),
                    None => nodes.push((turn, letter.id.clone())),
                }
            }
            let goes = prospect.acts() || matches!(prospect, Prospect::GoesWith(_));
            let part = if goes { Part::Follows } else { Part::Stays };
            steps.push(ReplayStep { letter, prospect, part });
        }
        let group = &mut steps[start..];
        let several = acting > 1 || (acting == 1 && unseen > 0);
        let canary = group.iter().position(|step| step.prospect.runs_node());
        if let (CanaryRule::First(_), true, Some(at)) = (rule, several, canary) {
            let following = group.iter().filter(|step| step.part == Part::Follows).count() - 1;
            group[at].part = Part::Canary(following);
            group[..=at].rotate_right(1);
        }
    }
    steps
}
