//! Mistakes of `events`.

use bartizan_config::{EventStore, Severity};

use super::{Case, check};
use crate::{parse, with};

#[test]
fn events_are_kept_in_a_postgres_that_is_there() {
    let none: [(&str, &str); 1] = [("there is no PostgreSQL to keep events in", "store: { url:")];
    let cases: [Case<'_>; 2] = [
        (with("events: { store: §postgres }"), &none),
        (with("store: { url: \"sqlite:a.db\" }\nevents: { store: §postgres }"), &none),
    ];
    check(&cases, Severity::Error);
    let shared = with("store: { url: \"postgres:///shop?host=/run/pg\" }\nevents: { store: postgres }");
    assert_eq!(parse(&shared).unwrap().config.events.store, EventStore::Postgres);
    assert_eq!(parse(&with("")).unwrap().config.events.store, EventStore::Files);
}
