//! What a user of the log sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod killed;
mod log;
