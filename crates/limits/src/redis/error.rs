//! Why a shared store gave no decision. What happens then is for the caller to decide; none of these admits.

use std::{sync::Arc, time::Duration};

use redis::{ErrorKind, RedisError};
use thiserror::Error;

use super::key;

/// A limit could not be decided. No variant carries a password, nor anything that the server said before it had
/// accepted one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitsError {
    /// The settings name no store that could be reached.
    #[error("the shared store cannot be used: {0}")]
    Settings(String),
    /// There is no connection at the moment; one is being made in the background.
    #[error("not connected to redis: {0}")]
    NotConnected(Arc<str>),
    /// The server was silent for too long: overloaded, paused, or cut off. What was asked may have been charged.
    #[error("redis gave no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection ended while the answer was awaited. What was asked may have been charged.
    #[error("the connection to redis failed: {0}")]
    Connection(String),
    /// The server answered with an error: it is loading, read-only, out of memory, or the key holds something else.
    #[error("redis refused: {0}")]
    Server(String),
    /// The answer is none that the script gives: something else answers, or a proxy mixes answers up.
    #[error("redis gave an answer that makes no sense: {0}")]
    Nonsense(&'static str),
}

/// What is kept of a server's own words.
const LONGEST_DETAIL: usize = 200;

impl LimitsError {
    /// While connecting: a server may repeat in its error what it was sent, and that was the password. So only
    /// codes and what the operating system says are kept.
    pub(super) fn connecting(error: &RedisError) -> Arc<str> {
        match error.code() {
            _ if error.kind() == ErrorKind::Io => error.to_string().into(),
            _ if error.kind() == ErrorKind::AuthenticationFailed => "it does not accept the password".into(),
            Some("WRONGPASS") => "it does not accept the password (`WRONGPASS`)".into(),
            Some("NOAUTH") => "it wants a password (`NOAUTH`)".into(),
            Some(code) => format!("{} (`{}`)", error.category(), code_only(code)).into(),
            None => error.category().into(),
        }
    }

    /// While deciding: the server's words may be told, up to where they repeat a key, which holds whom it counts.
    pub(super) fn deciding(error: &RedisError) -> Self {
        match error.code() {
            Some(code) => {
                let detail = error.detail().unwrap_or_default();
                let detail = without_keys(detail).chars().take(LONGEST_DETAIL).collect::<String>();
                Self::Server(format!("`{} {}`", code_only(code), detail.escape_debug()))
            }
            None if error.kind() == ErrorKind::Parse => Self::Nonsense("not the protocol of redis"),
            None => Self::Connection(Self::connecting(error).to_string()),
        }
    }
}

/// A server's words up to where they repeat what it was asked.
fn without_keys(detail: &str) -> &str {
    let end = ["with args", key::PREFIX].into_iter().filter_map(|word| detail.find(word)).min();
    end.and_then(|end| detail.get(..end)).unwrap_or(detail)
}

/// Only codes that Redis is known to send: another word in that place may be anything that the server was sent.
fn code_only(code: &str) -> &str {
    const KNOWN: [&str; 16] = [
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "DENIED",
        "ERR",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "OOM",
        "READONLY",
        "WRONGPASS",
        "WRONGTYPE",
    ];
    if KNOWN.contains(&code) { code } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_is_counted_is_named() {
        let cases = [
            ("the state of a limit is not what was written", "the state of a limit is not what was written"),
            (
                "unknown command 'EVALSHA', with args beginning with: 'c0de' '1' 'ada'",
                "unknown command 'EVALSHA', ",
            ),
            ("no access to 'bartizan:limit:{calls:ada}:bucket:60000'", "no access to '"),
            ("bartizan:limit:{calls:ada} with args", ""),
        ];
        for (detail, told) in cases {
            assert_eq!(without_keys(detail), told);
        }
    }
}
