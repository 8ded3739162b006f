//! The ways that messages take.

use std::{io, os::unix::fs::DirBuilderExt, path::PathBuf, time::Duration};

use bartizan_config::{MailTransport, SmtpServer, SmtpTls};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
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
                Err(error) => Err(Undelivered { again: !error.is_permanent(), reason: with_causes(&error) }),
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
    let parameters = || TlsParameters::new(server.host.clone()).map_err(|error| with_causes(&error));
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

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
