//! One exchange under the eyes of a firewall: what it is shown, part by part, and what it says to each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bartizan_config::WafMode;
use bartizan_seclang::{Interruption, RuleMatch, Transaction};
use http::{HeaderMap, StatusCode, Version, header};
use metrics::counter;

use super::{Allowance, Caller, Firewall, Inspected, Judged, Proposal, account, refusal};
use crate::{Code, NoRoom, Reason, Refusal, Reservation};

/// One exchange that a firewall looks at.
#[derive(Debug)]
pub struct Inspection {
    caller: Caller,
    firewall: Arc<Firewall>,
    transaction: Transaction,
    judged: Judged,
    /// The score of the request when the rules decided against it.
    score: Option<u32>,
    objects_to_response: bool,
    /// How many of the matches the metrics know.
    counted_rules: usize,
    /// What the transaction takes of the memory for held bodies.
    reservation: Option<Reservation>,
    /// Why the last body was not looked at.
    unseen: Option<Reason>,
    has_read_request_body: bool,
    /// What would let it pass, if that was tried.
    proposal: Option<Proposal>,
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

/// Why the body of a response is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// Nobody asks for it.
    #[error("`responses` is off")]
    Responses,
    /// It has no media type, or not one of those that are selected.
    #[error("not one of the selected media types")]
    MediaType,
    /// Rules cannot read it.
    #[error("compressed")]
    Encoded,
}

impl Inspection {
    pub(super) fn new(firewall: Arc<Firewall>, transaction: Transaction, caller: Caller) -> Self {
        Self {
            caller,
            firewall,
            transaction,
            judged: Judged::Passed,
            score: None,
            objects_to_response: false,
            counted_rules: 0,
            reservation: None,
            unseen: None,
            has_read_request_body: false,
            proposal: None,
        }
    }

    /// Counts what the rules make of bodies under the limit that all held bodies share.
    #[must_use]
    pub fn within(mut self, reservation: Reservation) -> Self {
        self.reservation = Some(reservation);
        self
    }

    /// The firewall.
    pub fn firewall(&self) -> &Arc<Firewall> {
        &self.firewall
    }

    /// What is known so far, and what would let it pass.
    pub fn account(&self) -> Inspected {
        let proposal = catch_unwind(AssertUnwindSafe(|| self.proposal())).unwrap_or_else(|_| {
            report_failure();
            Proposal::default()
        });
        Inspected { proposal, ..self.found() }
    }

    /// What is known so far.
    fn found(&self) -> Inspected {
        let known = || {
            let known = Inspected::of(&self.firewall, &self.transaction, self.judged);
            // What rules add that only report is not what would have refused.
            Inspected { inbound_score: self.score.or(known.inbound_score), ..known }
        };
        catch_unwind(AssertUnwindSafe(known)).unwrap_or_else(|_| {
            report_failure();
            Inspected::unknown(&self.firewall, self.judged)
        })
    }

    /// What would let it pass.
    fn proposal(&self) -> Proposal {
        match (&self.proposal, self.judged) {
            (Some(tried), _) => tried.clone(),
            (None, Judged::Passed) => Proposal::default(),
            (None, _) => Proposal::untried(&self.firewall, &self.transaction),
        }
    }

    /// Tries on a request that is refused, or would be, which exclusions let it pass: [`Self::account`] tells them. `body` is
    /// all that was shown of it.
    pub fn try_exclusions(&mut self, body: &[u8]) {
        self.try_within(body, &Allowance::boundless());
    }

    /// The same, as far as there is room for it.
    pub(crate) fn try_within(&mut self, body: &[u8], allowance: &Allowance) {
        // What nobody has looked at may hold more to object to.
        if self.judged != Judged::RefusedRequest || self.unseen.is_some() {
            return;
        }
        let length = self.transaction.length();
        let (firewall, refused) = (&self.firewall, &self.transaction);
        let allows = |exclusions| allowance.take(length, exclusions);
        let trial = || Proposal::tried(firewall, refused, body, allows);
        match catch_unwind(AssertUnwindSafe(trial)) {
            Ok(proposal) => self.proposal = Some(proposal),
            Err(_) => report_failure(),
        }
    }

    /// Whether the rules have something against the response.
    pub fn objects_to_response(&self) -> bool {
        self.objects_to_response
    }

    /// Why the last body was not looked at: there was too much to do, and the mode is `log`; or the response is not one that
    /// is looked at.
    pub fn take_unseen(&mut self) -> Option<Reason> {
        self.unseen.take()
    }

    /// Whether a class has found something that costs more; where rules only report, nothing does.
    pub(crate) fn costs_more(&self) -> bool {
        let is_of_one = |found: &RuleMatch| self.firewall.classes.limit(found.rule);
        self.firewall.config().mode == WafMode::Block && self.transaction.matches().iter().any(is_of_one)
    }

    /// The numbers of all rules that matched, in that order.
    pub fn matched_ids(&self) -> impl Iterator<Item = u64> {
        self.transaction.matches().iter().map(|found| found.rule)
    }

    /// What each rule that matched has to log, as `ModSecurity` writes it: `[id "942100"] [msg "..."] [data "..."]`. For the
    /// machine of whoever writes rules: it holds what was sent, secrets too.
    pub fn log_lines(&self) -> impl Iterator<Item = String> {
        self.transaction.matches().iter().map(|found| {
            let tags = found.tags.iter().fold(String::new(), |tags, tag| tags + " [tag \"" + tag + "\"]");
            format!("[id \"{}\"] [msg \"{}\"] [data \"{}\"]{tags}", found.rule, found.message, found.log_data)
        })
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
            transaction.request_headers_done();
        })
    }

    /// Shows the body of a request, as far as it is to be looked at; nothing where there is none.
    pub fn request_body(&mut self, body: &[u8], is_whole: bool) -> Result<(), Refusal> {
        self.read_request_body(body, is_whole)?;
        self.judge_request_body()
    }

    /// The first half of [`Self::request_body`], which no rule is asked in.
    pub(crate) fn read_request_body(&mut self, body: &[u8], is_whole: bool) -> Result<(), Refusal> {
        // What is read of a body is mostly about as much again.
        if !body.is_empty() && self.unseen.is_none() && self.make_room(body.len() * 2).is_err() {
            self.cannot_look(NoRoom.to_string())?;
        }
        let is_unseen = self.unseen.is_some();
        if !is_whole || is_unseen {
            self.transaction.exclude(Arc::clone(&self.firewall.incomplete));
        }
        if body.is_empty() || is_unseen {
            return Ok(());
        }
        counter!("bartizan_waf_inspected_bodies_total", "direction" => "request").increment(1);
        self.has_read_request_body = true;
        self.show(Judged::RefusedRequest, |transaction| {
            transaction.request_body(body);
            transaction.read_request_body();
        })
    }

    /// The second half: what the rules say to it.
    pub(crate) fn judge_request_body(&mut self) -> Result<(), Refusal> {
        let done = |transaction: &mut Transaction| {
            transaction.request_body_done();
        };
        match (self.has_read_request_body, &self.unseen) {
            // It is there by now, and there was no turn for it.
            (true, Some(_)) => Ok(()),
            (true, None) => self.ask(Judged::RefusedRequest, done),
            (false, _) => self.show(Judged::RefusedRequest, done),
        }
    }

    /// The bytes of all names and values that rules will look at.
    pub(crate) fn length_to_look_at(&self) -> usize {
        self.transaction.length()
    }

    /// Whether somebody wants the response looked at, and how it can be.
    pub fn wants_response(&self) -> bool {
        self.firewall.config().responses.is_some()
    }

    /// How much of the body of a response with these headers is looked at, at most; or why it is not.
    pub fn wants_response_body(&self, headers: &HeaderMap) -> Result<usize, Unseen> {
        let Some(responses) = &self.firewall.config().responses else { return Err(Unseen::Responses) };
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !responses.types.iter().any(|selected| selected.eq_ignore_ascii_case(kind)) {
            return Err(Unseen::MediaType);
        }
        // One field or several, each with one coding or several (RFC 9110, section 8.4).
        let fields = headers.get_all(header::CONTENT_ENCODING).iter();
        let mut codings = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b','));
        if codings.any(|coding| !is_identity(coding.trim_ascii())) {
            return Err(Unseen::Encoded);
        }
        Ok(responses.max_body)
    }

    /// Remembers that a body was left alone.
    pub fn leave_unseen(&mut self, why: Unseen) {
        self.unseen = Some(why.to_string().into());
    }

    /// Shows the head of a response.
    pub fn response_head(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Refusal> {
        self.show(Judged::RefusedResponse, |transaction| {
            transaction.response_line(status.as_u16(), b"HTTP/1.1");
            for (name, value) in headers {
                transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
            }
            transaction.response_headers_done();
        })
    }

    /// Shows the body of a response, as far as it is to be looked at; nothing where there is none.
    pub fn response_body(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !body.is_empty() && self.unseen.is_none() && self.make_room(body.len() * 2).is_err() {
            self.cannot_look(NoRoom.to_string())?;
        }
        if body.is_empty() || self.unseen.is_some() {
            return self.show(Judged::RefusedResponse, |transaction| {
                transaction.response_body_done();
            });
        }
        counter!("bartizan_waf_inspected_bodies_total", "direction" => "response").increment(1);
        self.show(Judged::RefusedResponse, |transaction| {
            transaction.response_body(body);
        })?;
        self.ask(Judged::RefusedResponse, |transaction| {
            transaction.response_body_done();
        })
    }

    /// There is too much to do to look at this body. It is refused where the rules may refuse; where they only report, they
    /// look at everything else.
    pub(super) fn cannot_look(&mut self, reason: impl Into<Reason>) -> Result<(), Refusal> {
        counter!("bartizan_waf_overloads_total").increment(1);
        match self.firewall.config().mode {
            WafMode::Block => Err(Refusal::overloaded(reason).closing()),
            WafMode::Log => {
                self.unseen = Some(reason.into());
                Ok(())
            }
        }
    }

    /// Lets the rules look at a body that is there. They may take as much memory as they might need; afterwards what they
    /// have taken counts.
    fn ask(&mut self, judged: Judged, rules: impl FnOnce(&mut Transaction)) -> Result<(), Refusal> {
        if self.make_room(self.transaction.needed_bytes()).is_err() {
            return self.cannot_look(NoRoom.to_string());
        }
        self.show(judged, rules)?;
        match self.make_room(0) {
            Ok(()) => Ok(()),
            Err(NoRoom) => self.cannot_look(NoRoom.to_string()),
        }
    }

    /// Counts what the transaction holds, and this much more.
    fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        let Some(reservation) = &mut self.reservation else { return Ok(()) };
        reservation.resize(self.transaction.held_bytes().saturating_add(more))
    }

    /// The end of the exchange.
    pub fn finish(&mut self) {
        let _ = self.guarded(Transaction::finish);
        self.count_rules();
    }

    /// Shows a part. What the rules have against it is a refusal where they may refuse, which ends the exchange; where they
    /// only report, the first thing is what would have ended it.
    fn show(&mut self, judged: Judged, part: impl FnOnce(&mut Transaction)) -> Result<(), Refusal> {
        let mode = self.firewall.config().mode;
        if mode == WafMode::Block && self.judged != Judged::Passed {
            return Ok(());
        }
        let known = self.transaction.objections().len();
        if let Err(failed) = self.guarded(part) {
            return if mode == WafMode::Log { Ok(()) } else { Err(failed) };
        }
        let objection = self.transaction.objections().get(known).cloned();
        if objection.is_some() {
            self.objects_to_response |= judged == Judged::RefusedResponse;
            if self.judged == Judged::Passed {
                self.judged = judged;
                self.score = account::inbound_score(&self.transaction);
                counter!("bartizan_waf_refusals_total", "mode" => name(mode)).increment(1);
            }
        }
        self.count_rules();
        match (objection, mode) {
            (Some(objection), WafMode::Block) if self.challenges(judged, &objection) => {
                Err(refusal::challenge(&self.found()))
            }
            (Some(objection), WafMode::Block) => Err(refusal::of(judged, &objection, &self.found())),
            _ => Ok(()),
        }
    }

    /// Whether its caller can answer what a rule objects to with proof of who they are.
    fn challenges(&self, judged: Judged, objection: &Interruption) -> bool {
        let asks = || objection.rule.is_some_and(|rule| self.firewall.classes.challenge(rule));
        judged == Judged::RefusedRequest && self.caller == Caller::Unproven && asks()
    }

    /// Of an exchange that is refused, or would be. Rules are as many as the rule set has; whoever asks sees which of them
    /// refuse.
    fn count_rules(&mut self) {
        if self.judged == Judged::Passed {
            return;
        }
        let mode = name(self.firewall.config().mode);
        for found in self.transaction.matches().iter().skip(self.counted_rules) {
            let rule = found.rule.to_string();
            counter!("bartizan_waf_refusals_by_rule_total", "mode" => mode, "rule" => rule).increment(1);
        }
        self.counted_rules = self.transaction.matches().len();
    }

    /// Whoever sends what the engine fails on must neither get through nor end more than their own request.
    fn guarded(&mut self, part: impl FnOnce(&mut Transaction)) -> Result<(), Refusal> {
        let transaction = &mut self.transaction;
        catch_unwind(AssertUnwindSafe(|| part(transaction))).map_err(|_| {
            report_failure();
            Refusal::new(Code::SecurityCheckFailed, "the rule engine failed inside").closing()
        })
    }
}

fn is_identity(coding: &[u8]) -> bool {
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}

fn report_failure() {
    counter!("bartizan_waf_failures_total").increment(1);
    tracing::error!("the rule engine has failed inside");
}

/// What a mode is called in metrics.
fn name(mode: WafMode) -> &'static str {
    match mode {
        WafMode::Block => "block",
        WafMode::Log => "log",
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
