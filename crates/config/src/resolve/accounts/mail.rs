//! `accounts.mail:`.

use std::path::PathBuf;

use crate::{
    Mail, MailTransport, SignUp, SmtpServer, SmtpTls,
    file::{self, Smtp},
    forms::Parsed,
    located::{At, Optional, Position},
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
    check_from(at.from.position, from.as_deref(), problems);
    if let Some(url) = base_url.as_ref().filter(|url| !url.target.tls && !url.is_loopback()) {
        problems
            .warning(
                at.base_url.position,
                format!("`{}`: links in messages lead to a page without TLS", url.text),
            )
            .help("write an `https:` URL");
    }
    let transport = transport(at.position, &at.smtp, &at.file, files, problems);
    Some(Mail {
        from: from?,
        base_url: base_url?.text.trim_end_matches('/').to_owned(),
        transport: transport?,
    })
}

/// Whom messages are from: an address, or a name and an address.
pub(in crate::resolve) fn check_from(position: Position, from: Option<&str>, problems: &mut Problems<'_>) {
    if from.is_some_and(|from| !is_mailbox(from)) {
        problems
            .error(position, "`from` is neither an address nor a name and an address")
            .help("write for example `Shop <no-reply@shop.test>`");
    }
}

/// Where messages go: one of both.
pub(in crate::resolve) fn transport(
    position: Position,
    smtp: &Optional<Smtp>,
    file: &Optional<Parsed<PathBuf>>,
    files: &Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<MailTransport> {
    let folder = problems.read_optional(file);
    match (smtp.as_ref(), folder) {
        (Some(smtp), None) if file.is_none() => Some(MailTransport::Smtp(server(smtp, problems)?)),
        (None, Some(folder)) => Some(MailTransport::Folder(files.absolute(&folder.value))),
        (None, None) if file.is_some() => None,
        _ => {
            problems
                .error(position, "`mail` needs one of `smtp` and `file`")
                .help("`smtp` sends messages, `file` writes them into a folder, for development");
            None
        }
    }
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
pub(in crate::resolve) fn is_mailbox(text: &str) -> bool {
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
