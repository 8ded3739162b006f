//! How often limits were begun afresh for everybody, for all gateways of a store: one text that whoever changes it writes
//! anew, provided that nobody else has written it meanwhile.

use std::{sync::Arc, time::Duration};

use redis::Value;

use super::{Connection, LimitsError, RedisStore};
use crate::afresh::{Turns, begin};

const KEY: &str = "bartizan:limit:{afresh}";
/// Whether the text was still the same and has been replaced.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end\n\
    redis.call('SET', KEYS[1], ARGV[2])\nreturn 1";
/// How often a change is tried while others change the same.
const ATTEMPTS: u32 = 16;
/// Limits that have ever been begun afresh.
const MOST: usize = 4096;

impl RedisStore {
    /// How often each limit was begun afresh.
    pub(crate) async fn turns(&self) -> Result<Turns, LimitsError> {
        self.read_turns().await.map(|(turns, _)| turns)
    }

    /// Begins these limits afresh, and says how often each was by then.
    pub(crate) async fn begin_afresh(&self, limits: &[Arc<str>]) -> Result<Turns, LimitsError> {
        for _ in 0..ATTEMPTS {
            let (mut turns, text) = self.read_turns().await?;
            begin(&mut turns, limits);
            if turns.len() > MOST {
                return Err(LimitsError::Server(format!("`{KEY}` names more than {MOST} limits: delete it")));
            }
            if self.replace_turns(&text, &turns).await? {
                return Ok(turns);
            }
        }
        Err(LimitsError::Server("others begin limits afresh all the time".into()))
    }

    async fn read_turns(&self) -> Result<(Turns, Vec<u8>), LimitsError> {
        let mut command = redis::cmd("GET");
        command.arg(KEY);
        let run = async |mut connection: Connection| connection.query(&command).await;
        let read = |answer| match answer {
            Value::Nil => Ok(Vec::new()),
            Value::BulkString(text) => Ok(text),
            _ => Err(LimitsError::Nonsense("not a text")),
        };
        let text = self.shared.link.ask(Duration::ZERO, run, read).await?;
        // What somebody else has written there is no reason to give up the connection.
        let turns = if text.is_empty() { Ok(Turns::new()) } else { serde_json::from_slice(&text) };
        let turns = turns.map_err(|_| LimitsError::Nonsense("not a table of limits begun afresh"))?;
        Ok((turns, text))
    }

    async fn replace_turns(&self, before: &[u8], turns: &Turns) -> Result<bool, LimitsError> {
        // INVARIANT: texts and numbers can be written.
        let text = serde_json::to_vec(turns)
            .map_err(|_| LimitsError::Nonsense("a table of limits that cannot be written"))?;
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(KEY).arg(before).arg(text);
        let run = async |mut connection: Connection| connection.query(&command).await;
        let read = |answer| match answer {
            Value::Int(replaced @ 0..=1) => Ok(replaced == 1),
            _ => Err(LimitsError::Nonsense("neither replaced nor kept")),
        };
        self.shared.link.ask(Duration::ZERO, run, read).await
    }
}
