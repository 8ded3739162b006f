//! The policies of one configuration: validated, and sorted by the actions that they are about.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bartizan_config::{Config, Diagnostic, Policies as Configured, PolicyFile, PolicyMode, Route, Severity};
use bartizan_model::Zone;
use cedar_policy::{
    ActionConstraint, Authorizer, Entities, Entity, EntityUid, PolicyId, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};

use super::{
    Judgement, PoliciesError, RoutePolicies, Statement,
    action::{RouteActions, route_id},
    declared::DeclaredShapes,
    error,
    judgement::ruling_of,
    required::Required,
    schema,
    statement::{self, Parsed},
    types::Types,
    zones,
};

/// The policies of one configuration.
#[derive(Debug)]
pub struct Policies {
    pub(crate) types: Types,
    pub(crate) schema: Schema,
    /// What questions may say beside what nobody reads.
    pub(crate) declared: DeclaredShapes,
    schema_text: String,
    mode: PolicyMode,
    statements: Vec<Arc<Statement>>,
    by_id: HashMap<PolicyId, Arc<Statement>>,
    buckets: HashMap<EntityUid, Arc<Bucket>>,
    /// The actions that requests of routes do.
    of_requests: HashSet<String>,
    routes: HashMap<EntityUid, Entity>,
    /// The routes that name a resource of a type for an action.
    naming: HashMap<(String, String), Vec<EntityUid>>,
    /// What questions have to meet before policies are asked, as requests have to.
    pub(crate) required: Required,
    warnings: Vec<Diagnostic>,
    authorizer: Authorizer,
}

/// The policies that can have something to say about an action, and the entities that every request for it needs: the
/// action with its groups, and the zones.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) action: EntityUid,
    policies: Arc<PolicySet>,
    pub(crate) entities: Entities,
}

impl Policies {
    /// The policies of `config`; `None` if it has neither policies nor zones.
    pub fn compile(config: &Config) -> Result<Option<Arc<Self>>, PoliciesError> {
        if config.policies.is_none() && config.zones.is_empty() {
            return Ok(None);
        }
        Self::with_policies(config, config.policies.as_ref()).map(Some)
    }

    /// What `config` would do with these policies in the place of its own.
    pub fn with_policies(
        config: &Config,
        configured: Option<&Configured>,
    ) -> Result<Arc<Self>, PoliciesError> {
        let none = Configured::default();
        let Configured { mode, files, schemas, .. } = configured.unwrap_or(&none);
        let types = Types::new()?;
        let (schema, declared, schema_text) = schema::compile(config, schemas)?;
        let built_in = zones::built_in(&config.zones, configured.is_none());
        let files: Vec<_> = files.iter().cloned().chain(built_in).collect();
        let parsed = statement::read(&files)?;
        let warnings = validate(&schema, &files, &parsed)?;
        let buckets = buckets(&schema, &types, &parsed)?;
        let statements: Vec<_> = parsed.iter().map(|parsed| Arc::clone(&parsed.statement)).collect();
        let by_id = statements.iter().map(|policy| (PolicyId::new(&policy.id), Arc::clone(policy))).collect();
        Ok(Arc::new(Self {
            of_requests: schema::of_requests(config),
            routes: routes(config, &types)?,
            naming: naming(config, &types),
            required: Required::of(config, &types),
            mode: *mode,
            authorizer: Authorizer::new(),
            types,
            schema,
            declared,
            schema_text,
            statements,
            by_id,
            buckets,
            warnings,
        }))
    }

    /// What the requests of `route` ask; `None` if they ask nothing.
    pub fn of_route(self: &Arc<Self>, route: &Route) -> Result<Option<RoutePolicies>, PoliciesError> {
        route.policy.is_asked.then(|| RoutePolicies::new(Arc::clone(self), route)).transpose()
    }

    /// Whether what no policy permits is refused.
    pub fn mode(&self) -> PolicyMode {
        self.mode
    }

    /// Every policy, the built-in ones last.
    pub fn statements(&self) -> &[Arc<Statement>] {
        &self.statements
    }

    /// What is questionable about them.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The schema that the configuration makes, in the language of Cedar schemas.
    pub fn schema(&self) -> &str {
        &self.schema_text
    }

    /// Whether the requests of some route do this, so that a question about it has the context of a request.
    pub fn is_of_requests(&self, action: &str) -> bool {
        self.of_requests.contains(action)
    }

    /// The route of this name, in its zone.
    pub(crate) fn route(&self, uid: &EntityUid) -> Option<&Entity> {
        self.routes.get(uid)
    }

    /// The routes whose requests do this with resources of this type.
    pub(crate) fn routes_of(&self, action: &str, entity_type: &str) -> &[EntityUid] {
        self.naming.get(&(action.to_owned(), entity_type.to_owned())).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn bucket(&self, action: &EntityUid) -> Option<&Arc<Bucket>> {
        self.buckets.get(action)
    }

    pub(crate) fn judge(&self, bucket: &Bucket, request: &Request, entities: &Entities) -> Judgement {
        let response = self.authorizer.is_authorized(request, &bucket.policies, entities);
        let reasons = response.diagnostics().reason();
        let mut determining: Vec<_> = reasons.filter_map(|id| self.by_id.get(id).cloned()).collect();
        determining.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        let written = |uid: Option<&EntityUid>| uid.map(ToString::to_string).unwrap_or_default().into();
        Judgement {
            ruling: ruling_of(&response, &determining),
            mode: self.mode,
            principal: written(request.principal()),
            action: written(request.action()),
            resource: written(request.resource()),
            determining,
            errors: response.diagnostics().errors().map(ToString::to_string).collect(),
        }
    }
}

/// Strict validation of all policies together; what is left is questionable at most.
fn validate(
    schema: &Schema,
    files: &[PolicyFile],
    parsed: &[Parsed],
) -> Result<Vec<Diagnostic>, PoliciesError> {
    let set = set_of(parsed.iter())?;
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let place = |id: &PolicyId| parsed.iter().find(|parsed| parsed.policy.id() == id);
    let tell = |id: &PolicyId, severity, found: &dyn miette::Diagnostic| {
        let parsed = place(id)?;
        Some(error::diagnostic(files.get(parsed.file)?, parsed.offset, severity, found))
    };
    let errors = result.validation_errors();
    let mut errors: Vec<_> =
        errors.filter_map(|found| tell(found.policy_id(), Severity::Error, found)).collect();
    if !result.validation_passed() {
        error::one_at_each_place(&mut errors);
        return Err(PoliciesError::new(errors));
    }
    // What is built in cannot apply everywhere, and nobody could change it.
    let warnings = result.validation_warnings();
    let warnings = warnings.filter_map(|found| tell(found.policy_id(), Severity::Warning, found));
    let mut warnings = warnings.filter(|warning| warning.file != zones::BUILT_IN).collect();
    error::one_at_each_place(&mut warnings);
    Ok(warnings)
}

/// Every route that asks something. Routes that differ by their methods alone are one entity, which is in the zones of
/// all of them.
fn routes(config: &Config, types: &Types) -> Result<HashMap<EntityUid, Entity>, PoliciesError> {
    let mut zones: HashMap<EntityUid, (&str, HashSet<EntityUid>)> = HashMap::new();
    for route in config.routes.iter().filter(|route| route.policy.is_asked) {
        let (_, zones) =
            zones.entry(types.route(&route_id(route))).or_insert((route.path.as_str(), HashSet::new()));
        zones.extend(route.zone.map(|zone| types.zone(zone)));
    }
    let entity = |(uid, (path, zones)): (EntityUid, (&str, HashSet<EntityUid>))| {
        let path = RestrictedExpression::new_string(path.into());
        let entity = Entity::new(uid.clone(), [("path".into(), path)].into(), zones);
        Ok((uid, entity.map_err(|error| PoliciesError::general(error.to_string()))?))
    };
    zones.into_iter().map(entity).collect()
}

fn naming(config: &Config, types: &Types) -> HashMap<(String, String), Vec<EntityUid>> {
    let mut naming: HashMap<(String, String), Vec<EntityUid>> = HashMap::new();
    for route in config.routes.iter().filter(|route| route.policy.is_asked) {
        let Some(resource) = &route.policy.resource else { continue };
        for action in RouteActions::of(route).all() {
            let named = naming.entry((action.id.clone(), resource.entity_type.clone())).or_default();
            let uid = types.route(&route_id(route));
            if !named.contains(&uid) {
                named.push(uid);
            }
        }
    }
    naming
}

/// A bucket for every action of the schema; actions about which the same policies speak share them.
fn buckets(
    schema: &Schema,
    types: &Types,
    parsed: &[Parsed],
) -> Result<HashMap<EntityUid, Arc<Bucket>>, PoliciesError> {
    let general = |error: &dyn std::fmt::Display| PoliciesError::general(error.to_string());
    let actions = schema.action_entities().map_err(|error| general(&error))?;
    let mut zones = Vec::new();
    for zone in Zone::ALL {
        let trust = RestrictedExpression::new_long(zone.trust().into());
        let attributes = [("trust".to_owned(), trust)].into();
        let zone = Entity::new(types.zone(zone), attributes, [].into()).map_err(|error| general(&error))?;
        zones.push(zone);
    }
    let mut shared: HashMap<Vec<usize>, Arc<PolicySet>> = HashMap::new();
    let mut buckets = HashMap::new();
    for action in actions.iter() {
        let uid = action.uid();
        let groups: Vec<&EntityUid> = actions.ancestors(&uid).into_iter().flatten().collect();
        let concerned = parsed.iter().enumerate().filter(|(_, parsed)| concerns(parsed, &uid, &groups));
        let indices: Vec<usize> = concerned.map(|(index, _)| index).collect();
        let policies = if let Some(policies) = shared.get(&indices) {
            Arc::clone(policies)
        } else {
            let policies = Arc::new(set_of(indices.iter().filter_map(|index| parsed.get(*index)))?);
            shared.insert(indices, Arc::clone(&policies));
            policies
        };
        let groups: Vec<Entity> = groups.iter().filter_map(|group| actions.get(group)).cloned().collect();
        let entities = zones.iter().cloned().chain([action.clone()]).chain(groups);
        let entities = Entities::from_entities(entities, None).map_err(|error| general(&error))?;
        buckets.insert(uid.clone(), Arc::new(Bucket { action: uid, policies, entities }));
    }
    Ok(buckets)
}

/// Whether the scope of a policy can match an action that is in these groups.
fn concerns(parsed: &Parsed, action: &EntityUid, groups: &[&EntityUid]) -> bool {
    match parsed.policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        ActionConstraint::In(listed) => listed.iter().any(|one| one == action || groups.contains(&one)),
    }
}

fn set_of<'p>(parsed: impl Iterator<Item = &'p Parsed>) -> Result<PolicySet, PoliciesError> {
    let policies = parsed.map(|parsed| parsed.policy.clone());
    PolicySet::from_policies(policies).map_err(|error| PoliciesError::general(error.to_string()))
}
