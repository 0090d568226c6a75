//! The coordination store's calls.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;

use super::{
    RedisCoordinationStore, fault::Trouble, heartbeat, index::millis, lane::Repeat, script,
};
use crate::{
    blueprint::WorkerName,
    cluster::{
        Acquired, Clock as _, ClusterError, CoordinationStore, Fault, Heartbeat, HeldLock, Holder,
        Key, Ownership, Result, SystemClock,
    },
    engine::Timestamp,
};

/// How many keys are removed at a time.
const CHUNK: usize = 200;

/// How long the index of workers outlives the last heartbeat.
const WORKERS_LIFE: Duration = Duration::from_secs(3600);

fn end_of(ttl: Duration) -> Timestamp {
    SystemClock.now() + ttl
}

fn ownership(ours: bool) -> Ownership {
    if ours { Ownership::Ours } else { Ownership::Lost }
}

impl RedisCoordinationStore {
    fn key_error(&self, doing: &str, key: &Key) -> impl Fn(Trouble) -> ClusterError {
        let doing = format!("{doing} {:?}", key.as_str());
        move |trouble| self.error(doing.as_str(), trouble)
    }

    async fn remove_value(&self, doing: &str, key: &Key, value: &str) -> Result<Ownership> {
        let (script, name) = (&script::REMOVE_VALUE, key.as_str());
        let removed: bool = self
            .work
            .run(script, name, value, Repeat::Safe)
            .await
            .map_err(self.key_error(doing, key))?;
        if removed && key.is_lease() {
            self.index.gone(&self.work, name);
        }
        Ok(ownership(removed))
    }
}

#[async_trait]
impl CoordinationStore for RedisCoordinationStore {
    async fn acquire(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Acquired> {
        let arguments = (holder.as_str(), millis(ttl));
        let other: Option<Vec<u8>> = self
            .work
            .run(&script::ACQUIRE, key.as_str(), arguments, Repeat::Safe)
            .await
            .map_err(self.key_error("take the lease", key))?;
        if let Some(other) = other {
            return Ok(Acquired::HeldBy(String::from_utf8_lossy(&other).into_owned()));
        }
        if key.is_lease() {
            self.index.taken(&self.work, key.as_str(), end_of(ttl));
        }
        Ok(Acquired::Yes)
    }

    async fn renew(&self, key: &Key, holder: &Holder, ttl: Duration) -> Result<Ownership> {
        let arguments = (holder.as_str(), millis(ttl));
        let ours: bool = self
            .work
            .run(&script::RENEW, key.as_str(), arguments, Repeat::Safe)
            .await
            .map_err(self.key_error("renew the lease", key))?;
        if ours && key.is_lease() {
            self.index.extended(&self.work, key.as_str(), end_of(ttl));
        }
        Ok(ownership(ours))
    }

    async fn release(&self, key: &Key, holder: &Holder) -> Result<Ownership> {
        self.remove_value("release the lease", key, holder.as_str()).await
    }

    async fn break_lock(&self, key: &Key, value: &str) -> Result<Ownership> {
        self.remove_value("break the lease", key, value).await
    }

    async fn get(&self, key: &Key) -> Result<Option<String>> {
        let mut command = redis::cmd("GET");
        command.arg(key.as_str());
        let value: Option<Vec<u8>> =
            self.work.send(&command, Repeat::Safe).await.map_err(self.key_error("read", key))?;
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    async fn set_if_absent(&self, key: &Key, value: &str, ttl: Duration) -> Result<bool> {
        let mut command = redis::cmd("SET");
        command.arg(key.as_str()).arg(value).arg("NX").arg("PX").arg(millis(ttl));
        // Sent twice it would say that somebody else had set it.
        let set: Option<String> =
            self.work.send(&command, Repeat::Never).await.map_err(self.key_error("set", key))?;
        Ok(set.is_some())
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64> {
        let failed = self.key_error("count up", key);
        let count: i64 = self
            .work
            .run(&script::INCREMENT, key.as_str(), millis(ttl), Repeat::Never)
            .await
            .map_err(&failed)?;
        u64::try_from(count).map_err(|_| {
            failed(Trouble::new(Fault::Corrupt, "its value is below zero; remove the key"))
        })
    }

    async fn remove(&self, keys: &[Key]) -> Result<()> {
        let remove = async {
            for chunk in keys.chunks(CHUNK) {
                let removals = chunk.iter().map(async |key| {
                    let mut command = redis::cmd("UNLINK");
                    command.arg(key.as_str());
                    let removed: bool = self.work.send(&command, Repeat::Safe).await?;
                    if removed && key.is_lease() {
                        self.index.gone(&self.work, key.as_str());
                    }
                    Ok::<_, Trouble>(())
                });
                try_join_all(removals).await?;
            }
            Ok(())
        };
        let removed = self.work.within_limit(remove);
        removed.await.map_err(|trouble| self.error("remove keys", trouble))
    }

    async fn locks(&self, limit: usize) -> Result<Vec<HeldLock>> {
        let listed = self.lists.within_limit(self.list_locks(limit));
        listed.await.map_err(|trouble| self.error("list leases", trouble))
    }

    async fn beat(&self, heartbeat: &Heartbeat, ttl: Duration) -> Result<()> {
        let failed = |trouble| self.error("say that it is alive", trouble);
        let key = heartbeat::key(&heartbeat.name);
        let arguments = (millis(ttl), heartbeat::fields(heartbeat));
        let mut listed = redis::cmd("ZADD");
        listed.arg(heartbeat::WORKERS).arg(end_of(ttl).millis()).arg(&*heartbeat.name);
        let mut kept = redis::cmd("PEXPIRE");
        kept.arg(heartbeat::WORKERS).arg(millis(WORKERS_LIFE.max(ttl)));
        let (beaten, listed, kept) = tokio::join!(
            self.work.run::<i64>(&script::BEAT, &key, arguments, Repeat::Safe),
            self.work.send::<i64>(&listed, Repeat::Safe),
            self.work.send::<i64>(&kept, Repeat::Safe),
        );
        if let Err(trouble) = listed.and(kept) {
            tracing::debug!(detail = trouble.detail, "the index of workers was not kept up");
        }
        beaten.map(drop).map_err(failed)
    }

    async fn leave(&self, worker: &WorkerName) -> Result<()> {
        let mut gone = redis::cmd("UNLINK");
        gone.arg(heartbeat::key(worker));
        let mut unlisted = redis::cmd("ZREM");
        unlisted.arg(heartbeat::WORKERS).arg(&**worker);
        let (gone, unlisted) = tokio::join!(
            self.work.send::<i64>(&gone, Repeat::Safe),
            self.work.send::<i64>(&unlisted, Repeat::Safe),
        );
        gone.and(unlisted)
            .map(drop)
            .map_err(|trouble| self.error(format!("sign off worker {worker}"), trouble))
    }

    async fn workers(&self) -> Result<Vec<Heartbeat>> {
        let listed = self.lists.within_limit(self.list_workers());
        listed.await.map_err(|trouble| self.error("list workers", trouble))
    }
}
