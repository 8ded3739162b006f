//! One HTTP exchange in front of the rules, from its request line to its end.
//!
//! The caller hands over what it reads, in the order in which it comes, and asks at the end of each part. Whoever
//! forgets a part decides without its rules, so [`Transaction::finish`] is the last call of every exchange.

mod again;
mod body;
mod request;
mod response;
mod target;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use crate::{
    CollectionStore, Declaration, Disruption, Exclusion, Interruption, RuleMatch, RuleSet,
    ast::{EngineMode, Phase, Variable},
    collections::Collections,
    evaluate::{self, State},
};

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The client.
    pub client: SocketAddr,
    /// Where it is connected to.
    pub server: SocketAddr,
}

impl Default for Connection {
    /// Someone on this machine.
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self { client: local(0), server: local(80) }
    }
}

/// One exchange.
#[derive(Debug)]
pub struct Transaction {
    rules: Arc<RuleSet>,
    state: State,
    request_body: body::Body,
    response_body: body::Body,
    has_read_request_body: bool,
}

impl Transaction {
    /// The beginning of an exchange. `unique_id` is what logs call it.
    pub fn new(rules: Arc<RuleSet>, connection: Connection, unique_id: &str) -> Self {
        let mut state = State::new(&rules);
        let mut set = |variable, value: &str| {
            state.values.set(variable, value.as_bytes(), &mut state.buffers);
        };
        set(Variable::RemoteAddr, &connection.client.ip().to_string());
        set(Variable::RemoteHost, &connection.client.ip().to_string());
        set(Variable::RemotePort, &connection.client.port().to_string());
        set(Variable::ServerAddr, &connection.server.ip().to_string());
        set(Variable::ServerPort, &connection.server.port().to_string());
        set(Variable::UniqueId, unique_id);
        set(Variable::WebAppId, &rules.settings.web_app_id);
        Self {
            rules,
            state,
            request_body: body::Body::default(),
            response_body: body::Body::default(),
            has_read_request_body: false,
        }
    }

    /// Keeps collections from one exchange to the next. To be called before the first phase.
    pub fn set_collections(&mut self, store: Arc<dyn CollectionStore>) {
        self.state.collections = Collections::with_store(store);
    }

    /// Sets `SecRuleEngine` for this exchange.
    pub fn set_mode(&mut self, mode: EngineMode) {
        self.state.mode = mode;
    }

    /// Goes on where a rule ends the exchange, with all others, and keeps what would have ended it in
    /// [`Self::objections`]. Unlike in `DetectionOnly`, `allow` is followed: what is reported is what would be refused.
    pub fn only_report(&mut self) {
        self.state.only_reports = true;
    }

    /// Has rules report what they find without doing anything about it: they neither refuse nor add to an anomaly score (a
    /// variable whose name has `anomaly_score` in it). The last call counts; `rules` is without a target.
    pub fn only_report_these(&mut self, rules: Arc<Exclusion>) {
        self.state.reporting = Some(rules);
    }

    /// Has rules end the exchange this way when they find something that counts: what would refuse by itself, or by an
    /// anomaly score (a variable whose name has `anomaly_score` in it), however high that is. Of calls that name the same rule the last
    /// counts; `rules` is without a target.
    pub fn refuse_by_these(&mut self, rules: Arc<Exclusion>, action: Disruption) {
        self.state.refusing.push((rules, action));
    }

    /// Sets a variable of `TX` for this exchange, such as `blocking_paranoia_level`.
    pub fn set_tx(&mut self, name: &str, value: &str) {
        self.state.tx.set_named(name.as_bytes(), Some(value.as_bytes()), &self.rules.mentioned);
    }

    /// Takes rules, or what they look at, away from this exchange.
    pub fn exclude(&mut self, exclusion: Arc<Exclusion>) {
        self.state.exclusions.push(exclusion);
    }

    /// Says what the values of a target are, so that rules which look for attacks leave out those that are. Each is
    /// compared with its kind at the beginning of the phases that follow.
    pub fn declare(&mut self, declaration: Arc<Declaration>) {
        self.state.declarations.push(declaration);
    }

    /// The end of the request's headers: phase 1.
    pub fn request_headers_done(&mut self) -> Option<&Interruption> {
        self.state.finish_request_headers();
        self.run(Phase::RequestHeaders)
    }

    /// Reads the request's body, all of which is here, without asking rules yet: what they will look at is known then
    /// ([`Self::held_bytes`], [`Self::needed_bytes`]). Whoever does not want to know need not call it.
    pub fn read_request_body(&mut self) -> Option<&Interruption> {
        if !self.has_read_request_body
            && self.state.interruption.is_none()
            && self.state.mode != EngineMode::Off
        {
            self.has_read_request_body = true;
            let access = self.sees_request_body();
            self.state.finish_request_body(&self.rules, std::mem::take(&mut self.request_body), access);
        }
        self.interruption()
    }

    /// The end of the request's body, also where there is none: phase 2.
    pub fn request_body_done(&mut self) -> Option<&Interruption> {
        self.read_request_body();
        self.run(Phase::RequestBody)
    }

    /// The end of the response's headers: phase 3.
    pub fn response_headers_done(&mut self) -> Option<&Interruption> {
        self.run(Phase::ResponseHeaders)
    }

    /// The end of the response's body, also where there is none: phase 4.
    pub fn response_body_done(&mut self) -> Option<&Interruption> {
        if self.state.interruption.is_none() && self.wants_response_body() {
            self.state.finish_response_body(std::mem::take(&mut self.response_body));
        }
        self.run(Phase::ResponseBody)
    }

    /// The end of the exchange: phase 5.
    pub fn finish(&mut self) {
        evaluate::run(&self.rules, &mut self.state, Phase::Logging);
    }

    fn run(&mut self, phase: Phase) -> Option<&Interruption> {
        self.state.believe();
        evaluate::run(&self.rules, &mut self.state, phase);
        self.interruption()
    }

    /// Whether the exchange was refused, and how.
    pub fn interruption(&self) -> Option<&Interruption> {
        self.state.interruption.as_ref()
    }

    /// Everything that would have ended the exchange, in the order in which it did, or the one thing that has.
    pub fn objections(&self) -> &[Interruption] {
        &self.state.objections
    }

    /// The rules that matched and are to be logged, in the order in which they did.
    pub fn matches(&self) -> &[RuleMatch] {
        &self.state.matches
    }

    /// The bytes of all names and values that rules look at, as they came: by these the time that it takes grows.
    pub fn length(&self) -> usize {
        self.state.buffers.length()
    }

    /// The memory that it holds at present, within a few KiB: the bodies, everything that rules look at, and what
    /// transformations made of that. It is worked out when asked.
    pub fn held_bytes(&self) -> usize {
        self.request_body.held_bytes() + self.response_body.held_bytes() + self.state.held_bytes()
    }

    /// About the most memory that rules will take on top of [`Self::held_bytes`] to look at what is there: what is
    /// remembered of each value, and what transformations make of them all.
    pub fn needed_bytes(&self) -> usize {
        self.state.buffers.needed_bytes(&self.rules.index)
    }

    /// What a macro `%{TX.score}` would say now, for traces and tests: `variable("TX.score")`.
    pub fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let (variable, selected) = match name.split_once(['.', ':']) {
            Some((variable, selected)) => (variable, Some(selected.as_bytes())),
            None => (name, None),
        };
        evaluate::variable(&self.rules, &self.state, Variable::from_name(variable)?, selected)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.state.end(&self.rules);
    }
}
