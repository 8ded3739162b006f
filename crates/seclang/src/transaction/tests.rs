//! What exchanges decide. Most cases were compared with libmodsecurity 3.0.9; where this engine differs on purpose,
//! `tests/differences.md` says why.

mod actions;
mod again;
mod bodies;
mod chains;
mod collections;
mod deciding;
mod declarations;
mod exclusions;
mod growth;
mod locations;
mod memory;
mod repeated;
mod reporting;
mod targets;
mod values;
mod work;
mod workspaces;

use std::sync::Arc;

use crate::{Connection, RuleFiles, RuleSet, Transaction};

/// A request as tests write it down.
#[derive(Clone, Copy, Debug)]
struct Request<'r> {
    method: &'r str,
    target: &'r str,
    headers: &'r [(&'r str, &'r str)],
    body: &'r str,
}

const fn get(target: &str) -> Request<'_> {
    Request { method: "GET", target, headers: &[], body: "" }
}

/// A form.
const fn post(body: &str) -> Request<'_> {
    const FORM: &[(&str, &str)] = &[("Content-Type", "application/x-www-form-urlencoded")];
    Request { method: "POST", target: "/", headers: FORM, body }
}

impl Request<'_> {
    fn head(&self, transaction: &mut Transaction) {
        transaction.request_line(self.method.as_bytes(), self.target.as_bytes(), b"HTTP/1.1");
        for (name, value) in self.headers {
            transaction.request_header(name.as_bytes(), value.as_bytes());
        }
        transaction.request_headers_done();
    }

    fn send(&self, transaction: &mut Transaction) {
        self.head(transaction);
        transaction.request_body(self.body.as_bytes());
        transaction.request_body_done();
    }
}

fn compile(rules: &str) -> Arc<RuleSet> {
    let mut files = RuleFiles::default();
    files.add_text(rules, "test.conf").unwrap_or_else(|error| panic!("{error}\n{rules}"));
    Arc::new(RuleSet::compile(&files).unwrap_or_else(|error| panic!("{error}\n{rules}")))
}

fn begin(rules: &str) -> Transaction {
    Transaction::new(compile(rules), Connection::default(), "test")
}

/// The exchange after the two phases of its request.
fn ask(rules: &str, request: Request<'_>) -> Transaction {
    let mut transaction = begin(rules);
    request.send(&mut transaction);
    transaction
}

/// The exchange after all phases, with an answer of this type.
fn ask_all(rules: &str, request: Request<'_>, content_type: &str, body: &str) -> Transaction {
    let mut transaction = ask(rules, request);
    transaction.response_line(200, b"HTTP/1.1");
    transaction.response_header(b"Content-Type", content_type.as_bytes());
    transaction.response_headers_done();
    transaction.response_body(body.as_bytes());
    transaction.response_body_done();
    transaction.finish();
    transaction
}

/// The rules that matched and are logged.
fn ids(transaction: &Transaction) -> Vec<u64> {
    transaction.matches().iter().map(|found| found.rule).collect()
}

/// What matched the rule, as `ARGS:id=1`.
fn matched(transaction: &Transaction, rule: u64) -> Vec<String> {
    let of_rule = transaction.matches().iter().filter(|found| found.rule == rule);
    let values = of_rule.flat_map(|found| &found.matched);
    values.map(|one| format!("{}={}", one.variable, one.value.escape_ascii())).collect()
}

fn tx(transaction: &Transaction, name: &str) -> Option<String> {
    let value = transaction.variable(&format!("TX.{name}"))?;
    Some(value.escape_ascii().to_string())
}

/// A rule that always holds and is logged.
fn action(id: u64, phase: u8, actions: &str) -> String {
    format!("SecAction \"id:{id},phase:{phase},log,{actions}\"\n")
}
