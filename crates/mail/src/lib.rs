//! Messages to people, by SMTP or, for development, into a folder.
//!
//! [`Mailer::send`] never waits and never fails: messages stand in a bounded queue and are sent in the background, a few
//! at a time, each tried for some twenty minutes. What fails is logged and counted; whoever caused a message learns nothing about it,
//! or they would learn who has an account.
//!
//! A [`Courier`] sends one message and waits: for whoever keeps what did not go.
//!
//! Metrics: `bartizan_mail_total{result}` counts messages; `result` is `sent`, `failed` or `dropped` (the queue was full, or the gateway stopped before a server took them).

mod letter;
mod mailer;
#[cfg(test)]
mod tests;
mod transport;

pub use letter::Letter;
pub use mailer::{Courier, MailError, Mailer, NotSent};
