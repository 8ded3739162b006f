//! What gateways remember together besides limits: that something was used, how often something was tried, and
//! how many values were seen.

use std::time::Duration;

use redis::{Cmd, Value};

use super::{Connection, LimitsError, RedisStore};

/// How these keys begin. Whoever asks makes sure that what follows tells nothing.
const PREFIX: &str = "bartizan:together:";

/// Counts an attempt, and says how long to wait in milliseconds where there have been too many. The last one that is
/// admitted begins the pause, and is told how long it is, below zero: who succeeds with it ends it. Beside the count stands how many pauses there were, which makes
/// each twice as long as the one before, and what taking that attempt back takes.
const TRY: &str = "local tries = redis.call('INCR', KEYS[1])\n\
    if tries == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end\n\
    local most, begun = tonumber(ARGV[1]), 0\n\
    if tries == most then\n\
    local pauses = tonumber(string.match(redis.call('GET', KEYS[2]) or '0', '^%d+'))\n\
    local pause = math.min(ARGV[3] * 2 ^ math.min(pauses, 30), ARGV[4])\n\
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', pause))\n\
    local kept = (pauses + 1) .. ' ' .. ARGV[1] .. ' ' .. ARGV[2]\n\
    redis.call('SET', KEYS[2], kept, 'PX', string.format('%.0f', pause + ARGV[4]))\n\
    begun = pause\n\
    end\n\
    if tries <= most then return -begun end\n\
    redis.call('DECR', KEYS[1])\n\
    return math.max(redis.call('PTTL', KEYS[1]), 1)";
/// Takes one back, where there is one; with the one that began a pause, the pause.
const TAKE_BACK: &str = "local tries = tonumber(redis.call('GET', KEYS[1]) or '0')\n\
    if tries <= 0 then return 0 end\n\
    redis.call('DECR', KEYS[1])\n\
    local kept = redis.call('GET', KEYS[2]) or ''\n\
    local pauses, most, window = string.match(kept, '^(%d+) (%d+) (%d+)$')\n\
    if not pauses or tries ~= tonumber(most) then return 0 end\n\
    redis.call('PEXPIRE', KEYS[1], window)\n\
    kept = (pauses - 1) .. ' ' .. most .. ' ' .. window\n\
    redis.call('SET', KEYS[2], kept, 'PX', math.max(redis.call('PTTL', KEYS[2]), 1))\n\
    return 0";

/// Adds a value to a set of those that were seen lately, and says how many there are where they have become so many. What
/// made them so many need not be kept any more; that it did is remembered as long as a value would be.
const GATHER: &str = "local clock = redis.call('TIME')\n\
    local now = clock[1] * 1000 + math.floor(clock[2] / 1000)\n\
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])\n\
    redis.call('ZADD', KEYS[1], now, ARGV[1])\n\
    redis.call('PEXPIRE', KEYS[1], ARGV[3])\n\
    local seen = redis.call('ZCARD', KEYS[1])\n\
    if seen < tonumber(ARGV[2]) then return 0 end\n\
    redis.call('DEL', KEYS[1])\n\
    local known = redis.call('EXISTS', KEYS[2])\n\
    redis.call('SET', KEYS[2], 1, 'PX', ARGV[3])\n\
    if known == 1 then return 0 end\n\
    return seen";

/// How often something may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// So often.
    pub most: u32,
    /// Within this time of the first.
    pub window: Duration,
    /// How long nobody may after so many, for the first time; each further time twice as long.
    pub pause: Duration,
    /// The longest pause, and the quiet time after which the next is a first one again.
    pub longest_pause: Duration,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It was counted.
    Counted,
    /// It was counted, and is the last one: unless it is taken back, everybody waits for so long from now on.
    Last(Duration),
    /// It is one too many; how long to wait.
    TooMany(Duration),
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

    /// Counts an attempt, unless it is one too many.
    pub async fn attempt(&self, key: &str, tries: Tries) -> Result<Tried, LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(TRY).arg(2).arg(named(key)).arg(pauses_of(key)).arg(tries.most);
        command.arg(milliseconds(tries.window)).arg(milliseconds(tries.pause));
        command.arg(milliseconds(tries.longest_pause));
        self.command(command, |answer| match answer {
            Value::Int(0) => Ok(Tried::Counted),
            Value::Int(pause @ ..0) => Ok(Tried::Last(Duration::from_millis(pause.unsigned_abs()))),
            Value::Int(wait) => Ok(Tried::TooMany(Duration::from_millis(wait.unsigned_abs()))),
            _ => Err(LimitsError::Nonsense("not a time to wait")),
        })
        .await
    }

    /// An attempt that was none.
    pub async fn take_back(&self, key: &str) -> Result<(), LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(TAKE_BACK).arg(2).arg(named(key)).arg(pauses_of(key));
        self.command(command, |_| Ok(())).await
    }

    /// Forgets every attempt, and every pause.
    pub async fn forget(&self, key: &str) -> Result<(), LimitsError> {
        let mut command = redis::cmd("DEL");
        command.arg(named(key)).arg(pauses_of(key));
        self.command(command, |_| Ok(())).await
    }

    /// Adds a value to those that were seen under a key within `window`. How many there are, where they have just become
    /// `many`: until then they were fewer, or it was forgotten.
    pub async fn gather(
        &self,
        key: &str,
        value: &str,
        many: usize,
        window: Duration,
    ) -> Result<Option<usize>, LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(GATHER).arg(2).arg(named(key)).arg(many_under(key));
        command.arg(value).arg(many).arg(milliseconds(window));
        self.command(command, |answer| match answer {
            Value::Int(0) => Ok(None),
            Value::Int(seen) => Ok(usize::try_from(seen).ok()),
            _ => Err(LimitsError::Nonsense("not a number of values")),
        })
        .await
    }

    /// For how long it still counts that many values were seen under a key.
    pub async fn gathered(&self, key: &str) -> Result<Option<Duration>, LimitsError> {
        let mut command = redis::cmd("PTTL");
        command.arg(many_under(key));
        self.command(command, |answer| match answer {
            Value::Int(left) => Ok(u64::try_from(left).ok().map(Duration::from_millis)),
            _ => Err(LimitsError::Nonsense("not a time to wait")),
        })
        .await
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

/// Where pauses are counted.
fn pauses_of(key: &str) -> String {
    format!("{}:pauses", named(key))
}

/// Where it is remembered that there were many.
fn many_under(key: &str) -> String {
    format!("{}:many", named(key))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
