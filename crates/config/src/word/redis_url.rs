//! URLs of Redis and Valkey servers. They may hold a password, so no message quotes any part of one.

use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;

use super::url::{Authority, is_host};
use crate::forms::Forms;

const PORT: u16 = 6379;

/// `redis://user:password@host:port/database`.
#[derive(Clone)]
pub(crate) struct RedisUrl {
    /// As it is written.
    pub(crate) text: SecretString,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// Lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User name and password, as they are written; empty if there are none.
    pub(crate) credentials: SecretString,
    pub(crate) database: u16,
}

impl Forms for RedisUrl {
    const NAME: &'static str = "RedisUrl";
    const EXPECTED: &'static str = "a URL such as `redis://127.0.0.1:6379`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^((redis|rediss|valkey|valkeys)://.+|.*\$\{.*\}.*)$",
            "description": "`redis://user:password@host:port/database`, all but the host optional; `rediss:` speaks TLS, `valkey:` and `valkeys:` mean the same. Take the password from the environment: `redis://:${REDIS_PASSWORD}@redis`.",
            "examples": ["redis://127.0.0.1:6379", "rediss://limits:${REDIS_PASSWORD}@redis:6380/1"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let shape = "this is not the URL of a Redis server: write for example `redis://127.0.0.1:6379`";
        let (scheme, rest) = word.split_once("://").ok_or(shape)?;
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => {
                return Err(
                    "the scheme is none of a Redis server: write `redis` or, for TLS, `rediss`".into()
                );
            }
        };
        let Authority { credentials, server, rest: path } = Authority::split(rest)?;
        let (host, port) = server_of(server)
            .ok_or("there is no valid host or no valid port: write for example `redis://127.0.0.1:6379`")?;
        let database = match path {
            "" | "/" => 0,
            path => path.strip_prefix('/').and_then(number).ok_or(
                "behind the host only the number of a database may stand: write for example `redis://127.0.0.1:6379/1`",
            )?,
        };
        Ok(Self { text: word.into(), tls, host, port, credentials: credentials.into(), database })
    }
}

/// Host and port of `host`, `host:port`, `[::1]` or `[::1]:port`.
fn server_of(server: &str) -> Option<(String, u16)> {
    let (host, port) = match server.strip_prefix('[') {
        Some(bracketed) => {
            let (address, rest) = bracketed.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => server.split_at(server.find(':').unwrap_or(server.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => number(digits).filter(|port| *port > 0)?,
        None if port.is_empty() => PORT,
        None => return None,
    };
    is_host(host).then(|| (host.to_ascii_lowercase(), port))
}

fn number(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn urls_lead_to_a_server() {
        let cases = [
            ("redis://127.0.0.1", false, "127.0.0.1", 6379, "", 0),
            ("redis://Redis:6380/", false, "redis", 6380, "", 0),
            ("rediss://u:p%40@redis/3", true, "redis", 6379, "u:p%40", 3),
            ("valkey://:p:q@[::1]:1", false, "::1", 1, ":p:q", 0),
            ("valkeys://[::1]", true, "::1", 6379, "", 0),
        ];
        for (text, tls, host, port, credentials, database) in cases {
            let url = RedisUrl::word(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (url.tls, url.host.as_str(), url.port, url.database),
                (tls, host, port, database),
                "{text}"
            );
            assert_eq!((url.text.expose_secret(), url.credentials.expose_secret()), (text, credentials));
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_being_quoted() {
        let refused = [
            "",
            "hunter2",
            ":hunter2@redis",
            "http://:hunter2@redis",
            "redis:hunter2",
            "redis://",
            "redis://:hunter2@",
            "redis://:hun/ter2@redis",
            "redis://:hun?ter2@redis",
            "redis://:hun#ter2@redis",
            "redis://:hunt@er2@redis",
            "redis://:hunt er2@redis",
            "redis://redis:0/hunter2",
            "redis://redis:99999",
            "redis://redis:",
            "redis://redis/hunter2",
            "redis://redis/-1",
            "redis://redis:+1",
            "redis://redis//1",
            "redis://redis?password=hunter2",
            "redis://redis/1?x",
            "redis://redis#1",
            "redis://[::1",
            "redis://[redis]",
            "redis://[::1]6379",
            "redis://a b",
        ];
        for text in refused {
            let error = RedisUrl::word(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!error.contains("hun") && !error.contains("er2"), "{error}");
        }
    }
}
