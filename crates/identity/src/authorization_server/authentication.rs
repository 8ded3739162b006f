//! How and when the person behind a token was proven, as of its authorisation. It stays the same in all access tokens that
//! come of it (RFC 9068, section 2.2.1).

use bartizan_store::{Row, StoreError};
use serde_json::{Map, Value};

use crate::{
    MULTI_FACTOR_CLASSES, account::Methods, session::live::LiveSession, session::moment::milliseconds,
};

/// The claims that tell of it.
const CLAIMS: [&str; 3] = ["auth_time", "amr", "acr"];

/// How and when a person was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authentication {
    /// In milliseconds.
    pub(crate) at: i64,
    pub(crate) methods: Methods,
}

impl Authentication {
    /// Of a row with `authenticated_at` and `methods`.
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { at: row.integer("authenticated_at")?, methods: Methods::of_stored(&row.text("methods")?) })
    }

    /// What tokens say of it (`OpenID` Connect Core 1.0, section 2). Several factors have a class, one alone has none.
    pub(crate) fn claims(self) -> Map<String, Value> {
        let mut claims = Map::from_iter([("auth_time".to_owned(), Value::from(self.at / 1000))]);
        let names = self.methods.names();
        if !names.is_empty() {
            claims.insert("amr".into(), names.into());
        }
        if let Some(class) = MULTI_FACTOR_CLASSES.first().filter(|_| self.methods.are_several()) {
            claims.insert("acr".into(), (*class).into());
        }
        claims
    }
}

impl From<&LiveSession> for Authentication {
    fn from(session: &LiveSession) -> Self {
        Self { at: milliseconds(session.proven), methods: session.methods }
    }
}

/// What another token says of it, word for word.
pub(crate) fn repeated(claims: &Map<String, Value>) -> Map<String, Value> {
    let said = CLAIMS.into_iter().filter_map(|name| Some((name.to_owned(), claims.get(name)?.clone())));
    said.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_name_methods_and_a_class_for_several() {
        let said =
            |methods: Methods| Value::Object(Authentication { at: 1_700_000_000_999, methods }.claims());
        let one = json!({ "auth_time": 1_700_000_000, "amr": ["pwd"] });
        assert_eq!(said(Methods::PASSWORD), one);
        let class = "http://schemas.openid.net/pape/policies/2007/06/multi-factor";
        let both = json!({ "auth_time": 1_700_000_000, "amr": ["pwd", "otp", "mfa"], "acr": class });
        assert_eq!(said(Methods::PASSWORD.and(Methods::ONE_TIME_CODE)), both);
        assert_eq!(said(Methods::PROVIDER), json!({ "auth_time": 1_700_000_000 }), "nobody has said by what");
    }
}
