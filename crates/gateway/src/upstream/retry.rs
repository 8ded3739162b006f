//! Whether a request may be sent once more.
//!
//! Only requests that mean the same sent twice (RFC 9110, section 9.2.2) and whose body is at hand, a bounded
//! number of times, and only while retries stay a small share of all requests: a budget keeps retries from
//! finishing off an upstream that is down already.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bartizan_config as config;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use metrics::Counter;
use tokio::time::Instant;

use super::{error::UpstreamError, request::Outgoing};

/// The rules and the budget of one upstream.
#[derive(Debug)]
pub(super) struct Retries {
    attempts: u32,
    statuses: Vec<StatusCode>,
    budget: Budget,
    count: Counter,
}

impl Retries {
    pub(super) fn new(config: &config::Retries, upstream: &str) -> Self {
        Self {
            attempts: config.attempts,
            statuses: config
                .statuses
                .iter()
                .filter_map(|&status| StatusCode::from_u16(status).ok())
                .collect(),
            budget: Budget::new(config.budget_percent),
            count: metrics::counter!("bartizan_upstream_retries_total", "upstream" => upstream.to_owned()),
        }
    }

    /// Counts a request, of which the budget is a share.
    pub(super) fn arrived(&self) {
        self.budget.deposit();
    }

    /// Whether another attempt could follow the one numbered `attempt` (the first is 1).
    pub(super) fn remain_after(&self, attempt: u32) -> bool {
        attempt <= self.attempts
    }

    /// Whether this status is to be retried.
    pub(super) fn retries_status(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status)
    }

    /// Takes one retry out of the budget; `false` when it is spent.
    pub(super) fn spend(&self) -> bool {
        let admitted = self.budget.withdraw();
        if admitted {
            self.count.increment(1);
        }
        admitted
    }
}

/// Whether an idempotent request that failed so may be sent again although it has been sent once.
///
/// A timeout is no reason: the request may still be at work, and a second one doubles the work.
pub(super) fn retries_error(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Protocol(_))
}

/// What is needed to send a request again.
pub(super) struct Copy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Outgoing,
}

impl Copy {
    /// A copy of a request that may be sent twice.
    pub(super) fn of(request: &Request<Outgoing>) -> Option<Self> {
        if !request.method().is_idempotent() {
            return None;
        }
        Some(Self {
            body: request.body().replay()?,
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    pub(super) fn into_request(self) -> Request<Outgoing> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// A token bucket filled by requests, not by time, and one retry per second beside it, so that an upstream
/// with little traffic is retried too.
#[derive(Debug)]
struct Budget {
    percent: i64,
    hundredths: AtomicI64,
    start: Instant,
    free_second: AtomicU64,
}

impl Budget {
    /// A retry costs as much as 100 requests at 1 percent bring.
    const COST: i64 = 100;
    /// What a fresh bucket holds: ten retries.
    const FIRST: i64 = 10 * Self::COST;
    /// What a bucket holds at most: a hundred retries.
    const MOST: i64 = 100 * Self::COST;

    fn new(percent: u32) -> Self {
        Self {
            percent: i64::from(percent),
            hundredths: AtomicI64::new(Self::FIRST),
            start: Instant::now(),
            free_second: AtomicU64::new(0),
        }
    }

    /// Readers far outnumber retries: once full, the bucket is only read.
    fn deposit(&self) {
        if self.hundredths.load(Ordering::Relaxed) < Self::MOST {
            self.hundredths.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    fn withdraw(&self) -> bool {
        let take = |held: i64| (held >= Self::COST).then(|| held - Self::COST);
        if self.hundredths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            return true;
        }
        let second = self.start.elapsed().as_secs();
        self.free_second.fetch_max(second, Ordering::Relaxed) < second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn retries_stay_a_share_of_requests() {
        let budget = Budget::new(20);
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
        }
        assert_eq!(retries, 10 + 200);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_budget_admits_one_retry_per_second() {
        let budget = Budget::new(0);
        while budget.withdraw() {}
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_budget_holds_a_hundred_retries() {
        let budget = Budget::new(20);
        (0..100_000).for_each(|_| budget.deposit());
        let admitted = (0..1000).filter(|_| budget.withdraw()).count();
        assert_eq!(admitted, 100);
    }

    #[test]
    fn only_idempotent_requests_with_their_body_at_hand_are_copied() {
        use crate::body::RequestBody;
        for (method, copied) in [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
        ] {
            let mut request = Request::new(Outgoing::new(RequestBody::Held(Some("x".into()))));
            *request.method_mut() = method.clone();
            assert_eq!(Copy::of(&request).is_some(), copied, "{method}");
        }
    }
}
