//! `accounts.sms:`.

use std::time::Duration;

use crate::{Sms, file, located::Optional, problems::Problems, resolve::identity::signature::check_secret};

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);

pub(super) fn sms(file: &Optional<file::Sms>, problems: &mut Problems<'_>) -> Option<Sms> {
    let at = file.as_ref()?;
    let (webhook, secret) = (problems.read(&at.webhook), problems.read(&at.secret));
    if let Some(url) = webhook.as_ref().filter(|url| !url.target.tls && !url.is_loopback()) {
        problems
            .error(at.webhook.position, format!("`{}`: codes would travel in clear", url.text))
            .help("use `https:`; `http:` is for loopback addresses");
    }
    if let Some(secret) = &secret {
        check_secret(&at.secret.with(secret.0.clone()), problems);
    }
    let timeout = problems.duration("timeout", &at.timeout, TIMEOUT);
    if let Some(at) = at.timeout.as_ref().filter(|_| timeout > LONGEST) {
        problems.error(at.position, format!("`timeout` is at most {} s", LONGEST.as_secs()));
    }
    Some(Sms { webhook: webhook?.text, secret: secret?.0, timeout })
}
