//! The ways that messages take.

use std::{error::Error, io, os::unix::fs::DirBuilderExt, path::PathBuf, time::Duration};

use bartizan_config::{MailTransport, SmtpServer, SmtpTls};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;

/// How long one step of a conversation with a server may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way to take.
pub(crate) enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// Why a message did not go.
pub(crate) struct Undelivered {
    pub(crate) reason: String,
    /// Whether it may go later.
    pub(crate) again: bool,
}

impl Transport {
    pub(crate) fn new(settings: &MailTransport) -> Result<Self, String> {
        match settings {
            MailTransport::Smtp(server) => smtp(server).map(Self::Smtp),
            MailTransport::Folder(folder) => {
                let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.map_err(|error| format!("cannot make the folder `{}`: {error}", folder.display()))?;
                Ok(Self::Folder(folder.clone()))
            }
        }
    }

    pub(crate) async fn deliver(&self, message: Message) -> Result<(), Undelivered> {
        match self {
            Self::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(Undelivered { again: !error.is_permanent(), reason: told(&error) }),
            },
            Self::Folder(folder) => {
                let path = folder.join(format!("{}.eml", uuid::Uuid::now_v7()));
                let written = write(path, message.formatted()).await;
                written.map_err(|error| Undelivered { again: false, reason: error.to_string() })
            }
        }
    }
}

fn smtp(server: &SmtpServer) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || TlsParameters::new(server.host.clone()).map_err(|error| told(&error));
    let tls = match server.tls {
        SmtpTls::Implicit => Tls::Wrapper(parameters()?),
        SmtpTls::StartTls => Tls::Required(parameters()?),
        SmtpTls::None => Tls::None,
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.as_str())
        .port(server.port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    let builder = match &server.credentials {
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()))
        }
        None => builder,
    };
    Ok(builder.build())
}

/// Messages hold secrets: nobody else reads them.
async fn write(path: PathBuf, bytes: Vec<u8>) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file =
        tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).await?;
    file.write_all(&bytes).await?;
    file.flush().await?;
    // Whoever watches the folder sees whole messages only.
    tokio::fs::rename(draft, path).await
}

/// What went wrong, for the log. Of a reply only its codes: servers repeat in it to whom the message was to go.
fn told(error: &smtp::Error) -> String {
    if let Some(code) = error.status() {
        let enhanced = error.source().and_then(|reply| enhanced_code(&reply.to_string()));
        return format!(
            "the server replies {code}{}",
            enhanced.map(|code| format!(" {code}")).unwrap_or_default()
        );
    }
    if error.is_response() {
        return "the server's reply is none".into();
    }
    // It names its own cause.
    let mut text = error.to_string();
    let mut cause = error.source().and_then(Error::source);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The enhanced status code that a reply begins with, as in `5.1.1 <ada@shop.test>: unknown` (RFC 3463, section 2).
fn enhanced_code(reply: &str) -> Option<String> {
    let code = reply.split([' ', '\r', '\n']).next()?;
    let parts: Vec<_> = code.split('.').collect();
    let is_number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| code.to_owned())
}
