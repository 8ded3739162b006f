//! What there is of people, keys and invitations, as far as somebody should look at it.

use std::time::Duration;

use bartizan_events::Severity;
use bartizan_identity::account::{DoubtfulKey, Inventory};

use super::{Check, Facts, Found, days};

/// So far may the clocks of gateway and database differ, in milliseconds.
const CLOCK: u64 = 5_000;
/// From so far on tokens and sessions end at the wrong time.
const CLOCK_FAR: u64 = 60_000;
/// After so long without a rotation that was due, nothing rotates any more.
const OVERDUE: Duration = Duration::from_hours(24);

pub(super) fn look(facts: &Facts, found: &mut Found) {
    match &facts.inventory {
        None => {}
        Some(Err(reason)) => found.add(
            Check::StoreUnreachable,
            "store",
            format!("the store of accounts does not answer, so nobody can log in: {reason}"),
            "start the database, or mend `store`; `bartizan doctor` tries it",
        ),
        Some(Ok(inventory)) => {
            look_at_people(inventory, found);
            look_at_machines(inventory, found);
            look_at_clock(inventory.clock_ahead, found);
        }
    }
    match &facts.signing_keys {
        Some(Err(reason)) => found.add(
            Check::SigningKeysUnreadable,
            "accounts.tokens",
            format!("the keys that sign tokens cannot be read: {reason}"),
            "see `bartizan status`; after a change of `accounts.tokens.secret` list the earlier one, too",
        ),
        Some(Ok(rotates)) if found.now.duration_since(*rotates).is_ok_and(|late| late > OVERDUE) => found
            .add(
                Check::SigningKeysOverdue,
                "accounts.tokens",
                "the keys that sign tokens should have rotated, and have not".into(),
                "see the log, and rotate them by `bartizan token rotate-keys`",
            ),
        Some(Ok(_)) | None => {}
    }
}

fn look_at_people(inventory: &Inventory, found: &mut Found) {
    let without = &inventory.administrators_without_factor;
    if without.count > 0 {
        found.add(
            Check::AdministratorsWithoutFactor,
            "administrators",
            format!(
                "{} of {} administrators have no second factor that only they have",
                without.count, inventory.administrators
            ),
            "let them enrol an authenticator app or a passkey, and set `accounts.second_factor.roles`",
        );
        found.concerning(&without.examples);
    }
    for (some, check, said) in [
        (&inventory.never_used, Check::AccountsNeverUsed, "were made more than 90 days ago and never used"),
        (&inventory.stale, Check::AccountsStale, "were not used for 90 days"),
    ] {
        if some.count > 0 {
            found.add(
                check,
                "people",
                format!("{} accounts {said}", some.count),
                "disable those that nobody needs: `bartizan user disable EMAIL`",
            );
            found.concerning(&some.examples);
        }
    }
    if inventory.old_invitations > 0 {
        found.add(
            Check::InvitationsOld,
            "invitations",
            format!(
                "{} of {} invitations have waited for more than three days",
                inventory.old_invitations, inventory.invitations
            ),
            "withdraw those that nobody needs: `bartizan user invitations`, `bartizan user withdraw-invitation ID`",
        );
    }
}

fn look_at_machines(inventory: &Inventory, found: &mut Found) {
    for key in &inventory.doubtful_keys {
        look_at_key(key, found);
    }
    for ending in &inventory.ending_credentials {
        let left = ending.expires.duration_since(found.now).unwrap_or_default();
        found.add(
            Check::ServiceSecretExpires,
            &ending.service,
            format!("what the service `{}` proves itself with ends in {}", ending.name, days(left)),
            format!("`bartizan service rotate {}`, and give the service its new secret", ending.service),
        );
    }
}

fn look_at_key(key: &DoubtfulKey, found: &mut Found) {
    let DoubtfulKey { id, name, expires, last_used } = key;
    let left = expires.map(|expires| expires.duration_since(found.now).unwrap_or_default());
    if let Some(left) = left.filter(|left| *left < Facts::BOUNDS.soon) {
        let said = format!("the API key `{name}` ends in {}", days(left));
        let make = "make another with `bartizan key create`, and give it to whoever uses this one";
        return found.add(Check::KeyExpires, id, said, make);
    }
    let revoke = format!("`bartizan key suspend {id}`, and `bartizan key revoke {id}` when nobody misses it");
    if last_used.is_some() {
        let said = format!("the API key `{name}` was not used for 90 days");
        found.add(Check::KeyStale, id, said, revoke);
    } else {
        let said = format!("the API key `{name}` was made more than 90 days ago and never used");
        found.add(Check::KeyNeverUsed, id, said, revoke);
    }
}

fn look_at_clock(ahead: i64, found: &mut Found) {
    let apart = ahead.unsigned_abs();
    if apart < CLOCK {
        return;
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let severity = if apart < CLOCK_FAR { Severity::Medium } else { Severity::High };
    found.add_as(
        Check::ClockOff,
        severity,
        "store",
        format!("the clock of the database is {} s {way} that of this machine", apart / 1000),
        "keep both right by NTP: `timedatectl status`",
    );
}
