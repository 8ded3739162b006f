//! One message.

use std::fmt;

use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};

/// A message of plain text.
#[derive(Clone)]
pub struct Letter {
    /// The address it goes to.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says. It may hold a secret.
    pub text: String,
}

/// Says that no person wrote it, so that no machine answers (RFC 3834, section 5).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

impl Letter {
    /// The message as it travels (RFC 5322).
    pub(crate) fn message(&self, from: &Mailbox) -> Result<Message, String> {
        let to: Mailbox = self.to.parse().map_err(|_| "the address cannot be written to".to_owned())?;
        Message::builder()
            .from(from.clone())
            .to(to)
            .subject(self.subject.as_str())
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone())
            .map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Letter")
            .field("to", &self.to)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
