//! `POST /access/v1/evaluation` and `/access/v1/evaluations`: the gateway as a policy decision point (`AuthZEN`
//! Authorization API 1.0, sections 6 and 7), and where they are (section 9).

use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State},
};
use bartizan_config::Config;
use bartizan_policy::{AskedAction, AskedEntity, Policies, Question};
use http::{HeaderMap, header::HOST};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, map::Entry};
use utoipa::ToSchema;

mod callers;

use self::callers::{Known, OwnCallers};
use crate::{
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
    guard::Connection,
    system::PoliciesInUse,
};

/// The most questions of one request.
const MOST: usize = 100;

/// A question. Of `AuthZEN`'s; what it has beside these is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessEvaluation {
    /// Who asks. Always needed, if only among the defaults of several questions.
    pub subject: Option<AccessEntity>,
    /// To do what. Needed, too.
    pub action: Option<AccessAction>,
    /// With what. Needed, too.
    pub resource: Option<AccessEntity>,
    /// What else is so.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
}

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessEntity {
    /// Its type, as the policies' schema calls it.
    #[serde(rename = "type")]
    #[schema(example = "User")]
    pub entity_type: String,
    /// Its id.
    #[schema(example = "shop/alice")]
    pub id: String,
    /// Its attributes. Of a `User`, `Service` or `ApiKey`: `roles`, `organization`, `zone` and `grants`, which are all that
    /// it holds; without them it holds what its roles grant. Where neither is said of somebody whom the gateway knows
    /// itself, it looks them up.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub properties: Map<String, Value>,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessAction {
    /// Its name.
    #[schema(example = "orders:read")]
    pub name: String,
    /// What policies read as `context.action`, where the schema declares it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub properties: Map<String, Value>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessDecision {
    /// Whether it may be done.
    pub decision: bool,
    /// Why.
    pub context: AccessContext,
}

/// Why a decision is what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessContext {
    /// In words, for operators.
    #[schema(example = "permitted by policy `clerks` (orders.cedar:3)")]
    pub reason: String,
    /// The policies that determined it.
    pub policies: Vec<String>,
}

/// Several questions; what one leaves out is taken from the defaults beside them. Read one by one: a question that is none
/// fails alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessEvaluations {
    /// Who asks, where a question does not say it. What a question says of it replaces all of it but its type and id.
    #[schema(value_type = Option<AccessEntity>)]
    pub subject: Option<Map<String, Value>>,
    /// To do what, where a question does not say it.
    #[schema(value_type = Option<AccessAction>)]
    pub action: Option<Map<String, Value>>,
    /// With what, where a question does not say it.
    #[schema(value_type = Option<AccessEntity>)]
    pub resource: Option<Map<String, Value>>,
    /// What else is so, where a question does not say it.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// The questions, at most 100. Without any, the defaults are the question.
    #[serde(default)]
    #[schema(value_type = Vec<AccessEvaluation>)]
    pub evaluations: Vec<Value>,
    /// How they are answered.
    #[serde(default)]
    pub options: AccessOptions,
}

/// How several questions are answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessOptions {
    /// Whether all are.
    #[serde(default)]
    pub evaluations_semantic: EvaluationsSemantic,
}

/// Which of several questions are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationsSemantic {
    /// All.
    #[default]
    ExecuteAll,
    /// Those up to the first that is denied.
    DenyOnFirstDeny,
    /// Those up to the first that is permitted.
    PermitOnFirstPermit,
}

/// The answers: one decision, or one for each question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AccessDecisions {
    /// For each question that was answered, in their order.
    Several {
        /// The decisions.
        evaluations: Vec<AccessDecision>,
    },
    /// There was one question only.
    One(AccessDecision),
}

/// Where questions are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct AccessConfiguration {
    /// This gateway.
    #[schema(example = "https://gateway.shop.test:9443")]
    pub(crate) policy_decision_point: String,
    /// One question.
    pub(crate) access_evaluation_endpoint: String,
    /// Several at once.
    pub(crate) access_evaluations_endpoint: String,
}

/// Where the policies are asked, for clients that find it out by themselves.
#[utoipa::path(
    get,
    path = "/.well-known/authzen-configuration",
    operation_id = "read_access_configuration",
    tag = "access",
    security(()),
    responses((status = 200, description = "The endpoints, as the request calls this listener.", body = AccessConfiguration))
)]
pub(crate) async fn read_access_configuration(
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
) -> Result<Json<AccessConfiguration>, Failure> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let missing = || Failure::new(FailureCode::InvalidValue, "the request has no `Host`");
    let is_secure = connection.is_some_and(|Extension(connection)| connection.secure);
    let scheme = if is_secure { "https" } else { "http" };
    let own = format!("{scheme}://{}", host.ok_or_else(missing)?);
    Ok(Json(AccessConfiguration {
        access_evaluation_endpoint: format!("{own}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{own}/access/v1/evaluations"),
        policy_decision_point: own,
    }))
}

/// Asks the policies whether a subject may do something with a resource.
///
/// What requests do is decided as for a request: first by who may come to its route and by the permissions that it
/// requires. Of a person, service or API key of the gateway's own, the id is enough: what they hold is looked up. What the
/// policies' schema does not know is denied. A policy that forbids wins, and so does an error. In shadow mode the answer is
/// what it would be if policies counted.
#[utoipa::path(
    post,
    path = "/access/v1/evaluation",
    operation_id = "evaluate_access",
    tag = "access",
    request_body = AccessEvaluation,
    responses(
        (status = 200, description = "The decision.", body = AccessDecision)
    )
)]
pub(crate) async fn evaluate_access(
    State(shared): State<Arc<Shared>>,
    QuestionBody(asked): QuestionBody<AccessEvaluation>,
) -> Result<Json<AccessDecision>, Failure> {
    let question = question(asked).map_err(invalid)?;
    Ok(Json(Decider::new(&shared).await?.decide(question).await?))
}

/// Asks the policies several questions at once.
#[utoipa::path(
    post,
    path = "/access/v1/evaluations",
    operation_id = "evaluate_access_several",
    tag = "access",
    request_body = AccessEvaluations,
    responses(
        (status = 200, description = "The decisions.", body = AccessDecisions)
    )
)]
pub(crate) async fn evaluate_access_several(
    State(shared): State<Arc<Shared>>,
    QuestionBody(mut asked): QuestionBody<AccessEvaluations>,
) -> Result<Json<AccessDecisions>, Failure> {
    let decider = Decider::new(&shared).await?;
    if asked.evaluations.is_empty() {
        let whole = completed(Value::Object(Map::new()), &asked).and_then(read);
        let whole = whole.and_then(question).map_err(invalid)?;
        return Ok(Json(AccessDecisions::One(decider.decide(whole).await?)));
    }
    if asked.evaluations.len() > MOST {
        return Err(invalid(format!("`evaluations` has more than {MOST} questions")));
    }
    let semantic = asked.options.evaluations_semantic;
    let mut evaluations = Vec::with_capacity(asked.evaluations.len());
    for one in std::mem::take(&mut asked.evaluations) {
        let answer = match completed(one, &asked).and_then(read).and_then(question) {
            Ok(question) => decider.decide(question).await?,
            Err(reason) => AccessDecision::refused(reason),
        };
        let is_last = match semantic {
            EvaluationsSemantic::ExecuteAll => false,
            EvaluationsSemantic::DenyOnFirstDeny => !answer.decision,
            EvaluationsSemantic::PermitOnFirstPermit => answer.decision,
        };
        evaluations.push(answer);
        if is_last {
            break;
        }
    }
    Ok(Json(AccessDecisions::Several { evaluations }))
}

/// A body with a question. What is none is answered with 400, the status that `AuthZEN` has for it.
pub(crate) struct QuestionBody<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for QuestionBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = JsonBody::from_request(request, state).await;
        body.map(|JsonBody(asked)| Self(asked))
            .map_err(|failure| failure.instead_of(FailureCode::InvalidValue, FailureCode::InvalidQuestion))
            .map_err(|failure| {
                failure.instead_of(FailureCode::UnsupportedMediaType, FailureCode::InvalidQuestion)
            })
    }
}

/// What is asked where the configuration has neither policies nor zones: the permissions decide alone. Made once for each
/// configuration that is asked about.
#[derive(Debug, Clone, Default)]
pub(crate) struct PermissionsAlone(Arc<Mutex<Option<Made>>>);

#[derive(Debug)]
struct Made {
    of: Weak<Config>,
    policies: Arc<Policies>,
}

impl PermissionsAlone {
    fn known(&self, config: &Arc<Config>) -> Option<Arc<Policies>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Made { of, policies } = known.as_ref()?;
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(config)).then(|| Arc::clone(policies))
    }

    fn keep(&self, config: &Arc<Config>, policies: &Arc<Policies>) {
        let known = Made { of: Arc::downgrade(config), policies: Arc::clone(policies) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

async fn in_use(shared: &Shared) -> Result<(Arc<Config>, Arc<Policies>), Failure> {
    let PoliciesInUse { config, policies } = shared.system.policies();
    if let Some(policies) = policies.or_else(|| shared.permissions_alone.known(&config)) {
        return Ok((config, policies));
    }
    let compiled = tokio::task::spawn_blocking({
        let config = Arc::clone(&config);
        move || Policies::with_policies(&config, None)
    });
    let failed = || Failure::new(FailureCode::InternalError, "the permissions cannot be asked: see the log");
    let policies = compiled.await.map_err(|_| failed())?.map_err(|error| {
        tracing::error!(%error, "the permissions cannot be asked");
        failed()
    })?;
    shared.permissions_alone.keep(&config, &policies);
    Ok((config, policies))
}

/// A part of a question, what the defaults say of it, and what each such part has.
type SharedPart<'d> = (&'static str, &'d Option<Map<String, Value>>, &'static [&'static str]);

/// A question with what it leaves out. What it says of an entity replaces all that the defaults say of it, but for what every
/// entity has.
fn completed(asked: Value, defaults: &AccessEvaluations) -> Result<Value, String> {
    let Value::Object(mut asked) = asked else { return Err("a question is a JSON object".into()) };
    let shared: [SharedPart<'_>; 4] = [
        ("subject", &defaults.subject, &["type", "id"]),
        ("action", &defaults.action, &["name"]),
        ("resource", &defaults.resource, &["type", "id"]),
        ("context", &defaults.context, &[]),
    ];
    for (name, default, needed) in shared {
        let Some(default) = default else { continue };
        match asked.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(Value::Object(default.clone()));
            }
            Entry::Occupied(mut said) => {
                let Value::Object(said) = said.get_mut() else { continue };
                for member in needed.iter().filter(|member| !said.contains_key(**member)).collect::<Vec<_>>()
                {
                    if let Some(value) = default.get(*member) {
                        said.insert((*member).to_owned(), value.clone());
                    }
                }
            }
        }
    }
    Ok(Value::Object(asked))
}

fn read(asked: Value) -> Result<AccessEvaluation, String> {
    serde_json::from_value(asked).map_err(|error| format!("this is not a question: {error}"))
}

fn invalid(detail: String) -> Failure {
    Failure::new(FailureCode::InvalidQuestion, detail)
}

fn question(asked: AccessEvaluation) -> Result<Question, String> {
    let missing = |what: &str| format!("`{what}` is missing");
    let entity = |AccessEntity { entity_type, id, properties }| AskedEntity {
        entity_type,
        id,
        properties,
        parents: Vec::new(),
    };
    let AccessAction { name, properties } = asked.action.ok_or_else(|| missing("action"))?;
    Ok(Question {
        subject: asked.subject.map(entity).ok_or_else(|| missing("subject"))?,
        action: AskedAction { name, properties },
        resource: asked.resource.map(entity).ok_or_else(|| missing("resource"))?,
        context: asked.context.unwrap_or_default(),
    })
}

/// What questions of one request are decided with.
struct Decider {
    policies: Arc<Policies>,
    callers: OwnCallers,
}

impl Decider {
    async fn new(shared: &Shared) -> Result<Self, Failure> {
        let (config, policies) = in_use(shared).await?;
        Ok(Self { policies, callers: OwnCallers::new(config, shared.accounts.clone()) })
    }

    async fn decide(&self, mut question: Question) -> Result<AccessDecision, Failure> {
        if self.callers.complete(&mut question).await? == Known::Nobody {
            return Ok(AccessDecision::refused("nobody who may enter is known by this id".into()));
        }
        Ok(match self.policies.answer(&question) {
            Ok(answer) => AccessDecision {
                decision: answer.permits(),
                context: AccessContext {
                    reason: answer.to_string(),
                    policies: answer.determining().iter().map(|policy| policy.id.as_ref().into()).collect(),
                },
            },
            Err(error) => AccessDecision::refused(error.to_string()),
        })
    }
}

impl AccessDecision {
    fn refused(reason: String) -> Self {
        Self { decision: false, context: AccessContext { reason, policies: Vec::new() } }
    }
}
