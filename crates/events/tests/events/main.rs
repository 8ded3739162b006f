//! What a user of the log sees.

mod killed;
mod log;
