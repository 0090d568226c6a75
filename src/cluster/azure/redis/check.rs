//! Whether Redis is there and fit for its work.

use std::time::{Duration, Instant};

use redis::FromRedisValue;
use serde::Serialize;

use super::{RedisCoordinationStore, connection::Host, fault::Trouble, lane::Repeat};
use crate::cluster::{Clock as _, ClusterError, Result, SystemClock};

/// How far the clocks may be apart before it is worth a word: times to live are the server's, what
/// is shown of them is by our clock.
const SKEW: Duration = Duration::from_secs(5);

/// How full the memory may be, in percent, before keys may soon be evicted.
const FULL: u64 = 90;

/// What was found out about a Redis server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RedisCheck {
    /// Where it is: `host:port`.
    pub address: String,
    /// How long it takes to answer, once connected.
    pub latency: Duration,
    /// Its version; nothing if it does not say.
    pub version: Option<String>,
    /// How many primaries it has, if it is a Redis Cluster.
    pub primaries: Option<usize>,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// By how many milliseconds its clock is ahead of ours; negative if it is behind.
    pub clock_ahead_millis: Option<i64>,
    /// What it does when its memory is full (`maxmemory-policy`), if it says so.
    pub eviction: Option<String>,
    /// What an operator should know, each a sentence.
    pub warnings: Vec<String>,
}

impl RedisCoordinationStore {
    /// Finds out whether Redis is there and fit for its work. Fails if it can't be used: it is not
    /// there, or does not let us in, or does not let us run scripts.
    pub async fn check(&self) -> Result<RedisCheck> {
        let mut command = redis::cmd("EVAL");
        // With a key of ours, so that the permission to use it shows, too.
        command.arg("return redis.call('EXISTS', KEYS[1])").arg(1).arg("flowcraft:reconciler");
        // The first answer includes the connecting.
        self.told::<i64>("run a script", &command).await?;
        // By its hash, too, which takes a permission of its own.
        self.list_locks(1).await.map_err(self.failed("list leases"))?;
        let started = Instant::now();
        self.told::<i64>("run a script", &command).await?;
        let latency = started.elapsed();

        let primaries = self.lists.primaries().await.map_err(self.failed("list primaries"))?;
        let info: String =
            self.told("read INFO", redis::cmd("INFO").arg("server")).await.unwrap_or_default();
        let memory: String =
            self.told("read INFO", redis::cmd("INFO").arg("memory")).await.unwrap_or_default();
        let mut check = RedisCheck {
            address: self.connector.connection.to_string(),
            latency,
            version: field(&info, "redis_version").map(str::to_owned),
            primaries: primaries.map(|primaries| primaries.len()),
            tls: self.connector.connection.is_tls(),
            clock_ahead_millis: self.clock_ahead().await,
            eviction: field(&memory, "maxmemory_policy").map(str::to_owned),
            warnings: Vec::new(),
        };
        let exposed = !check.tls && !self.connector.connection.hosts.iter().all(Host::is_loopback);
        check.warnings = warnings(&check, &memory, exposed);
        Ok(check)
    }

    async fn told<T: FromRedisValue>(&self, doing: &str, command: &redis::Cmd) -> Result<T> {
        self.lists.send(command, Repeat::Safe).await.map_err(self.failed(doing))
    }

    fn failed(&self, doing: &str) -> impl Fn(Trouble) -> ClusterError {
        move |trouble| self.error(doing, trouble)
    }

    async fn clock_ahead(&self) -> Option<i64> {
        let before = SystemClock.now().millis();
        let (seconds, micros): (i64, i64) =
            self.told("read TIME", &redis::cmd("TIME")).await.ok()?;
        let after = SystemClock.now().millis();
        Some(seconds * 1000 + micros / 1000 - i64::midpoint(before, after))
    }
}

fn warnings(check: &RedisCheck, memory: &str, exposed: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let policy = check.eviction.as_deref().unwrap_or_default();
    let number = |name| field(memory, name).and_then(|text| text.parse::<u64>().ok());
    let used = match (number("used_memory"), number("maxmemory")) {
        (Some(used), Some(most)) if most > 0 => used.saturating_mul(100) / most,
        _ => 0,
    };
    if policy.starts_with("allkeys") {
        warnings.push(format!(
            "maxmemory-policy is {policy}: leases may be dropped when memory is short, so that \
             nodes run twice; set it to noeviction"
        ));
    } else if policy.starts_with("volatile") && used >= FULL {
        warnings.push(format!(
            "memory is {used} % full, and under maxmemory-policy {policy} leases are dropped \
             first, so that nodes run twice; free some, or set the policy to noeviction"
        ));
    }
    if let Some(ahead) = check.clock_ahead_millis
        && Duration::from_millis(ahead.unsigned_abs()) > SKEW
    {
        let (seconds, side) =
            (ahead.unsigned_abs() / 1000, if ahead > 0 { "ahead of" } else { "behind" });
        warnings.push(format!("its clock is {seconds} s {side} ours: set this machine's by NTP"));
    }
    if exposed {
        warnings.push(
            "the connection is not encrypted: use rediss:// or ssl=True if others share the network"
                .to_owned(),
        );
    }
    warnings
}

/// A field of what `INFO` answers.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ahead: i64, policy: &str) -> RedisCheck {
        RedisCheck {
            address: "h:1".to_owned(),
            latency: Duration::ZERO,
            version: None,
            primaries: None,
            tls: false,
            clock_ahead_millis: Some(ahead),
            eviction: Some(policy.to_owned()),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn only_what_an_operator_should_know_is_a_warning() {
        let low = "used_memory:10\r\nmaxmemory:100\r\n";
        let full = "used_memory:95\r\nmaxmemory:100\r\n";
        let unbounded = "used_memory:95\r\nmaxmemory:0\r\n";
        let cases = [
            (check(4000, "noeviction"), full, false, None),
            (check(-10, "volatile-lru"), low, false, None),
            (check(0, "volatile-lru"), unbounded, false, None),
            (check(0, "volatile-lru"), full, false, Some("95 % full")),
            (check(0, "allkeys-lru"), low, false, Some("allkeys-lru")),
            (check(-6500, "noeviction"), low, false, Some("6 s behind")),
            (check(0, "noeviction"), low, true, Some("not encrypted")),
        ];
        for (check, memory, exposed, expected) in cases {
            let warnings = warnings(&check, memory, exposed);
            assert_eq!(warnings.len(), usize::from(expected.is_some()), "{warnings:?}");
            assert!(warnings.iter().zip(expected).all(|(said, word)| said.contains(word)));
        }
    }
}
