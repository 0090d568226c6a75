//! What happened before the demo was opened: runs really carried out, on clusters in memory whose
//! clocks are in the past, by workers some of which die on the way.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;
use tracing::subscriber::NoSubscriber;

use super::{
    DemoError,
    dice::Dice,
    nodes::registry,
    order::Line,
    pace::{Pace, Past, PastClock},
};
use crate::{
    blueprint::{Library, NodeId, RunId},
    cluster::{
        Cluster, Job, Lane, MAX_RECEIVE, ReadDocument, StatusItem, StatusQuery, memory_cluster,
    },
    engine::{Answer, Awaits, RunDocument, RunStatus, Timestamp},
    operations::{Lint, Operations, StartRequest},
    worker::{Worker, WorkerConfig},
};

/// How a scene of the past ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The run ends by itself.
    Ended,
    /// Somebody answers it, and it ends.
    Answered(&'static str),
    /// It waits for an answer, or for its timer.
    Waits,
    /// Its worker dies at this node, and its message is lost with it.
    Stalled(&'static str),
    /// Its worker dies at this node; the lease it held has not ended yet.
    Orphaned(&'static str),
    /// Workers die at this node, the first of its chain, until its message is poison. So is
    /// another one, which is no job.
    Poisoned(&'static str),
    /// Somebody cancels it while it is at this node.
    Cancelled(&'static str),
}

impl Ending {
    fn dies_at(self) -> Option<&'static str> {
        match self {
            Self::Stalled(node)
            | Self::Orphaned(node)
            | Self::Poisoned(node)
            | Self::Cancelled(node) => Some(node),
            Self::Ended | Self::Answered(_) | Self::Waits => None,
        }
    }
}

/// The scenes: how many minutes ago each began, of which line of business, and how it ends.
const SCENES: [(u64, Line, Ending); 25] = [
    (47, Line::Report, Ending::Ended),
    (45, Line::Order, Ending::Ended),
    (43, Line::Backup, Ending::Ended),
    (41, Line::Prices, Ending::Ended),
    (39, Line::Images, Ending::Ended),
    (37, Line::Expense, Ending::Answered("approve")),
    (35, Line::Order, Ending::Ended),
    (33, Line::Invoices, Ending::Ended),
    (31, Line::Trial, Ending::Ended),
    (26, Line::Expense, Ending::Answered("reject")),
    (24, Line::Order, Ending::Cancelled("pack")),
    (22, Line::Prices, Ending::Ended),
    (20, Line::Invoices, Ending::Poisoned("list-invoices")),
    (18, Line::Order, Ending::Stalled("pack")),
    (16, Line::Report, Ending::Stalled("write-report")),
    (14, Line::Images, Ending::Orphaned("resize-17")),
    (12, Line::Expense, Ending::Waits),
    (11, Line::Order, Ending::Ended),
    (10, Line::Backup, Ending::Ended),
    (9, Line::Prices, Ending::Ended),
    (8, Line::Images, Ending::Ended),
    (6, Line::Expense, Ending::Waits),
    (5, Line::Invoices, Ending::Ended),
    (3, Line::Order, Ending::Ended),
    (2, Line::Trial, Ending::Waits),
];

/// How many runs the scenes start, their subflows not counted.
pub(super) const RUNS: u64 = SCENES.len() as u64;

/// The number in the first run's id.
pub(super) const FIRST: u64 = 1001;

/// How long a worker that died held its leases; longer than the past is.
const LONG: Duration = Duration::from_hours(4);
/// How long it does where its message is to be taken up again.
const SHORT: Duration = Duration::from_secs(30);

/// What the past left behind.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) runs: Vec<(StatusItem, RunDocument)>,
    pub(super) poison: Vec<String>,
    /// Messages that are to be sent, and when they are due.
    pub(super) timers: Vec<(Job, Timestamp)>,
    /// Nodes leased by a worker that is dead.
    pub(super) orphaned: Vec<(RunId, NodeId)>,
    /// Runs whose message is gone.
    pub(super) stalled: Vec<RunId>,
    /// Runs with a message in the poison queue.
    pub(super) poisoned: Vec<RunId>,
}

/// Plays the past up to now. Takes a thread for a moment, and logs nothing.
pub(super) fn play(library: &Library, seed: u64, now: Timestamp) -> Result<History, DemoError> {
    quietly(async {
        let mut history = History::default();
        let begin = |minutes: u64| {
            let ago = i64::try_from(minutes * 60_000).unwrap_or(0);
            Timestamp::from_millis(now.millis().saturating_sub(ago))
        };
        let clock = Arc::new(PastClock::new(begin(SCENES[0].0)));
        for (number, (minutes, line, ending)) in (FIRST..).zip(SCENES) {
            clock.put_on_to(begin(minutes));
            let scene = Scene::new(library, seed, &clock, ending);
            scene.play(line, number, &mut history).await?;
        }
        Ok(history)
    })?
}

/// Runs a future on this thread alone, without a log: what is in it happened before.
fn quietly<T>(future: impl Future<Output = T>) -> Result<T, DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(tracing::subscriber::with_default(NoSubscriber::default(), || runtime.block_on(future)))
}

/// One run of the past, on a cluster of its own.
struct Scene {
    cluster: Cluster,
    clock: Arc<PastClock>,
    past: Arc<Past>,
    worker: Worker,
    operations: Operations,
    ending: Ending,
}

impl Scene {
    fn new(library: &Library, seed: u64, clock: &Arc<PastClock>, ending: Ending) -> Self {
        let cluster = memory_cluster(clock.clone());
        let past = Arc::new(Past::new(clock.clone(), ending.dies_at()));
        let config = WorkerConfig {
            lease: if matches!(ending, Ending::Poisoned(_)) { SHORT } else { LONG },
            poll_ceiling: Duration::from_millis(2),
            max_dequeue_count: 1,
            reconciler: None,
            seed: Some(seed),
            ..WorkerConfig::named("worker-1")
        };
        let registry = registry(seed, &Pace::Past(past.clone()));
        let worker = Worker::new(cluster.clone(), library.clone(), registry, config);
        let operations = Operations::beside(&worker);
        Self { cluster, clock: clock.clone(), past, worker, operations, ending }
    }

    async fn play(&self, line: Line, number: u64, history: &mut History) -> Result<(), DemoError> {
        let run = line.run_id(number);
        let request = StartRequest {
            blueprint: line.blueprint().into(),
            input: self.input(line, &run),
            run: Some(run.clone()),
            lint: Lint::Enforce,
        };
        let run = self.operations.start(request).await?.run;
        let mut working = JoinSet::new();
        let worker = self.worker.clone();
        working.spawn(async move { worker.run().await });
        self.until_it_rests(&run).await?;
        if let Ending::Answered(action) = self.ending {
            self.clock.put_on(Duration::from_secs(100));
            self.answer(&run, action).await?;
            self.until_closed(&run).await?;
        }
        working.shutdown().await;
        match self.ending {
            Ending::Ended | Ending::Answered(_) => {}
            Ending::Waits => history.timers.extend(self.timers(&run).await?),
            Ending::Stalled(_) => history.stalled.push(run.clone()),
            Ending::Orphaned(node) => history.orphaned.push((run.clone(), node.into())),
            Ending::Poisoned(_) => {
                self.poison(&run).await?;
                history.poisoned.push(run.clone());
            }
            Ending::Cancelled(_) => {
                let plan = self.operations.plan_cancel(&run).await?;
                self.operations.apply(&plan).await?;
            }
        }
        self.collect(history).await
    }

    fn input(&self, line: Line, run: &str) -> serde_json::Map<String, serde_json::Value> {
        let mut input = line.input(&mut Dice::new(0, run));
        let asks = matches!(self.ending, Ending::Waits | Ending::Answered(_));
        if let (Line::Expense, true, Some(expense)) = (line, asks, input.get_mut("expense")) {
            // A small one would be paid out without a question.
            expense["amount"] = json!(Dice::new(1, run).number(150..900));
        }
        input
    }

    /// Waits until the run has come to where its scene ends, or where somebody answers it.
    async fn until_it_rests(&self, run: &RunId) -> Result<(), DemoError> {
        match self.ending {
            Ending::Ended => self.until_closed(run).await,
            Ending::Waits | Ending::Answered(_) => {
                self.until(run, |document| document.status() == RunStatus::Awaiting).await
            }
            _ => {
                // The dead worker's chain, and its message, are all that is left.
                for _ in 0..PATIENCE {
                    let left = self.cluster.queue.depth(Lane::Jobs).await?.messages;
                    let busy = self.worker.status().in_flight;
                    if self.past.died() && left == 1 && busy == 1 {
                        return Ok(());
                    }
                    self.pass_time(busy).await;
                }
                Err(DemoError::Stuck(run.clone()))
            }
        }
    }

    async fn until(
        &self,
        run: &RunId,
        condition: impl Fn(&RunDocument) -> bool,
    ) -> Result<(), DemoError> {
        for _ in 0..PATIENCE {
            if condition(&self.document(run).await?) {
                return Ok(());
            }
            self.pass_time(self.worker.status().in_flight).await;
        }
        Err(DemoError::Stuck(run.clone()))
    }

    /// Waits until the run has ended and its final status is written.
    async fn until_closed(&self, run: &RunId) -> Result<(), DemoError> {
        for _ in 0..PATIENCE {
            let known = self.cluster.state.read_status(run).await?;
            if known.is_some_and(|known| known.item.status.is_some_and(RunStatus::is_final)) {
                return Ok(());
            }
            self.pass_time(self.worker.status().in_flight).await;
        }
        Err(DemoError::Stuck(run.clone()))
    }

    /// Where nobody works, a pause or a timer has to go by.
    async fn pass_time(&self, busy: usize) {
        if busy == 0 {
            self.clock.put_on(Duration::from_secs(1));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn answer(&self, run: &RunId, action: &str) -> Result<(), DemoError> {
        let answer = Answer {
            node: None,
            action: Some(action.to_owned()),
            output: Some(json!({"by": "Margaret"})),
            token: format!("{run} answered"),
        };
        let plan = self.operations.plan_answer(run, answer).await?;
        self.operations.apply(&plan).await?;
        Ok(())
    }

    /// Has another worker find the message of the one that died, and one that is no job.
    async fn poison(&self, run: &RunId) -> Result<(), DemoError> {
        let cut = r#"{"runId":"order-0999","blueprintId":"order-fulfi"#.to_owned();
        self.cluster.queue.send(Lane::Jobs, cut, Duration::ZERO).await?;
        self.clock.put_on(SHORT * 2);
        let mut working = JoinSet::new();
        let worker = self.worker.clone();
        working.spawn(async move { worker.run().await });
        self.until_closed(run).await?;
        for _ in 0..PATIENCE {
            if self.cluster.queue.depth(Lane::Jobs).await?.messages == 0 {
                break;
            }
            self.pass_time(1).await;
        }
        working.shutdown().await;
        Ok(())
    }

    /// The messages of the run's timers, with the time when they are due.
    async fn timers(&self, run: &RunId) -> Result<Vec<(Job, Timestamp)>, DemoError> {
        let document = self.document(run).await?;
        let blueprint = document.head().blueprint_id.clone();
        let timers = document.awaiting().filter_map(|node| {
            let entry = document.entry(node)?;
            let due = entry.due_at.filter(|_| entry.awaits == Some(Awaits::Timer))?;
            let mut job = Job::new(run.clone(), blueprint.clone(), node.clone());
            job.iteration = Some(entry.iteration);
            job.generation = Some(entry.generation);
            job.rev = Some(document.head().rev);
            Some((job, due))
        });
        Ok(timers.collect())
    }

    async fn collect(&self, history: &mut History) -> Result<(), DemoError> {
        let query = StatusQuery { limit: 100, ..StatusQuery::default() };
        for found in self.cluster.state.list_statuses(&query).await?.items {
            let document = self.document(&found.item.run_id).await?;
            history.runs.push((found.item, document));
        }
        let poison = self.cluster.queue.peek(Lane::Poison, MAX_RECEIVE).await?;
        history.poison.extend(poison.into_iter().map(|message| message.body));
        Ok(())
    }

    async fn document(&self, run: &RunId) -> Result<RunDocument, DemoError> {
        match self.cluster.state.read_document(run, None).await? {
            ReadDocument::Whole(document, _) => Ok(*document),
            _ => Err(DemoError::Stuck(run.clone())),
        }
    }
}

/// How many looks, a millisecond apart at least, a scene is given.
const PATIENCE: u32 = 5_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::demo::blueprints::library;

    fn played(seed: u64) -> History {
        play(&library().unwrap(), seed, Timestamp::from_seconds(1_750_000_000)).unwrap()
    }

    #[test]
    fn the_past_ends_before_now_and_has_every_status() {
        let now = Timestamp::from_seconds(1_750_000_000);
        let history = played(1);
        let statuses: BTreeSet<&str> =
            history.runs.iter().map(|(_, document)| document.status().as_str()).collect();
        let all = ["awaiting", "cancelled", "completed", "failed", "running"];
        assert_eq!(statuses, BTreeSet::from(all));
        for (item, document) in &history.runs {
            assert_eq!(item.status, Some(document.status()), "{}", item.run_id);
            assert!(item.last_updated <= now, "{} is of the future", item.run_id);
        }
        assert_eq!(history.timers.len(), 1);
        assert!(history.timers[0].1 > now, "the timer has gone off");
        assert_eq!(history.poison.len(), 2);
    }

    #[test]
    fn the_same_seed_gives_the_same_past() {
        let shown = |history: History| {
            let runs = history.runs.into_iter();
            runs.map(|(item, document)| {
                (item.run_id, document.status(), document.completed(), document.failed().count())
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(shown(played(5)), shown(played(5)));
    }
}
