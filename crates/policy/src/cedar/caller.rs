//! The principal of a request.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use bartizan_model::{CallerType, Grant, Principal, Zone};
use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::types::Types;

/// A caller as policies see it: `User::"provider/id"`, a member of its organisation, its roles and its zone.
///
/// Two providers may know different people by the same id, so the provider is a part of it. The entity is made when
/// policies are first asked about the caller, and kept with what is known of the caller.
#[derive(Debug, Clone)]
pub struct Caller {
    kind: CallerType,
    id: Box<str>,
    subject: Box<str>,
    provider: Box<str>,
    organization: Option<Box<str>>,
    roles: Box<[Box<str>]>,
    grants: Box<[Box<str>]>,
    zone: Zone,
    entity: OnceLock<Option<Entity>>,
}

impl Caller {
    /// The caller whom `principal` names.
    pub fn new<'r, 'g>(
        principal: &Principal,
        caller_type: CallerType,
        zone: Zone,
        roles: impl IntoIterator<Item = &'r str>,
        grants: impl IntoIterator<Item = &'g Grant>,
    ) -> Self {
        Self {
            kind: caller_type,
            id: format!("{}/{}", principal.provider, principal.id).into(),
            subject: principal.id.as_str().into(),
            provider: principal.provider.as_str().into(),
            organization: principal.organization.as_ref().map(|organization| organization.as_str().into()),
            roles: roles.into_iter().map(Into::into).collect(),
            grants: grants.into_iter().map(|grant| grant.as_str().into()).collect(),
            zone,
            entity: OnceLock::new(),
        }
    }

    /// What it is.
    pub fn caller_type(&self) -> CallerType {
        self.kind
    }

    /// Its id in policies.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The zone it calls from.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The entity with its attributes and parents; `None` if Cedar makes none of them.
    pub(crate) fn entity(&self, types: &Types) -> Option<&Entity> {
        self.entity.get_or_init(|| self.make_entity(types)).as_ref()
    }

    fn make_entity(&self, types: &Types) -> Option<Entity> {
        let text = |text: &str| RestrictedExpression::new_string(text.into());
        let organization = self.organization.as_ref().map(|id| types.organization(id));
        let mut attributes = HashMap::from([
            ("id".into(), text(&self.subject)),
            ("provider".into(), text(&self.provider)),
            ("grants".into(), RestrictedExpression::new_set(self.grants.iter().map(|grant| text(grant)))),
        ]);
        if let Some(organization) = &organization {
            attributes
                .insert("organization".into(), RestrictedExpression::new_entity_uid(organization.clone()));
        }
        let roles = self.roles.iter().map(|role| types.role(role));
        let parents: HashSet<EntityUid> = roles.chain(organization).chain([types.zone(self.zone)]).collect();
        Entity::new(types.caller(self.kind, &self.id), attributes, parents).ok()
    }
}
