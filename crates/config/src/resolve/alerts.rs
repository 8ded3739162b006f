//! `alerts:`.

mod channel;
mod reach;
mod rotation;
mod route;

use std::{collections::HashSet, time::Duration};

use bartizan_model::Name;

use super::{accounts::mail, files::Files};
use crate::{
    Accounts, Alerts, Mail,
    file::{self, AlertMail},
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    suggestion,
};

const DAY: Duration = Duration::from_hours(24);
const RETENTION: Duration = Duration::from_hours(90 * 24);
/// Channels, rotations and routes, each.
const MOST: usize = 64;

/// Whom routes, escalations and rotations may name.
struct Names {
    channels: Vec<Name>,
    rotations: Vec<Name>,
}

pub(crate) fn resolve(
    file: &Optional<file::Alerts>,
    accounts: Option<&Accounts>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Alerts> {
    let at = file.as_ref()?;
    let own = at.mail.as_ref().and_then(|mail| self::mail(mail, files, problems));
    let mail = own.or_else(|| accounts.and_then(|accounts| accounts.mail.clone()));
    let can_mail = mail.is_some() || at.mail.is_some();
    let channels: Vec<_> = at
        .channels
        .iter()
        .flat_map(|channels| &channels.value.0)
        .filter_map(|(name, written)| {
            channel::channel(problems.read(name)?, written, (mail.as_ref(), can_mail), files, problems)
        })
        .collect();
    if at.channels.as_ref().is_none_or(|channels| channels.value.0.is_empty()) {
        problems
            .error(at.position, "`alerts` has no channel")
            .help("add one, for example `channels: { team: { mail: [security@shop.test] } }`");
    }
    // Names that are written, also of channels that are wrong otherwise: one mistake is told once.
    let written = at.channels.iter().flat_map(|channels| &channels.value.0);
    let mut names = Names {
        channels: written.filter_map(|(name, _)| name.value.0.clone().ok()).collect(),
        rotations: Vec::new(),
    };
    let rotations: Vec<_> = at
        .rotations
        .iter()
        .flat_map(|rotations| &rotations.value.0)
        .filter_map(|(name, written)| {
            let known = problems.read(name)?;
            if names.channels.contains(&known) {
                problems
                    .error(name.position, format!("`{known}` is a channel already"))
                    .help("name it otherwise");
            }
            names.rotations.push(known.clone());
            rotation::rotation(known, written, &names.channels, problems)
        })
        .collect();
    let routes = route::routes(&at.routes, &names, problems);
    for count in [channels.len(), rotations.len(), routes.len()] {
        if count > MOST {
            problems.error(at.position, format!("there are more than {MOST} channels, rotations or routes"));
        }
    }
    let retention = problems.duration("retention", &at.retention, RETENTION);
    if let Some(written) = at.retention.as_ref().filter(|_| !(DAY..=3653 * DAY).contains(&retention)) {
        problems.error(written.position, "`retention` is 1d to 3653d (ten years)");
    }
    let link = problems.read_optional(&at.link).map(|link| link.value.text);
    Some(Alerts { channels, rotations, routes, link, retention })
}

fn mail(at: &At<AlertMail>, files: &Files<'_>, problems: &mut Problems<'_>) -> Option<Mail> {
    let from = problems.read(&at.from);
    mail::check_from(at.from.position, from.as_deref(), problems);
    let transport = mail::transport(at.position, &at.smtp, &at.file, files, problems);
    Some(Mail { from: from?, base_url: String::new(), transport: transport? })
}

/// The names of a list, each known and listed once.
fn named(
    list: &At<Parsed<OneOrMany<Name>>>,
    known: &[&[Name]],
    what: &str,
    problems: &mut Problems<'_>,
) -> Vec<Name> {
    let Some(value) = problems.read(list) else { return Vec::new() };
    let mut seen = HashSet::new();
    for name in problems.read_all(&list.with(value).all()) {
        if !known.iter().any(|names| names.contains(&name.value)) {
            let hint = suggestion::hint(name.as_str(), known.iter().copied().flatten().map(Name::as_str));
            problems.error(name.position, format!("there is no {what} `{}`", name.value)).hint(hint);
        } else if seen.contains(&name.value) {
            problems.error(name.position, format!("`{}` is listed twice", name.value));
        }
        seen.insert(name.value);
    }
    let mut names: Vec<_> = seen.into_iter().collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names
}
