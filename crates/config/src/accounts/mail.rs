//! How the gateway writes to people.

use std::path::PathBuf;

use secrecy::SecretString;

/// `accounts.mail:`.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Whom messages are from: `no-reply@shop.test` or `Shop <no-reply@shop.test>`.
    pub from: String,
    /// Where the pages are that messages lead to, without a slash at the end.
    pub base_url: String,
    /// Where messages go.
    pub transport: MailTransport,
}

/// Where messages go.
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// To a server.
    Smtp(SmtpServer),
    /// Into a folder, for development.
    Folder(PathBuf),
}

/// A server that takes messages (RFC 6409).
#[derive(Debug, Clone)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who the gateway is there; `None`: it does not log in.
    pub credentials: Option<(String, SecretString)>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From its first byte (RFC 8314).
    Implicit,
    /// After `STARTTLS` (RFC 3207), without which nothing is said.
    StartTls,
    /// Not at all.
    None,
}
