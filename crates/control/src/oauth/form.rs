//! Parameters as clients send them: a query or a form, read strictly. A parameter that comes twice is refused (RFC 6749,
//! section 3.1), but for those that may.

use std::fmt;

use axum::extract::{FromRequest, Request};
use bartizan_identity::authorization_server::{ClientProof, OAuthError};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::refusal::OAuthRefusal;

/// The most parameters that are read.
const MOST: usize = 50;

/// Names and values.
pub(crate) struct Parameters(Vec<(String, String)>);

/// The parameters of a body.
pub(crate) struct Form(pub(crate) Parameters);

/// A form, and the client that sends it, where JSON says the same: an object of texts and lists of texts.
pub(crate) struct ClientFormOrJson(pub(crate) ClientForm);

/// A form, and the client that sends it.
pub(crate) struct ClientForm {
    pub(crate) client: ClientProof,
    pub(crate) form: Parameters,
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, OAuthRefusal> {
        let mut parameters = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(parts.next().unwrap_or_default())?;
            let value = decoded(parts.next().unwrap_or_default())?;
            // RFC 6749, section 3.1: what has no value is not there.
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        if parameters.len() > MOST {
            return Err(malformed("there are too many parameters"));
        }
        Ok(Self(parameters))
    }

    /// Reads an object of texts and lists of texts. A member that comes twice is refused where it is asked for.
    fn parse_json(text: &[u8]) -> Result<Self, OAuthRefusal> {
        let Members(members) = serde_json::from_slice(text)
            .map_err(|_| malformed("the body is no JSON object of texts and lists of texts"))?;
        let members = members.into_iter().flat_map(|(name, value)| match value {
            Member::Text(value) => vec![(name, value)],
            Member::Texts(values) => values.into_iter().map(|value| (name.clone(), value)).collect(),
        });
        let parameters: Vec<_> = members.filter(|(_, value)| !value.is_empty()).collect();
        if parameters.len() > MOST {
            return Err(malformed("there are too many parameters"));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter that may be missing.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>, OAuthRefusal> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(malformed(format!("`{name}` occurs more than once"))),
        }
    }

    /// The same as a text of its own; empty where it is missing.
    pub(crate) fn text(&self, name: &str) -> Result<String, OAuthRefusal> {
        Ok(self.optional(name)?.unwrap_or_default().to_owned())
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, OAuthRefusal> {
        self.optional(name)?.ok_or_else(|| malformed(format!("`{name}` is missing")))
    }

    /// The same as a query.
    pub(crate) fn encoded(&self) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs = self.0.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A parameter that may occur several times.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

/// The members of a JSON object, also those that come twice.
struct Members(Vec<(String, Member)>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Text(String),
    Texts(Vec<String>),
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn is_of_type(request: &Request, expected: &str) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, OAuthRefusal> {
    Bytes::from_request(request, state).await.map_err(|_| malformed("the body cannot be read"))
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthRefusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthRefusal> {
        if !is_of_type(&request, "application/x-www-form-urlencoded") {
            return Err(malformed("send the parameters as `application/x-www-form-urlencoded`"));
        }
        Ok(Self(Parameters::parse(&body(request, state).await?)?))
    }
}

impl<S: Send + Sync> FromRequest<S> for ClientFormOrJson {
    type Rejection = OAuthRefusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthRefusal> {
        if !is_of_type(&request, "application/json") {
            return ClientForm::from_request(request, state).await.map(Self);
        }
        let headers = request.headers().clone();
        let form = Parameters::parse_json(&body(request, state).await?)?;
        let client = client(&headers, &form)?;
        Ok(Self(ClientForm { client, form }))
    }
}

impl<S: Send + Sync> FromRequest<S> for ClientForm {
    type Rejection = OAuthRefusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthRefusal> {
        let headers = request.headers().clone();
        let Form(form) = Form::from_request(request, state).await?;
        let client = client(&headers, &form)?;
        Ok(Self { client, form })
    }
}

/// Who asks (RFC 6749, section 2.3.1): by HTTP Basic, or in the form, but not both.
fn client(headers: &HeaderMap, form: &Parameters) -> Result<ClientProof, OAuthRefusal> {
    let (id, secret) = (form.optional("client_id")?, form.optional("client_secret")?);
    let assertion = assertion(form)?;
    let Some((basic, password)) = basic(headers)? else {
        if secret.is_some() && assertion.is_some() {
            return Err(malformed("the client proves twice who it is"));
        }
        let subject = assertion.as_deref().and_then(unproven_subject);
        let id = id.map(str::to_owned).or(subject).unwrap_or_default();
        return Ok(ClientProof {
            id,
            secret: secret.map(SecretString::from),
            assertion: assertion.map(SecretString::from),
        });
    };
    if secret.is_some() || assertion.is_some() || id.is_some_and(|id| id != basic) {
        return Err(malformed("the client says twice who it is"));
    }
    Ok(ClientProof { id: basic, secret: Some(password.into()), assertion: None })
}

/// RFC 7521, section 4.2.
fn assertion(form: &Parameters) -> Result<Option<String>, OAuthRefusal> {
    const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    match (form.optional("client_assertion_type")?, form.optional("client_assertion")?) {
        (None, None) => Ok(None),
        (Some(KIND), Some(assertion)) => Ok(Some(assertion.to_owned())),
        _ => Err(malformed("`client_assertion` is a JWT, and `client_assertion_type` says so")),
    }
}

/// Whom an assertion says to be from: it chooses whose keys it is checked with, and nothing more.
fn unproven_subject(assertion: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthRefusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Err(malformed("`Authorization` occurs more than once")),
    };
    let refuse =
        || OAuthRefusal::of(OAuthError::InvalidClient, "`Authorization` is not what RFC 7617 calls `Basic`");
    let (scheme, encoded) = value.split_once(' ').ok_or_else(refuse)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refuse());
    }
    let decoded_text = STANDARD.decode(encoded.trim()).map_err(|_| refuse())?;
    let mut parts = decoded_text.splitn(2, |byte| *byte == b':');
    let (id, password) = (parts.next().unwrap_or_default(), parts.next().ok_or_else(refuse)?);
    // Both are form-encoded before they are joined.
    Ok(Some((decoded(id)?, decoded(password)?)))
}

fn decoded(text: &[u8]) -> Result<String, OAuthRefusal> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| malformed("a parameter is not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn malformed(why: impl Into<std::borrow::Cow<'static, str>>) -> OAuthRefusal {
    OAuthRefusal::of(OAuthError::InvalidRequest, why)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn parameters_are_read_once() {
        let form = Parameters::parse(b"a=1+2&b=%C3%A4&c=&d&resource=x&resource=y&a%3D=z").unwrap();
        assert_eq!(form.optional("a").unwrap(), Some("1 2"));
        assert_eq!(form.text("b").unwrap(), "\u{e4}");
        assert_eq!((form.optional("c").unwrap(), form.optional("d").unwrap()), (None, None));
        assert_eq!(form.all("resource"), ["x", "y"]);
        assert_eq!(form.text("a=").unwrap(), "z");
        assert!(form.optional("resource").is_err() && form.required("e").is_err());
        assert!(Parameters::parse(b"a=%FF").is_err());
        assert!(Parameters::parse("a=1&".repeat(MOST + 1).as_bytes()).is_err());
    }

    #[test]
    fn json_says_the_same_as_a_form() {
        let json = |text: &str| Parameters::parse_json(text.as_bytes());
        let form = json(r#"{ "a": "1 2", "c": "", "resource": ["x", "y"] }"#).unwrap();
        assert_eq!((form.text("a").unwrap(), form.optional("c").unwrap()), ("1 2".into(), None));
        assert_eq!(form.all("resource"), ["x", "y"]);
        assert!(json(r#"{ "a": "1", "a": "2" }"#).unwrap().optional("a").is_err());
        for wrong in ["[]", "{", r#"{ "a": 1 }"#, r#"{ "a": { "b": "c" } }"#, r#"{ "a": [["b"]] }"#] {
            assert!(json(wrong).is_err(), "{wrong}");
        }
        let many = format!(r#"{{ "a": [{}"x"] }}"#, r#""x","#.repeat(MOST));
        assert!(json(&many).is_err());
    }

    #[test]
    fn a_client_says_once_who_it_is() {
        let ask = |authorization: Option<&str>, form: &str| {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            let proof = client(&headers, &Parameters::parse(form.as_bytes()).unwrap());
            proof.ok().map(|proof| (proof.id, proof.secret.map(|secret| secret.expose_secret().to_owned())))
        };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let known = |id: &str, secret: &str| Some((id.to_owned(), Some(secret.to_owned())));
        assert_eq!(ask(None, "client_id=a"), Some(("a".into(), None)));
        assert_eq!(ask(None, "client_id=a&client_secret=b"), known("a", "b"));
        assert_eq!(ask(Some(&basic("a:b%3Ac+d")), ""), known("a", "b:c d"));
        assert_eq!(ask(Some(&basic("a:b")), "client_id=a"), known("a", "b"));
        assert_eq!(ask(Some(&basic("a:b")), "client_id=c"), None);
        assert_eq!(ask(Some(&basic("a:b")), "client_secret=b"), None);
        assert_eq!(ask(Some(&basic("a")), ""), None);
        assert_eq!(ask(Some("Bearer a"), ""), None);
        assert_eq!(ask(Some("Basic *"), ""), None);
    }
}
