//! What travels: one request, what is known about it, and the trace of what was decided.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bartizan_identity::{ClientCertificate, ExpectedContent, Identified};
use bartizan_limits::RiskFactors;
use bartizan_model::{Line, RequestId, TraceContext};
use bartizan_policy::Judgement;
use http::{HeaderValue, Method, Version, header, request::Parts};

use crate::{
    Asked, CompiledRoute, Inspected, Inspection, Limited, NormalPath, Outcome, Reason, RouteLimits, Stage,
    Step, Stop, Trace, limits, stage::Passed,
};

/// One request on its way. Every stage reads it and adds to it.
#[derive(Debug)]
pub struct Exchange {
    /// Its id, in every log line and answer.
    pub id: RequestId,
    /// Its place in a distributed trace.
    pub trace_context: TraceContext,
    /// Who is at the other end of the connection.
    pub client: ClientFacts,
    /// Method, target and headers, as received.
    pub head: Parts,
    /// What is remembered of the head, which forwarding takes apart.
    pub asked: Asked,
    /// The path in its one normal form. Set by [`Stage::Protocol`].
    pub path: NormalPath,
    /// The route. Set by [`Stage::Route`].
    pub route: Option<Arc<CompiledRoute>>,
    /// The route whose response headers a refusal carries although none was chosen: the path is its, the method is
    /// not. Set by [`Stage::Route`].
    pub refused_by: Option<Arc<CompiledRoute>>,
    /// The caller, once proven. Set by [`Stage::Authenticate`].
    pub identified: Option<Arc<Identified>>,
    /// What the content must be for the caller to be proven. Set by [`Stage::Authenticate`], verified by
    /// [`Stage::Body`].
    pub expected_content: Option<ExpectedContent>,
    /// Whether the caller's session is used from elsewhere than where its person was proven. Set by
    /// [`Stage::Authenticate`].
    pub moved: bool,
    /// What its risk makes of its limits; nothing, unless a stage before [`Stage::CoarseLimit`] has found something. What
    /// is found later, by [`Stage::Authenticate`] of a session that has moved, applies to [`Stage::FineLimit`] alone. Clients are told the quota of *their* request, so they see
    /// that it is smaller, but not why.
    pub risk: RiskFactors,
    /// What limits said of it. Set by [`Stage::CoarseLimit`] and [`Stage::FineLimit`].
    pub limited: Limited,
    /// What the policies said. Set by [`Stage::Authorize`] where the route asks some.
    pub judged: Option<Arc<Judgement>>,
    /// What the firewall's rules found. Set by [`Stage::Inspect`].
    pub inspected: Option<Arc<Inspected>>,
    /// Whether they found what makes it count for more. Set by [`Stage::Inspect`].
    pub costs_more: bool,
    /// The rules that look, until the response has been looked at, too.
    pub inspection: Option<Box<Inspection>>,
    /// What the stages found.
    pub trace: Trace,
    /// When it arrived.
    pub arrived: SystemTime,
    /// The same moment on the monotonic clock.
    pub started: Instant,
    /// When the last step ended.
    marked: Instant,
}

/// What the connection says about the client, before the request says anything.
#[derive(Debug, Clone)]
pub struct ClientFacts {
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// The other end of the TCP connection.
    pub peer: SocketAddr,
    /// This end of it.
    pub local: SocketAddr,
    /// Whether the client speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
    /// Whether what trusted proxies say about the address contradicts itself or cannot be read, so that one of them
    /// repeats a forgery.
    pub is_disputed: bool,
    /// The certificate it proved to own.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Exchange {
    /// An exchange at the start of the road.
    pub fn new(id: RequestId, trace_context: TraceContext, client: ClientFacts, head: Parts) -> Self {
        let started = Instant::now();
        Self {
            id,
            trace_context,
            client,
            asked: Asked::of(&head),
            head,
            path: NormalPath::default(),
            route: None,
            refused_by: None,
            identified: None,
            expected_content: None,
            moved: false,
            risk: RiskFactors::default(),
            limited: Limited::default(),
            judged: None,
            inspected: None,
            costs_more: false,
            inspection: None,
            trace: Trace::default(),
            arrived: SystemTime::now(),
            started,
            marked: started,
        }
    }

    /// Whether the request is a call of gRPC: a stream both ways, `POST` over HTTP/2 with the media type of gRPC and the
    /// `te: trailers` without which no server of gRPC takes a call (`PROTOCOL-HTTP2.md` of gRPC).
    pub fn is_grpc(&self) -> bool {
        let Parts { method, version, headers, .. } = &self.head;
        let is_of_grpc = |kind: &HeaderValue| {
            let rest = kind.as_bytes().strip_prefix(b"application/grpc");
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        };
        *version == Version::HTTP_2
            && *method == Method::POST
            && headers.get(header::CONTENT_TYPE).is_some_and(is_of_grpc)
            && headers.get(header::TE).is_some_and(|te| te == "trailers")
    }

    /// The limits of its route, or those that have decided in their place.
    pub fn limits(&self) -> Option<&RouteLimits> {
        self.limited.instead.as_deref().or_else(|| self.route.as_ref().map(|route| &route.limits))
    }

    /// How much of a threat it looks like by its limits, from 0 to 100; `None` where none has decided about it. Worked out
    /// when asked.
    pub fn limit_threat(&self) -> Option<u8> {
        let limits = self.limits()?;
        let threat = limits::threat(&self.limited.standings, limits, self.identified.is_none());
        threat.map(|threat| threat.score)
    }

    /// Leaves a step in the trace. It took the time since the step before.
    pub fn mark(&mut self, stage: Stage, outcome: Outcome, reason: impl Into<Reason>, line: Line) {
        let now = Instant::now();
        let took = now.duration_since(self.marked);
        self.marked = now;
        self.trace.push(Step { stage, outcome, reason: reason.into(), line, took });
    }

    /// Leaves the step of a stage that has run.
    pub(crate) fn conclude(&mut self, stage: Stage, found: Result<Passed, Stop>) -> Result<(), Stop> {
        match found {
            Ok(Passed { reason, line, at_once: true }) => {
                self.trace.push(Step { stage, outcome: Outcome::Passed, reason, line, took: Duration::ZERO });
                Ok(())
            }
            Ok(Passed { reason, line, at_once: false }) => {
                self.mark(stage, Outcome::Passed, reason, line);
                Ok(())
            }
            Err(Stop::Denied(refusal)) => {
                self.mark(stage, Outcome::Denied, refusal.reason.clone(), self.line_of(stage));
                Err(Stop::Denied(refusal))
            }
            Err(Stop::Answered(answer)) => {
                self.mark(stage, Outcome::Answered, "preflight", self.line_of(stage));
                Err(Stop::Answered(answer))
            }
        }
    }

    /// The configuration line that a stage acts on.
    fn line_of(&self, stage: Stage) -> Line {
        let Some(route) = &self.route else {
            return if stage == Stage::CoarseLimit {
                self.limited.line.unwrap_or(Line::NONE)
            } else {
                Line::NONE
            };
        };
        match stage {
            Stage::Authenticate => route.config.authentication_line,
            Stage::Authorize if self.judged.is_some() => route.config.policy.line,
            Stage::Authorize => route.config.require_line,
            Stage::Inspect => route.config.waf.as_ref().map_or(route.config.line, |waf| waf.line),
            Stage::Protocol | Stage::Reputation => Line::NONE,
            Stage::CoarseLimit | Stage::FineLimit => self.limited.line.unwrap_or(route.config.line),
            Stage::Route | Stage::CrossOrigin | Stage::Body | Stage::Upstream | Stage::Response => {
                route.config.line
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use crate::tests::exchange;

    #[test]
    fn only_a_call_that_a_server_of_grpc_would_take_is_grpc() {
        let request = |method: &str, version, kind: &str, te: &str| {
            let request = Request::builder().method(method).version(version).header("content-type", kind);
            exchange(request.header("te", te)).is_grpc()
        };
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc;a=b"] {
            assert!(request("POST", Version::HTTP_2, kind, "trailers"), "{kind}");
        }
        let grpc = "application/grpc";
        assert!(!request("POST", Version::HTTP_11, grpc, "trailers"));
        assert!(!request("PUT", Version::HTTP_2, grpc, "trailers"));
        assert!(!request("POST", Version::HTTP_2, grpc, ""));
        assert!(!request("POST", Version::HTTP_2, "application/grpc-web", "trailers"));
        assert!(!request("POST", Version::HTTP_2, "application/json", "trailers"));
    }
}
