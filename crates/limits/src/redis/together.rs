//! What gateways remember together besides limits: that something was used, and how often something was tried.

use std::time::Duration;

use redis::{Cmd, Value};

use super::{Connection, LimitsError, RedisStore};

/// How these keys begin. Whoever asks makes sure that what follows tells nothing.
const PREFIX: &str = "bartizan:together:";

/// Counts an attempt, and says how long to wait in milliseconds where there have been too many. The last one that is
/// admitted begins the pause: who succeeds with it ends it.
const TRY: &str = "local tries = redis.call('INCR', KEYS[1])\n\
    if tries == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end\n\
    local most = tonumber(ARGV[1])\n\
    if tries == most then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end\n\
    if tries <= most then return 0 end\n\
    redis.call('DECR', KEYS[1])\n\
    return math.max(redis.call('PTTL', KEYS[1]), 1)";
/// Takes one back, where there is one.
const TAKE_BACK: &str = "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end\n\
    return 0";

/// How often something may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// So often.
    pub most: u32,
    /// Within this time of the first.
    pub window: Duration,
    /// How long nobody may after so many.
    pub pause: Duration,
}

impl RedisStore {
    /// Whether nobody has used this within the time for which it is remembered; from now on somebody has.
    pub async fn use_once(&self, key: &str, lasts: Duration) -> Result<bool, LimitsError> {
        let mut command = redis::cmd("SET");
        command.arg(named(key)).arg(1).arg("NX").arg("PX").arg(milliseconds(lasts));
        self.command(command, |answer| match answer {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(LimitsError::Nonsense("neither set nor kept")),
        })
        .await
    }

    /// Counts an attempt; where it is one too many, how long to wait.
    pub async fn attempt(&self, key: &str, tries: Tries) -> Result<Option<Duration>, LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(TRY).arg(1).arg(named(key)).arg(tries.most);
        command.arg(milliseconds(tries.window)).arg(milliseconds(tries.pause));
        self.command(command, |answer| match answer {
            Value::Int(0) => Ok(None),
            Value::Int(wait) => Ok(Some(Duration::from_millis(u64::try_from(wait).unwrap_or(1)))),
            _ => Err(LimitsError::Nonsense("not a time to wait")),
        })
        .await
    }

    /// An attempt that was none.
    pub async fn take_back(&self, key: &str) -> Result<(), LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(TAKE_BACK).arg(1).arg(named(key));
        self.command(command, |_| Ok(())).await
    }

    /// Forgets every attempt.
    pub async fn forget(&self, key: &str) -> Result<(), LimitsError> {
        let mut command = redis::cmd("DEL");
        command.arg(named(key));
        self.command(command, |_| Ok(())).await
    }

    async fn command<T>(
        &self,
        command: Cmd,
        read: impl FnOnce(Value) -> Result<T, LimitsError>,
    ) -> Result<T, LimitsError> {
        let run = async |mut connection: Connection| connection.query(&command).await;
        self.shared.link.ask(Duration::ZERO, run, read).await
    }
}

/// What stands in braces decides the slot on a cluster.
fn named(key: &str) -> String {
    format!("{PREFIX}{{{key}}}")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
