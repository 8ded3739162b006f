//! The endpoints of accounts, for people and for clients, on the public listener: with a session, the token that writes
//! repeat, and an access token.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{TIMEOUT, checked};
use crate::{command, gateway::Gateway};

/// Limits that do not stop the check, hashing as cheap as may be, and everything that endpoints need to do their work.
const CONFIGURATION: &str = r#"version: 1
listen: { http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0" }
accounts:
  sign_up: open
  password: { argon2: { memory: 7MiB, iterations: 5 } }
  session: { cookie: __Host-bartizan, at_most: 1000 }
  mail: { from: no-reply@shop.test, base_url: "https://shop.test/account", file: ./mail }
  passkeys: { id: localhost, origins: ["http://localhost:8080"] }
  tokens:
    issuer: "http://localhost:8080"
    secret: "for a check that ends with the gateway"
    clients:
      app: { redirect_uris: ["https://app.test/back"] }
limits:
  login: [{ per: address, rate: 1000000/h }]
  auth: [{ per: address, rate: 1000000/h }]
  refresh: [{ per: address, rate: 1000000/h }]
  api-burst: [{ per: address, rate: 1000000/h }]
  api: [{ per: address, rate: 1000000/h }]
  admin: [{ per: address, rate: 1000000/h }]
roles: { auditor: ["reports:read"] }
routes: [{ path: /reports/**, to: "http://127.0.0.1:9", auth: none }]
"#;

const EMAIL: &str = "ada@shop.test";
/// The verifier of RFC 7636, appendix B, and its challenge.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Under this path of the document nothing has the prefix of accounts.
const WELL_KNOWN: &str = r"^/\.well-known/";

pub(super) fn run(binary: &Path) -> Result<()> {
    let folder = crate::root().join("target/schemathesis-accounts");
    fs::create_dir_all(&folder)?;
    let configuration = folder.join("bartizan.yaml");
    fs::write(&configuration, CONFIGURATION)?;
    let gateway = Gateway::start(binary, &configuration, &folder)?;
    let document = folder.join("openapi.json");
    fs::write(&document, command::output(command::command(binary, &["openapi", "--accounts"]))?)?;
    check(&gateway, binary, &folder, &document)
        .with_context(|| format!("the gateway's log is `{}`", folder.join("bartizan.log").display()))?;
    gateway.stop()
}

fn check(gateway: &Gateway, binary: &Path, folder: &Path, document: &Path) -> Result<()> {
    let proxy = gateway.proxy()?;
    let password = administrator(binary, folder)?;
    let own = Session::begin(proxy, &password)?;
    let token = access_token(proxy, &own)?;
    for (url, filter) in [
        (format!("http://{proxy}/auth"), "--exclude-path-regex"),
        (format!("http://{proxy}"), "--include-path-regex"),
    ] {
        let mut command = checked(folder, "schemathesis-accounts.toml");
        command.arg(document).args(["--url", &url, filter, WELL_KNOWN]);
        command.env("SESSION_COOKIE", own.secret()).env("SESSION_CSRF", &own.csrf);
        command.env("ACCESS_TOKEN", &token);
        command::run(command)?;
    }
    Ok(())
}

/// Somebody who may do everything in an organisation; their password.
fn administrator(binary: &Path, folder: &Path) -> Result<String> {
    let state = folder.join("state");
    let bartizan = |arguments: &[&str]| {
        let mut command = command::command(binary, arguments);
        command.arg("--state-dir").arg(&state);
        command::output(command)
    };
    let made = String::from_utf8(bartizan(&["user", "create", EMAIL, "--admin"])?)?;
    let password = made.lines().find_map(|line| line.strip_prefix("password, shown only now: "));
    bartizan(&["org", "create", "Acme"])?;
    bartizan(&["org", "member", "add", "Acme", EMAIL, "--role", "org_admin"])?;
    Ok(password.context("no password was shown")?.to_owned())
}

/// Somebody who has logged in.
struct Session {
    cookie: String,
    csrf: String,
}

impl Session {
    fn begin(proxy: &str, password: &str) -> Result<Self> {
        let body = json!({ "email": EMAIL, "password": password, "organization": "Acme" }).to_string();
        let answer = ask(proxy, "POST /auth/login", "content-type: application/json\r\n", &body)?;
        let cookie = answer.header("set-cookie").context("no cookie was set")?;
        let csrf = answer.json()?["csrf_token"].as_str().context("no token for writes")?.to_owned();
        Ok(Self { cookie: cookie.split(';').next().unwrap_or_default().to_owned(), csrf })
    }

    /// What the cookie holds.
    fn secret(&self) -> &str {
        self.cookie.split_once('=').map_or("", |(_, value)| value)
    }
}

/// What an application gets for a person, with every word of the scope.
fn access_token(proxy: &str, session: &Session) -> Result<String> {
    let back = "redirect_uri=https%3A%2F%2Fapp.test%2Fback";
    let query = format!(
        "client_id=app&{back}&response_type=code&scope=openid%20profile%20email&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let cookie = format!("cookie: {}\r\n", session.cookie);
    let answer = ask(proxy, &format!("GET /auth/authorize?{query}"), &cookie, "")?;
    let location = answer.header("location").context("nobody was sent back")?;
    let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
    let code = code.with_context(|| format!("no code in `{location}`"))?;
    let form =
        format!("grant_type=authorization_code&client_id=app&code={code}&{back}&code_verifier={VERIFIER}");
    let kind = "content-type: application/x-www-form-urlencoded\r\n";
    let answer = ask(proxy, "POST /auth/token", kind, &form)?.json()?;
    Ok(answer["access_token"].as_str().with_context(|| format!("no token in {answer}"))?.to_owned())
}

/// What was answered.
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body)
            .with_context(|| format!("this is no JSON: {}\n{}", self.head, self.body))
    }
}

fn ask(proxy: &str, target: &str, headers: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(proxy)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = body.len();
    let request = format!(
        "{target} HTTP/1.1\r\nhost: localhost:8080\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("the gateway did not answer")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the gateway answered nothing")?;
    ensure!(
        head.starts_with("HTTP/1.1 2") || head.starts_with("HTTP/1.1 3"),
        "the gateway answered `{answer}`"
    );
    Ok(Answer { head: head.to_owned(), body: body.to_owned() })
}
