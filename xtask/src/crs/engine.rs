//! The rule engine under the tests: the only file here that knows it.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result};
use bartizan_ftw::albedo;
use bartizan_seclang::{
    Connection, Disruption, Interruption, RuleFiles, RuleMatch, RuleSet, SeclangError, Transaction,
};

use crate::{
    judge::{Entry, Exchange},
    wire,
};

const RECOMMENDED: &str = include_str!("../../../crates/pipeline/src/firewall/recommended.conf");

/// The rules, in the configuration that the Core Rule Set documents for its tests unless it is said otherwise.
pub(crate) struct Engine {
    rules: Arc<RuleSet>,
}

impl Engine {
    /// Loads the Core Rule Set in a folder.
    pub(crate) fn load(crs: &Path) -> Result<Self> {
        Self::load_with(crs, "")
    }

    /// The same with rules behind it.
    pub(crate) fn load_with(crs: &Path, behind: &str) -> Result<Self> {
        let crs = crs.to_str().context("the path of the rules is not UTF-8")?;
        Self::compile(
            |files| files.add_files(&format!("{crs}/crs-setup.conf.example")),
            |files| {
                files.add_files(&format!("{crs}/rules/*.conf"))?;
                files.add_text(behind, "behind.conf")
            },
        )
    }

    /// The Core Rule Set in a folder as the gateway reads it, and it refuses; `before` stands before it.
    pub(crate) fn refusing(crs: &Path, before: &str) -> Result<Self> {
        let crs = crs.to_str().context("the path of the rules is not UTF-8")?;
        let mut files = RuleFiles::default();
        files.add_text(RECOMMENDED, "recommended.conf")?;
        files.add_text(before, "before.conf")?;
        files.add_files(&format!("{crs}/crs-setup.conf.example"))?;
        files.add_files(&format!("{crs}/rules/*.conf"))?;
        Ok(Self { rules: Arc::new(RuleSet::compile(&files)?) })
    }

    fn compile(
        setup: impl FnOnce(&mut RuleFiles) -> Result<(), SeclangError>,
        rules: impl FnOnce(&mut RuleFiles) -> Result<(), SeclangError>,
    ) -> Result<Self> {
        let mut files = RuleFiles::default();
        files.add_text(RECOMMENDED, "recommended.conf")?;
        files.add_text(include_str!("engine.conf"), "engine.conf")?;
        setup(&mut files)?;
        files.add_text(include_str!("regression.conf"), "regression.conf")?;
        rules(&mut files)?;
        Ok(Self { rules: Arc::new(RuleSet::compile(&files)?) })
    }

    /// One exchange, from the bytes of the request to the end of the log.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Exchange {
        let request = match wire::parse(bytes) {
            Ok(request) => request,
            Err(wire::Refusal(reason)) => {
                return Exchange { status: Some(400), response: reason.into(), log: Vec::new() };
            }
        };
        let connection = Connection {
            client: SocketAddr::from((Ipv4Addr::LOCALHOST, 40000)),
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, 80)),
        };
        let mut transaction = Transaction::new(Arc::clone(&self.rules), connection, "test");
        let response = answer(&mut transaction, &request);
        transaction.finish();

        let log = transaction.matches().iter().map(entry).collect();
        let (status, response) = match (transaction.interruption(), response) {
            (None, Some(response)) => (Some(response.status), response.body),
            (Some(Interruption { action: Disruption::Drop, .. }) | None, _) => (None, Vec::new()),
            (Some(interruption), _) => (Some(interruption.status), Vec::new()),
        };
        Exchange { status, response, log }
    }
}

/// Takes the exchange through its phases; nothing where a rule refused.
fn answer(transaction: &mut Transaction, request: &wire::Request<'_>) -> Option<albedo::Response> {
    transaction.request_line(request.method, request.target, request.protocol);
    for (name, value) in &request.headers {
        transaction.request_header(name, value);
    }
    allowed(transaction.request_headers_done())?;
    if transaction.wants_request_body() {
        allowed(transaction.request_body(&request.body))?;
    }
    allowed(transaction.request_body_done())?;

    let response = albedo::respond(request.method, request.target, &request.body);
    transaction.response_line(response.status, b"HTTP/1.1");
    for (name, value) in &response.headers {
        transaction.response_header(name.as_bytes(), value.as_bytes());
    }
    allowed(transaction.response_headers_done())?;
    if transaction.wants_response_body() {
        allowed(transaction.response_body(&response.body))?;
    }
    allowed(transaction.response_body_done())?;
    Some(response)
}

fn allowed(interruption: Option<&Interruption>) -> Option<()> {
    interruption.is_none().then_some(())
}

/// A line of the log.
fn entry(matched: &RuleMatch) -> Entry {
    let mut text =
        format!("[id \"{}\"] [msg \"{}\"] [data \"{}\"]", matched.rule, matched.message, matched.log_data);
    for tag in &matched.tags {
        let _ = write!(text, " [tag \"{tag}\"]");
    }
    Entry { rule: matched.rule, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        SecDefaultAction "phase:2,log,pass"
        SecRule ARGS:json.a "@streq b" "id:1,phase:2,pass,log,msg:'JSON',logdata:'%{MATCHED_VAR_NAME}',tag:'t'"
        SecRule RESPONSE_BODY "@contains secret" "id:2,phase:4,pass,log,msg:'Leak'"
        SecRule TX:blocking_paranoia_level "!@eq 4" "id:3,phase:1,pass,log,msg:'Not configured'"
        SecRule REQUEST_METHOD "@streq TRACE" "id:4,phase:1,deny,status:405,log,msg:'Method'"
        SecRule REQUEST_METHOD "@streq GET" "id:5,phase:5,pass,nolog,msg:'Silent'"
    "#;

    fn logged(request: &str) -> (Option<u16>, Vec<String>) {
        let engine = Engine::compile(|_| Ok(()), |files| files.add_text(RULES, "rules.conf")).unwrap();
        let exchange = engine.exchange(request.as_bytes());
        (exchange.status, exchange.log.into_iter().map(|entry| entry.text).collect())
    }

    fn post(target: &str, media_type: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    #[test]
    fn requests_and_responses_are_judged() {
        let json = logged(&post("/", "application/json", r#"{"a": "b"}"#));
        assert_eq!(json, (Some(200), vec![r#"[id "1"] [msg "JSON"] [data "ARGS:json.a"] [tag "t"]"#.into()]));
        assert_eq!(logged(&post("/", "text/plain", r#"{"a": "b"}"#)), (Some(200), vec![]));
        let leak = logged(&post("/reflect", "application/json", r#"{"body": "a secret", "status": 500}"#));
        assert_eq!(leak, (Some(500), vec![r#"[id "2"] [msg "Leak"] [data ""]"#.into()]));
    }

    #[test]
    fn rules_report_and_do_not_refuse() {
        let (status, log) = logged("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((status, log.len()), (Some(200), 1));
        let (status, log) = logged(&post("/", "application/json", "{"));
        assert!(status == Some(200) && log.iter().any(|line| line.contains("[id \"200002\"]")), "{log:?}");
    }

    #[test]
    fn what_no_server_passes_on_is_not_judged() {
        assert_eq!(logged("TRACE / HTTP/1.1\r\n\r\n"), (Some(400), vec![]));
    }
}
