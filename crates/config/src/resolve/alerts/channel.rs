//! One channel: exactly one kind, and its secret.

use std::{path::PathBuf, time::Duration};

use bartizan_model::Name;
use http::{HeaderName, Method, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    AlertChannel, CallTemplate, ChannelTarget, Escaping, Mail,
    file::{Channel, KeyedChannel, TemplateChannel, WebhookChannel},
    forms::{Forms, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    resolve::{accounts::mail::is_mailbox, files::Files},
    word::{SecretText, SigningSecret, Url},
};

const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
const PAGERDUTY: &str = "https://events.pagerduty.com";
const OPSGENIE: &str = "https://api.opsgenie.com";
/// In bytes, of what posts are signed with.
const SIGNING_SECRET: usize = 32;
/// Of one channel.
const MOST_ADDRESSES: usize = 32;
const MOST_HEADERS: usize = 32;
const LONGEST_BODY: usize = 16 * 1024;
const LONGEST_SECRET: usize = 4096;

pub(super) fn channel(
    name: Name,
    at: &At<Channel>,
    (mail, can_mail): (Option<&Mail>, bool),
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<AlertChannel> {
    let kinds = [
        at.mail.is_some(),
        at.slack.is_some(),
        at.webhook.is_some(),
        at.pagerduty.is_some(),
        at.opsgenie.is_some(),
        at.template.is_some(),
    ];
    if kinds.into_iter().filter(|is_there| *is_there).count() != 1 {
        problems
            .error(at.position, format!("the channel `{name}` needs exactly one kind"))
            .help("write one of `mail`, `slack`, `webhook`, `pagerduty`, `opsgenie` and `template`");
        return None;
    }
    let timeout = problems.duration("timeout", &at.timeout, TIMEOUT);
    if let Some(written) = at.timeout.as_ref().filter(|_| timeout > LONGEST_TIMEOUT) {
        problems.error(written.position, format!("`timeout` is at most {} s", LONGEST_TIMEOUT.as_secs()));
    }
    let target = if let Some(list) = at.mail.as_ref() {
        let value = problems.read(list)?;
        let to = addresses(&list.with(value).all(), list.position, problems);
        if !can_mail {
            problems
                .error(list.position, "it is not said how mail is sent")
                .help("add `mail` to `alerts` or to `accounts`: `from`, and `smtp` or `file`");
        }
        ChannelTarget::Mail { to, mail: mail?.clone() }
    } else if let Some(slack) = at.slack.as_ref() {
        slack_url(
            secret(slack.position, &slack.secret, &slack.secret_file, files, problems)?,
            slack.position,
            problems,
        )?
    } else if let Some(webhook) = at.webhook.as_ref() {
        self::webhook(webhook, files, problems)?
    } else if let Some(pagerduty) = at.pagerduty.as_ref() {
        let (url, key) = keyed(pagerduty, PAGERDUTY, files, problems)?;
        ChannelTarget::PagerDuty { url, key }
    } else if let Some(opsgenie) = at.opsgenie.as_ref() {
        let (url, key) = keyed(opsgenie, OPSGENIE, files, problems)?;
        ChannelTarget::Opsgenie { url, key }
    } else {
        ChannelTarget::Template(template(at.template.as_ref()?, files, problems)?)
    };
    Some(AlertChannel { name, target, timeout })
}

fn addresses(listed: &[At<Parsed<String>>], position: Position, problems: &mut Problems<'_>) -> Vec<String> {
    if listed.is_empty() || listed.len() > MOST_ADDRESSES {
        problems.error(position, format!("mail goes to 1 to {MOST_ADDRESSES} addresses"));
    }
    let all = problems.read_all(listed);
    for address in all.iter().filter(|address| !is_mailbox(address.as_str())) {
        problems
            .error(address.position, format!("`{}` is no address of mail", address.value))
            .help("write for example `security@shop.test`");
    }
    all.into_iter().map(|address| address.value).collect()
}

/// The URL is a secret: it is never quoted.
fn slack_url(url: SecretString, position: Position, problems: &mut Problems<'_>) -> Option<ChannelTarget> {
    match Url::word(url.expose_secret()) {
        Ok(parsed) if parsed.target.tls || parsed.is_loopback() => Some(ChannelTarget::Slack { url }),
        Ok(_) => {
            problems.error(position, "the secret of `slack` is an `http:` URL: alerts would travel in clear");
            None
        }
        Err(_) => {
            problems
                .error(position, "the secret of `slack` is not a URL")
                .help("it is the whole URL of the incoming webhook");
            None
        }
    }
}

fn webhook(
    at: &At<WebhookChannel>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<ChannelTarget> {
    let url = problems.read(&at.url);
    if let Some(url) = &url {
        refuse_clear(url, at.url.position, problems);
    }
    let secret = secret(at.position, &at.secret, &at.secret_file, files, problems)?;
    match SigningSecret::word(secret.expose_secret()) {
        Ok(secret) if secret.0.expose_secret().len() >= SIGNING_SECRET => {
            Some(ChannelTarget::Webhook { url: url?.text, secret: secret.0 })
        }
        Ok(_) => {
            problems
                .error(at.position, format!("the secret of `webhook` has less than {SIGNING_SECRET} bytes"))
                .help("make one with `openssl rand -base64 48`");
            None
        }
        Err(reason) => {
            problems.error(at.position, reason);
            None
        }
    }
}

fn keyed(
    at: &At<KeyedChannel>,
    usual: &str,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<(String, SecretString)> {
    let url = match problems.read_optional(&at.url) {
        Some(url) => {
            refuse_clear(&url.value, url.position, problems);
            url.value.text.trim_end_matches('/').to_owned()
        }
        None => usual.to_owned(),
    };
    Some((url, secret(at.position, &at.secret, &at.secret_file, files, problems)?))
}

fn template(
    at: &At<TemplateChannel>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<CallTemplate> {
    let url = problems.read(&at.url);
    if let Some(text) = &url {
        template_url(text, at.url.position, problems);
    }
    let method = problems.read_optional(&at.method);
    let method = match method.as_ref().map_or("POST", |method| method.value.as_str()) {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "GET" => Method::GET,
        other => {
            let position = method.as_ref().map_or(at.position, |method| method.position);
            problems.error(position, format!("`{other}` is no method that can be used here"));
            Method::POST
        }
    };
    let mut headers = Vec::new();
    for (name, value) in at.headers.iter().flat_map(|headers| &headers.value.0) {
        let (Some(name_text), Some(value_text)) = (problems.read(name), problems.read(value)) else {
            continue;
        };
        check_placeholders(&value_text.0, value.position, problems);
        match HeaderName::try_from(name_text.as_str()) {
            Ok(header) => headers.push((header, value_text.0)),
            Err(_) => {
                problems.error(name.position, format!("`{name_text}` is no name of a header"));
            }
        }
    }
    if headers.len() > MOST_HEADERS {
        problems.error(at.position, format!("there are more than {MOST_HEADERS} headers"));
    }
    if !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, "application/json".into()));
    }
    let escaping =
        headers.iter().find(|(name, _)| name == CONTENT_TYPE).and_then(|(_, value)| escaping(value));
    if escaping.is_none() {
        problems
            .error(at.position, "it is not known how values are escaped in content of this `content-type`")
            .help("write JSON, `application/x-www-form-urlencoded`, XML, HTML or `text/plain`");
    }
    let body = problems.read_optional(&at.body);
    if let Some(body) = &body {
        check_placeholders(&body.value, body.position, problems);
        if body.value.len() > LONGEST_BODY {
            problems.error(body.position, format!("`body` is longer than {LONGEST_BODY} bytes"));
        }
    }
    let has_secret = at.secret.is_some() || at.secret_file.is_some();
    let secret = has_secret.then(|| secret(at.position, &at.secret, &at.secret_file, files, problems));
    let body = body.map(|body| body.value);
    Some(CallTemplate { url: url?, method, headers, body, escaping: escaping?, secret: secret.flatten() })
}

/// Where a call leads is not what somebody else has sent.
fn template_url(text: &str, position: Position, problems: &mut Problems<'_>) {
    check_placeholders(text, position, problems);
    let origin_end = text.find("://").and_then(|at| text[at + 3..].find(['/', '?']).map(|end| at + 3 + end));
    if text[..origin_end.unwrap_or(text.len())].contains('{') {
        problems.error(position, "placeholders stand in path and query only");
        return;
    }
    let filled = CallTemplate::fill(text, |_| "x".into()).unwrap_or_default();
    match Url::word(&filled) {
        Ok(url) => refuse_clear(&url, position, problems),
        Err(message) => {
            problems.error(position, message);
        }
    }
}

fn check_placeholders(text: &str, position: Position, problems: &mut Problems<'_>) {
    if let Err(name) = CallTemplate::fill(text, |_| String::new()) {
        let hint = crate::suggestion::hint(&name, CallTemplate::PLACEHOLDERS);
        problems.error(position, format!("there is no placeholder `{{{name}}}`")).hint(hint);
    }
}

fn escaping(content_type: &str) -> Option<Escaping> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(Escaping::Json),
        "application/x-www-form-urlencoded" => Some(Escaping::Percent),
        "text/html" | "text/xml" | "application/xml" => Some(Escaping::Markup),
        "text/plain" => Some(Escaping::Plain),
        other if other.ends_with("+json") => Some(Escaping::Json),
        other if other.ends_with("+xml") => Some(Escaping::Markup),
        _ => None,
    }
}

fn refuse_clear(url: &Url, position: Position, problems: &mut Problems<'_>) {
    if !url.target.tls && !url.is_loopback() {
        problems
            .error(position, format!("`{}`: alerts would travel in clear", url.text))
            .help("use `https:`; `http:` is for loopback addresses");
    }
}

/// The secret, written here or in a file of its own.
fn secret(
    position: Position,
    inline: &Optional<Parsed<SecretText>>,
    file: &Optional<Parsed<PathBuf>>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<SecretString> {
    match (inline.as_ref(), file.as_ref()) {
        (Some(at), None) => {
            let secret = problems.read(at)?.0;
            if !problems.line(at.position).contains("${") {
                problems
                    .warning(at.position, "whoever reads this document knows the secret")
                    .help("take it from the environment, or write `secret_file`");
            }
            Some(secret)
        }
        (None, Some(at)) => {
            let path = at.with(problems.read(at)?);
            let failed = problems.failed();
            let full = files.key(&path, problems);
            match std::fs::read_to_string(&full) {
                Ok(text) if !text.trim().is_empty() && text.len() <= LONGEST_SECRET => {
                    return Some(text.trim().to_owned().into());
                }
                Err(_) if !failed && problems.failed() => {}
                _ => {
                    let message =
                        format!("`{}` holds no secret of 1 to {LONGEST_SECRET} bytes", full.display());
                    problems.error(at.position, message);
                }
            }
            None
        }
        _ => {
            problems.error(position, "this needs one of `secret` and `secret_file`");
            None
        }
    }
}
