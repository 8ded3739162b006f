//! URLs of databases. They may hold a password, so no message quotes any part of one.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::url::Authority;
use crate::{PostgresUrl, StoreLocation, forms::Forms};

/// `sqlite:PATH` or `postgres://user:password@host:port/database`.
#[derive(Clone)]
pub(crate) struct StoreUrl(pub(crate) StoreLocation);

impl Forms for StoreUrl {
    const NAME: &'static str = "StoreUrl";
    const EXPECTED: &'static str = "a URL such as `sqlite:/var/lib/bartizan/bartizan.db`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(sqlite:.+|postgres(ql)?://.+|.*\$\{.*\}.*)$",
            "description": "`sqlite:PATH`, or `postgres://user:password@host:port/database`; `?sslmode=verify-full` verifies the server. Take the password from the environment: `postgres://bartizan:${POSTGRES_PASSWORD}@db/bartizan`.",
            "examples": ["sqlite:./bartizan.db", "postgres://bartizan:${POSTGRES_PASSWORD}@db/bartizan?sslmode=verify-full"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if let Some(path) = word.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
                return Err("behind `sqlite:` stands the path of a file, and nothing else".into());
            }
            return Ok(Self(StoreLocation::Sqlite(path.into())));
        }
        let rest = word.strip_prefix("postgres://").or_else(|| word.strip_prefix("postgresql://"));
        let rest = rest.ok_or(
            "this is not the URL of a database: write `sqlite:PATH` or `postgres://user@host/database`",
        )?;
        let Authority { server, rest: path, .. } = Authority::split(rest)?;
        let database = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
        if database.is_empty() || database.contains('/') {
            return Err(
                "behind the host stands the name of the database: `postgres://user@host/database`".into()
            );
        }
        let address = format!("postgres://{server}/{database}");
        Ok(Self(StoreLocation::Postgres(PostgresUrl { url: word.into(), address })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_a_database_without_telling_its_password() {
        let cases = [
            ("sqlite:./a.db", "sqlite:./a.db"),
            ("sqlite:///var/a.db", "sqlite:/var/a.db"),
            ("postgres://u:hunter2@db:5433/shop?sslmode=require", "postgres://db:5433/shop"),
            ("postgresql://u@%2Frun%2Fpg/shop", "postgres://%2Frun%2Fpg/shop"),
            ("postgres:///shop?host=/run/pg&password=hunter2", "postgres:///shop"),
        ];
        for (text, shown) in cases {
            let location: StoreLocation = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(location.to_string(), shown, "{text}");
            assert!(!format!("{location:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_no_database_is_refused_without_being_quoted() {
        for text in [
            "",
            "hunter2",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a.db?mode=hunter2",
            "mysql://u:hunter2@db/shop",
            "postgres://u:hunter2@db",
            "postgres://u:hunter2@db/",
            "postgres://u:hunt@er2@db/shop",
            "postgres://u:hun/ter2@db/shop",
        ] {
            let error = text.parse::<StoreLocation>().unwrap_err();
            assert!(!error.contains("hun") && !error.contains("er2"), "{error}");
        }
    }
}
