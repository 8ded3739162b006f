//! `accounts.mail:`.

use crate::{
    Mail, MailTransport, SignUp, SmtpServer, SmtpTls,
    file::{self, Smtp},
    located::{At, Optional},
    problems::Problems,
    resolve::files::Files,
};

pub(super) fn mail(
    file: &Optional<file::Mail>,
    files: &Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Mail> {
    let at = file.as_ref()?;
    let (from, base_url) = (problems.read(&at.from), problems.read(&at.base_url));
    if let Some(from) = &from
        && !is_mailbox(from)
    {
        problems
            .error(at.from.position, "`from` is neither an address nor a name and an address")
            .help("write for example `Shop <no-reply@shop.test>`");
    }
    if let Some(url) = base_url.as_ref().filter(|url| !url.target.tls && !url.is_loopback()) {
        problems
            .warning(
                at.base_url.position,
                format!("`{}`: links in messages lead to a page without TLS", url.text),
            )
            .help("write an `https:` URL");
    }
    let folder = problems.read_optional(&at.file);
    let transport = match (at.smtp.as_ref(), folder) {
        (Some(smtp), None) if at.file.is_none() => Some(MailTransport::Smtp(server(smtp, problems)?)),
        (None, Some(folder)) => Some(MailTransport::Folder(files.absolute(&folder.value))),
        (None, None) if at.file.is_some() => None,
        _ => {
            problems
                .error(at.position, "`mail` needs one of `smtp` and `file`")
                .help("`smtp` sends messages, `file` writes them into a folder, for development");
            None
        }
    };
    Some(Mail {
        from: from?,
        base_url: base_url?.text.trim_end_matches('/').to_owned(),
        transport: transport?,
    })
}

/// Strangers and guests prove their address by a message.
pub(super) fn check_sign_up(
    sign_up: &Optional<SignUp>,
    mail: &Optional<file::Mail>,
    problems: &mut Problems<'_>,
) {
    if let Some(at) = sign_up.as_ref().filter(|at| at.value != SignUp::Off && mail.is_none()) {
        problems.error(at.position, "`sign_up` needs `mail`: an address is proven by a message").help(
            "add `mail` with `from`, `base_url` and `smtp`; for development `file: ./mail` instead of `smtp`",
        );
    }
}

fn server(smtp: &At<Smtp>, problems: &mut Problems<'_>) -> Option<SmtpServer> {
    let url = problems.read(&smtp.url)?;
    let (user, password) = (problems.read_optional(&smtp.user), problems.read_optional(&smtp.password));
    if smtp.user.is_some() != smtp.password.is_some() {
        problems.error(smtp.position, "a login is a `user` and its `password`");
    }
    if url.0.tls == SmtpTls::None && password.is_some() {
        problems
            .warning(smtp.url.position, "the password travels without TLS")
            .help("write `smtps:`, or `smtp:` without `?tls=none`");
    }
    let credentials = user.zip(password).map(|(user, password)| (user.value, password.value.0));
    Some(SmtpServer { credentials, ..url.0 })
}

/// `a@b`, or `Name <a@b>`.
fn is_mailbox(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let parts = address.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some()
        && !address.contains(|character: char| {
            character.is_whitespace() || "<>@".contains(character) && character != '@'
        })
        && !text.contains(char::is_control)
}
