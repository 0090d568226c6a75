//! The coordination store in SQLite.
//!
//! Keys that have expired count as absent; now and then a write deletes some of them.

use std::{sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{fault::Trouble, store::Store, writer::Durability};
use crate::{
    blueprint::WorkerName,
    cluster::{
        Acquired, ClusterError, CoordinationStore, Fault, Heartbeat, HeldLock, Holder, Key,
        Ownership, Result, Service,
    },
    engine::Timestamp,
};

const GET: &str = "SELECT value FROM keys WHERE key = ?1 AND expires_at > ?2";

const SET: &str = "\
INSERT INTO keys (key, value, expires_at, lease) VALUES (?1, ?2, ?3, ?4) \
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";

const RENEW: &str =
    "UPDATE keys SET expires_at = ?3 WHERE key = ?1 AND value = ?2 AND expires_at > ?4";

const REMOVE_VALUE: &str = "DELETE FROM keys WHERE key = ?1 AND value = ?2 AND expires_at > ?3";

const REMOVE: &str = "DELETE FROM keys WHERE key = ?1";

pub(super) const LOCKS: &str = "\
SELECT key, value, expires_at FROM keys WHERE lease = 1 AND expires_at > ?1 \
ORDER BY expires_at LIMIT ?2";

const BEAT: &str = "\
INSERT INTO workers (name, expires_at, heartbeat) VALUES (?1, ?2, ?3) \
ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at, heartbeat = excluded.heartbeat";

const LEAVE: &str = "DELETE FROM workers WHERE name = ?1";

const WORKERS: &str = "SELECT heartbeat FROM workers WHERE expires_at > ?1 ORDER BY name";

const SWEEP_WORKERS: &str = "DELETE FROM workers WHERE expires_at <= ?1";

pub(super) const SWEEP_KEYS: &str = "\
DELETE FROM keys WHERE key IN \
(SELECT key FROM keys WHERE lease IN (0, 1) AND expires_at <= ?1 LIMIT ?2)";

/// Every how many writes of keys some expired ones are deleted.
const SWEEP_EVERY: u32 = 1000;

/// How many at most: as many as can have been set since the last time, and as many again.
const SWEEP_AT_MOST: u32 = 2 * SWEEP_EVERY;

/// When something that lives for `ttl` ends.
fn end_of(now: i64, ttl: Duration) -> i64 {
    (Timestamp::from_millis(now) + ttl).millis()
}

fn get(connection: &Connection, key: &Key, now: i64) -> Result<Option<String>, Trouble> {
    let mut statement = connection.prepare_cached(GET)?;
    Ok(statement.query_row(params![key.as_str(), now], |row| row.get(0)).optional()?)
}

fn set(connection: &Connection, key: &Key, value: &str, end: i64) -> Result<(), Trouble> {
    let values = params![key.as_str(), value, end, key.is_lease()];
    connection.prepare_cached(SET)?.execute(values)?;
    Ok(())
}

fn ownership(rows_changed: usize) -> Ownership {
    if rows_changed > 0 { Ownership::Ours } else { Ownership::Lost }
}

impl Store {
    fn key_error(&self, doing: &str, key: &Key, trouble: Trouble) -> ClusterError {
        self.error(Service::Coordination, format!("{doing} {:?}", key.as_str()), trouble)
    }

    /// Writes keys: never waits for the disk.
    async fn write_keys<T, W>(&self, work: W) -> Result<T, Trouble>
    where
        T: Send + 'static,
        W: Fn(&Connection) -> Result<T, Trouble> + Send + 'static,
    {
        let count = self.key_writes.fetch_add(1, Ordering::Relaxed);
        if count % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep().await;
        }
        self.writer.write(Durability::Relaxed, work).await
    }

    async fn sweep(&self) {
        let now = self.now();
        let swept = self.writer.write(Durability::Relaxed, move |connection| {
            connection.prepare_cached(SWEEP_WORKERS)?.execute(params![now])?;
            connection.prepare_cached(SWEEP_KEYS)?.execute(params![now, SWEEP_AT_MOST])?;
            Ok(())
        });
        if let Err(trouble) = swept.await {
            tracing::debug!(detail = trouble.detail, "expired keys were not deleted");
        }
    }

    async fn remove_value(&self, doing: &str, key: &Key, value: &str) -> Result<Ownership> {
        let (name, value, now) = (key.clone(), value.to_owned(), self.now());
        self.write_keys(move |connection| {
            let mut statement = connection.prepare_cached(REMOVE_VALUE)?;
            Ok(ownership(statement.execute(params![name.as_str(), value, now])?))
        })
        .await
        .map_err(|trouble| self.key_error(doing, key, trouble))
    }
}

#[async_trait]
impl CoordinationStore for Store {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        let (name, holder, now) = (key.clone(), holder.clone(), self.now());
        let end = end_of(now, ttl);
        self.write_keys(move |connection| {
            if let Some(other) = get(connection, &name, now)?
                && other != holder.as_str()
                && Holder::worker_of(&other).is_some()
            {
                return Ok(Acquired::HeldBy(other));
            }
            set(connection, &name, holder.as_str(), end)?;
            Ok(Acquired::Yes)
        })
        .await
        .map_err(|trouble| self.key_error("take the lease", key, trouble))
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        let (name, holder, now) = (key.clone(), holder.clone(), self.now());
        let end = end_of(now, ttl);
        self.write_keys(move |connection| {
            let mut statement = connection.prepare_cached(RENEW)?;
            let changed = statement.execute(params![name.as_str(), holder.as_str(), end, now])?;
            Ok(ownership(changed))
        })
        .await
        .map_err(|trouble| self.key_error("renew the lease", key, trouble))
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        self.remove_value("release the lease", key, holder.as_str()).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        self.remove_value("break the lease", key, value).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        let (name, now) = (key.clone(), self.now());
        self.items
            .read(move |connection| get(connection, &name, now))
            .await
            .map_err(|trouble| self.key_error("read", key, trouble))
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        let (name, value, now) = (key.clone(), value.to_owned(), self.now());
        let end = end_of(now, ttl);
        self.write_keys(move |connection| {
            let absent = get(connection, &name, now)?.is_none();
            if absent {
                set(connection, &name, &value, end)?;
            }
            Ok(absent)
        })
        .await
        .map_err(|trouble| self.key_error("set", key, trouble))
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        let (name, now) = (key.clone(), self.now());
        let end = end_of(now, ttl);
        self.write_keys(move |connection| {
            let count = match get(connection, &name, now)? {
                None => 0,
                Some(text) => text.parse::<u64>().map_err(|_| {
                    Trouble::new(Fault::Corrupt, "its value is not a number; remove the key")
                })?,
            };
            let count = count.saturating_add(1);
            set(connection, &name, &count.to_string(), end)?;
            Ok(count)
        })
        .await
        .map_err(|trouble| self.key_error("count up", key, trouble))
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let names = keys.to_vec();
        self.write_keys(move |connection| {
            let mut statement = connection.prepare_cached(REMOVE)?;
            for name in &names {
                statement.execute(params![name.as_str()])?;
            }
            Ok(())
        })
        .await
        .map_err(|trouble| self.error(Service::Coordination, "remove keys", trouble))
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        let (now, limit) = (self.now(), i64::try_from(limit).unwrap_or(i64::MAX));
        self.lists
            .read(move |connection| {
                let mut statement = connection.prepare_cached(LOCKS)?;
                let rows = statement.query_map(params![now, limit], |row| {
                    let (key, value): (String, String) = (row.get(0)?, row.get(1)?);
                    let end = Timestamp::from_millis(row.get(2)?);
                    Ok(HeldLock::describe(&key, &value, end))
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
            .map_err(|trouble| self.error(Service::Coordination, "list leases", trouble))
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        let failed = |trouble| self.error(Service::Coordination, "say that it is alive", trouble);
        let text = serde_json::to_string(heartbeat).map_err(|error| {
            let detail = format!("the heartbeat can't be written as JSON ({error})");
            failed(Trouble::new(Fault::Refused, detail))
        })?;
        let (name, end) = (heartbeat.name.clone(), end_of(self.now(), ttl));
        self.write_keys(move |connection| {
            connection.prepare_cached(BEAT)?.execute(params![name.as_str(), end, text])?;
            Ok(())
        })
        .await
        .map_err(failed)
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        let name = worker.clone();
        self.write_keys(move |connection| {
            connection.prepare_cached(LEAVE)?.execute(params![name.as_str()])?;
            Ok(())
        })
        .await
        .map_err(|trouble| {
            self.error(Service::Coordination, format!("sign off worker {worker}"), trouble)
        })
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        let now = self.now();
        self.lists
            .read(move |connection| {
                let mut statement = connection.prepare_cached(WORKERS)?;
                let mut rows = statement.query(params![now])?;
                let mut workers = Vec::new();
                while let Some(row) = rows.next()? {
                    let text: String = row.get(0)?;
                    // A newer program may write heartbeats that this one does not understand; its
                    // workers must not hide the others.
                    match serde_json::from_str(&text) {
                        Ok(heartbeat) => workers.push(heartbeat),
                        Err(error) => tracing::debug!(%error, "a heartbeat was left out"),
                    }
                }
                Ok(workers)
            })
            .await
            .map_err(|trouble| self.error(Service::Coordination, "list workers", trouble))
    }
}
