//! One thing that happened, typed.

use std::{net::IpAddr, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{EventId, Kind, Service, Severity};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Which one, and when.
    pub id: EventId,
    /// What.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// What the gateway made of it.
    pub decision: Decision,
    /// For a person who reads a list: one sentence. No secrets.
    pub message: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Who did it: the id of a person, service or key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// For which organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// By which route, as the configuration writes its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The rules that matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// What nobody looks for.
    pub details: Details,
}

/// What the gateway made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It let it happen.
    Allowed = 1,
    /// It did not.
    Refused = 2,
    /// It asked for more.
    Challenged = 3,
    /// It only noted it.
    Observed = 4,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 4] = [Self::Allowed, Self::Refused, Self::Challenged, Self::Observed];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Challenged => "challenged",
            Self::Observed => "observed",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.code() == code)
    }
}

/// How it went for whoever did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They have what they wanted.
    Success,
    /// They have not.
    Failure,
}

/// What proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A signed token.
    Token,
    /// A session.
    Session,
    /// An API key.
    ApiKey,
    /// A signature over the request.
    Signature,
    /// A client certificate.
    Certificate,
    /// Nothing.
    None,
}

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    User,
    /// A machine.
    Service,
    /// Whoever holds an API key.
    ApiKey,
    /// Whoever runs the gateway.
    Operator,
    /// The gateway itself.
    System,
}

/// What nobody looks for, but everybody who found an event wants to read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The part of the gateway; `None` is the one that events of this kind are from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// How it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why, as a stable word: the code of a refusal, the action of the audit trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in a sentence for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The stage that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The anomaly score of the firewall's rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// Their paranoia level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paranoia: Option<u8>,
    /// The policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What proved who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// The id of the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Words that rules go by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What whoever did it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorKind>,
    /// The id of their session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Whom or what it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was asked over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpDetails>>,
    /// What a detection rule has found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Box<FindingDetails>>,
}

/// What a detection rule has found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingDetails {
    /// The rule's title.
    pub title: String,
    /// What the rule says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who wrote the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Techniques of MITRE ATT&CK, as in `T1110.003`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    /// How many events, or values, there were at least.
    pub count: u64,
    /// When the first of them happened, in milliseconds since 1970.
    pub first: i64,
    /// When the last of them happened, in milliseconds since 1970.
    pub last: i64,
    /// The ids of the last events that count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What they have in common, or what of the event met the rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FoundField>,
}

/// A field of events and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundField {
    /// Its path, as in `src_endpoint.ip`.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

impl FindingDetails {
    /// How much memory it holds, in bytes.
    fn size(&self) -> usize {
        let Self { title, description, author, techniques, events, fields, .. } = self;
        let texts = [description, author].into_iter().flatten().chain(techniques).chain(events);
        let fields_size =
            |field: &FoundField| size_of::<FoundField>() + field.name.capacity() + field.value.capacity();
        size_of::<Self>()
            + title.capacity()
            + texts.map(|text| size_of::<String>() + text.capacity()).sum::<usize>()
            + fields.iter().map(fields_size).sum::<usize>()
    }
}

impl Details {
    /// How much memory it holds beside itself, in bytes.
    fn size(&self) -> usize {
        let Self { reason, explanation, stage, policy, key, session, subject, tags, http, finding, .. } =
            self;
        let texts = [reason, explanation, stage, policy, key, session, subject].into_iter().flatten();
        texts.chain(tags).map(String::capacity).sum::<usize>()
            + tags.capacity() * size_of::<String>()
            + http.as_ref().map_or(0, |http| http.size())
            + finding.as_ref().map_or(0, |finding| finding.size())
    }
}

impl HttpDetails {
    /// How much memory it holds, in bytes.
    fn size(&self) -> usize {
        let Self { method, path, query, host, version, user_agent, referrer, .. } = self;
        let texts = [method, path, query, host, version, user_agent, referrer];
        size_of::<Self>() + texts.into_iter().map(String::capacity).sum::<usize>()
    }
}

/// What was asked over HTTP, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpDetails {
    /// The method.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The path, as received.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The query. Values of parameters that have the name of a secret are masked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// The host that was asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Whether over TLS.
    pub secure: bool,
    /// The version, as in `1.1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The page it comes from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub referrer: String,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From the request's arrival to the head of its answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<u64>,
}

impl Event {
    /// Something that happened at `moment`, as bad as its kind is.
    pub fn new(kind: Kind, moment: SystemTime, decision: Decision, message: impl Into<String>) -> Self {
        Self {
            id: EventId::at(moment),
            kind,
            severity: kind.severity(),
            decision,
            message: message.into(),
            address: None,
            user: None,
            organization: None,
            route: None,
            request: None,
            rules: Vec::new(),
            details: Details::default(),
        }
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn size(&self) -> usize {
        let Self { message, user, organization, route, request, rules, details, .. } = self;
        let texts = [user, organization, route, request].into_iter().flatten();
        size_of::<Self>()
            + message.capacity()
            + texts.chain(rules).map(String::capacity).sum::<usize>()
            + rules.capacity() * size_of::<String>()
            + details.size()
    }

    /// The part of the gateway that it is from.
    pub fn service(&self) -> Service {
        self.details.service.unwrap_or(match self.kind.class() {
            crate::Class::HttpActivity | crate::Class::DetectionFinding | crate::Class::IncidentFinding => {
                Service::Gateway
            }
            crate::Class::Authentication | crate::Class::AccountChange => Service::Accounts,
            crate::Class::ApiActivity => Service::Admin,
        })
    }
}
