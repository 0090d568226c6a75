//! Listing leases and workers: from the indexes, checked against the keys, and from a walk through
//! all keys for what no index names.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    RedisCoordinationStore,
    fault::Trouble,
    heartbeat,
    index::{LOCKS, removal},
    lane::Repeat,
    script,
};
use crate::{
    cluster::{Clock as _, Heartbeat, HeldLock, Key, SystemClock},
    engine::Timestamp,
};

/// How many leases or workers at most are taken from an index.
const MOST: usize = 1000;

/// How many keys are looked at at once.
const AT_ONCE: usize = 100;

/// How long a lease without an end is said to last, in milliseconds: about a hundred years.
const FOR_EVER: i64 = 100 * 365 * 24 * 3600 * 1000;

/// What is at a key.
enum Look {
    /// A value for so many more milliseconds.
    Value(String, i64),
    /// Nothing.
    Gone,
}

impl RedisCoordinationStore {
    pub(super) async fn list_locks(&self, limit: usize) -> Result<Vec<HeldLock>, Trouble> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // What this process did itself is in it.
        self.index.send(&self.work).await;
        let mut range = redis::cmd("ZRANGE");
        range.arg(LOCKS).arg(0).arg(limit.min(MOST) - 1);
        let mut walk = self.lock_walk.lock().await;
        let (indexed, walked) = tokio::join!(
            self.lists.send::<Vec<Vec<u8>>>(&range, Repeat::Safe),
            walk.go_on(&self.lists),
        );
        let indexed: BTreeSet<String> = texts(indexed?);
        if let Err(trouble) = walked {
            tracing::debug!(detail = trouble.detail, "not all keys were searched for locks");
        }
        let mut keys = indexed.clone();
        keys.extend(walk.found().map(str::to_owned));
        keys.insert(Key::reconciler().as_str().to_owned());
        let seen: Vec<(String, Look)> = stream::iter(keys)
            .map(async |key| {
                let look = self.look(&key).await?;
                Ok::<_, Trouble>((key, look))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;

        let now = SystemClock.now().millis();
        let (mut locks, mut gone) = (Vec::new(), Vec::new());
        for (key, look) in &seen {
            match look {
                Look::Value(value, left) => {
                    let left = if *left < 0 { FOR_EVER } else { *left };
                    let ends = Timestamp::from_millis(now.saturating_add(left));
                    locks.push(HeldLock::describe(key, value, ends));
                }
                Look::Gone => {
                    walk.forget(key);
                    if indexed.contains(key) {
                        gone.push(key.as_str());
                    }
                }
            }
        }
        drop(walk);
        if !gone.is_empty() {
            self.lists.send::<i64>(&removal(&gone), Repeat::Safe).await?;
        }
        locks.sort_by(|a, b| (a.expires_at, &a.key).cmp(&(b.expires_at, &b.key)));
        locks.truncate(limit);
        Ok(locks)
    }

    async fn look(&self, key: &str) -> Result<Look, Trouble> {
        let answer: Result<(Option<Vec<u8>>, i64), _> =
            self.lists.run(&script::LOOK, key, None::<&str>, Repeat::Safe).await;
        match answer {
            Ok((Some(value), left)) => {
                Ok(Look::Value(String::from_utf8_lossy(&value).into_owned(), left))
            }
            Ok((None, _)) => Ok(Look::Gone),
            // Something else than a lock has a lock's name.
            Err(trouble) if trouble.fault == crate::cluster::Fault::Corrupt => Ok(Look::Gone),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn list_workers(&self) -> Result<Vec<Heartbeat>, Trouble> {
        let mut range = redis::cmd("ZREVRANGE");
        range.arg(heartbeat::WORKERS).arg(0).arg(MOST - 1);
        let mut walk = self.worker_walk.lock().await;
        let (indexed, walked) = tokio::join!(
            self.lists.send::<Vec<Vec<u8>>>(&range, Repeat::Safe),
            walk.go_on(&self.lists),
        );
        let indexed: BTreeSet<String> = texts(indexed?);
        if let Err(trouble) = walked {
            tracing::debug!(detail = trouble.detail, "not all keys were searched for workers");
        }
        let mut names = indexed.clone();
        names.extend(
            walk.found().filter_map(|key| key.strip_prefix(heartbeat::PREFIX)).map(str::to_owned),
        );
        let seen: Vec<(String, HashMap<String, String>)> = stream::iter(names)
            .map(async |name| {
                let mut command = redis::cmd("HGETALL");
                command.arg(format!("{}{name}", heartbeat::PREFIX));
                match self.lists.send(&command, Repeat::Safe).await {
                    Ok(fields) => Ok((name, fields)),
                    Err(trouble) if trouble.fault == crate::cluster::Fault::Corrupt => {
                        Ok((name, HashMap::new()))
                    }
                    Err(trouble) => Err(trouble),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;

        let (mut workers, mut gone) = (Vec::new(), Vec::new());
        for (name, fields) in &seen {
            match heartbeat::from_fields(name, fields) {
                Some(worker) => workers.push(worker),
                None if fields.is_empty() => {
                    walk.forget(&format!("{}{name}", heartbeat::PREFIX));
                    if indexed.contains(name) {
                        gone.push(name.as_str());
                    }
                }
                // A newer program's workers must not hide the others.
                None => tracing::debug!(name, "a heartbeat was left out"),
            }
        }
        drop(walk);
        if !gone.is_empty() {
            let mut command = redis::cmd("ZREM");
            command.arg(heartbeat::WORKERS).arg(gone);
            self.lists.send::<i64>(&command, Repeat::Safe).await?;
        }
        workers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(workers)
    }
}

fn texts(members: Vec<Vec<u8>>) -> BTreeSet<String> {
    members.into_iter().filter_map(|member| String::from_utf8(member).ok()).collect()
}
