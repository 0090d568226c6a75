//! The coordination store in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::lock;
use crate::{
    blueprint::WorkerName,
    cluster::{
        Acquired, Clock, ClusterError, CoordinationStore, Fault, Heartbeat, HeldLock, Holder, Key,
        Ownership, Result, Service,
    },
    engine::Timestamp,
};

/// Keys that expire, and the heartbeats.
pub(super) struct MemoryCoordination {
    clock: Arc<dyn Clock>,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    keys: BTreeMap<Key, Expiring<String>>,
    by_expiry: BTreeSet<(Timestamp, Key)>,
    workers: BTreeMap<WorkerName, Expiring<Heartbeat>>,
}

struct Expiring<T> {
    value: T,
    expires_at: Timestamp,
}

impl MemoryCoordination {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, content: Mutex::default() }
    }

    /// Works on what has not expired by now.
    fn with_live<T>(&self, work: impl FnOnce(&mut Content, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut content = lock(&self.content);
        content.drop_expired(now);
        work(&mut content, now)
    }

    /// Deletes a key if it has this value.
    fn remove_if(&self, key: &Key, value: &str) -> Ownership {
        self.with_live(|content, _| {
            if content.value(key) == Some(value) {
                content.remove(key);
                Ownership::Ours
            } else {
                Ownership::Lost
            }
        })
    }
}

impl Content {
    fn value(&self, key: &Key) -> Option<&str> {
        self.keys.get(key).map(|entry| entry.value.as_str())
    }

    fn set(&mut self, key: &Key, value: String, expires_at: Timestamp) {
        self.by_expiry.insert((expires_at, key.clone()));
        if let Some(old) = self.keys.insert(key.clone(), Expiring { value, expires_at })
            && old.expires_at != expires_at
        {
            self.by_expiry.remove(&(old.expires_at, key.clone()));
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(old) = self.keys.remove(key) {
            self.by_expiry.remove(&(old.expires_at, key.clone()));
        }
    }

    fn drop_expired(&mut self, now: Timestamp) {
        while let Some((expires_at, _)) = self.by_expiry.first()
            && *expires_at <= now
        {
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.keys.remove(&key);
            }
        }
        self.workers.retain(|_, worker| worker.expires_at > now);
    }
}

#[async_trait]
impl CoordinationStore for MemoryCoordination {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        Ok(self.with_live(|content, now| match content.value(key) {
            Some(other) if other != holder.as_str() && Holder::worker_of(other).is_some() => {
                Acquired::HeldBy(other.to_owned())
            }
            _ => {
                content.set(key, holder.as_str().to_owned(), now + ttl);
                Acquired::Yes
            }
        }))
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        Ok(self.with_live(|content, now| {
            if content.value(key) == Some(holder.as_str()) {
                content.set(key, holder.as_str().to_owned(), now + ttl);
                Ownership::Ours
            } else {
                Ownership::Lost
            }
        }))
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        Ok(self.remove_if(key, holder.as_str()))
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        Ok(self.remove_if(key, value))
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        Ok(self.with_live(|content, _| content.value(key).map(str::to_owned)))
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        Ok(self.with_live(|content, now| {
            let absent = content.value(key).is_none();
            if absent {
                content.set(key, value.to_owned(), now + ttl);
            }
            absent
        }))
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        self.with_live(|content, now| {
            let count = match content.value(key) {
                None => 0,
                Some(text) => text.parse::<u64>().map_err(|_| {
                    ClusterError::new(
                        Service::Coordination,
                        format!("count up {key}"),
                        Fault::Corrupt,
                        "its value is not a number; remove the key",
                    )
                })?,
            };
            let count = count.saturating_add(1);
            content.set(key, count.to_string(), now + ttl);
            Ok(count)
        })
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        self.with_live(|content, _| {
            for key in keys {
                content.remove(key);
            }
        });
        Ok(())
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        Ok(self.with_live(|content, _| {
            content
                .by_expiry
                .iter()
                .filter(|(_, key)| key.is_lease())
                .filter_map(|(expires_at, key)| {
                    Some(HeldLock::describe(key.as_str(), content.value(key)?, *expires_at))
                })
                .take(limit)
                .collect()
        }))
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        self.with_live(|content, now| {
            let worker = Expiring { value: heartbeat.clone(), expires_at: now + ttl };
            content.workers.insert(heartbeat.name.clone(), worker);
        });
        Ok(())
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        self.with_live(|content, _| content.workers.remove(worker));
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        Ok(self.with_live(|content, _| {
            content.workers.values().map(|worker| worker.value.clone()).collect()
        }))
    }
}
