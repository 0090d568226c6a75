//! Scripts that the server runs, each on a single key.

use std::sync::LazyLock;

use redis::{Cmd, FromRedisValue, ToRedisArgs};

use super::{
    fault::Trouble,
    lane::{Lane, Repeat, Reply, understood},
};

/// A script and the hash by which a server that has run it once knows it.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

/// Takes a lease. Gives nothing, or the value of the worker that has it.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local value = redis.call('GET', KEYS[1])
if value and value ~= ARGV[1] and string.sub(value, 1, 7) == 'worker:' then
  return value
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false",
    )
});

/// Extends a lease. Gives 1 if it was the caller's.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0",
    )
});

/// Deletes a key that has this value. Gives 1 if it had.
pub(super) static REMOVE_VALUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0",
    )
});

/// Adds one to a counter, which then has its time to live anew. Gives the count.
pub(super) static INCREMENT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count",
    )
});

/// Gives a key's value and how many milliseconds it has left, at the same moment.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")
});

/// Sets the fields of a hash, which then has its time to live anew.
pub(super) static BEAT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1",
    )
});

impl Lane {
    /// Runs a script on a key: by its hash, or by its text where the server does not know it yet
    /// or any more.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        arguments: impl ToRedisArgs,
        repeat: Repeat,
    ) -> Result<T, Trouble> {
        let run = async {
            let mut command = call("EVALSHA", &script.hash, key);
            command.arg(&arguments);
            match self.ask(&command, repeat).await? {
                Reply::Value(value) => understood(value),
                Reply::NoScript => {
                    let mut command = call("EVAL", script.text, key);
                    command.arg(&arguments);
                    self.send(&command, repeat).await
                }
            }
        };
        self.within_limit(run).await
    }
}

fn call(command: &str, script: &str, key: &str) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(script).arg(1).arg(key);
    command
}
