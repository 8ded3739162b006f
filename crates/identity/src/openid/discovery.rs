//! What a provider says about itself (`OpenID` Connect Discovery 1.0).

use reqwest::Url;
use serde_json::Value;

use super::OpenIdError;
use crate::token::json;

/// What is used of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    /// Where it says more of a person than in the ID token.
    pub(super) userinfo_endpoint: Option<Url>,
    /// Whether its answers name it (RFC 9207), so that one that does not is refused.
    pub(super) names_itself: bool,
    /// Whether the secret goes into the form instead of `Authorization` (RFC 6749, section 2.3.1).
    pub(super) secret_in_form: bool,
}

impl Metadata {
    /// The document must be about this `issuer`, by exact comparison, or another could be put in its place; and where the
    /// issuer is reached over TLS, so are its endpoints.
    pub(super) fn parse(document: &[u8], issuer: &str) -> Result<Self, OpenIdError> {
        let members = json::parse_object(document)
            .map_err(|_| OpenIdError::Metadata("it is not a JSON object with unique members"))?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            return Err(OpenIdError::Metadata("`issuer` is not the configured one"));
        }
        let endpoint = |name: &str, missing: &'static str| {
            let url = text(name).and_then(|text| Url::parse(text).ok());
            let url = url.filter(|url| url.scheme() == "https" || url.scheme() == "http");
            let url = url.ok_or(OpenIdError::Metadata(missing))?;
            if issuer.starts_with("https:") && url.scheme() != "https" {
                return Err(OpenIdError::Metadata("an endpoint is not reached over TLS"));
            }
            Ok(url)
        };
        let methods = members.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let offers = |method: &str| methods.is_none_or(|methods| methods.iter().any(|one| one == method));
        let names_itself = members.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            authorization_endpoint: endpoint("authorization_endpoint", "`authorization_endpoint` is no URL")?,
            token_endpoint: endpoint("token_endpoint", "`token_endpoint` is no URL")?,
            jwks_uri: endpoint("jwks_uri", "`jwks_uri` is no URL")?,
            userinfo_endpoint: members
                .contains_key("userinfo_endpoint")
                .then(|| endpoint("userinfo_endpoint", "`userinfo_endpoint` is no URL"))
                .transpose()?,
            names_itself: names_itself == Some(&Value::Bool(true)),
            secret_in_form: !offers("client_secret_basic"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(change: impl FnOnce(&mut Value)) -> Result<Metadata, String> {
        let mut document = json!({
            "issuer": "https://id.test",
            "authorization_endpoint": "https://id.test/authorize?tenant=1",
            "token_endpoint": "https://id.test/token",
            "jwks_uri": "https://keys.id.test/jwks",
        });
        change(&mut document);
        Metadata::parse(document.to_string().as_bytes(), "https://id.test").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_used_is_read() {
        let metadata = parsed(|_| ()).unwrap();
        assert_eq!(metadata.authorization_endpoint.as_str(), "https://id.test/authorize?tenant=1");
        assert!(!metadata.names_itself && !metadata.secret_in_form);
        let metadata = parsed(|document| {
            document["authorization_response_iss_parameter_supported"] = json!(true);
            document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        });
        let metadata = metadata.unwrap();
        assert!(metadata.names_itself && metadata.secret_in_form);
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        let cases: [(&str, Value, &str); 6] = [
            ("userinfo_endpoint", json!("http://id.test/me"), "not reached over TLS"),
            ("issuer", json!("https://id.test/"), "`issuer` is not the configured one"),
            ("issuer", json!(null), "`issuer` is not the configured one"),
            ("token_endpoint", json!("http://id.test/token"), "not reached over TLS"),
            ("jwks_uri", json!("file:///etc/passwd"), "`jwks_uri` is no URL"),
            ("authorization_endpoint", json!(1), "`authorization_endpoint` is no URL"),
        ];
        for (member, value, expected) in cases {
            let found = parsed(|document| document[member] = value.clone()).unwrap_err();
            assert!(found.contains(expected), "{member}: {value}: {found}");
        }
    }
}
