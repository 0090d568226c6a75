//! Having dead letters tried again: one as a canary first, the others once it has passed. Each goes
//! back to the queue it came from, and is deleted last.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use super::{
    CanaryReport, CanaryRule, CanaryVerdict, Cut, Grouped, Letter, Letters, OperationError,
    Operations, Oversight, Part, Prospect, ReplayOrder, ReplayPlan, canary::Watched, group_letters,
    letter_walk::Walk,
};
use crate::blueprint::{NodeId, RunId};

/// How often a requeue is planned anew because its run has moved in between.
const TRIES: u32 = 5;

/// What came of a replay.
#[derive(Debug, Clone, Default)]
pub struct ReplayReport {
    /// The ids of the letters that were tried again and are gone.
    pub replayed: Vec<String>,
    /// The canaries.
    pub canaries: Vec<CanaryReport>,
    /// Letters that stay where they are, each with the reason.
    pub left: Vec<(String, Prospect)>,
    /// Letters that were named and are not there.
    pub missing: Vec<String>,
    /// How many were not tried, because it ended before.
    pub untried: usize,
    /// Why it ended before all were tried, if it did for another reason than a canary.
    pub cut: Option<Cut>,
}

impl ReplayReport {
    /// The canary that ended it, if one did.
    pub fn failed_canary(&self) -> Option<&CanaryReport> {
        self.canaries.last().filter(|canary| !matches!(canary.verdict, CanaryVerdict::Passed(_)))
    }

    /// Why not all of it was done, for people: nothing if all was.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let stay = match self.untried {
            0 => String::new(),
            1 => "; 1 more stays where it is".to_owned(),
            more => format!("; the other {more} stay where they are"),
        };
        if let Some(CanaryReport { run, node, verdict, .. }) = self.failed_canary() {
            let what = format!("node \"{node}\" of run \"{run}\"");
            problems.push(match verdict {
                CanaryVerdict::Passed(_) => String::new(),
                CanaryVerdict::Failed(why) => {
                    format!("the canary failed, {what}: {why}{stay}")
                }
                CanaryVerdict::Unclear(how) => {
                    format!("the canary did not pass, {what}: {how}{stay}")
                }
                CanaryVerdict::Stopped => {
                    format!("stopped while the canary was running, {what}{stay}")
                }
            });
        } else if let Some(cut) = &self.cut {
            problems.push(match cut {
                Cut::Stopped => format!("stopped{stay}"),
                Cut::Failed(error) => format!("{error}{stay}"),
            });
        }
        problems.extend(
            self.missing.iter().map(|id| OperationError::NoSuchLetter(id.clone()).to_string()),
        );
        problems
    }
}

impl Operations {
    /// Has dead letters tried again, all at once: their node is requeued if it failed, else their
    /// job is sent again. Returns the ids of those that were. Letters that a replay does nothing for
    /// stay where they are; if one was named, that is an error, after the others were tried again.
    pub async fn replay(&self, which: &Letters) -> Result<Vec<String>, OperationError> {
        let order = ReplayOrder { which: which.clone(), canary: CanaryRule::Skip };
        let plan = self.plan_replay(&order).await?;
        let report = self.carry_out_replay(&plan, &Oversight::nobody()).await?;
        if let Some(Cut::Failed(error)) = report.cut {
            return Err(error);
        }
        if let Letters::Ids(_) = which {
            if let Some((id, why)) = report.left.into_iter().next() {
                return Err(OperationError::not_replayed(id, &why));
            }
            if let Some(id) = report.missing.into_iter().next() {
                return Err(OperationError::NoSuchLetter(id));
            }
        }
        Ok(report.replayed)
    }

    /// Carries a plan out. Letters that have come since are left alone, unless all of a group or of
    /// the queue are meant.
    pub async fn carry_out_replay(
        &self,
        plan: &ReplayPlan,
        oversight: &Oversight,
    ) -> Result<ReplayReport, OperationError> {
        let mut replay = Replay {
            operations: self,
            oversight,
            report: ReplayReport::default(),
            done: HashSet::new(),
            total: 0,
        };
        let targets = replay.targets(plan).await?;
        replay.total = targets.len();
        match plan.order.canary {
            CanaryRule::Skip => replay.all(targets).await,
            CanaryRule::First(limit) => replay.group_by_group(plan, targets, limit).await,
        }
        Ok(replay.report)
    }
}

/// A replay under way.
struct Replay<'a> {
    operations: &'a Operations,
    oversight: &'a Oversight,
    report: ReplayReport,
    /// The nodes that were seen to: another letter of one of them is done with it.
    done: HashSet<(RunId, NodeId)>,
    total: usize,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    NoFurther,
}

impl Replay<'_> {
    /// The letters that a plan is for: as it has them if it shows all, else by going through the
    /// queue.
    async fn targets(&mut self, plan: &ReplayPlan) -> Result<Vec<Letter>, OperationError> {
        let mut targets = Vec::new();
        if plan.unseen == 0 {
            self.report.missing.clone_from(&plan.missing);
            for step in &plan.steps {
                match step.part {
                    Part::Stays => {
                        self.report.left.push((step.letter.id.clone(), step.prospect.clone()));
                    }
                    _ => targets.push(step.letter.clone()),
                }
            }
            return Ok(targets);
        }
        let letters = self.operations.all_dead_letters(self.oversight).await?;
        if let Letters::Ids(ids) = &plan.order.which {
            self.report.missing =
                ids.iter().filter(|id| letters.iter().all(|it| it.id != **id)).cloned().collect();
        }
        for letter in letters.into_iter().filter(|letter| plan.order.which.mean(letter)) {
            let ours = self.operations.cluster().queue.name();
            let from = letter.queue().filter(|from| *from != ours);
            let stays = match (from, letter.job()) {
                (Some(from), _) => {
                    Some(Prospect::OtherQueue { from: from.to_owned(), ours: ours.to_owned() })
                }
                (None, None) => Some(Prospect::NotAJob),
                (None, Some(_)) => None,
            };
            match stays {
                Some(stays) => self.report.left.push((letter.id, stays)),
                None => targets.push(letter),
            }
        }
        Ok(targets)
    }

    async fn all(&mut self, targets: Vec<Letter>) {
        let ids: HashSet<String> = targets.into_iter().map(|target| target.id).collect();
        let untried = self.pass(ids).await;
        self.report.untried = untried;
    }

    /// One letter of each group, then the rest of it, one group after the other.
    async fn group_by_group(&mut self, plan: &ReplayPlan, targets: Vec<Letter>, limit: Duration) {
        let planned: Vec<&str> = plan
            .steps
            .iter()
            .filter(|step| matches!(step.part, Part::Canary(_)))
            .map(|step| step.letter.id.as_str())
            .collect();
        let mut groups: VecDeque<VecDeque<Letter>> = grouped(targets, &planned);
        while let Some(mut group) = groups.pop_front() {
            let later: usize = groups.iter().map(VecDeque::len).sum();
            let go = self.group(&mut group, later, limit).await;
            if go == Go::NoFurther {
                self.report.untried += group.len() + later;
                return;
            }
        }
    }

    /// The letters of one group, the canary first in it. What is left of `group` at the end was not
    /// tried.
    async fn group(&mut self, group: &mut VecDeque<Letter>, later: usize, limit: Duration) -> Go {
        while let Some(target) = group.pop_front() {
            if self.oversight.is_stopped() {
                group.push_front(target);
                self.report.cut = Some(Cut::Stopped);
                return Go::NoFurther;
            }
            let followed = !group.is_empty() || later > 0;
            match self.canary(&target, followed, limit).await {
                // Nothing can be told by this one.
                Ok(Canary::Nothing) => {}
                Ok(Canary::Passed) => break,
                Ok(Canary::DidNotPass) => return Go::NoFurther,
                Err(error) => {
                    group.push_front(target);
                    self.report.cut = Some(Cut::Failed(error));
                    return Go::NoFurther;
                }
            }
        }
        let ids: HashSet<String> = group.drain(..).map(|target| target.id).collect();
        if ids.is_empty() {
            return Go::On;
        }
        let untried = self.pass(ids).await;
        if self.report.cut.is_some() {
            self.report.untried += untried;
            return Go::NoFurther;
        }
        Go::On
    }

    /// Replays one letter, and watches what becomes of it if others follow it.
    async fn canary(
        &mut self,
        letter: &Letter,
        followed: bool,
        limit: Duration,
    ) -> Result<Canary, OperationError> {
        let prospect = self.operations.prospect(letter).await?;
        let watched = match &prospect {
            _ if !followed => None,
            Prospect::Requeued { run, node } | Prospect::Resent { run, node } => {
                let nodes = std::slice::from_ref(node);
                Some(self.operations.before_canary(&letter.id, run, node, nodes).await?)
            }
            Prospect::TakenUp { run, node, follow } => {
                Some(self.operations.before_canary(&letter.id, run, node, follow).await?)
            }
            _ => None,
        };
        let replayed = self.report.replayed.len();
        let untried = self.pass(HashSet::from([letter.id.clone()])).await;
        if self.report.cut.is_some() {
            self.report.untried += untried;
            return Ok(Canary::DidNotPass);
        }
        let gone = self.report.replayed.len() > replayed;
        match watched {
            Some(watched) if gone => Ok(self.watch(letter, &watched, limit).await),
            None if gone && !followed => Ok(Canary::Passed),
            // It says nothing about the others.
            _ => Ok(Canary::Nothing),
        }
    }

    async fn watch(&mut self, letter: &Letter, watched: &Watched, limit: Duration) -> Canary {
        let at = (self.report.replayed.len(), self.total);
        let verdict = self.operations.watch_canary(watched, limit, self.oversight, at).await;
        let passed = matches!(verdict, CanaryVerdict::Passed(_));
        tracing::info!(run = %watched.run, node = %watched.node, ?verdict, "the canary of a replay");
        self.report.canaries.push(CanaryReport {
            letter: letter.id.clone(),
            run: watched.run.clone(),
            node: watched.node.clone(),
            verdict,
        });
        if passed { Canary::Passed } else { Canary::DidNotPass }
    }

    /// Goes through the poison queue and replays these letters. Returns how many of them were not
    /// come to; why is noted in the report.
    async fn pass(&mut self, mut wanted: HashSet<String>) -> usize {
        let mut walk = Walk::begin(self.operations.cluster().queue.clone());
        while !wanted.is_empty() {
            if self.oversight.is_stopped() {
                self.report.cut = Some(Cut::Stopped);
                break;
            }
            let delivery = match walk.next().await {
                Ok(Some(delivery)) => delivery,
                // Somebody else has taken the rest.
                Ok(None) => {
                    self.report.missing.extend(wanted.drain());
                    break;
                }
                Err(error) => {
                    self.report.cut = Some(Cut::Failed(error.into()));
                    break;
                }
            };
            if !wanted.contains(&delivery.receipt.message_id) {
                continue;
            }
            let letter = Letter::from(&delivery);
            match self.settle(&letter).await {
                // Deleted last: what is interrupted is found here again.
                Ok(None) => {
                    wanted.remove(&letter.id);
                    self.report.replayed.push(letter.id);
                    if let Err(error) = walk.delete(&delivery).await {
                        self.report.cut = Some(Cut::Failed(error.into()));
                        break;
                    }
                }
                Ok(Some(stays)) => {
                    wanted.remove(&letter.id);
                    self.report.left.push((letter.id, stays));
                }
                Err(error) => {
                    self.report.cut = Some(Cut::Failed(error));
                    break;
                }
            }
            let done = self.report.replayed.len();
            self.oversight.report(done, self.total.max(done), "replaying");
        }
        if let Err(error) = walk.end().await {
            // What is not given back comes back by itself.
            tracing::warn!(%error, "a dead letter could not be given back at once");
        }
        wanted.len()
    }

    /// Has one letter tried again. Returns why it stays where it is, if it does.
    async fn settle(&mut self, letter: &Letter) -> Result<Option<Prospect>, OperationError> {
        let Some(mut job) = letter.job() else { return Ok(Some(Prospect::NotAJob)) };
        let turn = (job.run_id.clone(), job.node_id.clone());
        let mut tries = 0;
        loop {
            let prospect = self.operations.prospect(letter).await?;
            if self.done.contains(&turn) && !matches!(prospect, Prospect::OtherQueue { .. }) {
                return Ok(None);
            }
            match prospect {
                Prospect::Requeued { run, node } => match self.requeue(&run, node).await {
                    Ok(()) => {}
                    Err(error) if error.has_moved() && tries < TRIES => {
                        tries += 1;
                        continue;
                    }
                    Err(OperationError::Cluster(error)) => return Err(error.into()),
                    // The others may go all the same.
                    Err(error) => return Ok(Some(Prospect::Refused(error.to_string()))),
                },
                prospect if prospect.acts() => {
                    job.holds = None;
                    job.redrive = Some(true);
                    self.operations.core.send(vec![job]).await?;
                }
                stays => return Ok(Some(stays)),
            }
            self.done.insert(turn);
            return Ok(None);
        }
    }

    async fn requeue(&self, run: &RunId, node: NodeId) -> Result<(), OperationError> {
        let plan = self.operations.plan_requeue(run, &[node]).await?;
        self.operations.apply(&plan).await.map(drop)
    }
}

/// What a canary says about those that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Canary {
    /// They may go.
    Passed,
    /// They may not.
    DidNotPass,
    /// It was none: another one is needed.
    Nothing,
}

/// The letters group by group, in each the planned canary first, then the newest.
fn grouped(targets: Vec<Letter>, planned: &[&str]) -> VecDeque<VecDeque<Letter>> {
    let groups = group_letters(targets.iter().map(|target| Grouped {
        symptom: &target.symptom,
        failed_at: target.failed_at(),
        run: None,
    }));
    let mut targets: Vec<Option<Letter>> = targets.into_iter().map(Some).collect();
    groups
        .into_iter()
        .map(|group| {
            let mut letters: VecDeque<Letter> =
                group.letters.iter().filter_map(|at| targets.get_mut(*at)?.take()).collect();
            let first = letters.iter().position(|target| planned.contains(&target.id.as_str()));
            if let Some(target) = first.and_then(|at| letters.remove(at)) {
                letters.push_front(target);
            }
            letters
        })
        .collect()
}
