//! How a secret gets into an app: the `otpauth` URI of Google Authenticator's key URI format, and its QR code.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::{
    QrCode,
    render::{svg, unicode::Dense1x2},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Totp, TotpSecret};

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// An e-mail address has no more.
const MOST_CHARACTERS: usize = 254;

/// What a person needs to add a secret to an app. It holds the secret: show it once, over TLS, and keep no copy.
pub struct Enrolment {
    uri: SecretString,
    code: QrCode,
}

/// Why nothing can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum EnrolmentError {
    #[error("issuer and account need 1 to {MOST_CHARACTERS} characters, without colons in the issuer")]
    Label,
    #[error("the URI does not fit a QR code")]
    TooLong,
}

impl Enrolment {
    pub(super) fn new(
        totp: Totp,
        secret: &TotpSecret,
        issuer: &str,
        account: &str,
    ) -> Result<Self, EnrolmentError> {
        let fits = |text: &str| (1..=MOST_CHARACTERS).contains(&text.chars().count());
        if !fits(issuer) || !fits(account) || issuer.contains(':') {
            return Err(EnrolmentError::Label);
        }
        let encode = |text| utf8_percent_encode(text, RESERVED).to_string();
        let (issuer, account, secret) = (encode(issuer), encode(account), secret.base32());
        let uri = format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm={}&digits={}&period={}",
            secret.expose_secret(),
            totp.hash.name(),
            totp.digits,
            totp.period
        );
        let code = QrCode::new(&uri).map_err(|_| EnrolmentError::TooLong)?;
        Ok(Self { uri: uri.into(), code })
    }

    /// The `otpauth` URI, which apps on the same device open.
    pub fn uri(&self) -> &SecretString {
        &self.uri
    }

    /// The QR code for a page.
    pub fn svg(&self) -> String {
        self.code.render::<svg::Color<'_>>().min_dimensions(200, 200).build()
    }

    /// The QR code for a terminal with a dark background.
    pub fn terminal(&self) -> String {
        self.code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Enrolment(***)")
    }
}
