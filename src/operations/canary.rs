//! The first letter of a replay: what becomes of it decides about the others.

use std::time::Duration;

use tokio::time::Instant;

use super::{Letter, OperationError, Operations, Oversight};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Neighbours, WorkerMode},
    engine::{Awaits, NodeState, RunDocument, RunStatus, Timestamp},
};

/// What became of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryVerdict {
    /// Its node completed, or moved on: in these words.
    Passed(String),
    /// Its node failed again, or its message is back in the poison queue: the new reason.
    Failed(String),
    /// Nothing was decided in time: how it stands.
    Unclear(String),
    /// It was not waited for.
    Stopped,
}

/// A canary, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryReport {
    /// The letter's id.
    pub letter: String,
    /// Its run.
    pub run: RunId,
    /// Its node.
    pub node: NodeId,
    /// What became of it.
    pub verdict: CanaryVerdict,
}

/// What is watched after a letter was replayed, and how it stood before.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) run: RunId,
    /// The node of the letter.
    pub(super) node: NodeId,
    nodes: Vec<Before>,
    /// Whether the run's status item said already that it failed.
    had_failed: bool,
    /// The letters that were in the poison queue already, as far as they could be seen.
    known: Vec<String>,
    since: Timestamp,
}

#[derive(Debug, Clone)]
struct Before {
    node: NodeId,
    iteration: u32,
    state: NodeState,
    had_output: bool,
}

/// What one look at a canary says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Passed(String),
    Failed(String),
    /// Not decided yet; how it stands.
    Open(String),
}

/// How often a canary is looked at: at first, and at least.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Operations {
    /// How things stand before a letter is replayed that is to be watched.
    pub(super) async fn before_canary(
        &self,
        letter: &str,
        run: &RunId,
        node: &NodeId,
        nodes: &[NodeId],
    ) -> Result<Watched, OperationError> {
        let document = self.core.fresh(run).await?;
        let before = |node: &NodeId| Before {
            node: node.clone(),
            iteration: document
                .as_ref()
                .and_then(|document| document.entry(node))
                .map_or(1, |entry| entry.iteration),
            state: document.as_ref().map_or(NodeState::Pending, |it| it.state(node)),
            had_output: document.as_ref().is_some_and(|it| it.output(node).is_some()),
        };
        let mut known: Vec<String> =
            self.dead_letters().await?.into_iter().map(|letter| letter.id).collect();
        known.push(letter.to_owned());
        Ok(Watched {
            run: run.clone(),
            node: node.clone(),
            nodes: nodes.iter().map(before).collect(),
            had_failed: self.failed_by_status(run).await?,
            known,
            // Queues know the time to the second only.
            since: Timestamp::from_seconds(self.core.now().seconds()),
        })
    }

    /// Watches a replayed letter until it is clear what became of it.
    pub(super) async fn watch_canary(
        &self,
        watched: &Watched,
        limit: Duration,
        oversight: &Oversight,
        (done, total): (usize, usize),
    ) -> CanaryVerdict {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let seconds = began.elapsed().as_secs();
            let (node, run) = (&watched.node, &watched.run);
            let what = format!("canary running for {seconds}s: node {node} of run {run};");
            oversight.report(done, total, what);
            tokio::select! {
                () = oversight.stopped() => return CanaryVerdict::Stopped,
                () = tokio::time::sleep(pause) => {}
            }
            let stands = match self.look_at_canary(watched).await {
                Ok(Look::Passed(how)) => return CanaryVerdict::Passed(how),
                Ok(Look::Failed(why)) => return CanaryVerdict::Failed(why),
                Ok(Look::Open(stands)) => stands,
                // The service may answer the next look.
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= limit {
                return CanaryVerdict::Unclear(self.unclear(stands, limit).await);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn look_at_canary(&self, watched: &Watched) -> Result<Look, OperationError> {
        let document = self.core.fresh(&watched.run).await?;
        let look = judge(document.as_ref(), watched);
        if !matches!(look, Look::Open(_)) {
            return Ok(look);
        }
        let back = self.dead_letters().await?.into_iter().find(|letter| is_back(letter, watched));
        if let Some(letter) = back {
            let reason = letter.letter.map_or(letter.symptom.says, |letter| letter.reason);
            return Ok(Look::Failed(format!("back in the poison queue: {reason}")));
        }
        if !watched.had_failed && self.failed_by_status(&watched.run).await? {
            return Ok(Look::Failed("a JavaScript worker failed the run".to_owned()));
        }
        Ok(look)
    }

    /// Whether a run has failed by its status item alone: a JavaScript worker that fails a node
    /// writes down nothing else.
    async fn failed_by_status(&self, run: &RunId) -> Result<bool, OperationError> {
        if self.cluster().neighbours == Neighbours::None {
            return Ok(false);
        }
        Ok(self.status(run).await?.is_some_and(|item| item.status == Some(RunStatus::Failed)))
    }

    /// Why nothing was decided in time.
    async fn unclear(&self, stands: String, limit: Duration) -> String {
        let limit = humantime::format_duration(limit);
        let workers = self.cluster().coordination.workers().await.unwrap_or_default();
        let running = workers.iter().any(|worker| worker.mode == WorkerMode::Running);
        let nobody = if running || self.cluster().neighbours == Neighbours::JavaScript {
            ""
        } else {
            "; no worker is alive that takes jobs"
        };
        format!("not decided within {limit}: {stands}{nobody}")
    }
}

/// Whether a letter is that of a watched message, come back.
fn is_back(letter: &Letter, watched: &Watched) -> bool {
    !watched.known.contains(&letter.id)
        && letter.failed_at() >= watched.since
        && letter.job().is_some_and(|job| {
            job.run_id == watched.run
                && watched.nodes.iter().any(|before| before.node == job.node_id)
        })
}

/// What a run's document says about a canary.
fn judge(document: Option<&RunDocument>, watched: &Watched) -> Look {
    let Some(document) = document else {
        return Look::Open("the run has no document".to_owned());
    };
    if document.status() == RunStatus::Cancelled {
        return Look::Failed("the run was cancelled".to_owned());
    }
    let mut stands = Look::Open("nothing has moved".to_owned());
    for before in &watched.nodes {
        match judge_node(document, before) {
            Look::Open(how) => {
                if matches!(stands, Look::Open(_)) {
                    stands = Look::Open(how);
                }
            }
            Look::Failed(why) => return Look::Failed(why),
            passed @ Look::Passed(_) => stands = passed,
        }
    }
    stands
}

fn judge_node(document: &RunDocument, before: &Before) -> Look {
    let node = &before.node;
    let passed = |how: &str| Look::Passed(format!("node \"{node}\" {how}"));
    let has_output = document.output(node).is_some() && !before.had_output;
    let Some(entry) = document.entry(node) else {
        return if has_output {
            passed("completed")
        } else {
            Look::Open(format!("node \"{node}\" is not on record yet"))
        };
    };
    match entry.state {
        NodeState::Completed => passed("completed"),
        NodeState::Failed => {
            Look::Failed(entry.error.clone().unwrap_or_else(|| "it failed again".to_owned()))
        }
        _ if has_output => passed("completed"),
        _ if entry.iteration > before.iteration => passed("completed, and a loop runs it again"),
        NodeState::Awaiting => match &entry.awaits {
            Some(Awaits::Child { run, .. }) => {
                Look::Open(format!("node \"{node}\" waits for its child run \"{run}\""))
            }
            _ if before.state == NodeState::Awaiting => {
                Look::Open(format!("node \"{node}\" still waits"))
            }
            _ => passed("ran, and waits now"),
        },
        state => {
            let word = state.as_str();
            Look::Open(match &entry.error {
                Some(error) => {
                    format!("node \"{node}\" is {word}, its last attempt failed: {error}")
                }
                None => format!("node \"{node}\" is still {word}"),
            })
        }
    }
}
