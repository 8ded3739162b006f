//! The answer on its way out: dressed with its headers, counted, logged when it is a refusal, and remembered.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use bartizan_config::WafMode;
use bartizan_pipeline::{
    Exchange, Judged, Nonce, Record, Records, Refusal, ResponseFacts, SecurityHeaders, Verdict,
};
use http::{HeaderValue, Response, StatusCode, Version, header};

use crate::{
    arrive::X_REQUEST_ID, body::ResponseBody, gateway::Generation, log_rate::LogRate, metrics, refusal,
};

/// What the answer will need of the request, kept before the request moves on.
#[derive(Debug)]
pub(crate) struct Departure {
    origin: Option<HeaderValue>,
    nonce: Option<Nonce>,
    /// A preflight's answer carries its own cross-origin headers.
    preflight: bool,
}

impl Departure {
    pub(crate) fn prepare(exchange: &Exchange, verdict: &Verdict) -> Self {
        let headers = &exchange.head.headers;
        let route = exchange.route.as_ref().filter(|_| matches!(verdict, Verdict::Pass));
        Self {
            origin: headers.get(header::ORIGIN).cloned(),
            nonce: route.and_then(|route| route.security_headers.nonce(headers)),
            preflight: matches!(verdict, Verdict::Answer(_)),
        }
    }

    /// The nonce of the answer's content security policy, for the upstream to use.
    pub(crate) fn nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }

    /// The finished answer.
    pub(crate) fn depart(
        self,
        mut exchange: Exchange,
        answer: Result<Response<ResponseBody>, Refusal>,
        generation: &Generation,
        records: &Records,
    ) -> Response<ResponseBody> {
        let refusal = answer.as_ref().err().cloned();
        let mut response = answer.unwrap_or_else(|refusal| refusal::respond(&refusal, &exchange.id));
        self.dress(&mut response, &exchange);
        if let Some(refusal) = &refusal {
            if refusal.close && exchange.head.version < Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            metrics::count_refusal(&exchange, refusal);
            log_refusal(&exchange, refusal);
        } else if generation.config.log.requests {
            log_answer(&exchange, response.status());
        }
        log_what_would_be_refused(&exchange);
        metrics::count_answer(&exchange, response.status(), generation);
        let code = refusal.map(|refusal| refusal.code);
        let places = exchange.limited.take_places();
        records.push(Arc::new(Record::of(exchange, response.status(), code)));
        response.map(|body| body.keeping(places))
    }

    fn dress(&self, response: &mut Response<ResponseBody>, exchange: &Exchange) {
        let status = response.status();
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, exchange.id.header_value());
        let route = exchange.route.as_ref().or(exchange.refused_by.as_ref());
        if let Some(limits) = exchange.limits() {
            limits.tell(&exchange.limited, headers);
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let facts = ResponseFacts {
            status,
            secure: exchange.client.secure,
            authenticated: exchange.identified.is_some(),
            nonce: self.nonce.as_ref(),
        };
        let Some(route) = route else {
            WITHOUT_ROUTE.apply(headers, &facts);
            return;
        };
        if !self.preflight {
            route.cors.response_headers(self.origin.as_ref(), headers);
        }
        route.security_headers.apply(headers, &facts);
    }
}

static WITHOUT_ROUTE: LazyLock<SecurityHeaders> = LazyLock::new(SecurityHeaders::without_route);

/// One structured line per refusal. The query is left out, because it may carry secrets.
fn log_refusal(exchange: &Exchange, refusal: &Refusal) {
    let stage = exchange.trace.steps().last().map_or("protocol", |step| step.stage.as_str());
    tracing::info!(
        target: "bartizan::refusal",
        stage,
        code = refusal.code.as_str(),
        status = refusal.status().as_u16(),
        request_id = exchange.id.as_str(),
        client = %exchange.client.address,
        method = %exchange.head.method,
        path = exchange.head.uri.path(),
        route = exchange.route.as_ref().map(|route| route.config.path.as_str()),
        principal = exchange.identified.as_ref().map(|identified| identified.principal.id.as_str()),
        limit_threat = exchange.limit_threat(),
        reason = %refusal.reason,
        "refused"
    );
}

/// How many lines a second tell what a firewall in the mode `log` would refuse.
const WOULD_REFUSE_A_SECOND: u32 = 100;
/// The most rules that such a line names by their numbers.
const NUMBERS: usize = 50;

static WOULD_REFUSE: LogRate = LogRate::new(WOULD_REFUSE_A_SECOND);

/// One structured line per request that the firewall would have refused, had its mode been `block`. Values are not in it.
fn log_what_would_be_refused(exchange: &Exchange) {
    let Some(inspected) = exchange
        .inspected
        .as_deref()
        .filter(|inspected| inspected.mode == WafMode::Log && !matches!(inspected.judged, Judged::Passed))
    else {
        return;
    };
    let Some(left_out) = WOULD_REFUSE.admit(Instant::now()) else { return };
    let rules: Vec<String> = inspected.numbers.iter().take(NUMBERS).map(u64::to_string).collect();
    let score = match inspected.judged {
        Judged::RefusedResponse => inspected.outbound_score,
        Judged::Passed | Judged::RefusedRequest => inspected.inbound_score,
    };
    tracing::info!(
        target: "bartizan::firewall",
        request_id = exchange.id.as_str(),
        client = %exchange.client.address,
        method = %exchange.head.method,
        path = exchange.head.uri.path(),
        route = exchange.route.as_ref().map(|route| route.config.path.as_str()),
        rules = rules.join(" "),
        score,
        reason = inspected.summary(),
        lines_left_out = left_out,
        "would refuse"
    );
}

/// One structured line per request that was served, where the configuration asks for it. Without the query, too.
fn log_answer(exchange: &Exchange, status: StatusCode) {
    tracing::info!(
        target: "bartizan::request",
        status = status.as_u16(),
        request_id = exchange.id.as_str(),
        client = %exchange.client.address,
        method = %exchange.head.method,
        path = exchange.head.uri.path(),
        route = exchange.route.as_ref().map(|route| route.config.path.as_str()),
        principal = exchange.identified.as_ref().map(|identified| identified.principal.id.as_str()),
        milliseconds = exchange.started.elapsed().as_secs_f64() * 1000.0,
        "served"
    );
}
