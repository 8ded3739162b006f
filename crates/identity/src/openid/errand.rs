//! What a browser keeps while its person is away at another provider.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{IdentityError, SessionToken};

/// 32 bytes as base64url.
const SECRET_LENGTH: usize = 43;
/// The longest path that people come back to.
const LONGEST_PATH: usize = 2048;
/// The longest id or name of an organisation, in bytes.
const LONGEST_ORGANIZATION: usize = 400;

/// One person's way to a provider and back. `Debug` does not show its secret.
#[derive(Debug, Clone)]
pub struct Errand {
    secret: SecretString,
    return_to: String,
    /// For which organisation they want to act, by id or name.
    organization: Option<String>,
    /// What ties it to the session whose person is to be linked; `None`: it begins a session.
    link: Option<String>,
}

impl Errand {
    /// A new one, which ends at `return_to`: a path of this origin, else `/`.
    pub fn begin(return_to: &str) -> Result<Self, IdentityError> {
        let mut random = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        let secret = URL_SAFE_NO_PAD.encode(random.as_slice()).into();
        Ok(Self { secret, return_to: own_path(return_to).to_owned(), organization: None, link: None })
    }

    /// The same for somebody who wants to act for this organisation, by id or name.
    #[must_use]
    pub fn for_organization(self, organization: &str) -> Self {
        let organization = Some(organization).filter(|name| (1..=LONGEST_ORGANIZATION).contains(&name.len()));
        Self { organization: organization.map(str::to_owned), ..self }
    }

    /// The same, to link who comes back to the person of this session. Only a browser that has the session can bring it
    /// back: else whoever plants a cookie could link themselves to somebody else's account.
    #[must_use]
    pub fn linking(self, session: &SessionToken) -> Self {
        let link = Some(self.tie(session));
        Self { link, ..self }
    }

    /// The one that a cookie holds, if it has the form of one.
    pub fn presented(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let [secret, return_to, organization, link] = [(); 4].map(|()| parts.next());
        let (secret, link) = (secret?, link?);
        if parts.next().is_some() {
            return None;
        }
        let text = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (return_to, organization) = (text(return_to?)?, text(organization?)?);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if secret.len() != SECRET_LENGTH || !secret.bytes().all(allowed) {
            return None;
        }
        let errand = Self {
            secret: secret.into(),
            return_to: own_path(&return_to).to_owned(),
            organization: None,
            link: (!link.is_empty()).then(|| link.to_owned()),
        };
        Some(errand.for_organization(&organization))
    }

    /// The value of the cookie.
    pub fn cookie(&self) -> SecretString {
        let return_to = URL_SAFE_NO_PAD.encode(&self.return_to);
        let organization = URL_SAFE_NO_PAD.encode(self.organization.as_deref().unwrap_or_default());
        let link = self.link.as_deref().unwrap_or_default();
        format!("{}.{return_to}.{organization}.{link}", self.secret.expose_secret()).into()
    }

    /// Where it ends: a path of this origin.
    pub fn return_to(&self) -> &str {
        &self.return_to
    }

    /// For which organisation they want to act.
    pub(crate) fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// Whether it ends by linking who comes back to somebody who is logged in.
    pub fn is_link(&self) -> bool {
        self.link.is_some()
    }

    /// Whether it was begun to link somebody to the person of this session.
    pub(crate) fn is_tied_to(&self, session: &SessionToken) -> bool {
        self.link.as_deref().is_some_and(|link| link.as_bytes().ct_eq(self.tie(session).as_bytes()).into())
    }

    fn tie(&self, session: &SessionToken) -> String {
        self.derive("link", &session.digest().stored())
    }

    pub(super) fn state(&self, provider: &str) -> String {
        self.derive("state", provider)
    }

    /// Whether a `state` that came back is the one that was sent.
    pub(super) fn is_state(&self, provider: &str, presented: &str) -> bool {
        self.state(provider).as_bytes().ct_eq(presented.as_bytes()).into()
    }

    pub(super) fn nonce(&self, provider: &str) -> String {
        self.derive("nonce", provider)
    }

    pub(super) fn code_verifier(&self, provider: &str) -> SecretString {
        self.derive("code verifier", provider).into()
    }

    /// Values of one secret from which neither the secret nor each other can be worked out.
    fn derive(&self, purpose: &str, provider: &str) -> String {
        let digest = Sha256::new()
            .chain_update("bartizan openid\0")
            .chain_update(purpose)
            .chain_update("\0")
            .chain_update(provider)
            .chain_update("\0")
            .chain_update(self.secret.expose_secret())
            .finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }
}

/// A path that no browser takes for another host (`//host`, `/\host`).
fn own_path(path: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_own = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain);
    if is_own && path.len() <= LONGEST_PATH { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_brings_back_the_same_errand_and_nothing_else_does() {
        let errand = Errand::begin("/cart?step=2").unwrap();
        let cookie = errand.cookie();
        let cookie = cookie.expose_secret();
        let again = Errand::presented(cookie).unwrap();
        assert_eq!(again.return_to(), "/cart?step=2");
        assert!(errand.is_state("company", &again.state("company")));
        assert!(!errand.is_state("company", &again.state("other")));
        assert!(!errand.is_state("company", &Errand::begin("/").unwrap().state("company")));
        for wrong in ["", ".", "x.Lw..", &cookie[1..], &cookie.replace('.', ""), &format!("{cookie}.")] {
            assert!(Errand::presented(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{errand:?}").contains(&cookie[..43]));
    }

    #[test]
    fn only_the_session_that_began_it_can_be_linked() {
        let (mine, others) = (SessionToken::generate().unwrap(), SessionToken::generate().unwrap());
        let plain = Errand::begin("/").unwrap().for_organization("Company");
        assert!(!plain.is_link() && !plain.is_tied_to(&mine));
        let errand = Errand::begin("/").unwrap().linking(&mine);
        let again = Errand::presented(errand.cookie().expose_secret()).unwrap();
        assert!(again.is_link() && again.is_tied_to(&mine) && !again.is_tied_to(&others));
        assert_eq!(
            Errand::presented(plain.cookie().expose_secret()).unwrap().organization(),
            Some("Company")
        );
        // A tie of one errand is of no use to another.
        let tie = errand.cookie().expose_secret().rsplit_once('.').unwrap().1.to_owned();
        let other = format!("{}{tie}", Errand::begin("/").unwrap().cookie().expose_secret());
        assert!(!Errand::presented(&other).unwrap().is_tied_to(&mine));
    }

    #[test]
    fn state_nonce_and_verifier_differ() {
        let errand = Errand::begin("/").unwrap();
        let values = [
            errand.state("a"),
            errand.nonce("a"),
            errand.code_verifier("a").expose_secret().to_owned(),
            errand.secret.expose_secret().to_owned(),
        ];
        for (index, value) in values.iter().enumerate() {
            assert!(!values[..index].contains(value));
        }
    }

    #[test]
    fn errands_end_at_this_origin() {
        for elsewhere in
            ["https://evil.test", "//evil.test", "/\\evil.test", "/a\nb", "", "a", &"/a".repeat(2000)]
        {
            assert_eq!(Errand::begin(elsewhere).unwrap().return_to(), "/", "{elsewhere}");
        }
    }
}
