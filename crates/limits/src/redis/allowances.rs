//! Who is not counted for a while, for all gateways of a store: one text that whoever changes it writes anew, provided that
//! nobody else has written it meanwhile. Times in it are by the clock of Redis, so that gateways need not agree on one.

use std::time::Duration;

use bartizan_model::Name;
use ipnet::IpNet;
use redis::Value;
use serde::{Deserialize, Serialize};

use super::{Connection, LimitsError, RedisStore};
use crate::{Allowance, Nanos, Whom, escaped, unescaped};

const KEY: &str = "bartizan:limit:{allowances}";
/// The time in microseconds, and the text.
const READ: &str = "local now = redis.call('TIME')\n\
    return { now[1] * 1000000 + now[2], redis.call('GET', KEYS[1]) or '' }";
/// Whether the text was still the same and has been replaced.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end\n\
    if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end\n\
    return 1";
/// How often a change is tried while others change the same.
const ATTEMPTS: u32 = 16;

/// What the store has, and when it said so.
#[derive(Debug)]
pub(crate) struct SharedAllowances {
    /// By the clock of Redis, as the entries are.
    pub(crate) now: Nanos,
    pub(crate) entries: Vec<Allowance>,
    /// As it stands there.
    text: Vec<u8>,
}

/// An entry as it stands in the store.
#[derive(Serialize, Deserialize)]
struct Entry {
    policy: Option<Name>,
    whom: WhomThere,
    /// Microseconds by the clock of Redis.
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WhomThere {
    /// As people read it, so that any bytes are text.
    Value(String),
    Network(IpNet),
}

impl RedisStore {
    /// Who is not counted.
    pub(crate) async fn allowances(&self) -> Result<SharedAllowances, LimitsError> {
        let mut command = redis::cmd("EVAL");
        command.arg(READ).arg(1).arg(KEY);
        let run = async |mut connection: Connection| connection.query(&command).await;
        let read = |answer| match answer {
            Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
                Ok([Value::Int(now), Value::BulkString(text)]) => Ok((now, text)),
                _ => Err(LimitsError::Nonsense("not a time and a text")),
            },
            _ => Err(LimitsError::Nonsense("not a time and a text")),
        };
        let (now, text) = self.shared.link.ask(Duration::ZERO, run, read).await?;
        let now = moment(u64::try_from(now).unwrap_or_default());
        // What somebody else has written there is no reason to give up the connection.
        let entries: Vec<Entry> = if text.is_empty() {
            Vec::new()
        } else {
            serde_json::from_slice(&text).map_err(|_| LimitsError::Nonsense("not a list of allowances"))?
        };
        let entries = entries.into_iter().map(Allowance::from).filter(|entry| entry.until > now).collect();
        Ok(SharedAllowances { now, entries, text })
    }

    /// Changes who is not counted, and says who is not counted then.
    pub(crate) async fn change_allowances<T>(
        &self,
        change: impl Fn(&mut SharedAllowances) -> T,
    ) -> Result<(T, SharedAllowances), LimitsError> {
        for _ in 0..ATTEMPTS {
            let mut shared = self.allowances().await?;
            let changed = change(&mut shared);
            if self.replace(&shared).await? {
                return Ok((changed, shared));
            }
        }
        Err(LimitsError::Server("others change the allowances all the time".into()))
    }

    async fn replace(&self, shared: &SharedAllowances) -> Result<bool, LimitsError> {
        let entries: Vec<_> = shared.entries.iter().map(Entry::from).collect();
        let last = entries.iter().map(|entry| entry.until).max().unwrap_or_default();
        let lasts = last.saturating_sub(shared.now.get() / 1000).div_ceil(1000).max(1);
        let text = if entries.is_empty() { Ok(Vec::new()) } else { serde_json::to_vec(&entries) };
        // INVARIANT: names, texts and numbers can be written.
        let text = text.map_err(|_| LimitsError::Nonsense("an allowance that cannot be written"))?;
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(KEY).arg(&shared.text[..]).arg(text).arg(lasts);
        let run = async |mut connection: Connection| connection.query(&command).await;
        let read = |answer| match answer {
            Value::Int(replaced @ 0..=1) => Ok(replaced == 1),
            _ => Err(LimitsError::Nonsense("neither replaced nor kept")),
        };
        self.shared.link.ask(Duration::ZERO, run, read).await
    }
}

impl From<Entry> for Allowance {
    fn from(Entry { policy, whom, until }: Entry) -> Self {
        let whom = match whom {
            WhomThere::Value(value) => Whom::Value(unescaped(&value).into()),
            WhomThere::Network(network) => Whom::Network(network),
        };
        Self { policy, whom, until: moment(until) }
    }
}

impl From<&Allowance> for Entry {
    fn from(Allowance { policy, whom, until }: &Allowance) -> Self {
        let whom = match whom {
            Whom::Value(value) => WhomThere::Value(escaped(value)),
            Whom::Network(network) => WhomThere::Network(*network),
        };
        Self { policy: policy.clone(), whom, until: until.get() / 1000 }
    }
}

fn moment(microseconds: u64) -> Nanos {
    Nanos::new(microseconds.saturating_mul(1000))
}
