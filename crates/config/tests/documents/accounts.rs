//! `accounts:` and `store:`.

use std::time::Duration;

use bartizan_config::{
    Algorithm, Cors, Destination, JwtKeys, LoginProtection, MailTransport, Origins, PasswordProfile,
    Provider, SameSite, SignUp, SmtpTls, StoreLocation,
};

use crate::{folder, parse_in};

fn document(rest: &str) -> String {
    format!(
        "version: 1\n{rest}\nidentity: {{ people: {{ session: {{}} }} }}\n\
         routes: [{{ path: /a, to: \"http://localhost:1\", auth: people }}]\n"
    )
}

const HTTPS: &str = "listen: { https: \"0.0.0.0:8443\" }\ntls: { cert: ./cert.pem, key: ./key.pem }\n";
const LOOPBACK: &str = "listen: { http: \"127.0.0.1:8080\" }\n";

#[test]
fn accounts_have_defaults() {
    let folder = folder();
    let loaded = parse_in(folder.path(), &document(&format!("{HTTPS}accounts: {{}}"))).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let accounts = loaded.config.accounts.unwrap();
    assert_eq!((accounts.prefix.as_str(), accounts.sign_up), ("/auth", SignUp::Off));
    assert_eq!(accounts.passwords.profile, PasswordProfile::Nist);
    assert_eq!(accounts.passwords.memory_kib, 19 * 1024);
    let sessions = accounts.sessions;
    assert_eq!(sessions.lifetime, Duration::from_hours(7 * 24));
    assert_eq!(sessions.renew_after, Duration::from_hours(24));
    assert_eq!(sessions.absolute, Duration::from_hours(30 * 24));
    assert_eq!((sessions.at_most, sessions.same_site), (5, SameSite::Lax));
    assert_eq!((sessions.cookie.as_str(), sessions.is_secure()), ("__Host-bartizan", true));
    assert_eq!(sessions.domain, None);
    assert_eq!(loaded.config.store, None);
    let asked: Vec<_> = accounts.second_factor.roles.iter().map(bartizan_model::Name::as_str).collect();
    assert_eq!(asked, ["super_admin", "org_admin"], "administrators");
    let LoginProtection { failures, window, pause, resets, resets_window } = accounts.protection;
    assert_eq!((failures, resets, resets_window), (5, 3, Duration::from_hours(1)));
    assert_eq!((window, pause), (Duration::from_mins(15), Duration::from_mins(30)));
}

#[test]
fn accounts_take_other_numbers_words_and_cookies() {
    let folder = folder();
    std::fs::write(folder.path().join("known.txt"), "123456\n").unwrap();
    let text = format!(
        "{HTTPS}accounts: {{ protection: {{ failures: 3, window: 5min, pause: 1h, resets: 5/d }}, \
         session: {{ domain: Shop.test }}, second_factor: {{ roles: [] }}, \
         password: {{ blocklist: ./known.txt, context_words: [zeppelin] }} }}"
    );
    let loaded = parse_in(folder.path(), &document(&text)).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let accounts = loaded.config.accounts.unwrap();
    let LoginProtection { failures, window, pause, resets, resets_window } = accounts.protection;
    assert_eq!((failures, resets, resets_window), (3, 5, Duration::from_hours(24)));
    assert_eq!((window, pause), (Duration::from_mins(5), Duration::from_hours(1)));
    assert!(accounts.second_factor.roles.is_empty());
    assert_eq!(accounts.passwords.blocklist, Some(folder.path().join("known.txt")));
    assert_eq!(accounts.passwords.context_words, ["zeppelin"]);
    let sessions = accounts.sessions;
    assert_eq!(sessions.domain.as_deref(), Some("shop.test"));
    assert_eq!((sessions.cookie.as_str(), sessions.is_secure()), ("__Secure-bartizan", true));
}

#[test]
fn accounts_bring_their_routes_behind_limits() {
    let folder = folder();
    let loaded =
        parse_in(folder.path(), &document(&format!("{HTTPS}accounts: {{ prefix: /id/v1 }}"))).unwrap();
    let own: Vec<_> =
        loaded.config.routes.iter().filter(|route| route.destination == Destination::Accounts).collect();
    let paths: Vec<_> = own.iter().map(|route| route.path.as_str()).collect();
    for guessed in
        ["/id/v1/login", "/id/v1/login/factor", "/id/v1/password/reset", "/id/v1/sign-up", "/id/v1/**"]
    {
        assert!(paths.contains(&guessed), "{guessed}: {paths:?}");
    }
    for route in own {
        let names: Vec<_> =
            route.limits.iter().map(|index| loaded.config.limits[index.0].name.as_str()).collect();
        let expected = match route.path.as_str().trim_start_matches("/id/v1/") {
            "**" => "account",
            "keys/**"
            | "organization/keys/**"
            | "organization/services/**"
            | "roles/**"
            | "bindings/**"
            | "invitations/**" => "admin",
            "login" => "login",
            _ => "auth",
        };
        assert_eq!(names, [expected], "{}", route.path.as_str());
    }
}

#[test]
fn endpoints_of_accounts_have_the_limits_that_are_named() {
    let folder = folder();
    let text = document(&format!(
        "{HTTPS}limits: {{ few: [{{ per: address, rate: 1/h }}], more: [{{ per: address, rate: 9/h }}] }}\n\
         accounts: {{ limits: {{ login: few, keys: [few, more], others: more }} }}"
    ));
    let config = parse_in(folder.path(), &text).unwrap().config;
    let limits_of = |path: &str| -> Vec<&str> {
        let route = config.routes.iter().find(|route| route.path.as_str() == path).unwrap();
        route.limits.iter().map(|index| config.limits[index.0].name.as_str()).collect()
    };
    assert_eq!(limits_of("/auth/login"), ["few"]);
    assert_eq!(limits_of("/auth/keys/**"), ["few", "more"]);
    assert_eq!(limits_of("/auth/roles/**"), ["admin"]);
    assert_eq!(limits_of("/auth/**"), ["more"]);
    let unknown = text.replace("others: more", "others: none-such");
    assert!(parse_in(folder.path(), &unknown).is_err());
}

#[test]
fn grants_of_tokens_have_limits_of_their_own() {
    let folder = folder();
    let limits_of = |limits: &str| {
        let text = document(&format!(
            "{HTTPS}limits: {{ few: [{{ per: address, rate: 1/h }}], more: [{{ per: address, rate: 9/h }}] }}\n\
             accounts: {{ tokens: {{ issuer: \"https://id.shop.test\", \
             secret: \"0123456789abcdef0123456789abcdef\" }}, limits: {limits} }}"
        ));
        let config = parse_in(folder.path(), &text).unwrap().config;
        ["token", "refresh", "service", "introspect", "jwks"].map(|name| {
            let route = config.routes.iter().find(|route| route.path.as_str() == format!("/auth/{name}"));
            let limits = route.unwrap().limits.iter();
            limits.map(|index| config.limits[index.0].name.to_string()).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(limits_of("{}"), ["token", "refresh", "api-burst", "introspection", "metadata"]);
    // Whoever has limited `tokens` has not left a door beside it open.
    assert_eq!(limits_of("{ tokens: few }"), ["few"; 5]);
    assert_eq!(limits_of("{ tokens: few, refresh: more }"), ["few", "more", "few", "few", "few"]);
    assert_eq!(limits_of("{ service: more }"), ["token", "refresh", "more", "introspection", "metadata"]);
    assert_eq!(
        limits_of("{ introspection: few, metadata: more }"),
        ["token", "refresh", "api-burst", "few", "more"]
    );
}

#[test]
fn pages_of_named_origins_may_ask_for_tokens_without_cookies() {
    let folder = folder();
    let text = document(&format!(
        "{HTTPS}accounts: {{ tokens: {{ issuer: \"https://id.shop.test\", \
         secret: \"0123456789abcdef0123456789abcdef\", \
         cors: {{ origins: [\"https://app.test\"], credentials: true }} }} }}"
    ));
    let config = parse_in(folder.path(), &text).unwrap().config;
    let cors_of = |path: &str| {
        let route = config.routes.iter().find(|route| route.path.as_str() == path);
        route.unwrap_or_else(|| panic!("no `{path}`")).cors.clone()
    };
    for path in ["/auth/token", "/auth/revoke", "/auth/jwks", "/.well-known/openid-configuration"] {
        let Cors::Allow { origins, headers, expose, credentials, .. } = cors_of(path) else {
            panic!("{path} is for pages of its own origin");
        };
        assert_eq!(origins, Origins::List(vec!["https://app.test".into()]), "{path}");
        assert!(headers.iter().any(|name| name == "dpop") && expose.iter().any(|name| name == "dpop-nonce"));
        assert!(!credentials, "{path}");
    }
    for path in ["/auth/introspect", "/auth/login", "/auth/**"] {
        assert_eq!(cors_of(path), Cors::SameOrigin, "{path}");
    }
}

/// An application beside the gateway: `app.shop.test` and `api.shop.test`.
#[test]
fn pages_beside_the_gateway_may_act_by_the_cookie() {
    let folder = folder();
    let parse = |accounts: &str, cors: &str| {
        let text = document(&format!("{HTTPS}accounts: {{ {accounts} }}"))
            .replace("auth: people", &format!("auth: people, cors: {cors}"));
        let loaded = parse_in(folder.path(), &text).unwrap();
        let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
        (loaded.config, warnings)
    };
    let app = r#"{ origins: ["https://app.shop.test"], credentials: true }"#;
    let listed = r#"cors: ["https://app.shop.test"]"#;
    let tokens = r#"tokens: { issuer: "https://api.shop.test", secret: "${REDIS_PASSWORD}0123456789abcdef0123456789abcdef" }"#;
    let (config, warnings) = parse(&format!("{listed}, {tokens}"), app);
    assert!(warnings.is_empty(), "{warnings:?}");
    for route in &config.routes {
        let trusted = !matches!(
            route.path.as_str().trim_start_matches("/auth/"),
            "first-administrator"
                | "token"
                | "refresh"
                | "service"
                | "userinfo"
                | "revoke"
                | "introspect"
                | "jwks"
        ) && !route.path.as_str().starts_with("/.well-known");
        let expected: &[&str] = if trusted { &["https://app.shop.test"] } else { &[] };
        assert_eq!(route.cors.trusted(), expected, "{}", route.path.as_str());
        if let (true, Cors::Allow { headers, .. }) = (trusted, &route.cors) {
            assert!(headers.iter().any(|name| name == "x-csrf-token"), "{}", route.path.as_str());
        }
    }

    let unheard = "pages of `https://app.shop.test` cannot log anybody in, nor learn the token that their writes must repeat";
    assert_eq!(parse("", app).1, [unheard]);
    assert!(parse("session: { domain: shop.test }", app).1.is_empty(), "scripts read the cookie");
    let elsewhere = "browsers send no session with requests of `https://app.shop.test`: it is another site than `shop.example`";
    assert_eq!(parse(&format!("{listed}, session: {{ domain: shop.example }}"), app).1, [elsewhere; 2]);
    assert!(parse("", r#"["https://app.shop.test"]"#).1.is_empty(), "no cookie is meant");
    for any in [r#"cors: "*""#, r#"cors: { origins: "*", credentials: true }"#] {
        assert!(parse_in(folder.path(), &document(&format!("{HTTPS}accounts: {{ {any} }}"))).is_err());
    }
}

#[test]
fn access_tokens_outlive_the_store_as_long_as_is_said() {
    let folder = folder();
    let parse = |stale_after: &str| {
        let text = document(&format!(
            "{HTTPS}accounts: {{ tokens: {{ issuer: \"https://id.shop.test\", \
             secret: \"0123456789abcdef0123456789abcdef\"{stale_after} }} }}"
        ));
        parse_in(folder.path(), &text).map(|loaded| loaded.config.tokens.unwrap().stale_after)
    };
    assert_eq!(parse("").unwrap(), Duration::from_secs(30));
    assert_eq!(parse(", stale_after: 15min").unwrap(), Duration::from_mins(15));
    for wrong in ["1s", "2h"] {
        assert!(parse(&format!(", stale_after: {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn development_without_tls_is_told() {
    let folder = folder();
    let loaded = parse_in(folder.path(), &document(&format!("{LOOPBACK}accounts: {{}}"))).unwrap();
    assert_eq!(loaded.config.accounts.unwrap().sessions.cookie, "bartizan");
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["sessions are for development: without TLS their cookie is not protected"]);
}

#[test]
fn stores_are_named_by_a_url() {
    let folder = folder();
    let store = |url: &str| {
        let document = document(&format!("{HTTPS}accounts: {{}}\nstore: {{ url: \"{url}\" }}"));
        parse_in(folder.path(), &document).unwrap().config.store.unwrap()
    };
    assert_eq!(store("sqlite:people.db"), StoreLocation::Sqlite(folder.path().join("people.db")));
    let postgres = store("postgres://bartizan:${REDIS_PASSWORD}@db/bartizan");
    assert_eq!(postgres.to_string(), "postgres://db/bartizan");
    assert!(!format!("{postgres:?}").contains(crate::REDIS_PASSWORD));
}

#[test]
fn mail_goes_to_a_server_or_into_a_folder() {
    let folder = folder();
    let mail = |rest: &str| {
        let mail = format!(
            "mail: {{ from: \"Shop <no-reply@shop.test>\", base_url: \"https://shop.test/account/\", {rest} }}"
        );
        let document = document(&format!("{HTTPS}accounts: {{ {mail}, sign_up: open }}"));
        parse_in(folder.path(), &document).unwrap().config.accounts.unwrap().mail.unwrap()
    };
    let sent = mail("smtp: { url: \"smtps://mail.shop.test\", user: shop, password: \"${REDIS_PASSWORD}\" }");
    assert_eq!(
        (sent.from.as_str(), sent.base_url.as_str()),
        ("Shop <no-reply@shop.test>", "https://shop.test/account")
    );
    assert!(!format!("{sent:?}").contains(crate::REDIS_PASSWORD));
    let MailTransport::Smtp(server) = sent.transport else { panic!("{sent:?}") };
    assert_eq!((server.host.as_str(), server.port, server.tls), ("mail.shop.test", 465, SmtpTls::Implicit));
    assert_eq!(server.credentials.unwrap().0, "shop");
    let written = mail("file: ./mail");
    assert!(matches!(written.transport, MailTransport::Folder(path) if path == folder.path().join("mail")));
}

#[test]
fn roles_may_ask_for_a_second_factor() {
    let folder = folder();
    let second_factor = |rest: &str| {
        let document = document(&format!("{HTTPS}accounts: {{ {rest} }}"));
        parse_in(folder.path(), &document).unwrap().config.accounts.unwrap().second_factor
    };
    let default = second_factor("");
    assert_eq!((default.roles.len(), default.issuer.as_str()), (2, "Bartizan"));
    assert_eq!(default.grace, Duration::from_hours(30 * 24));
    assert!(default.key.is_none());
    let asked = second_factor(
        "second_factor: { roles: [super_admin], grace: 7d, issuer: Shop, key: \"${JWT_SECRET}\" }",
    );
    assert_eq!((asked.roles[0].as_str(), asked.issuer.as_str()), ("super_admin", "Shop"));
    assert_eq!(asked.grace, Duration::from_hours(7 * 24));
    assert!(!format!("{asked:?}").contains(crate::LONG_SECRET));
}

#[test]
fn passkeys_are_for_the_public_url_unless_it_is_said() {
    let folder = folder();
    let passkeys = |rest: &str| {
        let document = document(&format!("{HTTPS}accounts: {{ {rest} }}"));
        parse_in(folder.path(), &document).unwrap().config.accounts.unwrap().passkeys
    };
    let found = |rest: &str| passkeys(rest).map(|passkeys| (passkeys.id, passkeys.origins.join(" ")));
    let party = |id: &str, origins: &str| Some((id.to_owned(), origins.to_owned()));
    let mail = "mail: { from: a@b.test, base_url: \"https://shop.test:8443/account\", file: ./mail }";
    assert_eq!(found(""), None);
    assert_eq!(found(mail), party("shop.test", "https://shop.test:8443"));
    assert_eq!(found(&mail.replace("shop.test", "192.0.2.1")), None, "browsers take no addresses");
    assert_eq!(
        found(&format!("passkeys: {{ id: Example.test }}, {mail}")),
        party("example.test", "https://example.test")
    );
    let several = "passkeys: { id: shop.test, origins: [\"https://shop.test\", \"https://my.shop.test\"] }";
    assert_eq!(found(several), party("shop.test", "https://shop.test https://my.shop.test"));
    let local = "passkeys: { id: localhost, origins: \"http://localhost:8080\" }";
    assert_eq!(found(local), party("localhost", "http://localhost:8080"));
}

#[test]
fn codes_by_sms_go_to_a_webhook() {
    let folder = folder();
    let text =
        "accounts: { sms: { webhook: \"https://messages.shop.test/sms\", secret: \"${JWT_SECRET}\" } }";
    let config = parse_in(folder.path(), &document(&format!("{HTTPS}{text}"))).unwrap().config;
    let sms = config.accounts.unwrap().sms.unwrap();
    assert_eq!(
        (sms.webhook.as_str(), sms.timeout),
        ("https://messages.shop.test/sms", Duration::from_secs(5))
    );
    assert!(!format!("{sms:?}").contains(crate::LONG_SECRET));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        ("", "`session` needs `accounts`: nobody can log in"),
        ("accounts: { prefix: \"/a/*\" }", "`/a/*`: a prefix is made of plain segments"),
        ("accounts: { session: { lifetime: 1h, renew_after: 2h } }", "`renew_after` is not shorter than"),
        ("accounts: { session: { absolute: 1d } }", "`absolute` is shorter than `lifetime`"),
        ("accounts: { session: { cookie: \"a b\" } }", "`a b` is not the name of a cookie"),
        ("accounts: { password: { argon2: { memory: 1MiB } } }", "`memory` is 7MiB to 1GiB"),
        ("accounts: { password: { argon2: { iterations: 1 } } }", "guessed too cheaply"),
        ("accounts: { password: { argon2: { iterations: 17 } } }", "`iterations` is 1 to 16"),
        ("accounts: { password: { argon2: { parallelism: 17 } } }", "`parallelism` is 1 to 16"),
        (
            "accounts: {}\noperators: { ada: \"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\", bob: \"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\" }",
            "`ada` has the same token",
        ),
        ("accounts: {}\nstore: { url: \"mysql://db\" }", "this is not the URL of a database"),
        ("accounts: { prefix: /a, sign_up: maybe }", "`maybe` is not known here"),
        ("accounts: { sign_up: open }", "`sign_up` needs `mail`"),
        ("accounts: { sign_up: invite }", "`sign_up` needs `mail`"),
        ("accounts: { mail: { from: a@b.test, base_url: \"https://a\" } }", "needs one of `smtp` and `file`"),
        (
            "accounts: { mail: { from: Shop, base_url: \"https://a\", file: ./mail } }",
            "`from` is neither an address nor a name and an address",
        ),
        (
            "accounts: { mail: { from: a@b.test, base_url: \"https://a\", smtp: { url: \"smtps://a\", user: a } } }",
            "a login is a `user` and its `password`",
        ),
        (
            "accounts: { session: { domain: shop.test, cookie: __Host-id } }",
            "no `__Host-` cookie with a `domain`",
        ),
        ("accounts: { session: { domain: test } }", "`test` is not a domain that cookies can have"),
        ("accounts: { session: { domain: 192.0.2.7 } }", "`192.0.2.7` is not a domain that cookies can have"),
        ("accounts: { protection: { failures: 101 } }", "`failures` is 1 to 100"),
        ("accounts: { protection: { window: 10s } }", "`window` is 1min to 1d"),
        ("accounts: { protection: { pause: 2d } }", "`pause` is 1min to 1d"),
        ("accounts: { protection: { resets: 3/7d } }", "`resets` is up to 100 in 1min to 1d"),
        ("accounts: { password: { blocklist: ./none.txt } }", "none.txt"),
        ("accounts: { password: { context_words: [ab] } }", "a word has 3 to 64 characters"),
        ("accounts: { second_factor: { key: short } }", "`key` is shorter than 32 bytes"),
        ("accounts: { second_factor: { issuer: \"a:b\" } }", "`issuer` is 1 to 64 characters"),
        ("accounts: { passkeys: { id: 192.0.2.1 } }", "`192.0.2.1` is no domain"),
        ("accounts: { passkeys: { id: \"*.shop.test\" } }", "`*.shop.test` is no domain"),
        (
            "accounts: { passkeys: { id: shop.test, origins: \"https://evilshop.test\" } }",
            "`https://evilshop.test` is neither `shop.test` nor a host under it",
        ),
        (
            "accounts: { passkeys: { id: shop.test, origins: \"http://shop.test\" } }",
            "browsers have no passkeys for pages without TLS",
        ),
        ("accounts: { passkeys: { id: shop.test, origins: [] } }", "`origins` is empty"),
        (
            "accounts: { sms: { webhook: \"http://messages.test\", secret: \"${JWT_SECRET}\" } }",
            "codes would travel in clear",
        ),
        (
            "accounts: { sms: { webhook: \"https://messages.test\", secret: short } }",
            "the secret is 5 bytes long, and `hmac-sha256` needs at least 32",
        ),
        (
            "accounts: { sms: { webhook: \"https://messages.test\", secret: \"${JWT_SECRET}\", timeout: 1min } }",
            "`timeout` is at most 30 s",
        ),
    ];
    let folder = folder();
    for (rest, expected) in cases {
        let error = parse_in(folder.path(), &document(&format!("{HTTPS}{rest}"))).unwrap_err().to_string();
        assert!(error.contains(expected), "{rest}: {error}");
    }
}

#[test]
fn a_route_in_the_place_of_an_endpoint_is_refused() {
    let folder = folder();
    let text = format!(
        "version: 1\n{HTTPS}accounts: {{}}\nidentity: {{ people: {{ session: {{}} }} }}\n\
         routes: [{{ path: /auth/**, to: \"http://localhost:1\", auth: people }}]\n"
    );
    let error = parse_in(folder.path(), &text).unwrap_err().to_string();
    assert!(error.contains("matches the same requests as `/auth/**` here"), "{error}");
}

const TOKENS: &str = "issuer: \"https://id.shop.test\", secret: \"0123456789abcdef0123456789abcdef\"";

#[test]
fn tokens_have_defaults_and_describe_themselves() {
    let folder = folder();
    let own = format!(
        "{HTTPS}accounts: {{ tokens: {{ {TOKENS}, clients: {{ app: {{ redirect_uris: [\"https://app.test/\"] }} }} }} }}"
    );
    let text = document(&own).replace("session: {}", "token: {}");
    let loaded = parse_in(folder.path(), &text).unwrap();
    let messages: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, ["whoever reads this document knows the secret"]);
    let tokens = loaded.config.tokens.unwrap();
    assert_eq!(
        (tokens.issuer.as_str(), tokens.endpoints.as_str()),
        ("https://id.shop.test", "https://id.shop.test/auth")
    );
    assert_eq!(tokens.resources, ["https://id.shop.test"]);
    assert_eq!(tokens.algorithm, Algorithm::EdDSA);
    assert_eq!((tokens.access, tokens.grace), (Duration::from_mins(15), Duration::from_secs(10)));
    assert_eq!(
        (tokens.refresh, tokens.absolute),
        (Duration::from_hours(7 * 24), Duration::from_hours(30 * 24))
    );
    assert_eq!((tokens.rotate_keys, tokens.at_most), (Duration::from_hours(30 * 24), 5));
    let Provider::Jwt(jwt) = &loaded.config.identity[0].provider else { panic!("tokens are JWTs") };
    assert!(matches!(jwt.keys, JwtKeys::Own));
    assert_eq!(
        (&jwt.issuer, &jwt.audiences, jwt.types.as_slice()),
        (&tokens.issuer, &tokens.resources, ["at+jwt".to_owned()].as_slice())
    );
    let described =
        loaded.config.routes.iter().filter(|route| route.path.as_str().starts_with("/.well-known"));
    assert_eq!(described.count(), 3);
    let prefixed = own.replace("id.shop.test", "id.shop.test/auth");
    let tokens = parse_in(folder.path(), &document(&prefixed)).unwrap().config.tokens.unwrap();
    assert_eq!(tokens.endpoints, "https://id.shop.test/auth");
}

#[test]
fn tokens_are_signed_with_what_their_resource_or_their_client_needs() {
    let text = format!(
        "{HTTPS}accounts: {{ tokens: {{ issuer: \"https://id.shop.test\", secret: \"0123456789abcdef0123456789abcdef\", \
         resources: [\"https://api.shop.test\", \"https://legacy.shop.test\"], \
         resource_algorithms: {{ \"https://legacy.shop.test\": RS256 }}, \
         clients: {{ old: {{ redirect_uris: [\"https://old.test/\"], algorithm: ES256 }}, \
         app: {{ redirect_uris: [\"https://app.test/\"] }} }} }} }}"
    );
    let tokens = parse_in(folder().path(), &document(&text)).unwrap().config.tokens.unwrap();
    let [api, legacy] = ["https://api.shop.test", "https://legacy.shop.test"].map(ToOwned::to_owned);
    for (client, resources, access, id) in [
        ("app", vec![api.clone()], Algorithm::EdDSA, Algorithm::EdDSA),
        ("old", vec![api.clone()], Algorithm::ES256, Algorithm::ES256),
        ("old", vec![api, legacy.clone()], Algorithm::RS256, Algorithm::ES256),
        ("a service", vec![legacy], Algorithm::RS256, Algorithm::EdDSA),
    ] {
        let found = (tokens.access_algorithm(client, &resources), tokens.client_algorithm(client));
        assert_eq!(found, (access, id), "{client} {resources:?}");
    }
    assert_eq!(tokens.algorithms(), [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]);
}

#[test]
fn tokens_that_make_no_sense_are_refused() {
    let long = "secret: \"0123456789abcdef0123456789abcdef\"";
    let cases = [
        ("issuer: \"http://id.shop.test\"", long, "tokens would travel in clear"),
        ("issuer: \"https://id.shop.test/\"", long, "is not where the endpoints are"),
        ("issuer: \"https://id.shop.test/elsewhere\"", long, "is not where the endpoints are"),
        ("issuer: \"https://id.shop.test\"", "secret: short", "the secret is 5 bytes long"),
        ("issuer: \"https://id.shop.test\", access: 2h", long, "`access` is at most 3600 s"),
        ("issuer: \"https://id.shop.test\", grace: 2min", long, "`grace` is at most 60 s"),
        ("issuer: \"https://id.shop.test\", absolute: 1d", long, "`absolute` is shorter than `refresh`"),
        ("issuer: \"https://id.shop.test\", rotate_keys: 1h", long, "`rotate_keys` is less than a day"),
        ("issuer: \"https://id.shop.test\", resources: []", long, "`resources` is empty"),
        (
            "issuer: \"https://id.shop.test\", resource_algorithms: { \"https://a.test\": ES256 }",
            long,
            "no token is for `https://a.test`",
        ),
        (
            "issuer: \"https://id.shop.test\", clients: { a: { redirect_uris: [\"http://a.test/\"] } }",
            long,
            "nobody can be sent back here safely",
        ),
        (
            "issuer: \"https://id.shop.test\", clients: { a: { redirect_uris: [\"javascript:alert(1)\"] } }",
            long,
            "nobody can be sent back here safely",
        ),
        (
            "issuer: \"https://id.shop.test\", clients: { a: { redirect_uris: [\"https://a.test/#b\"] } }",
            long,
            "nobody can be sent back here safely",
        ),
    ];
    let folder = folder();
    for (rest, secret, expected) in cases {
        let text = document(&format!("{HTTPS}accounts: {{ tokens: {{ {rest}, {secret} }} }}"));
        let error = parse_in(folder.path(), &text).unwrap_err().to_string();
        assert!(error.contains(expected), "{rest}: {error}");
    }
    let without = document(&format!("{HTTPS}accounts: {{}}")).replace("session: {}", "token: {}");
    let error = parse_in(folder.path(), &without).unwrap_err().to_string();
    assert!(error.contains("`token` needs `accounts.tokens`"), "{error}");
}
