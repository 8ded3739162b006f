//! What a route asks of the policies, prepared as far as it is the same for every request.

use std::{collections::HashSet, sync::Arc};

use bartizan_config::{EntityPattern, IdPart, Route};
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, Request};
use http::Method;
use percent_encoding::percent_decode_str;

use super::{
    Caller, Judgement, Policies, PoliciesError, RequestFacts, Ruling,
    action::{RouteAction, RouteActions, route_id},
    policies::Bucket,
    types::entity,
};

/// What the requests of one route ask.
#[derive(Debug)]
pub struct RoutePolicies {
    policies: Arc<Policies>,
    route: EntityUid,
    methods: Vec<(Method, Asked)>,
    otherwise: Asked,
    /// What is acted on and what it belongs to; `None`: the route.
    resource: Option<(Pattern, Vec<Pattern>)>,
}

/// What a method asks: for an action, with what is known before there is a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    bucket: Arc<Bucket>,
    entities: Entities,
}

/// An entity that the path names.
#[derive(Debug)]
struct Pattern {
    name: EntityTypeName,
    id: Vec<IdPart>,
}

impl RoutePolicies {
    pub(crate) fn new(policies: Arc<Policies>, route: &Route) -> Result<Self, PoliciesError> {
        let uid = policies.types.route(&route_id(route));
        let unknown = || PoliciesError::general(format!("the route `{}` is unknown", route.path.as_str()));
        let entity = policies.route(&uid).ok_or_else(unknown)?;
        let RouteActions { methods, otherwise } = RouteActions::of(route);
        let ask = |action: &RouteAction| Asked::new(&policies, action, entity);
        let methods = methods
            .iter()
            .map(|(method, action)| Ok((method.clone(), ask(action)?)))
            .collect::<Result<_, PoliciesError>>()?;
        let otherwise = ask(&otherwise)?;
        let resource = match &route.policy.resource {
            None => None,
            Some(resource) => {
                let parents = route.policy.parents.iter().map(Pattern::new).collect::<Result<_, _>>()?;
                Some((Pattern::new(resource)?, parents))
            }
        };
        Ok(Self { route: uid, methods, otherwise, resource, policies })
    }

    /// What the policies say of a request of `caller`.
    pub fn judge(&self, caller: &Caller, facts: &RequestFacts<'_>) -> Judgement {
        let asked = self.asked(facts.method);
        match self.request(asked, caller, facts) {
            Ok((request, entities)) => self.policies.judge(&asked.bucket, &request, &entities),
            Err(reason) => Judgement {
                ruling: Ruling::Failed,
                mode: self.policies.mode(),
                principal: self.policies.types.caller(caller.caller_type(), caller.id()).to_string().into(),
                action: asked.bucket.action.to_string().into(),
                resource: self.route.to_string().into(),
                determining: Vec::new(),
                errors: vec![reason],
            },
        }
    }

    /// `HEAD` asks for a `GET` without its content (RFC 9110, section 9.3.2), so it does the same.
    pub(crate) fn asked(&self, method: &Method) -> &Asked {
        let listed = |wanted: &Method| self.methods.iter().find(|(method, _)| method == wanted);
        let found =
            listed(method).or_else(|| if method == Method::HEAD { listed(&Method::GET) } else { None });
        found.map_or(&self.otherwise, |(_, asked)| asked)
    }

    pub(crate) fn request(
        &self,
        asked: &Asked,
        caller: &Caller,
        facts: &RequestFacts<'_>,
    ) -> Result<(Request, Entities), String> {
        let types = &self.policies.types;
        let principal = caller.entity(types).ok_or("the caller cannot be told")?;
        let principal_uid = principal.uid();
        let mut entities = vec![principal.clone()];
        let resource = match &self.resource {
            None => self.route.clone(),
            Some((resource, parents)) => {
                let uid = resource.entity(facts.path)?;
                // Who acts on themselves is known already.
                if uid != principal_uid {
                    let mut within = HashSet::from([self.route.clone()]);
                    for parent in parents {
                        within.insert(parent.entity(facts.path)?);
                    }
                    entities.push(Entity::new_no_attrs(uid.clone(), within));
                }
                uid
            }
        };
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let entities = asked.entities.clone().add_entities(entities, None).map_err(|error| told(&error))?;
        let context = facts.context(caller.zone(), types)?;
        let action = asked.bucket.action.clone();
        let request = Request::new(principal_uid, action, resource, context, None);
        Ok((request.map_err(|error| told(&error))?, entities))
    }
}

impl Asked {
    fn new(policies: &Policies, action: &RouteAction, route: &Entity) -> Result<Self, PoliciesError> {
        let uid = policies.types.action(&action.id);
        let unknown =
            || PoliciesError::general(format!("the schema does not know the action `{}`", action.id));
        let bucket = policies.bucket(&uid).ok_or_else(unknown)?;
        let entities = bucket.entities.clone().add_entities([route.clone()], None);
        let entities = entities.map_err(|error| PoliciesError::general(error.to_string()))?;
        Ok(Self { bucket: Arc::clone(bucket), entities })
    }
}

impl Pattern {
    fn new(pattern: &EntityPattern) -> Result<Self, PoliciesError> {
        let name = pattern.entity_type.parse::<EntityTypeName>();
        let name = name.map_err(|error| PoliciesError::general(error.to_string()))?;
        Ok(Self { name, id: pattern.id.clone() })
    }

    /// The entity that the path names. Escapes are undone: what the service reads is what policies read.
    fn entity(&self, path: &str) -> Result<EntityUid, String> {
        let mut id = String::new();
        for part in &self.id {
            match part {
                IdPart::Text(text) => id.push_str(text),
                IdPart::Segment(index) => {
                    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
                    let segment = segments.nth(*index).ok_or("the path does not name the resource")?;
                    let decoded = percent_decode_str(segment).decode_utf8();
                    id.push_str(&decoded.map_err(|_| "the path names the resource by what is no text")?);
                }
            }
        }
        Ok(entity(&self.name, &id))
    }
}
