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
use http::{HeaderValue, Method, StatusCode, Version, header, request::Parts};

use crate::{Code, CompiledRoute, Exchange, Inspected, LimitAccount, RouteLimits, RuleAccount, Trace};

/// What is remembered of a path, in bytes.
pub(crate) const MAX_PATH: usize = 512;
const MAX_QUERY: usize = 1024;
const MAX_HOST: usize = 255;
const MAX_VALUE: usize = 512;

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
    /// What else it said of itself.
    pub asked: Asked,
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

/// What a request said of itself, cut to what is worth remembering. No answer and no line of the log shows it: a query
/// may carry secrets.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The query, at most 1024 bytes of it; empty for none.
    pub query: Box<str>,
    /// The host, at most 255 bytes.
    pub host: Box<str>,
    /// What the client calls itself, at most 512 bytes.
    pub user_agent: Box<str>,
    /// The page it comes from, at most 512 bytes.
    pub referrer: Box<str>,
    /// The version of HTTP.
    pub version: Version,
}

/// The rings.
pub struct Records {
    refused: Ring,
    served: Ring,
    /// In the order in which they came.
    observers: [OnceLock<Observer>; OBSERVERS],
}

/// How many can look on: what exports spans, and what makes events.
const OBSERVERS: usize = 2;

/// Sees every request that is remembered.
type Observer = Box<dyn Fn(&Arc<Record>) + Send + Sync>;

impl Records {
    /// Rings for this many refusals and as many served requests.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            refused: Ring::new(capacity),
            served: Ring::new(capacity),
            observers: [const { OnceLock::new() }; OBSERVERS],
        }
    }

    /// Shows every further request to `observer`, too. It runs on the road: it must neither wait nor work. There
    /// is room for two observers; whether this one is among them is returned.
    pub fn observe(&self, observer: impl Fn(&Arc<Record>) + Send + Sync + 'static) -> bool {
        let mut observer: Option<Observer> = Some(Box::new(observer));
        self.observers.iter().any(|place| match observer.take() {
            None => true,
            Some(new) => match place.set(new) {
                Ok(()) => true,
                Err(refused) => {
                    observer = Some(refused);
                    false
                }
            },
        })
    }

    /// Remembers a request, forgetting the oldest of its kind.
    pub fn push(&self, record: Arc<Record>) {
        for observer in self.observers.iter().filter_map(OnceLock::get) {
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
        let Self { refused, served, observers } = self;
        let mut records = f.debug_struct("Records");
        records
            .field("refused", refused)
            .field("served", served)
            .field("observers", &observers.iter().filter_map(OnceLock::get).count());
        records.finish()
    }
}

impl Record {
    /// What remains of an exchange once it has been answered.
    pub fn of(exchange: Exchange, status: StatusCode, code: Option<Code>) -> Self {
        Self {
            took: exchange.started.elapsed(),
            path: beginning(exchange.head.uri.path(), MAX_PATH),
            asked: exchange.asked,
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
        self.limits.instead().or_else(|| self.route.as_ref().map(|route| &route.limits))
    }
}

impl Asked {
    pub(crate) fn of(head: &Parts) -> Self {
        let value = |name, most| {
            let value = head.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
            // What is no text is no name of a program, and no address of a page.
            beginning(str::from_utf8(value).unwrap_or_default(), most)
        };
        let host =
            head.uri.host().map_or_else(|| value(header::HOST, MAX_HOST), |host| beginning(host, MAX_HOST));
        Self {
            query: beginning(head.uri.query().unwrap_or_default(), MAX_QUERY),
            host,
            user_agent: value(header::USER_AGENT, MAX_VALUE),
            referrer: value(header::REFERER, MAX_VALUE),
            version: head.version,
        }
    }
}

/// As many whole characters as fit into `most` bytes.
fn beginning(text: &str, most: usize) -> Box<str> {
    text[..text.floor_char_boundary(most)].into()
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
            asked: Asked::default(),
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
    fn observers_see_what_is_remembered() {
        let records = Records::with_capacity(4);
        let (sender, receiver) = std::sync::mpsc::channel();
        for observer in ["one", "two"] {
            let sender = sender.clone();
            assert!(records.observe(move |record| sender.send(format!("{observer} {}", record.id)).unwrap()));
        }
        assert!(!records.observe(|_| panic!("a third observer")));
        records.push(record("a", None));
        records.push(record("b", Some(Code::RouteNotFound)));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["one a", "two a", "one b", "two b"]);
    }

    #[test]
    fn what_a_request_says_of_itself_is_cut() {
        let (mut head, ()) = http::Request::builder()
            .uri(format!("/a?{}", "q".repeat(5000)))
            .header(header::HOST, "shop.test")
            .header(header::USER_AGENT, "ä".repeat(300))
            .header(header::REFERER, HeaderValue::from_bytes(b"\xff").unwrap())
            .body(())
            .unwrap()
            .into_parts();
        let asked = Asked::of(&head);
        assert_eq!((asked.query.len(), &*asked.host, &*asked.referrer), (1024, "shop.test", ""));
        assert_eq!(*asked.user_agent, *"ä".repeat(256));
        head.uri = "https://other.test:8443/".parse().unwrap();
        assert_eq!(&*Asked::of(&head).host, "other.test", "HTTP/2 says it in the target");
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
