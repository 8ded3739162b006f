//! Events as JSON in the shape of OCSF, the Open Cybersecurity Schema Framework (<https://schema.ocsf.io>), and one
//! object beside it, `bartizan`, for what OCSF has no place for.
//!
//! The profile `host` gives every class an `actor`, the profile `security_control` the `action_id`. A test has every kind
//! of event validated by the schema of [`OCSF_VERSION`].

use serde_json::{Map, Value, json};

use crate::{
    ActorKind, Class, Decision, Event, FindingDetails, HttpDetails, Kind, Outcome, kind::OTHER_ACTIVITY,
};

#[cfg(test)]
mod tests;

/// The version of OCSF that events are written in.
pub const OCSF_VERSION: &str = "1.8.0";

const PRODUCT: &str = "Bartizan";
const VENDOR: &str = "The Bartizan developers";
/// Who it was, where nobody knows.
const UNKNOWN: &str = "unknown";
/// The status of what is over (`status_id`).
const RESOLVED: u32 = 4;
/// Who has an alert that nobody took.
const TOLD: &str = "on call";

impl Event {
    /// The event in the shape of OCSF.
    pub fn ocsf(&self) -> Value {
        let (class, activity) = (self.kind.class(), self.activity());
        let mut event = object(json!({
            "metadata": self.metadata(),
            "time": self.id.milliseconds(),
            "category_uid": class.category(),
            "class_uid": class.uid(),
            "activity_id": activity,
            "type_uid": class.uid() * 100 + activity,
            "severity_id": self.severity.number(),
            "action_id": self.action(),
            "message": self.message,
            "bartizan": self.own(),
        }));
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                event.insert(name.to_owned(), value);
            }
        };
        put("status_id", self.status(class));
        put("status_detail", self.details.explanation.as_deref().map(Value::from));
        put("actor", self.actor(class));
        match class {
            Class::HttpActivity => {
                put("src_endpoint", self.source());
                put("dst_endpoint", Some(self.destination()));
                put("http_request", Some(self.http_request()));
                put("http_response", self.http_response());
            }
            Class::Authentication => {
                put("user", Some(self.person()));
                put("src_endpoint", self.source());
                put("dst_endpoint", Some(self.destination()));
                put("http_request", self.request.is_some().then(|| self.http_request()));
                put("session", self.details.session.as_ref().map(|id| json!({ "uid": id })));
            }
            Class::AccountChange => {
                put("user", Some(self.person()));
                put("src_endpoint", self.source());
                put("http_request", self.request.is_some().then(|| self.http_request()));
            }
            Class::ApiActivity => {
                put("api", Some(json!({ "operation": self.operation() })));
                // The gateway's own doing has no other source than itself.
                put("src_endpoint", Some(self.source().unwrap_or_else(|| json!({ "svc_name": PRODUCT }))));
                put("dst_endpoint", Some(self.destination()));
                put("http_request", self.request.is_some().then(|| self.http_request()));
                put("resources", self.details.subject.as_ref().map(|subject| json!([{ "uid": subject }])));
            }
            Class::DetectionFinding => {
                put("finding_info", Some(self.finding_info()));
                put("count", self.details.finding.as_ref().map(|finding| finding.count.into()));
                put("evidences", self.source().map(|source| json!([{ "src_endpoint": source }])));
            }
            Class::IncidentFinding => {
                put("finding_info_list", Some(json!([self.finding_info()])));
                // Whoever took it has it; before, whoever was told.
                match self.user {
                    Some(_) => put("assignee", Some(self.acting_user())),
                    None => put("assignee_group", Some(json!({ "name": TOLD }))),
                }
                put("count", self.details.finding.as_ref().map(|finding| finding.count.into()));
            }
        }
        Value::Object(event)
    }

    fn metadata(&self) -> Value {
        let mut metadata = object(json!({
            "version": OCSF_VERSION,
            "uid": self.id.to_string(),
            "product": { "name": PRODUCT, "vendor_name": VENDOR, "version": env!("CARGO_PKG_VERSION") },
            "profiles": ["host", "security_control"],
        }));
        if let Some(request) = &self.request {
            metadata.insert("correlation_uid".into(), request.as_str().into());
        }
        Value::Object(metadata)
    }

    fn activity(&self) -> u32 {
        let method = self.details.http.as_ref().map_or("", |http| http.method.as_str());
        match (self.kind.class(), method) {
            (Class::HttpActivity, "CONNECT") => 1,
            (Class::HttpActivity, "DELETE") => 2,
            (Class::HttpActivity, "GET") => 3,
            (Class::HttpActivity, "HEAD") => 4,
            (Class::HttpActivity, "OPTIONS") => 5,
            (Class::HttpActivity, "POST") => 6,
            (Class::HttpActivity, "PUT") => 7,
            (Class::HttpActivity, "TRACE") => 8,
            (Class::HttpActivity, "PATCH") => 9,
            (Class::HttpActivity, _) => OTHER_ACTIVITY,
            _ => self.kind.activity(),
        }
    }

    const fn action(&self) -> u32 {
        match self.decision {
            Decision::Allowed => 1,
            Decision::Refused | Decision::Challenged => 2,
            Decision::Observed => 3,
        }
    }

    /// Of findings the status says how far somebody has got with them: what a rule has found is new.
    fn status(&self, class: Class) -> Option<Value> {
        match (class, self.details.outcome) {
            (Class::IncidentFinding, _) => Some(self.kind.incident_status().into()),
            (Class::DetectionFinding, _) if self.kind == Kind::WeaknessGone => Some(RESOLVED.into()),
            (Class::DetectionFinding, _) | (_, Some(Outcome::Success)) => Some(1.into()),
            (_, Some(Outcome::Failure)) => Some(2.into()),
            (_, None) => None,
        }
    }

    fn source(&self) -> Option<Value> {
        self.address.map(|address| json!({ "ip": address.to_canonical().to_string() }))
    }

    fn destination(&self) -> Value {
        let mut destination = object(json!({ "svc_name": self.service().as_str() }));
        if let Some(http) = self.details.http.as_ref().filter(|http| !http.host.is_empty()) {
            destination.insert("hostname".into(), http.host.as_str().into());
        }
        Value::Object(destination)
    }

    /// Who did it. What is done through an API always has somebody who did it.
    fn actor(&self, class: Class) -> Option<Value> {
        let mut actor = Map::new();
        if self.user.is_some() {
            actor.insert("user".into(), self.acting_user());
        }
        if let Some(session) = &self.details.session {
            actor.insert("session".into(), json!({ "uid": session }));
        }
        if actor.is_empty() && class == Class::ApiActivity {
            actor.insert("app_name".into(), PRODUCT.into());
        }
        (!actor.is_empty()).then_some(Value::Object(actor))
    }

    fn acting_user(&self) -> Value {
        let mut user = Map::new();
        user.insert("uid".into(), self.user.as_deref().unwrap_or(UNKNOWN).into());
        if let Some(kind) = self.details.actor {
            let (number, name) = kind.ocsf();
            user.insert("type_id".into(), number.into());
            user.insert("type".into(), name.into());
        }
        if let Some(organization) = &self.organization {
            user.insert("org".into(), json!({ "uid": organization }));
        }
        Value::Object(user)
    }

    /// Whom it is about: whose account has changed, or who wanted in.
    fn person(&self) -> Value {
        match (&self.details.subject, &self.user) {
            (Some(subject), _) => json!({ "uid": subject }),
            (None, Some(_)) => self.acting_user(),
            (None, None) => json!({ "name": UNKNOWN }),
        }
    }

    fn operation(&self) -> &str {
        self.details.reason.as_deref().unwrap_or(self.kind.as_str())
    }

    fn http_request(&self) -> Value {
        let mut request = Map::new();
        if let Some(id) = &self.request {
            request.insert("uid".into(), id.as_str().into());
        }
        let Some(http) = &self.details.http else { return Value::Object(request) };
        let HttpDetails { method, version, user_agent, referrer, .. } = &**http;
        for (name, text) in [
            ("http_method", method),
            ("version", version),
            ("user_agent", user_agent),
            ("referrer", referrer),
        ] {
            if !text.is_empty() {
                request.insert(name.into(), text.as_str().into());
            }
        }
        // OCSF knows the methods of RFC 9110 and `PATCH`; what else was asked stands in the message.
        if self.activity() == OTHER_ACTIVITY {
            request.remove("http_method");
        }
        if let Some(url) = url(http) {
            request.insert("url".into(), url);
        }
        Value::Object(request)
    }

    fn http_response(&self) -> Option<Value> {
        let http = self.details.http.as_ref()?;
        let mut response = object(json!({ "code": http.status? }));
        if let Some(latency) = http.latency {
            response.insert("latency".into(), latency.into());
        }
        Some(Value::Object(response))
    }

    /// What a rule has found, and by which of its author's words.
    fn finding_info(&self) -> Value {
        let Some(finding) = &self.details.finding else {
            return json!({ "uid": self.id.to_string(), "title": self.kind.as_str() });
        };
        let FindingDetails { title, description, techniques, first, last, events, .. } = &**finding;
        // Whatever is told of one incident, or of one weakness, has its id.
        let uid = match &self.details.subject {
            Some(subject) if self.kind.is_told_again() => subject.clone(),
            _ => self.id.to_string(),
        };
        let mut info = object(json!({
            "uid": uid,
            "title": title,
            "first_seen_time": first,
            "last_seen_time": last,
        }));
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                info.insert(name.to_owned(), value);
            }
        };
        put("desc", description.as_deref().map(Value::from));
        let analytic = |rule: &String| json!({ "name": title, "uid": rule, "type_id": 1, "type": "Rule" });
        put("analytic", self.rules.first().map(analytic));
        let of = |technique: &String| json!({ "technique": { "uid": technique } });
        put("attacks", listed(techniques.iter().map(of)));
        put("related_events", listed(events.iter().map(|id| json!({ "uid": id }))));
        Value::Object(info)
    }

    /// What OCSF has no place for.
    fn own(&self) -> Value {
        let details = &self.details;
        let mut own = object(json!({
            "event": self.kind.as_str(),
            "decision": self.decision.as_str(),
            "service": self.service().as_str(),
        }));
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                own.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        put("stage", text(&details.stage));
        put("reason", text(&details.reason));
        put("route", text(&self.route));
        put("rules", (!self.rules.is_empty()).then(|| json!(self.rules)));
        put("score", details.score.map(Value::from));
        put("paranoia", details.paranoia.map(Value::from));
        put("policy", text(&details.policy));
        put("credential", details.credential.map(|credential| json!(credential)));
        put("key", text(&details.key));
        put("organization", text(&self.organization));
        put("tags", (!details.tags.is_empty()).then(|| json!(details.tags)));
        put("finding", details.finding.as_ref().map(|finding| own_finding(finding)));
        Value::Object(own)
    }
}

impl Kind {
    /// How far somebody has got with an incident (`status_id`): new, in progress, resolved.
    const fn incident_status(self) -> u32 {
        match self {
            Self::AlertAcknowledged => 2,
            Self::AlertResolved => RESOLVED,
            _ => 1,
        }
    }

    /// Whether several events tell of one thing, whose id is their subject.
    pub(crate) fn is_told_again(self) -> bool {
        self.class() == Class::IncidentFinding || matches!(self, Self::WeaknessFound | Self::WeaknessGone)
    }
}

impl ActorKind {
    /// The number and the word.
    const fn ocsf(self) -> (u32, &'static str) {
        match self {
            Self::User => (1, "User"),
            Self::Operator => (2, "Admin"),
            Self::System => (3, "System"),
            Self::Service => (4, "Service"),
            Self::ApiKey => (99, "API key"),
        }
    }
}

/// Of a finding what OCSF has no place for.
fn own_finding(finding: &FindingDetails) -> Value {
    let mut own = object(json!({ "fields": finding.fields }));
    if let Some(author) = &finding.author {
        own.insert("author".into(), author.as_str().into());
    }
    Value::Object(own)
}

/// A list that has members.
fn listed(members: impl Iterator<Item = Value>) -> Option<Value> {
    let members: Vec<_> = members.collect();
    (!members.is_empty()).then_some(Value::Array(members))
}

/// OCSF wants a path in it.
fn url(http: &HttpDetails) -> Option<Value> {
    if http.path.is_empty() {
        return None;
    }
    let mut url = object(json!({
        "path": http.path,
        "scheme": if http.secure { "https" } else { "http" },
    }));
    for (name, text) in [("query_string", &http.query), ("hostname", &http.host)] {
        if !text.is_empty() {
            url.insert(name.into(), text.as_str().into());
        }
    }
    Some(Value::Object(url))
}

/// What `json!({ … })` makes.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
