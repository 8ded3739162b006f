//! Logins at a provider that says what a test wants it to.

mod links;
#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bartizan_config::{Config, Source, StoreLocation};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Errand, OpenIdError, OpenIdProvider, provider::form_pairs};
use crate::{
    InvalidReason,
    account::{AccountError, Accounts, Authority, MemberChange, NewPerson, Page, PersonId, Visit},
    tests::issuer::{Issuer, jwks},
};

/// What the provider says, and what it was told.
struct Said {
    metadata: Value,
    id_token: String,
    /// The form and the `Authorization` of the last request for a token.
    form: Vec<(String, String)>,
    authorization: Option<String>,
    keys: String,
    keys_asked: usize,
    metadata_asked: usize,
    /// What the `UserInfo` endpoint answers, and with what it was asked.
    user_info: Value,
    asked_with: Option<String>,
}

struct Fake {
    url: String,
    issuer: Arc<Issuer>,
    said: Arc<Mutex<Said>>,
}

impl Fake {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Arc::new(Issuer::ed25519("one"));
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
        });
        let said = Said {
            metadata,
            id_token: String::new(),
            form: Vec::new(),
            authorization: None,
            keys: jwks(&[&*issuer]),
            keys_asked: 0,
            metadata_asked: 0,
            user_info: Value::Null,
            asked_with: None,
        };
        let said = Arc::new(Mutex::new(said));
        let told = Arc::clone(&said);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let told = Arc::clone(&told);
                let service = service_fn(move |request| answer(request, Arc::clone(&told)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, issuer, said }
    }

    /// A document in which this is the provider `company`.
    fn document(&self, more: &str) -> String {
        format!(
            r#"{{ version: 1, listen: {{ http: "127.0.0.1:0" }}, accounts: {{ providers: {{ company: {{
                issuer: "{}", client_id: "gate way", client_secret: "pass:word",
                redirect_uri: "http://localhost:1/auth/providers/company/callback" {more} }} }} }},
                identity: {{ people: {{ session: {{}} }} }},
                routes: [{{ path: /a, to: "http://localhost:1", auth: people }}] }}"#,
            self.url
        )
    }

    fn config(&self, more: &str) -> Config {
        Config::parse(&self.document(more), &Source::text(".")).unwrap().config
    }

    fn provider(&self) -> OpenIdProvider {
        OpenIdProvider::new(&self.config("").accounts.unwrap().providers[0]).unwrap()
    }

    fn claims(&self, errand: &Errand) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        json!({
            "iss": self.url, "aud": "gate way", "sub": "248289761001", "exp": now + 300, "iat": now,
            "nonce": errand.nonce("company"), "email": "Ada@Company.test", "email_verified": true, "name": "Ada",
        })
    }

    fn say(&self, id_token: String) {
        self.said.lock().unwrap().id_token = id_token;
    }

    fn query(&self, errand: &Errand) -> String {
        format!("code=c0de&state={}&iss={}", errand.state("company"), self.url)
    }
}

async fn answer(
    request: Request<Incoming>,
    told: Arc<Mutex<Said>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.uri().path() {
        "/.well-known/openid-configuration" => {
            let mut told = told.lock().unwrap();
            told.metadata_asked += 1;
            told.metadata.to_string()
        }
        "/me" => {
            let mut told = told.lock().unwrap();
            let authorization = request.headers().get(header::AUTHORIZATION);
            told.asked_with = authorization.map(|value| value.to_str().unwrap().to_owned());
            told.user_info.to_string()
        }
        "/jwks" => {
            let mut told = told.lock().unwrap();
            told.keys_asked += 1;
            told.keys.clone()
        }
        _ => {
            let authorization = request.headers().get(header::AUTHORIZATION).cloned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut told = told.lock().unwrap();
            told.form = form_pairs(str::from_utf8(&body).unwrap());
            told.authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
            json!({ "access_token": "x", "token_type": "Bearer", "id_token": told.id_token }).to_string()
        }
    };
    Ok(Response::new(Full::new(text.into())))
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    &pairs.iter().find(|(found, _)| found == name).unwrap().1
}

#[tokio::test]
async fn whoever_comes_back_is_who_the_provider_says() {
    let fake = Fake::start().await;
    let (provider, errand) = (fake.provider(), Errand::begin("/").unwrap());
    let there = provider.begin(&errand).await.unwrap();
    assert_eq!(there.as_str().split('?').next().unwrap(), format!("{}/authorize", fake.url));
    let sent = form_pairs(there.query().unwrap());
    assert_eq!(value(&sent, "response_type"), "code");
    assert_eq!(value(&sent, "client_id"), "gate way");
    assert_eq!(value(&sent, "scope"), "openid email profile");
    assert_eq!(value(&sent, "redirect_uri"), "http://localhost:1/auth/providers/company/callback");
    assert_eq!(value(&sent, "code_challenge_method"), "S256");

    fake.say(fake.issuer.token(&fake.claims(&errand)));
    let query = format!("code=c%2B0de&state={}", value(&sent, "state"));
    let proven = provider.complete(&errand, &query).await.unwrap();
    assert_eq!(proven.subject, "248289761001");
    assert_eq!(proven.verified_email.as_deref(), Some("Ada@Company.test"));
    assert_eq!(proven.name.as_deref(), Some("Ada"));
    assert_eq!(fake.said.lock().unwrap().asked_with, None, "the ID token says it all");

    let said = fake.said.lock().unwrap();
    assert_eq!(value(&said.form, "code"), "c+0de");
    assert_eq!(value(&said.form, "grant_type"), "authorization_code");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(value(&said.form, "code_verifier"));
    let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, digest);
    assert_eq!(value(&sent, "code_challenge"), challenge);
    // Name and secret are encoded before they are joined (RFC 6749, section 2.3.1).
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "gate%20way:pass%3Aword");
    assert_eq!(said.authorization.as_deref(), Some(format!("Basic {basic}").as_str()));
}

#[tokio::test]
async fn an_id_token_is_believed_only_if_all_of_it_fits() {
    let fake = Fake::start().await;
    let (provider, errand) = (fake.provider().impatient(), Errand::begin("/").unwrap());
    let good = fake.claims(&errand);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        fake.issuer.token(&claims)
    };
    let mut undated = good.clone();
    undated.as_object_mut().unwrap().remove("iat");
    let undated = fake.issuer.token(&undated);
    let header = |header: Value| fake.issuer.sign(&header.to_string(), &good.to_string());
    let cases = [
        (with("iss", json!("https://other.test")), Some(InvalidReason::Issuer)),
        (with("aud", json!("other")), Some(InvalidReason::Audience)),
        (with("aud", json!(["gate way", "other"])), Some(InvalidReason::Audience)),
        (with("azp", json!("other")), Some(InvalidReason::Audience)),
        (with("exp", json!(1)), Some(InvalidReason::Expired)),
        (with("exp", json!(null)), Some(InvalidReason::Expiry)),
        (with("sub", json!("")), Some(InvalidReason::Subject)),
        (undated, Some(InvalidReason::Claims)),
        (with("nonce", json!("other")), None),
        (with("nonce", json!(null)), None),
        (header(json!({ "alg": "EdDSA", "kid": "one", "typ": "at+jwt" })), Some(InvalidReason::Type)),
        (header(json!({ "alg": "none", "kid": "one" })), Some(InvalidReason::Algorithm)),
        (header(json!({ "alg": "HS256", "kid": "one" })), Some(InvalidReason::Algorithm)),
        (Issuer::ed25519("one").token(&good), Some(InvalidReason::Signature)),
        (Issuer::ed25519("two").token(&good), Some(InvalidReason::UnknownKey)),
        ("x".into(), Some(InvalidReason::Form)),
    ];
    for (token, expected) in cases {
        fake.say(token);
        match (provider.complete(&errand, &fake.query(&errand)).await.unwrap_err(), expected) {
            (OpenIdError::IdToken(found), Some(expected)) => assert_eq!(found, expected),
            (OpenIdError::Nonce, None) => {}
            (error, expected) => panic!("{error} instead of {expected:?}"),
        }
    }
    fake.say(with("email_verified", json!("true")));
    let proven = provider.complete(&errand, &fake.query(&errand)).await.unwrap();
    assert_eq!(proven.verified_email, None);
}

/// Many providers say who somebody is in the ID token, and what they are called and reached by elsewhere.
#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_for() {
    let fake = Fake::start().await;
    fake.said.lock().unwrap().metadata["userinfo_endpoint"] = json!(format!("{}/me", fake.url));
    let provider = fake.provider();
    let complete = async |id_token: &[(&str, Value)], user_info: Value| {
        let errand = Errand::begin("/").unwrap();
        let mut claims = fake.claims(&errand);
        for name in ["email", "email_verified", "name"] {
            claims.as_object_mut().unwrap().remove(name);
        }
        for (name, value) in id_token {
            claims[*name] = value.clone();
        }
        fake.said.lock().unwrap().user_info = user_info;
        fake.say(fake.issuer.token(&claims));
        provider.complete(&errand, &fake.query(&errand)).await
    };
    let all = json!({ "sub": "248289761001", "email": "ada@company.test", "email_verified": true, "name": "Ada L." });
    let proven = complete(&[], all.clone()).await.unwrap();
    assert_eq!(proven.verified_email.as_deref(), Some("ada@company.test"));
    assert_eq!(proven.name.as_deref(), Some("Ada L."));
    assert_eq!(fake.said.lock().unwrap().asked_with.as_deref(), Some("Bearer x"));

    // What the ID token says counts, and nobody vouches for an address by another one.
    let proven =
        complete(&[("name", json!("Ada")), ("email", json!("other@company.test"))], all.clone()).await;
    let proven = proven.unwrap();
    assert_eq!((proven.verified_email, proven.name.as_deref()), (None, Some("Ada")));
    let proven = complete(&[("email", json!("ada@company.test"))], all.clone()).await.unwrap();
    assert_eq!(proven.verified_email.as_deref(), Some("ada@company.test"));

    for stranger in [json!({ "sub": "7", "email": "ada@company.test", "email_verified": true }), json!({})] {
        let error = complete(&[], stranger.clone()).await.unwrap_err();
        assert!(matches!(error, OpenIdError::OtherPerson), "{stranger}: {error}");
    }
    let error = complete(&[], json!("a signed answer")).await.unwrap_err();
    assert!(matches!(error, OpenIdError::Metadata(_)), "{error}");
    // Where the address is known, nothing that is missing is worth a login.
    let known = [("email", json!("ada@company.test")), ("email_verified", json!(true))];
    let proven = complete(&known, json!("a signed answer")).await.unwrap();
    assert_eq!((proven.verified_email.is_some(), proven.name), (true, None));
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_for_a_while() {
    let fake = Fake::start().await;
    let whole = std::mem::take(&mut fake.said.lock().unwrap().metadata);
    let (provider, errand) = (fake.provider(), Errand::begin("/").unwrap());
    let (one, other) = tokio::join!(provider.begin(&errand), provider.begin(&errand));
    assert!(matches!(one.unwrap_err(), OpenIdError::Metadata(_)));
    assert!(matches!(other.unwrap_err(), OpenIdError::Resting), "it waited for the first, and asked nobody");
    assert_eq!(fake.said.lock().unwrap().metadata_asked, 1);
    fake.said.lock().unwrap().metadata = whole;
    assert!(matches!(provider.begin(&errand).await.unwrap_err(), OpenIdError::Resting));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    let (one, other) = tokio::join!(provider.begin(&errand), provider.begin(&errand));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(fake.said.lock().unwrap().metadata_asked, 2);
}

#[tokio::test]
async fn a_login_with_a_key_that_the_provider_has_just_made_succeeds() {
    let fake = Fake::start().await;
    let (provider, errand) = (fake.provider(), Errand::begin("/").unwrap());
    fake.say(fake.issuer.token(&fake.claims(&errand)));
    provider.complete(&errand, &fake.query(&errand)).await.unwrap();
    // Later, when keys may be fetched again.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let next = Issuer::ed25519("two");
    fake.said.lock().unwrap().keys = jwks(&[&*fake.issuer, &next]);
    fake.say(next.token(&fake.claims(&errand)));
    let proven = provider.complete(&errand, &fake.query(&errand)).await.unwrap();
    assert_eq!(proven.subject, "248289761001");
    // Right after that the provider is not pestered.
    let provider = provider.impatient();
    fake.say(Issuer::ed25519("three").token(&fake.claims(&errand)));
    for _ in 0..3 {
        let error = provider.complete(&errand, &fake.query(&errand)).await.unwrap_err();
        assert!(matches!(error, OpenIdError::IdToken(InvalidReason::UnknownKey)), "{error}");
    }
    assert_eq!(fake.said.lock().unwrap().keys_asked, 2);
}

#[tokio::test]
async fn a_way_back_belongs_to_the_way_there() {
    let fake = Fake::start().await;
    let (provider, errand) = (fake.provider(), Errand::begin("/").unwrap());
    fake.say(fake.issuer.token(&fake.claims(&errand)));
    let state = errand.state("company");
    let others = Errand::begin("/").unwrap().state("company");
    for query in [
        String::new(),
        "code=c0de".into(),
        format!("code=c0de&state={others}"),
        format!("code=c0de&state={state}&state={others}"),
        format!("code=a&code=b&state={state}"),
        format!("state={state}"),
    ] {
        let error = provider.complete(&errand, &query).await.unwrap_err();
        assert!(matches!(error, OpenIdError::Stray), "{query}: {error}");
    }
    let from_another = format!("code=c0de&state={state}&iss=https://other.test");
    let error = provider.complete(&errand, &from_another).await.unwrap_err();
    assert!(matches!(error, OpenIdError::WrongIssuer), "{error}");
    let declined = format!("error=access_denied&state={state}");
    let error = provider.complete(&errand, &declined).await.unwrap_err();
    assert!(matches!(&error, OpenIdError::Declined(why) if why == "access_denied"), "{error}");
    assert!(fake.said.lock().unwrap().form.is_empty(), "no code was redeemed");
}

#[tokio::test]
async fn a_provider_that_names_itself_does_so_always() {
    let fake = Fake::start().await;
    fake.said.lock().unwrap().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let (provider, errand) = (fake.provider(), Errand::begin("/").unwrap());
    let nameless = format!("code=c0de&state={}", errand.state("company"));
    let error = provider.complete(&errand, &nameless).await.unwrap_err();
    assert!(matches!(error, OpenIdError::WrongIssuer), "{error}");
}

/// An address counts by what vouches for that very address.
#[tokio::test]
async fn claims_of_another_shape_say_who_somebody_is() {
    let fake = Fake::start().await;
    let settings = r#", claims: { subject: "jmespath:join(':', [tid, oid])", email: upn, email_verified: "jmespath:type(upn) == 'string' && edov",
        name: /profile/name, organization: "jmespath:companies[0]" }"#;
    let config = fake.config(settings).accounts.unwrap();
    let provider = OpenIdProvider::new(&config.providers[0]).unwrap();
    let complete = async |changes: Value| {
        let errand = Errand::begin("/").unwrap();
        let mut claims = fake.claims(&errand);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        fake.say(fake.issuer.token(&claims));
        provider.complete(&errand, &fake.query(&errand)).await
    };
    let said = json!({ "tid": "t", "oid": "o", "upn": "ada@company.test", "edov": true,
        "profile": { "name": "Ada L." }, "companies": ["Company"] });
    let proven = complete(said.clone()).await.unwrap();
    assert_eq!((proven.subject.as_str(), proven.name.as_deref()), ("t:o", Some("Ada L.")));
    assert_eq!(proven.verified_email.as_deref(), Some("ada@company.test"));
    assert_eq!(proven.organization.as_deref(), Some("Company"));
    // `email` and `email_verified` are there, and are about another address.
    for (name, value) in
        [("edov", json!(false)), ("edov", json!("true")), ("edov", json!(null)), ("upn", json!(7))]
    {
        let mut changed = said.clone();
        changed[name] = value;
        let proven = complete(changed).await.unwrap();
        assert_eq!(proven.verified_email, None, "{name}");
    }
    for (name, value) in [("oid", json!(null)), ("oid", json!({ "a": "o" })), ("tid", json!("\u{0}"))] {
        let mut changed = said.clone();
        changed[name] = value;
        assert!(matches!(complete(changed).await, Err(OpenIdError::IdToken(_))), "{name}");
    }
}

/// Who gets in with which settings: nobody takes over an account by a provider that does not speak for its address.
#[tokio::test]
async fn only_known_people_get_in_unless_more_is_said() {
    let fake = Fake::start().await;
    let cases = [
        // Settings, whether there is an account with this address, and who gets in.
        ("", true, false),
        ("", false, false),
        (", domains: [company.test]", true, true),
        (", domains: [company.test]", false, false),
        (", domains: [other.test]", true, false),
        (", sign_up: true", true, false),
        (", sign_up: true", false, true),
        (", sign_up: true, domains: [other.test]", false, false),
        (", sign_up: true, domains: [company.test]", true, true),
    ];
    for (settings, is_person, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let location = StoreLocation::Sqlite(directory.path().join("bartizan.db"));
        let config = fake.config(settings);
        let accounts = Accounts::open(&location, config.accounts.as_ref().unwrap(), &[]).await.unwrap();
        let visit = Visit::default();
        let new = || NewPerson {
            email: "ada@company.test".into(),
            name: "A".into(),
            password: None,
            roles: vec!["viewer".into()],
        };
        let person = if is_person {
            Some(accounts.create_person(new(), Accounts::OPERATOR, &visit).await.unwrap())
        } else {
            None
        };
        let provider = accounts.provider("company").unwrap();
        let errand = Errand::begin("/").unwrap();
        fake.say(fake.issuer.token(&fake.claims(&errand)));
        let entered = accounts.log_in_from(&provider, &errand, &fake.query(&errand), &visit).await;
        match &entered {
            Ok(session) => assert!(person.is_none_or(|person| person.id == session.user)),
            Err(error) => assert!(matches!(error, AccountError::Unknown(_)), "{settings}: {error}"),
        }
        assert_eq!(entered.is_ok(), expected, "`{settings}`, an account: {is_person}");
        let Ok(session) = entered else { continue };

        // From now on the subject counts, whatever the address has become there.
        let errand = Errand::begin("/").unwrap();
        let mut claims = fake.claims(&errand);
        claims["email"] = json!("somebody@else.test");
        fake.say(fake.issuer.token(&claims));
        let again = accounts.log_in_from(&provider, &errand, &fake.query(&errand), &visit).await.unwrap();
        assert_eq!(again.user, session.user);
        let who = PersonId(session.user.as_str().into());
        accounts.disable_person(&who, true, Accounts::OPERATOR, &visit).await.unwrap();
        let error = accounts.log_in_from(&provider, &errand, &fake.query(&errand), &visit).await.unwrap_err();
        assert!(matches!(error, AccountError::Unknown(_)), "{error}");
    }
}
