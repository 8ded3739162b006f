//! What the gateway writes to people.
//!
//! No letter repeats what a stranger has typed, except the address that it goes to: a name is room enough for somebody
//! else's advertisement. Secrets stand behind `#`, which browsers send to nobody.

use bartizan_mail::{Letter, Mailer};
use secrecy::{ExposeSecret, SecretString};

use super::{EmailAddress, link::LinkToken};

/// A link to one of the pages under `base_url`.
fn link(mailer: &Mailer, page: &str, token: &LinkToken) -> String {
    format!("{}/{page}#token={}", mailer.base_url(), token.secret().expose_secret())
}

fn letter(to: &EmailAddress, subject: &str, text: String) -> Letter {
    Letter { to: to.as_str().to_owned(), subject: subject.to_owned(), text }
}

pub(crate) fn verify_email(mailer: &Mailer, to: &EmailAddress, token: &LinkToken) -> Letter {
    let text = format!(
        "Somebody asked for an account with this address. If it was you, confirm it within 24 hours, with the \
         password that you chose:\n\n{}\n\nIf it was not you, do nothing: there will be no account.\n",
        link(mailer, "verify-email", token)
    );
    letter(to, "Confirm your e-mail address", text)
}

pub(crate) fn account_exists(mailer: &Mailer, to: &EmailAddress) -> Letter {
    let text = format!(
        "Somebody asked for an account with this address, which has one already. If it was you, log in, or choose \
         another password:\n\n{}/forgotten-password\n\nIf it was not you, do nothing.\n",
        mailer.base_url()
    );
    letter(to, "You have an account already", text)
}

pub(crate) fn reset_password(mailer: &Mailer, to: &EmailAddress, token: &LinkToken) -> Letter {
    let text = format!(
        "Somebody asked to choose another password for your account. If it was you, do so within 30 \
         minutes:\n\n{}\n\nIf it was not you, do nothing: your password stays as it is.\n",
        link(mailer, "reset-password", token)
    );
    letter(to, "Choose another password", text)
}

pub(crate) fn password_changed(to: &EmailAddress) -> Letter {
    let text = "The password of your account was changed, and every session has ended. If it was not you, choose \
                another one at once and tell those who run this service.\n";
    letter(to, "Your password was changed", text.into())
}

pub(crate) fn confirm_email(mailer: &Mailer, to: &EmailAddress, token: &LinkToken) -> Letter {
    let text = format!(
        "Somebody wants to use this address for their account. If it was you, confirm it within 24 \
         hours:\n\n{}\n\nIf it was not you, do nothing.\n",
        link(mailer, "confirm-email", token)
    );
    letter(to, "Confirm your new e-mail address", text)
}

pub(crate) fn email_to_change(to: &EmailAddress) -> Letter {
    let text = "Somebody who is logged in wants your account to be known by another address, to which we have sent a \
                link. If it was not you, choose another password at once: that ends the link, and every session.\n";
    letter(to, "Your e-mail address is about to change", text.into())
}

pub(crate) fn email_changed(to: &EmailAddress) -> Letter {
    let text = "Your account is no longer known by this address: somebody who was logged in changed it. If it was not \
                you, tell those who run this service at once.\n";
    letter(to, "Your e-mail address was changed", text.into())
}

pub(crate) fn code(to: &EmailAddress, code: &SecretString) -> Letter {
    let text = format!(
        "Your code is {}. It is good for 10 minutes. Tell it to nobody: whoever asks you for it is not us.\n",
        code.expose_secret()
    );
    letter(to, "Your code", text)
}

pub(crate) fn factors_changed(to: &EmailAddress) -> Letter {
    let text = "The second factors of your account were changed. If it was not you, choose another password at once and \
                tell those who run this service.\n";
    letter(to, "Your second factors were changed", text.into())
}

pub(crate) fn logins_changed(to: &EmailAddress) -> Letter {
    let text = "A login at another provider was added to your account or removed from it. If it was not you, log in, look \
                at what is linked to your account, and tell those who run this service.\n";
    letter(to, "The logins of your account were changed", text.into())
}

/// The organisation's name is chosen by an operator.
pub(crate) fn invitation(
    mailer: &Mailer,
    to: &EmailAddress,
    organization: Option<&str>,
    token: &LinkToken,
) -> Letter {
    let place = organization.map(|name| format!(" to join {name}")).unwrap_or_default();
    let text = format!(
        "You are invited{place}. Accept within 7 days:\n\n{}\n\nIf you expected no invitation, do nothing.\n",
        link(mailer, "invitation", token)
    );
    letter(to, "You are invited", text)
}
