//! A control plane over a system that says what the test wants it to say.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use axum::{Router, body::Body};
use bartizan_config::{Config, Source};
use bartizan_limits::Limiter;
use bartizan_pipeline::{LimitHistory, Records};
use bartizan_reputation::AddressLists;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{
    AdminToken, ConfigurationStatus, Control, DetectionRule, DetectionStatus, Export, ExportFailure,
    ExportTest, ExportTestFuture, LimitsInUse, Listener, ListenerKind, PoliciesInUse, ReloadFailure,
    ReloadFuture, Reloaded, Status, System, TargetHealth, TargetStatus, Timestamp, UpstreamStatus,
};

pub(crate) const METRICS: &str = "# TYPE bartizan_build_info gauge\nbartizan_build_info 1\n";

pub(crate) struct Admin {
    pub(crate) control: Control,
    pub(crate) system: Arc<Scripted>,
    pub(crate) records: Arc<Records>,
    pub(crate) token: AdminToken,
}

/// A system that says what it is told to.
pub(crate) struct Scripted {
    pub(crate) status: Mutex<Status>,
    pub(crate) reload: Mutex<Result<Reloaded, ReloadFailure>>,
    pub(crate) limits: LimitsInUse,
    pub(crate) policies: Mutex<PoliciesInUse>,
}

impl System for Scripted {
    fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.policies.lock().unwrap().config)
    }

    fn reload(&self) -> ReloadFuture<'_> {
        Box::pin(async { self.reload.lock().unwrap().clone() })
    }

    fn upstreams(&self) -> Vec<UpstreamStatus> {
        let target = |url: &str, health| TargetStatus { url: url.into(), health, requests_in_flight: 2 };
        let targets = vec![
            target("http://orders:8080", TargetHealth::Healthy),
            target("http://spare:8080", TargetHealth::Ejected),
        ];
        vec![UpstreamStatus { name: "orders".into(), targets }]
    }

    fn limits(&self) -> LimitsInUse {
        self.limits.clone()
    }

    fn policies(&self) -> PoliciesInUse {
        self.policies.lock().unwrap().clone()
    }

    fn detection(&self) -> DetectionStatus {
        let rule = DetectionRule {
            id: "5f1d".into(),
            title: "Passwords are tried".into(),
            severity: "high".into(),
            author: Some("Bartizan".into()),
            techniques: vec!["T1110.001".into()],
            file: "starter/brute-force.yml:3".into(),
            fired: 2,
            last_fired: None,
        };
        DetectionStatus { rules: vec![rule], waiting: 0 }
    }

    fn exports(&self) -> Vec<Export> {
        let failed = ExportFailure { at: moment(), message: "503 Service Unavailable".into() };
        vec![Export {
            name: "siem".into(),
            kind: "splunk".into(),
            failing: true,
            waiting_bytes: 4096,
            oldest: Some(moment()),
            sent: 7,
            refused: 0,
            left_out: 1,
            last_success: None,
            last_error: Some(failed),
        }]
    }

    fn test_export(&self, name: String) -> ExportTestFuture<'_> {
        let tested = ExportTest { delivered: false, answer: "403 Forbidden".into() };
        Box::pin(async move { (name != "unknown").then_some(tested) })
    }

    fn metrics(&self) -> String {
        METRICS.into()
    }
}

impl Admin {
    pub(crate) fn new() -> Self {
        let configuration = ConfigurationStatus {
            revision: "3f0a9b6c2d41".into(),
            path: Some("bartizan.yaml".into()),
            loaded_at: moment(),
            last_failure: None,
        };
        let status = Status {
            version: "0.1.0".into(),
            started: moment(),
            uptime_seconds: 7,
            ready: true,
            draining: false,
            configuration,
            listeners: vec![Listener { kind: ListenerKind::Admin, address: "127.0.0.1:9443".into() }],
        };
        let reloaded = Reloaded { revision: "77d1c0ffee00".into(), changed: true, warnings: Vec::new() };
        let (status, reload) = (Mutex::new(status), Mutex::new(Ok(reloaded)));
        let limits = limits();
        let policies = Mutex::new(PoliciesInUse { config: Arc::clone(&limits.config), policies: None });
        let system = Arc::new(Scripted { status, reload, limits, policies });
        let records = Arc::new(Records::with_capacity(16));
        let token = AdminToken::generate().unwrap();
        let control = Control::new(
            Arc::clone(&system) as Arc<dyn System>,
            Arc::clone(&records),
            Arc::new(AddressLists::default()),
            token.clone(),
        );
        Self { control, system, records, token }
    }

    /// A request as an operator sends it.
    pub(crate) fn request(&self, method: Method, target: &str, body: Option<&str>) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, "127.0.0.1:9443")
            .header(header::AUTHORIZATION, self.token.authorization());
        match body {
            None => request.body(Body::empty()),
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned()))
            }
        }
        .unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.control.router(), request).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(self.request(Method::GET, target, None)).await
    }

    pub(crate) async fn post(&self, target: &str, body: Option<&str>) -> Answer {
        self.send(self.request(Method::POST, target, body)).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send(self.request(Method::DELETE, target, None)).await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(router: Router, request: Request<Body>) -> Self {
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: head.status, headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of a problem, after checking that it is one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem: crate::Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.problem_type, "about:blank");
        assert_eq!(Some(problem.title.as_str()), self.status.canonical_reason());
        assert_eq!(problem.request_id, self.header("x-request-id"));
        assert!(!problem.request_id.is_empty() && !problem.detail.is_empty(), "{problem:?}");
        problem.code
    }
}

pub(crate) fn moment() -> Timestamp {
    (UNIX_EPOCH + Duration::from_secs(1_772_357_407)).into()
}

/// Two policies, and nothing counted yet.
fn limits() -> LimitsInUse {
    let text = "version: 1
listen: { http: \"127.0.0.1:0\" }
limits:
  voice:
    - { per: address, rate: 5/h }
    - { per: [address, route], rate: 100/h, algorithm: sliding-window }
    - { per: address, concurrent: 2 }
  watched: [{ per: address, rate: 1/h, mode: shadow }]
routes:
  - { path: /**, to: \"http://127.0.0.1:1\", auth: none, limit: [voice, watched] }";
    let config = Config::parse(text, &Source::text(".")).unwrap().config;
    let limiter = Limiter::new(None, None).unwrap();
    LimitsInUse { config: Arc::new(config), limiter, history: LimitHistory::default() }
}
