//! Leases, counters and heartbeats in Redis.
//!
//! Every command has one key, so that the server may be a Redis Cluster. The lock key with its time
//! to live decides; the indexes beside it are hints for those who list, by this machine's clock.

mod check;
mod connect;
mod connection;
mod fault;
mod heartbeat;
mod identity;
mod index;
mod lane;
mod listing;
mod options;
mod script;
mod store;
mod url;
mod walk;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Mutex;

pub use self::{check::RedisCheck, connection::RedisConnection, identity::RedisIdentity};
use self::{connect::Connector, fault::Trouble, index::Index, lane::Lane, walk::Walk};
use crate::cluster::{ClusterError, Service};

/// The coordination store in Redis, or in a Redis Cluster.
///
/// - It connects when it is first used, and again whenever the connection breaks. No call takes
///   longer than both timeouts together; one that can't be answered fails as unavailable.
/// - Taking a lease is one round trip, and so is giving it back: the index of leases is kept up
///   in the background.
/// - Listing has a connection of its own, so that it holds up nothing else. Listing `n` leases takes
///   one command for the index, one for each lease in it (at most `n`) or found by searching (at most
///   500), and at most four that search 1000 keys each (and a ping) on each primary; so it finds
///   locks that are in no index, those of JavaScript workers, at 4000 keys a call.
/// - If Redis loses its data, leases are lost, and [`renew`] says so.
///
/// [`renew`]: crate::cluster::CoordinationStore::renew
pub struct RedisCoordinationStore {
    connector: Arc<Connector>,
    /// For the work on runs.
    work: Arc<Lane>,
    /// For listing.
    lists: Lane,
    index: Arc<Index>,
    lock_walk: Mutex<Walk>,
    worker_walk: Mutex<Walk>,
}

impl RedisCoordinationStore {
    /// A store. Connects to nothing yet. The identity is used where the connection needs Microsoft
    /// Entra ID.
    pub fn new(connection: RedisConnection, identity: Option<RedisIdentity>) -> Self {
        Self::on(Connector::new(connection, identity))
    }

    /// Waits so long for being let in, and for each answer, instead of five seconds each.
    #[must_use]
    pub fn with_timeouts(self, connect: Duration, response: Duration) -> Self {
        let mut connector =
            Connector::new(self.connector.connection.clone(), self.connector.identity.clone());
        connector.limits = connect::Limits { connect, response };
        Self::on(connector)
    }

    fn on(connector: Connector) -> Self {
        let connector = Arc::new(connector);
        Self {
            work: Arc::new(Lane::new(connector.clone())),
            lists: Lane::new(connector.clone()),
            connector,
            index: Arc::default(),
            lock_walk: Mutex::new(Walk::new("flowcraft:nodelock:*", 4)),
            worker_walk: Mutex::new(Walk::new("flowcraft:worker:*", 1)),
        }
    }

    fn error(&self, doing: impl Into<String>, trouble: Trouble) -> ClusterError {
        let detail = format!("{}: {}", self.connector.connection, trouble.detail);
        ClusterError::new(Service::Coordination, doing, trouble.fault, detail)
    }
}

impl fmt::Debug for RedisCoordinationStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCoordinationStore")
            .field("connection", &self.connector.connection)
            .finish_non_exhaustive()
    }
}
