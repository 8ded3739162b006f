//! One exchange under the eyes of a firewall: what it is shown, part by part, and what it says to each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bartizan_config::WafMode;
use bartizan_seclang::{Disruption, Interruption, Transaction};
use http::{HeaderMap, StatusCode, Version, header};
use metrics::counter;

use super::{Firewall, Inspected, Judged};
use crate::{Code, Refusal};

/// One exchange that a firewall looks at.
#[derive(Debug)]
pub struct Inspection {
    firewall: Arc<Firewall>,
    transaction: Transaction,
    judged: Judged,
}

/// The first line of a request, as the client wrote it.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// `GET`
    pub method: &'a str,
    /// `/path?query`
    pub target: &'a str,
    /// The version of HTTP.
    pub version: Version,
}

impl Inspection {
    pub(super) fn new(firewall: Arc<Firewall>, transaction: Transaction) -> Self {
        Self { firewall, transaction, judged: Judged::Passed }
    }

    /// The firewall.
    pub fn firewall(&self) -> &Arc<Firewall> {
        &self.firewall
    }

    /// What is known so far.
    pub fn account(&self) -> Inspected {
        Inspected::of(&self.firewall, &self.transaction, self.judged)
    }

    /// The numbers of all rules that matched, in that order.
    pub fn matched_ids(&self) -> impl Iterator<Item = u64> {
        self.transaction.matches().iter().map(|found| found.rule)
    }

    /// Shows the head of a request. `host` stands for a `Host` header that the request does not have.
    pub fn request_head(
        &mut self,
        line: RequestLine<'_>,
        headers: &HeaderMap,
        host: Option<&str>,
    ) -> Result<(), Refusal> {
        self.show(Judged::RefusedRequest, |transaction| {
            transaction.request_line(line.method.as_bytes(), line.target.as_bytes(), protocol(line.version));
            if let Some(host) = host.filter(|_| !headers.contains_key(header::HOST)) {
                transaction.request_header(b"Host", host.as_bytes());
            }
            for (name, value) in headers {
                transaction.request_header(name.as_str().as_bytes(), value.as_bytes());
            }
            transaction.request_headers_done().cloned()
        })
    }

    /// Shows the body of a request, as far as it is to be looked at; nothing where there is none.
    pub fn request_body(&mut self, body: &[u8], is_whole: bool) -> Result<(), Refusal> {
        if !is_whole {
            self.transaction.exclude(Arc::clone(&self.firewall.incomplete));
        }
        if !body.is_empty() {
            counter!("bartizan_waf_inspected_bodies_total", "direction" => "request").increment(1);
        }
        self.show(Judged::RefusedRequest, |transaction| {
            transaction.request_body(body);
            transaction.request_body_done().cloned()
        })
    }

    /// Whether somebody wants the response looked at, and how it can be.
    pub fn wants_response(&self) -> bool {
        self.firewall.config().responses.is_some()
    }

    /// Whether the body of a response with these headers is looked at, and how much of it at most.
    pub fn wants_response_body(&self, headers: &HeaderMap) -> Option<usize> {
        let responses = self.firewall.config().responses.as_ref()?;
        let is_encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_selected = responses.types.iter().any(|selected| selected.eq_ignore_ascii_case(kind));
        (is_selected && !is_encoded).then_some(responses.max_body)
    }

    /// Shows the head of a response.
    pub fn response_head(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Refusal> {
        self.show(Judged::RefusedResponse, |transaction| {
            transaction.response_line(status.as_u16(), b"HTTP/1.1");
            for (name, value) in headers {
                transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
            }
            transaction.response_headers_done().cloned()
        })
    }

    /// Shows the body of a response, as far as it is to be looked at; nothing where there is none.
    pub fn response_body(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !body.is_empty() {
            counter!("bartizan_waf_inspected_bodies_total", "direction" => "response").increment(1);
        }
        self.show(Judged::RefusedResponse, |transaction| {
            transaction.response_body(body);
            transaction.response_body_done().cloned()
        })
    }

    /// The end of the exchange.
    pub fn finish(&mut self) {
        let _ = self.guarded(|transaction| {
            transaction.finish();
            None
        });
    }

    /// Shows a part, unless the rules have decided already. What they decide is a refusal where they may refuse.
    fn show(
        &mut self,
        judged: Judged,
        part: impl FnOnce(&mut Transaction) -> Option<Interruption>,
    ) -> Result<(), Refusal> {
        if self.judged != Judged::Passed {
            return Ok(());
        }
        let mode = self.firewall.config().mode;
        let found =
            self.guarded(part).or_else(|failed| if mode == WafMode::Log { Ok(None) } else { Err(failed) })?;
        let Some(interruption) = found else { return Ok(()) };
        self.judged = judged;
        let account = self.account();
        count(&account);
        match mode {
            WafMode::Log => Ok(()),
            WafMode::Block => Err(refusal(judged, &interruption, &account)),
        }
    }

    /// Whoever sends what the engine fails on must neither get through nor end more than their own request.
    fn guarded(
        &mut self,
        part: impl FnOnce(&mut Transaction) -> Option<Interruption>,
    ) -> Result<Option<Interruption>, Refusal> {
        let transaction = &mut self.transaction;
        catch_unwind(AssertUnwindSafe(|| part(transaction))).map_err(|_| {
            counter!("bartizan_waf_failures_total").increment(1);
            tracing::error!("the rule engine has failed inside");
            Refusal::new(Code::SecurityCheckFailed, "the rule engine failed inside").closing()
        })
    }
}

fn refusal(judged: Judged, interruption: &Interruption, account: &Inspected) -> Refusal {
    let code = match judged {
        Judged::RefusedResponse => Code::WafResponseRefused,
        Judged::Passed | Judged::RefusedRequest => Code::WafRefused,
    };
    let refusal = Refusal::new(code, account.summary());
    if interruption.action == Disruption::Drop { refusal.closing() } else { refusal }
}

/// Rules are as many as the rule set has; whoever asks sees which of them refuse.
fn count(account: &Inspected) {
    let mode = match account.mode {
        WafMode::Block => "block",
        WafMode::Log => "log",
    };
    counter!("bartizan_waf_refusals_total", "mode" => mode).increment(1);
    for rule in &account.rules {
        counter!("bartizan_waf_refusals_by_rule_total", "mode" => mode, "rule" => rule.id.to_string())
            .increment(1);
    }
}

/// As servers write it that rules know.
fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_09 => b"HTTP/0.9",
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        Version::HTTP_3 => b"HTTP/3.0",
        _ => b"HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests, *};

    #[test]
    fn an_engine_that_fails_inside_refuses_unless_it_only_reports() {
        let fails = |keys: &str| {
            let mut inspection = tests::begin(&tests::starter(keys), "/0");
            let found = inspection.show(Judged::RefusedRequest, |_| panic!("on purpose"));
            found.map_err(|refusal| refusal.code)
        };
        assert_eq!(fails("mode: block"), Err(Code::SecurityCheckFailed));
        assert_eq!(fails("mode: log"), Ok(()));
    }
}
