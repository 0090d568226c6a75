//! What the cluster looks like around a run: queue, poison queue, workers, leases, each as far as it
//! could be read.

use std::time::Duration;

use crate::{
    blueprint::{NodeId, RunId, WorkerName},
    cluster::{
        Cluster, ClusterError, DeadLetter, Fault, Heartbeat, HeldLock, Job, Lane, MAX_RECEIVE,
        Neighbours, Peeked, Service, WorkerMode,
    },
    engine::Timestamp,
};

/// How many leases are read, for when they end.
const LOCKS: usize = 1_000;
/// How long one look at a service may take.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// What a look gave, or why it gave nothing.
pub(super) type Looked<T> = Result<T, ClusterError>;

/// The cluster around a run.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) now: Timestamp,
    /// The name of the worker in this process, or of whoever asks.
    pub(super) me: WorkerName,
    pub(super) neighbours: Neighbours,
    pub(super) queue: Looked<QueueSeen>,
    pub(super) poison: Looked<PoisonSeen>,
    pub(super) workers: Looked<Vec<Heartbeat>>,
    pub(super) locks: Looked<Vec<HeldLock>>,
}

/// The job queue, as far as a look shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueSeen {
    /// Messages in it, hidden ones too.
    pub(super) messages: u64,
    /// When the oldest visible one was sent.
    pub(super) oldest: Option<Timestamp>,
    /// How many visible ones were looked at.
    pub(super) looked_at: usize,
    /// The jobs among them.
    pub(super) visible: Vec<Queued>,
}

/// A job that is visible in the queue.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) job: Job,
    /// How many messages are before it.
    pub(super) before: usize,
    pub(super) sent_at: Timestamp,
    /// How often it was received, for a reason that was its own.
    pub(super) tries: u32,
    /// How often a worker hid it again for a reason that was not.
    pub(super) holds: u32,
}

/// The poison queue, as far as a look shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct PoisonSeen {
    /// Messages in it.
    pub(super) messages: u64,
    pub(super) letters: Vec<Letter>,
}

/// A message of the poison queue.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) job: Option<Job>,
    /// The run that it names although it is not a job.
    pub(super) names: Option<RunId>,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

impl QueueSeen {
    fn of(messages: u64, oldest: Option<Timestamp>, peeked: &[Peeked]) -> Self {
        let queued = |(before, message): (usize, &Peeked)| {
            let job = Job::decode(&message.body).ok()?;
            let holds = job.holds.unwrap_or(0);
            let tries = message.dequeue_count.saturating_sub(holds);
            Some(Queued { job, before, sent_at: message.inserted_at, tries, holds })
        };
        Self {
            // A queue may count later than it shows.
            messages: messages.max(peeked.len() as u64),
            oldest,
            looked_at: peeked.len(),
            visible: peeked.iter().enumerate().filter_map(queued).collect(),
        }
    }

    /// Whether every visible message was looked at.
    pub(super) fn is_whole(&self) -> bool {
        self.looked_at < MAX_RECEIVE
    }

    /// How many messages are hidden: in a worker's hands, or held until later. Only known where
    /// every visible one was looked at.
    pub(super) fn hidden(&self) -> Option<u64> {
        self.is_whole().then(|| self.messages - self.looked_at as u64)
    }
}

impl Letter {
    fn of(message: Peeked) -> Self {
        match DeadLetter::decode(&message.body) {
            Ok(letter) => Self {
                id: message.message_id,
                names: Job::run_named_in(&letter.body),
                job: letter.job.or_else(|| Job::decode(&letter.body).ok()),
                at: Timestamp::parse_rfc3339(&letter.failed_at).unwrap_or(message.inserted_at),
                reason: letter.reason,
            },
            Err(_) => Self {
                id: message.message_id,
                job: Job::decode(&message.body).ok(),
                names: Job::run_named_in(&message.body),
                reason: "not put there by a worker of this program".to_owned(),
                at: message.inserted_at,
            },
        }
    }
}

impl Surroundings {
    /// Looks around: at everything at once, and at nothing for long.
    pub(super) async fn look(cluster: &Cluster, me: WorkerName) -> Self {
        let jobs = async {
            let messages = cluster.queue.peek(Lane::Jobs, MAX_RECEIVE).await?;
            let depth = cluster.queue.depth(Lane::Jobs).await?;
            Ok(QueueSeen::of(depth.messages, depth.oldest, &messages))
        };
        let poison = async {
            let letters = cluster.queue.peek(Lane::Poison, MAX_RECEIVE).await?;
            let messages = cluster.queue.depth(Lane::Poison).await?.messages;
            let messages = messages.max(letters.len() as u64);
            Ok(PoisonSeen { messages, letters: letters.into_iter().map(Letter::of).collect() })
        };
        let (queue, poison, workers, locks) = tokio::join!(
            in_time(Service::Queue, "look at the messages", jobs),
            in_time(Service::Queue, "look at the dead letters", poison),
            in_time(Service::Coordination, "list the workers", cluster.coordination.workers()),
            in_time(Service::Coordination, "list the leases", cluster.coordination.locks(LOCKS)),
        );
        let now = cluster.clock.now();
        Self { now, me, neighbours: cluster.neighbours, queue, poison, workers, locks }
    }

    /// The error of each service that could not be looked at, once.
    pub(super) fn away(&self) -> Vec<&ClusterError> {
        let errors = [
            self.queue.as_ref().err(),
            self.poison.as_ref().err(),
            self.workers.as_ref().err(),
            self.locks.as_ref().err(),
        ];
        let mut away: Vec<&ClusterError> = Vec::new();
        for error in errors.into_iter().flatten() {
            if away.iter().all(|known| known.service != error.service) {
                away.push(error);
            }
        }
        away
    }

    /// The heartbeat of a worker; nothing if it has none, or if nobody can say.
    pub(super) fn worker(&self, name: &str) -> Option<&Heartbeat> {
        self.alive().iter().find(|beat| beat.name.as_str() == name)
    }

    /// The workers with a heartbeat, as far as they are known.
    pub(super) fn alive(&self) -> &[Heartbeat] {
        self.workers.as_deref().unwrap_or_default()
    }

    /// Those of them that take jobs.
    pub(super) fn takers(&self) -> impl Iterator<Item = &Heartbeat> {
        self.alive().iter().filter(|beat| beat.mode == WorkerMode::Running)
    }

    /// The visible messages of a run.
    pub(super) fn queued(&self, run: &RunId) -> impl Iterator<Item = &Queued> {
        let visible = self.queue.as_ref().map(|queue| queue.visible.as_slice());
        visible.unwrap_or_default().iter().filter(move |queued| queued.job.run_id == *run)
    }

    /// When the lease of a node ends, if that is known.
    pub(super) fn lease_ends(&self, run: &RunId, node: &NodeId, value: &str) -> Option<Timestamp> {
        let locks = self.locks.as_ref().ok()?;
        locks
            .iter()
            .find(|lock| {
                lock.run_id.as_ref() == Some(run)
                    && lock.node_id.as_ref() == Some(node)
                    && lock.value == value
            })
            .map(|lock| lock.expires_at)
    }
}

/// Waits for a look, but not for ever.
pub(super) async fn in_time<T>(
    service: Service,
    doing: &str,
    look: impl Future<Output = Looked<T>>,
) -> Looked<T> {
    tokio::time::timeout(LOOK_LIMIT, look).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", LOOK_LIMIT.as_secs());
        Err(ClusterError::new(service, doing, Fault::Unavailable, detail))
    })
}
