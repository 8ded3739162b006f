//! What people do for themselves: prove an address, a second factor, themselves again.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bartizan_identity::second_factor::totp::{Totp, TotpSecret};
use serde_json::{Value, json};

use crate::{
    accounts::{CHEAP, PASSWORD, Session, create, log_in_as},
    harness::{Gateway, PATIENCE},
    issuer::{self, Issuer},
    phrases::{ready, refusal, values},
    upstream::Upstream,
};

const NEW: &str = "quartz-Lantern-4-violet";

fn document(upstream: &Upstream, accounts: &str) -> String {
    format!(
        r#"
accounts: {{ {CHEAP}, {accounts} mail: {{ from: shop@shop.test, base_url: "https://shop.test", file: ./mail }} }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
  own: [{{ per: user, rate: 1000/h }}]
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /private/**, to: "{upstream}", auth: people, limit: own }}
  - {{ path: /payouts/**, to: "{upstream}", auth: people, mfa: within 15m }}
"#
    )
}

/// The text of the one message to this address, which is taken out.
async fn message(gateway: &Gateway, to: &str) -> String {
    let inbox = gateway.folder().join("mail");
    let take = || {
        let entries = std::fs::read_dir(&inbox).unwrap().filter_map(Result::ok).map(|entry| entry.path());
        let is_message = |path: &PathBuf| path.extension().is_some_and(|end| end == "eml");
        entries.filter(is_message).find_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            text.contains(&format!("To: {to}\r\n")).then(|| {
                std::fs::remove_file(path).unwrap();
                text
            })
        })
    };
    let finding = async {
        loop {
            if let Some(text) = take() {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, finding).await.expect("a message comes")
}

/// What stands in the link of the one message to this address.
pub(crate) async fn token(gateway: &Gateway, to: &str) -> String {
    let text = message(gateway, to).await.replace("=\r\n", "").replace("=3D", "=");
    text.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned()
}

pub(crate) async fn post(gateway: &Gateway, path: &str, body: Value) -> reqwest::Response {
    gateway.client().post(gateway.url(path)).json(&body).send().await.unwrap()
}

pub(crate) async fn began(response: reqwest::Response) -> Session {
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    Session::of(&response.json().await.unwrap(), &values(&headers, "set-cookie"))
}

impl Session {
    pub(crate) async fn ask(&self, gateway: &Gateway, path: &str, body: Value) -> reqwest::Response {
        let request = self.post(gateway, path).header("x-csrf-token", &self.csrf).json(&body);
        request.send().await.unwrap()
    }
}

#[tokio::test]
async fn the_first_administrator_is_whoever_reads_what_the_gateway_prints() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let link = gateway.stdout_line("/auth/first-administrator#token=").await;
    let (page, token) = link.trim().split_once("#token=").unwrap();
    let shown = gateway.client().get(page).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    assert_eq!(values(shown.headers(), "content-type"), ["text/html; charset=utf-8"]);
    assert!(values(shown.headers(), "content-security-policy")[0].contains("script-src 'sha256-"));
    assert!(shown.text().await.unwrap().contains("<form>"));
    let command = gateway.stdout_line("curl --json").await;
    assert!(command.contains(&format!("\"token\": \"{token}\"")) && command.ends_with(page), "{command}");
    let new = json!({ "token": token, "email": "ada@shop.test", "password": PASSWORD });
    let session = began(post(&gateway, "/auth/first-administrator", new.clone()).await).await;
    let seen: Value = session.get(&gateway, "/auth/session").await.json().await.unwrap();
    assert_eq!((&seen["roles"], &seen["amr"]), (&json!(["super_admin"]), &json!(["pwd"])));
    let again = post(&gateway, "/auth/first-administrator", new).await;
    assert_eq!(refusal(again).await, (410, "link_gone".into()));
    assert!(!gateway.log_text().contains(token));
    let next = gateway.successor();
    gateway.stop().await;
    let gateway = next.start().await;
    assert!(!gateway.stdout_text().contains("first-administrator"), "somebody is known");
    gateway.stop().await;
}

#[tokio::test]
async fn strangers_sign_up_and_people_help_themselves() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "sign_up: open, prefix: /people,")).await;
    let eve = json!({ "email": "eve@shop.test", "name": "Eve", "password": PASSWORD });
    assert_eq!(post(&gateway, "/people/sign-up", eve.clone()).await.status(), 202);
    let link = token(&gateway, "eve@shop.test").await;
    let wrong = post(&gateway, "/people/verify-email", json!({ "token": link, "password": NEW })).await;
    assert_eq!(refusal(wrong).await, (401, "wrong_credentials".into()));
    let right = json!({ "token": link, "password": PASSWORD });
    let session = began(post(&gateway, "/people/verify-email", right.clone()).await).await;
    assert_eq!(refusal(post(&gateway, "/people/verify-email", right).await).await, (410, "link_gone".into()));
    let seen: Value = session.get(&gateway, "/people/session").await.json().await.unwrap();
    assert_eq!((&seen["email"], &seen["roles"]), (&json!("eve@shop.test"), &json!(["user"])));
    // Whether there is an account is told by no answer.
    assert_eq!(post(&gateway, "/people/sign-up", eve.clone()).await.status(), 202);
    assert!(message(&gateway, "eve@shop.test").await.contains("have an account already"));
    // The third message of the hour is the last, and nobody pays for a hash that leads to none.
    let zoe = json!({ "email": "zoe@shop.test", "name": "Zoe", "password": PASSWORD });
    let mut paid = Vec::new();
    for _ in 0..4 {
        let before = gateway.metric("bartizan_password_hashes_total").await;
        assert_eq!(post(&gateway, "/people/sign-up", zoe.clone()).await.status(), 202);
        paid.push(gateway.metric("bartizan_password_hashes_total").await > before);
    }
    assert_eq!(paid, [true, true, true, false]);
    let weak = json!({ "email": "bob@shop.test", "name": "Bob", "password": "password1234567" });
    assert_eq!(refusal(post(&gateway, "/people/sign-up", weak).await).await, (422, "weak_password".into()));
    let evil = gateway.client().post(gateway.url("/people/sign-up")).json(&eve);
    let evil = evil.header("origin", "https://evil.test").send().await.unwrap();
    assert_eq!(refusal(evil).await, (403, "cross_site_refused".into()));

    for email in ["eve@shop.test", "nobody@shop.test"] {
        let forgotten = post(&gateway, "/people/password/forgotten", json!({ "email": email })).await;
        assert_eq!(forgotten.status(), 202, "{email}");
    }
    let link = token(&gateway, "eve@shop.test").await;
    let reset = json!({ "token": link, "password": NEW });
    assert_eq!(post(&gateway, "/people/password/reset", reset).await.status(), 204);
    assert_eq!(session.get(&gateway, "/private/1").await.status(), 401, "every session has ended");
    let login = json!({ "email": "eve@shop.test", "password": NEW });
    let session = began(post(&gateway, "/people/login", login).await).await;
    let url = gateway.url("/people/profile");
    let rename =
        gateway.client().patch(url).header("cookie", &session.cookie).json(&json!({ "name": "Eva" }));
    assert_eq!(refusal(rename.try_clone().unwrap().send().await.unwrap()).await.1, "cross_site_refused");
    let renamed: Value =
        rename.header("x-csrf-token", &session.csrf).send().await.unwrap().json().await.unwrap();
    assert_eq!(renamed["name"], "Eva");
    let texts = gateway.log_text();
    assert!(!texts.contains(&link) && !texts.contains(NEW));
    gateway.stop().await;
}

#[tokio::test]
async fn an_operator_invites_somebody() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "sign_up: invite,")).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let invited =
        gateway.cli(["user", "invite", "bob@shop.test", "--role", "org_admin", "--org", "Acme"]).await;
    assert!(invited.succeeded().starts_with("bob@shop.test is invited as org_admin"));
    let accept =
        json!({ "token": token(&gateway, "bob@shop.test").await, "name": "Bob", "password": PASSWORD });
    let bob = began(post(&gateway, "/auth/invitations/accept", accept).await).await;
    let invite = json!({ "email": "guest@shop.test", "role": "viewer" });
    assert_eq!(bob.ask(&gateway, "/auth/invitations", invite).await.status(), 201);
    token(&gateway, "guest@shop.test").await;
    let more = json!({ "email": "guest@shop.test", "role": "super_admin" });
    let more = bob.ask(&gateway, "/auth/invitations", more).await;
    assert_eq!(refusal(more).await, (403, "insufficient_permissions".into()));
    let listed: Value = bob.get(&gateway, "/auth/invitations").await.json().await.unwrap();
    assert_eq!(listed["invitations"][0]["email"], "guest@shop.test");
    assert_eq!(listed["invitations"][0]["role_expires"], Value::Null);

    // To a part of a role, for a while.
    let part = json!({ "email": "temp@shop.test", "role": "super_admin", "scope": ["user:read"],
        "role_expires": "2099-01-01T00:00:00Z" });
    let made: Value = bob.ask(&gateway, "/auth/invitations", part).await.json().await.unwrap();
    assert_eq!(
        (&made["scope"], &made["role_expires"]),
        (&json!(["user:read"]), &json!("2099-01-01T00:00:00Z"))
    );
    let link = token(&gateway, "temp@shop.test").await;
    let accept = json!({ "token": link, "name": "Temp", "password": PASSWORD });
    let temp = began(post(&gateway, "/auth/invitations/accept", accept).await).await;
    let seen: Value = temp.get(&gateway, "/auth/session").await.json().await.unwrap();
    assert_eq!((&seen["permissions"], &seen["roles"]), (&json!(["user:read"]), &json!([])));
    let arguments = [
        "user",
        "invite",
        "brief@shop.test",
        "--role",
        "user",
        "--org",
        "Acme",
        "--scope",
        "user:read",
        "--for",
        "1h",
        "--json",
    ];
    let made: Value = serde_json::from_str(&gateway.cli(arguments).await.succeeded()).unwrap();
    assert_eq!(made["scope"], json!(["user:read"]));
    assert_eq!(made["expires"], made["role_expires"], "the invitation ends with the role");
    gateway.stop().await;
}

/// An authenticator app, as it reads what it is shown.
fn app(enrolled: &Value) -> TotpSecret {
    let digits = enrolled["secret"].as_str().unwrap().bytes();
    let bits: Vec<u8> = digits
        .flat_map(|digit| {
            let value = if digit.is_ascii_digit() { digit - b'2' + 26 } else { digit - b'A' };
            (0..5).rev().map(move |bit| value >> bit & 1)
        })
        .collect();
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    TotpSecret::from_bytes(&bytes).unwrap()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_where_it_is_enrolled() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let session = began(log_in_as(&gateway, "ada@shop.test", PASSWORD).await).await;
    // One factor is not enough here: RFC 9470.
    let refused = session.get(&gateway, "/payouts/1").await;
    let challenge = values(refused.headers(), "www-authenticate").join(" ");
    for part in ["error=\"insufficient_user_authentication\"", "max_age=\"900\"", "acr_values=\"http"] {
        assert!(challenge.contains(part), "{part}: {challenge}");
    }
    assert_eq!(refusal(refused).await, (401, "insufficient_user_authentication".into()));

    let enrolled = session.ask(&gateway, "/auth/factors/totp", json!({ "name": "phone" })).await;
    assert_eq!(enrolled.status(), 201);
    let enrolled: Value = enrolled.json().await.unwrap();
    assert!(enrolled["uri"].as_str().unwrap().starts_with("otpauth://totp/"));
    assert!(enrolled["qr"].as_str().unwrap().contains("<svg"));
    let app = app(&enrolled);
    let code = |steps: i32| {
        let now = SystemTime::now();
        let moment = if steps < 0 { now - Duration::from_secs(30) } else { now + Duration::from_secs(30) };
        Totp::default().code(&app, if steps == 0 { now } else { moment })
    };
    let confirm = format!("/auth/factors/{}/confirm", enrolled["id"].as_str().unwrap());
    let confirmed = session.ask(&gateway, &confirm, json!({ "code": code(-1) })).await;
    assert_eq!(confirmed.status(), 200);
    let confirmed: Value = confirmed.json().await.unwrap();
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200, "it was just shown");

    let pending = log_in_as(&gateway, "ada@shop.test", PASSWORD).await;
    assert_eq!(pending.status(), 202);
    assert!(values(pending.headers(), "set-cookie").is_empty());
    let pending: Value = pending.json().await.unwrap();
    assert_eq!(pending["factors"], json!(["totp", "recovery_code"]));
    let factor = |code: &str| json!({ "ticket": pending["ticket"], "factor": "totp", "code": code });
    let wrong = post(&gateway, "/auth/login/factor", factor("000000")).await;
    assert_eq!(refusal(wrong).await, (401, "wrong_code".into()));
    let session = began(post(&gateway, "/auth/login/factor", factor(&code(0))).await).await;
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200);

    // From another kind of client: asked again where a second factor counts, and nowhere else.
    let elsewhere = async |path: &str| {
        let request = gateway.client().get(gateway.url(path)).header("cookie", &session.cookie);
        request.header("user-agent", "python-requests/2.31").send().await.unwrap()
    };
    let quota = |response: &reqwest::Response| {
        let told = response.headers()["ratelimit-policy"].to_str().unwrap();
        told.split(';').find_map(|part| part.strip_prefix("q=")).unwrap().to_owned()
    };
    assert_eq!(quota(&session.get(&gateway, "/private/1").await), "1000");
    let tolerated = elsewhere("/private/1").await;
    assert_eq!((tolerated.status().as_u16(), quota(&tolerated).as_str()), (200, "500"), "and a risk");
    let explained = gateway.cli(["explain", tolerated.headers()["x-request-id"].to_str().unwrap()]).await;
    let explained = explained.succeeded();
    assert!(explained.contains("by people, from elsewhere than where they were proven"), "{explained}");
    assert_eq!(refusal(elsewhere("/payouts/1").await).await.1, "insufficient_user_authentication");
    let at_home = session.get(&gateway, "/payouts/1").await;
    assert_eq!(refusal(at_home).await.1, "insufficient_user_authentication", "until somebody proves it");
    let password = json!({ "factor": "password", "secret": PASSWORD });
    let weak = session.ask(&gateway, "/auth/step-up", password).await;
    assert_eq!(refusal(weak).await, (401, "insufficient_user_authentication".into()));
    let stepped =
        session.ask(&gateway, "/auth/step-up", json!({ "factor": "totp", "secret": code(1) })).await;
    assert_eq!(stepped.json::<Value>().await.unwrap()["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200);
    assert_eq!(quota(&session.get(&gateway, "/private/1").await), "1000");

    let reset = gateway.cli(["user", "reset-factors", "ada@shop.test"]).await.succeeded();
    assert!(reset.contains("ada@shop.test has no second factor"), "{reset}");
    assert_eq!(session.get(&gateway, "/private/1").await.status(), 401);
    let session = began(log_in_as(&gateway, "ada@shop.test", PASSWORD).await).await;
    assert_eq!(session.get(&gateway, "/private/1").await.status(), 200);
    let trail: Value = gateway.ask_admin("/v1/audit", None).await.json().await.unwrap();
    let actions: Vec<&str> =
        trail["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    for action in ["factor.add", "login.password", "session.moved", "session.step_up", "user.reset_factors"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_is_paused_comes_back_by_password_and_code_at_once() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let session = began(log_in_as(&gateway, "ada@shop.test", PASSWORD).await).await;
    let enrolled = session.ask(&gateway, "/auth/factors/totp", json!({ "name": "phone" })).await;
    let enrolled: Value = enrolled.json().await.unwrap();
    let app = app(&enrolled);
    let confirm = format!("/auth/factors/{}/confirm", enrolled["id"].as_str().unwrap());
    let earlier = Totp::default().code(&app, SystemTime::now() - Duration::from_secs(30));
    assert_eq!(session.ask(&gateway, &confirm, json!({ "code": earlier })).await.status(), 200);
    for _ in 0..5 {
        log_in_as(&gateway, "ada@shop.test", "not-the-password-at-all").await;
    }
    let code = Totp::default().code(&app, SystemTime::now());
    let both = async |password: &str, code: &str| {
        let body = json!({ "email": "ada@shop.test", "password": password, "factor": "totp", "code": code });
        post(&gateway, "/auth/login", body).await
    };
    for (password, code) in [("not-the-password-at-all", code.as_str()), (PASSWORD, "000000")] {
        assert_eq!(refusal(both(password, code).await).await, (429, "too_many_attempts".into()));
    }
    let alone = log_in_as(&gateway, "ada@shop.test", PASSWORD).await;
    assert_eq!(refusal(alone).await, (429, "too_many_attempts".into()));
    let session = began(both(PASSWORD, &code).await).await;
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200, "proven by two");
    assert_eq!(log_in_as(&gateway, "ada@shop.test", PASSWORD).await.status(), 202, "the pause has ended");
    gateway.stop().await;
}

#[tokio::test]
async fn administrators_are_asked_for_a_second_factor_by_default() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    for (email, role, is_asked) in [
        ("ada@shop.test", "super_admin", true),
        ("bob@shop.test", "org_admin", true),
        ("eve@shop.test", "user", false),
    ] {
        create(&gateway, email, &[role]).await;
        let answer: Value = log_in_as(&gateway, email, PASSWORD).await.json().await.unwrap();
        assert_eq!(answer["second_factor_due"].is_string(), is_asked, "{role}: {answer}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_role_asks_for_a_second_factor() {
    let upstream = Upstream::start().await;
    let policy = "second_factor: { roles: [super_admin], grace: 0s },";
    let gateway = Gateway::start(&document(&upstream, policy)).await;
    create(&gateway, "ada@shop.test", &["super_admin"]).await;
    let login = log_in_as(&gateway, "ada@shop.test", PASSWORD).await;
    let headers = login.headers().clone();
    let answer: Value = login.json().await.unwrap();
    assert!(answer["second_factor_due"].is_string(), "{answer}");
    let session = Session::of(&answer, &values(&headers, "set-cookie"));
    assert_eq!(refusal(session.get(&gateway, "/private/1").await).await, (403, "mfa_required".into()));
    let enrolled = session.ask(&gateway, "/auth/factors/totp", json!({ "name": "phone" })).await;
    let enrolled: Value = enrolled.json().await.unwrap();
    let confirm = format!("/auth/factors/{}/confirm", enrolled["id"].as_str().unwrap());
    let code = Totp::default().code(&app(&enrolled), SystemTime::now());
    assert_eq!(session.ask(&gateway, &confirm, json!({ "code": code })).await.status(), 200);
    assert_eq!(session.get(&gateway, "/private/1").await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_says_when_its_person_was_proven() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let gateway = ready(&format!(
        "identity: {{ shop-users: {provider} }}\n\
         routes: [{{ path: /payouts/**, to: \"{upstream}\", auth: shop-users, mfa: within 15m }}]"
    ))
    .await;
    let (now, class) = (issuer::now(), "https://refeds.org/profile/mfa");
    let cases = [
        (json!({ "amr": ["pwd", "otp"], "auth_time": now - 60 }), 200, ""),
        (json!({ "acr": class, "auth_time": now - 60 }), 200, ""),
        (json!({ "amr": ["pwd", "otp"], "auth_time": now - 3600 }), 401, "insufficient_user_authentication"),
        (json!({ "amr": ["pwd", "otp"] }), 401, "insufficient_user_authentication"),
        (json!({ "amr": ["pwd"], "auth_time": now }), 401, "insufficient_user_authentication"),
        (json!({ "acr": "0", "auth_time": now }), 401, "insufficient_user_authentication"),
        (json!({ "amr": ["mfa"], "auth_time": now + 3600 }), 401, "invalid_authentication_token"),
        (json!({ "amr": ["mfa"], "auth_time": "now" }), 401, "invalid_authentication_token"),
    ];
    for (claims, status, code) in cases {
        let token = issuer.token(claims.clone());
        let request = gateway.client().get(gateway.url("/payouts/1")).bearer_auth(token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{claims}");
        if status == 401 {
            assert_eq!(refusal(response).await.1, code, "{claims}");
        }
    }
    gateway.stop().await;
}

/// The firewall asks for proof where a class of rules is set to, and lets whoever has it pass.
#[tokio::test]
async fn the_firewall_asks_people_for_proof() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let gateway = ready(&format!(
        "identity: {{ shop-users: {provider} }}\n\
         routes:\n  - path: /notes/**\n    to: \"{upstream}\"\n    auth: shop-users\n    \
         waf: {{ actions: [{{ tag: attack-sqli, action: challenge }}] }}"
    ))
    .await;
    let now = issuer::now();
    let ask = async |claims: Value, query: &str| {
        let request = gateway.client().get(gateway.url(&format!("/notes/1?{query}")));
        request.bearer_auth(issuer.token(claims)).send().await.unwrap()
    };
    let (note, script) = ("id=1%27%20OR%20%271%27%3D%271", "id=%3Cscript%3Ealert(1)%3C/script%3E");
    let (once, twice) =
        (json!({ "amr": ["pwd"], "auth_time": now }), json!({ "amr": ["mfa"], "auth_time": now }));
    let late = json!({ "amr": ["mfa"], "auth_time": now - 3600 });
    assert_eq!(ask(once.clone(), "id=7").await.status(), 200);
    for claims in [once, late] {
        let asked = ask(claims, note).await;
        let challenge = values(asked.headers(), "www-authenticate").join(" ");
        assert!(
            challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"900\"")
        );
        assert_eq!(refusal(asked).await, (401, "insufficient_user_authentication".into()));
    }
    assert_eq!(ask(twice.clone(), note).await.status(), 200);
    assert_eq!(refusal(ask(twice, script).await).await, (403, "suspicious_activity_detected".into()));
    gateway.stop().await;
}
