//! What travels: one request, what is known about it, and the trace of what was decided.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Instant, SystemTime},
};

use bartizan_identity::{ClientCertificate, Identified};
use bartizan_model::{RequestId, TraceContext};
use http::request::Parts;

use crate::{CompiledRoute, NormalPath, Outcome, Stage, Step, Stop, Trace, stage::Passed};

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
    /// The path in its one normal form. Set by [`Stage::Protocol`].
    pub path: NormalPath,
    /// The route. Set by [`Stage::Route`].
    pub route: Option<Arc<CompiledRoute>>,
    /// The caller, once proven. Set by [`Stage::Authenticate`].
    pub identified: Option<Arc<Identified>>,
    /// What the stages found.
    pub trace: Trace,
    /// When it arrived.
    pub arrived: SystemTime,
    /// The same moment on the monotonic clock.
    pub started: Instant,
}

/// What the connection says about the client, before the request says anything.
#[derive(Debug, Clone)]
pub struct ClientFacts {
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// The other end of the TCP connection.
    pub peer: SocketAddr,
    /// Whether the client speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
    /// The certificate it proved to own.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Exchange {
    /// An exchange at the start of the road.
    pub fn new(id: RequestId, trace_context: TraceContext, client: ClientFacts, head: Parts) -> Self {
        Self {
            id,
            trace_context,
            client,
            head,
            path: NormalPath::default(),
            route: None,
            identified: None,
            trace: Trace::default(),
            arrived: SystemTime::now(),
            started: Instant::now(),
        }
    }

    /// Whether the request speaks gRPC, which exists over HTTP/2 only: a stream both ways.
    pub fn is_grpc(&self) -> bool {
        let content_type = self.head.headers.get(http::header::CONTENT_TYPE);
        self.head.version == http::Version::HTTP_2
            && content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    }

    /// Runs one stage and leaves its step in the trace.
    pub(crate) fn step(
        &mut self,
        stage: Stage,
        run: impl FnOnce(&mut Self) -> Result<Passed, Stop>,
    ) -> Result<(), Stop> {
        let started = Instant::now();
        let found = run(self);
        self.conclude(stage, started, found)
    }

    /// Leaves the step of a stage that has run since `started`.
    pub(crate) fn conclude(&mut self, stage: Stage, started: Instant, found: Result<Passed, Stop>) -> Result<(), Stop> {
        let took = started.elapsed();
        let (outcome, reason, line, result) = match found {
            Ok(Passed { reason, line }) => (Outcome::Passed, reason, line, Ok(())),
            Err(Stop::Denied(refusal)) => {
                (Outcome::Denied, refusal.reason.clone(), self.line_of(stage), Err(Stop::Denied(refusal)))
            }
            Err(Stop::Answered(answer)) => {
                (Outcome::Answered, "preflight".into(), self.line_of(stage), Err(Stop::Answered(answer)))
            }
        };
        self.trace.push(Step { stage, outcome, reason, line, took });
        result
    }

    /// The configuration line that a stage acts on.
    fn line_of(&self, stage: Stage) -> bartizan_model::Line {
        let Some(route) = &self.route else { return bartizan_model::Line::NONE };
        match stage {
            Stage::Authenticate => route.config.authentication_line,
            Stage::Authorize => route.config.require_line,
            Stage::Protocol | Stage::Reputation => bartizan_model::Line::NONE,
            Stage::Route | Stage::CrossOrigin | Stage::Body | Stage::Upstream | Stage::Response => route.config.line,
        }
    }
}
