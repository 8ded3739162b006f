//! What a user of the log sees.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

mod killed;
mod log;
#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;
mod shared;
