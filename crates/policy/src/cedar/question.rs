//! Questions about anything that the schema knows, in the shape of the `AuthZEN` Authorization API 1.0, section 5.

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_model::{CallerType, Grant, Zone};
use cedar_policy::{Context, Entities, Entity, EntityUid, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Judgement, Policies, Statement, Unmet, context::datetime, required::AskedRequest};

/// When a person was asked last, in seconds since 1970, as the claim of an ID token (`OpenID` Connect Core 1.0).
const PROVEN: &str = "auth_time";
/// What the gateway knows of itself; whoever asks need not say anything of it.
const ROUTE: &str = "Route";

/// May this subject do this to that resource?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who asks.
    #[serde(alias = "principal")]
    pub subject: AskedEntity,
    /// To do what.
    pub action: AskedAction,
    /// With what.
    pub resource: AskedEntity,
    /// What else is so.
    #[serde(default)]
    pub context: Map<String, Value>,
}

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedEntity {
    /// Its type, as the schema calls it.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Its id.
    pub id: String,
    /// Its attributes. Of a `User`, `Service` or `ApiKey`: `roles`, `organization`, `zone` and `grants`, which are all that
    /// it holds; without them it holds what its roles grant.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<AskedParent>,
}

/// An entity that another belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedParent {
    /// Its type.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Its id.
    pub id: String,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedAction {
    /// Its name: `orders:read`.
    pub name: String,
    /// Cedar's actions have none: policies read them as `context.action`, where the schema declares that.
    #[serde(default)]
    pub properties: Map<String, Value>,
}

/// Why a question has no answer: it is about something that the schema does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// The action.
    #[error("no action is called `{0}`")]
    UnknownAction(String),
    /// A type, an attribute, or what they do not fit to.
    #[error("{what}: {reason}")]
    Unfit {
        /// What of the question.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Such a request is refused before policies are asked.
    Refused(Unmet),
    /// What the policies say.
    Judged(Judgement),
}

impl Answer {
    /// Whether it may be done. In shadow mode, too, what the policies say counts here.
    pub fn permits(&self) -> bool {
        matches!(self, Self::Judged(judgement) if judgement.ruling.permits())
    }

    /// The policies that determined it.
    pub fn determining(&self) -> &[Arc<Statement>] {
        match self {
            Self::Refused(_) => &[],
            Self::Judged(judgement) => &judgement.determining,
        }
    }
}

/// Why, for the operator.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(unmet) => unmet.fmt(f),
            Self::Judged(judgement) => judgement.fmt(f),
        }
    }
}

impl Policies {
    /// Answers a question, as the road answers a request: who the route lets in and permissions first, then policies. What
    /// the schema says of the context has to be there, but for what an ordinary request has; what it does not declare is
    /// left out.
    pub fn answer(&self, question: &Question) -> Result<Answer, QuestionError> {
        let action = self.types.action(&question.action.name);
        let bucket =
            self.bucket(&action).ok_or_else(|| QuestionError::UnknownAction(question.action.name.clone()))?;
        let subject = self.entity("the subject", &question.subject)?;
        let within = self.routes_of(&question.action.name, &question.resource.entity_type);
        let resource = self.entity("the resource", &question.resource)?;
        let resource = belonging_to(resource, within)?;
        let context = self.context(question, &action)?;
        let request = Request::new(subject.uid(), action, resource.uid(), context, Some(&self.schema))
            .map_err(|error| unfit("the question", &error))?;
        if let Some(unmet) = self.unmet(question, &resource.uid())? {
            return Ok(Answer::Refused(unmet));
        }
        let mut asked = vec![subject];
        if asked.iter().all(|subject| subject.uid() != resource.uid()) {
            asked.push(resource);
        }
        asked.extend(within.iter().filter_map(|route| self.route(route)).cloned());
        let entities = bucket.entities.clone().add_entities(asked, None);
        let entities: Entities = entities.map_err(|error| unfit("the question", &error))?;
        Ok(Answer::Judged(self.judge(bucket, &request, &entities)))
    }

    /// Why no policy is asked, if the question is about what requests do.
    fn unmet(&self, question: &Question, resource: &EntityUid) -> Result<Option<Unmet>, QuestionError> {
        let action = question.action.name.as_str();
        if !self.is_of_requests(action) {
            return Ok(None);
        }
        let Question { subject, context, .. } = question;
        let told = |reason: &str| QuestionError::Unfit { what: "the subject", reason: reason.into() };
        let method = match context.get("method").and_then(Value::as_str).map(str::parse) {
            None => None,
            Some(Ok(method)) => Some(method),
            Some(Err(_)) => {
                let reason = "`method` is no method of HTTP".into();
                return Err(QuestionError::Unfit { what: "the context", reason });
            }
        };
        let grants = if is_caller(subject) { self.grants(subject).map_err(told)? } else { Vec::new() };
        let caller = (caller_type(subject), named(subject).0);
        let multi_factor = context.get("mfa").and_then(Value::as_bool).unwrap_or(false);
        let proven = context.get(PROVEN).and_then(Value::as_u64);
        let proven = proven.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let asked = AskedRequest { action, resource, method, caller, grants: &grants, multi_factor, proven };
        Ok(self.required.unmet(&asked))
    }

    /// What a caller is said to hold, or what its roles grant.
    fn grants(&self, subject: &AskedEntity) -> Result<Vec<Grant>, &'static str> {
        let (provider, _) = named(subject);
        let Some(grants) =
            texts(&subject.properties, "grants").map_err(|()| "`grants` is a list of texts")?
        else {
            let roles = texts(&subject.properties, "roles").map_err(|()| "`roles` is a list of texts")?;
            return Ok(self.required.granted(provider, &roles.unwrap_or_default()));
        };
        let grants: Result<_, _> = grants.iter().map(|grant| grant.parse()).collect();
        grants.map_err(|_| "`grants` is a list of permissions such as `orders:read` and `orders:*`")
    }

    fn entity(&self, what: &'static str, asked: &AskedEntity) -> Result<Entity, QuestionError> {
        if asked.entity_type == ROUTE {
            let known = self.route(&self.types.route(&asked.id));
            let reason = || format!("no route is called `{}`", asked.id);
            return known.cloned().ok_or_else(|| QuestionError::Unfit { what, reason: reason() });
        }
        let (mut attributes, mut parents) = if is_caller(asked) {
            self.caller(asked).map_err(|reason| QuestionError::Unfit { what, reason: reason.into() })?
        } else {
            (asked.properties.clone(), HashSet::new())
        };
        self.declared.keep_attributes(&asked.entity_type, &mut attributes);
        parents.extend(asked.parents.iter().map(|parent| (parent.entity_type.clone(), parent.id.clone())));
        let parents: Vec<_> = parents.iter().map(|(name, id)| json!({ "type": name, "id": id })).collect();
        let uid = json!({ "type": asked.entity_type, "id": asked.id });
        let described = json!({ "uid": uid, "attrs": attributes, "parents": parents });
        Entity::from_json_value(described, Some(&self.schema)).map_err(|error| unfit(what, &error))
    }

    fn context(&self, question: &Question, action: &EntityUid) -> Result<Context, QuestionError> {
        let mut context = question.context.clone();
        if self.is_of_requests(&question.action.name) {
            for (name, value) in ordinary_request(&question.subject) {
                context.entry(name).or_insert(value);
            }
        }
        if let Some(zone) = context.get_mut("zone").filter(|zone| zone.is_string()) {
            *zone = json!({ "type": "Zone", "id": zone });
        }
        if !question.action.properties.is_empty() {
            let properties = || Value::Object(question.action.properties.clone());
            context.entry("action").or_insert_with(properties);
        }
        self.declared.keep_context(&question.action.name, &mut context);
        Context::from_json_value(Value::Object(context), Some((&self.schema, action)))
            .map_err(|error| unfit("the context", &error))
    }

    /// The attributes and parents that every caller has, made of what is said of one. What cannot be understood is
    /// refused: left out, it might be what a policy forbids.
    fn caller(&self, asked: &AskedEntity) -> Result<Described, &'static str> {
        let mut attributes = asked.properties.clone();
        let mut parents = HashSet::new();
        let roles = texts(&attributes, "roles").map_err(|()| "`roles` is a list of texts")?;
        attributes.remove("roles");
        parents.extend(roles.unwrap_or_default().into_iter().map(|role| ("Role".to_owned(), role)));
        let zone = match attributes.remove("zone") {
            None => Zone::default(),
            Some(zone) => {
                let zone = zone.as_str().and_then(|zone| zone.parse().ok());
                zone.ok_or("`zone` is `public`, `gateway`, `services` or `data`")?
            }
        };
        parents.insert(("Zone".to_owned(), zone.to_string()));
        if let Some(organization) = attributes.get_mut("organization") {
            let id = organization.as_str().ok_or("`organization` is a text")?.to_owned();
            *organization = json!({ "type": "Organization", "id": id });
            parents.insert(("Organization".to_owned(), id));
        }
        let (provider, id) = named(asked);
        let grants: Vec<_> = self.grants(asked)?.iter().map(|grant| grant.as_str().to_owned()).collect();
        attributes.insert("grants".into(), json!(grants));
        attributes.entry("id").or_insert_with(|| id.into());
        attributes.entry("provider").or_insert_with(|| provider.into());
        Ok((attributes, parents))
    }
}

/// What a question about a request leaves out of its context: `GET` from this machine over TLS with one factor from where
/// the session began, now, from the zone of the subject.
fn ordinary_request(subject: &AskedEntity) -> [(&'static str, Value); 8] {
    let zone = subject.properties.get("zone").cloned().unwrap_or_else(|| Zone::default().to_string().into());
    [
        ("address", "127.0.0.1".into()),
        ("method", "GET".into()),
        ("path", "/".into()),
        ("time", datetime(SystemTime::now()).into()),
        ("mfa", false.into()),
        ("moved", false.into()),
        ("secure", true.into()),
        ("zone", zone),
    ]
}

/// What a request names belongs to its route, and so to the route's zone. A question does not say which route that is:
/// all that name such a thing for this action are taken, so that what forbids one of them forbids it.
fn belonging_to(entity: Entity, routes: &[EntityUid]) -> Result<Entity, QuestionError> {
    if routes.is_empty() {
        return Ok(entity);
    }
    let (uid, attributes, mut parents) = entity.into_inner();
    parents.extend(routes.iter().cloned());
    Entity::new(uid, attributes, parents).map_err(|error| unfit("the resource", &error))
}

/// What an entity is said to have and to belong to.
type Described = (Map<String, Value>, HashSet<(String, String)>);

/// Whether it is somebody who may ask the gateway.
fn is_caller(asked: &AskedEntity) -> bool {
    caller_type(asked).is_some()
}

fn caller_type(asked: &AskedEntity) -> Option<CallerType> {
    CallerType::ALL.into_iter().find(|caller| caller.as_str() == asked.entity_type)
}

/// The provider that vouches for a caller, and what it is called there.
fn named(asked: &AskedEntity) -> (&str, &str) {
    asked.id.split_once('/').unwrap_or(("", &asked.id))
}

/// A list of texts among the properties.
fn texts(properties: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, ()> {
    let listed = match properties.get(name) {
        None => return Ok(None),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(()),
    };
    listed.iter().map(|text| text.as_str().map(str::to_owned).ok_or(())).collect::<Result<_, _>>().map(Some)
}

fn unfit(what: &'static str, error: &dyn std::error::Error) -> QuestionError {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        let cause = next.to_string();
        if !reason.contains(&cause) {
            reason = format!("{reason}: {cause}");
        }
        source = next.source();
    }
    QuestionError::Unfit { what, reason }
}
