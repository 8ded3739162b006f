pub(crate) mod issuer;
pub(crate) mod wycheproof;

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use bartizan_config::{
    ApiKey, ApiKeyProvider, CertificateClient, CertificateProvider, IdentityProvider, JwtKeys, JwtProvider,
    Provider, Requirement, Requirements, Role, SubjectAlternativeName,
};
use bartizan_model::{Line, Name, Principal, PrincipalKind, Zone};
use bartizan_policy::{Decision, PermissionIndex};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header, request::Parts};
use secrecy::ExposeSecret;

use self::issuer::{Issuer, claims, claims_with, jwks, now, provider, settings};
use crate::{
    Authenticated, AuthenticationError, Authenticator, ClientCertificate, DpopError, IdentityError,
    InvalidReason, Presented, Selection, generate_api_key, hash_api_key, key_source::tests::JwksServer,
};

const ALICE_KEY: &str = "alice_0123456789";
const ROBOT_KEY: &str = "robot_0123456789";

/// The head of a request with these headers.
fn head_with(headers: HeaderMap) -> Parts {
    let mut head = Request::get("/orders").body(()).unwrap().into_parts().0;
    head.headers = headers;
    head
}

fn presented(head: &Parts) -> Presented<'_> {
    Presented { head, secure: true, address: None, client_certificate: None, content: None }
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn jwt(name: &str, keys: JwtKeys, change: impl FnOnce(&mut JwtProvider)) -> Arc<IdentityProvider> {
    let mut settings = settings(keys);
    change(&mut settings);
    provider(name, Provider::Jwt(Arc::new(settings)))
}

fn api_keys(name: &str, keys: &[(&str, &str)]) -> Arc<IdentityProvider> {
    let keys = keys.iter().map(|(name, key)| ApiKey {
        name: name.parse().unwrap(),
        hash: hash_api_key(key),
        permissions: vec!["orders:read".parse().unwrap()],
        roles: names(&["clerk"]),
        organization: Some("acme".into()),
        zone: Zone::Public,
    });
    let header = HeaderName::from_static("x-api-key");
    provider(name, Provider::ApiKey(ApiKeyProvider { header, keys: keys.collect(), stored: None }))
}

fn certificates(name: &str, kind: SubjectAlternativeName, sans: &[&str]) -> Arc<IdentityProvider> {
    let clients = sans.iter().map(|san| CertificateClient {
        san: (*san).into(),
        permissions: vec!["orders:*".parse().unwrap()],
        roles: vec![],
        organization: None,
        zone: Zone::Public,
    });
    provider(name, Provider::Certificate(CertificateProvider { name: kind, clients: clients.collect() }))
}

fn authenticator(providers: &[Arc<IdentityProvider>]) -> Result<Authenticator, IdentityError> {
    let role = Role {
        name: "clerk".parse().unwrap(),
        line: Line::NONE,
        grants: vec!["invoices:read".parse().unwrap()],
    };
    Authenticator::of_providers(providers, &[role], &Arc::new(PermissionIndex::new([])), None)
}

/// A gateway that knows users by tokens of two issuers, partners by API keys and services by certificates.
struct Shop {
    users: Issuer,
    staff: Issuer,
    authenticator: Authenticator,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = |file: &str, issuer: &Issuer| {
            let path = folder.path().join(file);
            std::fs::write(&path, jwks(&[issuer])).unwrap();
            JwtKeys::JwksFile(path)
        };
        let (users, staff) = (Issuer::ed25519("u"), Issuer::ed25519("s"));
        let authenticator = authenticator(&[
            jwt("users", keys("users", &users), |_| {}),
            jwt("staff", keys("staff", &staff), |settings| {
                settings.issuer = "https://staff.shop.test".into();
            }),
            jwt("edge", keys("users", &users), |settings| {
                settings.header = HeaderName::from_static("x-token");
            }),
            api_keys("partners", &[("alice", ALICE_KEY)]),
            api_keys("robots", &[("robot", ROBOT_KEY)]),
            certificates(
                "mesh",
                SubjectAlternativeName::Uri,
                &["spiffe://shop.test/a", "spiffe://shop.test/b"],
            ),
            certificates("hosts", SubjectAlternativeName::Dns, &["a.shop.test"]),
        ]);
        Self { users, staff, authenticator: authenticator.unwrap(), _folder: folder }
    }

    fn select(&self, providers: &[&str]) -> Selection {
        self.authenticator.select(&names(providers), &[]).unwrap()
    }

    fn user_token(&self) -> String {
        format!("Bearer {}", self.users.token(&claims()))
    }

    fn staff_token(&self) -> String {
        let claims = claims_with(&serde_json::json!({ "iss": "https://staff.shop.test", "sub": "bob" }));
        format!("Bearer {}", self.staff.token(&claims))
    }

    /// Who it is, or why not.
    fn account(
        &self,
        providers: &[&str],
        headers: &[(&str, &str)],
        certificate: Option<&ClientCertificate>,
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let head = head_with(map);
        let presented = Presented { client_certificate: certificate, ..presented(&head) };
        match self.select(providers).authenticate(&presented, now()) {
            Ok(Authenticated { identified, .. }) => {
                format!("{} by {}", identified.principal.id, identified.principal.provider)
            }
            Err(AuthenticationError::Invalid { provider, reason }) => format!("{provider}: {reason:?}"),
            Err(AuthenticationError::Missing) => "missing".into(),
            Err(AuthenticationError::Unavailable { provider }) => format!("{provider}: unavailable"),
            Err(AuthenticationError::Exhausted { provider }) => format!("{provider}: exhausted"),
            Err(AuthenticationError::NoRoomForProof { provider }) => format!("{provider}: no room"),
            Err(AuthenticationError::Unread(_)) => "unread".into(),
        }
    }
}

#[tokio::test]
async fn the_first_credential_that_is_presented_decides() {
    type Headers<'a> = &'a [(&'a str, &'a str)];

    let shop = Shop::open();
    let (user, staff) = (&*shop.user_token(), &*shop.staff_token());
    let stranger = &*format!("Bearer {}", shop.users.token(&claims_with(&serde_json::json!({ "iss": "x" }))));
    let lie = &*format!(
        "Bearer {}",
        shop.users.token(&claims_with(&serde_json::json!({ "iss": "https://staff.shop.test" })))
    );
    let bare = user.strip_prefix("Bearer ").unwrap();
    let (auth, key) = ("authorization", "x-api-key");
    let all = &["users", "staff", "partners", "robots"][..];
    let cases: &[(&[&str], Headers<'_>, &str)] = &[
        (all, &[], "missing"),
        (&[], &[(auth, user)], "missing"),
        (all, &[(auth, user)], "alice by users"),
        (all, &[(auth, staff)], "bob by staff"),
        (all, &[(auth, stranger)], "users: Issuer"),
        (all, &[(auth, lie)], "staff: UnknownKey"),
        (&["users"], &[(auth, staff)], "users: UnknownKey"),
        (&["staff"], &[(auth, user)], "staff: UnknownKey"),
        (all, &[(auth, &user.replace("Bearer", "bearer"))], "alice by users"),
        (all, &[(auth, &user.replace("Bearer ", "BEARER  "))], "alice by users"),
        (all, &[(auth, bare)], "missing"),
        (all, &[(auth, "Basic YWxpY2U6c2VjcmV0")], "missing"),
        (all, &[(auth, "Bearer")], "users: Form"),
        (all, &[(auth, "Bearer not.a.token")], "users: Form"),
        (all, &[(auth, "")], "missing"),
        (all, &[(auth, user), (auth, user)], "users: Ambiguous"),
        (all, &[(auth, "Basic x"), (auth, user)], "users: Ambiguous"),
        (all, &[(auth, &format!("{user}, {user}"))], "users: Form"),
        (all, &[(key, ALICE_KEY)], "alice by partners"),
        (all, &[(key, ROBOT_KEY)], "robot by robots"),
        (&["robots"], &[(key, ALICE_KEY)], "robots: UnknownApiKey"),
        (all, &[(key, "unknown_0123456789")], "partners: UnknownApiKey"),
        (all, &[(key, "short")], "partners: KeyLength"),
        (all, &[(key, "")], "partners: KeyLength"),
        (all, &[(key, &"k".repeat(257))], "partners: KeyLength"),
        (all, &[(key, ALICE_KEY), (key, ALICE_KEY)], "partners: Ambiguous"),
        (all, &[(auth, user), (key, ROBOT_KEY)], "alice by users"),
        (&["robots", "users"], &[(auth, user), (key, ROBOT_KEY)], "robot by robots"),
        (all, &[(auth, "Bearer x"), (key, ROBOT_KEY)], "users: Form"),
        (&["robots", "users"], &[(auth, user), (key, "unknown_0123456789")], "robots: UnknownApiKey"),
        (all, &[(auth, "Basic x"), (key, ROBOT_KEY)], "robot by robots"),
        (&["edge"], &[("x-token", bare)], "alice by edge"),
        (&["edge"], &[("x-token", user)], "edge: Form"),
        (&["edge"], &[(auth, user)], "missing"),
        (&["edge", "users"], &[(auth, user)], "alice by users"),
    ];
    for (providers, headers, expected) in cases {
        assert_eq!(shop.account(providers, headers, None), *expected, "{providers:?} {headers:?}");
    }
}

#[tokio::test]
async fn certificates_name_exactly_one_client() {
    let shop = Shop::open();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let certificate = |uris: &[&str], dns_names: &[&str]| ClientCertificate {
        uris: texts(uris),
        dns_names: texts(dns_names),
        subject: "CN=spiffe://shop.test/a".into(),
        ..ClientCertificate::default()
    };
    let (a, b) = ("spiffe://shop.test/a", "spiffe://shop.test/b");
    let cases = [
        (&["mesh"][..], certificate(&[a], &[]), "spiffe://shop.test/a by mesh"),
        (&["mesh"], certificate(&["spiffe://shop.test/other", a], &[]), "spiffe://shop.test/a by mesh"),
        (&["mesh"], certificate(&[a, a], &[]), "spiffe://shop.test/a by mesh"),
        (&["mesh"], certificate(&[a, b], &[]), "mesh: AmbiguousCertificate"),
        (&["mesh"], certificate(&["spiffe://shop.test/A"], &[]), "mesh: UnknownCertificate"),
        (&["mesh"], certificate(&["spiffe://shop.test/a/"], &[]), "mesh: UnknownCertificate"),
        (&["mesh"], certificate(&[], &[a]), "mesh: UnknownCertificate"),
        (&["mesh"], certificate(&[], &[]), "mesh: UnknownCertificate"),
        (&["hosts"], certificate(&[a], &["a.shop.test"]), "a.shop.test by hosts"),
        (&["mesh", "hosts"], certificate(&[], &["a.shop.test"]), "a.shop.test by hosts"),
        (&["mesh", "hosts"], certificate(&[a], &["a.shop.test"]), "mesh: AmbiguousCertificate"),
    ];
    for (providers, certificate, expected) in cases {
        assert_eq!(
            shop.account(providers, &[], Some(&certificate)),
            expected,
            "{providers:?} {certificate:?}"
        );
    }
    let unknown = certificate(&["spiffe://evil.test"], &[]);
    let token = &[("authorization", &*shop.user_token())];
    assert_eq!(shop.account(&["mesh", "users"], token, None), "alice by users");
    assert_eq!(shop.account(&["mesh", "users"], token, Some(&unknown)), "mesh: UnknownCertificate");
    assert_eq!(shop.account(&["users", "mesh"], token, Some(&unknown)), "alice by users");
}

#[tokio::test]
async fn what_is_known_of_a_key_holder() {
    let requirements = Requirements::Every(Requirement::All(vec!["orders:read".parse().unwrap()]));
    let index = Arc::new(PermissionIndex::new([&requirements]));
    let providers = [api_keys("partners", &[("alice", ALICE_KEY)])];
    let authenticator = Authenticator::of_providers(&providers, &[], &index, None).unwrap();
    let headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), HeaderValue::from_static(ALICE_KEY))]);
    let selection = authenticator.select(&names(&["partners"]), &[]).unwrap();
    let head = head_with(headers);
    let presented = presented(&head);
    let identified = authenticator.authenticate(&selection, &presented).unwrap().identified;
    assert_eq!(identified.principal.kind, PrincipalKind::ApiKey);
    assert_eq!(identified.principal.organization.as_ref().unwrap().as_str(), "acme");
    assert_eq!(identified.grants, "orders:read", "a role that does not exist grants nothing");
    assert_eq!(identified.expires, None);
    let decision = index.compile(&requirements).decide(&Method::GET, &identified.permissions);
    assert_eq!(decision, Decision::Permitted);
}

#[tokio::test]
async fn challenges_say_what_to_bring() {
    let shop = Shop::open();
    let invalid =
        |provider: &str, reason| AuthenticationError::Invalid { provider: provider.parse().unwrap(), reason };
    let bearer = "Bearer realm=\"bartizan\"";
    let bearer_again = "Bearer realm=\"bartizan\", error=\"invalid_token\"";
    let api_key = "ApiKey realm=\"bartizan\", header=\"x-api-key\"";
    let both = &["users", "staff", "partners"][..];
    let cases = [
        (both, AuthenticationError::Missing, vec![bearer, api_key]),
        (both, invalid("users", InvalidReason::Expired), vec![bearer_again, api_key]),
        (
            both,
            invalid("users", InvalidReason::Dpop(DpopError::Scheme)),
            vec![
                bearer_again,
                "DPoP realm=\"bartizan\", error=\"invalid_token\", algs=\"EdDSA ES256 ES384 PS256 PS384 PS512 RS256 RS384 RS512\"",
                api_key,
            ],
        ),
        (both, invalid("staff", InvalidReason::Signature), vec![bearer_again, api_key]),
        (both, invalid("partners", InvalidReason::UnknownApiKey), vec![bearer, api_key]),
        (&["edge"], AuthenticationError::Missing, vec!["Bearer realm=\"bartizan\", header=\"x-token\""]),
        (&["mesh", "hosts"], AuthenticationError::Missing, vec!["Certificate realm=\"bartizan\""]),
    ];
    for (providers, error, expected) in cases {
        assert_eq!(shop.select(providers).challenges(&error), expected, "{providers:?} {error}");
    }
}

#[tokio::test]
async fn a_token_that_gives_too_little_is_told_so() {
    let shop = Shop::open();
    let selection = shop.select(&["users", "staff", "partners"]);
    let told = |kind, provider: &str| {
        let principal = Principal {
            id: "ada".into(),
            kind,
            organization: None,
            provider: provider.parse().unwrap(),
            multi_factor: false,
        };
        selection.insufficient_scope(&principal).to_vec()
    };
    let challenge = "Bearer realm=\"bartizan\", error=\"insufficient_scope\"";
    assert_eq!(told(PrincipalKind::Token, "users"), [challenge]);
    assert_eq!(told(PrincipalKind::ApiKey, "partners"), [""; 0]);
    assert_eq!(told(PrincipalKind::Token, "elsewhere"), [""; 0]);
}

#[tokio::test]
async fn configurations_that_cannot_work_are_refused() {
    let shop = Shop::open();
    let unknown = shop.authenticator.select(&names(&["users", "nobody"]), &[]).unwrap_err();
    assert_eq!(unknown.to_string(), "`nobody` is not an entry of `identity`");

    let secret = || JwtKeys::Secret("s".repeat(32).into());
    let change = |settings: &mut JwtProvider| settings.algorithms = vec![bartizan_config::Algorithm::HS256];
    let same_issuer = authenticator(&[jwt("one", secret(), change), jwt("two", secret(), change)]).unwrap();
    assert!(same_issuer.select(&names(&["one"]), &[]).is_ok());
    let error = same_issuer.select(&names(&["one", "two"]), &[]).unwrap_err();
    assert!(matches!(error, IdentityError::SameIssuer(..)), "{error}");

    let refused = |provider| authenticator(&[provider]).unwrap_err();
    let error = refused(api_keys("partners", &[("alice", ALICE_KEY), ("bob", ALICE_KEY)]));
    assert_eq!(
        error.to_string(),
        "`partners` gives `alice` and `bob` the same credential: every client needs its own"
    );
    let error = refused(certificates("mesh", SubjectAlternativeName::Uri, &["spiffe://a", "spiffe://a"]));
    assert!(matches!(error, IdentityError::SameCredential { .. }), "{error}");
    let error = refused(jwt("short", JwtKeys::Secret("short".into()), change));
    assert_eq!(error.to_string(), "the secret of `short` has 5 bytes: HS256 needs at least 32");
    let error = refused(jwt("file", JwtKeys::JwksFile(PathBuf::from("/nowhere/jwks.json")), |_| {}));
    assert!(error.to_string().starts_with("`file` cannot read `/nowhere/jwks.json`: "), "{error}");
}

#[tokio::test]
async fn a_url_makes_ready_and_survives_a_reload() {
    let issuer = Issuer::ed25519("a");
    let server = JwksServer::start("not yet").await;
    let keys = || JwtKeys::JwksUrl {
        url: server.url.clone(),
        ca: None,
        refresh: std::time::Duration::from_mins(10),
    };
    let providers = [jwt("users", keys(), |_| {})];
    let index = Arc::new(PermissionIndex::new([]));
    let first = Authenticator::of_providers(&providers, &[], &index, None).unwrap();
    let token = issuer.token(&claims_with(&serde_json::json!({
        "exp": SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 60,
    })));
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let head = head_with(headers);
    let presented = presented(&head);
    let authenticate = |authenticator: &Authenticator| {
        authenticator.authenticate(&authenticator.select(&names(&["users"]), &[]).unwrap(), &presented)
    };

    server.fetched(1).await;
    assert!(!first.ready());
    let unavailable = AuthenticationError::Unavailable { provider: "users".parse().unwrap() };
    assert_eq!(authenticate(&first).unwrap_err(), unavailable);

    server.serve(jwks(&[&issuer]));
    first.wait_ready().await;
    assert!(first.ready());
    let fetches = server.fetches();
    let before = authenticate(&first).unwrap();

    let second = Authenticator::of_providers(&providers, &[], &index, Some(&first)).unwrap();
    drop(first);
    assert!(second.ready(), "keys are taken over");
    assert_eq!(server.fetches(), fetches);
    let after = authenticate(&second).unwrap();
    assert!(!Arc::ptr_eq(&before.identified, &after.identified), "verified tokens are not");
}

#[tokio::test]
async fn a_rotation_ends_what_its_key_had_proven() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("newer"));
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let authenticator = authenticator(&[jwt("users", JwtKeys::JwksFile(path.clone()), |_| {})]).unwrap();
    let selection = authenticator.select(&names(&["users"]), &[]).unwrap();
    let headers = HeaderMap::from_iter([(
        header::AUTHORIZATION,
        format!("Bearer {}", old.token(&claims())).parse().unwrap(),
    )]);
    let head = head_with(headers);
    let check = || selection.authenticate(&presented(&head), now());

    let remembered = check().unwrap();
    assert!(Arc::ptr_eq(&remembered.identified, &check().unwrap().identified));
    tokio::time::pause();
    std::fs::write(&path, jwks(&[&new])).unwrap();
    for _ in 0..600 {
        if check().is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let provider: Name = "users".parse().unwrap();
    assert_eq!(
        check().unwrap_err(),
        AuthenticationError::Invalid { provider, reason: InvalidReason::UnknownKey }
    );
}

#[test]
fn generated_keys_are_long_and_different() {
    let (key, hash) = generate_api_key("shop").unwrap();
    let (other, other_hash) = generate_api_key("shop").unwrap();
    assert_eq!(key.expose_secret().len(), "shop_".len() + 43 + 6);
    assert!(key.expose_secret().starts_with("shop_"));
    assert_eq!(hash, hash_api_key(key.expose_secret()));
    assert_ne!(key.expose_secret(), other.expose_secret());
    assert_ne!(hash, other_hash);
    for prefix in ["", "a b", "é", "a\n", &"a".repeat(33)] {
        assert!(matches!(generate_api_key(prefix), Err(IdentityError::KeyPrefix(_))), "{prefix:?}");
    }
    let known = hash_api_key("abc");
    assert_eq!(known[..4], [0xba, 0x78, 0x16, 0xbf], "SHA-256 of `abc`, FIPS 180-4");
}
