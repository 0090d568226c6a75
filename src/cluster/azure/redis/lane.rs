//! A connection that is made when it is first needed, and made again when it breaks.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use redis::{
    Cmd, FromRedisValue, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
};
use tokio::time::{Instant, timeout_at};

use super::{
    connect::Connector,
    fault::{Cure, Trouble},
};
use crate::cluster::{Service, meter::Request};

/// How often at most a command is sent on to another node.
const REDIRECTIONS: u32 = 3;

/// After how many failures the connections to a cluster are all made anew: in a row, or in all once
/// they are older than `OLD`. Those to its single nodes are repaired as they break, but not where
/// the cluster has new nodes that its certificate does not name.
const SPENT: u32 = 3;

/// When connections to a cluster are old.
const OLD: Duration = Duration::from_secs(30);

/// Whether a command may be sent again when it is not known whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Carried out twice it does no more than once.
    Safe,
    /// It counts.
    Never,
}

/// A connection to Redis, or those to the nodes of a cluster, for commands of one kind: commands on
/// one lane never wait for the answers of another's.
pub(super) struct Lane {
    connector: Arc<Connector>,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    made: u64,
    current: Option<Attempt>,
}

#[derive(Clone)]
struct Attempt {
    number: u64,
    live: Shared<BoxFuture<'static, Result<Live, Trouble>>>,
}

/// An established connection.
#[derive(Clone)]
pub(super) struct Live {
    wire: Wire,
    made: Instant,
    failures: Arc<Failures>,
}

#[derive(Default)]
struct Failures {
    in_a_row: AtomicU32,
    in_all: AtomicU32,
}

/// What goes over the network.
#[derive(Clone)]
pub(super) enum Wire {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Lane {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, slot: Mutex::default() }
    }

    /// Sends a command to the node that has its key.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        command: &Cmd,
        repeat: Repeat,
    ) -> Result<T, Trouble> {
        self.within_limit(self.send_value(command, repeat)).await.and_then(understood)
    }

    /// The same, for those who tell the server's errors apart themselves.
    pub(super) async fn ask(&self, command: &Cmd, repeat: Repeat) -> Result<Reply, Trouble> {
        self.within_limit(self.send_raw(command, repeat)).await
    }

    /// The addresses of all primaries; nothing if there is but one server.
    pub(super) async fn primaries(&self) -> Result<Option<Vec<Node>>, Trouble> {
        let ask = async {
            let (number, live) = self.live().await?;
            let Wire::Cluster(mut cluster) = live.wire.clone() else { return Ok(None) };
            let mut asked = Request::to(Service::Coordination);
            let everyone = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let answer = cluster.route_command(redis::cmd("PING"), everyone).await;
            let answers = self.judged(number, &live, answer)?;
            let answers: Vec<(String, Value)> = understood(answers)?;
            asked.times(answers.len() as u64);
            Ok(Some(answers.into_iter().filter_map(|(address, _)| Node::parse(&address)).collect()))
        };
        self.within_limit(ask).await
    }

    /// Sends a command to one node of a cluster.
    pub(super) async fn send_to<T: FromRedisValue>(
        &self,
        node: &Node,
        command: &Cmd,
    ) -> Result<T, Trouble> {
        let ask = async {
            let (number, live) = self.live().await?;
            let answer = live.send(command, Some((node, false))).await;
            self.judged(number, &live, answer)
        };
        self.within_limit(ask).await.and_then(understood)
    }

    /// Gives up what takes longer than a call may.
    pub(super) async fn within_limit<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let limit = self.connector.limits.in_all();
        match timeout_at(Instant::now() + limit, work).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::no_answer(limit.as_secs())),
        }
    }

    async fn send_value(&self, command: &Cmd, repeat: Repeat) -> Result<Value, Trouble> {
        match self.send_raw(command, repeat).await? {
            Reply::Value(value) => Ok(value),
            Reply::NoScript => Err(Trouble::refused("it forgets scripts at once")),
        }
    }

    async fn send_raw(&self, command: &Cmd, repeat: Repeat) -> Result<Reply, Trouble> {
        let (mut redirections, mut reconnected) = (0, false);
        let mut node: Option<(Node, bool)> = None;
        loop {
            let (number, live) = self.live().await?;
            let target = node.take();
            let target = target.as_ref().map(|(node, asking)| (node, *asking));
            let error = match live.send(command, target).await {
                Ok(value) => {
                    live.failures.in_a_row.store(0, Ordering::Relaxed);
                    return Ok(Reply::Value(value));
                }
                Err(error) => error,
            };
            if Trouble::is_no_script(&error) {
                return Ok(Reply::NoScript);
            }
            let trouble = self.connector.explain(&error);
            match &trouble.cure {
                Cure::Redirect { host, port, asking } if redirections < REDIRECTIONS => {
                    redirections += 1;
                    if let Wire::Single(_) = live.wire {
                        // A cluster that did not say so: its nodes must be connected to.
                        self.connector.expect_cluster();
                        self.forget(number);
                    } else {
                        node = Some((Node { host: host.clone(), port: *port }, *asking));
                    }
                }
                Cure::Reconnect | Cure::Redirect { .. } => {
                    let renewed = self.failed(number, &live);
                    let again = trouble.undone || repeat == Repeat::Safe && !error.is_timeout();
                    if reconnected || !renewed || !again {
                        return Err(trouble);
                    }
                    reconnected = true;
                }
                Cure::None => return Err(trouble),
            }
        }
    }

    /// Takes note of how a command went that is not sent again.
    fn judged(
        &self,
        number: u64,
        live: &Live,
        answer: RedisResult<Value>,
    ) -> Result<Value, Trouble> {
        answer.inspect(|_| live.failures.in_a_row.store(0, Ordering::Relaxed)).map_err(|error| {
            let trouble = self.connector.explain(&error);
            if trouble.cure != Cure::None {
                self.failed(number, live);
            }
            trouble
        })
    }

    /// Takes note that a connection failed. Says whether the next command gets a new one.
    fn failed(&self, number: u64, live: &Live) -> bool {
        let in_a_row = live.failures.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let in_all = live.failures.in_all.fetch_add(1, Ordering::Relaxed) + 1;
        let spent = matches!(live.wire, Wire::Single(_))
            || in_a_row >= SPENT
            || in_all >= SPENT && live.made.elapsed() > OLD;
        // Of all who meet the same failure one goes on to the next host.
        if spent && self.forget(number) {
            self.connector.try_next_host();
        }
        spent
    }

    /// The connection; made if there is none. Those who ask at the same time share it.
    async fn live(&self) -> Result<(u64, Live), Trouble> {
        let attempt = self.attempt();
        match attempt.live.await {
            Ok(live) => Ok((attempt.number, live)),
            Err(trouble) => {
                self.forget(attempt.number);
                Err(trouble)
            }
        }
    }

    fn attempt(&self) -> Attempt {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &slot.current {
            // One that failed while nobody waited for it says nothing about now.
            Some(attempt) if attempt.live.peek().is_none_or(Result::is_ok) => attempt.clone(),
            _ => {
                slot.made += 1;
                let connector = self.connector.clone();
                let connecting = async move {
                    let wire = connector.connect().await?;
                    Ok(Live { wire, made: Instant::now(), failures: Arc::default() })
                };
                let attempt = Attempt { number: slot.made, live: connecting.boxed().shared() };
                slot.current = Some(attempt.clone());
                // It goes on even if those who wait for it give up.
                tokio::spawn(attempt.live.clone().map(drop));
                attempt
            }
        }
    }

    /// Has the next command make a new connection. Says whether it would not have anyway.
    fn forget(&self, number: u64) -> bool {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = slot.current.as_ref().is_some_and(|attempt| attempt.number == number);
        if is_current {
            slot.current = None;
        }
        is_current
    }
}

/// What a server answered.
pub(super) enum Reply {
    /// A value.
    Value(Value),
    /// That it does not know the script.
    NoScript,
}

/// The address of a node of a cluster, as the cluster names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    host: String,
    port: u16,
}

impl Node {
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    fn routing(&self) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::ByAddress { host: self.host.clone(), port: self.port }
    }
}

impl Live {
    /// Sends a command: to `target` if there is one, which is asked to take a key that is on its
    /// way to it, else to the node that has its key.
    async fn send(&self, command: &Cmd, target: Option<(&Node, bool)>) -> RedisResult<Value> {
        let mut request = Request::to(Service::Coordination);
        if let (Wire::Cluster(_), Some((_, true))) = (&self.wire, target) {
            request.times(2);
        }
        let answer = self.exchange(command, target).await;
        if answer.as_ref().is_err_and(RedisError::is_connection_refusal) {
            request.unsent();
        }
        answer
    }

    async fn exchange(&self, command: &Cmd, target: Option<(&Node, bool)>) -> RedisResult<Value> {
        match (&self.wire, target) {
            (Wire::Single(connection), _) => command.query_async(&mut connection.clone()).await,
            (Wire::Cluster(cluster), None) => command.query_async(&mut cluster.clone()).await,
            (Wire::Cluster(cluster), Some((node, false))) => {
                let routing = RoutingInfo::SingleNode(node.routing());
                cluster.clone().route_command(command.clone(), routing).await?.extract_error()
            }
            (Wire::Cluster(cluster), Some((node, true))) => {
                let mut both = redis::pipe();
                both.cmd("ASKING").add_command(command.clone());
                let mut answers =
                    cluster.clone().route_pipeline(both, 0, 2, node.routing()).await?;
                answers.pop().unwrap_or(Value::Nil).extract_error()
            }
        }
    }
}

/// The answer as what it should be.
pub(super) fn understood<T: FromRedisValue>(value: Value) -> Result<T, Trouble> {
    redis::from_redis_value(value).map_err(|error| Trouble::from(&redis::RedisError::from(error)))
}
