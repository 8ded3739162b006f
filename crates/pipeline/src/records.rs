//! The last decisions, kept in memory for `bartizan explain`.
//!
//! Two rings, one for refusals and one for the rest, so that traffic that passes cannot push out what was refused.
//! Writing is one index step and one uncontended lock; reading walks the ring, which only an operator does.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bartizan_identity::Identified;
use bartizan_limits::Threat;
use bartizan_model::{RequestId, TraceContext};
use bartizan_policy::Judgement;
use http::{Method, StatusCode};

use crate::{Code, CompiledRoute, Exchange, Inspected, LimitAccount, RouteLimits, RuleAccount, Trace};

/// What is remembered of a path, in bytes.
pub(crate) const MAX_PATH: usize = 512;

/// What is remembered of one request.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its id.
    pub id: RequestId,
    /// Its place in a distributed trace.
    pub trace_context: TraceContext,
    /// When it arrived.
    pub arrived: SystemTime,
    /// From its arrival to the head of the answer.
    pub took: Duration,
    /// The client's address.
    pub client: std::net::IpAddr,
    /// Whether the client spoke TLS.
    pub secure: bool,
    /// Its method.
    pub method: Method,
    /// Its path as received, without the query, at most 512 bytes of it.
    pub path: Box<str>,
    /// The route that took it.
    pub route: Option<Arc<CompiledRoute>>,
    /// Who asked.
    pub identified: Option<Arc<Identified>>,
    /// Whether their session was used from elsewhere than where they were proven.
    pub moved: bool,
    /// The status it was answered with.
    pub status: StatusCode,
    /// The refusal's code, if it was refused.
    pub code: Option<Code>,
    /// What every stage found.
    pub trace: Trace,
    /// What the policies said; `None` where none were asked.
    pub judged: Option<Arc<Judgement>>,
    /// What its limits said.
    pub limits: LimitAccount,
    /// What the firewall's rules found; `None` where they did not look.
    pub inspected: Option<Arc<Inspected>>,
}

/// The rings.
pub struct Records {
    refused: Ring,
    served: Ring,
    observer: OnceLock<Observer>,
}

/// Sees every request that is remembered.
type Observer = Box<dyn Fn(&Arc<Record>) + Send + Sync>;

impl Records {
    /// Rings for this many refusals and as many served requests.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { refused: Ring::new(capacity), served: Ring::new(capacity), observer: OnceLock::new() }
    }

    /// Shows every further request to `observer`, too. It runs on the road: it must neither wait nor work. There
    /// is one observer; whether this one is it is returned.
    pub fn observe(&self, observer: impl Fn(&Arc<Record>) + Send + Sync + 'static) -> bool {
        self.observer.set(Box::new(observer)).is_ok()
    }

    /// Remembers a request, forgetting the oldest of its kind.
    pub fn push(&self, record: Arc<Record>) {
        if let Some(observer) = self.observer.get() {
            observer(&record);
        }
        let ring = if record.code.is_some() { &self.refused } else { &self.served };
        ring.push(record);
    }

    /// Everything that is remembered, the newest first.
    pub fn all(&self) -> Vec<Arc<Record>> {
        self.latest(usize::MAX, false)
    }

    /// The requests with this id, the newest first. Ids come from clients, so there may be several.
    pub fn find(&self, id: &str) -> Vec<Arc<Record>> {
        let mut found: Vec<_> = self.refused.matching(id).chain(self.served.matching(id)).collect();
        found.sort_by_key(|record| std::cmp::Reverse(record.arrived));
        found
    }

    /// The latest `count` requests, the newest first; only refusals if so asked.
    pub fn latest(&self, count: usize, refused_only: bool) -> Vec<Arc<Record>> {
        let mut latest: Vec<_> = self.refused.iter().collect();
        if !refused_only {
            latest.extend(self.served.iter());
        }
        latest.sort_by_key(|record| std::cmp::Reverse(record.arrived));
        latest.truncate(count);
        latest
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, served, observer } = self;
        let mut records = f.debug_struct("Records");
        records
            .field("refused", refused)
            .field("served", served)
            .field("observed", &observer.get().is_some());
        records.finish()
    }
}

impl Record {
    /// What remains of an exchange once it has been answered.
    pub fn of(exchange: Exchange, status: StatusCode, code: Option<Code>) -> Self {
        let path = exchange.head.uri.path();
        let mut end = path.len().min(MAX_PATH);
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            took: exchange.started.elapsed(),
            path: path[..end].into(),
            id: exchange.id,
            trace_context: exchange.trace_context,
            arrived: exchange.arrived,
            client: exchange.client.address,
            secure: exchange.client.secure,
            method: exchange.head.method,
            route: exchange.route,
            identified: exchange.identified,
            moved: exchange.moved,
            status,
            code,
            trace: exchange.trace,
            judged: exchange.judged,
            limits: LimitAccount::of(exchange.limited),
            inspected: exchange.inspected,
        }
    }

    /// What every rule that decided about it said, in the order in which they were decided.
    pub fn limit_rules(&self) -> Vec<RuleAccount<'_>> {
        self.rules().map_or_else(Vec::new, |limits| self.limits.rules(limits))
    }

    /// How much of a threat it looks like by its limits; `None` where none has decided about it.
    pub fn limit_threat(&self) -> Option<Threat> {
        self.limits.threat(self.rules()?, self.identified.is_none())
    }

    fn rules(&self) -> Option<&RouteLimits> {
        self.route.as_ref().map(|route| &route.limits).or_else(|| self.limits.unmatched())
    }
}

#[derive(Debug)]
struct Ring {
    slots: Box<[Mutex<Option<Arc<Record>>>]>,
    next: AtomicUsize,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self { slots: (0..capacity.max(1)).map(|_| Mutex::default()).collect(), next: AtomicUsize::new(0) }
    }

    fn push(&self, record: Arc<Record>) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        *self.slots[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }

    fn iter(&self) -> impl Iterator<Item = Arc<Record>> {
        self.slots.iter().filter_map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn matching(&self, id: &str) -> impl Iterator<Item = Arc<Record>> {
        self.iter().filter(move |record| record.id.as_str() == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, code: Option<Code>) -> Arc<Record> {
        Arc::new(Record {
            id: id.parse().unwrap(),
            trace_context: TraceContext::start(),
            arrived: SystemTime::now(),
            took: Duration::ZERO,
            client: [192, 0, 2, 1].into(),
            secure: false,
            method: Method::GET,
            path: "/".into(),
            route: None,
            identified: None,
            moved: false,
            status: StatusCode::OK,
            code,
            trace: Trace::default(),
            judged: None,
            limits: LimitAccount::default(),
            inspected: None,
        })
    }

    #[test]
    fn an_observer_sees_what_is_remembered() {
        let records = Records::with_capacity(4);
        let (sender, receiver) = std::sync::mpsc::channel();
        assert!(records.observe(move |record| sender.send(record.id.to_string()).unwrap()));
        assert!(!records.observe(|_| panic!("a second observer")));
        records.push(record("a", None));
        records.push(record("b", Some(Code::RouteNotFound)));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn traffic_that_passes_cannot_push_out_a_refusal() {
        let records = Records::with_capacity(4);
        records.push(record("refused", Some(Code::PermissionDenied)));
        for number in 0..100 {
            records.push(record(&format!("served-{number}"), None));
        }
        assert_eq!(records.find("refused").len(), 1);
        assert!(records.find("served-95").is_empty());
        assert_eq!(records.find("served-96").len(), 1);
        assert_eq!(records.latest(10, true).len(), 1);
        assert_eq!(records.latest(10, false).len(), 5);
        assert_eq!(records.latest(2, false)[0].id.as_str(), "served-99");
    }

    #[test]
    fn requests_that_share_an_id_are_all_found_newest_first() {
        let records = Records::with_capacity(4);
        records.push(record("same", None));
        records.push(record("same", Some(Code::RouteNotFound)));
        let codes: Vec<_> = records.find("same").iter().map(|record| record.code).collect();
        assert_eq!(codes, [Some(Code::RouteNotFound), None]);
    }
}
